/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/stall/stall.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"
#include "telemetry/bpf/loader.h"
#include "telemetry/stall/internal.h"

#ifndef BERTH_HAVE_BPF
static int no_bpf_open(struct stall *stall)
{
	stall_say(stall, "bpf, tracepoints: this berthd was built without libbpf");
	return -EOPNOTSUPP;
}

const struct stall_ops stall_bpf_ops = { .open = no_bpf_open };
const struct stall_ops stall_tracepoint_ops = { .open = no_bpf_open };
#endif

static const struct rung {
	const char *name;
	const struct stall_ops *ops;
} ladder[] = {
	[STALL_VENDOR] = { "vendor", &stall_vendor_ops },
	[STALL_BPF] = { "bpf", &stall_bpf_ops },
	[STALL_TRACEPOINTS] = { "tracepoints", &stall_tracepoint_ops },
	[STALL_COUNTERS] = { "counters", &stall_counter_ops },
	[STALL_OFF] = { "off", NULL },
	[STALL_UNUSED] = { "unused", NULL },
	[STALL_LOADING] = { "loading", NULL },
};

const char *stall_way_name(enum stall_way way)
{
	return (unsigned int)way < ARRAY_SIZE(ladder) ? ladder[way].name : "off";
}

int stall_new(const struct sysroot *root, const struct hierarchy *hierarchy, struct loader *loader,
	      struct stall **ret)
{
	struct stall *stall = calloc(1, sizeof(*stall));

	if (!stall)
		return -ENOMEM;
	stall->root = root;
	stall->hierarchy = hierarchy;
	stall->loader = loader;
	stall->best = stall->way = STALL_OFF;
	*ret = stall;
	return 0;
}

static void way_close(struct stall *stall)
{
	if (stall->ops)
		stall->ops->close(stall);
	stall->ops = NULL;
	load_drop(TAKE_PTR(stall->load));
	stall->way = STALL_OFF;
	stall->detail[0] = '\0';
	stall->epoch++;
}

struct stall *stall_free(struct stall *stall)
{
	if (!stall)
		return NULL;
	way_close(stall);
	free(stall);
	return NULL;
}

void stall_say(struct stall *stall, const char *format, ...)
{
	size_t length = strlen(stall->detail), size = sizeof(stall->detail) - length;
	va_list list;

	if (length > 0) {
		(void)snprintf(stall->detail + length, size, "; ");
		length = strlen(stall->detail);
		size = sizeof(stall->detail) - length;
	}
	va_start(list, format);
	(void)vsnprintf(stall->detail + length, size, format, list);
	va_end(list);
}

void stall_apply(struct stall *stall, enum stall_way best)
{
	if (stall->best == best)
		return;
	way_close(stall);
	stall->best = best;
	stall->looked = false;
	if (best != STALL_OFF)
		stall->way = STALL_UNUSED;
}

static void way_use(struct stall *stall, enum stall_way way)
{
	stall->way = way;
	stall->ops = ladder[way].ops;
}

/* From this rung on, until one is there or is being loaded. */
static void ladder_climb(struct stall *stall, enum stall_way way)
{
	stall->way = STALL_OFF;
	for (; way < STALL_OFF; way++) {
		int r = ladder[way].ops->open(stall);

		if (r < 0)
			continue;
		if (!stall->load) {
			way_use(stall, way);
			return;
		}
		stall->way = STALL_LOADING;
		stall->loading = way;
		return;
	}
}

/* What was loaded since the last pass; what was refused says so, and the next rung is tried. */
static void ladder_go_on(struct stall *stall)
{
	while (stall->load && load_is_done(stall->load)) {
		enum stall_way way = stall->loading;

		if (ladder[way].ops->loaded(stall, TAKE_PTR(stall->load)) < 0)
			ladder_climb(stall, way + 1);
		else
			way_use(stall, way);
	}
}

enum stall_way stall_way(const struct stall *stall)
{
	return stall->way;
}

const char *stall_detail(const struct stall *stall)
{
	return stall->detail;
}

/* Only a workload's own group shows for sure whether the vendor's file is there: the root may lack
 * it. Once after each stall_apply(). */
