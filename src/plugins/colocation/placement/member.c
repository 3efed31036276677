/* SPDX-License-Identifier: Apache-2.0 */
/* member.c - the workloads that are placed, as far as placement goes by them. */
#include <stdlib.h>
#include <string.h>

#include "placement/state.h"

#define DEPTH_MAX 64 /* far beyond any nesting of cgroups */

struct member *member_get(struct placement *placement, uint64_t id)
{
	return hashmap_get_u64(&placement->members, id);
}

struct member *member_make(struct placement *placement, const struct berth_workload *workload)
{
	struct member *member = calloc(1, sizeof(*member));

	if (!member)
		return NULL;
	member->id = workload->id;
	if (hashmap_put_u64(&placement->members, member->id, member) < 0) {
		free(member);
		return NULL;
	}
	return member;
}

void member_fill(struct member *member, const struct placement *placement,
		 const struct berth_workload *workload, bool below_offline)
{
	uint64_t milli = workload->cpu_request_milli;
	bool whole = milli > 0 && milli % 1000 == 0 && milli / 1000 <= CPULIST_MAX;

	member->is_container = strcmp(workload->kind, "container") == 0;
	member->is_pod = strcmp(workload->kind, "pod") == 0;
	member->parent = workload->parent;
	member->pod = member->is_container ? workload->parent : 0;
	member->qos = workload->qos;
	member->ignored = workload->flags & WORKLOAD_IGNORED;
	member->top_offline = !member->ignored && workload->qos < QOS_NORMAL && !below_offline;
	member->offline = !member->ignored && (workload->qos < QOS_NORMAL || below_offline);
	member->cpus = placement->whole_cores && !member->ignored && !member->is_container &&
				       !member->offline && whole && workload->qos == QOS_CRITICAL
			       ? (unsigned int)(milli / 1000)
			       : 0;
}

static void member_free(struct member *member)
{
	free(member->given);
	free(member->own);
	free(member);
}

void member_drop(struct placement *placement, uint64_t id)
{
	struct member *member = hashmap_remove_u64(&placement->members, id);

	placement->may_peek = false;
	if (member)
		member_free(member);
}

void members_free(struct placement *placement)
{
	struct member *member;

	hashmap_foreach (member, &placement->members)
		member_free(member);
	hashmap_done(&placement->members);
}

void member_mark_above(struct placement *placement, const struct member *member)
{
	uint64_t id = member->parent;

	for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		struct member *above = member_get(placement, id);

		if (!above)
			return;
		above->above_given |= member->given != NULL;
		above->above_offline |= member->offline && !above->offline;
		id = above->parent;
	}
}

static const struct member *above(const struct placement *placement, const struct member *member,
				  bool (*is)(const struct member *member))
{
	uint64_t id = member->parent;

	for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		const struct member *one = hashmap_get_u64(&placement->members, id);

		if (!one || is(one))
			return one;
		id = one->parent;
	}
	return NULL;
}

static bool wishes(const struct member *member)
{
	return member->cpus > 0 && !member->holds;
}

static bool has_cores(const struct member *member)
{
	return member->given != NULL;
}

const struct member *member_wish_above(const struct placement *placement,
				       const struct member *member)
{
	return above(placement, member, wishes);
}

const struct member *member_given_above(const struct placement *placement,
					const struct member *member)
{
	return above(placement, member, has_cores);
}

/* Who has whom below. */
void members_relate(struct placement *placement)
{
	struct member *member;

	placement->offline_count = placement->wish_count = 0;
	hashmap_foreach (member, &placement->members)
		member->above_given = member->above_offline = false;
	hashmap_foreach (member, &placement->members) {
		placement->offline_count += member->top_offline;
		placement->wish_count += member->cpus > 0;
		if (member->given || member->offline)
			member_mark_above(placement, member);
	}
}

bool member_keep(struct cpulist **kept, const struct cpulist *list)
{
	if (!list || cpulist_is_empty(list)) {
		free(*kept);
		*kept = NULL;
		return true;
	}
	if (!*kept)
		*kept = malloc(sizeof(**kept));
	if (!*kept)
		return false;
	**kept = *list;
	return true;
}
