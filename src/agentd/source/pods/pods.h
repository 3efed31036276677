/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods.h - the pods of this node, put together from two sides that know nothing of each other: the
 * cgroup tree knows which groups there are and the uid of each, seconds before or after the API
 * tells what that pod is. Whenever one side says something new, the registry hears of every group
 * that both know enough of.
 *
 * What the API said last is kept in STATE_DIR/pods.json, so that levels survive a restart of berthd
 * while no API is up: such pods are stale until an API names them again.
 *
 * Records in the registry: kind "pod" (namespace and name of the pod, uid) with the pod's labels
 * and annotations; kind "container", named POD/CONTAINER, which inherits the pod's level. While no
 * API has named a pod, its name is "pod" UID, its namespace "", and containers have the first 12
 * digits of their id as name. The source's name there is "kubernetes".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "kube/pod.h"
#include "workload/registry.h"

#define PODS_SOURCE "kubernetes"
#define PODS_RANK   10u

struct pods;

struct pods_stats {
	size_t known;      /* pods that an API named, stale ones included */
	size_t stale;      /* of them: from the last run, not confirmed yet */
	size_t with_group; /* pods that have a group in the tree */
	size_t unnamed;    /* groups whose pod no API has named */
	size_t groups;     /* of pods and containers, in the registry */
};

/* NULL for the state directory: nothing is kept. Borrowed, as the others. */
int pods_new(sd_event *event, struct registry *registry, const char *state_dir, struct pods **ret);
struct pods *pods_free(struct pods *pods); /* saves what is not saved; drops nothing */

/* Read the last known good, before the sources start. A file that is damaged is set aside with a
 * warning. Nothing there is fine. -ENOMEM. */
int pods_load(struct pods *pods);

/* ---- From the cgroup tree: kubepods.c ---- */

/* The group at path may be new, changed or gone: look. True if it is there (and of a pod). */
bool pods_group(struct pods *pods, const char *path);
/* A snapshot of the whole tree: what is not named between them is gone. */
void pods_groups_begin(struct pods *pods);
void pods_groups_end(struct pods *pods);

/* ---- From an API: kubernetes.c. via is static: "apiserver", "kubelet" ---- */

void pods_api_begin(struct pods *pods);
void pods_api_put(struct pods *pods, const char *via, struct kube_pod *pod); /* takes it over */
void pods_api_end(struct pods *pods);
/* It was deleted. While its groups are still there, they keep what is known of it: the kubelet
 * removes a pod from the API up to a minute after its last process, or, forced, long before. */
void pods_api_gone(struct pods *pods, const char *uid);
/* The source was switched off: forget all that an API said. */
void pods_api_forget(struct pods *pods);

/* Called after the tree changed (a poll of the kubelet is due). One listener; NULL: none. */
void pods_on_change(struct pods *pods, void (*changed)(void *data), void *data);

void pods_stats(const struct pods *pods, struct pods_stats *ret);
