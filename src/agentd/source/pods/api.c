/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/pods/internal.h"

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
	struct known_pod *own = hashmap_get(&pods->known, group_uid);
	struct known_pod *mirror = hashmap_get(&pods->known_group, group_uid);

	return mirror && (!own || (own->gone && !mirror->gone)) ? mirror : own;
}

/* There are groups of which it is what an API says. */
static bool known_has_groups(const struct pods *pods, const struct known_pod *known)
{
	return (hashmap_get(&pods->tree, known->uid) && pods_known(pods, known->uid) == known) ||
	       (hashmap_get(&pods->tree, known->cgroup_uid) &&
		pods_known(pods, known->cgroup_uid) == known);
}

/* Publish the groups that carry the one uid or the other, whoever speaks for them now. */
static void groups_publish(struct pods *pods, const struct tree_pod *own,
			   const struct tree_pod *mirrored)
{
	if (own)
		pods_publish(pods, own);
	if (mirrored && mirrored != own)
		pods_publish(pods, mirrored);
}

static void known_publish(struct pods *pods, const struct known_pod *known)
{
	groups_publish(pods, hashmap_get(&pods->tree, known->uid),
		       hashmap_get(&pods->tree, known->cgroup_uid));
}

static bool is_mirror(const struct known_pod *known)
{
	return strcmp(known->uid, known->cgroup_uid) != 0;
}

static bool known_holds(const struct pods *pods, const struct known_pod *known)
{
	return known->cgroup_uid && hashmap_get(&pods->known_group, known->cgroup_uid) == known;
}

/* Another one that would speak for the groups whose mirror this is. */
static struct known_pod *known_successor(const struct pods *pods, const struct known_pod *known)
{
	struct known_pod *other;

	hashmap_foreach (other, &pods->known)
		if (other != known && !other->gone && is_mirror(other) &&
		    strcmp(other->cgroup_uid, known->cgroup_uid) == 0)
			return other;
	return NULL;
}

static void known_group_forget(struct pods *pods, const struct known_pod *known)
{
	struct known_pod *next;

	if (!known_holds(pods, known))
		return;
	hashmap_remove(&pods->known_group, known->cgroup_uid);
	next = known_successor(pods, known);
	if (next && hashmap_put(&pods->known_group, next->cgroup_uid, next) < 0)
		log_error("no memory for a static pod: ignoring '%s/%s' until its next change",
			  next->shared->pod->namespace, next->shared->pod->name);
}

static void known_remove(struct pods *pods, struct known_pod *known)
{
	hashmap_remove(&pods->known, known->uid);
	known_group_forget(pods, known);
	known_free(known);
}

/* Two that claim one uid: who came first has it, until that one is deleted: the kubelet makes the
 * mirror of a static pod again, and its groups stay. */
static int known_group_note(struct pods *pods, struct known_pod *known)
{
	struct known_pod *holder;

	if (!is_mirror(known))
		return 0;
	holder = hashmap_get(&pods->known_group, known->cgroup_uid);
	if (holder && (holder == known || !holder->gone))
		return 0;
	if (holder)
		hashmap_remove(&pods->known_group, known->cgroup_uid);
	if (holder && !known_has_groups(pods, holder))
		known_remove(pods, holder);
	return hashmap_put(&pods->known_group, known->cgroup_uid, known);
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
	if (known->cgroup_uid && strcmp(known->cgroup_uid, cgroup_uid) == 0) {
		free(cgroup_uid); /* the old one is a key of the map */
	} else {
		known_group_forget(pods, known);
		before = known->cgroup_uid;
		known->cgroup_uid = cgroup_uid;
	}
	shared_pod_unref(known->shared);
	known->shared = shared;
	r = known_group_note(pods, known);
	left = before ? hashmap_get(&pods->tree, before) : NULL;
	if (left)
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
	const struct tree_pod *own = hashmap_get(&pods->tree, known->uid);
	const struct tree_pod *mirrored = hashmap_get(&pods->tree, known->cgroup_uid);

	pods_store_changed(pods);
	known->gone = true;
	known->stale = false;
	if (known_holds(pods, known) && known_successor(pods, known))
		known_group_forget(pods, known);
	if (!known_has_groups(pods, known))
		known_remove(pods, known);
	groups_publish(pods, own, mirrored);
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

static void known_left(struct pods *pods, struct known_pod *known)
{
	if (!known || !known->gone || known_has_groups(pods, known))
		return;
	known_remove(pods, known);
	pods_store_changed(pods);
}

void pods_groups_left(struct pods *pods, const char *group_uid)
{
	known_left(pods, hashmap_get(&pods->known, group_uid));
	known_left(pods, hashmap_get(&pods->known_group, group_uid));
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
