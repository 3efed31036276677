/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/pods/internal.h"
#include "strbuf.h"

#define ID_SHOWN  12
#define FACTS_MAX 8u

static_assert(FACTS_MAX <= LIMIT_FACTS, "the registry takes them all");

struct facts {
	struct label items[FACTS_MAX];
	size_t count;
	char text[1024]; /* of the values */
	size_t used;
};

/* key: an array, as labels are not const. */
static void fact_add(struct facts *facts, char *key, const char *value)
{
	size_t size = strlen(value) + 1;

	if (size == 1 || facts->count >= FACTS_MAX || size > sizeof(facts->text) - facts->used)
		return;
	memcpy(facts->text + facts->used, value, size);
	facts->items[facts->count++] = (struct label){ key, facts->text + facts->used };
	facts->used += size;
}

static const char *class_name(enum kube_class qos_class)
{
	static const char *const names[] = {
		[KUBE_GUARANTEED] = "Guaranteed",
		[KUBE_BURSTABLE] = "Burstable",
		[KUBE_BESTEFFORT] = "BestEffort",
	};

	return names[qos_class];
}

static const char *container_kind_name(const struct kube_container *container)
{
	if (!container)
		return "the sandbox, or one that the API has not named yet";
	switch (container->kind) {
	case CONTAINER_INIT:
		return "init";
	case CONTAINER_EPHEMERAL:
		return "ephemeral";
	case CONTAINER_APP:
		break;
	}
	return "app";
}

static const struct kube_container *container_find(const struct kube_pod *pod, const char *id)
{
	for (size_t i = 0; pod && i < pod->container_count; i++)
		if (pod->containers[i].id && strcmp(pod->containers[i].id, id) == 0)
			return &pod->containers[i];
	return NULL;
}

static bool is_below(const char *path, const char *above)
{
	size_t length = strlen(above);

	return strncmp(path, above, length) == 0 && path[length] == '/';
}

/* Where kubelet and runtime disagree about the driver, the container's group is not below the
 * pod's. */
static const char *parent_path(const struct tree_group *container)
{
	const struct tree_group *group;
	const char *found = NULL;

	list_foreach (group, &container->pod->groups, link)
		if (group->is_pod && (!found || is_below(container->path, group->path)))
			found = group->path;
	return found;
}

static void record_pod(const struct known_pod *known, const struct kube_cgroup *parsed,
		       struct workload_record *record, struct strbuf *name, struct facts *facts)
{
	static char key_phase[] = "phase", key_class[] = "QoS class", key_net[] = "host network",
		    key_deleted[] = "deleted";
	const struct kube_pod *pod = known ? known->shared->pod : NULL;

	record->kind = "pod";
	record->uid = parsed->uid;
	if (!pod) {
		strbuf_addf(name, "pod%s", parsed->uid);
		fact_add(facts, key_class, class_name(parsed->qos_class));
		return;
	}
	strbuf_add(name, pod->name);
	record->uid = pod->uid;
	record->alias = pod->machine;
	record->labels = pod->labels;
	record->label_count = pod->label_count;
	record->annotations = pod->annotations;
	record->annotation_count = pod->annotation_count;
	record->cpu_request_milli = pod->cpu_request_milli;
	record->cpu_limit_milli = pod->cpu_limit_milli;
	record->memory_request_bytes = pod->memory_request_bytes;
	record->memory_limit_bytes = pod->memory_limit_bytes;
	fact_add(facts, key_phase, pod->phase);
	fact_add(facts, key_class,
		 *pod->qos_class ? pod->qos_class : class_name(parsed->qos_class));
	if (pod->host_network)
		fact_add(facts, key_net, "true");
	record->ending = known->gone || pod->deleting;
	if (known->gone)
		fact_add(facts, key_deleted, "yes, but its groups are still there");
	else if (pod->deleting)
		fact_add(facts, key_deleted, "it is being deleted");
}

static void record_container(const struct known_pod *known, const struct kube_cgroup *parsed,
			     struct workload_record *record, struct strbuf *name,
			     struct facts *facts)
{
	static char key_kind[] = "container kind", key_id[] = "container id",
		    key_runtime[] = "runtime";
	const struct kube_pod *pod = known ? known->shared->pod : NULL;
	const struct kube_container *container = container_find(pod, parsed->container);

	record->kind = "container";
	record->inherits = true;
	if (pod)
		strbuf_addf(name, "%s/", pod->name);
	if (container)
		strbuf_add(name, container->name);
	else
		strbuf_addf(name, "%.*s", ID_SHOWN, parsed->container);
	fact_add(facts, key_kind, pod ? container_kind_name(container) : "");
	fact_add(facts, key_id, parsed->container);
	fact_add(facts, key_runtime, parsed->runtime);
	if (!container)
		return;
	record->cpu_request_milli = container->cpu_request_milli;
	record->cpu_limit_milli = container->cpu_limit_milli;
	record->memory_request_bytes = container->memory_request_bytes;
	record->memory_limit_bytes = container->memory_limit_bytes;
}

int pods_publish_group(struct pods *pods, const struct tree_group *group)
{
	static char key_saved[] = "last known good";
	const struct known_pod *known = pods_known(pods, group->pod->uid);
	struct workload_record record = { .cgroup = group->path, .via = PODS_VIA_TREE };
	struct strbuf name cleanup_strbuf = { 0 };
	struct facts facts;
	struct kube_cgroup parsed;

	facts.count = facts.used = 0;
	kube_cgroup_parse(group->path, &parsed);
	if (known) {
		record.namespace = known->shared->pod->namespace;
		record.via = known->via;
		record.stale = known->stale;
	}
	if (known && known->stale)
		fact_add(&facts, key_saved, pods->store.saved);
	if (group->is_pod) {
		record_pod(known, &parsed, &record, &name, &facts);
	} else {
		record.parent_cgroup = parent_path(group);
		record_container(known, &parsed, &record, &name, &facts);
	}
	if (strbuf_error(&name) < 0)
		return -ENOMEM;
	record.name = strbuf_text(&name);
	record.facts = facts.items;
	record.fact_count = facts.count;
	return registry_put(pods->registry, PODS_SOURCE, PODS_RANK, &record);
}

void pods_publish(struct pods *pods, const struct tree_pod *pod)
{
	const struct tree_group *group;
	int r;

	for (int is_pod = 1; is_pod >= 0; is_pod--)
		list_foreach (group, &pod->groups, link) {
			if (group->is_pod != (bool)is_pod)
				continue;
			/* What went is forgotten when the tree tells so. */
			r = pods_publish_group(pods, group);
			if (r < 0 && r != -ENOENT && r != -ENOSPC)
				log_debug("ignoring cgroup '%s': %s", group->path,
					  strerrordesc_np(-r));
		}
}
