/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config-watch.h - tells when the policy's files may have changed: a file written, renamed over,
 * added or removed in their directories, a ConfigMap's `..data` symlink swapped, or a directory of
 * them made, removed or replaced. Several changes within CONFIG_WATCH_SETTLE_USEC are one.
 */
#pragma once

#include <systemd/sd-event.h>

#define CONFIG_WATCH_SETTLE_USEC 200000u

struct config_watch;

/* A directory that cannot be watched is logged and left; SIGHUP still reloads. 0 or -errno. */
int config_watch_new(sd_event *event, const char *file, const char *dropin_dir,
		     void (*changed)(void *data), void *data, struct config_watch **ret);
struct config_watch *config_watch_free(struct config_watch *watch);
