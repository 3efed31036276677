/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kube-cgroup.h - what a cgroup path says of Kubernetes: root, QoS class, pod, container. Pure, for
 * the layouts of kubelet 1.18 to 1.34 with containerd, CRI-O, docker, iSulad and Kata:
 *
 *   cgroupfs driver  [ROOT/]kubepods[/burstable|/besteffort]/podUID[/ID | /crio-ID | /kata_ID]
 *   systemd driver   [ROOT.slice/]kubepods.slice[/kubepods-burstable.slice]
 *                      /kubepods-burstable-podUID_WITH_UNDERSCORES.slice
 *                      [/cri-containerd-ID.scope | /crio-ID.scope | /docker-ID.scope | ...]
 *                    with --cgroup-root=/a/b each name is prefixed by "a-b-"; kind runs its kubelet
 *                    under docker/ID/kubelet, system.slice/docker-ID.scope/kubelet.slice, ...
 *   mixed up         .../kubepods-burstable-podUID.slice:cri-containerd:ID, where kubelet and
 *                    runtime disagree about the driver
 *
 * UID is the pod's, or the config.hash (32 hex digits) of a static pod.
 */
#pragma once

#include <stdbool.h>

#define KUBE_UID_MAX          64u /* with NUL */
#define KUBE_CONTAINER_ID_MAX 128u

enum kube_cgroup_kind {
	KUBE_NOT,   /* nothing of Kubernetes, or below a container */
	KUBE_ROOT,  /* kubepods, kubepods.slice */
	KUBE_CLASS, /* burstable, besteffort */
	KUBE_POD,
	KUBE_CONTAINER, /* a container or the sandbox of a pod */
	KUBE_HELPER,    /* beside them: crio-conmon, kata_overhead, "system" groups of a runtime */
};

enum kube_class { KUBE_GUARANTEED, KUBE_BURSTABLE, KUBE_BESTEFFORT };

struct kube_cgroup {
	enum kube_cgroup_kind kind;
	enum kube_class qos_class;             /* of KUBE_CLASS, KUBE_POD and below */
	char uid[KUBE_UID_MAX];                /* with dashes, of KUBE_POD and below; "" else */
	char container[KUBE_CONTAINER_ID_MAX]; /* of KUBE_CONTAINER, without prefix or suffix */
	char runtime[24]; /* "containerd", "cri-o", "docker", "kata", "" unknown */
};

/* path: below the root of the hierarchy, no leading slash. */
void kube_cgroup_parse(const char *path, struct kube_cgroup *ret);
