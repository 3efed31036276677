/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/runqueue/runqueue.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "telemetry/bpf/loader.h"
#include "telemetry/bpf/record-table.h"
#include "telemetry/runqueue/record.h"
#include "telemetry/target.h"

/* Generated: it casts const away. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "telemetry/runqueue-probe.skel.h"
#pragma GCC diagnostic pop

#define DEPTH 8u /* workloads that are above one another */

struct runqueue_target {
	uint64_t key; /* in the table; 0: not there */
	struct runqueue_record last, grown;
	uint64_t sum_nsec;
	struct sample_latency latency;
};

struct runqueue_loading {
	struct load load;
	bool unified;
	struct runqueue_probe *probe;
};

struct runqueue {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct loader *loader;
	bool wanted;
	struct runqueue_loading *loading; /* NULL: nothing is */
	struct runqueue_probe *probe;     /* NULL: off */
	struct record_table table;
	char detail[160];
};

int runqueue_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		 struct loader *loader, struct runqueue **ret)
{
	struct runqueue *runqueue = calloc(1, sizeof(*runqueue));

	if (!runqueue)
		return -ENOMEM;
	runqueue->root = root;
	runqueue->hierarchy = hierarchy;
	runqueue->loader = loader;
	*ret = runqueue;
	return 0;
}

static void programs_close(struct runqueue *runqueue)
{
	if (runqueue->loading)
		load_drop(&runqueue->loading->load);
	runqueue->loading = NULL;
	record_table_done(&runqueue->table);
	if (runqueue->probe)
		runqueue_probe__destroy(runqueue->probe);
	runqueue->probe = NULL;
	runqueue->detail[0] = '\0';
}

struct runqueue *runqueue_free(struct runqueue *runqueue)
{
	if (!runqueue)
		return NULL;
	programs_close(runqueue);
	free(runqueue);
	return NULL;
}

static struct runqueue_loading *loading_of(struct load *load)
{
	return container_of(load, struct runqueue_loading, load);
}

static int loading_run(struct load *load)
{
	struct runqueue_probe *probe = runqueue_probe__open();
	struct bpf_program *program;
	int r;

	if (!probe)
		return errno ? -errno : -ENOMEM;
	loading_of(load)->probe = probe;
	probe->rodata->unified = loading_of(load)->unified;
	(void)bpf_map__set_max_entries(probe->maps.workloads, LIMIT_WORKLOADS);
	r = runqueue_probe__load(probe);
	if (r >= 0)
		r = runqueue_probe__attach(probe);
	/* The links hold them: an fd less for each. */
	bpf_object__for_each_program(program, probe->obj)(void) bpf_program__unload(program);
	return r;
}

static void loading_free(struct load *load)
{
	if (loading_of(load)->probe)
		runqueue_probe__destroy(loading_of(load)->probe);
	free(loading_of(load));
}

static void programs_fail(struct runqueue *runqueue, int error)
{
	(void)snprintf(runqueue->detail, sizeof(runqueue->detail),
		       "its programs cannot be loaded: %s", strerror(-error));
}

