/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law-pressure.c - lend what the node has over, at once, and take it back when somebody else needs
 * it. Three states of the node, by its CPU use and by how long online work that nothing throttles
 * waits for a CPU:
 *
 *   quiet   below the high line, little pressure: whoever is throttled gets what he lacked, all of
 *           them together half of what is left to the high line. Half, because what was lent a
 *           moment ago is not all used yet.
 *   busy    above the high line, or some pressure: nothing more is lent, and who does not use what
 *           he has gives half of that back in each tick.
 *   short   above the alarm line, or much pressure: all give back what the node is over its high
 *           line, by what they were lent, at least a quarter of it a tick.
 *
 * In any state, who has not been throttled and has used no more than his limit for ten seconds
 * gives back all.
 */
#include <stdbool.h>

#include "macro.h"
#include "turbo/law.h"

#define PRESSURE_BUSY  10.0 /* percent of time: above, nothing more is lent */
#define PRESSURE_SHORT 25.0 /* above, it is taken back */
#define QUIET_USEC     (10.0 * 1e6)
#define ROOM_SHARE     0.5
#define LEAST_STEP     0.1  /* of the limit: less than that is no help for who is throttled */
#define RETURN_SHARE   0.25 /* of what is lent, in one tick, when the node is short */
#define IGNORED        0.02 /* of the limit: a difference that is not worth a write */

enum state { STATE_QUIET, STATE_BUSY, STATE_SHORT };

static double clamp(double value, double low, double high)
{
	return MAX(low, MIN(value, high));
}

static enum state state_of(const struct turbo_node *node)
{
	if (node->use >= node->alarm || node->pressure >= PRESSURE_SHORT)
		return STATE_SHORT;
	if (node->use >= node->high || node->pressure >= PRESSURE_BUSY)
		return STATE_BUSY;
	return STATE_QUIET;
}

static double lent_to(const struct turbo_container *container)
{
	return MAX(container->quota - container->limit, 0.0);
}

/* What it was held back from in each period in which it was, but never past its height. */
static double wants(const struct turbo_container *container)
{
	double room = TURBO_HEIGHT * container->limit - container->quota, mean;

	if (container->throttled == 0 || container->period_usec <= 0 || room <= 0)
		return 0;
	mean = container->throttled_usec / (double)container->throttled / container->period_usec;
	return MIN(MAX(mean, LEAST_STEP * container->limit), room);
}

static double next_quiet(const struct turbo_container *container, double share)
{
	double next = container->quota + wants(container) * share;

	if (container->throttled == 0 && container->quiet_usec >= QUIET_USEC)
		return container->limit;
	return next;
}

static double next_busy(const struct turbo_container *container)
{
	if (container->throttled > 0)
		return container->quota;
	if (container->quiet_usec >= QUIET_USEC)
		return container->limit;
	return (container->quota + MIN(container->use, container->quota)) / 2;
}

/* share: of what it was lent. */
static double next_short(const struct turbo_container *container, double share)
{
	double lent = lent_to(container) * (1 - share);

	/* The last bit at once, or it would be given back for ever. */
	return lent < LEAST_STEP * container->limit ? container->limit : container->limit + lent;
}

static bool is_ignored(const struct turbo_container *container, double next)
{
	double change = next - container->quota;

	return change < IGNORED * container->limit && change > -IGNORED * container->limit;
}

void turbo_pressure(const struct turbo_node *node, struct turbo_container *containers, size_t count)
{
	double over = MAX(node->use - node->high, 0.0) / 100 * node->cpus;
	double room = MAX(node->high - node->use, 0.0) / 100 * node->cpus * ROOM_SHARE;
	enum state state = state_of(node);
	double lent = 0, wanted = 0, share, back;

	for (size_t i = 0; i < count; i++) {
		lent += lent_to(&containers[i]);
		wanted += wants(&containers[i]);
	}
	share = wanted > room ? room / wanted : 1;
	back = lent > 0 ? clamp(over / lent, RETURN_SHARE, 1) : 1;
	for (size_t i = 0; i < count; i++) {
		struct turbo_container *container = &containers[i];
		double most = TURBO_HEIGHT * container->limit;
		double next = state == STATE_QUIET  ? next_quiet(container, share)
			      : state == STATE_BUSY ? next_busy(container)
						    : next_short(container, back);

		next = clamp(next, container->limit, most);
		/* The ends are always worth it. */
		if (next > container->limit && next < most && is_ignored(container, next))
			next = clamp(container->quota, container->limit, most);
		container->next = next;
	}
}
