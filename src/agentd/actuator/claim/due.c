/* SPDX-License-Identifier: Apache-2.0 */
/*
 * due.c - one timer for everything that becomes due: leases, retries, ends of yields, reconcile. It
 * is armed for the nearest only, and off while nothing is held.
 */
#include <errno.h>

#include "actuator/claim/internal.h"

/* Lets the kernel serve several timers with one wake-up. */
#define DUE_ACCURACY_USEC (50 * USEC_PER_MSEC)
#define UNWATCHED_USEC    (30 * USEC_PER_SEC)

uint64_t actuator_now(const struct actuator *actuator)
{
	uint64_t now = 0;

	(void)sd_event_now(actuator->context.event, CLOCK_MONOTONIC, &now);
	return now;
}

void due_at(struct actuator *actuator, uint64_t usec)
{
	if (actuator->armed_usec && actuator->armed_usec <= usec)
		return;
	actuator->armed_usec = usec;
	(void)sd_event_source_set_time(actuator->timer, usec);
	(void)sd_event_source_set_enabled(actuator->timer, SD_EVENT_ONESHOT);
}

void due_expect(struct actuator *actuator)
{
	uint64_t interval = actuator->options.reconcile_interval_usec;
	uint64_t now = actuator_now(actuator);

	if (interval && !list_is_empty(&actuator->holdings)) {
		/* One that is over but has not fired yet stays. */
		if (actuator->reconcile_usec == 0 || actuator->reconcile_usec > now + interval)
			actuator->reconcile_usec = now + interval;
		due_at(actuator, actuator->reconcile_usec);
	}
	if (actuator->unwatched) {
		if (actuator->unwatched_usec == 0)
			actuator->unwatched_usec = now + UNWATCHED_USEC;
		due_at(actuator, actuator->unwatched_usec);
	}
}

static uint64_t nearest(uint64_t a, uint64_t b)
{
	if (a == 0 || b == 0)
		return a ? a : b;
	return MIN(a, b);
}

static void due_arm(struct actuator *actuator, uint64_t now)
{
	const struct holding *holding;
	uint64_t next = 0;

	actuator->armed_usec = 0;
	if (actuator->reconcile_usec <= now || list_is_empty(&actuator->holdings))
		actuator->reconcile_usec = 0;
	if (actuator->unwatched_usec <= now || actuator->unwatched == 0)
		actuator->unwatched_usec = 0;
	list_foreach (holding, &actuator->holdings, list) {
		const struct claim *claim;

		next = nearest(next, holding->retry_usec);
		list_foreach (claim, &holding->claims, list)
			next = nearest(next, claim->expires_usec);
	}
	if (next)
		due_at(actuator, next);
	due_expect(actuator);
}

static void due_holding(struct actuator *actuator, struct holding *holding, uint64_t now)
{
	bool retry = holding->retry_usec && holding->retry_usec <= now;
	struct claim *claim, *following;
	bool over = false;

	list_foreach_safe (claim, following, &holding->claims, list) {
		if (!claim->expires_usec || claim->expires_usec > now)
			continue;
		log_debug("the lease of %s on %s of '%s' is over", claim->owner,
			  knob_table[holding->knob].name, holding->group->cgroup.path);
		claim_free(actuator, claim);
		over = true;
	}
	if (retry)
		holding_unsettle(holding);
	if (retry || over)
		holding_settle(actuator, holding);
}

static void reconcile_holding(struct actuator *actuator, struct holding *holding)
{
	if (holding->flags & HOLDING_DEAD)
		return;
	if (!holding_is_claimed(holding) && holding_is_nested(actuator, holding) &&
	    !group_is_alive(actuator, holding->group)) {
		holding_kill(actuator, holding);
		return;
	}
	actuator_unit_look(actuator, holding->group);
	if (!holding->processes && holding->watch < 0 && holding->status == KNOB_WRITTEN)
		drift_watch(actuator, holding);
	if (holding->status == KNOB_FAILED ||
	    (holding->status == KNOB_PENDING && !holding->written)) {
		holding_unsettle(holding);
		holding_settle(actuator, holding);
		return;
	}
	holding_check(actuator, holding);
}

static int due_fire(sd_event_source *source, uint64_t usec, void *data)
{
	struct actuator *actuator = data;
	uint64_t now = actuator_now(actuator);
	bool reconcile = actuator->reconcile_usec && actuator->reconcile_usec <= now;
	bool unwatched = actuator->unwatched_usec && actuator->unwatched_usec <= now;
	struct holding *holding;

	(void)source;
	(void)usec;
	if (reconcile)
		unit_pins_retry(actuator->pins);
	list_foreach (holding, &actuator->holdings, list) {
		if (holding->flags & HOLDING_DEAD)
			continue;
		due_holding(actuator, holding, now);
		if (reconcile)
			reconcile_holding(actuator, holding);
		else if (unwatched && (holding->flags & HOLDING_UNWATCHED))
			holding_check(actuator, holding);
	}
	actuator_sweep(actuator);
	due_arm(actuator, now);
	return 0;
}

int due_start(struct actuator *actuator)
{
	int r = sd_event_add_time(actuator->context.event, &actuator->timer, CLOCK_MONOTONIC, 0,
				  DUE_ACCURACY_USEC, due_fire, actuator);

	if (r < 0)
		return r;
	(void)sd_event_source_set_description(actuator->timer, "knob-due");
	return sd_event_source_set_enabled(actuator->timer, SD_EVENT_OFF);
}

void actuator_reconcile(struct actuator *actuator)
{
	struct holding *holding;

	unit_pins_retry(actuator->pins);
	list_foreach (holding, &actuator->holdings, list)
		reconcile_holding(actuator, holding);
	actuator_sweep(actuator);
}
