/* SPDX-License-Identifier: Apache-2.0 */
#include "source/pods/pods.h"

#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/pods/internal.h"

int pods_new(sd_event *event, struct registry *registry, const char *state_dir, struct pods **ret)
{
	struct pods *pods = calloc(1, sizeof(*pods));

	if (!pods)
		return -ENOMEM;
	pods->event = sd_event_ref(event);
	pods->registry = registry;
	pods->store.dir = state_dir;
	*ret = pods;
	return 0;
}

static struct tree_pod *tree_pod_free(struct tree_pod *pod)
{
	struct tree_group *group, *following;

	list_foreach_safe (group, following, &pod->groups, link)
		free(group);
	free(pod);
	return NULL;
}

struct pods *pods_free(struct pods *pods)
{
	struct tree_pod *pod;

	if (!pods)
		return NULL;
	pods_store_done(pods);
	hashmap_done(&pods->groups);
	hashmap_foreach (pod, &pods->tree)
		tree_pod_free(pod);
	hashmap_done(&pods->tree);
	pods_known_done(pods);
	sd_event_unref(pods->event);
	free(pods);
	return NULL;
}

void pods_on_change(struct pods *pods, void (*changed)(void *data), void *data)
{
	pods->changed = changed;
	pods->changed_data = data;
}

static void tree_changed(const struct pods *pods)
{
	if (pods->changed)
		pods->changed(pods->changed_data);
}

static int tree_pod_ensure(struct pods *pods, const char *uid, struct tree_pod **ret)
{
	struct tree_pod *pod = hashmap_get(&pods->tree, uid);
	int r;

	if (pod) {
		*ret = pod;
		return 0;
	}
	pod = calloc(1, sizeof(*pod));
	if (!pod)
		return -ENOMEM;
	list_init(&pod->groups);
	memcpy(pod->uid, uid, strlen(uid) + 1);
	r = hashmap_put(&pods->tree, pod->uid, pod);
	if (r < 0) {
		free(pod);
		return r;
	}
	*ret = pod;
	return 0;
}

static void tree_pod_release(struct pods *pods, struct tree_pod *pod)
{
	if (!list_is_empty(&pod->groups))
		return;
	hashmap_remove(&pods->tree, pod->uid);
	pods_groups_left(pods, pod->uid);
	free(pod);
}

/* -EINVAL: of no pod; -ENOSPC; -ENOMEM. */
static int group_new(struct pods *pods, const char *path, struct tree_group **ret)
{
	size_t size = strlen(path) + 1;
	struct kube_cgroup parsed;
	struct tree_group *group;
	struct tree_pod *pod;
	int r;

	kube_cgroup_parse(path, &parsed);
	if (parsed.kind != KUBE_POD && parsed.kind != KUBE_CONTAINER)
		return -EINVAL;
	if (pods->groups.count >= LIMIT_WORKLOADS)
		return -ENOSPC;
	r = tree_pod_ensure(pods, parsed.uid, &pod);
	if (r < 0)
		return r;
	group = calloc(1, sizeof(*group) + size);
	if (!group) {
		tree_pod_release(pods, pod);
		return -ENOMEM;
	}
	group->pod = pod;
	group->is_pod = parsed.kind == KUBE_POD;
	memcpy(group->path, path, size);
	r = hashmap_put(&pods->groups, group->path, group);
	if (r < 0) {
		free(group);
		tree_pod_release(pods, pod);
		return r;
	}
	list_append(&pod->groups, &group->link);
	*ret = group;
	return 0;
}

static void group_forget(struct pods *pods, struct tree_group *group)
{
	struct tree_pod *pod = group->pod;

	registry_drop(pods->registry, PODS_SOURCE, group->path);
	hashmap_remove(&pods->groups, group->path);
	list_unlink(&group->link);
	free(group);
	tree_pod_release(pods, pod);
}

bool pods_group(struct pods *pods, const char *path)
{
	struct tree_group *group = hashmap_get(&pods->groups, path);
	bool is_new = !group;
	int r;

	if (is_new) {
		r = group_new(pods, path, &group);
		if (r < 0) {
			if (r != -EINVAL)
				log_debug("ignoring cgroup '%s': %s", path, strerrordesc_np(-r));
			return false;
		}
	}
	group->seen = pods->scan;
	r = pods_publish_group(pods, group);
	if (r == 0) {
		if (!is_new)
			return true;
		/* Containers that were seen first have their parent now. */
		if (group->is_pod)
			pods_publish(pods, group->pod);
		tree_changed(pods);
		return true;
	}
	if (r == -ENOENT || (is_new && r != -ENOSPC))
		group_forget(pods, group);
	if (r == -ENOENT && !is_new)
		tree_changed(pods);
	if (r != -ENOENT && r != -ENOSPC)
		log_debug("ignoring cgroup '%s': %s", path, strerrordesc_np(-r));
	return false;
}

void pods_groups_begin(struct pods *pods)
{
	pods->scan++;
}

void pods_groups_end(struct pods *pods)
{
	struct tree_group *group;
	bool changed = false;

	hashmap_foreach (group, &pods->groups)
		if (group->seen != pods->scan) {
			group_forget(pods, group);
			changed = true;
		}
	if (changed)
		tree_changed(pods);
}

void pods_stats(const struct pods *pods, struct pods_stats *ret)
{
	struct pods_stats stats = {
		.known = pods->known.count,
		.with_group = pods->tree.count,
		.groups = pods->groups.count,
	};
	const struct known_pod *known;
	const struct tree_pod *pod;
	const struct tree_group *group;

	hashmap_foreach (known, &pods->known)
		stats.stale += known->stale;
	hashmap_foreach (pod, &pods->tree) {
		if (pods_known(pods, pod->uid))
			continue;
		list_foreach (group, &pod->groups, link)
			stats.unnamed++;
	}
	*ret = stats;
}
