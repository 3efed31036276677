/* SPDX-License-Identifier: Apache-2.0 */
/* machine-tree.c - groups whose name says that they are a machine's. */
#include <string.h>
#include <sys/epoll.h>

#include "cleanup.h"
#include "log.h"
#include "source/machine-internal.h"
#include "source/machine-scope.h"

#define RESCAN_USEC     (10 * USEC_PER_SEC) /* where inotify has no watch left */
#define RESCAN_ACCURACY USEC_PER_SEC

/* Where libvirt puts them: see machine-scope.h. A partition of its own (<resource>) is any
 * directory at the top, and so is the group of a libvirtd that does not run in the root. */
static const char *const patterns[] = {
	"machine.slice/machine-*.scope",   "machine.slice/*.slice/machine-*.scope",
	"*/machine.slice/machine-*.scope", "*/*.libvirt-qemu",
	"*/machine/*.libvirt-qemu",        "*/*.partition/*.libvirt-qemu",
};

static bool group_look(void *data, const char *path)
{
	struct machines *self = data;
	struct machine_scope scope;

	/* machined's container machines have such a name as well. */
	if (!machine_scope_parse(path, &scope) || path[scope.length] != '\0')
		return false;
	/* Where there is a scope there is systemd, whose bus may have come meanwhile. */
	machine_bus_open(&self->bus);
	return machines_hear_tree(self, path, scope.machine);
}

static int on_timer(sd_event_source *event_source, uint64_t usec, void *data);
static int on_inotify(sd_event_source *event_source, int fd, uint32_t revents, void *data);

static void timer_arm(struct machines *self)
{
	int r;

	if (self->tree_timer) {
		r = sd_event_source_set_time_relative(self->tree_timer, RESCAN_USEC);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->tree_timer, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(self->source.context->event, &self->tree_timer,
					       CLOCK_MONOTONIC, RESCAN_USEC, RESCAN_ACCURACY,
					       on_timer, self);
	}
	if (r < 0)
		log_error("source machines does not look again by itself: %s", strerrordesc_np(-r));
}

static int scan(struct machines *self)
{
	uint64_t errors = self->tree.errors;
	int r = watch_tree_scan(&self->tree);

	if (r < 0)
		return r;
	machines_check_tree(self);
	self->source.errors += self->tree.errors - errors;
	if (self->tree.fd >= 0 && !self->tree_io) {
		r = sd_event_add_io(self->source.context->event, &self->tree_io, self->tree.fd,
				    EPOLLIN, on_inotify, self);
		if (r < 0)
			return r;
		(void)sd_event_source_set_description(self->tree_io, "machines-inotify");
	}
	if (self->tree.incomplete)
		timer_arm(self);
	else
		self->tree_timer = sd_event_source_disable_unref(self->tree_timer);
	return 0;
}

/* A failure of a callback would switch the event source off for good: try again later instead. */
static void scan_or_later(struct machines *self)
{
	int r = scan(self);

	if (r < 0) {
		self->source.errors++;
		self->tree.incomplete = true;
		timer_arm(self);
	}
	machines_update_state(self);
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
	struct machines *self = data;
	uint64_t errors = self->tree.errors;
	bool was_incomplete = self->tree.incomplete;
	int r;

	(void)event_source;
	(void)fd;
	(void)revents;
	r = watch_tree_dispatch(&self->tree);
	self->source.errors += self->tree.errors - errors;
	if (r < 0) {
		scan_or_later(self);
		return 0;
	}
	self->source.events += (uint64_t)r;
	if (self->tree.incomplete && !was_incomplete)
		timer_arm(self);
	machines_update_state(self);
	return 0;
}

int machines_tree_open(struct machines *self, bool *ret_mounted)
{
	int r;

	machines_tree_close(self);
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		r = globs_add(&self->globs, patterns[i]);
		if (r < 0)
			return r;
	}
	watch_tree_init(&self->tree, self->source.context->hierarchy, &self->globs, group_look,
			self);
	self->has_tree = true;
	*ret_mounted = self->tree.mount_count > 0;
	if (*ret_mounted)
		scan_or_later(self);
	return 0;
}

void machines_tree_close(struct machines *self)
{
	self->tree_io = sd_event_source_disable_unref(self->tree_io);
	self->tree_timer = sd_event_source_disable_unref(self->tree_timer);
	if (self->has_tree)
		watch_tree_done(&self->tree);
	self->has_tree = false;
	globs_done(&self->globs);
}
