/* SPDX-License-Identifier: Apache-2.0 */
/* config-watch.c - inotify on the directories of the policy. */
#include "config-watch.h"

#include <errno.h>
#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "log.h"
#include "macro.h"

/* Editors write a new file and rename it; kubelet swaps ..data by rename (pkg/volume/util
 * atomic_writer.go); both arrive as IN_MOVED_TO. A symlink or hard link is IN_CREATE alone. */
#define CONFIG_WATCH_MASK                                                                    \
	(IN_CLOSE_WRITE | IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | \
	 IN_EXCL_UNLINK)
#define ABOVE_MASK (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR)

/* Somebody who writes again and again must not put the reload off for ever. */
#define SETTLE_MAX_USEC (10 * CONFIG_WATCH_SETTLE_USEC)

/* A watch is on an inode: a directory that is replaced or comes later is seen in the one above. */
struct watched {
	struct config_watch *watch;
	char *dir;
	char *name; /* of the only file that counts; NULL: each drop-in */
	char *next; /* what `above` waits for: the directory, or the first one missing above it */
	sd_event_source *self, *above;
};

enum { WATCHED_FILE, WATCHED_DROPINS, WATCHED_COUNT };

struct config_watch {
	sd_event *event;
	sd_event_source *settle;
	struct watched watched[WATCHED_COUNT];
	uint64_t first_usec; /* the first change that was not told yet; 0: none */
	void (*changed)(void *data);
	void *data;
};

static void config_watch_arm(struct config_watch *watch)
{
	uint64_t now = 0;

	(void)sd_event_now(watch->event, CLOCK_MONOTONIC, &now);
	if (watch->first_usec == 0)
		watch->first_usec = now;
	else if (now - watch->first_usec >= SETTLE_MAX_USEC)
		return;
	if (sd_event_source_set_time(watch->settle, now + CONFIG_WATCH_SETTLE_USEC) < 0 ||
	    sd_event_source_set_enabled(watch->settle, SD_EVENT_ONESHOT) < 0)
		log_debug("cannot arm the timer of a changed policy, ignoring: SIGHUP reloads too");
}

/* The directory may be /etc/berth or anything else; only the policy in it matters. A ConfigMap's
 * files are symlinks through ..data, which is what is renamed. */
static bool is_policy(const struct watched *watched, const char *name)
{
	size_t length = strlen(name);

	if (strcmp(name, "..data") == 0)
		return true;
	if (watched->name)
		return strcmp(name, watched->name) == 0;
	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

/* A file that was just made is read when its writer closes it. */
static bool is_being_written(const struct watched *watched, const struct inotify_event *event)
{
	cleanup_free char *path = NULL;
	struct stat st;

	if (!(event->mask & IN_CREATE))
		return false;
	if (asprintf(&path, "%s/%s", watched->dir, event->name) < 0) {
		path = NULL;
		return false;
	}
	return lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static int on_self(sd_event_source *source, const struct inotify_event *event, void *data)
{
	const struct watched *watched = data;

	(void)source;
	/* Without a name it is about the directory itself, or about events that were lost. */
	if (event->len > 0 &&
	    (!is_policy(watched, event->name) || is_being_written(watched, event)))
		return 0;
	config_watch_arm(watched->watch);
	return 0;
}

static int on_above(sd_event_source *source, const struct inotify_event *event, void *data)
{
	const struct watched *watched = data;

	(void)source;
	if (event->len == 0 || strcmp(event->name, watched->next) == 0)
		config_watch_arm(watched->watch);
	return 0;
}

static void watched_detach(struct watched *watched)
{
	watched->self = sd_event_source_disable_unref(watched->self);
	watched->above = sd_event_source_disable_unref(watched->above);
	free(TAKE_PTR(watched->next));
}

ANALYZER_LEAK_IGNORE_BEGIN
/* On the nearest directory above that is there. */
static int watched_attach_above(struct watched *watched)
{
	cleanup_free char *path = strdup(watched->dir);
	int r = path ? -ENOENT : -ENOMEM;

	while (r == -ENOENT) {
		cleanup_free char *copy = strdup(path);
		const char *above;

		if (!copy)
			return -ENOMEM;
		free(watched->next);
		watched->next = strdup(basename(copy));
		if (!watched->next)
			return -ENOMEM;
		above = dirname(path);
		/* "/" and "." have nothing above. */
		if (strcmp(above, watched->next) == 0)
			return 0;
		r = sd_event_add_inotify(watched->watch->event, &watched->above, above, ABOVE_MASK,
					 on_above, watched);
	}
	return r;
}
ANALYZER_LEAK_IGNORE_END

static void watched_attach(struct watched *watched)
{
	int r;

	watched_detach(watched);
	/* Before the directory itself, or it could come in between and be missed. */
	r = watched_attach_above(watched);
	if (r < 0)
		log_debug("what is above '%s' is not watched: %s", watched->dir, strerror(-r));
	r = sd_event_add_inotify(watched->watch->event, &watched->self, watched->dir,
				 CONFIG_WATCH_MASK, on_self, watched);
	if (r < 0)
		log_debug("'%s' is not watched: %s", watched->dir, strerror(-r));
}

static int config_watch_settled(sd_event_source *source, uint64_t usec, void *data)
{
	struct config_watch *watch = data;

	(void)source;
	(void)usec;
	watch->first_usec = 0;
	/* First, so that what changes while the files are read is seen. */
	for (size_t i = 0; i < WATCHED_COUNT; i++)
		watched_attach(&watch->watched[i]);
	watch->changed(watch->data);
	return 0;
}

struct config_watch *config_watch_free(struct config_watch *watch)
{
	if (!watch)
		return NULL;
	for (size_t i = 0; i < WATCHED_COUNT; i++) {
		watched_detach(&watch->watched[i]);
		free(watch->watched[i].dir);
		free(watch->watched[i].name);
	}
	sd_event_source_disable_unref(watch->settle);
	(void)sd_event_unref(watch->event);
	free(watch);
	return NULL;
}

DEFINE_CLEANUP(struct config_watch *, config_watch_free);

int config_watch_new(sd_event *event, const char *file, const char *dropin_dir,
		     void (*changed)(void *data), void *data, struct config_watch **ret)
{
	CLEANUP(config_watch_freep) struct config_watch *watch = calloc(1, sizeof(*watch));
	cleanup_free char *for_dir = strdup(file);
	cleanup_free char *for_base = strdup(file);
	int r;

	if (!watch || !for_dir || !for_base)
		return -ENOMEM;
	watch->event = sd_event_ref(event);
	watch->changed = changed;
	watch->data = data;
	for (size_t i = 0; i < WATCHED_COUNT; i++)
		watch->watched[i].watch = watch;
	watch->watched[WATCHED_FILE].dir = strdup(dirname(for_dir));
	watch->watched[WATCHED_FILE].name = strdup(basename(for_base));
	watch->watched[WATCHED_DROPINS].dir = strdup(dropin_dir);
	if (!watch->watched[WATCHED_FILE].dir || !watch->watched[WATCHED_FILE].name ||
	    !watch->watched[WATCHED_DROPINS].dir)
		return -ENOMEM;
	r = sd_event_add_time_relative(event, &watch->settle, CLOCK_MONOTONIC,
				       CONFIG_WATCH_SETTLE_USEC, 0, config_watch_settled, watch);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(watch->settle, SD_EVENT_OFF);
	if (r < 0)
		return r;
	for (size_t i = 0; i < WATCHED_COUNT; i++)
		watched_attach(&watch->watched[i]);
	*ret = TAKE_PTR(watch);
	return 0;
}
