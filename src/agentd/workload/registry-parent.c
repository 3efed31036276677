/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry-parent.c - who is above whom. A map from every path above a workload to how many are
 * below it tells at once that a new one has nobody to adopt: without it thousands of groups that
 * appear together would each walk over all others.
 */
#include <string.h>

#include "cleanup.h"
#include "workload/registry-internal.h"

struct above {
	size_t below; /* workloads */
	char path[];
};

/* It was checked: it fits. */
static void path_copy(const char *cgroup, char path[static CGROUP_PATH_MAX])
{
	memcpy(path, cgroup, strlen(cgroup) + 1);
}

/* Cut the last component off; false when it was the only one. */
static bool path_up(char *path)
{
	char *slash = strrchr(path, '/');

	if (!slash)
		return false;
	*slash = '\0';
	return true;
}

struct workload *registry_parent(const struct registry *registry, const char *cgroup,
				 const char *parent_cgroup)
{
	char path[CGROUP_PATH_MAX];
	struct workload *parent =
		parent_cgroup ? registry_find_path(registry, parent_cgroup) : NULL;

	if (parent && strcmp(parent->cgroup->path, cgroup) != 0)
		return parent;
	path_copy(cgroup, path);
	while (path_up(path)) {
		parent = registry_find_path(registry, path);
		if (parent)
			return parent;
	}
	return NULL;
}

void workload_link_parent(struct registry *registry, struct workload *workload,
			  const struct workload *parent)
{
	struct workload *above;

	workload->view.parent = parent ? parent->view.id : 0;
	workload->orphan = workload->parent_cgroup &&
			   (!parent || strcmp(parent->cgroup->path, workload->parent_cgroup) != 0);
	if (workload->orphan) {
		registry->orphans++;
		list_append(&registry->adrift, &workload->adrift);
	}
	above = registry_get(registry, workload->view.parent);
	if (above)
		list_append(&above->below, &workload->beside);
}

void workload_unlink_parent(struct registry *registry, struct workload *workload)
{
	list_unlink(&workload->beside);
	list_unlink(&workload->adrift);
	workload->view.parent = 0;
	registry->orphans -= workload->orphan;
	workload->orphan = false;
}

static int above_add(struct registry *registry, const char *path)
{
	struct above *above = hashmap_get(&registry->above, path);
	size_t size = strlen(path) + 1;
	int r;

	if (above) {
		above->below++;
		return 0;
	}
	above = malloc(sizeof(*above) + size);
	if (!above)
		return -ENOMEM;
	above->below = 1;
	memcpy(above->path, path, size);
	r = hashmap_put(&registry->above, above->path, above);
	if (r < 0)
		free(above);
	return r;
}

static void above_drop(struct registry *registry, const char *path)
{
	struct above *above = hashmap_get(&registry->above, path);

	if (!above || --above->below > 0)
		return;
	hashmap_remove(&registry->above, above->path);
	free(above);
}

int registry_note_above(struct registry *registry, const struct workload *workload)
{
	char path[CGROUP_PATH_MAX];
	size_t noted = 0;
	int r = 0;

	path_copy(workload->cgroup->path, path);
	while (path_up(path)) {
		r = above_add(registry, path);
		if (r < 0)
			break;
		noted++;
	}
	if (r == 0)
		return 0;
	path_copy(workload->cgroup->path, path);
	while (noted-- > 0 && path_up(path))
		above_drop(registry, path);
	return r;
}

void registry_forget_above(struct registry *registry, const struct workload *workload)
{
	char path[CGROUP_PATH_MAX];

	path_copy(workload->cgroup->path, path);
	while (path_up(path))
		above_drop(registry, path);
}

bool workload_may_adopt(const struct workload *workload, const struct workload *child)
{
	size_t length = strlen(workload->cgroup->path);

	if (child->orphan && strcmp(child->parent_cgroup, workload->cgroup->path) == 0)
		return true;
	return strncmp(child->cgroup->path, workload->cgroup->path, length) == 0 &&
	       child->cgroup->path[length] == '/';
}

bool registry_has_below(const struct registry *registry, const struct workload *workload)
{
	return hashmap_get(&registry->above, workload->cgroup->path) != NULL;
}

void registry_above_done(struct registry *registry)
{
	struct above *above;

	hashmap_foreach (above, &registry->above)
		free(above);
	hashmap_done(&registry->above);
}
