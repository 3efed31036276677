/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rubik-evict.c - rubik has three evictors with a pace of their own each (psi, cpuevict,
 * memoryevict); Berth has one, whose lines are looked at together. The pace is the quickest of the
 * three, the rest after an eviction the longest.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import/rubik.h"
#include "macro.h"

#define EVICT "plugins.colocation.evict"

/* psi looks at the average of 10 s each 10 s: five samples of 2 s, three of them over the line. */
#define PSI_SAMPLES  5
#define COOLDOWN_MAX 86400 /* of evict.cooldown, in seconds */

#define INT(from, min, max, fallback, to, how, remark)                        \
	{                                                                     \
		from, IMPORT_INT, min, max, fallback, NULL, to, how, (remark) \
	}

static const struct import_field psi_fields[] = {
	INT("interval", 10, 30, 10, NULL, IMPORT_AS_IT_IS, NULL),
	{ "avg10Threshold", IMPORT_NUMBER, 5, 100, 5, NULL, NULL, IMPORT_AS_IT_IS, NULL },
	{ "resource", IMPORT_ANY, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, NULL },
	{ NULL },
};

static const struct import_field cpu_fields[] = {
	INT("threshold", 1, 99, 60, "cpu.use", IMPORT_AS_IT_IS, NULL),
	INT("interval", 1, 3600, 1, NULL, IMPORT_AS_IT_IS, NULL),
	INT("windows", 1, 3600, IMPORT_NONE, NULL, IMPORT_AS_IT_IS,
	    "no equal: a line must be crossed in evict.samples of the last evict.window samples"),
	INT("cooldown", 1, INT64_MAX, 20, NULL, IMPORT_AS_IT_IS, NULL),
	{ NULL },
};

static const struct import_field memory_fields[] = {
	INT("threshold", 1, 99, IMPORT_NONE, "memory.available_percent", IMPORT_AS_REST,
	    "the rest of it is available memory (MemAvailable), so that page cache is no reason"),
	INT("interval", 1, 3600, 1, NULL, IMPORT_AS_IT_IS, NULL),
	INT("cooldown", 1, INT64_MAX, 4, NULL, IMPORT_AS_IT_IS, NULL),
	{ NULL },
};

struct pace {
	int64_t period_msec, cooldown_sec;
};

static void pace_take(struct pace *pace, int64_t period_msec, int64_t cooldown_sec)
{
	if (pace->period_msec == 0 || period_msec < pace->period_msec)
		pace->period_msec = period_msec;
	pace->cooldown_sec = MAX(pace->cooldown_sec, cooldown_sec);
}

static void line_set(const struct rubik *rubik, const char *key, int64_t value, const char *from)
{
	char path[96];

	(void)snprintf(path, sizeof(path), EVICT ".%s", key);
	import_policy_set(rubik->import, &rubik->import->policy, path, from, "%" PRId64, value);
}

/* The section of a feature that is on, checked. 1 if there is one, 0 if it is off; -EINVAL. */
static int section_open(const struct rubik *rubik, enum rubik_feature feature,
			const struct import_field *fields, struct import_section *ret)
{
	*ret = rubik_section(rubik, feature, EVICT);
	ret->prefix = EVICT ".";
	if (!rubik->enabled[feature] || !ret->object)
		return 0;
	return import_check(ret, fields) < 0 ? -EINVAL : 1;
}

static int psi_resource(const struct rubik *rubik, const struct import_section *section,
			int64_t percent)
{
	static const char *const names[] = { "memory", "cpu", "io" };
	json_t *list = import_value(section, "resource"), *item;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return import_error(rubik->import, rubik->document, "psi",
				    "resource: expected a list of cpu, memory and io");
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(item);
		char key[64];
		size_t place = 0;

		while (place < ARRAY_SIZE(names) && (!name || strcmp(name, names[place]) != 0))
			place++;
		(void)snprintf(key, sizeof(key), "psi.resource[%zu]", i);
		if (place == ARRAY_SIZE(names))
			return import_error(rubik->import, rubik->document, key,
					    "expected cpu, memory or io");
		(void)snprintf(key, sizeof(key), "pressure.%s", names[place]);
		line_set(rubik, key, percent, "psi.resource, psi.avg10Threshold");
	}
	return 0;
}

