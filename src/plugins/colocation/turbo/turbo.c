/* SPDX-License-Identifier: Apache-2.0 */
/* turbo.c - who takes part in quota turbo, and its timer: none while nobody does, one or two
 * a second while nobody is throttled and nothing is lent. */
#include "turbo/turbo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "macro.h"
#include "service.h"
#include "turbo/run.h"

#define MILLI_PER_CPU 1000u
#define NODE_AGE_USEC (60 * USEC_PER_SEC)
/* A pod is being resized: on v1 the kubelet's writes fail while a child has more than its parent is
 * to get. It tries again. */
#define RESIZE_USEC (5 * USEC_PER_SEC)
#define REST_USEC   (30 * USEC_PER_SEC) /* after so long without one, rarely */
#define STAY_USEC   (2 * USEC_PER_SEC)  /* at the fast period, after there was a reason */

int turbo_check(const struct colocation_config *config, struct berth_error *reterr)
{
	if (config->turbo.high_percent < config->turbo.alarm_percent)
		return 0;
	reterr->key = "turbo.high_percent";
	(void)snprintf(reterr->text, sizeof(reterr->text),
		       "must be below turbo.alarm_percent, which is %llu",
		       (unsigned long long)config->turbo.alarm_percent);
	return -EINVAL;
}

/* Between two ticks, by how long ago there was a reason. */
static uint64_t period_of(const struct turbo *turbo)
{
	uint64_t period = turbo->config->period_usec, ago = turbo->now_usec - turbo->active_usec;

	if (turbo->active_usec && ago < STAY_USEC)
		return period;
	if (turbo->active_usec && ago < REST_USEC)
		return MAX(period, (uint64_t)TURBO_COLD_USEC);
	return MAX(period, (uint64_t)TURBO_REST_USEC);
}

void turbo_arm(struct turbo *turbo)
{
	const struct agent_api *api = turbo->agent->api;
	uint64_t want = turbo->count > 0 ? period_of(turbo) : 0;
	int r;

	/* There will be no tick that shows it. */
	if (turbo->count == 0)
		turbo_show(turbo);
	if (want == turbo->timer_usec)
		return;
	if (turbo->timer)
		api->forget(turbo->agent, turbo->timer);
	turbo->timer = NULL;
	turbo->timer_usec = 0;
	if (want == 0)
		return;
	r = api->every(turbo->agent, want, turbo_tick, &turbo->timer);
	if (r >= 0) {
		turbo->timer_usec = want;
		return;
	}
	api->log(turbo->agent, LOG_ERR, "turbo has no timer: %s; nothing is lent", strerror(-r));
	for (size_t i = 0; i < turbo->count; i++)
		turbo_item_give_up(turbo, turbo->items[i], "there is no timer to watch it by");
}

static void item_remove(struct turbo *turbo, struct turbo_item *item)
{
	turbo_return(turbo, item);
	(void)hashmap_remove_u64(&turbo->by_id, item->id);
	turbo->items[item->at] = turbo->items[--turbo->count];
	turbo->items[item->at]->at = item->at;
	free(item);
}

static void peer_remove(struct turbo *turbo, uint64_t id)
{
	struct turbo_peer *peer = hashmap_remove_u64(&turbo->peers_by_id, id);

	if (!peer)
		return;
	turbo->peers[peer->at] = turbo->peers[--turbo->peer_count];
	turbo->peers[peer->at]->at = peer->at;
	free(peer);
}

