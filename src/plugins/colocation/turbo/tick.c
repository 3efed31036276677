/* SPDX-License-Identifier: Apache-2.0 */
/* tick.c - one tick of quota turbo: count, ask the law, claim what changed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "cleanup.h"
#include "macro.h"
#include "service.h"
#include "turbo/run.h"

#define HOT_USEC    (2 * USEC_PER_SEC)
#define ACTIVE_USEC (2 * USEC_PER_SEC)
/* Who is raised and cannot be watched goes back after so long: nobody would take it away. */
#define BLIND_USEC (2 * USEC_PER_SEC)

static const enum sample_value values_of[TURBO_VALUES] = {
	[TURBO_PERIODS] = SAMPLE_CPU_PERIODS,
	[TURBO_THROTTLED] = SAMPLE_CPU_THROTTLED_PERIODS,
	[TURBO_THROTTLED_USEC] = SAMPLE_CPU_THROTTLED_USEC,
	[TURBO_USED] = SAMPLE_CPU_USAGE_USEC,
};

/* What one tick needs of each container. */
struct scratch {
	uint64_t values[TURBO_VALUES];
	struct turbo_item *item;
};

static struct scratch *scratch_get(struct turbo *turbo)
{
	struct scratch *grown;

	if (turbo->scratch_count >= turbo->count)
		return turbo->scratch;
	grown = reallocarray(turbo->scratch, turbo->capacity, sizeof(*grown));
	if (!grown)
		return NULL;
	turbo->scratch = grown;
	turbo->scratch_count = turbo->capacity;
	return grown;
}

static bool is_hot(const struct turbo *turbo, const struct turbo_item *item)
{
	/* rubik's law goes by what each one used in the last seconds, throttled or not. */
	return turbo->config->law == TURBO_LAW_RUBIK || item->claimed ||
	       (item->hot_usec && turbo->now_usec < item->hot_usec + HOT_USEC);
}

/* A cold one has its turn in one tick of so many. */
static bool has_turn(const struct turbo *turbo, const struct turbo_item *item)
{
	uint64_t turns = turbo->timer_usec ? TURBO_COLD_USEC / turbo->timer_usec : 0;

	return turns < 2 || item->at % turns == turbo->ticks % turns;
}

/* Of those that run, the hot ones or the cold ones whose turn it is, behind the `count` that there
 * are; how many there are then, or -errno. */
static int items_read(struct turbo *turbo, struct scratch *scratch, size_t count, bool hot,
		      uint64_t *ids, uint64_t *values)
{
	size_t value_count = hot ? TURBO_VALUES : TURBO_COLD_VALUES, added = 0;
	int r;

	for (size_t i = 0; i < turbo->count; i++) {
		struct turbo_item *item = turbo->items[i];

		if (item->state != TURBO_RUNS || is_hot(turbo, item) != hot ||
		    (!hot && !has_turn(turbo, item)))
			continue;
		scratch[count + added].item = item;
		ids[added++] = item->id;
	}
	if (added == 0)
		return (int)count;
	r = turbo->agent->api->peek(turbo->agent, ids, added, values_of, value_count, values);
	for (size_t i = 0; i < added && r >= 0; i++) {
		scratch[count + i].values[TURBO_USED] = UINT64_MAX;
		memcpy(scratch[count + i].values, &values[i * value_count],
		       value_count * sizeof(*values));
	}
	return r < 0 ? r : (int)(count + added);
}

static void items_look(struct turbo *turbo)
{
	for (size_t i = 0; i < turbo->count; i++)
		if (turbo->items[i]->state == TURBO_LOOKS)
			turbo_item_look(turbo, turbo->items[i]);
}

/* Those of which something can be said, together at the front. */
static size_t items_count(struct turbo *turbo, struct scratch *scratch, size_t count,
			  struct turbo_container *containers)
{
	size_t known = 0;

