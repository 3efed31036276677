/* SPDX-License-Identifier: Apache-2.0 */
/* nested.c - lists of CPUs in groups that contain each other (knob/nested.h), by what is held. */
#include <stdio.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "file.h"

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

/* The list shrinks to what it has in common with each claim; with one that would leave nothing it
 * stays as it is. Were there any? */
static bool narrow_by_claims(const struct holding *holding, struct cpulist *list)
{
	const struct claim *claim;
	bool any = false;

	list_foreach (claim, &holding->claims, list) {
		struct cpulist one;

		if (!claim->text || cpulist_parse(claim->text, &one) < 0)
			continue;
		any = true;
		cpulist_intersect(&one, list);
		if (!cpulist_is_empty(&one))
			*list = one;
	}
	return any;
}

static void narrow_by_original(const struct holding *holding, struct cpulist *list)
{
	struct cpulist one;

	if (!holding->original || cpulist_parse(holding->original, &one) < 0)
		return;
	cpulist_intersect(&one, list);
	if (!cpulist_is_empty(&one))
		*list = one;
}

/* From the top: what is above goes first, because the kernel has it so. */
static bool narrow_by_above(const struct actuator *actuator, const struct holding *holding,
			    struct cpulist *list)
{
	char path[CGROUP_PATH_MAX];
	bool any = false;

	(void)snprintf(path, sizeof(path), "%s", holding->group->cgroup.path);
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		const struct group *group;
		const struct holding *above;

		*slash = '\0';
		group = hashmap_get(&actuator->by_path, path);
		*slash = '/';
		above = group ? holding_find(group, (enum knob)holding->knob) : NULL;
		if (!above)
			continue;
		narrow_by_original(above, list);
		any |= narrow_by_claims(above, list);
	}
	return any;
}

bool holding_cpus(const struct actuator *actuator, const struct holding *holding,
		  struct cpulist *ret)
{
	struct cpulist list;
	bool any = false;

	memset(&list, 0xff, sizeof(list));
	if (holding_is_nested(actuator, holding))
		any = narrow_by_above(actuator, holding, &list);
	narrow_by_original(holding, &list);
	any |= narrow_by_claims(holding, &list);
	if (any)
		*ret = list;
	return any;
}

bool holding_is_nested(const struct actuator *actuator, const struct holding *holding)
{
	return knob_is_nested((enum knob)holding->knob, holding_version(actuator, holding));
}

/* One of the groups below: it is held from now on if it has to follow. */
static void settle_one_below(struct actuator *actuator, const struct holding *holding,
			     const char *path, const char *current, const char *before,
			     const struct cpulist *target)
{
	CLEANUP(cgroup_freep) struct cgroup *cgroup = NULL;
	enum knob knob = (enum knob)holding->knob;
	struct group *group = hashmap_get(&actuator->by_path, path);
	struct holding *below = group ? holding_find(group, knob) : NULL;
	bool copied = before[0] && knob_same(knob, 1, current, before);
	struct cpulist list;

	if (!below) {
		if (!copied &&
		    (cpulist_parse(current, &list) < 0 || cpulist_is_within(&list, target)))
			return;
		if (cgroup_new(actuator->context.hierarchy, path, &cgroup) < 0 ||
		    group_get(actuator, cgroup, &group) < 0 ||
		    holding_get(actuator, group, knob, &below) < 0)
			return;
		/* What it holds came from us. */
		if (copied) {
			holding_set_text(&below->original, holding->original);
			holding_set_text(&below->written, current);
		}
	}
	holding_unsettle(below);
	holding_settle(actuator, below);
}

void nested_settle_below(struct actuator *actuator, const struct holding *holding,
			 const struct knob_file *file, const char *before,
			 const struct cpulist *target)
{
	cleanup_closedir DIR *dir = nested_below_open(file->dirfd);
	char path[CGROUP_PATH_MAX], current[KNOB_TEXT_MAX], name[NAME_MAX + 64];
	const char *child;

	while (dir && (child = nested_below_next(dir))) {
		(void)snprintf(name, sizeof(name), "%s/%s", child, file->name);
		if (nested_below_path(holding->group->cgroup.path, child, path) < 0 ||
		    file_read(file->dirfd, name, current, sizeof(current)) < 0)
			continue;
		settle_one_below(actuator, holding, path, current, before, target);
	}
}

struct keeper {
	const struct actuator *actuator;
	enum knob knob;
};

static bool is_held(void *data, const char *path)
{
	const struct keeper *keeper = data;
	const struct group *group = hashmap_get(&keeper->actuator->by_path, path);

	return group && holding_find(group, keeper->knob);
}

void nested_restore_copies(struct actuator *actuator, const struct holding *holding)
{
	struct keeper keeper = { .actuator = actuator, .knob = (enum knob)holding->knob };
	struct knob_place place;

	if (!holding->written || !holding->original || !holding_is_nested(actuator, holding))
		return;
	holding_place(actuator, holding, &place);
	nested_restore_below(&place, holding->written, holding->original, is_held, &keeper);
}

void nested_released(struct actuator *actuator, const struct holding *holding)
{
	struct holding *below;

	if (!holding_is_nested(actuator, holding))
		return;
	list_foreach (below, &actuator->holdings, list) {
		if (below->knob != holding->knob || (below->flags & HOLDING_DEAD) ||
		    !group_is_below(below->group, holding->group))
			continue;
		holding_unsettle(below);
		holding_settle(actuator, below);
	}
}