/* Room for one more; the array is of pointers. */
static int room_make(void *array, size_t count, size_t *capacity)
{
	void **grown, ***place = array;

	if (count < *capacity)
		return 0;
	grown = reallocarray(*place, MAX(*capacity * 2, (size_t)16), sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	*place = grown;
	*capacity = MAX(*capacity * 2, (size_t)16);
	return 0;
}

static struct turbo_item *item_make(struct turbo *turbo, uint64_t id)
{
	struct turbo_item *item;

	if (room_make(&turbo->items, turbo->count, &turbo->capacity) < 0)
		return NULL;
	item = calloc(1, sizeof(*item));
	if (!item || hashmap_put_u64(&turbo->by_id, id, item) < 0) {
		free(item);
		return NULL;
	}
	item->id = id;
	item->at = turbo->count;
	turbo->items[turbo->count++] = item;
	return item;
}

static void peer_make(struct turbo *turbo, uint64_t id)
{
	struct turbo_peer *peer;

	if (hashmap_get_u64(&turbo->peers_by_id, id) || turbo->peer_count == TURBO_PEERS ||
	    room_make(&turbo->peers, turbo->peer_count, &turbo->peer_capacity) < 0)
		return;
	peer = calloc(1, sizeof(*peer));
	if (!peer || hashmap_put_u64(&turbo->peers_by_id, id, peer) < 0) {
		free(peer);
		return;
	}
	peer->id = id;
	peer->at = turbo->peer_count;
	turbo->peers[turbo->peer_count++] = peer;
}

/* "true" of the pod; anything else but "false" is said. */
static bool is_opted_in(struct turbo *turbo, const struct berth_workload *workload, char *ret_why,
			size_t size)
{
	const char *value =
		turbo->agent->api->annotation(turbo->agent, workload->parent, TURBO_ANNOTATION);

	if (value && strcmp(value, "true") == 0)
		return true;
	if (value && strcmp(value, "false") != 0)
		(void)snprintf(ret_why, size,
			       "left alone: " TURBO_ANNOTATION " is \"%.40s\", not \"true\"",
			       value);
	return false;
}

/* Why one of a pod that opted in is left alone; "": it is not. */
static void item_judge(struct turbo *turbo, const struct berth_workload *workload, char *ret_why,
		       size_t size)
{
	const struct node_sample *node = turbo->agent->api->node(turbo->agent, NODE_AGE_USEC);
	uint64_t cpus = node ? node->cpus : 0;

	if (!turbo->available)
		(void)snprintf(ret_why, size, "left alone: this host has no cpu.quota");
	else if (workload->cpu_limit_milli == 0)
		(void)snprintf(ret_why, size, "left alone: it has no CPU limit to go above");
	else if (cpus && workload->cpu_limit_milli >= cpus * MILLI_PER_CPU)
		(void)snprintf(ret_why, size,
			       "left alone: its CPU limit is all of the node's %llu CPUs",
			       (unsigned long long)cpus);
}

static void item_join(struct turbo *turbo, const struct berth_workload *workload)
{
	struct turbo_item *item = hashmap_get_u64(&turbo->by_id, workload->id);
	bool is_new = !item;

	if (is_new)
		item = item_make(turbo, workload->id);
	if (!item)
		return;
	if (!is_new && item->limit_milli != workload->cpu_limit_milli) {
		turbo_return(turbo, item);
		item->state = TURBO_LOOKS;
		item->look_usec = turbo->now_usec + RESIZE_USEC;
		item->told_usec = 0;
		turbo->agent->api->describe(turbo->agent, item->id, "turbo",
					    "at its limit: the pod is being resized");
	}
	item->limit_milli = workload->cpu_limit_milli;
}

void turbo_decide(void *state, const struct berth_workload *workload, bool below_offline)
{
	struct turbo *turbo = state;
	struct turbo_item *item = hashmap_get_u64(&turbo->by_id, workload->id);
	bool is_container = strcmp(workload->kind, "container") == 0;
	bool ignored = workload->flags & WORKLOAD_IGNORED;
	bool takes_part = false;
	char why[160] = "";

	if (is_container && turbo->config->enabled && !ignored &&
	    is_opted_in(turbo, workload, why, sizeof(why))) {
		item_judge(turbo, workload, why, sizeof(why));
		takes_part = !why[0];
	}
	if (takes_part) {
		peer_remove(turbo, workload->id);
		item_join(turbo, workload);
	} else {
		if (item)
			item_remove(turbo, item);
		if (is_container || why[0])
			turbo->agent->api->describe(turbo->agent, workload->id, "turbo",
						    why[0] ? why : NULL);
		if (turbo->config->enabled && workload->qos >= QOS_NORMAL && !below_offline &&
		    !ignored && (is_container || strcmp(workload->kind, "vm") == 0))
			peer_make(turbo, workload->id);
		else
			peer_remove(turbo, workload->id);
	}
	turbo_arm(turbo);
}

void turbo_workload(void *state, const struct workload_event *event)
{
	struct turbo *turbo = state;
	struct turbo_item *item = hashmap_get_u64(&turbo->by_id, event->workload->id);

	if (event->change != WORKLOAD_REMOVED)
		return;
	/* Its group is gone, and its claim with it. */
	if (item) {
		item->claimed = 0;
		item_remove(turbo, item);
	}
	peer_remove(turbo, event->workload->id);
	turbo_arm(turbo);
}

void turbo_probe(void *state)
{
	struct turbo *turbo = state;
	const struct agent_api *api = turbo->agent->api;
	const char *reason = "";
	char text[192];

	turbo->available = api->knob_available(turbo->agent, KNOB_CPU_QUOTA_USEC, &reason) > 0;
	if (!turbo->config->enabled)
		(void)snprintf(text, sizeof(text), "off");
	else if (!turbo->available)
		(void)snprintf(text, sizeof(text), "none: %.150s", reason ? reason : "");
	else
		(void)snprintf(text, sizeof(text), "law %s, of pods with " TURBO_ANNOTATION,
			       turbo->config->law == TURBO_LAW_RUBIK ? "rubik" : "pressure");
	api->describe(turbo->agent, 0, "turbo", text);
}

int turbo_start(struct agent *agent, void *self, const struct colocation_config *config,
		void **ret_state)
{
	struct turbo *turbo = calloc(1, sizeof(*turbo));

	(void)self;
	if (!turbo)
		return -ENOMEM;
	turbo->agent = agent;
	turbo->config = &config->turbo;
	/* Without a place in the page it works as well. */
	(void)agent->api->metric(agent, "turbo_raised", "Containers that quota turbo has raised.",
				 &turbo->raised_metric);
	(void)agent->api->metric(agent, "turbo_lent_cpus",
				 "CPUs that containers have above their limits by quota turbo.",
				 &turbo->lent_metric);
	(void)agent->api->metric(agent, "turbo_changes_total",
				 "Quotas that quota turbo has changed.", &turbo->changes_metric);
	turbo_probe(turbo);
	*ret_state = turbo;
	return 0;
}

static void turbo_leave_all(struct turbo *turbo)
{
	while (turbo->count > 0) {
		turbo->agent->api->describe(turbo->agent, turbo->items[0]->id, "turbo", NULL);
		item_remove(turbo, turbo->items[0]);
	}
	while (turbo->peer_count > 0)
		peer_remove(turbo, turbo->peers[0]->id);
}

/* The timer goes by the new period, and whoever takes part is decided after this. */
int turbo_apply(void *state, const struct colocation_config *config)
{
	struct turbo *turbo = state;

	turbo->config = &config->turbo;
	if (!turbo->config->enabled)
		turbo_leave_all(turbo);
	turbo_probe(turbo);
	turbo_arm(turbo);
	return 0;
}

void turbo_stop(void *state)
{
	struct turbo *turbo = state;

	for (size_t i = 0; i < turbo->count; i++)
		free(turbo->items[i]);
	for (size_t i = 0; i < turbo->peer_count; i++)
		free(turbo->peers[i]);
	hashmap_done(&turbo->by_id);
	hashmap_done(&turbo->peers_by_id);
	free(turbo->items);
	free(turbo->peers);
	free(turbo->scratch);
	free(turbo);
}
