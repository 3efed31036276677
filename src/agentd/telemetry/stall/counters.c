/* SPDX-License-Identifier: Apache-2.0 */
/*
 * counters.c - the lowest rung: an estimate from what memory.stat counts. A wait is not
 * counted there, but the pages that were waited for are; each kind of page weighs what it costs to
 * wait for one, roughly: a scanned page a microsecond, one that is read back a hundred.
 */
#include <errno.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"
#include "telemetry/stall/internal.h"

#define SCAN_USEC 1u
#define READ_USEC 100u

struct counter_key {
	const char *key;
	enum stall_counter counter;
};

static int counters_open(struct stall *stall)
{
	if (stall->hierarchy->mounts[CONTROLLER_MEMORY].version == 2)
		return 0;
	stall_say(stall, "counters: cgroup v1 has no memory pressure that they could share out");
	return -EOPNOTSUPP;
}

static void counters_close(struct stall *stall)
{
	(void)stall;
}

/* Keys that are not there count nothing. False: the file cannot be read. */
static bool counters_read(int fd, const char *name, const struct counter_key *keys, size_t count,
			  uint64_t counters[COUNTER_MAX])
{
	cleanup_free char *text = NULL;
	char *save = NULL;

	if (file_read_all(fd, name, &text, NULL) < 0)
		return false;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');
		uint64_t number;

		if (!space)
			continue;
		*space = '\0';
		for (size_t i = 0; i < count; i++)
			if (strcmp(line, keys[i].key) == 0 && parse_u64(space + 1, &number) == 0)
				counters[keys[i].counter] += number;
	}
	return true;
}

static void counters_weigh(struct stall_target *state, const uint64_t now[COUNTER_MAX])
{
	uint64_t delta[COUNTER_MAX];

	for (unsigned int i = 0; i < COUNTER_MAX; i++)
		delta[i] = now[i] > state->counter[i] ? now[i] - state->counter[i] : 0;
	/* Both kinds of reclaim scan; a limit that was met tells which. */
	state->weight[delta[COUNTER_LIMIT] > 0 ? STALL_CGROUP_RECLAIM : STALL_GLOBAL_RECLAIM] +=
		delta[COUNTER_SCANNED] * SCAN_USEC;
	/* pswpin is there since 6.11; before, a page of memory that comes back is one. */
	state->weight[STALL_SWAP] +=
		MAX(delta[COUNTER_SWAPPED_IN], delta[COUNTER_REFAULT_ANON]) * READ_USEC;
	state->weight[STALL_OTHER] += delta[COUNTER_REFAULT_FILE] * READ_USEC;
}

static void counters_take(struct stall *stall, struct target *target)
{
	static const struct counter_key stat[] = {
		{ "pgscan_direct", COUNTER_SCANNED },
		{ "workingset_refault_anon", COUNTER_REFAULT_ANON },
		{ "workingset_refault_file", COUNTER_REFAULT_FILE },
		{ "pswpin", COUNTER_SWAPPED_IN },
	};
	static const struct counter_key events[] = {
		{ "high", COUNTER_LIMIT },
		{ "max", COUNTER_LIMIT },
	};
	struct stall_target *state = target->stall;
	cleanup_close int fd = cgroup_open(stall->hierarchy, target->group, CONTROLLER_MEMORY);
	uint64_t now[COUNTER_MAX] = { 0 };

	if (fd < 0 || !counters_read(fd, "memory.stat", stat, ARRAY_SIZE(stat), now))
		return;
	/* The root of a hierarchy has no events. */
	(void)counters_read(fd, "memory.events", events, ARRAY_SIZE(events), now);
	if (state->counted)
		counters_weigh(state, now);
	state->counted = true;
	memcpy(state->counter, now, sizeof(now));
}

/* The kernel counts as a wait for memory that a page comes back which was in use when it went:
 * those are restored, and counted apart for swap and files since 5.9. (On v1 not; there the pages
 * that come back at all must do.) The file is read for who waited so since the last pass, which few
 * do: a program at each page that comes from swap would cost those most that have it worst. */
void stall_refault_split(const struct stall *stall, struct target *target)
{
	static const struct counter_key keys[] = {
		{ "workingset_refault_anon", COUNTER_REFAULT_ANON },
		{ "workingset_refault_file", COUNTER_REFAULT_FILE },
		{ "workingset_restore_anon", COUNTER_RESTORE_ANON },
		{ "workingset_restore_file", COUNTER_RESTORE_FILE },
	};
	struct stall_target *state = target->stall;
	cleanup_close int fd = cgroup_open(stall->hierarchy, target->group, CONTROLLER_MEMORY);
	uint64_t now[COUNTER_MAX] = { 0 }, grown[COUNTER_MAX] = { 0 }, anon, file, swap;

	if (fd < 0 || !counters_read(fd, "memory.stat", keys, ARRAY_SIZE(keys), now))
		return;
	for (unsigned int i = 0; i < COUNTER_MAX; i++) {
		grown[i] = now[i] > state->counter[i] ? now[i] - state->counter[i] : 0;
		state->counter[i] = now[i];
	}
	anon = grown[COUNTER_RESTORE_ANON];
	file = grown[COUNTER_RESTORE_FILE];
	if (anon + file == 0) {
		anon = grown[COUNTER_REFAULT_ANON];
		file = grown[COUNTER_REFAULT_FILE];
	}
	if (anon == 0)
		return;
	swap = (uint64_t)((double)state->weight[STALL_OTHER] * (double)anon /
			  ((double)anon + (double)file));
	state->weight[STALL_SWAP] += swap;
	state->weight[STALL_OTHER] -= MIN(swap, state->weight[STALL_OTHER]);
}

const struct stall_ops stall_counter_ops = {
	.weighs_below = true,
	.sees_swap = true,
	.open = counters_open,
	.close = counters_close,
	.take = counters_take,
};
