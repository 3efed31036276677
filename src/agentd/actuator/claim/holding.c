/* SPDX-License-Identifier: Apache-2.0 */
/* holding.c - one knob of one group: what it is asked for, and its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/claim/internal.h"

struct holding *holding_find_device(const struct group *group, enum knob knob, uint32_t device)
{
	struct holding *holding;

	list_foreach (holding, &group->holdings, in_group)
		if (holding->knob == knob && holding->device == device &&
		    !(holding->flags & HOLDING_DEAD))
			return holding;
	return NULL;
}

struct holding *holding_find(const struct group *group, enum knob knob)
{
	return holding_find_device(group, knob, 0);
}

int holding_get(struct actuator *actuator, struct group *group, enum knob knob,
		struct holding **ret)
{
	return holding_get_device(actuator, group, knob, 0, ret);
}

int holding_get_device(struct actuator *actuator, struct group *group, enum knob knob,
		       uint32_t device, struct holding **ret)
{
	struct holding *holding = holding_find_device(group, knob, device);

	if (!holding) {
		holding = calloc(1, sizeof(*holding));
		if (!holding)
			return -ENOMEM;
		if (knob_table[knob].flags & KNOB_PROCESSES) {
			int r = process_knob_new(actuator->context.root,
						 actuator->context.hierarchy, &group->cgroup, knob,
						 &holding->processes);

			if (r < 0) {
				free(holding);
				return r;
			}
		}
		holding->group = group;
		holding->knob = (uint8_t)knob;
		holding->device = device;
		holding->status = KNOB_PENDING;
		holding->watch = -1;
		list_init(&holding->claims);
		list_append(&actuator->holdings, &holding->list);
		list_append(&group->holdings, &holding->in_group);
		actuator->stats.holdings++;
		due_expect(actuator);
	}
	*ret = holding;
	return 0;
}

/* Nothing is written: it was put back before, or its group is gone. */
void holding_kill(struct actuator *actuator, struct holding *holding)
{
	struct claim *claim, *following;

	if (holding->flags & HOLDING_DEAD)
		return;
	holding_slow_forget(actuator, holding);
	list_foreach_safe (claim, following, &holding->claims, list)
		claim_free(actuator, claim);
	holding_forget_record(actuator, holding);
	drift_unwatch(actuator, holding);
	holding->flags |= HOLDING_DEAD;
	list_append(&actuator->graves, &holding->grave);
	group_suspect(actuator, holding->group);
	actuator_unit_look(actuator, holding->group);
	holding->retry_usec = 0;
	actuator->stats.holdings--;
}

static void holding_free(struct holding *holding)
{
	list_unlink(&holding->list);
	list_unlink(&holding->in_group);
	holding->processes = process_knob_free(holding->processes);
	free(holding->original);
	free(holding->written);
	free(holding);
}

void actuator_sweep(struct actuator *actuator)
{
	/* Each looks at what died, never at all there is: it runs after every unclaim. */
	while (!list_is_empty(&actuator->graves)) {
		struct holding *holding = list_entry(actuator->graves.next, struct holding, grave);

		list_unlink(&holding->grave);
		holding_free(holding);
	}
	/* Freeing one makes its parent suspect: a parent goes after its last child. */
	while (!list_is_empty(&actuator->suspects)) {
		struct group *group = list_entry(actuator->suspects.next, struct group, suspect);

		list_unlink(&group->suspect);
		if (list_is_empty(&group->holdings) && list_is_empty(&group->children) &&
		    group->targets == 0)
			group_free(actuator, group);
	}
}

void holding_place(const struct actuator *actuator, const struct holding *holding,
		   struct knob_place *ret)
{
	*ret = (struct knob_place){
		.root = actuator->context.root,
		.hierarchy = actuator->context.hierarchy,
		.group = &holding->group->cgroup,
		.knob = (enum knob)holding->knob,
		.device = holding->device,
	};
}

int holding_version(const struct actuator *actuator, const struct holding *holding)
{
	struct knob_place place;

	holding_place(actuator, holding, &place);
	return knob_place_version(&place);
}

bool holding_is_claimed(const struct holding *holding)
{
	return !list_is_empty(&holding->claims);
}

static bool claim_beats(const struct knob_row *row, uint64_t a, uint64_t b)
{
	if (row->merge == MERGE_EXCLUSIVE || row->merge == MERGE_INTERSECT)
		return false;
	if (row->type == KNOB_TYPE_S64)
		return row->merge == MERGE_MAX ? (int64_t)a > (int64_t)b : (int64_t)a < (int64_t)b;
	return row->merge == MERGE_MAX ? a > b : a < b;
}