static void vendor_look(struct stall *stall, const struct target *target)
{
	cleanup_close int fd = -EBADF;

	stall->looked = true;
	if (stall->best != STALL_VENDOR || stall->way == STALL_VENDOR)
		return;
	fd = cgroup_open(stall->hierarchy, target->group, CONTROLLER_CPUACCT);
	if (!stall_vendor_is_at(fd, "pressure.stat"))
		return;
	way_close(stall);
	stall->way = STALL_VENDOR;
	stall->ops = &stall_vendor_ops;
}

static bool is_in_pass(const struct target *target, uint64_t generation)
{
	return !target->gone && target->sample.generation == generation;
}

static void values_forget(struct target *target, enum sample_value first, enum sample_value last)
{
	for (unsigned int word = 0; word < 2; word++)
		target->sample.known[word] &= ~sample_bits(word, first, last);
}

/* Known is what this pass tells. */
static void causes_forget(struct target *target, bool has_wall)
{
	values_forget(target, SAMPLE_CAUSE_FIRST, SAMPLE_CAUSE_CPU_QOS_FULL_USEC);
	if (target->stall->told_some && !has_wall)
		values_forget(target, SAMPLE_PRESSURE_MEMORY_SOME_USEC,
			      SAMPLE_PRESSURE_MEMORY_SOME_USEC);
}

/* Readings of another way say nothing. */
static void readings_reset(const struct stall *stall, struct stall_target *state)
{
	if (state->epoch == stall->epoch)
		return;
	state->epoch = stall->epoch;
	state->key = 0;
	memset(state->record_nsec, 0, sizeof(state->record_nsec));
	state->record_wall_usec = 0;
	state->counted = false;
	memset(state->counter, 0, sizeof(state->counter));
	memset(state->vendor_seen, 0, sizeof(state->vendor_seen));
	free(TAKE_PTR(state->vendor));
}

/* Also of one that is not in this pass: it was added up in the last one. */
static void found_reset(struct stall_target *state)
{
	memset(state->weight, 0, sizeof(state->weight));
	memset(state->below_weight, 0, sizeof(state->below_weight));
	state->wall_usec = state->below_wall_usec = 0;
}

ANALYZER_LEAK_IGNORE_BEGIN
static void target_take(struct stall *stall, const struct hashmap *targets, struct target *target)
{
	struct stall_target *state;

	if (!target->stall)
		target->stall = calloc(1, sizeof(*target->stall));
	state = target->stall;
	/* Without memory it has no causes in this pass. */
	if (!state)
		return;
	if (!stall->looked)
		vendor_look(stall, target);
	readings_reset(stall, state);
	causes_forget(target, stall->ops && stall->ops->has_wall);
	if (!stall->ops)
		return;
	if (stall->ops->take)
		stall->ops->take(stall, target);
	if (!stall->ops->is_vendor)
		stall_cpu_look(stall, targets, target);
}
ANALYZER_LEAK_IGNORE_END

/* A task counts in the nearest workload; those above have it, too. */
static void below_add(const struct hashmap *targets, const struct target *target)
{
	const struct stall_target *own = target->stall;

	for (unsigned int depth = 0; target->parent && depth < STALL_DEPTH; depth++) {
		target = hashmap_get_u64(targets, target->parent);
		if (!target || !target->stall)
			return;
		for (unsigned int i = 0; i < STALL_CAUSES; i++)
			target->stall->below_weight[i] += own->weight[i];
		target->stall->below_wall_usec += own->wall_usec;
	}
}

/* The number to be split: the kernel's, else the time that tasks were seen to wait. False: there is
 * none. */
static bool input_fill(const struct stall *stall, struct target *target, struct split_input *input)
{
	const struct workload_sample *sample = &target->sample;
	struct stall_target *state = target->stall;

	input->is_partial = stall->ops->is_partial;
	input->elapsed_usec = stall->last_usec ? stall->now_usec - stall->last_usec : 0;
	for (unsigned int i = 0; i < STALL_CAUSES; i++)
		input->weight[i] = state->weight[i] + state->below_weight[i];
	if (sample_knows(sample, SAMPLE_PRESSURE_MEMORY_SOME_USEC) && !state->told_some) {
		input->number[SPLIT_SOME] = sample->value[SAMPLE_PRESSURE_MEMORY_SOME_USEC];
		input->number[SPLIT_FULL] = sample->value[SAMPLE_PRESSURE_MEMORY_FULL_USEC];
		return true;
	}
	if (!stall->ops->has_wall)
		return false;
	/* Of several containers it is not known how much they waited at once. */
	state->wall_total_usec += MIN(state->wall_usec + state->below_wall_usec,
				      state->below_wall_usec ? input->elapsed_usec : UINT64_MAX);
	input->number[SPLIT_SOME] = state->wall_total_usec;
	input->is_partial = false;
	state->told_some = true;
	/* It can wait until one of the stalls ends, and with it is known what it was. */
	if (!split_has_weights(&state->split, input))
		input->number[SPLIT_SOME] = state->split.seen[SPLIT_SOME];
	return true;
}

