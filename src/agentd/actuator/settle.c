/* SPDX-License-Identifier: Apache-2.0 */
/* settle.c - bring the host in line with the claims on one holding. */
#include <errno.h>
#include <string.h>

#include "actuator/actuator-internal.h"
#include "parse.h"

#define BACKOFF_FIRST_MSEC 1000u

static bool error_is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENODEV;
}

void holding_unsettle(struct holding *holding)
{
	holding->flags &= (uint16_t)~HOLDING_SETTLED;
	holding->retry_usec = 0;
}

static void holding_log_failure(struct actuator *actuator, const struct holding *holding,
				const char *what)
{
	const struct log_context context = {
		.workload = holding->group->label,
		.knob = knob_table[holding->knob].name,
	};
	/* A group that vanishes is life, and a failure that repeats is told once. */
	int level =
		error_is_gone(holding->error) || holding->backoff_msec ? LOG_DEBUG : LOG_WARNING;

	if (level == LOG_DEBUG || log_limit_pass(&actuator->write_limit, LOG_WARNING))
		log_full(level, &context, "cannot %s %s of '%s': %s", what, context.knob,
			 holding->group->cgroup.path, strerror(-holding->error));
}

void holding_fail(struct actuator *actuator, struct holding *holding, int error, const char *what)
{
	uint64_t now = actuator_now(actuator);
	uint64_t most = MAX(actuator->options.reconcile_interval_usec, USEC_PER_SEC);

	holding->status = KNOB_FAILED;
	holding->error = error == -ENXIO ? -ENOENT : error;
	if (error_is_gone(error)) {
		/* Its workload's end, or the hierarchy it is still to appear in, will be told. */
		holding->status = KNOB_PENDING;
		holding->retry_usec = 0;
		holding_log_failure(actuator, holding, what);
		return;
	}
	if (error == -ENXIO) {
		holding->status = KNOB_PENDING;
		holding_log_failure(actuator, holding, what);
		holding->backoff_msec = (uint32_t)(most / USEC_PER_MSEC);
	} else {
		actuator->stats.write_errors++;
		holding_log_failure(actuator, holding, what);
		holding->backoff_msec =
			holding->backoff_msec ? holding->backoff_msec * 2 : BACKOFF_FIRST_MSEC;
	}
	holding->backoff_msec =
		(uint32_t)MIN((uint64_t)holding->backoff_msec, most / USEC_PER_MSEC);
	holding->retry_usec = now + holding->backoff_msec * USEC_PER_MSEC;
	due_at(actuator, holding->retry_usec);
}

void holding_settle_above(struct actuator *actuator, struct holding *holding)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct group *parent = holding->group->parent;
	struct holding *above;
	uint64_t number;

	if (!(row->flags & KNOB_SUM_UP))
		return;
	if (!(holding->flags & HOLDING_DEAD) && holding_effective(actuator, holding, &number) &&
	    group_parent(actuator, holding->group, &parent) == 0 &&
	    holding_get(actuator, parent, (enum knob)holding->knob, &above) < 0)
		return;
	above = parent ? holding_find(parent, (enum knob)holding->knob) : NULL;
	if (above)
		holding_settle(actuator, above);
}

/* The kernel hands the new value of a parent down to everything below, over what we hold there. */
static void settle_below(struct actuator *actuator, const struct holding *holding)
{
	struct holding *below;

	if (!(knob_table[holding->knob].flags & KNOB_TOP_DOWN))
		return;
	list_foreach (below, &actuator->holdings, list) {
		cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
		struct knob_place place;
		char text[KNOB_TEXT_MAX];

		if (below->knob != holding->knob || !below->written ||
		    (below->flags & HOLDING_DEAD) || !group_is_below(below->group, holding->group))
			continue;
		holding_place(actuator, below, &place);
		if (knob_file_open(&place, false, &file) < 0 ||
		    knob_file_read(&file, text, sizeof(text)) < 0 ||
		    knob_same(place.knob, file.version, text, below->written))
			continue;
		/* Not foreign: it came from our own write. */
		holding_set_text(&below->written, text);
		holding_unsettle(below);
		holding_settle(actuator, below);
	}
}

static void release_item(const struct actuator *actuator, const struct holding *holding,
			 struct restore_item *ret)
{
	int64_t number = 0;

	*ret = (struct restore_item){
		.original = holding->original ? holding->original : "",
		.previous = "",
		.written = holding->written ? holding->written : "",
		.processes = holding->processes,
		.was_locked = holding->flags & HOLDING_WAS_LOCKED,
	};
	holding_place(actuator, holding, &ret->place);
	if (holding->processes && parse_s64(ret->written, &number) == 0)
		ret->number = (uint64_t)number;
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

int holding_release(struct actuator *actuator, struct holding *holding)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct holding *locked;
	struct restore_item item;
	int r = RESTORE_NOTHING;

