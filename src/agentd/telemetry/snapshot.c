/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "telemetry/bpf/loader.h"
#include "telemetry/collect/collector.h"
#include "telemetry/node.h"
#include "telemetry/perf/perf.h"
#include "telemetry/rollup.h"
#include "telemetry/runqueue/runqueue.h"
#include "telemetry/stall/stall.h"

static int collector_new(const struct snapshot *snapshot, enum snapshot_collector which,
			 struct collector **ret)
{
#ifdef BERTH_HAVE_BPF
	if (which != COLLECT_FILES)
		return collector_bpf_new(snapshot->root, snapshot->hierarchy, snapshot->loader,
					 ret);
#else
	(void)which;
#endif
	return collector_files_new(snapshot->root, snapshot->hierarchy, ret);
}

int snapshot_init(struct snapshot *snapshot, const struct sysroot *root,
		  const struct hierarchy *hierarchy, const struct snapshot_options *options)
{
	long ticks = sysconf(_SC_CLK_TCK);
	int r;

	*snapshot = (struct snapshot){
		.root = root,
		.hierarchy = hierarchy,
		.clock_ticks = ticks > 0 ? (uint64_t)ticks : 100,
		.options = { .collector = COLLECT_FILES },
	};
	if (options)
		snapshot->options = *options;
	r = loader_new(snapshot->options.pool, &snapshot->loader);
	if (r >= 0)
		r = stall_new(root, hierarchy, snapshot->loader, &snapshot->stall);
	if (r >= 0)
		r = runqueue_new(root, hierarchy, snapshot->loader, &snapshot->runqueue);
	if (r >= 0)
		r = perf_new(root, hierarchy, snapshot->options.event, NULL, &snapshot->perf);
	if (r >= 0)
		r = collector_new(snapshot, snapshot->options.collector, &snapshot->collector);
	if (r < 0)
		snapshot_done(snapshot);
	return r;
}

static void target_forget(struct snapshot *snapshot, struct target *target)
{
	struct collector *collector = snapshot->collector;

	(void)hashmap_remove_u64(&snapshot->by_id, target->id);
	if (collector->ops->forget)
		collector->ops->forget(collector, target);
	stall_forget(snapshot->stall, target);
	runqueue_forget(snapshot->runqueue, target);
	perf_forget(snapshot->perf, target->id);
	free(target);
}

void snapshot_done(struct snapshot *snapshot)
{
	struct target *target;

	hashmap_foreach (target, &snapshot->by_id)
		target_forget(snapshot, target);
	hashmap_done(&snapshot->by_id);
	if (snapshot->collector)
		snapshot->collector = snapshot->collector->ops->free(snapshot->collector);
	snapshot->stall = stall_free(snapshot->stall);
	snapshot->runqueue = runqueue_free(snapshot->runqueue);
	snapshot->perf = perf_free(snapshot->perf);
	/* After those who may still wait for it. */
	snapshot->loader = loader_free(snapshot->loader);
	snapshot->rest = sd_event_source_disable_unref(snapshot->rest);
}

int snapshot_apply(struct snapshot *snapshot, enum snapshot_collector collector)
{
	struct collector *old = snapshot->collector, *new;
	struct target *target;
	int r;

	perf_recheck(snapshot->perf);
	if (collector == snapshot->options.collector) {
		if (old->ops->recheck)
			old->ops->recheck(old);
		return 0;
	}
	r = collector_new(snapshot, collector, &new);
	if (r < 0)
		return r;
	/* Records stay: the counters are the same, whoever reads them. */
	hashmap_foreach (target, &snapshot->by_id)
		if (old->ops->forget)
			old->ops->forget(old, target);
	(void)old->ops->free(old);
	snapshot->collector = new;
	snapshot->options.collector = collector;
	return 0;
}

void snapshot_status(const struct snapshot *snapshot, struct collector_status *ret)
{
	snapshot->collector->ops->status(snapshot->collector, ret);
#ifndef BERTH_HAVE_BPF
	if (snapshot->options.collector != COLLECT_FILES)
		ret->detail = "this berthd was built without BPF";
#endif
}

bool snapshot_is_loading(const struct snapshot *snapshot)
{
	struct collector_status status;

	snapshot_status(snapshot, &status);
	return status.is_loading || stall_way(snapshot->stall) == STALL_LOADING ||
	       runqueue_is_loading(snapshot->runqueue);
}

static int on_rest(sd_event_source *source, uint64_t usec, void *data)
{
	struct snapshot *snapshot = data;

	(void)source;
	(void)usec;
	if (snapshot->collector->ops->rest)
		snapshot->collector->ops->rest(snapshot->collector);
	return 0;
}

