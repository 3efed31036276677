/* SPDX-License-Identifier: Apache-2.0 */
/*
 * drift.c - somebody else writes a knob that we hold: a pod resized in place, `systemctl
 * daemon-reload`, an admin. inotify tells of each write(2) to a knob's file; our own ones too, and
 * those are found equal. The watch is on the file and not on its directory: on v2 the directory
 * also tells of memory.events, up to a hundred times a second for a group under pressure.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "actuator/claim/internal.h"
#include "file.h"

#define DRIFT_WINDOW_USEC   (60 * USEC_PER_SEC)
#define DRIFT_REWRITES      3u
#define DRIFT_NEW_ORIGINALS 30u
#define DRIFT_YIELD_USEC    (600 * USEC_PER_SEC)
/* runc sets a unit's CPUWeight, by which systemd takes cpu.idle away, and writes cpu.weight itself
 * after: with cpu.idle back in between, that write fails and with it the resize of the pod. */
#define DRIFT_LOCK_USEC (300 * USEC_PER_MSEC)

static bool drift_any_watch(const struct holding *holding, int watch)
{
	const struct holding *other;

	list_foreach (other, &holding->group->holdings, in_group)
		if (other != holding && other->watch == watch)
			return true;
	return false;
}

static void drift_watched(struct actuator *actuator, struct holding *holding)
{
	if (holding->flags & HOLDING_UNWATCHED)
		actuator->unwatched--;
	holding->flags &= (uint16_t)~HOLDING_UNWATCHED;
}

void drift_unwatch(struct actuator *actuator, struct holding *holding)
{
	int watch = holding->watch;

	drift_watched(actuator, holding);
	process_unwatch(actuator, holding);
	holding->watch = -1;
	if (watch < 0 || drift_any_watch(holding, watch))
		return;
	(void)hashmap_remove_u64(&actuator->by_watch, (uint64_t)watch);
	(void)inotify_rm_watch(actuator->inotify_fd, watch);
	actuator->stats.watches--;
}

/* The file whose writes tell. */
static int drift_path(const struct actuator *actuator, const struct holding *holding, char *text,
		      size_t size, int *ret_dirfd)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place place;
	int r;

	holding_place(actuator, holding, &place);
	r = knob_file_open(&place, false, &file);
	if (r < 0)
		return r;
	*ret_dirfd = TAKE_FD(file.dirfd);
	(void)snprintf(text, size, "/proc/self/fd/%d/%s", *ret_dirfd, file.name);
	return 0;
}

static void drift_leave_to_timer(struct actuator *actuator, struct holding *holding)
{
	if (holding->flags & HOLDING_UNWATCHED)
		return;
	holding->flags |= HOLDING_UNWATCHED;
	actuator->unwatched++;
	due_expect(actuator);
}

void drift_watch(struct actuator *actuator, struct holding *holding)
{
	cleanup_close int dirfd = -EBADF;
	char path[128];
	int watch;

	if (holding->processes) {
		if (process_watch(actuator, holding) < 0)
			drift_leave_to_timer(actuator, holding);
		else
			drift_watched(actuator, holding);
		return;
	}
	/* What no file tells of is looked at each reconcile interval. */
	if (holding->watch >= 0 || (knob_table[holding->knob].flags & KNOB_NET))
		return;
	if (actuator->inotify_fd < 0 ||
	    drift_path(actuator, holding, path, sizeof(path), &dirfd) < 0) {
		drift_leave_to_timer(actuator, holding);
		return;
	}
	watch = inotify_add_watch(actuator->inotify_fd, path, IN_MODIFY);
	/* ENOSPC: fs.inotify.max_user_watches is used up. */
	if (watch < 0) {
		drift_leave_to_timer(actuator, holding);
		return;
	}
	if (hashmap_put_u64(&actuator->by_watch, (uint64_t)watch, holding->group) == 0)
		actuator->stats.watches++;
	drift_watched(actuator, holding);
	holding->watch = watch;
}

