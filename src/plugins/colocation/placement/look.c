/* SPDX-License-Identifier: Apache-2.0 */
/* look.c - what online work suffers: by its pressure, or where groups have none by its use. */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "macro.h"
#include "monotonic.h"
#include "placement/state.h"

struct look {
	uint64_t pressure; /* the largest, in hundredths of a percent */
	uint64_t offline_usec;
	bool any_online, has_pressure, news;
};

/* Of the time since then, in hundredths of a percent. Waiting for a quota of its own is not offline
 * work's doing. The kernel adds throttled time up over CPUs: when in doubt it is not. */
static uint64_t pressure_of(const struct member *member, const struct workload_sample *sample)
{
	uint64_t waited = sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] - member->waited_usec;
	uint64_t throttled = sample->value[SAMPLE_CPU_THROTTLED_USEC];

	throttled = throttled > member->throttled_usec ? throttled - member->throttled_usec : 0;
	return (waited - MIN(waited, throttled)) * 10000 / (sample->time_usec - member->time_usec);
}

/* Shares of time since the look before. */
static void look_at(struct member *member, const struct workload_sample *sample, struct look *look)
{
	uint64_t waited, used;
	bool seen = member->seen;

	if (!sample)
		return;
	waited = sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC];
	used = sample->value[SAMPLE_CPU_USAGE_USEC];
	if (seen && (sample->time_usec <= member->time_usec || waited < member->waited_usec ||
		     used < member->used_usec))
		seen = false;
	if (seen) {
		look->news = true;
		if (member->top_offline)
			look->offline_usec += used - member->used_usec;
		if (!member->offline && !member->above_offline && !member->ignored) {
			look->any_online = true;
			if (sample_knows(sample, SAMPLE_PRESSURE_CPU_SOME_USEC)) {
				look->has_pressure = true;
				look->pressure = MAX(look->pressure, pressure_of(member, sample));
			}
		}
	}
	if (!member->seen || sample->time_usec > member->time_usec) {
		member->seen = true;
		member->time_usec = sample->time_usec;
		member->waited_usec = waited;
		member->throttled_usec = sample->value[SAMPLE_CPU_THROTTLED_USEC];
		member->used_usec = used;
	}
}

/* Thousandths of CPUs that everything but offline work was busy on; UINT32_MAX: not known. */
static unsigned int online_use(struct placement *placement, uint64_t offline_usec,
			       uint64_t max_age_usec)
{
	struct agent *agent = placement->agent;
	const struct node_sample *node = agent->api->node(agent, max_age_usec);
	uint64_t busy, time;
	unsigned int used = UINT32_MAX;

	if (!node)
		return UINT32_MAX;
	busy = node->cpu_busy_usec - placement->busy_usec;
	time = node->time_usec - placement->busy_time_usec;
	if (placement->busy_time_usec && node->time_usec > placement->busy_time_usec &&
	    node->cpu_busy_usec >= placement->busy_usec)
		used = (unsigned int)((busy - MIN(busy, offline_usec)) * 1000 / time);
	placement->busy_usec = node->cpu_busy_usec;
	placement->busy_time_usec = node->time_usec;
	return used;
}

static int look_at_all(struct placement *placement, uint64_t max_age_usec, struct look *look)
{
	const struct agent_api *api = placement->agent->api;
	int r = api->fresh(placement->agent, max_age_usec);
	struct member *member;

	if (r < 0)
		return r;
	hashmap_foreach (member, &placement->members)
		if (!member->is_container)
			look_at(member, api->sample(placement->agent, member->id), look);
	return 0;
}

/* As look_at_all() where nobody tells pressure: only the offline workloads are read. */
static int peek_offline(struct placement *placement, struct look *look)
{
	static const enum sample_value used = SAMPLE_CPU_USAGE_USEC;
	size_t room = placement->members.count, count = 0;
	cleanup_free uint64_t *ids = calloc(room + 1, sizeof(*ids));
	cleanup_free uint64_t *values = calloc(room + 1, sizeof(*values));
	struct member *member;
	int r;

	if (!ids || !values)
		return -ENOMEM;
	hashmap_foreach (member, &placement->members)
		if (member->top_offline && !member->is_container && count < room)
			ids[count++] = member->id;
	r = placement->agent->api->peek(placement->agent, ids, count, &used, 1, values);
	if (r < 0)
		return r;
	look->any_online = true;
	look->news = true;
	for (size_t i = 0; i < count; i++) {
		struct workload_sample sample = { .time_usec = monotonic_usec() };

		member = hashmap_get_u64(&placement->members, ids[i]);
		if (!member || values[i] == UINT64_MAX)
			continue;
		sample.value[SAMPLE_CPU_USAGE_USEC] = values[i];
		look_at(member, &sample, look);
	}
	return 0;
}

void placement_look(struct placement *placement, struct tide_input *ret)
{
	uint64_t age = placement->config->placement.period_usec / 2;
	struct look look = { 0 };
	unsigned int used;

	ret->signal = TIDE_NOTHING;
	ret->pressure = ret->used_milli = 0;
	if (placement->may_peek ? peek_offline(placement, &look) < 0
				: look_at_all(placement, age, &look) < 0)
		return;
	used = online_use(placement, look.offline_usec, age);
	if (!look.news)
		return;
	/* Where groups have no pressure none will: what offline work uses is all that is asked. */
	placement->may_peek = look.any_online && !look.has_pressure;
	if (look.has_pressure || !look.any_online) {
		ret->signal = TIDE_PRESSURE;
		ret->pressure = (unsigned int)MIN(look.pressure, 10000u);
	} else if (used != UINT32_MAX) {
		ret->signal = TIDE_USE;
		ret->used_milli = used;
	}
}
