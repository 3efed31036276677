/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/source-internal.h"
#include "source/watch-tree.h"

#define RESCAN_USEC     (10 * USEC_PER_SEC) /* where inotify has no watch left */
#define RESCAN_ACCURACY USEC_PER_SEC

struct cgroupfs {
	struct source source;
	struct globs globs;
	size_t bad_globs;
	struct watch_tree tree;
	bool has_tree;
	sd_event_source *io, *timer;
};

static_assert(offsetof(struct cgroupfs, source) == 0, "the source is allocated as its whole");

static struct cgroupfs *cgroupfs_of(struct source *source)
{
	return container_of(source, struct cgroupfs, source);
}

/* The registry looks at the directory itself, so that an event never needs to be believed. */
static bool group_look(void *data, const char *path)
{
	struct cgroupfs *self = data;
	struct registry *registry = self->source.context->registry;
	const struct workload_record record = {
		.kind = "cgroup",
		.namespace = "",
		.name = path,
		.cgroup = path,
	};
	int r;

	r = registry_put(registry, source_cgroupfs.name, source_cgroupfs.rank, &record);
	if (r == 0)
		return true;
	if (r == -ENOENT) {
		registry_drop(registry, source_cgroupfs.name, path);
	} else if (r != -ENOSPC) {
		self->source.errors++;
		log_debug("ignoring cgroup '%s': %s", path, strerrordesc_np(-r));
	}
	return false;
}

static void state_update(struct cgroupfs *self)
{
	struct source *source = &self->source;

	source->workloads = self->tree.targets;
	if (self->tree.out_of_watches)
		source_set_state(source, SOURCE_DOWN,
				 "no inotify watch left: raise sysctl fs.inotify.max_user_watches; "
				 "looking every %llu s instead; %zu groups",
				 RESCAN_USEC / USEC_PER_SEC, source->workloads);
	else if (self->tree.out_of_instances)
		source_set_state(
			source, SOURCE_DOWN,
			"no inotify instance left: raise sysctl "
			"fs.inotify.max_user_instances; looking every %llu s instead; %zu groups",
			RESCAN_USEC / USEC_PER_SEC, source->workloads);
	else if (self->tree.incomplete)
		source_set_state(source, SOURCE_DOWN,
				 "not all directories can be read or watched; looking every %llu s "
				 "instead; %zu groups",
				 RESCAN_USEC / USEC_PER_SEC, source->workloads);
	else if (self->bad_globs > 0)
		source_set_state(source, SOURCE_READY, "%zu globs, %zu of no use, %zu groups",
				 self->globs.count + self->bad_globs, self->bad_globs,
				 source->workloads);
	else
		source_set_state(source, SOURCE_READY, "%zu globs, %zu groups", self->globs.count,
				 source->workloads);
}

static int on_inotify(sd_event_source *event_source, int fd, uint32_t revents, void *data);
static int on_timer(sd_event_source *event_source, uint64_t usec, void *data);

