/* SPDX-License-Identifier: Apache-2.0 */
/* bpf.c - two rungs: the programs of stall/probe.bpf.c, on functions or on tracepoints alone.
 */
#include <errno.h>
#include <string.h>

#include "cgroup.h"
#include "macro.h"
#include "telemetry/stall/programs.h"

static int memstall_open(struct stall *stall)
{
	return programs_start(stall, FOR_MEMSTALL);
}

static int tracepoint_open(struct stall *stall)
{
	return programs_start(stall, FOR_TRACEPOINTS);
}

static void programs_close(struct stall *stall)
{
	stall->programs = programs_free(stall->programs);
}

/* Put a workload that is new here into the table; it counts from then on. */
static void programs_take(struct stall *stall, struct target *target)
{
	struct stall_programs *programs = stall->programs;
	struct stall_target *state = target->stall;
	uint64_t key = target->group->inode[CONTROLLER_MEMORY];

	if (key == state->key || key == 0)
		return;
	if (state->key)
		stall_table_remove(&programs->table, state->key, state->index);
	state->key = stall_table_put(&programs->table, key, &state->index) < 0 ? 0 : key;
	memset(state->record_nsec, 0, sizeof(state->record_nsec));
	state->record_wall_usec = 0;
	programs->changed = true;
}

static uint64_t wall_usec(const struct stall *stall, const struct stall_record *record)
{
	/* In this order: a stall that ends in between is counted in the next pass, and not twice.
	 */
	uint64_t units = __atomic_load_n(&record->wall_units, __ATOMIC_ACQUIRE);
	uint64_t running = __atomic_load_n(&record->running, __ATOMIC_RELAXED);
	uint64_t now = stall->now_usec * NSEC_PER_USEC >> STALL_UNIT_SHIFT;
	uint64_t since = running >> STALL_COUNT_BITS;

	/* The stall that goes on, as far as it is old. */
	if (running & STALL_COUNT_MASK && now > since)
		units += now - since;
	return (units << STALL_UNIT_SHIFT) / NSEC_PER_USEC;
}

static void record_read(const struct stall *stall, struct stall_target *state)
{
	const struct stall_record *record = stall_table_get(&stall->programs->table, state->index);
	uint64_t wall = wall_usec(stall, record);

	for (unsigned int i = 0; i < STALL_CAUSES; i++) {
		uint64_t last = state->record_nsec[i];

		/* What is less than a microsecond stays for the next pass. */
		state->weight[i] = (record->nsec[i] - last) / NSEC_PER_USEC;
		state->record_nsec[i] = last + state->weight[i] * NSEC_PER_USEC;
	}
	if (wall > state->record_wall_usec) {
		state->wall_usec = wall - state->record_wall_usec;
		state->record_wall_usec = wall;
	}
}

static void programs_finish(struct stall *stall, const struct hashmap *targets)
{
	struct stall_programs *programs = stall->programs;
	struct target *target;

	/* After the records are there, so that nobody remembers that they are not. */
	if (programs->changed)
		(*programs->table_version)++;
	programs->changed = false;
	/* One that goes in the first pass of these programs has its key from the ones before. */
	hashmap_foreach (target, targets)
		if (target->stall && target->stall->key && target->stall->epoch == stall->epoch)
			record_read(stall, target->stall);
	if (programs->way == FOR_MEMSTALL)
		hashmap_foreach (target, targets)
			if (target->stall && target->group && target->stall->weight[STALL_OTHER])
				stall_refault_split(stall, target);
}

static void programs_forget(struct stall *stall, struct stall_target *state)
{
	if (!state->key)
		return;
	stall_table_remove(&stall->programs->table, state->key, state->index);
	state->key = 0;
	stall->programs->changed = true;
}

const struct stall_ops stall_bpf_ops = {
	.sees_swap = true,
	.has_wall = true,
	.open = memstall_open,
	.loaded = programs_loaded,
	.close = programs_close,
	.take = programs_take,
	.finish = programs_finish,
	.forget = programs_forget,
};

const struct stall_ops stall_tracepoint_ops = {
	.is_partial = true,
	.has_wall = true,
	.open = tracepoint_open,
	.loaded = programs_loaded,
	.close = programs_close,
	.take = programs_take,
	.finish = programs_finish,
	.forget = programs_forget,
};