const struct claim *holding_effective_claim(const struct holding *holding)
{
	const struct knob_row *row = &knob_table[holding->knob];
	const struct claim *claim, *best = NULL;

	list_foreach (claim, &holding->claims, list)
		if (!best || claim_beats(row, claim->number, best->number))
			best = claim;
	return best;
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* The kernel hands protection out to children at most as far as their parent has it itself
 * (cgroup-v2.rst, memory.min), so that a parent needs what its children claim together. */
static bool holding_sum(const struct holding *holding, uint64_t *ret)
{
	const struct group *child;
	uint64_t sum = 0;
	bool any = false;

	list_foreach (child, &holding->group->children, sibling) {
		const struct holding *below = holding_find(child, (enum knob)holding->knob);
		const struct claim *claim = below ? holding_effective_claim(below) : NULL;
		uint64_t number = 0;

		if (!below || (!holding_sum(below, &number) && !claim))
			continue;
		sum = add_saturated(sum, claim ? MAX(number, claim->number) : number);
		any = true;
	}
	if (any)
		*ret = sum;
	return any;
}

/* A two-level kernel knows 0 and -1 only and answers EINVAL to the finer levels. The group that
 * writeback counts for is named by its inode. */
static uint64_t holding_clamp(const struct actuator *actuator, const struct holding *holding,
			      uint64_t number)
{
	if (holding->knob == KNOB_MEMORY_WB_BLKIO)
		return holding->group->cgroup.inode[CONTROLLER_IO];
	if (holding->knob != KNOB_CPU_QOS_LEVEL || !actuator->probed ||
	    actuator->capabilities.knobs[KNOB_CPU_QOS_LEVEL].multilevel)
		return number;
	return (int64_t)number < 0 ? (uint64_t)-1 : 0;
}

static bool holding_original(const struct actuator *actuator, const struct holding *holding,
			     uint64_t *ret)
{
	return holding->original &&
	       knob_parse((enum knob)holding->knob, holding_version(actuator, holding),
			  holding->original, ret) == 0;
}

static bool cpus_effective(const struct actuator *actuator, const struct holding *holding,
			   uint64_t *ret)
{
	char text[KNOB_TEXT_MAX];
	struct cpulist list;

	if (!holding_cpus(actuator, holding, &list))
		return false;
	/* One that is too long is found out when it is written. */
	(void)cpulist_format(&list, text, sizeof(text));
	*ret = hash_bytes(text, strlen(text));
	return true;
}

bool holding_effective(const struct actuator *actuator, struct holding *holding, uint64_t *ret)
{
	const struct claim *claim = holding_effective_claim(holding);
	uint64_t sum = 0, original = UINT64_MAX;
	bool summed = (knob_table[holding->knob].flags & KNOB_SUM_UP) && holding_sum(holding, &sum);

	if (knob_table[holding->knob].flags & KNOB_CPULIST)
		return cpus_effective(actuator, holding, ret);
	if (!claim && (knob_table[holding->knob].flags & KNOB_GROW_UP))
		return holding_grown(actuator, holding, ret);
	if (!claim && !summed)
		return false;
	/* An ancestor that nobody claimed is never lowered. */
	if (!claim && holding_original(actuator, holding, &original))
		sum = MAX(sum, original);
	if (claim)
		sum = summed ? MAX(sum, claim->number) : claim->number;
	if ((knob_table[holding->knob].flags & KNOB_LOWER_ONLY) &&
	    holding_original(actuator, holding, &original))
		sum = MIN(sum, original);
	*ret = holding_clamp(actuator, holding, sum);
	return true;
}

bool holding_is_locked(const struct actuator *actuator, const struct holding *holding)
{
	int locker = knob_locked_by((enum knob)holding->knob);
	const struct holding *lock =
		locker >= 0 ? holding_find(holding->group, (enum knob)locker) : NULL;
	uint64_t number;

	return lock && lock->written &&
	       knob_parse((enum knob)lock->knob, holding_version(actuator, lock), lock->written,
			  &number) == 0 &&
	       number != 0;
}

/* On want of memory the old text stays: an older value of ours is still one of ours. */
void holding_set_text(char **text, const char *value)
{
	char *copy = value ? strdup(value) : NULL;

	if (value && !copy)
		return;
	free(*text);
	*text = copy;
}
