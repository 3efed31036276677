/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group.h - the events of one group of control on one CPU. What is opened together is
 * scheduled together and read together, so that its quotients hold also where the kernel lets it
 * take turns with others' events.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* SAMPLE_CYCLES, SAMPLE_INSTRUCTIONS, SAMPLE_CACHE_REFERENCES, SAMPLE_CACHE_MISSES. */
#define PERF_VALUES 4u
#define PERF_PAIR   2u

/* What is counted for each of them: type and config of perf_event_open(2). */
struct perf_kind {
	struct {
		uint32_t type;
		uint64_t config;
	} events[PERF_VALUES];
};

enum perf_layout {
	PERF_TOGETHER, /* all four at the same time */
	PERF_PAIRS,    /* two and two, which may take turns: a PMU of few counters */
	PERF_CYCLES,   /* the first two: it counts no cache */
};

/* How many values that counts, each in an fd. */
unsigned int perf_layout_values(enum perf_layout layout);

struct perf_group {
	unsigned int cpu;
	enum perf_layout layout;
	int fds[PERF_VALUES]; /* -EBADF: not open */
	/* As read last; of those that are scheduled together, with the first of them. */
	uint64_t enabled_nsec[PERF_VALUES], running_nsec[PERF_VALUES], value[PERF_VALUES];
	uint64_t starved_nsec; /* enabled in the last reading, and never running */
};

/* On group->cpu, in group->layout. directory: of the group of control, in the hierarchy of
 * perf_event. 0 or -errno: -ENODEV, -ENXIO: no such CPU now; -ENOENT, -EOPNOTSUPP: no such events;
 * -EINVAL: (also) more at once than the PMU has counters. */
int perf_group_open(struct perf_group *group, const struct perf_kind *kind, int directory);
void perf_group_close(struct perf_group *group);
/* What was counted since the last time, scaled up by the time in which others had their turn, added
 * to total. 0 or -errno, which adds nothing of what could not be read. */
int perf_group_read(struct perf_group *group, uint64_t total[PERF_VALUES]);
/* Of those of a window, one for each CPU, all as read last: none of them ever had its turn, though
 * the group ran for long. So many counters at once are never free: somebody keeps one. */
bool perf_groups_starve(const struct perf_group *groups, size_t count);
