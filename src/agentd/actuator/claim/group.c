/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - the groups that are held, by path and inode, and the targets that point at them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/claim/internal.h"

struct group *group_find_target(const struct actuator *actuator, struct berth_target target)
{
	switch (target.kind) {
	case TARGET_WORKLOAD:
		return hashmap_get_u64(&actuator->by_target, target.id);
	case TARGET_HOST:
	case TARGET_DEVICE: /* by a line of the root group's files */
	case TARGET_NET:
		return hashmap_get(&actuator->by_path, "");
	case TARGET_CPU:
		break;
	}
	return NULL;
}

/* v1 makes a group in one hierarchy after the other: what is 0 on one side is not a difference. */
static bool group_is_same(const struct cgroup *a, const struct cgroup *b)
{
	for (unsigned int i = 0; i < CONTROLLER_MAX; i++)
		if (a->inode[i] && b->inode[i] && a->inode[i] != b->inode[i])
			return false;
	return true;
}

/* A group that was removed and made again before anybody told: the old holdings are void. */
static void group_replace(struct actuator *actuator, struct group *group)
{
	struct holding *holding;

	(void)hashmap_remove(&actuator->by_path, group->cgroup.path);
	group->replaced = true;
	list_foreach (holding, &group->holdings, in_group) {
		holding_kill(actuator, holding);
		holding_settle_above(actuator, holding);
	}
}

bool group_is_alive(const struct actuator *actuator, const struct group *group)
{
	for (unsigned int i = 0; i < CONTROLLER_MAX; i++) {
		cleanup_close int fd = -EBADF;

		if (!group->cgroup.inode[i])
			continue;
		fd = cgroup_open(actuator->context.hierarchy, &group->cgroup, (enum controller)i);
		if (fd >= 0)
			return true;
	}
	return false;
}

static int group_new(struct actuator *actuator, const struct cgroup *cgroup, struct group **ret)
{
	struct group *group = calloc(1, sizeof(*group));
	char *path = strdup(cgroup->path);

	if (!group || !path || hashmap_put(&actuator->by_path, path, group) < 0) {
		free(path);
		free(group);
		return -ENOMEM;
	}
	group->cgroup = *cgroup;
	group->cgroup.path = path;
	group->target.kind = TARGET_HOST;
	list_init(&group->holdings);
	list_init(&group->children);
	list_append(&actuator->groups, &group->list);
	/* Until it has a holding: whoever asked for it may fail before. */
	group_suspect(actuator, group);
	*ret = group;
	return 0;
}

void group_suspect(struct actuator *actuator, struct group *group)
{
	list_unlink(&group->suspect);
	list_append(&actuator->suspects, &group->suspect);
}

int group_get(struct actuator *actuator, const struct cgroup *cgroup, struct group **ret)
{
	struct group *group = hashmap_get(&actuator->by_path, cgroup->path);

	if (group && !group_is_same(&group->cgroup, cgroup)) {
		/* Whoever asks knows the one that was there before. */
		if (group_is_alive(actuator, group))
			return -ESTALE;
		group_replace(actuator, group);
		group = NULL;
	}
	if (!group)
		return group_new(actuator, cgroup, ret);
	for (unsigned int i = 0; i < CONTROLLER_MAX; i++)
		if (cgroup->inode[i])
			group->cgroup.inode[i] = cgroup->inode[i];
	*ret = group;
	return 0;
}

int group_bind(struct actuator *actuator, struct group *group, const struct actuator_target *target)
{
	const char *label = intern_get(&actuator->strings, target->label ? target->label : "");
	struct group *bound;

	if (!label)
		return -ENOMEM;
	intern_put(&actuator->strings, group->label);
	group->label = label;
	group->target = target->target;
	if (target->target.kind != TARGET_WORKLOAD)
		return 0;
	bound = hashmap_get_u64(&actuator->by_target, target->target.id);
	if (bound == group)
		return 0;
	if (bound)
		group_unbind(actuator, bound, target->target.id);
	if (hashmap_put_u64(&actuator->by_target, target->target.id, group) < 0)
		return -ENOMEM;
	group->targets++;
	return 0;
}

void group_unbind(struct actuator *actuator, struct group *group, uint64_t id)
{
	if (hashmap_remove_u64(&actuator->by_target, id))
		group->targets--;
	group_suspect(actuator, group);
}

int group_for_target(struct actuator *actuator, const struct actuator_target *target,
		     struct group **ret)
{
	struct cgroup host = { .path = (char[]){ "" } };
	bool is_host = target->target.kind != TARGET_WORKLOAD;
	const struct actuator_target whole = { .target = { .kind = TARGET_HOST }, .label = "host" };
	const struct cgroup *cgroup = is_host ? &host : target->group;
	struct group *group;

	if (!cgroup)
		return -EINVAL;
	if (!is_host) {
		int r = cgroup_path_check(cgroup->path);

		if (r < 0)
			return r;
	}
	int r = group_get(actuator, cgroup, &group);

	if (r == 0)
		r = group_bind(actuator, group, is_host ? &whole : target);
	if (r < 0)
		return r;
	*ret = group;
	return 0;
}

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

void group_look_again(const struct actuator *actuator, struct group *group,
		      enum controller controller)
{
	CLEANUP(cgroup_freep) struct cgroup *now = NULL;

	if (group->cgroup.inode[controller] != 0 || !group->cgroup.path[0] ||
	    cgroup_new(actuator->context.hierarchy, group->cgroup.path, &now) < 0)
		return;
	/* In the hierarchies that it was known in it must still be the same. */
	if (group_is_same(&group->cgroup, now))
		group->cgroup.inode[controller] = now->inode[controller];
}

int group_parent(struct actuator *actuator, struct group *group, struct group **ret)
{
	CLEANUP(cgroup_freep) struct cgroup *cgroup = NULL;
	cleanup_free char *path = NULL;
	const char *slash = strrchr(group->cgroup.path, '/');

	if (group->parent) {
		*ret = group->parent;
		return 0;
	}
	if (!slash)
		return -ENOENT;
	path = strndup(group->cgroup.path, (size_t)(slash - group->cgroup.path));
	if (!path)
		return -ENOMEM;
	int r = cgroup_new(actuator->context.hierarchy, path, &cgroup);

	if (r == 0)
		r = group_get(actuator, cgroup, &group->parent);
	if (r != 0)
		return r;
	list_append(&group->parent->children, &group->sibling);
	*ret = group->parent;
	return 0;
}

bool group_is_below(const struct group *group, const struct group *ancestor)
{
	size_t length = strlen(ancestor->cgroup.path);

	return length > 0 && strncmp(group->cgroup.path, ancestor->cgroup.path, length) == 0 &&
	       group->cgroup.path[length] == '/';
}

void group_free(struct actuator *actuator, struct group *group)
{
	struct group *child;

	list_foreach (child, &group->children, sibling)
		child->parent = NULL;
	while (!list_is_empty(&group->children))
		list_unlink(group->children.next);
	if (group->parent) {
		list_unlink(&group->sibling);
		group_suspect(actuator, group->parent);
	}
	list_unlink(&group->suspect);
	if (!group->replaced)
		(void)hashmap_remove(&actuator->by_path, group->cgroup.path);
	list_unlink(&group->list);
	intern_put(&actuator->strings, group->label);
	free(group->cgroup.path);
	free(group);
}
