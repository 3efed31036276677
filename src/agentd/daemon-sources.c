/* SPDX-License-Identifier: Apache-2.0 */
/* daemon-sources.c - the sources, what they share, and what becomes of what they say. */
#include <string.h>

#include "daemon-internal.h"
#include "evictor.h"
#include "incident.h"
#include "log.h"
#include "macro.h"
#include "trim.h"

#define TRIM_DELAY_USEC (4 * USEC_PER_SEC)

static const struct source_ops *const source_table[DAEMON_SOURCES] = {
	&source_kubepods, /* the tree first: what it shows needs no answer from anybody */
	&source_kubernetes, &source_machine, &source_unit, &source_cgroupfs,
};

static void daemon_on_notice(void *data, enum workload_notice notice,
			     const struct workload *workload)
{
	struct daemon *daemon = data;

	incident_notice(daemon->events, notice, workload);
}

void daemon_on_acted(void *data, const char *plugin, uint64_t id, enum action kind,
		     const char *reason, int result)
{
	struct daemon *daemon = data;
	const struct workload *workload = registry_get(&daemon->registry, id);

	/* What happens to a container is an Event of its pod. */
	if (workload && workload->inherits)
		workload = registry_get(&daemon->registry, workload->view.parent);
	if (workload)
		incident_action(daemon->events, workload, plugin, kind, reason, result);
}

void daemon_on_told(void *data, const char *owner, uint64_t id, const char *what,
		    const char *reason)
{
	struct daemon *daemon = data;
	const struct workload *workload = registry_get(&daemon->registry, id);

	if (workload && workload->inherits)
		workload = registry_get(&daemon->registry, workload->view.parent);
	if (workload)
		incident_told(daemon->events, workload, owner, what, reason);
}

static int daemon_on_trim(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	(void)data;
	memory_trim();
	return 0;
}

/* The pods of a node came all at once, with libraries that only their first use needs. Their file
 * is written first. */
static void daemon_on_settled(void *data)
{
	struct daemon *daemon = data;
	int r;

	if (daemon->trim) {
		r = sd_event_source_set_time_relative(daemon->trim, TRIM_DELAY_USEC);
		if (r >= 0)
			r = sd_event_source_set_enabled(daemon->trim, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(daemon->event, &daemon->trim, CLOCK_MONOTONIC,
					       TRIM_DELAY_USEC, USEC_PER_SEC, daemon_on_trim,
					       daemon);
	}
	if (r < 0)
		log_debug("memory is not given back: %s", strerror(-r));
}

int daemon_new_sources(struct daemon *daemon)
{
	int r = pods_new(daemon->event, &daemon->registry, daemon->state_dir, &daemon->pods);

	if (r >= 0)
		r = pods_load(daemon->pods);
	if (r >= 0)
		r = kube_events_new(daemon->event, daemon->settings->node_name, &daemon->events);
	if (r >= 0)
		r = kube_evictions_new(&daemon->evictions);
	if (r < 0)
		return r;
	evictor_set(daemon);
	daemon->registry.notice = daemon_on_notice;
	daemon->source_context = (struct source_context){
		.event = daemon->event,
		.root = &daemon->root,
		.hierarchy = &daemon->hierarchy,
		.registry = &daemon->registry,
		.pods = daemon->pods,
		.events = daemon->events,
		.evictions = daemon->evictions,
		.settled = daemon_on_settled,
		.settled_data = daemon,
	};
	for (size_t i = 0; i < DAEMON_SOURCES; i++) {
		r = source_table[i]->new (&daemon->source_context,
					  &daemon->sources[daemon->source_count]);
		if (r < 0)
			return r;
		daemon->source_count++;
	}
	return 0;
}

void daemon_free_sources(struct daemon *daemon)
{
	for (size_t i = 0; i < daemon->source_count; i++)
		(void)daemon->sources[i]->ops->free(daemon->sources[i]);
	(void)pods_free(daemon->pods);
	daemon->trim = sd_event_source_disable_unref(daemon->trim);
}
