/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf.c - a pass in chunks of records that BPF fills. What it cannot tell, and groups that
 * it does not find, are read from files.
 */
#include "telemetry/collect/bpf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "limit.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "sample.h"
#include "sysroot.h"
#include "telemetry/bpf/loader.h"
#include "telemetry/collect/bpf-find.h"

struct bpf_loading {
	struct load load;
	int root;
	struct bpf_cgroups *bpf;
	char detail[320];
};

static struct bpf_collector *bpf_of(struct collector *collector)
{
	return container_of(collector, struct bpf_collector, base);
}

ANALYZER_LEAK_IGNORE_BEGIN
static void target_by_files(struct bpf_collector *collector, struct target *target,
			    unsigned int parts)
{
	if (collector_files_read(collector->files, target, parts) < 0)
		target->gone = true;
}
ANALYZER_LEAK_IGNORE_END

static void bpf_fail(struct bpf_collector *collector)
{
	collector->bpf = bpf_cgroups_free(collector->bpf);
	flush_rest(&collector->flush);
	flush_rest(&collector->peek_flush);
	collector->state = BPF_FAILED;
	collector->parts = 0;
	log_notice("counters are read from files: %s", collector->detail);
}

static struct bpf_loading *loading_of(struct load *load)
{
	return container_of(load, struct bpf_loading, load);
}

static int loading_run(struct load *load)
{
	struct bpf_loading *loading = loading_of(load);

	return bpf_cgroups_new(loading->root, &loading->bpf, loading->detail,
			       sizeof(loading->detail));
}

static void loading_free(struct load *load)
{
	(void)bpf_cgroups_free(loading_of(load)->bpf);
	free(loading_of(load));
}

static void loading_drop(struct bpf_collector *collector)
{
	if (collector->loading)
		load_drop(&collector->loading->load);
	collector->loading = NULL;
}

/* Once: what it costs is too much for every pass. Without memory or a thread for it, the next pass
 * tries again. */
static void bpf_start(struct bpf_collector *collector)
{
	const struct hierarchy_mount *mounts = collector->base.hierarchy->mounts;
	struct bpf_loading *loading;
	int r;

	if (mounts[CONTROLLER_CPU].version != 2 || mounts[CONTROLLER_MEMORY].version != 2) {
		(void)snprintf(collector->detail, sizeof(collector->detail),
			       "BPF reads cgroup v2 only, and this host has its controllers on v1");
		bpf_fail(collector);
		return;
	}
	loading = calloc(1, sizeof(*loading));
	if (!loading)
		return;
	loading->load = (struct load){ .run = loading_run, .free = loading_free };
	loading->root = collector->base.root->root;
	r = loader_start(collector->loader, &loading->load);
	if (r < 0) {
		(void)snprintf(collector->detail, sizeof(collector->detail),
			       "no thread to load the BPF programs with: %s", strerror(-r));
		free(loading);
		return;
	}
	(void)snprintf(collector->detail, sizeof(collector->detail),
		       "the BPF programs are being loaded");
	collector->loading = loading;
	collector->state = BPF_LOADING;
}

/* At the begin of a pass: what was loaded since the last one. */
static void bpf_take_up(struct bpf_collector *collector)
{
	const struct hierarchy_mount *mounts = collector->base.hierarchy->mounts;
	struct bpf_loading *loading = collector->loading;
	int r;

	if (collector->state != BPF_LOADING || !load_is_done(&loading->load))
		return;
	collector->loading = NULL;
	r = load_take(&loading->load);
	collector->bpf = TAKE_PTR(loading->bpf);
	(void)snprintf(collector->detail, sizeof(collector->detail), "%s", loading->detail);
	loading_free(&loading->load);
	if (r < 0) {
		bpf_fail(collector);
		return;
	}
	/* Files that were kept meanwhile: few of them are needed from now on. */
	collector->files->ops->rest(collector->files);
	collector->state = BPF_USED;
	collector->available = bpf_cgroups_layout(collector->bpf)->parts;
	/* A group of v2 has nothing of what is counted there. */
	if (mounts[CONTROLLER_IO].version == 1)
		collector->available &= ~(unsigned int)PART_IO;
	collector->parts = collector->available;
	bpf_judge_start(&collector->judge, collector->parts);
	collect_bpf_explain(collector);
	flush_init(&collector->flush, mounts[CONTROLLER_CPU].fd,
		   bpf_cgroups_flush_by_subsystem(collector->bpf));
	flush_init(&collector->peek_flush, mounts[CONTROLLER_CPU].fd, false);
}