void drift_note(struct actuator *actuator, struct holding *holding, const char *current)
{
	const struct log_context context = {
		.workload = holding->group->label,
		.knob = knob_table[holding->knob].name,
	};
	uint64_t now = actuator_now(actuator);

	uint64_t hash = hash_bytes(current, strlen(current));

	/* Found by the event, and again before the write. */
	if (holding->foreign_hash == hash)
		return;
	holding->foreign_hash = hash;
	holding->foreign++;
	holding->foreign_usec = now;
	unit_pins_foreign(actuator->pins, holding->group->cgroup.path);
	actuator->stats.foreign_writes++;
	if (now - holding->drift_usec > DRIFT_WINDOW_USEC || holding->drift_usec == 0) {
		holding->drift_usec = now;
		holding->drift_count = 0;
	}
	holding->drift_count++;
	actuator_tell(actuator, holding, "foreign", current, "somebody else wrote", 0);
	if (log_limit_pass(&actuator->drift_limit, LOG_NOTICE))
		log_full(LOG_NOTICE, &context,
			 "%s of '%s' was \"%s\", somebody else wrote \"%.64s\"", context.knob,
			 holding->group->cgroup.path, holding->written ? holding->written : "",
			 current);
}

static void drift_yield(struct actuator *actuator, struct holding *holding, const char *current)
{
	holding->status = KNOB_YIELDED;
	holding->retry_usec = actuator_now(actuator) + DRIFT_YIELD_USEC;
	due_at(actuator, holding->retry_usec);
	actuator_unit_look(actuator, holding->group);
	actuator_tell(actuator, holding, "yield", current, "somebody else's value stands", 0);
}

/* How long somebody else's value stands before ours is written over it. */
static uint64_t drift_pause(const struct holding *holding, enum knob_drift rule)
{
	if (rule != DRIFT_REWRITE)
		return 0;
	/* Two agents that correct each other at once would never end. */
	if (holding->drift_count > 1)
		return USEC_PER_SEC << (holding->drift_count - 2);
	return knob_table[holding->knob].locks >= 0 ? DRIFT_LOCK_USEC : 0;
}

static void drift_decide(struct actuator *actuator, struct holding *holding, const char *current)
{
	enum knob_drift rule = knob_table[holding->knob].drift;
	unsigned int most = DRIFT_REWRITES;
	uint64_t wait;

	/* An ancestor is ours only as far as what is below it needs it. */
	if (!holding_is_claimed(holding))
		rule = DRIFT_ORIGINAL;
	if (rule == DRIFT_ORIGINAL) {
		(void)holding_set_original(holding, actuator,
					   knob_original_of(actuator, holding->group->cgroup.path,
							    (enum knob)holding->knob,
							    holding_version(actuator, holding),
							    current));
		most = DRIFT_NEW_ORIGINALS;
	}
	if (rule == DRIFT_YIELD || holding->drift_count > most) {
		drift_yield(actuator, holding, current);
		return;
	}
	wait = drift_pause(holding, rule);
	if (wait) {
		holding->status = KNOB_PENDING;
		holding->retry_usec = actuator_now(actuator) + wait;
		due_at(actuator, holding->retry_usec);
		return;
	}
	holding_unsettle(holding);
	holding_settle(actuator, holding);
}

