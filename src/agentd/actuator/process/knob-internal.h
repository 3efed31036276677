/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knob-internal.h - between process/knob.c (look, apply, restore), process/value.c (the
 * value of one process), core-sched.c (cookies) and process/originals.c (the journal's word).
 * Nobody else's.
 */
#pragma once

#include <stdbool.h>

#include "actuator/process-list.h"
#include "actuator/process/knob.h"

/* The value of a process: its oom_score_adj, or its core scheduling cookie, 0 for none. */
struct process_entry {
	int pid;
	uint64_t start;
	int64_t original;
};

struct process_knob {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct cgroup group; /* path and inodes are ours */
	enum knob knob;

	struct process_entry *entries; /* ascending by pid */
	size_t count;
	bool has_applied, has_before;
	int64_t applied;  /* the process value that apply wrote last */
	int64_t before;   /* what some may hold still instead, since that did not go through */
	bool is_replayed; /* the entries are the journal's, what was applied is not known */
};

/* The process's value now. process_fd as of process_open(). -ESRCH: it has ended. */
int process_value_read(enum knob knob, int process_fd, int pid, int64_t *ret);
/* oom_score_adj only. */
int process_value_write(int process_fd, int64_t value);

/* 0 when the process that the entry names still lives; its fd to *ret_fd. -ESRCH else. */
int process_entry_open(const struct process_knob *knob, const struct process_entry *entry,
		       int *ret_fd);

/* What the run before applied: what the first process that does not hold its original any more
 * holds now. */
void process_applied_infer(struct process_knob *knob);

/* Give each of these entries that has no cookie of somebody else the group's, which is made when
 * there is none yet; or take it away. How many were changed, or -errno. */
int core_sched_apply(struct process_knob *knob);
int core_sched_clear(const struct process_knob *knob, const struct process_entry *entries,
		     size_t count, int *results);
int core_sched_cookie(int pid, uint64_t *ret);
