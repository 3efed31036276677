/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events.h - Kubernetes Events (core v1) about pods: what `kubectl describe pod` shows. One for
 * each incident; the same incident within KUBE_EVENT_AGGREGATE_USEC is counted and told once more
 * at the end of it with its count. Only `create` is needed of the API. Lost, with a count, when the
 * API is down or the queue is full: the log and the history have everything.
 */
#pragma once

#include "kube/access.h"

#define KUBE_EVENT_AGGREGATE_USEC (600u * 1000000u)
#define KUBE_EVENT_PER_MINUTE     30u

struct kube_events;

struct kube_event {
	const char *namespace, *pod, *uid;
	const char *type;    /* "Normal", "Warning"; static */
	const char *reason;  /* CamelCase; static */
	const char *message; /* for people; cut at 1024 bytes */
};

struct kube_event_stats {
	uint64_t sent, dropped, failed, aggregated;
};

/* node: reported as the source's host; copied. */
int kube_events_new(sd_event *event, const char *node, struct kube_events **ret);
struct kube_events *kube_events_free(struct kube_events *events);

/* Where to send to, from now on; NULL, NULL: nowhere, reports are dropped. Borrowed. */
void kube_events_connect(struct kube_events *events, struct http_client *client,
			 struct kube_access *access);
void kube_events_report(struct kube_events *events, const struct kube_event *event);
const struct kube_event_stats *kube_events_stats(const struct kube_events *events);