static void programs_load(struct runqueue *runqueue)
{
	struct runqueue_loading *loading;
	int r;

	if (faccessat(runqueue->root->root, "sys/kernel/btf/vmlinux", R_OK, 0) < 0) {
		(void)snprintf(runqueue->detail, sizeof(runqueue->detail),
			       "no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
		return;
	}
	loading = calloc(1, sizeof(*loading));
	if (!loading) {
		programs_fail(runqueue, -ENOMEM);
		return;
	}
	loading->load = (struct load){ .run = loading_run, .free = loading_free };
	loading->unified = runqueue->hierarchy->mounts[CONTROLLER_CPU].version == 2;
	r = loader_start(runqueue->loader, &loading->load);
	if (r < 0) {
		programs_fail(runqueue, r);
		free(loading);
		return;
	}
	runqueue->loading = loading;
}

/* At a pass: what was loaded since the last one. */
static void programs_take_up(struct runqueue *runqueue)
{
	struct runqueue_loading *loading = runqueue->loading;
	int r;

	if (!loading || !load_is_done(&loading->load))
		return;
	runqueue->loading = NULL;
	r = load_take(&loading->load);
	if (r >= 0) {
		runqueue->probe = TAKE_PTR(loading->probe);
		runqueue->table = (struct record_table){
			.fd = bpf_map__fd(runqueue->probe->maps.workloads),
			.size = sizeof(struct runqueue_record),
		};
	} else {
		programs_fail(runqueue, r);
		log_warning("telemetry.runqueue_latency: %s", runqueue->detail);
	}
	loading_free(&loading->load);
}

void runqueue_apply(struct runqueue *runqueue, bool on)
{
	if (runqueue->wanted == on)
		return;
	runqueue->wanted = on;
	programs_close(runqueue);
	if (on)
		programs_load(runqueue);
}

bool runqueue_is_loading(const struct runqueue *runqueue)
{
	return runqueue->loading;
}

const char *runqueue_state(const struct runqueue *runqueue)
{
	if (runqueue->loading)
		return "loading";
	return runqueue->probe ? "on" : runqueue->wanted ? "not available" : "off";
}

const char *runqueue_detail(const struct runqueue *runqueue)
{
	return runqueue->detail;
}

static bool is_in_pass(const struct target *target, uint64_t generation)
{
	return !target->gone && target->sample.generation == generation;
}

ANALYZER_LEAK_IGNORE_BEGIN
/* Put a workload that is new here into the table; it counts from then on. */
static void target_take(const struct runqueue *runqueue, struct target *target)
{
	struct runqueue_record record = { .workload = target->id };
	uint64_t key = target->group->inode[CONTROLLER_CPU];

	if (!target->runqueue)
		target->runqueue = calloc(1, sizeof(*target->runqueue));
	if (!target->runqueue || key == target->runqueue->key || key == 0)
		return;
	if (target->runqueue->key)
		record_table_remove(&runqueue->table, target->runqueue->key);
	target->runqueue->last = record;
	target->runqueue->key = record_table_put(&runqueue->table, key, &record) < 0 ? 0 : key;
}
ANALYZER_LEAK_IGNORE_END

static void record_read(void *data, const void *value)
{
	const struct hashmap *const *targets = data;
	const struct runqueue_record *record = value;
	struct target *target = hashmap_get_u64(*targets, record->workload);
	struct runqueue_target *state = target ? target->runqueue : NULL;

	if (!state)
		return;
	for (unsigned int i = 0; i < RUNQUEUE_BUCKETS; i++)
		state->grown.count[i] = record->count[i] - state->last.count[i];
	state->grown.sum_nsec = record->sum_nsec - state->last.sum_nsec;
	state->last = *record;
}

static void grown_add(struct runqueue_target *state, const struct runqueue_record *grown)
{
	for (unsigned int i = 0; i < RUNQUEUE_BUCKETS; i++)
		state->latency.count[i] += grown->count[i];
	state->sum_nsec += grown->sum_nsec;
	state->latency.sum_usec = state->sum_nsec / NSEC_PER_USEC;
}

/* To the workload and those above it. */
static void target_add(const struct hashmap *targets, const struct target *target)
{
	struct runqueue_target *own = target->runqueue;

	grown_add(own, &own->grown);
	for (unsigned int depth = 0; target->parent && depth < DEPTH; depth++) {
		target = hashmap_get_u64(targets, target->parent);
		if (!target || !target->runqueue)
			break;
		grown_add(target->runqueue, &own->grown);
	}
	memset(&own->grown, 0, sizeof(own->grown));
}

ANALYZER_LEAK_IGNORE_BEGIN
void runqueue_pass(struct runqueue *runqueue, const struct hashmap *targets, uint64_t generation)
{
	struct target *target;

	programs_take_up(runqueue);
	if (!runqueue->probe) {
		hashmap_foreach (target, targets)
			runqueue_forget(runqueue, target);
		return;
	}
	hashmap_foreach (target, targets)
		if (is_in_pass(target, generation))
			target_take(runqueue, target);
	(void)record_table_each(&runqueue->table, record_read, &targets);
	hashmap_foreach (target, targets)
		if (target->runqueue)
			target_add(targets, target);
	hashmap_foreach (target, targets)
		target->sample.latency = target->runqueue ? &target->runqueue->latency : NULL;
}
ANALYZER_LEAK_IGNORE_END

void runqueue_forget(struct runqueue *runqueue, struct target *target)
{
	if (!target->runqueue)
		return;
	if (runqueue->probe && target->runqueue->key)
		record_table_remove(&runqueue->table, target->runqueue->key);
	target->sample.latency = NULL;
	free(TAKE_PTR(target->runqueue));
}

_Static_assert(RUNQUEUE_BUCKETS == SAMPLE_LATENCY_BUCKETS, "one histogram");