	for (size_t i = 0; i < count; i++) {
		struct turbo_item *item = scratch[i].item;

		if (!turbo_item_count(turbo, item, scratch[i].values, &containers[known])) {
			if (turbo->now_usec - item->counted_usec >= BLIND_USEC)
				turbo_item_give_up(turbo, item, "its counters cannot be read");
			continue;
		}
		scratch[known].item = item;
		known++;
	}
	return known;
}

void turbo_show(struct turbo *turbo)
{
	const struct agent_api *api = turbo->agent->api;
	double raised = 0, lent = 0;

	for (size_t i = 0; i < turbo->count; i++) {
		const struct turbo_item *item = turbo->items[i];

		if (!item->claimed)
			continue;
		raised++;
		lent += turbo_cpus(item->claimed - item->original);
	}
	/* A series that is as it was costs, too. */
	if (raised == turbo->raised && lent == turbo->lent)
		return;
	turbo->raised = raised;
	turbo->lent = lent;
	api->metric_set(turbo->agent, turbo->raised_metric, 0, raised);
	api->metric_set(turbo->agent, turbo->lent_metric, 0, lent);
	api->metric_set(turbo->agent, turbo->changes_metric, 0, (double)turbo->changes);
}

static void tick_run(struct turbo *turbo, const struct turbo_node *node, struct scratch *scratch,
		     struct turbo_container *containers, size_t count)
{
	if (turbo->config->law == TURBO_LAW_RUBIK)
		turbo_rubik(node, containers, count);
	else
		turbo_pressure(node, containers, count);
	for (size_t i = 0; i < count; i++)
		turbo_item_apply(turbo, scratch[i].item, &containers[i]);
}

/* A tick without the node's numbers, or without any counters. One is nothing: somebody else may
 * have read the node a moment ago. */
static void tick_blind(struct turbo *turbo)
{
	bool was_blind = turbo->blind_usec >= BLIND_USEC;

	turbo->blind_usec += turbo->timer_usec;
	if (turbo->blind_usec < BLIND_USEC)
		return;
	for (size_t i = 0; i < turbo->count; i++)
		turbo_item_give_up(turbo, turbo->items[i],
				   "the node or its counters cannot be read");
	turbo->active_usec = 0;
	if (!was_blind)
		turbo->agent->api->log(
			turbo->agent, LOG_WARNING,
			"turbo cannot read what the node and its containers use: nothing "
			"is lent");
}

int turbo_tick(void *self)
{
	struct turbo *turbo = service_state(self, SERVICE_TURBO);
	struct turbo_node node;
	cleanup_free struct turbo_container *containers = NULL;
	cleanup_free uint64_t *ids = NULL;
	cleanup_free uint64_t *values = NULL;
	struct scratch *scratch;
	bool known;
	int count;

	if (!turbo || turbo->count == 0)
		return 0;
	scratch = scratch_get(turbo);
	ids = calloc(turbo->count, sizeof(*ids));
	values = calloc(turbo->count * TURBO_VALUES, sizeof(*values));
	containers = calloc(turbo->count, sizeof(*containers));
	known = turbo_node_read(turbo, &node);
	items_look(turbo);
	turbo->ticks++;
	count = scratch && ids && values && containers
			? items_read(turbo, scratch, 0, true, ids, values)
			: -ENOMEM;
	if (count >= 0)
		count = items_read(turbo, scratch, (size_t)count, false, ids, values);
	if (count < 0 || !known)
		tick_blind(turbo);
	else
		turbo->blind_usec = 0;
	if (count > 0 && known) {
		size_t told = items_count(turbo, scratch, (size_t)count, containers);

		if (turbo->config->law == TURBO_LAW_PRESSURE &&
		    turbo->now_usec < turbo->active_usec + ACTIVE_USEC) {
			turbo_node_ask(turbo);
			node.pressure = turbo->past.pressure;
		}
		tick_run(turbo, &node, scratch, containers, told);
	}
	turbo_show(turbo);
	turbo_arm(turbo);
	return 0;
}
