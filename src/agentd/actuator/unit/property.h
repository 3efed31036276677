/* SPDX-License-Identifier: Apache-2.0 */
/*
 * property.h - which knob of a unit's group systemd has a property for, and what the values of
 * the one mean in the other. Pure.
 *
 * systemd (252, src/core/cgroup.c) writes cpu.idle, cpu.weight and cpu.max of a unit together, from
 * CPUWeight= and CPUQuota=; CPUWeight=idle is 0 on the bus and came with 252, the version that
 * began to write cpu.idle at all. On a legacy hierarchy it writes cpu.shares, from CPUShares=, and
 * leaves cpu.idle alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"

enum unit_property {
	UNIT_CPU_WEIGHT, /* of cpu.weight and of cpu.idle */
	UNIT_CPU_SHARES,
	UNIT_CPU_QUOTA,
	UNIT_MEMORY_MIN,
	UNIT_MEMORY_LOW,
	UNIT_PROPERTY_MAX,
};

#define UNIT_NAME_LENGTH 256u /* with NUL; UNIT_NAME_MAX of systemd */

/* As the bus has it: "CPUQuotaPerSecUSec". */
const char *unit_property_name(enum unit_property property);
/* "CPUWeight=idle", as people write it into a unit file. */
void unit_property_format(enum unit_property property, uint64_t value, char *text, size_t size);

/* The property behind a knob, or -1: none, so that systemd never writes the knob. */
int unit_property_of(enum knob knob, int version);
/* The property's value that keeps this number of the knob; -ENOTSUP: there is none. */
int unit_property_value(enum knob knob, int version, uint64_t number, uint64_t *ret);
/* What systemd writes into the knob's file for a value of the property; -ENODATA: nothing. */
int unit_property_text(enum knob knob, int version, uint64_t value, char *text, size_t size);

/* The unit that a group would be, by the last component of its path; -EINVAL: none. Whether it is
 * one, only systemd knows. */
int unit_name_of(const char *path, char *name, size_t size);
/* The bus interface that has the properties of a unit of that name. */
const char *unit_interface(const char *name);
