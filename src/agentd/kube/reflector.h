/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector.h - the pods of this node as the API has them, kept up to date: a paged list, then a
 * watch from there, for ever; or, against a kubelet, its /pods again and again.
 *
 * 410 (as a status of a list, or as an ERROR event in a watch) lists again at once. Every other
 * failure waits: 1 s doubling to 60 s, each with +-50 % jitter, or Retry-After if that is longer; a
 * watch that brought an event or lived for a minute starts the scale anew. A watch that ends in the
 * regular way, or whose connection is closed (an apiserver that restarts), resumes from the last
 * resource version without delay for the first time, then with the scale. A watch that is silent
 * for REFLECTOR_SILENCE_USEC (bookmarks come each minute) is dead, or watches a resource version
 * from the future: list again.
 *
 * The first list is one of the API's watch cache (resourceVersion=0), which spares etcd when many
 * nodes start. Later ones ask for nothing older than what is known, so that of several apiservers
 * one that lags does not take us back in time. After 410, a resource version from the future, or
 * silence, the list is a consistent one from etcd.
 *
 * Pods that an apiserver says are another node's are not told: they count as bad objects.
 */
#pragma once

#include "kube/access.h"
#include "kube/pod.h"

#define REFLECTOR_SILENCE_USEC (105u * 1000000u)
#define REFLECTOR_POLL_USEC    (10u * 1000000u)

enum reflector_mode { REFLECTOR_APISERVER, REFLECTOR_KUBELET };

enum reflector_state {
	REFLECTOR_WAITING, /* before the first try */
	REFLECTOR_LISTING,
	REFLECTOR_SYNCED, /* knows all, and is told of changes (or polls) */
	REFLECTOR_FAILED, /* tries again by itself; what was known goes on to hold */
};

struct reflector_handlers {
	/* A list begins; pods that are not named until sync_end() are gone. A list that fails half
	 * way ends with neither: sync_begin() of the next one comes instead. */
	void (*sync_begin)(void *data);
	/* Takes the pod over: free() it. From a list or a watch. */
	void (*pod)(void *data, struct kube_pod *pod);
	void (*sync_end)(void *data);
	/* A watch said DELETED. */
	void (*gone)(void *data, const struct kube_pod *pod);
	/* detail: one line for people; with FAILED what is wrong, what to do, when the next try
	 * is. */
	void (*state)(void *data, enum reflector_state state, const char *detail);
};

struct reflector_stats {
	uint64_t lists, watches, events, bookmarks, errors, bad_objects, relists_410;
};

struct reflector_options {
	enum reflector_mode mode;
	const char *node; /* fieldSelector=spec.nodeName=; copied */
	uint64_t
		first_delay_usec; /* at most that, at random: a thousand nodes that boot together */
	uint64_t backoff_usec;    /* first step of the scale, which ends at 60 times it; 0: 1 s */
	uint64_t silence_usec;    /* 0: REFLECTOR_SILENCE_USEC */
};

struct reflector;

/* access is borrowed; the client too. */
int reflector_new(sd_event *event, struct http_client *client, struct kube_access *access,
		  const struct reflector_options *options,
		  const struct reflector_handlers *handlers, void *data, struct reflector **ret);
struct reflector *reflector_free(struct reflector *reflector);

/* Kubelet mode: the cgroup tree changed, ask now (at most twice a second). Apiserver mode: does
 * nothing. */
void reflector_poke(struct reflector *reflector);
const struct reflector_stats *reflector_stats(const struct reflector *reflector);
