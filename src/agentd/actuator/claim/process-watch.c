/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process-watch.c - tells when a group of a process knob, or one below it, gets processes that it
 * did not have. A group is made first and filled later, so that the claim often finds it empty.
 *
 * A process that is put into a group by a write(2) shows as IN_MODIFY of cgroup.procs (or tasks, on
 * v1), one that is born there (CLONE_INTO_CGROUP, v2) as cgroup.events, and one that is forked
 * there inherits what its parent holds and need not show at all. Groups below show as IN_CREATE. On
 * v1 the directory tells it all with one watch; on v2 it would also tell of memory.events, up to a
 * hundred times a second.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "actuator/claim/internal.h"
#include "actuator/process-list.h"
#include "file.h"
#include "limit.h"

#define WATCH_DEPTH 8u
/* runc joins the group first and sets its process's oom_score_adj a moment later (nsexec.c): what
 * is read too soon is the value of the runtime itself, and the kubelet's would come over ours. */
#define JOIN_USEC (250 * USEC_PER_MSEC)

struct process_watch_walk {
	struct actuator *actuator;
	struct holding *holding;
	int version, parent_fd;
	unsigned int depth;
};

static bool holding_has_watch(const struct holding *holding, int watch)
{
	for (size_t i = 0; i < holding->process_watch_count; i++)
		if (holding->process_watches[i] == watch)
			return true;
	return false;
}

/* How many holdings have the watch: groups of two of them may lie in one another. */
static uintptr_t watch_users(const struct actuator *actuator, int watch)
{
	return (uintptr_t)hashmap_get_u64(&actuator->by_process_watch, (uint64_t)watch);
}

static int watch_set_users(struct actuator *actuator, int watch, uintptr_t users)
{
	(void)hashmap_remove_u64(&actuator->by_process_watch, (uint64_t)watch);
	return users == 0 ? 0
			  : hashmap_put_u64(&actuator->by_process_watch, (uint64_t)watch,
					    (void *)users);
}

static void watch_drop(struct actuator *actuator, int watch)
{
	uintptr_t users = watch_users(actuator, watch);

	if (users > 1 && watch_set_users(actuator, watch, users - 1) == 0)
		return;
	(void)watch_set_users(actuator, watch, 0);
	(void)inotify_rm_watch(actuator->inotify_fd, watch);
	actuator->stats.watches -= users > 0;
}

ANALYZER_LEAK_IGNORE_BEGIN
static int watch_keep(struct actuator *actuator, struct holding *holding, int watch)
{
	size_t count = holding->process_watch_count;
	int *watches;

	if (count >= LIMIT_PROCESS_WATCHES)
		return -E2BIG;
	watches = reallocarray(holding->process_watches, count + 1, sizeof(*watches));
	if (!watches)
		return -ENOMEM;
	holding->process_watches = watches;

	uintptr_t users = watch_users(actuator, watch);
	int r = watch_set_users(actuator, watch, users + 1);

	if (r < 0)
		return r;
	actuator->stats.watches += users == 0;
	watches[holding->process_watch_count++] = watch;
	return 0;
}
ANALYZER_LEAK_IGNORE_END

static int watch_add(const struct process_watch_walk *walk, int dirfd, const char *file,
		     uint32_t mask)
{
	struct actuator *actuator = walk->actuator;
	char path[64];
	int watch, r;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d%s", dirfd, file);
	watch = inotify_add_watch(actuator->inotify_fd, path, mask);
	if (watch < 0)
		return -errno;
	if (holding_has_watch(walk->holding, watch))
		return 0;
	r = watch_keep(actuator, walk->holding, watch);
	if (r < 0 && watch_users(actuator, watch) == 0)
		(void)inotify_rm_watch(actuator->inotify_fd, watch);
	return r;
}

static int walk_group(struct process_watch_walk *walk, int fd);

