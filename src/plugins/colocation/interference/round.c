/* SPDX-License-Identifier: Apache-2.0 */
/*
 * round.c - one point of everybody. CPI: at the begin the CPUs start to count as many victims as
 * there is room for, at the end of the window the points are taken. The other signals are totals
 * that the kernel keeps anyway: the end of one round is the begin of the next.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "interference/run.h"
#include "macro.h"

/* Floors, so that a very steady workload is no victim of what nobody would notice. */
static const struct {
	double least, ratio, use_least;
} floors[] = {
	/* Of a workload that hardly runs, CPI is the noise of its wake-ups (CPI2: 0.25 cores). */
	[SIGNAL_CPI] = { 0, 1.05, 0.25 },
	[SIGNAL_LATENCY] = { 0.001, 1.25, 0 },
	[SIGNAL_PRESSURE] = { 0.05, 1.25, 0 },
};

static void law_set(struct interference *service)
{
	const struct interference_config *config = service->config;

	service->law = (struct law){
		.sigma = (double)config->threshold_sigma,
		.correlation = (double)config->correlation_percent / 100,
		.learn = config->learn,
		.use_least = floors[service->signal].use_least,
		.least = floors[service->signal].least,
		.least_ratio = floors[service->signal].ratio,
		.period_usec = config->every_usec * service->turns,
	};
}

/* ---- the signal ---- */

static bool any_latency(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	const struct track *track;

	hashmap_foreach (track, &service->tracks) {
		const struct workload_sample *sample = api->sample(service->agent, track->id);

		if (sample && sample->latency)
			return true;
	}
	return false;
}

bool round_choose_signal(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	enum interference_signal signal = (enum interference_signal)service->config->signal;
	const char *why = "";
	bool can_count = api->can_count(service->agent, &why) > 0;
	struct track *track;
	char text[240];

	if (signal == SIGNAL_CPI && !can_count) {
		(void)snprintf(text, sizeof(text), "off: no CPI: %.180s", why);
		interference_say(service, text);
		return false;
	}
	if (signal == SIGNAL_AUTO)
		signal = can_count              ? SIGNAL_CPI
			 : any_latency(service) ? SIGNAL_LATENCY
						: SIGNAL_PRESSURE;
	if (signal != service->signal) {
		hashmap_foreach (track, &service->tracks) {
			track->spec = (struct law_spec){ 0 };
			track->series.count = 0;
			track->counted = false;
		}
		service->measuring = false;
		service->turns = 1;
	}
	service->signal = signal;
	law_set(service);
	return true;
}

/* ---- begin ---- */

static int by_id(const void *a, const void *b)
{
	const struct track *left = *(const struct track *const *)a;
	const struct track *right = *(const struct track *const *)b;

	return left->id < right->id ? -1 : left->id > right->id;
}

/* Victims by id, those after the one that was counted last first. */
static size_t victims_in_turn(struct interference *service, struct track **ret)
{
	struct track *track;
	size_t count = 0, first = 0;

	hashmap_foreach (track, &service->tracks)
		if (track->role == ROLE_VICTIM)
			ret[count++] = track;
	qsort(ret, count, sizeof(struct track *), by_id);
	while (first < count && ret[first]->id <= service->last_counted)
		first++;
	/* The first ones go behind: turn by reversals. */
	for (size_t part = 0; part < 3; part++) {
		size_t from = part == 1 ? first : 0, to = part == 0 ? first : count;

		while (from + 1 < to) {
			struct track *swap = ret[from];

			ret[from++] = ret[--to];
			ret[to] = swap;
		}
	}
	return count;
}

/* Without memory nobody is counted in this round. */
static void count_in_turn(struct interference *service)
{
	cleanup_free struct track **victims =
		calloc(service->roles[ROLE_VICTIM] + 1, sizeof(struct track *));
	size_t count = victims ? victims_in_turn(service, victims) : 0, counted = 0;

	for (size_t i = 0; i < count; i++) {
		int r = service->agent->api->count(service->agent, victims[i]->id,
						   service->config->window_usec);

		if (r == -ENOSPC)
			break;
		if (r < 0)
			continue;
		victims[i]->counted = true;
		service->last_counted = victims[i]->id;
		counted++;
	}
	if (counted > 0)
		service->turns = (unsigned int)((count + counted - 1) / counted);
	law_set(service);
}

static void told_note(struct interference *service, const struct track *track,
		      const struct signal_reading *reading)
{
	if (track->role == ROLE_VICTIM && signal_is_told(service->signal, reading))
		service->untold = false;
}

void round_begin(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	struct track *track;

	service->measuring = false;
	/* What was read a moment ago is no worse. */
	if (api->fresh(service->agent, 100 * USEC_PER_MSEC) < 0)
		return;
	service->untold = true;
	hashmap_foreach (track, &service->tracks) {
		signal_read(api->sample(service->agent, track->id), &track->before);
		track->counted = false;
		told_note(service, track, &track->before);
	}
	if (service->signal == SIGNAL_CPI)
		count_in_turn(service);
	service->measuring = true;
}

/* ---- end ---- */

/* After a pause of the whole machine, or a pass that failed, the mean over it says nothing. */
static bool is_too_long(const struct interference *service, const struct signal_reading *before,
			const struct signal_reading *now)
{
	uint64_t meant = service->signal == SIGNAL_CPI ? service->config->window_usec
						       : service->config->every_usec;

	return now->time_usec - before->time_usec > 3 * meant + 5 * USEC_PER_SEC;
}

static void point_take(struct interference *service, struct track *track,
		       const struct signal_reading *now)
{
	struct law_point point = { .period = service->period, .time_usec = now->time_usec };

	if (!signal_use(&track->before, now, &point.use) ||
	    is_too_long(service, &track->before, now))
		return;
	if (track->role == ROLE_SUSPECT)
		law_add_use(&track->series, &point);
	else if ((service->signal != SIGNAL_CPI || track->counted) &&
		 signal_value(service->signal, &track->before, now, &point.value))
		law_add(&service->law, &track->series, &track->spec, &point);
}

void round_end(struct interference *service)
{
	const struct agent_api *api = service->agent->api;
	uint64_t before_usec = service->now_usec;
	bool measuring = service->measuring;
	struct track *track;

	service->measuring = false;
	if (!measuring || api->fresh(service->agent, 0) < 0)
		return;
	if (++service->in_period >= service->turns) {
		service->in_period = 0;
		service->period++;
	}
	service->untold = true;
	hashmap_foreach (track, &service->tracks) {
		struct signal_reading now;

		signal_read(api->sample(service->agent, track->id), &now);
		told_note(service, track, &now);
		service->now_usec = MAX(service->now_usec, now.time_usec);
		point_take(service, track, &now);
		track->before = now;
	}
	service->measuring = service->signal != SIGNAL_CPI;
	/* Nobody was sampled: to the judge no time passed, and he would renew a throttle for ever.
	 */
	if (service->now_usec > before_usec)
		judge(service);
}
