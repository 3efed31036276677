/* SPDX-License-Identifier: Apache-2.0 */
/* daemon-internal.h - the daemon's state, shared by daemon.c (start, stop),
 * daemon-page.c, daemon-socket.c, daemon-sources.c and reload.c. */
#pragma once

#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "actuator/actuator.h"
#include "api/control/control.h"
#include "config-watch.h"
#include "daemon.h"
#include "hierarchy.h"
#include "kube/events.h"
#include "kube/evict.h"
#include "listener.h"
#include "metrics/registry.h"
#include "plugin/host.h"
#include "source/pods/pods.h"
#include "source/source.h"
#include "telemetry/snapshot.h"
#include "worker/pool.h"
#include "workload/registry.h"

#define DAEMON_SOURCES 5u

struct daemon {
	const struct daemon_options *options;
	sd_event *event;
	int runtime_fd;        /* locked: instance.h */
	const char *state_dir; /* NULL: nothing is kept over a restart */
	struct sysroot root;
	struct hierarchy hierarchy;
	struct settings *settings;
	struct plugin_list plugins;
	struct actuator *actuator;
	struct snapshot snapshot;
	bool has_snapshot;
	struct worker_pool *loads; /* of the snapshot's BPF */
	struct metrics *metrics;
	struct registry registry;
	bool has_registry;
	struct host *host;
	struct pods *pods;
	struct kube_events *events;
	struct kube_evictions *evictions;
	sd_event_source *trim;    /* memory, once the sources have settled */
	sd_event_source *unasked; /* the page of metrics, once nobody scrapes any more */
	struct source_context source_context;
	struct source *sources[DAEMON_SOURCES];
	size_t source_count;
	struct config_watch *config_watch;
	struct config_errors config_errors; /* of the last failed reload */
	struct control_context control;
	struct http_server *control_server;
	struct listener *listener; /* of /metrics on TCP */
	struct stat control_stat;  /* of the control socket, as it was made */
	bool sampled;              /* capabilities were probed with a workload's group at hand */
};

struct actuator_options daemon_actuator_options(const struct settings *settings);
/* Apply the policy to every module that has a share in it. -ENOMEM only. */
int daemon_apply(struct daemon *daemon);
/* Read the files, and if they are valid make them the running policy; else log every error and
 * change nothing. 0 or -errno. data is a struct daemon. */
int daemon_reload(void *data);
void daemon_log_config_errors(const struct config_errors *errors);
/* What systemctl status shows. */
void daemon_notify_status(const struct daemon *daemon);

/* daemon-page.c: control_context.scraped; data is a struct daemon. */
void daemon_on_scraped(void *data);

/* daemon-socket.c: listen on the control socket and answer; a failure is logged. */
int daemon_socket_open(struct daemon *daemon);
void daemon_socket_close(struct daemon *daemon);

/* daemon-sources.c */
int daemon_new_sources(struct daemon *daemon);
/* Before the plugins stop: no more news. */
void daemon_free_sources(struct daemon *daemon);
/* host_context.acted; data is a struct daemon. */
void daemon_on_told(void *data, const char *owner, uint64_t id, const char *what,
		    const char *reason);
void daemon_on_acted(void *data, const char *plugin, uint64_t id, enum action kind,
		     const char *reason, int result);
