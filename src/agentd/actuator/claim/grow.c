/* SPDX-License-Identifier: Apache-2.0 */
/*
 * grow.c - quotas that go up through the tree. A group that is given more than its original gets
 * nothing of it while a group above has a quota that is used up: v1 refuses the write (EINVAL,
 * tg_cfs_schedulable_down() in kernel/sched/core.c), v2 throttles the parent. So every ancestor
 * that has a quota gets as much more as is given below it, up to, and not including, the root of
 * the pods, whose quota is what the node's owner leaves to pods. Parents first on the way up,
 * children first on the way down.
 *
 * What a claim takes away below is nobody's to have: ancestors never go below their original. An
 * ancestor that is claimed itself stands as it is claimed.
 */
#include <errno.h>

#include "actuator/claim/internal.h"
#include "kube-cgroup.h"

#define DEPTH_MAX 64u /* far beyond any nesting of cgroups */

static int text_number(const struct actuator *actuator, const struct group *group, enum knob knob,
		       const char *text, uint64_t *ret)
{
	int version = actuator->context.hierarchy->mounts[knob_table[knob].controller].version;
	int dirfd = cgroup_open(actuator->context.hierarchy, &group->cgroup,
				knob_table[knob].controller);
	int r;

	if (dirfd < 0)
		return dirfd;
	r = knob_parse_in(dirfd, knob, version, text, ret);
	(void)close_keep_errno(dirfd);
	return r;
}

int group_number(const struct actuator *actuator, const struct group *group, enum knob knob,
		 uint64_t *ret)
{
	char text[KNOB_TEXT_MAX];
	int r = group_look(actuator, group, knob, text, sizeof(text));

	return r < 0 ? r : text_number(actuator, group, knob, text, ret);
}

int holding_base(const struct actuator *actuator, struct holding *holding, uint64_t *ret)
{
	enum knob knob = (enum knob)holding->knob;
	char text[KNOB_TEXT_MAX];
	int r = 0;

	if (holding->flags & HOLDING_BASED) {
		*ret = holding->base;
		return 0;
	}
	if (!holding->original) {
		r = group_look(actuator, holding->group, knob, text, sizeof(text));
		if (r == 0)
			r = holding_set_original(holding, actuator, text);
		if (r < 0)
			return r;
	}
	r = text_number(actuator, holding->group, knob, holding->original, &holding->base);
	if (r < 0)
		return r;
	holding->flags |= HOLDING_BASED;
	*ret = holding->base;
	return 0;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* What its parent needs more than it had, for this group and those below it. */
static uint64_t group_growth(const struct actuator *actuator, const struct group *group,
			     enum knob knob, unsigned int depth)
{
	struct holding *holding = holding_find(group, knob);
	const struct claim *claim = holding ? holding_effective_claim(holding) : NULL;
	const struct group *child;
	uint64_t sum = 0, base;

	/* Without a quota, before or after, it has what its parent has. */
	if (claim)
		return holding_base(actuator, holding, &base) == 0 && claim->number != UINT64_MAX &&
				       claim->number > base
			       ? claim->number - base
			       : 0;
	if (depth == DEPTH_MAX)
		return 0;
	list_foreach (child, &group->children, sibling)
		sum = add_saturated(sum, group_growth(actuator, child, knob, depth + 1));
	return sum;
}

bool holding_grown(const struct actuator *actuator, struct holding *holding, uint64_t *ret)
{
	uint64_t growth = group_growth(actuator, holding->group, (enum knob)holding->knob, 0);
	uint64_t base;

	if (growth == 0 || holding_base(actuator, holding, &base) < 0 || base == UINT64_MAX)
		return false;
	/* Not "none", even if that is what it comes to. */
	*ret = MIN(add_saturated(base, growth), UINT64_MAX - 1);
	return true;
}

static bool is_kube_root(const struct group *group)
{
	struct kube_cgroup kube;

	kube_cgroup_parse(group->cgroup.path, &kube);
	return kube.kind == KUBE_ROOT;
}

static bool group_has_value(const struct actuator *actuator, const struct group *group,
			    enum knob knob)
{
	uint64_t number;

	return group_number(actuator, group, knob, &number) == 0 && number != UINT64_MAX;
}

void grow_settle_above(struct actuator *actuator, struct group *group, enum knob knob)
{
	struct group *parent = group->parent;
	struct holding *above;

	/* Put back or to be put back: nothing is written, and what is above has its own turn. */
	if (!actuator_writes(actuator))
		return;
	/* Nothing above ever grew for it. */
	if (!parent && group_growth(actuator, group, knob, 0) == 0)
		return;
	if (group_parent(actuator, group, &parent) < 0 || is_kube_root(parent))
		return;
	above = holding_find(parent, knob);
	if (!above && group_growth(actuator, parent, knob, 0) > 0 &&
	    group_has_value(actuator, parent, knob) &&
	    holding_get(actuator, parent, knob, &above) < 0)
		return;
	if (above)
		holding_settle(actuator, above);
	else
		grow_settle_above(actuator, parent, knob);
}

void grow_settle_refused(struct actuator *actuator, const struct holding *holding)
{
	struct holding *other;

	if (!actuator->refused || !(knob_table[holding->knob].flags & KNOB_GROW_UP) ||
	    !actuator_writes(actuator))
		return;
	/* Set again by what is refused again. */
	actuator->refused = false;
	list_foreach (other, &actuator->holdings, list) {
		if (other->knob != holding->knob || other == holding ||
		    (other->flags & HOLDING_DEAD) || other->status != KNOB_FAILED ||
		    other->error != -EINVAL)
			continue;
		if (!group_is_below(other->group, holding->group) &&
		    !group_is_below(holding->group, other->group)) {
			actuator->refused = true;
			continue;
		}
		holding_unsettle(other);
		holding_settle(actuator, other);
	}
}

bool holding_is_raised(const struct actuator *actuator, struct holding *holding)
{
	uint64_t base;

	return (knob_table[holding->knob].flags & KNOB_GROW_UP) &&
	       holding_base(actuator, holding, &base) == 0 && holding->number > base;
}
