/* SPDX-License-Identifier: Apache-2.0 */
/* config-watch.c - inotify on the directories of the policy. */
#include "config-watch.h"

#include <libgen.h>
#include <string.h>
#include <sys/inotify.h>
#include <time.h>

#include "cleanup.h"
#include "log.h"
#include "macro.h"

/* Editors write a new file and rename it; kubelet swaps ..data by rename (pkg/volume/util
 * atomic_writer.go); both arrive as IN_MOVED_TO. */
#define CONFIG_WATCH_MASK \
	(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR | IN_EXCL_UNLINK)

struct config_watch {
	sd_event_source *file, *dropins, *settle;
	char *name; /* of the file in its directory */
	void (*changed)(void *data);
	void *data;
};

static int config_watch_settled(sd_event_source *source, uint64_t usec, void *data)
{
	struct config_watch *watch = data;

	(void)source;
	(void)usec;
	watch->changed(watch->data);
	return 0;
}

static void config_watch_arm(struct config_watch *watch)
{
	if (sd_event_source_set_time_relative(watch->settle, CONFIG_WATCH_SETTLE_USEC) < 0 ||
	    sd_event_source_set_enabled(watch->settle, SD_EVENT_ONESHOT) < 0)
		log_debug("cannot arm the timer of a changed policy, ignoring: SIGHUP reloads too");
}

static int config_watch_file(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct config_watch *watch = data;

	(void)source;
	/* The directory may be /etc/berth or anything else; only its policy matters. A ConfigMap's
	 * files are symlinks through ..data, which is what is renamed. */
	if (event->len > 0 && strcmp(event->name, watch->name) != 0 &&
	    strcmp(event->name, "..data") != 0)
		return 0;
	config_watch_arm(watch);
	return 0;
}

static int config_watch_dropin(sd_event_source *source, const struct inotify_event *event,
			       void *data)
{
	(void)source;
	(void)event;
	config_watch_arm(data);
	return 0;
}

struct config_watch *config_watch_free(struct config_watch *watch)
{
	if (!watch)
		return NULL;
	sd_event_source_disable_unref(watch->file);
	sd_event_source_disable_unref(watch->dropins);
	sd_event_source_disable_unref(watch->settle);
	free(watch->name);
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
	watch->changed = changed;
	watch->data = data;
	watch->name = strdup(basename(for_base));
	if (!watch->name)
		return -ENOMEM;
	r = sd_event_add_time_relative(event, &watch->settle, CLOCK_MONOTONIC,
				       CONFIG_WATCH_SETTLE_USEC, 0, config_watch_settled, watch);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(watch->settle, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_add_inotify(event, &watch->file, dirname(for_dir), CONFIG_WATCH_MASK,
				 config_watch_file, watch);
	if (r < 0)
		log_debug("%s is not watched: %s", file, strerror(-r));
	r = sd_event_add_inotify(event, &watch->dropins, dropin_dir, CONFIG_WATCH_MASK,
				 config_watch_dropin, watch);
	if (r < 0)
		log_debug("%s is not watched: %s", dropin_dir, strerror(-r));
	*ret = TAKE_PTR(watch);
	return 0;
}
