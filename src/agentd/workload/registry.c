/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/registry.h"

#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "limit.h"
#include "monotonic.h"
#include "workload/annotation.h"
#include "workload/registry-internal.h"
#include "workload/word.h"

static struct workload *workload_free(struct workload *workload)
{
	if (!workload)
		return NULL;
	words_free(workload->words);
	qos_decision_done(&workload->decision);
	cgroup_free(workload->cgroup);
	free(workload);
	return NULL;
}

DEFINE_CLEANUP(struct workload *, workload_free);
DEFINE_CLEANUP(struct word *, words_free);
DEFINE_CLEANUP(struct cgroup *, cgroup_free);

void registry_init(struct registry *registry, const struct hierarchy *hierarchy,
		   const struct settings *settings, registry_listener listener, void *data)
{
	*registry = (struct registry){
		.hierarchy = hierarchy,
		.settings = settings,
		.listener = listener,
		.listener_data = data,
		.warnings = { .interval_usec = 60 * USEC_PER_SEC, .burst = 20 },
	};
	list_init(&registry->workloads);
	list_init(&registry->adrift);
}

void registry_done(struct registry *registry)
{
	struct workload *workload, *following;

	list_foreach_safe (workload, following, &registry->workloads, link)
		workload_free(workload);
	list_init(&registry->workloads);
	list_init(&registry->adrift);
	registry->orphans = 0;
	registry_above_done(registry);
	hashmap_done(&registry->by_path);
	hashmap_done(&registry->by_id);
	registry->count = 0;
}

static void workload_set_parent(struct registry *registry, struct workload *workload,
				const struct workload *parent)
{
	workload_unlink_parent(registry, workload);
	workload_link_parent(registry, workload, parent);
	if (workload->inherits && workload_decide(registry, workload) < 0)
		log_error("no memory to decide the level of '%s' again: it stays %s",
			  workload->cgroup->path, qos_name(workload->view.qos));
	registry_tell(registry, WORKLOAD_UPDATED, workload);
}

static void adopt_one(struct registry *registry, const struct workload *parent,
		      struct workload *workload)
{
	if (workload_may_adopt(parent, workload) &&
	    registry_parent(registry, workload->cgroup->path, workload->parent_cgroup) == parent)
		workload_set_parent(registry, workload, parent);
}

/* What was told before the one above it finds it now. */
static void adopt(struct registry *registry, const struct workload *parent)
{
	struct workload *workload, *following;

	if (registry_has_below(registry, parent))
		list_foreach (workload, &registry->workloads, link)
			adopt_one(registry, parent, workload);
	else
		list_foreach_safe (workload, following, &registry->adrift, adrift)
			adopt_one(registry, parent, workload);
}

/* It is in no map any more: its children go to whoever is above it. */
static void orphan_children(struct registry *registry, struct workload *parent)
{
	struct workload *child, *following;

	list_foreach_safe (child, following, &parent->below, beside)
		workload_set_parent(
			registry, child,
			registry_parent(registry, child->cgroup->path, child->parent_cgroup));
}

static void registry_remove(struct registry *registry, struct workload *workload)
{
	uint64_t parent = workload->view.parent;

	list_unlink(&workload->link);
	registry_forget_above(registry, workload);
	hashmap_remove(&registry->by_path, workload->cgroup->path);
	hashmap_remove_u64(&registry->by_id, workload->view.id);
	registry->count--;
	workload_unlink_parent(registry, workload);
	workload->view.parent = parent;
	orphan_children(registry, workload);
	registry_tell(registry, WORKLOAD_REMOVED, workload);
	workload_free(workload);
}

/* Takes group and words over in any case. */
static int registry_add(struct registry *registry, struct cgroup *group, struct word *words)
{
	CLEANUP(workload_freep) struct workload *workload = calloc(1, sizeof(*workload));
	int r;

	if (!workload || registry->count >= LIMIT_WORKLOADS) {
		bool full = workload != NULL;

		if (full && registry->refused++ == 0)
			log_warning(
				"more than %u workloads on this node: ignoring '%s' and what else "
				"comes",
				LIMIT_WORKLOADS, group->path);
		cgroup_free(group);
		words_free(words);
		return full ? -ENOSPC : -ENOMEM;
	}
	workload->cgroup = group;
	workload->words = words;
	list_init(&workload->below);
	workload->view.id = registry->last_id + 1;
	workload->added_usec = monotonic_usec();
	r = workload_decide(registry, workload);
	if (r < 0)
		return r;
	r = hashmap_put_u64(&registry->by_id, workload->view.id, workload);
	if (r < 0)
		return r;
	r = hashmap_put(&registry->by_path, group->path, workload);
	if (r < 0) {
		hashmap_remove_u64(&registry->by_id, workload->view.id);
		return r;
	}
	r = registry_note_above(registry, workload);
	if (r < 0) {
		hashmap_remove(&registry->by_path, group->path);
		hashmap_remove_u64(&registry->by_id, workload->view.id);
		return r;
	}
	registry->last_id++;
	registry->count++;
	list_append(&registry->workloads, &workload->link);
	workload->announced = true;
	workload_link_parent(registry, workload,
			     registry_parent(registry, group->path, workload->parent_cgroup));
	registry_tell(registry, WORKLOAD_ADDED, workload);
	workload_note(registry, workload, &(struct qos_decision){ 0 });
	adopt(registry, workload);
	workload = NULL;
	return 0;
}