/* A device that goes takes its lines with it, and that is nobody's write. */
static bool device_is_there(const struct actuator *actuator, uint32_t device)
{
	char name[DEVICE_NAME_BYTES], path[32 + DEVICE_NAME_BYTES];

	device_name(device, name);
	(void)snprintf(path, sizeof(path), "sys/dev/block/%s", name);
	return faccessat(actuator->context.root->root, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* v1 takes a CPU that goes offline out of every list for good, and a list that would be empty is.
 * Nobody wrote that, and it is not what is to be put back. */
static bool cpus_went(struct actuator *actuator, struct holding *holding, const char *current)
{
	struct cpulist now, ours, online;
	char text[KNOB_TEXT_MAX];

	if (!holding_is_nested(actuator, holding) || cpulist_parse(current, &now) < 0 ||
	    cpulist_parse(holding->written, &ours) < 0)
		return false;
	if (!cpulist_is_empty(&now)) {
		if (file_read(actuator->context.root->root, "sys/devices/system/cpu/online", text,
			      sizeof(text)) < 0 ||
		    cpulist_parse(text, &online) < 0)
			return false;
		cpulist_intersect(&ours, &online);
		if (!cpulist_equals(&ours, &now))
			return false;
	}
	holding_set_text(&holding->written, current);
	(void)holding_record(actuator, holding, current);
	return true;
}

void holding_check(struct actuator *actuator, struct holding *holding)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	char current[KNOB_TEXT_MAX];
	struct knob_place place;

	if (holding->flags & HOLDING_DEAD || !actuator_writes(actuator))
		return;
	if (holding->processes) {
		holding_unsettle(holding);
		holding_settle(actuator, holding);
		return;
	}
	if (!holding->written ||
	    (holding->status != KNOB_WRITTEN && holding->status != KNOB_YIELDED))
		return;
	/* What it writes beside the one property is put back, and then looked at. */
	if (unit_pins_are_busy(actuator->pins, holding->group->cgroup.path))
		return;
	holding_place(actuator, holding, &place);
	if (knob_file_open(&place, false, &file) < 0 ||
	    knob_file_read(&file, current, sizeof(current)) < 0)
		return;
	if (knob_same(place.knob, file.version, current, holding->written)) {
		holding->foreign_hash = 0;
		if (holding->status == KNOB_YIELDED) {
			holding->status = KNOB_WRITTEN;
			holding->retry_usec = 0;
		}
		return;
	}
	if (holding->device && !(knob_table[place.knob].flags & KNOB_NET) &&
	    !device_is_there(actuator, holding->device)) {
		holding_fail(actuator, holding, -ENODEV, "keep");
		return;
	}
	if (cpus_went(actuator, holding, current))
		return;
	drift_note(actuator, holding, current);
	if (holding->status != KNOB_YIELDED)
		drift_decide(actuator, holding, current);
}

/* The file is gone. Of a group that is held for the sake of one above nobody else will tell. */
static void drift_lost(struct actuator *actuator, struct holding *holding)
{
	holding->watch = -1;
	if (!holding_is_claimed(holding) && holding_is_nested(actuator, holding))
		holding_kill(actuator, holding);
}

static void drift_group(struct actuator *actuator, const struct inotify_event *event)
{
	struct group *group = hashmap_get_u64(&actuator->by_watch, (uint64_t)event->wd);
	struct holding *holding;

	if (!group) {
		process_watch_event(actuator, event);
		return;
	}
	if (event->mask & IN_IGNORED) {
		/* The file is gone; its group's end will be told. */
		(void)hashmap_remove_u64(&actuator->by_watch, (uint64_t)event->wd);
		actuator->stats.watches--;
	}
	list_foreach (holding, &group->holdings, in_group) {
		if (holding->watch != event->wd)
			continue;
		if (event->mask & IN_IGNORED)
			drift_lost(actuator, holding);
		else
			holding_check(actuator, holding);
	}
}

static int drift_read(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	struct actuator *actuator = data;
	char buffer[4096] __attribute__((aligned(__alignof__(struct inotify_event))));
	const struct inotify_event *event;
	ssize_t n = read(fd, buffer, sizeof(buffer));

	(void)source;
	(void)revents;
	for (ssize_t offset = 0; offset < n; offset += (ssize_t)(sizeof(*event) + event->len)) {
		event = (const void *)(buffer + offset);
		/* What was lost could be anything. */
		if (event->mask & IN_Q_OVERFLOW)
			actuator_reconcile(actuator);
		else
			drift_group(actuator, event);
	}
	actuator_sweep(actuator);
	return 0;
}

int drift_start(struct actuator *actuator)
{
	int r;

	actuator->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	/* fs.inotify.max_user_instances is used up: the timer looks instead. */
	if (actuator->inotify_fd < 0)
		return 0;
	r = sd_event_add_io(actuator->context.event, &actuator->inotify_source,
			    actuator->inotify_fd, EPOLLIN, drift_read, actuator);
	if (r >= 0)
		(void)sd_event_source_set_description(actuator->inotify_source, "knob-drift");
	return r < 0 ? r : 0;
}