static int timer_arm(struct cgroupfs *self)
{
	int r;

	if (!self->timer) {
		r = sd_event_add_time_relative(self->source.context->event, &self->timer,
					       CLOCK_MONOTONIC, RESCAN_USEC, RESCAN_ACCURACY,
					       on_timer, self);
		if (r < 0)
			return r;
		(void)sd_event_source_set_description(self->timer, "cgroups-rescan");
		return 0;
	}
	r = sd_event_source_set_time_relative(self->timer, RESCAN_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
}

static int scan(struct cgroupfs *self)
{
	struct registry *registry = self->source.context->registry;
	uint64_t errors = self->tree.errors;
	int r;

	registry_snapshot_begin(registry, source_cgroupfs.name);
	r = watch_tree_scan(&self->tree);
	/* Half a scan must not drop the other half. */
	if (r < 0)
		return r;
	if (!self->tree.blind)
		registry_snapshot_end(registry, source_cgroupfs.name);
	self->source.errors += self->tree.errors - errors;
	if (self->tree.fd >= 0 && !self->io) {
		r = sd_event_add_io(self->source.context->event, &self->io, self->tree.fd, EPOLLIN,
				    on_inotify, self);
		if (r < 0)
			return r;
		(void)sd_event_source_set_description(self->io, "cgroups-inotify");
	}
	if (self->tree.incomplete) {
		r = timer_arm(self);
		if (r < 0)
			return r;
	} else {
		self->timer = sd_event_source_disable_unref(self->timer);
	}
	state_update(self);
	return 0;
}

/* A failure of a callback would switch the event source off for good: try again later instead. */
static void scan_or_later(struct cgroupfs *self)
{
	int r = scan(self);

	if (r == 0)
		return;
	self->source.errors++;
	source_set_state(&self->source, SOURCE_DOWN, "cannot look at the cgroups: %s",
			 strerrordesc_np(-r));
	(void)timer_arm(self);
}

static int on_timer(sd_event_source *event_source, uint64_t usec, void *data)
{
	(void)event_source;
	(void)usec;
	scan_or_later(data);
	return 0;
}

static int on_inotify(sd_event_source *event_source, int fd, uint32_t revents, void *data)
{
	struct cgroupfs *self = data;
	uint64_t errors = self->tree.errors;
	bool was_incomplete = self->tree.incomplete;
	int r;

	(void)event_source;
	(void)fd;
	(void)revents;
	r = watch_tree_dispatch(&self->tree);
	self->source.errors += self->tree.errors - errors;
	if (r < 0) {
		log_debug("looking at all cgroups again: %s", strerrordesc_np(-r));
		scan_or_later(self);
		return 0;
	}
	self->source.events += (uint64_t)r;
	if (self->tree.incomplete && !was_incomplete)
		(void)timer_arm(self);
	state_update(self);
	return 0;
}

static void tree_close(struct cgroupfs *self)
{
	self->io = sd_event_source_disable_unref(self->io);
	self->timer = sd_event_source_disable_unref(self->timer);
	if (self->has_tree)
		watch_tree_done(&self->tree);
	self->has_tree = false;
	globs_done(&self->globs);
	self->bad_globs = 0;
	self->source.workloads = 0;
}

static int globs_read(struct cgroupfs *self, char *const *patterns)
{
	int r;

	for (; patterns && *patterns; patterns++) {
		r = self->globs.count < LIMIT_GLOBS ? globs_add(&self->globs, *patterns) : -ENOSPC;
		if (r == -ENOMEM)
			return r;
		if (r == 0)
			continue;
		self->bad_globs++;
		self->source.errors++;
		log_warning("ignoring '%s' of sources.cgroups.paths: %s", *patterns,
			    r == -ENOSPC ? "too many"
					 : "expected a path of at most 32 components below the "
					   "cgroup root, like kubepods.slice/*");
	}
	return 0;
}

static void nothing_to_do(struct cgroupfs *self, enum source_state state, const char *detail)
{
	struct registry *registry = self->source.context->registry;

	registry_snapshot_begin(registry, source_cgroupfs.name);
	registry_snapshot_end(registry, source_cgroupfs.name);
	source_set_state(&self->source, state, "%s", detail);
}

static int cgroupfs_apply(struct source *source, const struct settings *settings)
{
	struct cgroupfs *self = cgroupfs_of(source);
	int r;

	tree_close(self);
	r = globs_read(self, settings->cgroup_paths);
	if (r < 0)
		return r;
	if (self->globs.count == 0) {
		nothing_to_do(self, self->bad_globs ? SOURCE_DOWN : SOURCE_OFF,
			      self->bad_globs ? "no valid path in sources.cgroups.paths"
					      : "no path in sources.cgroups.paths");
		return 0;
	}
	watch_tree_init(&self->tree, source->context->hierarchy, &self->globs, group_look, self);
	self->has_tree = true;
	if (self->tree.mount_count == 0) {
		nothing_to_do(self, SOURCE_DOWN,
			      "no cgroup hierarchy with cpu or memory is mounted");
		return 0;
	}
	r = scan(self);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		scan_or_later(self);
	return 0;
}

static struct source *cgroupfs_free(struct source *source)
{
	struct cgroupfs *self;

	if (!source)
		return NULL;
	self = cgroupfs_of(source);
	tree_close(self);
	free(self);
	return NULL;
}

static int cgroupfs_new(const struct source_context *context, struct source **ret)
{
	struct source *source = calloc(1, sizeof(struct cgroupfs));

	if (!source)
		return -ENOMEM;
	source->ops = &source_cgroupfs;
	source->context = context;
	*ret = source;
	return 0;
}

const struct source_ops source_cgroupfs = {
	.name = "cgroups",
	.rank = 30,
	.new = cgroupfs_new,
	.apply = cgroupfs_apply,
	.free = cgroupfs_free,
};