/* Is `now` another group under the path of `before`? A hierarchy that it has left stays in
 * `before`, so that its successor there is told from it. */
static bool group_is_another(const struct cgroup *before, const struct cgroup *now)
{
	bool shared = false;

	for (unsigned int i = 0; i < CONTROLLER_MAX; i++) {
		if (before->inode[i] == 0 || now->inode[i] == 0)
			continue;
		if (before->inode[i] != now->inode[i])
			return true;
		shared = true;
	}
	return !shared;
}

static bool group_has_appeared(struct cgroup *group, const struct cgroup *now)
{
	bool appeared = false;

	for (unsigned int i = 0; i < CONTROLLER_MAX; i++)
		if (group->inode[i] == 0 && now->inode[i] != 0) {
			group->inode[i] = now->inode[i];
			appeared = true;
		}
	return appeared;
}

/* Look at the cgroup again. *ret_workload is the one that stands for it now: NULL if it went,
 * another one if the path was made again. 1 if it appeared in a hierarchy. */
static int workload_look(struct registry *registry, struct workload *workload,
			 struct workload **ret_workload)
{
	CLEANUP(cgroup_freep) struct cgroup *now = NULL;
	struct word *words;
	int r;

	r = cgroup_new(registry->hierarchy, workload->cgroup->path, &now);
	if (r == -ENOENT) {
		registry_remove(registry, workload);
		*ret_workload = NULL;
		return r;
	}
	if (r < 0)
		return r;
	if (!group_is_another(workload->cgroup, now)) {
		*ret_workload = workload;
		return group_has_appeared(workload->cgroup, now);
	}
	/* The words are about the path, and the REMOVED event still reads them. */
	words = workload->words;
	workload->words = NULL;
	registry_remove(registry, workload);
	*ret_workload = NULL;
	r = registry_add(registry, TAKE_PTR(now), words);
	if (r < 0)
		return r;
	*ret_workload = list_entry(registry->workloads.previous, struct workload, link);
	return 0;
}

/* Replace what the source of `word` said. Takes the word over. */
static int workload_hear(struct registry *registry, struct workload *workload, struct word *word,
			 bool appeared)
{
	CLEANUP(words_freep) struct word *before = words_detach(&workload->words, word->source);
	int r;

	words_insert(&workload->words, word);
	r = workload_decide_again(registry, workload, appeared);
	if (r < 0) {
		words_free(words_detach(&workload->words, word->source));
		if (before)
			words_insert(&workload->words, TAKE_PTR(before));
	}
	return r;
}

int registry_put(struct registry *registry, const char *source, unsigned int rank,
		 const struct workload_record *record)
{
	struct workload *workload = registry_find_path(registry, record->cgroup);
	CLEANUP(words_freep) struct word *word = NULL;
	struct cgroup *group = NULL;
	struct word *known;
	bool appeared = false;
	int r;

	r = cgroup_path_check(record->cgroup);
	if (r < 0)
		return r;
	if (workload) {
		r = workload_look(registry, workload, &workload);
		if (r < 0)
			return r;
		appeared = r > 0;
		known = words_find(workload->words, source);
		if (known && word_says(known, record)) {
			known->seen = registry->generation;
			if (appeared)
				registry_tell(registry, WORKLOAD_UPDATED, workload);
			return 0;
		}
	}
	r = word_new(source, rank, record, &word);
	if (r < 0)
		return r;
	word->seen = registry->generation;
	if (workload)
		return workload_hear(registry, workload, TAKE_PTR(word), appeared);
	r = cgroup_new(registry->hierarchy, record->cgroup, &group);
	if (r < 0)
		return r;
	return registry_add(registry, group, TAKE_PTR(word));
}

/* The source of this word no longer vouches for it. */
static void workload_unhear(struct registry *registry, struct workload *workload,
			    const char *source)
{
	CLEANUP(words_freep) struct word *word = words_detach(&workload->words, source);
	bool appeared;
	int r;

	if (!word)
		return;
	if (!workload->words) {
		/* Its REMOVED event still reads what it said. */
		words_insert(&workload->words, TAKE_PTR(word));
		registry_remove(registry, workload);
		return;
	}
	/* Who was told first that the group is gone need not be who spoke for it. */
	r = workload_look(registry, workload, &workload);
	if (r < 0 && !workload)
		return;
	appeared = r > 0;
	r = workload_decide_again(registry, workload, appeared);
	if (r < 0)
		words_insert(&workload->words, TAKE_PTR(word));
}

void registry_drop(struct registry *registry, const char *source, const char *cgroup)
{
	struct workload *workload = registry_find_path(registry, cgroup);

	if (workload)
		workload_unhear(registry, workload, source);
}

void registry_snapshot_begin(struct registry *registry, const char *source)
{
	(void)source;
	registry->generation++;
}

void registry_snapshot_end(struct registry *registry, const char *source)
{
	struct workload *workload, *following;

	list_foreach_safe (workload, following, &registry->workloads, link) {
		const struct word *word = words_find(workload->words, source);

		if (word && word->seen != registry->generation)
			workload_unhear(registry, workload, source);
	}
}

void registry_reload(struct registry *registry, const struct settings *settings)
{
	struct workload *workload;

	registry->settings = settings;
	list_foreach (workload, &registry->workloads, link)
		if (workload_decide_again(registry, workload, false) < 0)
			log_error("no memory to decide the level of '%s' again: it stays %s",
				  workload->cgroup->path, qos_name(workload->view.qos));
}
