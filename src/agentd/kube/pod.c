/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/pod.h"

#include <string.h>

#include "macro.h"

static bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static bool labels_equal(const struct label *a, size_t a_count, const struct label *b,
			 size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (!text_equal(a[i].key, b[i].key) || !text_equal(a[i].value, b[i].value))
			return false;
	return true;
}

static bool container_equal(const struct kube_container *a, const struct kube_container *b)
{
	return a->kind == b->kind && text_equal(a->name, b->name) && text_equal(a->id, b->id) &&
	       a->cpu_request_milli == b->cpu_request_milli &&
	       a->cpu_limit_milli == b->cpu_limit_milli &&
	       a->memory_request_bytes == b->memory_request_bytes &&
	       a->memory_limit_bytes == b->memory_limit_bytes;
}

static bool containers_equal(const struct kube_pod *a, const struct kube_pod *b)
{
	if (a->container_count != b->container_count)
		return false;
	for (size_t i = 0; i < a->container_count; i++)
		if (!container_equal(&a->containers[i], &b->containers[i]))
			return false;
	return true;
}

bool kube_pod_equal(const struct kube_pod *a, const struct kube_pod *b)
{
	return text_equal(a->uid, b->uid) && text_equal(a->cgroup_uid, b->cgroup_uid) &&
	       text_equal(a->namespace, b->namespace) && text_equal(a->name, b->name) &&
	       text_equal(a->node, b->node) && text_equal(a->phase, b->phase) &&
	       text_equal(a->machine, b->machine) && text_equal(a->qos_class, b->qos_class) &&
	       a->deleting == b->deleting && a->finished == b->finished &&
	       a->host_network == b->host_network && a->cpu_request_milli == b->cpu_request_milli &&
	       a->cpu_limit_milli == b->cpu_limit_milli &&
	       a->memory_request_bytes == b->memory_request_bytes &&
	       a->memory_limit_bytes == b->memory_limit_bytes &&
	       labels_equal(a->labels, a->label_count, b->labels, b->label_count) &&
	       labels_equal(a->annotations, a->annotation_count, b->annotations,
			    b->annotation_count) &&
	       containers_equal(a, b);
}

/* An object that grows; a failed allocation is remembered, as in strbuf.h. */
struct encoder {
	bool failed;
};

/* Takes the value. */
static void put(struct encoder *encoder, json_t *object, const char *key, json_t *value)
{
	if (json_object_set_new(object, key, value) < 0)
		encoder->failed = true;
}

static void put_text(struct encoder *encoder, json_t *object, const char *key, const char *text)
{
	if (text && *text)
		put(encoder, object, key, json_string(text));
}

/* Belongs to the object it is put into; NULL after a failure, which the jansson calls above take.
 */
static json_t *put_new(struct encoder *encoder, json_t *object, const char *key, json_t *value)
{
	put(encoder, object, key, value);
	return encoder->failed ? NULL : value;
}

static void put_labels(struct encoder *encoder, json_t *object, const char *key,
		       const struct label *labels, size_t count)
{
	json_t *map;

	if (count == 0)
		return;
	map = put_new(encoder, object, key, json_object());
	for (size_t i = 0; i < count; i++)
		put(encoder, map, labels[i].key, json_string(labels[i].value));
}

static void put_amount(struct encoder *encoder, json_t *list, const char *name, uint64_t value,
		       const char *suffix, bool always)
{
	if (value > 0 || always)
		put(encoder, list, name, json_sprintf("%llu%s", (unsigned long long)value, suffix));
}

/* always: also zeros, which then stand against the sum of the containers. */
static void put_resources(struct encoder *encoder, json_t *object,
			  const struct kube_container *amounts, bool always)
{
	json_t *resources = put_new(encoder, object, "resources", json_object());
	json_t *requests = put_new(encoder, resources, "requests", json_object());
	json_t *limits = put_new(encoder, resources, "limits", json_object());

	put_amount(encoder, requests, "cpu", amounts->cpu_request_milli, "m", always);
	put_amount(encoder, requests, "memory", amounts->memory_request_bytes, "", always);
	put_amount(encoder, limits, "cpu", amounts->cpu_limit_milli, "m", always);
	put_amount(encoder, limits, "memory", amounts->memory_limit_bytes, "", always);
}

static json_t *append_object(struct encoder *encoder, json_t *object, const char *key)
{
	json_t *list = json_object_get(object, key);
	json_t *entry = json_object();

	if (!list)
		list = put_new(encoder, object, key, json_array());
	if (json_array_append_new(list, entry) < 0) {
		encoder->failed = true;
		return NULL;
	}
	return entry;
}

static void put_container(struct encoder *encoder, json_t *spec, json_t *status,
			  const struct kube_container *container)
{
	static const struct {
		const char *spec, *status;
	} lists[] = {
		[CONTAINER_APP] = { "containers", "containerStatuses" },
		[CONTAINER_INIT] = { "initContainers", "initContainerStatuses" },
		[CONTAINER_EPHEMERAL] = { "ephemeralContainers", "ephemeralContainerStatuses" },
	};
	json_t *entry = append_object(encoder, spec, lists[container->kind].spec);

	put_text(encoder, entry, "name", container->name);
	put_resources(encoder, entry, container, false);
	if (!container->id)
		return;
	entry = append_object(encoder, status, lists[container->kind].status);
	put_text(encoder, entry, "name", container->name);
	put(encoder, entry, "containerID", json_sprintf("://%s", container->id));
}

json_t *kube_pod_encode(const struct kube_pod *pod)
{
	const struct kube_container total = {
		.cpu_request_milli = pod->cpu_request_milli,
		.cpu_limit_milli = pod->cpu_limit_milli,
		.memory_request_bytes = pod->memory_request_bytes,
		.memory_limit_bytes = pod->memory_limit_bytes,
	};
	struct encoder encoder = { 0 };
	json_t *object = json_object();
	json_t *metadata = put_new(&encoder, object, "metadata", json_object());
	json_t *spec = put_new(&encoder, object, "spec", json_object());
	json_t *status = put_new(&encoder, object, "status", json_object());

	put_text(&encoder, metadata, "uid", pod->uid);
	put_text(&encoder, metadata, "namespace", pod->namespace);
	put_text(&encoder, metadata, "name", pod->name);
	put_text(&encoder, metadata, "resourceVersion", pod->resource_version);
	/* When does not matter any more, only that. */
	if (pod->deleting)
		put_text(&encoder, metadata, "deletionTimestamp", "1970-01-01T00:00:00Z");
	put_labels(&encoder, metadata, "labels", pod->labels, pod->label_count);
	put_labels(&encoder, metadata, "annotations", pod->annotations, pod->annotation_count);
	put_text(&encoder, spec, "nodeName", pod->node);
	if (pod->host_network)
		put(&encoder, spec, "hostNetwork", json_true());
	/* The sum knows of overhead and of init containers that go on running; the containers, as
	 * they are kept, do not. */
	put_resources(&encoder, spec, &total, true);
	put_text(&encoder, status, "phase", pod->phase);
	put_text(&encoder, status, "qosClass", pod->qos_class);
	for (size_t i = 0; i < pod->container_count; i++)
		put_container(&encoder, spec, status, &pod->containers[i]);
	if (!encoder.failed)
		return object;
	json_decref(object);
	return NULL;
}
