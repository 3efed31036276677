/* SPDX-License-Identifier: Apache-2.0 */
/*
 * knob.h - a knob that the kernel keeps for each process and not for a group:
 * KNOB_OOM_SCORE_ADJ and KNOB_CORE_SCHED. One struct process_knob holds, for one group and one such
 * knob, what every process of the group and of the groups below it had before, by pid and start
 * time, so that a recycled pid is never touched. KNOB_CACHE_CLASS, kept for each thread, has no
 * originals: resctrl/tasks.c moves only what is in the default group, and back to it.
 *
 * The order that keeps the journal's promise:
 *	process_knob_look()        read the originals of processes not seen before, forget dead ones
 *	process_knob_originals()   their text, to the journal, if look found new ones
 *	process_knob_apply()       write the value, to processes that look has seen only
 * All of it is level-triggered and idempotent: the same three again, whenever the group may have
 * new processes (process-watch.c, the reconcile interval), cover those that
 * joined later. A process that was forked from one that holds our value holds it already; its
 * original is taken to be its parent's.
 *
 * look, apply and restore run on the loop, which stands still meanwhile: for as long as /proc takes
 * for the processes of the group, LIMIT_PIDS of them at most (docs/knobs.md has the time measured).
 */
#pragma once

#include <stdint.h>

#include "berth-plugin.h"
#include "cgroup.h"
#include "strbuf.h"

struct process_knob;

/* root and hierarchy are borrowed; the group's path and inodes are copied. -EINVAL: the knob is
 * not one of processes. */
int process_knob_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		     const struct cgroup *group, enum knob knob, struct process_knob **ret);
struct process_knob *process_knob_free(struct process_knob *knob);
/* The group appeared in more hierarchies. */
void process_knob_set_group(struct process_knob *knob, const struct cgroup *group);

/* How many new processes were found; -ENOENT or -ESTALE: the group is gone; -E2BIG: more than
 * LIMIT_PIDS processes, those that fit are known. */
int process_knob_look(struct process_knob *knob);
/* How many processes were written to (0: all hold the value already), or the last -errno when one
 * that still lives refused. Processes that ended meanwhile are not an error. */
int process_knob_apply(struct process_knob *knob, uint64_t number);
/* What the record has as the value before the one that was to be applied: whoever was killed in
 * between left it with some. It is ours as well, until an apply has gone through. */
void process_knob_expect(struct process_knob *knob, uint64_t before);
/* Put the original back where a process still holds `written` or a value applied before that;
 * one that somebody else changed is left alone. Empties the struct of what was put back. How many
 * were written to, or the last -errno (what failed is kept, for another try). */
int process_knob_restore(struct process_knob *knob, uint64_t written);

/* Append the originals as one word without blanks, for a journal record; nothing while there are
 * none. strbuf_error() tells of want of memory. */
void process_knob_originals(struct process_knob *knob, struct strbuf *text);
/* Back from that word, into a fresh struct. 0; -EINVAL (nothing is taken over); -ENOMEM. */
int process_knob_parse(struct process_knob *knob, const char *text);

/* prctl(PR_SCHED_CORE, ...), replaced by unit tests: 0 or -errno. */
extern int (*process_knob_core_sched)(unsigned int command, int pid, unsigned int scope,
				      uint64_t *ret_cookie);