	release_item(actuator, holding, &item);
	if (holding->original && (holding->written || (holding->flags & HOLDING_WAS_LOCKED)))
		r = restore_knob(&item);
	if (r < 0) {
		actuator->stats.restore_errors++;
		if (holding->backoff_msec == 0)
			actuator_tell(actuator, holding, "restore", holding->original, "failed", r);
		holding_unsettle(holding);
		holding_fail(actuator, holding, r, "restore");
		return r;
	}
	release_tell(actuator, holding, r);
	holding_kill(actuator, holding);
	if (r == RESTORE_DONE)
		settle_below(actuator, holding);
	locked = row->locks >= 0 ? holding_find(holding->group, (enum knob)row->locks) : NULL;
	/* When everything is put back, its turn comes by itself. */
	if (locked && actuator_writes(actuator)) {
		holding_unsettle(locked);
		holding_settle(actuator, locked);
	}
	return 0;
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
		 holding_get(actuator, holding->group, (enum knob)holding->knob, &wish) < 0)
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

/* The weight goes out of reach once cpu.idle is 1, and is 100 after: its original is taken now. */
static int settle_lock(struct actuator *actuator, struct holding *holding, uint64_t number,
		       struct holding **ret_locked)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct holding *locked;
	int version, r;

	if (row->locks < 0)
		return 0;
	locked = holding_find(holding->group, (enum knob)row->locks);
	if (!locked && number != 0) {
		version = actuator->context.hierarchy->mounts[row->controller].version;
		if (!knob_file((enum knob)row->locks, version))
			return 0;
		r = holding_get(actuator, holding->group, (enum knob)row->locks, &locked);
		if (r < 0)
			return r;
	}
	if (locked && number != 0) {
		r = holding_shadow(actuator, holding, locked);
		if (r < 0)
			return r;
	}
	*ret_locked = locked;
	return 0;
}

static void settle_write(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	struct holding *locked = NULL;
	int r = settle_lock(actuator, holding, number, &locked);

	if (r == 0)
		r = holding_write(actuator, holding, number);
	if (r < 0) {
		holding_fail(actuator, holding, r, "write");
	} else {
		holding->status = KNOB_WRITTEN;
		holding->error = 0;
		holding->backoff_msec = 0;
		holding->retry_usec = 0;
		if (!holding->processes)
			drift_watch(actuator, holding);
		settle_below(actuator, holding);
		actuator_unit_look(actuator, holding->group);
	}
	if (locked) {
		holding_unsettle(locked);
		holding_settle(actuator, locked);
	}
}

static void settle_hold_back(struct actuator *actuator, struct holding *holding, bool wanted)
{
	/* One that could not be put back is tried again, pause or not. */
	if (holding->written || (holding->flags & HOLDING_WAS_LOCKED)) {
		if (holding->retry_usec == 0)
			(void)holding_put_back(actuator, holding);
		return;
	}
	if (!wanted) {
		holding_kill(actuator, holding);
		return;
	}
	holding->status = actuator->paused ? KNOB_PAUSED : KNOB_DRY_RUN;
	holding->error = 0;
}

static void settle_one(struct actuator *actuator, struct holding *holding, bool wanted,
		       uint64_t number)
{
	bool same = wanted && (holding->flags & HOLDING_SETTLED) && holding->number == number;

	/* Written, yielded, or failed with its retry to come: nothing new. */
	if (same && actuator_writes(actuator))
		return;
	holding->number = number;
	if (wanted)
		holding->flags |= HOLDING_SETTLED;
	if (!actuator_writes(actuator)) {
		settle_hold_back(actuator, holding, wanted);
		return;
	}
	if (holding_is_locked(actuator, holding)) {
		holding->status = KNOB_SHADOWED;
		holding->error = 0;
		holding->flags |= HOLDING_WAS_LOCKED;
		return;
	}
	if (wanted)
		settle_write(actuator, holding, number);
	else
		(void)holding_release(actuator, holding);
}

void holding_settle(struct actuator *actuator, struct holding *holding)
{
	bool sums = knob_table[holding->knob].flags & KNOB_SUM_UP;
	uint64_t number = 0;
	bool wanted, raising;

	if (holding->flags & HOLDING_DEAD)
		return;
	wanted = holding_effective(actuator, holding, &number);
	raising =
		sums && wanted && (!(holding->flags & HOLDING_SETTLED) || number > holding->number);
	if (raising)
		holding_settle_above(actuator, holding);
	settle_one(actuator, holding, wanted, number);
	if (sums && !raising)
		holding_settle_above(actuator, holding);
}