static int on_child(void *data, const char *name)
{
	struct process_watch_walk *walk = data;
	cleanup_close int fd =
		openat(walk->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int parent_fd = walk->parent_fd, r;

	if (fd < 0)
		return 0; /* gone meanwhile */
	r = walk_group(walk, fd);
	walk->parent_fd = parent_fd;
	return r;
}

static int walk_group(struct process_watch_walk *walk, int fd)
{
	int r;

	if (walk->depth >= WATCH_DEPTH)
		return -E2BIG;
	if (walk->version == 1) {
		r = watch_add(walk, fd, "", IN_CREATE | IN_MODIFY | IN_ONLYDIR);
	} else {
		r = watch_add(walk, fd, "", IN_CREATE | IN_ONLYDIR);
		if (r == 0)
			r = watch_add(walk, fd, "/cgroup.procs", IN_MODIFY);
		if (r == 0)
			r = watch_add(walk, fd, "/cgroup.events", IN_MODIFY);
	}
	if (r == -ENOENT)
		return 0; /* gone meanwhile */
	if (r < 0)
		return r;
	walk->depth++;
	walk->parent_fd = fd;
	r = file_each_directory(fd, ".", on_child, walk);
	walk->depth--;
	return r == -ENOENT || r == -ENODEV ? 0 : r;
}

int process_watch(struct actuator *actuator, struct holding *holding)
{
	const struct cgroup *group = &holding->group->cgroup;
	int controller = process_list_controller(group);
	struct process_watch_walk walk = { .actuator = actuator, .holding = holding };
	cleanup_close int fd = -EBADF;

	if (controller < 0)
		return controller;
	if (actuator->inotify_fd < 0)
		return -EMFILE;
	fd = cgroup_open(actuator->context.hierarchy, group, (enum controller)controller);
	if (fd < 0)
		return fd;
	walk.version = actuator->context.hierarchy->mounts[controller].version;
	return walk_group(&walk, fd);
}

void process_unwatch(struct actuator *actuator, struct holding *holding)
{
	for (size_t i = 0; i < holding->process_watch_count; i++)
		watch_drop(actuator, holding->process_watches[i]);
	free(holding->process_watches);
	holding->process_watches = NULL;
	holding->process_watch_count = 0;
}

void process_look_soon(struct actuator *actuator, struct holding *holding)
{
	uint64_t due = actuator_now(actuator) + JOIN_USEC;

	if (holding->flags & HOLDING_DEAD || !actuator_writes(actuator) ||
	    (holding->retry_usec && holding->retry_usec <= due))
		return;
	holding->retry_usec = due;
	due_at(actuator, due);
}

/* Of a directory the name of what was written or made in it; of a file none. */
static bool event_tells(const struct inotify_event *event)
{
	if (event->mask & IN_CREATE)
		return event->mask & IN_ISDIR;
	return event->len == 0 || strcmp(event->name, "cgroup.procs") == 0 ||
	       strcmp(event->name, "tasks") == 0;
}

static void holding_lose_watch(struct holding *holding, int watch)
{
	size_t kept = 0;

	for (size_t i = 0; i < holding->process_watch_count; i++)
		if (holding->process_watches[i] != watch)
			holding->process_watches[kept++] = holding->process_watches[i];
	holding->process_watch_count = kept;
}

void process_watch_event(struct actuator *actuator, const struct inotify_event *event)
{
	struct holding *holding;
	bool gone = event->mask & IN_IGNORED;

	if (watch_users(actuator, event->wd) == 0 || (!gone && !event_tells(event)))
		return;
	list_foreach (holding, &actuator->holdings, list) {
		if (!holding_has_watch(holding, event->wd))
			continue;
		if (gone)
			holding_lose_watch(holding, event->wd);
		else
			process_look_soon(actuator, holding);
	}
	if (!gone)
		return;
	(void)watch_set_users(actuator, event->wd, 0);
	actuator->stats.watches--;
}
