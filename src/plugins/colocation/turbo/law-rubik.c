/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law-rubik.c - the law of rubik's quotaTurbo. A container may be raised while it is throttled and
 * the node is quiet, is lowered when the node is busy, and on average over some seconds gets no
 * more than about its limit: what it may have above is what it left unused in that time.
 */
#include "macro.h"
#include "turbo/law.h"

#define ELEVATE_PERCENT 1.0  /* of the node's CPUs that all together are raised by in one tick */
#define SLOW_FALLBACK   0.1  /* of what is lent, given back in one tick at the alarm line */
#define SPREAD_PERCENT  10.0 /* a node whose use varies by more in a minute is not quiet */
#define BUDGET_HEIGHTS  3.0  /* a budget of so many full quotas a period allows all of it */

static double clamp(double value, double low, double high)
{
	return MAX(low, MIN(value, high));
}

/* Mean share of a period in which it was held back, in CPUs. */
static double lacks(const struct turbo_container *container)
{
	if (container->throttled == 0 || container->period_usec <= 0)
		return 0;
	return container->throttled_usec / (double)container->throttled / container->period_usec;
}

/* Above the high line, those that need it least give back a little. */
static double slow_fallback(const struct turbo_node *node, const struct turbo_container *container)
{
	if (node->use < node->high || container->quota <= container->limit ||
	    container->throttled > 0)
		return 0;
	return (node->use - node->high) / (node->alarm - node->high) * SLOW_FALLBACK *
	       (container->limit - container->quota);
}

/* Above the alarm line, all give back what the node is over it, by what they were lent. */
static double fast_fallback(const struct turbo_node *node, const struct turbo_container *container,
			    double lent)
{
	double over = (node->alarm - node->use) / 100 * node->cpus;

	if (node->use < node->alarm || lent <= 0)
		return 0;
	return (container->quota - container->limit) / lent * over;
}

static double elevate(const struct turbo_node *node, const struct turbo_container *container,
		      double lacking)
{
	double most = ELEVATE_PERCENT / 100 * node->cpus;

	if (node->alarm - node->use < ELEVATE_PERCENT || node->spread > SPREAD_PERCENT ||
	    lacking <= 0)
		return 0;
	return MIN(lacking, most) / lacking * lacks(container);
}

/* What its budget of the window allows: limit x time, less what it used. */
static double most_of(const struct turbo_container *container)
{
	double limit = container->limit, height = TURBO_HEIGHT * limit, left, budget;
	double others = (double)container->samples - 1;

	/* Nothing is known of what it used. */
	if (container->samples < 2 || container->window_usec <= 0)
		return limit;
	left = limit * container->window_usec * (double)container->samples / others -
	       container->window_use_usec;
	budget = left / container->window_usec * others;
	if (budget <= BUDGET_HEIGHTS * height)
		budget = limit + (height - limit) * budget / (BUDGET_HEIGHTS * height);
	return clamp(budget, limit, height);
}

void turbo_rubik(const struct turbo_node *node, struct turbo_container *containers, size_t count)
{
	double lent = 0, lacking = 0;

	for (size_t i = 0; i < count; i++) {
		lent += containers[i].quota - containers[i].limit;
		lacking += lacks(&containers[i]);
	}
	for (size_t i = 0; i < count; i++) {
		struct turbo_container *container = &containers[i];
		double next = container->quota + slow_fallback(node, container) +
			      fast_fallback(node, container, lent) +
			      elevate(node, container, lacking);

		container->next = MAX(MIN(next, most_of(container)), container->limit);
	}
}