ANALYZER_LEAK_IGNORE_BEGIN
static void record_apply(struct bpf_collector *collector, const struct cgroup_record *record,
			 struct target *target)
{
	unsigned int rest = collector->asked & ~collector->parts;

	if (!(record->filled & RECORD_THERE)) {
		/* Gone, or it could not be found: the files know. */
		target->address = 0;
		target_by_files(collector, target, collector->asked);
		return;
	}
	cgroup_layout_apply(bpf_cgroups_layout(collector->bpf), record,
			    collector->parts & collector->asked,
			    collector_files_devices(collector->files), target);
	if (record->filled & RECORD_IO_MORE)
		rest |= PART_IO & collector->asked;
	if (rest)
		target_by_files(collector, target, rest);
}
ANALYZER_LEAK_IGNORE_END

ANALYZER_LEAK_IGNORE_BEGIN
/* Up to RECORD_COUNT targets. */
static int chunk_read(struct bpf_collector *collector, struct target *const *targets, size_t count)
{
	struct cgroup_record *records = bpf_cgroups_records(collector->bpf);
	uint64_t now = monotonic_usec();
	int r;

	for (size_t i = 0; i < count; i++) {
		records[i].address = targets[i]->address;
		records[i].serial = targets[i]->serial;
		records[i].psi = targets[i]->psi;
		targets[i]->sample.time_usec = now;
	}
	r = bpf_cgroups_read(collector->bpf, (uint32_t)count, collector->asked != PART_ALL);
	for (size_t i = 0; i < count && r >= 0; i++)
		record_apply(collector, &records[i], targets[i]);
	return r;
}
ANALYZER_LEAK_IGNORE_END

/* Groups that are not found are read from files: so they are while there are no fds to look with.
 */
static int targets_find(struct bpf_collector *collector, struct target *const *targets,
			size_t count)
{
	uint64_t now = monotonic_usec();
	int r;

	if (now < collector->find_after_usec)
		return 0;
	r = bpf_find(collector->bpf, collector->base.hierarchy, targets, count);
	if (r != -EMFILE && r != -ENFILE && r != -ENOMEM) {
		collector->find_after_usec = 0;
		return r;
	}
	if (collector->find_after_usec == 0)
		log_warning("groups that are new are read from files for now: %s", strerror(-r));
	collector->find_after_usec = now + LIMIT_BPF_FIND_USEC;
	return 0;
}

static int targets_read(struct bpf_collector *collector, struct flush *flush,
			struct target *const *targets, size_t count)
{
	int r = targets_find(collector, targets, count);

	flush_begin(flush);
	for (size_t i = 0; i < count; i++)
		flush_group(flush, targets[i]->group->path);
	flush_end(flush);
	for (size_t i = 0; i < count && r >= 0; i += RECORD_COUNT)
		r = chunk_read(collector, targets + i, MIN(count - i, (size_t)RECORD_COUNT));
	return r;
}

static int pass_read(struct bpf_collector *collector)
{
	collector->asked = PART_ALL;
	return targets_read(collector, &collector->flush, collector->targets, collector->count);
}

static void bpf_peek(struct collector *base, struct target *const *targets, size_t count,
		     const struct peek_ask *ask)
{
	struct bpf_collector *collector = bpf_of(base);
	int r;

	/* Passes decide whether BPF is used. */
	if (collector->state != BPF_USED || (collector->parts & ask->parts) == 0) {
		collector->files->ops->peek(collector->files, targets, count, ask);
		return;
	}
	collector->asked = ask->parts;
	r = targets_read(collector, &collector->peek_flush, targets, count);
	if (r >= 0)
		return;
	(void)snprintf(collector->detail, sizeof(collector->detail),
		       "BPF failed while it was used: %s", strerror(-r));
	bpf_fail(collector);
	collector->files->ops->peek(collector->files, targets, count, ask);
}

