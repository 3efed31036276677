/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - what people read: why, against what, for how long. */
#include <stdio.h>

#include "interference/run.h"
#include "macro.h"

#define NUMBER 40u

static const struct law_point *last_point(const struct track *victim)
{
	return victim->series.count ? &victim->series.points[victim->series.count - 1] : NULL;
}

/* "CPI 2.31 against 1.10 +- 0.20" */
static void compare(const struct interference *service, const struct track *victim, char *text,
		    size_t size)
{
	const struct law_point *point = last_point(victim);
	char now[NUMBER], mean[NUMBER], deviation[NUMBER];

	signal_format(service->signal, point ? point->value : 0, false, now, sizeof(now));
	signal_format(service->signal, victim->spec.mean, true, mean, sizeof(mean));
	signal_format(service->signal, law_deviation(&victim->spec), true, deviation,
		      sizeof(deviation));
	(void)snprintf(text, size, "%s against %s +- %s", now, mean, deviation);
}

void evidence_reason(struct interference *service, struct track *suspect,
		     const struct track *victim, const struct law_suspect *facts)
{
	const struct berth_workload *workload =
		service->agent->api->workload(service->agent, victim->id);
	unsigned int outside = law_count_outside(&service->law, &victim->series, &victim->spec,
						 service->now_usec, 0);
	char text[2 * INTERFERENCE_REASON], numbers[3 * NUMBER + 16], how[64];

	compare(service, victim, numbers, sizeof(numbers));
	if (suspect->correlates)
		(void)snprintf(how, sizeof(how), "correlation %.2f", facts->correlation);
	else
		(void)snprintf(how, sizeof(how), "the largest user (correlation %.2f)",
			       facts->correlation);
	(void)snprintf(text, sizeof(text), "%.60s: %s, outside %u times; %s, used %.2f CPU",
		       workload ? workload->name : "?", numbers, outside, how, facts->use);
	(void)snprintf(suspect->reason, sizeof(suspect->reason), "%.*s",
		       (int)sizeof(suspect->reason) - 1, text);
}

void evidence_describe_victim(struct interference *service, const struct track *victim,
			      const char *what)
{
	char text[400], numbers[3 * NUMBER + 16];

	if (victim->series.count == 0)
		(void)snprintf(text, sizeof(text), "watched by %s%s%s: no point yet",
			       signal_name(service->signal), what[0] ? "; " : "", what);
	else if (!law_has_learned(&service->law, &victim->spec))
		(void)snprintf(text, sizeof(text), "learns what is usual, %llu of %llu points%s%s",
			       (unsigned long long)victim->spec.count,
			       (unsigned long long)service->law.learn + 1, what[0] ? "; " : "",
			       what);
	else {
		compare(service, victim, numbers, sizeof(numbers));
		(void)snprintf(text, sizeof(text), "%s%s%s", numbers, what[0] ? ": " : "", what);
	}
	service->agent->api->describe(service->agent, victim->id, "interference", text);
}

void evidence_describe_suspect(struct interference *service, const struct track *suspect,
			       const char *what)
{
	char text[INTERFERENCE_REASON + 160];
	uint64_t left = suspect->until_usec > service->now_usec
				? suspect->until_usec - service->now_usec
				: 0;

	if (suspect->until_usec)
		(void)snprintf(text, sizeof(text), "%s to %.2f CPU for %llu s more: %s", what,
			       (double)suspect->quota_usec / 100000,
			       (unsigned long long)((left + USEC_PER_SEC - 1) / USEC_PER_SEC),
			       suspect->reason);
	else if (suspect->reason[0])
		(void)snprintf(text, sizeof(text), "%s: %s", what, suspect->reason);
	else
		(void)snprintf(text, sizeof(text), "%s", what);
	service->agent->api->describe(service->agent, suspect->id, "interference", text);
}
