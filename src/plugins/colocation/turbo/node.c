/* SPDX-License-Identifier: Apache-2.0 */
/* node.c - what quota turbo knows of the node: its CPU use, and who waits for a CPU. */
#include <stdlib.h>

#include "cleanup.h"
#include "macro.h"
#include "turbo/run.h"

#define SPREAD_USEC (60 * USEC_PER_SEC)
/* /proc/stat counts ticks of 10 ms: of two CPUs in 100 ms that is steps of 5 percent. */
#define SMOOTH_USEC (400 * USEC_PER_MSEC)
#define ASK_USEC    USEC_PER_SEC

static void use_add(struct turbo_past *past, uint64_t usec, double percent)
{
	unsigned int at = (past->first + past->count) % TURBO_NODE_SAMPLES;

	past->uses[at] = (struct turbo_use){ usec, percent };
	if (past->count < TURBO_NODE_SAMPLES)
		past->count++;
	else
		past->first = (past->first + 1) % TURBO_NODE_SAMPLES;
	while (past->count > 1 && past->uses[past->first].usec + SPREAD_USEC < usec) {
		past->first = (past->first + 1) % TURBO_NODE_SAMPLES;
		past->count--;
	}
}

static double use_spread(const struct turbo_past *past)
{
	double least = 100, most = 0;

	for (unsigned int i = 0; i < past->count; i++) {
		double percent = past->uses[(past->first + i) % TURBO_NODE_SAMPLES].percent;

		least = MIN(least, percent);
		most = MAX(most, percent);
	}
	return most > least ? most - least : 0;
}

static double use_smooth(const struct turbo_past *past, uint64_t now)
{
	unsigned int count = 0;
	double sum = 0;

	for (unsigned int i = past->count; i-- > 0; count++) {
		const struct turbo_use *use = &past->uses[(past->first + i) % TURBO_NODE_SAMPLES];

		if (count > 0 && use->usec + SMOOTH_USEC <= now)
			break;
		sum += use->percent;
	}
	return count ? sum / count : 0;
}

bool turbo_node_read(struct turbo *turbo, struct turbo_node *ret)
{
	const struct turbo_config *config = turbo->config;
	const struct node_sample *node =
		turbo->agent->api->node(turbo->agent, config->period_usec / 2);
	struct turbo_past *past = &turbo->past;
	uint64_t before = past->usec;
	double total, busy;

	if (!node)
		return false;
	turbo->now_usec = node->time_usec;
	total = (double)(node->cpu_total_usec - past->total_usec);
	busy = (double)(node->cpu_busy_usec - past->busy_usec);
	/* Another plugin read it a moment ago; a counter of /proc/stat may go back, too. */
	if (before && (node->time_usec <= before || node->cpu_total_usec <= past->total_usec ||
		       node->cpu_busy_usec < past->busy_usec))
		return false;
	past->usec = node->time_usec;
	past->total_usec = node->cpu_total_usec;
	past->busy_usec = node->cpu_busy_usec;
	if (!before || node->cpus == 0)
		return false;
	use_add(past, node->time_usec, MIN(100 * busy / total, 100.0));
	*ret = (struct turbo_node){
		.cpus = node->cpus,
		.use = config->law == TURBO_LAW_RUBIK ? 100 * busy / total
						      : use_smooth(past, node->time_usec),
		.spread = use_spread(past),
		.high = (double)config->high_percent,
		.alarm = (double)config->alarm_percent,
		.pressure = past->pressure,
		.elapsed_usec = (double)(node->time_usec - before),
	};
	return true;
}

enum { WAITED, USED, THROTTLED, PEER_VALUES };

static const enum sample_value peer_values[PEER_VALUES] = {
	[WAITED] = SAMPLE_PRESSURE_CPU_SOME_USEC,
	[USED] = SAMPLE_CPU_USAGE_USEC,
	[THROTTLED] = SAMPLE_CPU_THROTTLED_USEC,
};

/* By what they use: who does next to nothing does not make the others' waiting less. */
static void peer_count(struct turbo_peer *peer, const uint64_t *values, double elapsed,
		       double *weight, double *waited)
{
	uint64_t throttled = values[THROTTLED] == UINT64_MAX ? 0 : values[THROTTLED];
	bool known = values[WAITED] != UINT64_MAX && values[USED] != UINT64_MAX;

	/* A quota of its own that holds it back is a wait for no CPU. */
	if (known && peer->counted && throttled == peer->throttled_usec &&
	    values[USED] > peer->use_usec && values[WAITED] >= peer->waited_usec) {
		double use = (double)(values[USED] - peer->use_usec);
		double share = (double)(values[WAITED] - peer->waited_usec) / elapsed;

		*weight += use;
		*waited += use * MIN(share, 1.0);
	}
	peer->counted = known;
	peer->waited_usec = values[WAITED];
	peer->use_usec = values[USED];
	peer->throttled_usec = throttled;
}

void turbo_node_ask(struct turbo *turbo)
{
	struct turbo_past *past = &turbo->past;
	double elapsed = (double)(turbo->now_usec - past->pressure_usec), weight = 0, waited = 0;
	cleanup_free uint64_t *ids = NULL;
	cleanup_free uint64_t *values = NULL;

	if (turbo->peer_count == 0) {
		past->pressure = 0;
		return;
	}
	if (past->pressure_usec && turbo->now_usec < past->pressure_usec + ASK_USEC)
		return;
	ids = calloc(turbo->peer_count, sizeof(*ids));
	values = calloc(turbo->peer_count * PEER_VALUES, sizeof(*values));
	if (!ids || !values)
		return;
	for (size_t i = 0; i < turbo->peer_count; i++)
		ids[i] = turbo->peers[i]->id;
	if (turbo->agent->api->peek(turbo->agent, ids, turbo->peer_count, peer_values, PEER_VALUES,
				    values) < 0)
		return;
	for (size_t i = 0; i < turbo->peer_count; i++)
		peer_count(turbo->peers[i], &values[i * PEER_VALUES], elapsed, &weight, &waited);
	/* What was counted a long time ago says nothing of now. */
	past->pressure = past->pressure_usec && elapsed < 5 * (double)ASK_USEC && weight > 0
				 ? 100 * waited / weight
				 : 0;
	past->pressure_usec = turbo->now_usec;
}