static int psi_bind(const struct rubik *rubik, struct pace *pace)
{
	struct import_section section;
	json_t *threshold;
	double percent;
	int64_t interval;
	int r = section_open(rubik, RUBIK_PSI, psi_fields, &section);

	line_set(rubik, "pressure.memory", 0, "psi");
	line_set(rubik, "pressure.cpu", 0, "psi");
	line_set(rubik, "pressure.io", 0, "psi");
	if (r <= 0)
		return r;
	threshold = import_value(&section, "avg10Threshold");
	percent = threshold ? json_number_value(threshold) : 5;
	interval = import_int(&section, "interval", 10);
	if (percent > floor(percent))
		import_remark(rubik->import, rubik->document, "psi.avg10Threshold", section.policy,
			      EVICT ".pressure", "rounded up to whole percent");
	import_remark(rubik->import, rubik->document, "psi", section.policy, EVICT ".pressure",
		      "the share of each sample counts, %d samples in %" PRId64
		      " s, instead of one look at avg10",
		      PSI_SAMPLES, interval);
	pace_take(pace, interval * 1000 / PSI_SAMPLES, interval);
	return psi_resource(rubik, &section, (int64_t)ceil(percent));
}

static int cpu_bind(const struct rubik *rubik, struct pace *pace)
{
	struct import_section section;
	int64_t interval, windows;
	int r = section_open(rubik, RUBIK_CPU_EVICT, cpu_fields, &section);

	line_set(rubik, "cpu.use", 0, "cpuevict");
	if (r <= 0)
		return r;
	interval = import_int(&section, "interval", 1);
	windows = import_int(&section, "windows", 2 * interval);
	if (windows % interval != 0)
		return import_error(rubik->import, rubik->document, "cpuevict.windows",
				    "expected a multiple of interval (%" PRId64
				    "): rubik does not start with this",
				    interval);
	pace_take(pace, interval * 1000, import_int(&section, "cooldown", 20));
	import_apply(&section, cpu_fields);
	return 0;
}

static int memory_bind(const struct rubik *rubik, struct pace *pace)
{
	struct import_section section;
	int r = section_open(rubik, RUBIK_MEMORY_EVICT, memory_fields, &section);

	line_set(rubik, "memory.available_percent", 0, "memoryevict");
	line_set(rubik, "memory.hard", 0, NULL);
	import_remark(
		rubik->import, NULL, "", &rubik->import->policy, EVICT ".memory.hard",
		"rubik never kills: with 3, say, Berth kills an offline workload when there is "
		"so little left that an eviction would come too late");
	if (r <= 0)
		return r;
	if (!import_value(&section, "threshold"))
		return import_error(rubik->import, rubik->document, "memoryevict",
				    "threshold is missing, which rubik has no default for");
	pace_take(pace, import_int(&section, "interval", 1) * 1000,
		  import_int(&section, "cooldown", 4));
	import_apply(&section, memory_fields);
	return 0;
}

static void pace_write(const struct rubik *rubik, const struct pace *pace)
{
	struct import_node *policy = &rubik->import->policy;
	int64_t period = MIN(pace->period_msec, INT64_C(60000));
	int64_t cooldown = MIN(pace->cooldown_sec, (int64_t)COOLDOWN_MAX);

	import_policy_set(rubik->import, policy, EVICT ".period", "the shortest interval",
			  "%" PRId64 "%s", period % 1000 ? period : period / 1000,
			  period % 1000 ? "ms" : "s");
	import_policy_set(rubik->import, policy, EVICT ".cooldown", "the longest cooldown",
			  "%" PRId64 "s", cooldown);
	if (period < pace->period_msec || cooldown < pace->cooldown_sec)
		import_remark(rubik->import, NULL, "", policy, EVICT ".period",
			      "cut to what Berth takes: a period of 60 s, a cooldown of a day");
	import_remark(
		rubik->import, NULL, "", policy, EVICT ".enabled",
		"a line must be crossed in 3 of the last 5 samples (evict.samples, "
		"evict.window), not once; an attempt that evicts nobody begins no cooldown; a "
		"pod that is here for less than 30 s is left alone (evict.min_run_time)");
}

int rubik_evict(const struct rubik *rubik)
{
	bool any = rubik->enabled[RUBIK_PSI] || rubik->enabled[RUBIK_CPU_EVICT] ||
		   rubik->enabled[RUBIK_MEMORY_EVICT];
	struct pace pace = { 0 };
	int psi, cpu, memory;

	import_policy_set(rubik->import, &rubik->import->policy, EVICT ".enabled",
			  "psi, cpuevict, memoryevict", "%s", any ? "true" : "false");
	if (!any)
		return 0;
	memory = memory_bind(rubik, &pace);
	cpu = cpu_bind(rubik, &pace);
	psi = psi_bind(rubik, &pace);
	if (pace.period_msec)
		pace_write(rubik, &pace);
	return MIN(MIN(psi, cpu), memory);
}
