/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/pods-internal.h"

static struct shared_pod *shared_pod_new(struct kube_pod *pod)
{
	struct shared_pod *shared = malloc(sizeof(*shared));

	if (!shared)
		return NULL;
	*shared = (struct shared_pod){ .references = 1, .pod = pod };
	return shared;
}

void shared_pod_unref(struct shared_pod *shared)
{
	if (!shared || --shared->references > 0)
		return;
	free(shared->pod);
	free(shared);
}

static void known_free(struct known_pod *known)
{
	shared_pod_unref(known->shared);
	free(known->cgroup_uid);
	free(known);
}

void pods_known_done(struct pods *pods)
{
	struct known_pod *known;

	hashmap_done(&pods->known_group);
	hashmap_foreach (known, &pods->known)
		known_free(known);
	hashmap_done(&pods->known);
}

struct known_pod *pods_known(const struct pods *pods, const char *group_uid)
{
	struct known_pod *known = hashmap_get(&pods->known, group_uid);

	return known ? known : hashmap_get(&pods->known_group, group_uid);
}

/* Its groups, of the one uid and of the other. */
static size_t known_groups(const struct pods *pods, const struct known_pod *known,
			   const struct tree_pod *ret[static 2])
{
	size_t count = 0;

	ret[count] = hashmap_get(&pods->tree, known->uid);
	count += ret[count] != NULL;
	if (strcmp(known->uid, known->cgroup_uid) == 0 ||
	    pods_known(pods, known->cgroup_uid) != known)
		return count;
	ret[count] = hashmap_get(&pods->tree, known->cgroup_uid);
	count += ret[count] != NULL;
	return count;
}

static void known_publish(struct pods *pods, const struct known_pod *known)
{
	const struct tree_pod *trees[2];
	size_t count = known_groups(pods, known, trees);

	for (size_t i = 0; i < count; i++)
		pods_publish(pods, trees[i]);
}

static void known_group_forget(struct pods *pods, struct known_pod *known)
{
	if (known->cgroup_uid && hashmap_get(&pods->known_group, known->cgroup_uid) == known)
		hashmap_remove(&pods->known_group, known->cgroup_uid);
}

/* Two that claim one uid: who came first has it, and the other when that one went. */
static int known_group_note(struct pods *pods, struct known_pod *known)
{
	int r = 0;

	if (strcmp(known->uid, known->cgroup_uid) != 0)
		r = hashmap_put(&pods->known_group, known->cgroup_uid, known);
	return r == -EEXIST ? 0 : r;
}

static void known_remove(struct pods *pods, struct known_pod *known)
{
	hashmap_remove(&pods->known, known->uid);
	known_group_forget(pods, known);
	known_free(known);
}

/* Takes the pod over in any case. */
static int known_replace(struct pods *pods, struct known_pod *known, struct kube_pod *pod)
{
	struct shared_pod *shared = shared_pod_new(pod);
	cleanup_free char *before = NULL;
	char *cgroup_uid = shared ? strdup(pod->cgroup_uid) : NULL;
	const struct tree_pod *left;
	int r;

	if (!cgroup_uid) {
		free(pod);
		free(shared);
		return -ENOMEM;
	}
	known_group_forget(pods, known);
	before = known->cgroup_uid;
	shared_pod_unref(known->shared);
	known->cgroup_uid = cgroup_uid;
	known->shared = shared;
	r = known_group_note(pods, known);
	left = before ? hashmap_get(&pods->tree, before) : NULL;
	if (left && strcmp(before, cgroup_uid) != 0)
		pods_publish(pods, left);
	return r;
}

static struct known_pod *known_new(struct pods *pods, const char *uid)
{
	size_t size = strlen(uid) + 1;
	struct known_pod *known = calloc(1, sizeof(*known) + size);

	if (!known)
		return NULL;
	memcpy(known->uid, uid, size);
	if (hashmap_put(&pods->known, known->uid, known) < 0) {
		free(known);
		return NULL;
	}
	return known;
}

/* Takes the pod over. NULL, and it was logged, where there is no room for it. */
static struct known_pod *known_add(struct pods *pods, struct kube_pod *pod)
{
	struct known_pod *known = NULL;

	if (pods->known.count >= LIMIT_PODS) {
		if (pods->refused++ == 0)
			log_warning("more than %u pods on this node: ignoring '%s/%s' and what "
				    "else comes",
				    LIMIT_PODS, pod->namespace, pod->name);
		free(pod);
		return NULL;
	}
	known = known_new(pods, pod->uid);
	if (known && known_replace(pods, known, TAKE_PTR(pod)) == 0)
		return known;
	log_error("no memory for a pod: ignoring it until its next change");
	free(pod);
	if (known)
		known_remove(pods, known);
	return NULL;
}

void pods_recall(struct pods *pods, struct kube_pod *pod)
{
	struct known_pod *known;

	if (hashmap_get(&pods->known, pod->uid)) {
		free(pod);
		return;
	}
	known = known_add(pods, pod);
	if (!known)
		return;
	known->via = PODS_VIA_FILE;
	known->stale = true;
	known_publish(pods, known);
}

void pods_api_begin(struct pods *pods)
{
	pods->list++;
}

void pods_api_put(struct pods *pods, const char *via, struct kube_pod *pod)
{
	struct known_pod *known = hashmap_get(&pods->known, pod->uid);
	bool same = known && kube_pod_equal(known->shared->pod, pod);

	pods->store.newer = true;
	if (same) {
		free(pod);
		known->seen = pods->list;
		if (!known->stale && !known->gone && strcmp(known->via, via) == 0)
			return;
	} else if (!known) {
		known = known_add(pods, pod);
		if (!known)
			return;
	} else if (known_replace(pods, known, pod) < 0) {
		log_error("no memory for news of pod '%s/%s': ignoring them",
			  known->shared->pod->namespace, known->shared->pod->name);
	}
	known->seen = pods->list;
	known->via = via;
	known->stale = known->gone = false;
	if (!same)
		pods_store_changed(pods);
	known_publish(pods, known);
}

/* It may be freed. */
static void known_deleted(struct pods *pods, struct known_pod *known)
{
	const struct tree_pod *trees[2];

	pods_store_changed(pods);
	if (known_groups(pods, known, trees) == 0) {
		known_remove(pods, known);
		return;
	}
	known->gone = true;
	known->stale = false;
	known_publish(pods, known);
}

void pods_api_gone(struct pods *pods, const char *uid)
{
	struct known_pod *known = hashmap_get(&pods->known, uid);

	if (known && !known->gone)
		known_deleted(pods, known);
}

void pods_api_end(struct pods *pods)
{
	struct known_pod *known;

	pods->store.newer = true;
	hashmap_foreach (known, &pods->known)
		if (known->seen != pods->list && !known->gone)
			known_deleted(pods, known);
}

void pods_groups_left(struct pods *pods, const char *group_uid)
{
	struct known_pod *known = pods_known(pods, group_uid);
	const struct tree_pod *trees[2];

	if (!known || !known->gone || known_groups(pods, known, trees) > 0)
		return;
	known_remove(pods, known);
	pods_store_changed(pods);
}

void pods_api_forget(struct pods *pods)
{
	const struct tree_pod *pod;
	bool any = pods->known.count > 0;

	pods_known_done(pods);
	if (!any)
		return;
	pods_store_changed(pods);
	hashmap_foreach (pod, &pods->tree)
		pods_publish(pods, pod);
}
