/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cpulist.h - sets of CPUs in the kernel's list form, "0-3,8,10-11" (cpuset.cpus, cpu/online).
 * Format: Documentation/admin-guide/kernel-parameters.rst, "cpu lists". Empty is a valid set.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CPULIST_MAX 8192u /* the kernel's largest NR_CPUS */

struct cpulist {
	uint64_t bits[CPULIST_MAX / 64];
};

/* Up to a NUL or a newline. 0; -EINVAL for a malformed list or one that runs backwards; -ERANGE
 * for a CPU of CPULIST_MAX or more. *ret is set only on success. */
int cpulist_parse(const char *text, struct cpulist *ret);

bool cpulist_has(const struct cpulist *list, unsigned int cpu);
void cpulist_add(struct cpulist *list, unsigned int cpu);
unsigned int cpulist_count(const struct cpulist *list);
bool cpulist_is_empty(const struct cpulist *list);
bool cpulist_equals(const struct cpulist *a, const struct cpulist *b);
/* Is every CPU of the one in the other? */
bool cpulist_is_within(const struct cpulist *list, const struct cpulist *other);
/* Change the list: keep what the other has, too; take in, or out, what it has. */
void cpulist_intersect(struct cpulist *list, const struct cpulist *other);
void cpulist_unite(struct cpulist *list, const struct cpulist *other);
void cpulist_subtract(struct cpulist *list, const struct cpulist *other);

/* Shortest form, NUL terminated. Its length, or -ENOSPC. */
int cpulist_format(const struct cpulist *list, char *text, size_t size);
