/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Core scheduling (prctl(2) PR_SCHED_CORE, 5.14): a cookie is made on a task, and given on only
 * from the calling task to another. The daemon's own threads must not keep one, so a thread that
 * lives for one round makes or borrows it, hands it to the group, and ends. Taking a cookie away is
 * the same from a thread that has none: it shares its cookie 0.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/prctl.h>

#include "actuator/process/knob-internal.h"
#include "cleanup.h"

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE            62
#define PR_SCHED_CORE_GET        0
#define PR_SCHED_CORE_CREATE     1
#define PR_SCHED_CORE_SHARE_TO   2
#define PR_SCHED_CORE_SHARE_FROM 3
#endif

/* The kernel's enum pid_type, as prctl takes it. */
#define SCOPE_THREAD       0u
#define SCOPE_THREAD_GROUP 1u

#define HELPER_STACK_BYTES ((size_t)64 * 1024)

static int core_sched_prctl(unsigned int command, int pid, unsigned int scope, uint64_t *ret_cookie)
{
	if (prctl(PR_SCHED_CORE, command, pid, scope, ret_cookie) < 0)
		return -errno;
	return 0;
}

int (*process_knob_core_sched)(unsigned int command, int pid, unsigned int scope,
			       uint64_t *ret_cookie) = core_sched_prctl;

int core_sched_cookie(int pid, uint64_t *ret)
{
	uint64_t cookie = 0;
	int r = process_knob_core_sched(PR_SCHED_CORE_GET, pid, SCOPE_THREAD, &cookie);

	if (r == 0)
		*ret = cookie;
	return r;
}

/* A round of the helper thread. */
struct round {
	const struct process_knob *knob;
	const struct process_entry *entries;
	size_t count;
	int lender;   /* a process that has the group's cookie, or 0: make one */
	bool clear;   /* share no cookie instead */
	int *results; /* of each entry; may be NULL */
	uint64_t cookie;
	int result;
};

/* Share the helper's cookie with one process, if it is the one that the entry names and does not
 * have it. 1 when it was changed. The prctl takes a bare pid: between the look and the call the pid
 * could only be used again if the whole range of pids came round. */
static int entry_share(const struct round *round, const struct process_entry *entry)
{
	cleanup_close int fd = -EBADF;
	uint64_t cookie = 0;
	int r = process_entry_open(round->knob, entry, &fd);

	if (r == 0)
		r = core_sched_cookie(entry->pid, &cookie);
	if (r == 0 && cookie == round->cookie)
		return 0;
	/* Another agent's or a container manager's: it cannot be put back, so it is left. */
	if (r == 0 && !round->clear && cookie != 0)
		return 0;
	if (r == 0)
		r = process_knob_core_sched(PR_SCHED_CORE_SHARE_TO, entry->pid, SCOPE_THREAD_GROUP,
					    NULL);
	return r < 0 ? r : 1;
}

static int round_prepare(struct round *round)
{
	int r = 0;

	if (round->lender > 0)
		r = process_knob_core_sched(PR_SCHED_CORE_SHARE_FROM, round->lender, SCOPE_THREAD,
					    NULL);
	else if (!round->clear)
		r = process_knob_core_sched(PR_SCHED_CORE_CREATE, 0, SCOPE_THREAD, NULL);
	if (r == 0)
		r = core_sched_cookie(0, &round->cookie);
	/* Whoever started the daemon gave it a cookie: it has no "none" to share. */
	if (r == 0 && round->clear && round->cookie != 0)
		r = -EBUSY;
	return r;
}

static void *round_run(void *data)
{
	struct round *round = data;
	int changed = 0, last = round_prepare(round);

	if (last < 0) {
		round->result = last;
		return NULL;
	}
	for (size_t i = 0; i < round->count; i++) {
		int r = entry_share(round, &round->entries[i]);

		if (round->results)
			round->results[i] = r;
		if (r > 0)
			changed++;
		else if (r < 0 && r != -ESRCH)
			last = r;
	}
	round->result = last < 0 ? last : changed;
	return NULL;
}

static int round_on_thread(struct round *round)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int r = pthread_attr_init(&attributes);

	if (r != 0)
		return -r;
	(void)pthread_attr_setstacksize(&attributes, HELPER_STACK_BYTES);
	r = pthread_create(&thread, &attributes, round_run, round);
	(void)pthread_attr_destroy(&attributes);
	if (r != 0)
		return -r;
	(void)pthread_join(thread, NULL);
	return round->result;
}

/* A process that has the group's cookie already: the one applied before, or, after a restart,
 * whatever the first process that had none at first has now. */
static int lender_find(const struct process_knob *knob)
{
	for (size_t i = 0; i < knob->count; i++) {
		const struct process_entry *entry = &knob->entries[i];
		cleanup_close int fd = -EBADF;
		uint64_t cookie = 0;

		if (entry->original != 0 || process_entry_open(knob, entry, &fd) < 0 ||
		    core_sched_cookie(entry->pid, &cookie) < 0 || cookie == 0)
			continue;
		if (!knob->has_applied || (int64_t)cookie == knob->applied)
			return entry->pid;
	}
	return 0;
}

int core_sched_apply(struct process_knob *knob)
{
	struct round round = { .knob = knob, .entries = knob->entries, .count = knob->count };
	int r;

	if (knob->count == 0)
		return 0; /* a cookie that nobody has would be lost at once */
	round.lender = lender_find(knob);
	r = round_on_thread(&round);
	if (round.cookie != 0) {
		knob->applied = (int64_t)round.cookie;
		knob->has_applied = true;
	}
	return r;
}

int core_sched_clear(const struct process_knob *knob, const struct process_entry *entries,
		     size_t count, int *results)
{
	struct round round = {
		.knob = knob,
		.entries = entries,
		.count = count,
		.clear = true,
		.results = results,
	};

	/* What the round does not come to is not done. */
	for (size_t i = 0; i < count; i++)
		results[i] = -ECANCELED;
	return count == 0 ? 0 : round_on_thread(&round);
}