static int bpf_take(struct collector *base, struct target *target)
{
	struct bpf_collector *collector = bpf_of(base);

	bpf_take_up(collector);
	if (collector->state == BPF_FAILED || collector->state == BPF_LOADING)
		return collector_files_read(collector->files, target, PART_ALL);
	if (collector->count == collector->capacity) {
		size_t capacity = MAX(collector->capacity * 2, (size_t)64);
		struct target **grown = reallocarray(collector->targets, capacity, sizeof(*grown));

		if (!grown)
			return collector_files_read(collector->files, target, PART_ALL);
		collector->targets = grown;
		collector->capacity = capacity;
	}
	collector->targets[collector->count++] = target;
	return 0;
}

static int bpf_finish(struct collector *base)
{
	struct bpf_collector *collector = bpf_of(base);
	int r = 0;

	collector->files->errors = 0;
	if (collector->state == BPF_UNTRIED && collector->count > 0) {
		bpf_start(collector);
		/* Without a thread it is done already. */
		bpf_take_up(collector);
	}
	if (collector->state == BPF_USED)
		r = pass_read(collector);
	if (r >= 0 && collector->state == BPF_USED && collect_bpf_check(collector))
		r = pass_read(collector);
	if (r < 0) {
		(void)snprintf(collector->detail, sizeof(collector->detail),
			       "BPF failed while it was used: %s", strerror(-r));
		bpf_fail(collector);
	}
	if (collector->state != BPF_USED)
		for (size_t i = 0; i < collector->count; i++)
			target_by_files(collector, collector->targets[i], PART_ALL);
	collector->count = 0;
	base->errors += collector->files->errors;
	return collector->files->ops->finish(collector->files);
}

static void bpf_forget(struct collector *base, struct target *target)
{
	target->address = 0;
	bpf_of(base)->files->ops->forget(bpf_of(base)->files, target);
}

static void bpf_rest(struct collector *base)
{
	struct bpf_collector *collector = bpf_of(base);

	flush_rest(&collector->flush);
	flush_rest(&collector->peek_flush);
	collector->files->ops->rest(collector->files);
}

static void bpf_recheck(struct collector *base)
{
	struct bpf_collector *collector = bpf_of(base);

	/* What was lost stays with the files until it agrees. */
	bpf_judge_start(&collector->judge, collector->available);
	collector->check_from = 0;
	collector->check_after_usec = 0;
}

static void bpf_status(struct collector *base, struct collector_status *ret)
{
	const struct bpf_collector *collector = bpf_of(base);

	collector->files->ops->status(collector->files, ret);
	ret->is_loading = collector->state == BPF_LOADING;
	if (collector->state == BPF_UNTRIED && !collector->detail[0]) {
		ret->way = "nothing yet";
		return;
	}
	/* Why it is not BPF matters more than why it is not the better way of the other one. */
	if (collector->detail[0])
		ret->detail = collector->detail;
	if (collector->state != BPF_USED)
		return;
	ret->by_files = PART_ALL & ~collector->parts;
	ret->way = ret->by_files ? "bpf and files" : "bpf";
	if (!collector->detail[0])
		ret->detail = "";
}

static struct collector *bpf_free(struct collector *base)
{
	struct bpf_collector *collector = bpf_of(base);

	loading_drop(collector);
	flush_rest(&collector->flush);
	flush_rest(&collector->peek_flush);
	(void)bpf_cgroups_free(collector->bpf);
	if (collector->files)
		(void)collector->files->ops->free(collector->files);
	free(collector->targets);
	free(collector);
	return NULL;
}

static const struct collector_ops bpf_ops = {
	.name = "bpf",
	.take = bpf_take,
	.peek = bpf_peek,
	.finish = bpf_finish,
	.forget = bpf_forget,
	.rest = bpf_rest,
	.recheck = bpf_recheck,
	.status = bpf_status,
	.free = bpf_free,
};

int collector_bpf_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		      struct loader *loader, struct collector **ret)
{
	struct bpf_collector *collector = calloc(1, sizeof(*collector));
	int r;

	if (!collector)
		return -ENOMEM;
	collector->base = (struct collector){
		.ops = &bpf_ops,
		.root = root,
		.hierarchy = hierarchy,
	};
	collector->loader = loader;
	r = collector_files_new(root, hierarchy, &collector->files);
	if (r < 0) {
		free(collector);
		return r;
	}
	*ret = &collector->base;
	return 0;
}
