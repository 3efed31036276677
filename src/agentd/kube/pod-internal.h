/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod-internal.h - between the files of kube/pod: a pod whose strings and arrays belong to somebody
 * else (the JSON it is read from), and the one block that it becomes.
 */
#pragma once

#include "kube/pod.h"

#define ANNOTATION_LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"
#define ANNOTATION_MIRROR       "kubernetes.io/config.mirror"

/* A copy of all of it in one allocation. Strings may be NULL where pod.h lets them be, and "" is
 * put for the others. NULL: no memory. */
struct kube_pod *kube_pod_block(const struct kube_pod *borrowed);

/* What the containers of a pod sum up to, as the scheduler counts. */
enum pod_amount { CPU_REQUEST, CPU_LIMIT, MEMORY_REQUEST, MEMORY_LIMIT, POD_AMOUNTS };

struct pod_tally {
	uint64_t apps[POD_AMOUNTS];     /* sum */
	uint64_t sidecars[POD_AMOUNTS]; /* sum of the init containers that go on running */
	uint64_t init[POD_AMOUNTS];     /* largest need while init containers run */
	bool unlimited[POD_AMOUNTS];    /* one that runs with the pod has no limit */
};

/* In the order of the spec, init containers first. */
void pod_tally_add(struct pod_tally *tally, const struct kube_container *container, bool sidecar);

/* resources: {"requests":{"cpu":...},"limits":{...}}. An amount that is not there stays as it is.
 */
void pod_amounts_read(const json_t *resources, uint64_t amounts[POD_AMOUNTS]);

/* spec: of the pod, for its own resources and its overhead. */
void pod_tally_finish(const struct pod_tally *tally, const json_t *spec, struct kube_pod *pod);
