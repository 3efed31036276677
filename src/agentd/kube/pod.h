/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod.h - what Berth needs of a Kubernetes Pod (v1), decoded from its JSON. Unknown and missing
 * fields are fine: an object is refused only when it has no uid, name or namespace.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "label.h"

enum kube_container_kind { CONTAINER_APP, CONTAINER_INIT, CONTAINER_EPHEMERAL };

struct kube_container {
	char *name;
	char *id; /* of status.*Statuses[].containerID without "RUNTIME://"; NULL: none yet */
	enum kube_container_kind kind;
	uint64_t cpu_request_milli, cpu_limit_milli;       /* 0: none */
	uint64_t memory_request_bytes, memory_limit_bytes; /* 0: none */
};

/* One allocation; free() it. */
struct kube_pod {
	const char *uid;
	const char *cgroup_uid; /* as cgroup paths have it: of a static pod its config.hash */
	const char *namespace, *name, *node;
	const char *phase;            /* "Pending", "Running", ... "" unknown */
	const char *resource_version; /* compare for equality only */
	const char *machine;          /* of a virt-launcher pod: label kubevirt.io/domain or
					 vm.kubevirt.io/name; NULL: no VM */
	bool deleting;                /* has a deletionTimestamp */
	bool finished;                /* Succeeded or Failed: no process of it is left */
	bool host_network;
	const char *qos_class; /* status.qosClass, "" unknown */
	struct label *labels, *annotations;
	size_t label_count, annotation_count;
	struct kube_container *containers; /* init, app, ephemeral */
	size_t container_count;
	/* Of the whole pod, as the scheduler counts: the larger of the sum of the app containers
	 * (with restartable init containers) and the largest init container, plus overhead. Limits
	 * are 0 unless every app container has one. */
	uint64_t cpu_request_milli, cpu_limit_milli;
	uint64_t memory_request_bytes, memory_limit_bytes;
};

/* Left out, so that a node's pods stay small: managedFields, the annotation
 * kubectl.kubernetes.io/last-applied-configuration, and other annotations over 8 KiB that do not
 * start with "berth/", "volcano.sh/" or another prefix of the protocol. So is what is over
 * LIMIT_LABELS, LIMIT_LABEL_BYTES or LIMIT_POD_CONTAINERS, those of the protocol last: no pod gets
 * around its level by being large.
 * 0; -EBADMSG with why (for people, names the pod where it is known); -ENOMEM. */
int kube_pod_decode(const json_t *object, char *why, size_t why_size, struct kube_pod **ret);

/* Do both say the same to Berth (everything but the resource version)? */
bool kube_pod_equal(const struct kube_pod *a, const struct kube_pod *b);

/* The form in which pods outlive a restart of berthd; kube_pod_decode() reads it. NULL: no memory.
 */
json_t *kube_pod_encode(const struct kube_pod *pod);
