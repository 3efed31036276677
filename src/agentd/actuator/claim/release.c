/* SPDX-License-Identifier: Apache-2.0 */
/* release.c - a holding's end: its original is put back. */
#include <errno.h>

#include "actuator/claim/internal.h"

/* systemd is writing all of the unit's knobs. What it held before was ours, or what is to be put
 * back; of a locked weight it was nothing. */
static bool release_is_passing(const struct actuator *actuator, const struct holding *holding)
{
	const char *path = holding->group->cgroup.path;
	enum knob knob = (enum knob)holding->knob;
	int version = holding_version(actuator, holding);
	char held[KNOB_TEXT_MAX];

	if (!unit_pins_are_busy(actuator->pins, path))
		return false;
	if (!unit_pins_held(actuator->pins, path, knob, held, sizeof(held)))
		return holding->flags & HOLDING_WAS_LOCKED;
	return knob_same(knob, version, held, holding->original ? holding->original : "") ||
	       knob_same(knob, version, held, holding->written ? holding->written : "");
}

static void release_item(const struct actuator *actuator, const struct holding *holding,
			 struct restore_item *ret)
{
	*ret = (struct restore_item){
		.original = holding->original ? holding->original : "",
		.previous = "",
		.written = holding->written ? holding->written : "",
		.processes = holding->processes,
		.was_locked = holding->flags & HOLDING_WAS_LOCKED,
		.passing = release_is_passing(actuator, holding),
	};
	holding_place(actuator, holding, &ret->place);
}

static void release_tell(struct actuator *actuator, const struct holding *holding, int result)
{
	switch (result) {
	case RESTORE_DONE:
		actuator->stats.restores++;
		actuator_tell(actuator, holding, "restore", holding->original, "restored", 0);
		break;
	case RESTORE_FOREIGN:
		actuator->stats.foreign_writes++;
		actuator_tell(actuator, holding, "restore", holding->original,
			      "left: somebody else's value stands", 0);
		break;
	case RESTORE_REFUSED:
		actuator->stats.restore_errors++;
		actuator_tell(actuator, holding, "restore", holding->original,
			      "the kernel does not take it back", -EINVAL);
		break;
	default:
		break;
	}
}

static int release_fail(struct actuator *actuator, struct holding *holding, int error)
{
	actuator->stats.restore_errors++;
	if (holding->backoff_msec == 0)
		actuator_tell(actuator, holding, "restore", holding->original, "failed", error);
	holding_unsettle(holding);
	holding_fail(actuator, holding, error, "restore");
	return error;
}

/* result: enum restore_result. */
static void release_end(struct actuator *actuator, struct holding *holding, int result)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct holding *locked;

	release_tell(actuator, holding, result);
	/* While its record still tells a next run what is to be done. */
	nested_restore_copies(actuator, holding);
	holding_kill(actuator, holding);
	if (result == RESTORE_DONE)
		holding_settle_below(actuator, holding);
	nested_released(actuator, holding);
	grow_settle_refused(actuator, holding);
	burst_follow(actuator, holding);
	locked = row->locks >= 0 ? holding_find(holding->group, (enum knob)row->locks) : NULL;
	/* When everything is put back, its turn comes by itself. */
	if (locked && actuator_writes(actuator)) {
		holding_unsettle(locked);
		holding_settle(actuator, locked);
	}
}

/* systemd may have written over it before, or be about to. */
static void release_tell_unit(struct actuator *actuator, const struct holding *holding, int result)
{
	bool was_locked = holding->flags & HOLDING_WAS_LOCKED;

	if (!holding->original || (!holding->written && !was_locked) ||
	    (was_locked && result == RESTORE_FOREIGN))
		return;
	unit_pins_wrote(actuator->pins, holding->group->cgroup.path, (enum knob)holding->knob,
			was_locked ? NULL : holding->written, holding->original);
}

int holding_release(struct actuator *actuator, struct holding *holding)
{
	struct restore_item item;
	uint64_t base;
	int r = RESTORE_NOTHING;

	holding_slow_end(actuator, holding);
	release_item(actuator, holding, &item);
	if (holding->original && (holding->written || (holding->flags & HOLDING_WAS_LOCKED)))
		r = restore_knob(&item);
	/* A burst that somebody still claims is above it. */
	if (r == -EINVAL && holding->knob == KNOB_CPU_QUOTA_USEC &&
	    holding_base(actuator, holding, &base) == 0 && burst_yield(actuator, holding, base))
		r = restore_knob(&item);
	if (r < 0)
		return release_fail(actuator, holding, r);
	release_tell_unit(actuator, holding, r);
	release_end(actuator, holding, r);
	return 0;
}

void holding_release_slowly(struct actuator *actuator, struct holding *holding)
{
	struct restore_item item;
	int r;

	release_item(actuator, holding, &item);
	r = holding_restore_slowly(actuator, holding, &item);
	if (r < 0) {
		(void)release_fail(actuator, holding, r);
		return;
	}
	holding->status = KNOB_PENDING;
	holding->error = 0;
	holding->retry_usec = 0;
}

void holding_is_restored(struct actuator *actuator, struct holding *holding, int result)
{
	if (result < 0) {
		(void)release_fail(actuator, holding, result);
		return;
	}
	if (!holding_is_claimed(holding)) {
		release_end(actuator, holding, result);
		return;
	}
	/* Claimed again meanwhile: from what stands there now. */
	release_tell(actuator, holding, result);
	holding_set_text(&holding->written, NULL);
	holding_unsettle(holding);
	holding_settle(actuator, holding);
}

int holding_put_back(struct actuator *actuator, struct holding *holding)
{
	struct list claims;
	struct holding *wish;
	int r;

	list_init(&claims);
	while (!list_is_empty(&holding->claims)) {
		struct list *member = holding->claims.next;

		list_unlink(member);
		list_append(&claims, member);
	}
	r = holding_release(actuator, holding);
	/* Released is dead; the wish gets a holding of its own. */
	if (r < 0)
		wish = holding;
	else if (list_is_empty(&claims) ||
		 holding_get_device(actuator, holding->group, (enum knob)holding->knob,
				    holding->device, &wish) < 0)
		wish = NULL;
	while (!list_is_empty(&claims)) {
		struct list *member = claims.next;

		list_unlink(member);
		if (wish)
			list_append(&wish->claims, member);
		else
			claim_free(actuator, list_entry(member, struct claim, list));
	}
	if (wish && wish != holding)
		holding_settle(actuator, wish);
	return r;
}
