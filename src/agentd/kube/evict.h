/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evict.h - the eviction subresource of a pod: POST pods/NAME/eviction, as policy/v1 or, where the
 * server knows only that (before 1.22), policy/v1beta1. PodDisruptionBudgets are the API's to
 * honour. The uid goes along as a precondition, so that a new pod of that name is left alone.
 */
#pragma once

#include "kube/access.h"

struct kube_evictions;

struct kube_eviction {
	const char *namespace, *pod, *uid; /* copied */
	/* Once, never from inside kube_evict(). result as ACTION_EVICT of berth-plugin.h has it,
	 * -ECANCELED when the connection is given up before an answer; outcome: for people. */
	void (*done)(void *data, int result, const char *outcome);
	void *data;
};

int kube_evictions_new(struct kube_evictions **ret);
/* Nobody is told any more. */
struct kube_evictions *kube_evictions_free(struct kube_evictions *evictions);

/* Whom to ask, from now on; NULL, NULL: nobody. Borrowed. What is under way at somebody else ends
 * with -ECANCELED. */
void kube_evictions_connect(struct kube_evictions *evictions, struct http_client *client,
			    struct kube_access *access);
/* 0: asked. -errno with why: -EHOSTDOWN nobody to ask, -EACCES no token or certificate, -ENOSPC too
 * many are under way, -ENOMEM. */
int kube_evict(struct kube_evictions *evictions, const struct kube_eviction *eviction, char *why,
	       size_t why_size);
/* The one with this data is asked for already, but nobody waits for the answer. */
void kube_evict_forget(struct kube_evictions *evictions, const void *data);
