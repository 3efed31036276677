/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kube/pod-internal.h"
#include "limit.h"
#include "macro.h"

/* Where each kind of container is, in the order of struct kube_pod. */
static const struct {
	enum kube_container_kind kind;
	const char *spec, *status;
} container_lists[] = {
	{ CONTAINER_INIT, "initContainers", "initContainerStatuses" },
	{ CONTAINER_APP, "containers", "containerStatuses" },
	{ CONTAINER_EPHEMERAL, "ephemeralContainers", "ephemeralContainerStatuses" },
};

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* For the fields of a pod that is only borrowed: nothing writes through them. */
static char *borrow(const char *text)
{
	return (char *)(uintptr_t)text;
}

static bool is_of_protocol(const char *key)
{
	static const char *const prefixes[] = { "berth/",
						"volcano.sh/",
						"koordinator.sh/",
						"katalyst.kubewharf.io/",
						"kubernetes.io/config.",
						"kubevirt.io",
						"vm.kubevirt.io/" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (strncmp(key, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	return false;
}

static bool annotation_is_kept(const char *key, const char *value)
{
	if (strcmp(key, ANNOTATION_LAST_APPLIED) == 0)
		return false;
	return strnlen(value, LIMIT_POD_ANNOTATION + 1) <= LIMIT_POD_ANNOTATION ||
	       is_of_protocol(key);
}

/* What there is room for. *bytes: of both kinds together. */
static void labels_borrow_some(json_t *object, bool are_annotations, bool of_protocol,
			       struct label *labels, size_t *count, size_t *bytes)
{
	const char *key;
	json_t *value;

	json_object_foreach(object, key, value)
	{
		const char *text = json_string_value(value);
		size_t size;

		if (!text || is_of_protocol(key) != of_protocol ||
		    (are_annotations && !annotation_is_kept(key, text)))
			continue;
		size = strlen(key) + strlen(text);
		if (*count == LIMIT_LABELS || *bytes + size > LIMIT_LABEL_BYTES)
			continue;
		*bytes += size;
		labels[(*count)++] = (struct label){ borrow(key), borrow(text) };
	}
}

/* Those of the protocol first: a pod with a thousand others must not escape its level, nor the
 * rules of its namespace. */
static void labels_borrow(json_t *object, bool are_annotations, struct label *labels, size_t *count,
			  size_t *bytes)
{
	labels_borrow_some(object, are_annotations, true, labels, count, bytes);
	labels_borrow_some(object, are_annotations, false, labels, count, bytes);
}

/* "containerd://ID": the cgroup has only the ID. */
static const char *container_id(const json_t *statuses, const char *name)
{
	for (size_t i = 0; i < json_array_size(statuses); i++) {
		const json_t *status = json_array_get(statuses, i);
		const char *id, *separator;

		if (strcmp(text_of(status, "name"), name) != 0)
			continue;
		id = text_of(status, "containerID");
		separator = strstr(id, "://");
		if (separator)
			id = separator + strlen("://");
		return *id ? id : NULL;
	}
	return NULL;
}

static void container_borrow(const json_t *object, const json_t *statuses,
			     struct kube_container *container)
{
	const char *name = text_of(object, "name");
	uint64_t amounts[POD_AMOUNTS] = { 0 };

	/* The spec and not status.containerStatuses[].resources, which follows it when the kubelet
	 * has resized a container in place: the scheduler has reserved what the spec says, and
	 * before 1.27 there is nothing else, so that one rule holds for every version. */
	pod_amounts_read(json_object_get(object, "resources"), amounts);
	container->name = borrow(name);
	container->id = borrow(container_id(statuses, name));
	container->cpu_request_milli = amounts[CPU_REQUEST];
	container->cpu_limit_milli = amounts[CPU_LIMIT];
	container->memory_request_bytes = amounts[MEMORY_REQUEST];
	container->memory_limit_bytes = amounts[MEMORY_LIMIT];
}

static void containers_borrow(const json_t *spec, const json_t *status, struct kube_pod *pod)
{
	struct pod_tally tally = { 0 };

	for (size_t list = 0; list < ARRAY_SIZE(container_lists); list++) {
		const json_t *objects = json_object_get(spec, container_lists[list].spec);
		const json_t *statuses = json_object_get(status, container_lists[list].status);

		for (size_t i = 0; i < json_array_size(objects); i++) {
			const json_t *object = json_array_get(objects, i);
			struct kube_container beyond = { 0 }, *container = &beyond;
			bool sidecar = container_lists[list].kind == CONTAINER_INIT &&
				       strcmp(text_of(object, "restartPolicy"), "Always") == 0;

			/* The sum is the whole pod's in any case. */
			if (pod->container_count < LIMIT_POD_CONTAINERS)
				container = &pod->containers[pod->container_count++];
			container->kind = container_lists[list].kind;
			container_borrow(object, statuses, container);
			pod_tally_add(&tally, container, sidecar);
		}
	}
	pod_tally_finish(&tally, spec, pod);
}

static size_t containers_count(const json_t *spec)
{
	size_t count = 0;

	for (size_t list = 0; list < ARRAY_SIZE(container_lists); list++)
		count += json_array_size(json_object_get(spec, container_lists[list].spec));
	return count;
}

/* The kubelet names the cgroup of a static pod by its own UID, the hash of the manifest. The API
 * has a mirror pod with another UID, and the hash as an annotation that only a mirror pod has for
 * long: of any other the kubelet deletes the pod. config.hash, which anybody may set, says no more,
 * and would let one pod speak for the cgroup of another; so would a UID that is not a hash. */
static const char *cgroup_uid(const struct kube_pod *pod)
{
	const char *mirror = label_get(pod->annotations, pod->annotation_count, ANNOTATION_MIRROR);

	if (!mirror || strlen(mirror) != 32 || strspn(mirror, "0123456789abcdef") != 32)
		return pod->uid;
	return mirror;
}

/* KubeVirt sets the annotation and the first label; the second is what users write in templates. */
static const char *machine_name(const struct kube_pod *pod)
{
	const char *role = label_get(pod->labels, pod->label_count, "kubevirt.io");
	const char *name;

	if (!role || strcmp(role, "virt-launcher") != 0)
		return NULL;
	name = label_get(pod->annotations, pod->annotation_count, "kubevirt.io/domain");
	if (!name)
		name = label_get(pod->labels, pod->label_count, "vm.kubevirt.io/name");
	if (!name)
		name = label_get(pod->labels, pod->label_count, "kubevirt.io/domain");
	return name && *name ? name : NULL;
}

/* Everything but the arrays. */
static void pod_borrow(const json_t *object, struct kube_pod *pod)
{
	const json_t *metadata = json_object_get(object, "metadata");
	const json_t *spec = json_object_get(object, "spec");
	const json_t *status = json_object_get(object, "status");

	*pod = (struct kube_pod){
		.uid = text_of(metadata, "uid"),
		.namespace = text_of(metadata, "namespace"),
		.name = text_of(metadata, "name"),
		.resource_version = text_of(metadata, "resourceVersion"),
		.deleting = *text_of(metadata, "deletionTimestamp") != '\0',
		.node = text_of(spec, "nodeName"),
		.host_network = json_is_true(json_object_get(spec, "hostNetwork")),
		.phase = text_of(status, "phase"),
		.qos_class = text_of(status, "qosClass"),
	};
	pod->finished = strcmp(pod->phase, "Succeeded") == 0 || strcmp(pod->phase, "Failed") == 0;
}

static int pod_refuse(const struct kube_pod *pod, const char *problem, int error, char *why,
		      size_t why_size)
{
	(void)snprintf(why, why_size, "pod %s/%s (uid %s) %s",
		       *pod->namespace ? pod->namespace : "?", *pod->name ? pod->name : "?",
		       *pod->uid ? pod->uid : "?", problem);
	return error;
}

int kube_pod_decode(const json_t *object, char *why, size_t why_size, struct kube_pod **ret)
{
	cleanup_free struct kube_container *containers = NULL;
	cleanup_free struct label *labels = NULL, *annotations = NULL;
	const json_t *metadata = json_object_get(object, "metadata");
	const json_t *spec = json_object_get(object, "spec");
	size_t count = MIN(containers_count(spec), (size_t)LIMIT_POD_CONTAINERS), bytes = 0;
	struct kube_pod pod, *block;

	pod_borrow(object, &pod);
	if (!*pod.uid || !*pod.name || !*pod.namespace)
		return pod_refuse(&pod, "has no uid, name or namespace", -EBADMSG, why, why_size);
	/* One more than none, so that NULL is always a failure. */
	containers = calloc(count + 1, sizeof(*containers));
	labels = calloc(LIMIT_LABELS, sizeof(*labels));
	annotations = calloc(LIMIT_LABELS, sizeof(*annotations));
	if (!containers || !labels || !annotations)
		return pod_refuse(&pod, "needs more memory than there is", -ENOMEM, why, why_size);
	pod.containers = containers;
	pod.labels = labels;
	pod.annotations = annotations;
	labels_borrow(json_object_get(metadata, "labels"), false, labels, &pod.label_count, &bytes);
	labels_borrow(json_object_get(metadata, "annotations"), true, annotations,
		      &pod.annotation_count, &bytes);
	containers_borrow(spec, json_object_get(object, "status"), &pod);
	pod.cgroup_uid = cgroup_uid(&pod);
	pod.machine = machine_name(&pod);
	block = kube_pod_block(&pod);
	if (!block)
		return pod_refuse(&pod, "needs more memory than there is", -ENOMEM, why, why_size);
	*ret = block;
	return 0;
}
