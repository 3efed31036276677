/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events-internal.h - events.c decides which incident is told and when, event-post.c puts it into
 * the API's words.
 */
#pragma once

#include <systemd/sd-event.h>

#include "kube/events.h"
#include "list.h"

#define KUBE_EVENT_MESSAGE_MAX 1024u /* the API's own limit */

struct incident {
	struct list member;
	char *namespace, *pod, *uid, *message;
	const char *type, *reason;
	uint64_t first_usec, last_usec; /* CLOCK_REALTIME, as people read it */
	uint64_t until_usec;            /* CLOCK_MONOTONIC, end of the window */
	unsigned int occurred, told;
	unsigned int sending_count; /* occurred, as the call under way says it */
	bool waits;                 /* is to be sent, or is being sent */
	bool last;                  /* the window is over: its last word */
};

struct kube_events {
	sd_event *event;
	struct http_client *client; /* NULL: nowhere to */
	struct kube_access *access;
	char *node;
	struct kube_event_stats stats;
	struct list incidents;
	size_t count;
	sd_event_source *timer;
	struct http_call *call;
	struct incident *sending; /* what the call is about */
	bool refused;             /* RBAC says no: quiet until connected anew */
	uint64_t aggregate_usec;
	uint64_t backoff_first_usec, backoff_usec, quiet_until_usec;
	unsigned int tokens;
	uint64_t tokens_usec;
	char text[1024]; /* the beginning of the answer */
	size_t text_size;
};

/* For tests: windows and back-off as short as they like. */
void kube_events_set_times(struct kube_events *events, uint64_t aggregate_usec,
			   uint64_t backoff_usec);

/* How much of a text can be told: KUBE_EVENT_MESSAGE_MAX bytes, cut between characters. */
size_t events_message_length(const char *text);
/* Begin to send; events->call is set. -EBADMSG: cannot be said in JSON; -errno. */
int events_post(struct kube_events *events, const struct incident *incident,
		const struct http_handlers *handlers);
