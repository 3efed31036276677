/* SPDX-License-Identifier: Apache-2.0 */
#include "source/tree/tree-source.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>

#include "cleanup.h"
#include "log.h"

#define RESCAN_USEC     (10 * USEC_PER_SEC) /* where inotify has no watch left */
#define RESCAN_ACCURACY USEC_PER_SEC

static_assert(offsetof(struct tree_source, source) == 0, "the source is allocated as its whole");

struct tree_source *tree_source_of(struct source *source)
{
	return container_of(source, struct tree_source, source);
}

static void state_update(struct tree_source *self)
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
	else
		self->ops->ready(self);
}

static int on_inotify(sd_event_source *event_source, int fd, uint32_t revents, void *data);
static int on_timer(sd_event_source *event_source, uint64_t usec, void *data);

static void event_source_name(const struct tree_source *self, sd_event_source *event_source,
			      const char *what)
{
	char name[32];

	(void)snprintf(name, sizeof(name), "%s-%s", self->source.ops->name, what);
	(void)sd_event_source_set_description(event_source, name);
}

static int timer_arm(struct tree_source *self)
{
	int r;

	if (!self->timer) {
		r = sd_event_add_time_relative(self->source.context->event, &self->timer,
					       CLOCK_MONOTONIC, RESCAN_USEC, RESCAN_ACCURACY,
					       on_timer, self);
		if (r < 0)
			return r;
		event_source_name(self, self->timer, "rescan");
		return 0;
	}
	r = sd_event_source_set_time_relative(self->timer, RESCAN_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
}

static int scan(struct tree_source *self)
{
	uint64_t errors = self->tree.errors;
	int r;

	self->ops->begin(self);
	r = watch_tree_scan(&self->tree);
	/* Half a scan must not drop the other half. */
	if (r < 0)
		return r;
	if (!self->tree.blind)
		self->ops->end(self);
	self->source.errors += self->tree.errors - errors;
	if (self->tree.fd >= 0 && !self->io) {
		r = sd_event_add_io(self->source.context->event, &self->io, self->tree.fd, EPOLLIN,
				    on_inotify, self);
		if (r < 0)
			return r;
		event_source_name(self, self->io, "inotify");
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
static void scan_or_later(struct tree_source *self)
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
	struct tree_source *self = data;
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

int tree_source_new(const struct source_ops *source_ops, const struct tree_source_ops *ops,
		    size_t size, const struct source_context *context, struct source **ret)
{
	struct source *source = calloc(1, size);

	if (!source)
		return -ENOMEM;
	source->ops = source_ops;
	source->context = context;
	tree_source_of(source)->ops = ops;
	*ret = source;
	return 0;
}

int tree_source_open(struct tree_source *self)
{
	int r;

	watch_tree_init(&self->tree, self->source.context->hierarchy, &self->globs, self->ops->look,
			self);
	self->has_tree = true;
	if (self->tree.mount_count == 0) {
		tree_source_idle(self, self->is_auto ? SOURCE_OFF : SOURCE_DOWN,
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

void tree_source_close(struct tree_source *self)
{
	self->io = sd_event_source_disable_unref(self->io);
	self->timer = sd_event_source_disable_unref(self->timer);
	if (self->has_tree)
		watch_tree_done(&self->tree);
	self->has_tree = false;
	globs_done(&self->globs);
	self->source.workloads = 0;
}

void tree_source_idle(struct tree_source *self, enum source_state state, const char *detail)
{
	self->ops->begin(self);
	self->ops->end(self);
	source_set_state(&self->source, state, "%s", detail);
}
