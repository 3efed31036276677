/* SPDX-License-Identifier: Apache-2.0 */
/* item.c - one container that quota turbo may raise: its limit, what is claimed, what is said. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "macro.h"
#include "turbo/run.h"

/* A group appears some milliseconds before its runtime writes its quota; one that never gets one
 * (exclusive CPUs) is looked at more and more rarely. */
#define LOOK_USEC     USEC_PER_SEC
#define LOOK_MAX_USEC (64 * USEC_PER_SEC)
#define PERIOD_USEC   100000.0 /* the kubelet's, and the kernel's default */
#define TELL_USEC     USEC_PER_SEC
/* A limit that the kernel rounded, or the law to the last bit. */
#define NOTHING_USEC 10u

static struct berth_target target_of(const struct turbo_item *item)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = item->id };
}

static void item_tell(struct turbo *turbo, struct turbo_item *item, const char *why)
{
	uint64_t number = item->claimed ? item->claimed : item->original;
	char text[192];

	if (item->told == number && item->told_usec)
		return;
	/* Both ends at once, what is between them once a second. */
	if (item->told_usec && item->claimed && item->told != item->original &&
	    turbo->now_usec < item->told_usec + TELL_USEC)
		return;
	if (item->claimed)
		(void)snprintf(text, sizeof(text), "%.2f CPUs, its limit is %.2f: %s",
			       turbo_cpus(number), turbo_cpus(item->original), why);
	else
		(void)snprintf(text, sizeof(text), "at its limit of %.2f CPUs: %s",
			       turbo_cpus(number), why);
	turbo->agent->api->describe(turbo->agent, item->id, "turbo", text);
	item->told = number;
	item->told_usec = MAX(turbo->now_usec, UINT64_C(1));
}

void turbo_return(struct turbo *turbo, struct turbo_item *item)
{
	if (!item->claimed)
		return;
	turbo->agent->api->unclaim_as(turbo->agent, TURBO_PART, target_of(item),
				      KNOB_CPU_QUOTA_USEC);
	item->claimed = 0;
	turbo->changes++;
}

void turbo_item_give_up(struct turbo *turbo, struct turbo_item *item, const char *why)
{
	char text[128];

	if (!item->claimed)
		return;
	turbo_return(turbo, item);
	(void)snprintf(text, sizeof(text), "at its limit: %s", why);
	turbo->agent->api->describe(turbo->agent, item->id, "turbo", text);
	item->told_usec = 0;
}

static void item_claim(struct turbo *turbo, struct turbo_item *item, uint64_t number)
{
	const struct knob_value value = { .number = number };
	char text[96];
	int r;

	if (number == item->claimed)
		return;
	r = turbo->agent->api->claim_as(turbo->agent, TURBO_PART, target_of(item),
					KNOB_CPU_QUOTA_USEC, &value, 0,
					"throttled at its limit while the node has CPU over");
	/* It went: that is told. */
	if (r == -ENOENT)
		return;
	if (r < 0) {
		(void)snprintf(text, sizeof(text), "refused: %s", strerror(-r));
		turbo->agent->api->describe(turbo->agent, item->id, "turbo", text);
		item->told_usec = 0;
		return;
	}
	item->claimed = number;
	turbo->changes++;
}

static void item_begin(struct turbo *turbo, struct turbo_item *item, uint64_t original,
		       uint64_t now)
{
	item->state = TURBO_RUNS;
	item->original = original;
	item->counted = false;
	item->counted_usec = turbo->now_usec;
	item->samples = item->first = 0;
	item->period_usec = PERIOD_USEC;
	item->quiet_usec = turbo->now_usec;
	item->told_usec = 0;
	/* Raised by the run before: go on from there. */
	if (now > original && (double)now <= TURBO_HEIGHT * (double)original)
		item_claim(turbo, item, now);
	item_tell(turbo, item, "not throttled yet");
}

void turbo_item_look(struct turbo *turbo, struct turbo_item *item)
{
	uint64_t original, now, wait = turbo->now_usec - item->told_usec;
	int r;

	if (turbo->now_usec < item->look_usec)
		return;
	r = turbo->agent->api->knob_value(turbo->agent, target_of(item), KNOB_CPU_QUOTA_USEC,
					  &original, &now);
	if (r == 0 && original != UINT64_MAX && original > 0) {
		item_begin(turbo, item, original, now);
		return;
	}
	/* told_usec: when it was looked at first. */
	if (!item->told_usec) {
		item->told_usec = MAX(turbo->now_usec, UINT64_C(1));
		wait = 0;
		turbo->agent->api->describe(turbo->agent, item->id, "turbo",
					    "left alone: its group has no quota");
	}
	item->look_usec = turbo->now_usec + MIN(MAX(wait, LOOK_USEC), LOOK_MAX_USEC);
}

/* Somebody else may have written another limit since: the kubelet long after the pod was changed,
 * or who does not tell the API. A claim goes by the limit, and made of the one before it could be
 * less than what the container may have without it. */
static bool item_has_its_limit(struct turbo *turbo, struct turbo_item *item)
{
	uint64_t original;

	if (turbo->agent->api->knob_value(turbo->agent, target_of(item), KNOB_CPU_QUOTA_USEC,
					  &original, NULL) == 0 &&
	    original == item->original)
		return true;
	turbo_return(turbo, item);
	item->state = TURBO_LOOKS;
	item->look_usec = item->told_usec = 0;
	return false;
}

void turbo_item_apply(struct turbo *turbo, struct turbo_item *item,
		      const struct turbo_container *container)
{
	uint64_t number = (uint64_t)(container->next * TURBO_UNIT + 0.5);

	if ((item->claimed || number > item->original + NOTHING_USEC) &&
	    !item_has_its_limit(turbo, item))
		return;
	if (number <= item->original + NOTHING_USEC) {
		turbo_return(turbo, item);
		item_tell(turbo, item,
			  container->throttled ? "throttled, and the node has nothing over"
					       : "not throttled");
	} else {
		item_claim(turbo, item, number);
		item_tell(turbo, item, "lent while the node has it");
	}
	if (item->claimed || container->throttled)
		turbo->active_usec = item->hot_usec = turbo->now_usec;
}
