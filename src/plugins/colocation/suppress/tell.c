/* SPDX-License-Identifier: Apache-2.0 */
/* tell.c - what explain and /metrics show of suppression. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "macro.h"
#include "suppress/run.h"

static double cpus(uint64_t usec_a_second)
{
	return (double)usec_a_second / (double)USEC_PER_SEC;
}

static const char *const reason_names[] = {
	[SUPPRESS_HOLDS] = "held",
	[SUPPRESS_USE_CUT] = "cut: online uses more",
	[SUPPRESS_WAIT_CUT] = "cut: online waits for CPUs",
	[SUPPRESS_RAISED] = "raised",
	[SUPPRESS_BEGAN] = "began",
	[SUPPRESS_BLIND] = "at the floor: no telemetry",
};

void suppress_tell(struct suppress *suppress, const char *text)
{
	suppress->agent->api->describe(suppress->agent, 0, "suppress", text);
}

static void pressure_text(const struct suppress *suppress, char *text, size_t size)
{
	const struct suppress_reading *reading = &suppress->reading;
	uint64_t line = suppress->config->pressure_percent;

	text[0] = '\0';
	if (line == 0)
		return;
	if (!reading->has_pressure)
		(void)snprintf(text, size, "; pressure of online groups: not told by this host");
	else
		(void)snprintf(
			text, size,
			"; online waits %" PRIu32 ".%02" PRIu32 " %%, line %" PRIu64 " %%%s",
			reading->pressure / 100, reading->pressure % 100, line,
			suppress->law.innocent
				? " (not offline's doing: it stayed with offline at its floor)"
				: "");
}

void suppress_tell_state(struct suppress *suppress)
{
	const struct agent_api *api = suppress->agent->api;
	const struct suppress_law *law = &suppress->law;
	const struct suppress_reading *reading = &suppress->reading;
	char pressure[128], text[400];

	pressure_text(suppress, pressure, sizeof(pressure));
	(void)snprintf(text, sizeof(text),
		       "offline work may use %.2f CPUs (%s): node %.2f x %" PRIu64
		       " %%, less online and system %.2f, leaves %.2f; it uses %.2f%s",
		       cpus(law->budget), reason_names[law->reason], cpus(reading->capacity),
		       suppress->config->target_percent, cpus(law->online), cpus(law->left),
		       cpus(reading->offline), pressure);
	suppress_tell(suppress, text);
	api->metric_set(suppress->agent, suppress->metric_budget, 0, cpus(law->budget));
	api->metric_set(suppress->agent, suppress->metric_online, 0, cpus(law->online));
	api->metric_set(suppress->agent, suppress->metric_offline, 0, cpus(reading->offline));
	api->metric_set(suppress->agent, suppress->metric_changes, 0, (double)suppress->changes);
}

static void tell_pinned(struct suppress *suppress, const struct suppress_track *track)
{
	const struct suppress_law *law = &suppress->law;
	char text[400];

	(void)snprintf(
		text, sizeof(text),
		"held on CPUs %.100s, for the %.2f CPUs for offline work (node %.2f x %" PRIu64
		" %% - online %.2f); it uses %.2f",
		suppress->cpus, cpus(law->budget), cpus(suppress->reading.capacity),
		suppress->config->target_percent, cpus(law->online), cpus(track->rate));
	suppress->agent->api->describe(suppress->agent, track->id, "suppress", text);
}

static void tell_share(struct suppress *suppress, const struct suppress_track *track)
{
	const struct suppress_law *law = &suppress->law;
	uint64_t demand = suppress_track_demand(track);
	char text[400], wants[64], set[112] = "";

	if (track->pinned)
		(void)snprintf(set, sizeof(set), " on CPUs %.100s", suppress->cpus);
	if (demand == UINT64_MAX)
		(void)snprintf(wants, sizeof(wants), "all it gets");
	else
		(void)snprintf(wants, sizeof(wants), "%.2f", cpus(demand));
	(void)snprintf(text, sizeof(text),
		       "held at %.2f of the %.2f CPUs for offline work%s (node %.2f"
		       " x %" PRIu64 " %% - online %.2f); it uses %.2f"
		       ", wants %s, weight %" PRIu64,
		       cpus(track->share), cpus(law->budget), set, cpus(suppress->reading.capacity),
		       suppress->config->target_percent, cpus(law->online), cpus(track->rate),
		       wants, track->weight);
	suppress->agent->api->describe(suppress->agent, track->id, "suppress", text);
}

void suppress_tell_workloads(struct suppress *suppress)
{
	const struct suppress_track *track;

	hashmap_foreach (track, &suppress->tracks) {
		if (track->share != 0)
			tell_share(suppress, track);
		else if (track->pinned)
			tell_pinned(suppress, track);
	}
}

void suppress_tell_off(struct suppress *suppress, const char *why)
{
	suppress_tell(suppress, why);
	/* Nothing holds offline work back. */
	suppress->agent->api->metric_set(suppress->agent, suppress->metric_budget, 0, INFINITY);
	suppress->agent->api->metric_set(suppress->agent, suppress->metric_changes, 0,
					 (double)suppress->changes);
}

int suppress_metrics(struct suppress *suppress)
{
	const struct {
		struct agent_metric **metric;
		const char *name, *help;
	} metrics[] = {
		{ &suppress->metric_budget, "suppress_budget_cores",
		  "CPUs that offline work may use, all of it together; +Inf while it is not "
		  "held." },
		{ &suppress->metric_online, "suppress_online_cores",
		  "CPUs in use on the node but for offline work, as suppression saw it last." },
		{ &suppress->metric_offline, "suppress_offline_cores",
		  "CPUs that offline work used, as suppression saw it last." },
		{ &suppress->metric_changes, "suppress_changes_total",
		  "Times that suppression changed what offline work may use." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(metrics); i++) {
		int r = *metrics[i].metric
				? 0
				: suppress->agent->api->metric(suppress->agent, metrics[i].name,
							       metrics[i].help, metrics[i].metric);

		if (r < 0)
			return r;
	}
	return 0;
}
