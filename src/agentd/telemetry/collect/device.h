/* SPDX-License-Identifier: Apache-2.0 */
/*
 * device.h - the block devices of a sample: the few with the lowest numbers, in order, by name.
 */
#pragma once

#include "hashmap.h"
#include "telemetry/target.h"

/* What a group did on which devices, while it is read. */
struct device_list {
	uint32_t count;
	struct sample_device items[SAMPLE_DEVICES];
};

bool sample_device_is_used(const struct sample_device *device);
/* The device's place, zeroed when it is new. NULL: there are SAMPLE_DEVICES with lower numbers. */
struct sample_device *device_list_slot(struct device_list *list, uint32_t major, uint32_t minor);

/* Names by number, remembered for a while: a device that is plugged in may get the number of one
 * that was unplugged. Zeroed, but for root, it knows none. */
struct device_names {
	int root; /* of the sysroot, borrowed; -EBADF: numbers stay numbers */
	uint64_t since_usec;
	struct hashmap by_number;
};

void device_names_done(struct device_names *names);
/* At the start of a pass: forget what is too old. */
void device_names_age(struct device_names *names, uint64_t now_usec);

/* Make the list the target's, with names. Devices that nothing was done on are left out. */
void device_list_apply(const struct device_list *list, struct device_names *names,
		       struct target *target);
