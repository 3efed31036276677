/* SPDX-License-Identifier: Apache-2.0 */
/*
 * target.h - one workload of the snapshot: whose group is read and the record that is filled.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"
#include "cgroup.h"

struct kept_files;
struct runqueue_target;
struct stall_target;

#define ROLLUP_VALUES 3u

/* rollup.c's: throttling by the group's own quota, and by those of workloads below it. */
struct target_rollup {
	uint64_t own[ROLLUP_VALUES], below[ROLLUP_VALUES];
};

struct target {
	uint64_t id, parent; /* of the workload, and of the one that it is part of; 0: none */
	const struct cgroup *group; /* the registry's: valid only while a pass is taken */
	bool gone;                  /* its group went while it was read */
	struct kept_files *kept;    /* collect/files.c's open files; NULL: none */
	/* collect/bpf.c's: of the kernel's struct cgroup; address 0: unknown */
	uint64_t address, serial, psi;
	bool offline;                     /* its level, in this pass */
	struct stall_target *stall;       /* stall.c's */
	struct runqueue_target *runqueue; /* runqueue.c's */
	struct target_rollup rollup;
	struct sample_device devices[SAMPLE_DEVICES];
	struct workload_sample sample;
};

/* A value that the host tells. */
static inline void target_set(struct target *target, enum sample_value value, uint64_t number)
{
	target->sample.value[value] = number;
	target->sample.known[value / 64] |= UINT64_C(1) << (value % 64);
}

/* One that is estimated from others, by whoever reads: it must not go back, or it looks like a
 * counter that was reset. */
static inline void target_raise(struct target *target, enum sample_value value, uint64_t number)
{
	uint64_t before = target->sample.value[value];

	target_set(target, value, number > before ? number : before);
}

/* Which bits of a word of `known` these values have: a constant where they are. */
static inline uint64_t sample_bits(unsigned int word, enum sample_value first,
				   enum sample_value last)
{
	unsigned int low = word * 64, from = (unsigned int)first, to = (unsigned int)last;

	if (to < low || from > low + 63)
		return 0;
	from = from > low ? from - low : 0;
	to = to < low + 63 ? to - low : 63;
	return (UINT64_MAX << from) & (UINT64_MAX >> (63 - to));
}

/* The host does not tell these, or not any more: a controller was taken from the group. */
static inline void target_unset(struct target *target, enum sample_value first,
				enum sample_value last)
{
	for (unsigned int value = first; value <= (unsigned int)last; value++) {
		target->sample.value[value] = 0;
		target->sample.known[value / 64] &= ~(UINT64_C(1) << (value % 64));
	}
}

static inline void target_unset_devices(struct target *target)
{
	target->sample.device_count = 0;
	target->sample.devices = NULL;
}

/* Values that follow from others, the same whoever read those. */
static inline void target_derive(struct target *target)
{
	const struct workload_sample *sample = &target->sample;
	uint64_t used = sample->value[SAMPLE_MEMORY_BYTES];
	uint64_t inactive = sample->value[SAMPLE_MEMORY_INACTIVE_FILE_BYTES];

	/* As kubelet and cAdvisor have it; the two are read one after the other. */
	if (sample_knows(sample, SAMPLE_MEMORY_BYTES) &&
	    sample_knows(sample, SAMPLE_MEMORY_INACTIVE_FILE_BYTES))
		target_set(target, SAMPLE_MEMORY_WORKING_SET_BYTES,
			   used > inactive ? used - inactive : 0);
	else
		target_unset(target, SAMPLE_MEMORY_WORKING_SET_BYTES,
			     SAMPLE_MEMORY_WORKING_SET_BYTES);
}