/* From now on; without memory, what is kept is kept. */
static void rest_arm(struct snapshot *snapshot)
{
	uint64_t usec = monotonic_usec() + LIMIT_KEPT_REST_USEC;

	if (!snapshot->options.event)
		return;
	if (!snapshot->rest) {
		(void)sd_event_add_time(snapshot->options.event, &snapshot->rest, CLOCK_MONOTONIC,
					usec, USEC_PER_SEC, on_rest, snapshot);
		return;
	}
	(void)sd_event_source_set_time(snapshot->rest, usec);
	(void)sd_event_source_set_enabled(snapshot->rest, SD_EVENT_ONESHOT);
}

void snapshot_keep(struct snapshot *snapshot)
{
	uint64_t due = 0;

	/* Not at every tick of whoever peeks. */
	if (!snapshot->rest || sd_event_source_get_time(snapshot->rest, &due) < 0 ||
	    due < monotonic_usec() + LIMIT_KEPT_REST_USEC / 2)
		rest_arm(snapshot);
}

bool snapshot_is_fresh(const struct snapshot *snapshot, uint64_t now, uint64_t max_age_usec)
{
	return snapshot->generation > 0 &&
	       (now <= snapshot->time_usec || now - snapshot->time_usec <= max_age_usec);
}

int snapshot_node(struct snapshot *snapshot, uint64_t max_age_usec)
{
	uint64_t now = monotonic_usec();
	unsigned int errors;

	if (max_age_usec > 0 && snapshot->node_time_usec > 0 &&
	    now - snapshot->node_time_usec <= max_age_usec)
		return 0;
	errors = node_read(snapshot->root, snapshot->clock_ticks, &snapshot->node);
	snapshot->errors += errors;
	snapshot->node_time_usec = errors == 0 ? now : 0;
	return errors == 0 ? 0 : -EIO;
}

void snapshot_begin(struct snapshot *snapshot)
{
	snapshot->generation++;
	snapshot->time_usec = monotonic_usec();
	(void)snapshot_node(snapshot, 0);
	snapshot->collector->errors = 0;
}

static int target_make(struct snapshot *snapshot, uint64_t id, struct target **ret)
{
	struct target *target = calloc(1, sizeof(*target));
	int r;

	if (!target)
		return -ENOMEM;
	target->id = id;
	target->sample.size = sizeof(target->sample);
	r = hashmap_put_u64(&snapshot->by_id, id, target);
	if (r < 0) {
		free(target);
		return r;
	}
	*ret = target;
	return 0;
}

int snapshot_target(struct snapshot *snapshot, uint64_t id, struct target **ret)
{
	struct target *target = hashmap_get_u64(&snapshot->by_id, id);

	if (!target)
		return target_make(snapshot, id, ret);
	*ret = target;
	return 0;
}

int snapshot_take(struct snapshot *snapshot, uint64_t id, uint64_t parent,
		  const struct cgroup *group)
{
	struct collector *collector = snapshot->collector;
	struct target *target;
	int r = snapshot_target(snapshot, id, &target);

	if (r < 0)
		return r;
	target->parent = parent;
	target->group = group;
	target->offline = false;
	/* What cannot be read this time stays as it was: counters only grow. */
	target->sample.generation = snapshot->generation;
	rollup_begin(target);
	r = collector->ops->take(collector, target);
	if (r < 0)
		target_forget(snapshot, target);
	return r;
}

void snapshot_mark_offline(struct snapshot *snapshot, uint64_t id)
{
	struct target *target = hashmap_get_u64(&snapshot->by_id, id);

	if (target)
		target->offline = true;
}

void snapshot_end(struct snapshot *snapshot)
{
	struct collector *collector = snapshot->collector;
	struct target *target;

	if (collector->ops->finish && collector->ops->finish(collector) < 0)
		collector->errors++;
	/* Before the causes: the pod's throttling is one. */
	rollup_end(&snapshot->by_id, snapshot->generation);
	stall_pass(snapshot->stall, &snapshot->by_id, snapshot->generation, snapshot->time_usec);
	runqueue_pass(snapshot->runqueue, &snapshot->by_id, snapshot->generation);
	perf_pass(snapshot->perf, &snapshot->by_id);
	hashmap_foreach (target, &snapshot->by_id) {
		target->group = NULL;
		if (target->gone || target->sample.generation != snapshot->generation)
			target_forget(snapshot, target);
		else
			target_derive(target);
	}
	snapshot->errors += collector->errors;
	rest_arm(snapshot);
	snapshot->duration_usec = monotonic_usec() - snapshot->time_usec;
}

const struct workload_sample *snapshot_get(const struct snapshot *snapshot, uint64_t id)
{
	const struct target *target = hashmap_get_u64(&snapshot->by_id, id);

	/* One that was only peeked at has none. */
	return target && target->sample.generation ? &target->sample : NULL;
}
