/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restore.h - put one knob back. Needs nothing but what a journal record holds, so that the daemon
 * and `berthd --restore` do the very same.
 */
#pragma once

#include "actuator/knob/writer.h"

/* The weight of a group whose cpu.idle went from 1 to 0, cgroup-v2.rst "cpu.weight" and
 * sched_group_set_idle(): the default, whatever it was before. */
#define RESTORE_WEIGHT_RESET 100u

struct process_knob;

enum restore_result {
	RESTORE_NOTHING = 0, /* the original is there, or the group is gone */
	RESTORE_DONE = 1,
	RESTORE_FOREIGN = 2, /* neither ours nor the original: left alone */
	RESTORE_REFUSED = 3, /* KNOB_ONE_WAY: the kernel will not take it back, ever */
};

struct restore_item {
	struct knob_place place;
	const char *original, *previous, *written; /* "" none */
	struct process_knob *processes;            /* of a process knob, else NULL */
	bool was_locked; /* the kernel has reset it when its lock went away */
	bool passing;    /* whatever is there instead of ours is so only for a moment */
};

/* enum restore_result or -errno; -EBUSY: its lock (cpu.idle of the weight) is still set. */
int restore_knob(const struct restore_item *item);

/* Is `current` what a write of `written` leaves behind when it is cut short? It is ours then, and
 * not the original even where it means the same. */
bool restore_is_part(enum knob knob, const char *current, const char *original,
		     const char *written);

struct restore_order {
	enum knob knob;
	const char *path, *original, *written; /* "" none */
};

struct hierarchy;
struct journal_found;
struct sysroot;

/* The first thing of a daemon that starts, before it looks at any knob: what systemd was writing
 * over when the run before was killed. */
void restore_unit_files(const struct sysroot *root, const struct hierarchy *hierarchy,
			int runtime_fd, struct journal_found *ret_found);

/* In which order two knobs of groups are put back: locks before what they lock, parents first
 * where the kernel propagates down, children first where ancestors hold sums. Where a child may not
 * have more than its parent, all that is lowered comes first, children first, then all that is
 * raised, parents first. As qsort(3) has it. */
int restore_compare(const struct restore_order *a, const struct restore_order *b);

/* The knob that locks this one, or -1. */
int knob_locked_by(enum knob knob);