/* Does the way see this cause? What was seen before, by another way, stays. */
static bool is_told(const struct stall *stall, const struct stall_target *state, unsigned int kind,
		    unsigned int cause)
{
	if (state->split.parts[kind][cause] > 0)
		return true;
	if (cause == STALL_SWAP)
		return stall->ops->sees_swap;
	return cause != STALL_OTHER || !stall->ops->is_partial || !state->told_some;
}

static void parts_set(const struct stall *stall, struct target *target)
{
	struct stall_target *state = target->stall;
	bool has_full = !state->told_some &&
			sample_knows(&target->sample, SAMPLE_PRESSURE_MEMORY_FULL_USEC);

	if (state->told_some)
		target_set(target, SAMPLE_PRESSURE_MEMORY_SOME_USEC, state->split.seen[SPLIT_SOME]);
	for (unsigned int cause = 0; cause < STALL_CAUSES; cause++) {
		for (unsigned int kind = 0; kind <= (unsigned int)has_full; kind++) {
			if (is_told(stall, state, kind, cause))
				target_set(target,
					   (enum sample_value)(SAMPLE_CAUSE_FIRST +
							       cause * SPLIT_KINDS + kind),
					   state->split.parts[kind][cause]);
		}
	}
}

static void target_settle(struct stall *stall, const struct hashmap *targets, struct target *target)
{
	struct stall_target *state = target->stall;
	struct split_input input = { .is_partial = false };
	bool is_split = stall->ops && !stall->ops->is_vendor && input_fill(stall, target, &input);

	if (is_split) {
		/* What it suffered before anybody looked has no cause. One that came since the last
		 * pass counts from its beginning. */
		if (!state->was_split && !state->told_some && (state->seen || !stall->passed))
			split_begin(&state->split, input.number);
		split_pass(&state->split, &input);
		parts_set(stall, target);
	}
	state->was_split = is_split;
	state->seen = true;
	if (stall->ops && !stall->ops->is_vendor)
		stall_cpu(targets, target);
	averages_update(&state->averages, &stall->decay, stall->now_usec, &target->sample);
	if (stall->ops && stall->ops->is_vendor)
		stall_vendor_averages(target);
}

ANALYZER_LEAK_IGNORE_BEGIN
void stall_pass(struct stall *stall, const struct hashmap *targets, uint64_t generation,
		uint64_t now_usec)
{
	struct target *target;

	if (stall->way == STALL_UNUSED)
		ladder_climb(stall, stall->best);
	ladder_go_on(stall);
	stall->now_usec = now_usec;
	hashmap_foreach (target, targets) {
		if (target->stall)
			found_reset(target->stall);
		if (is_in_pass(target, generation))
			target_take(stall, targets, target);
	}
	if (stall->ops && stall->ops->finish)
		stall->ops->finish(stall, targets);
	/* Also what one that went had waited until then. */
	if (stall->ops && !stall->ops->weighs_below)
		hashmap_foreach (target, targets)
			if (target->stall)
				below_add(targets, target);
	hashmap_foreach (target, targets)
		if (is_in_pass(target, generation) && target->stall)
			target_settle(stall, targets, target);
	/* Of what was suffered while nobody looked nothing is known. */
	stall->passed = stall->way != STALL_LOADING;
	stall->last_usec = now_usec;
}
ANALYZER_LEAK_IGNORE_END

void stall_forget(struct stall *stall, struct target *target)
{
	if (!target->stall)
		return;
	if (stall->ops && stall->ops->forget && target->stall->epoch == stall->epoch)
		stall->ops->forget(stall, target->stall);
	free(target->stall->vendor);
	free(TAKE_PTR(target->stall));
}

_Static_assert(SAMPLE_CAUSE_FIRST + STALL_OTHER * SPLIT_KINDS ==
		       SAMPLE_CAUSE_MEMORY_OTHER_SOME_USEC,
	       "the causes of memory have one order");
