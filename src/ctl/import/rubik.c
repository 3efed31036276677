/* SPDX-License-Identifier: Apache-2.0 */
/* rubik.c - rubik's config.json: openEuler's docs/config.md has its keys. */
#include "import/rubik.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "config/bind.h"
#include "macro.h"

#define COLOCATION "plugins.colocation."

const char *const rubik_names[RUBIK_FEATURES_MAX + 1] = {
	[RUBIK_PREEMPTION] = "preemption",
	[RUBIK_IO_LIMIT] = "ioLimit",
	[RUBIK_IO_COST] = "ioCost",
	[RUBIK_QUOTA_TURBO] = "quotaTurbo",
	[RUBIK_QUOTA_BURST] = "quotaBurst",
	[RUBIK_DYN_MEMORY] = "dynMemory",
	[RUBIK_DYN_CACHE] = "dynCache",
	[RUBIK_PSI] = "psi",
	[RUBIK_CPU_EVICT] = "cpuevict",
	[RUBIK_MEMORY_EVICT] = "memoryevict",
	[RUBIK_CPI] = "cpi",
};

#define INT(from, min, max, fallback, to, how, remark)                        \
	{                                                                     \
		from, IMPORT_INT, min, max, fallback, NULL, to, how, (remark) \
	}
#define WORD(from, words, to, remark)                                                      \
	{                                                                                  \
		from, IMPORT_WORD, 0, 0, IMPORT_NONE, words, to, IMPORT_AS_IT_IS, (remark) \
	}
#define OTHER(from, kind, remark)                                                    \
	{                                                                            \
		from, kind, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, (remark) \
	}
#define END          \
	{            \
		NULL \
	}

#define LOGS_REMARK \
	"no equal: berthd logs to the journal (in a container to stderr), which keeps logs"

static const struct import_field agent_fields[] = {
	WORD("logDriver", "stdio file", NULL, LOGS_REMARK),
	OTHER("logDir", IMPORT_TEXT, LOGS_REMARK),
	INT("logSize", 10, 1 << 20, IMPORT_NONE, NULL, IMPORT_AS_IT_IS, LOGS_REMARK),
	WORD("logLevel", "debug info warn=warning error=err", "log_level", NULL),
	OTHER("cgroupRoot", IMPORT_TEXT, "no equal: the hierarchies are found by what is mounted"),
	WORD("cgroupDriver", "cgroupfs systemd", NULL,
	     "no equal: both drivers' groups are found by looking"),
	WORD("informerType", "apiserver nri=apiserver", "sources.kubernetes.via", NULL),
	OTHER("enabledFeatures", IMPORT_ANY, NULL),
	END,
};

static const struct import_field preemption_fields[] = {
	OTHER("resource", IMPORT_ANY, NULL),
	INT("net.waterline", 20, 9999 * 1024, IMPORT_NONE, "network.water_line", IMPORT_AS_MEBI,
	    NULL),
	INT("net.bandwidthLow", 1, 9999 * 1024, IMPORT_NONE, "network.low", IMPORT_AS_MEBI, NULL),
	INT("net.bandwidthHigh", 1, 9999 * 1024, IMPORT_NONE, "network.high", IMPORT_AS_MEBI, NULL),
	END,
};

static const struct import_field quota_turbo_fields[] = {
	INT("highWaterMark", 0, 100, 60, "turbo.high_percent", IMPORT_AS_IT_IS, NULL),
	INT("alarmWaterMark", 0, 100, 80, "turbo.alarm_percent", IMPORT_AS_IT_IS, NULL),
	INT("syncInterval", 100, 10000, 100, "turbo.period", IMPORT_AS_MSEC, NULL),
	END,
};

static const struct import_field dyn_memory_fields[] = {
	WORD("policy", "fssr", NULL,
	     "each offline pod has a share of what is available (MemAvailable), and none without "
	     "swap; rubik's one value for all by MemFree is shares.law: fssr"),
	END,
};

struct import_section rubik_section(const struct rubik *rubik, enum rubik_feature feature,
				    const char *at)
{
	return (struct import_section){
		.import = rubik->import,
		.document = rubik->document,
		.object = rubik->sections[feature],
		.path = rubik_names[feature],
		.policy = &rubik->import->policy,
		.prefix = COLOCATION,
		.at = at,
		.folds_case = true,
	};
}

void rubik_switch(const struct rubik *rubik, const char *key, enum rubik_feature feature)
{
	import_policy_set(rubik->import, &rubik->import->policy, key, rubik_names[feature], "%s",
			  rubik->enabled[feature] ? "true" : "false");
}

int rubik_order_check(const struct import_section *section, const char *low, int64_t low_value,
		      const char *high, int64_t high_value, bool may_be_equal)
{
	char path[128];

	if (low_value < high_value || (may_be_equal && low_value == high_value))
		return 0;
	(void)snprintf(path, sizeof(path), "%s.%s", section->path, low);
	return import_error(section->import, section->document, path,
			    "expected %s than %s: rubik does not start with this",
			    may_be_equal ? "no more" : "less", high);
}

static int agent_enable(struct rubik *rubik, json_t *features)
{
	json_t *item;
	size_t i;
	int result = 0;

	if (features && !json_is_array(features))
		return import_error(rubik->import, rubik->document, "agent.enabledFeatures",
				    "expected a list of names");
	json_array_foreach(features, i, item)
	{
		char path[64], nearest[96];
		bool found = false;

		for (size_t j = 0; j < RUBIK_FEATURES_MAX && json_is_string(item); j++)
			if (strcmp(json_string_value(item), rubik_names[j]) == 0)
				found = rubik->enabled[j] = true;
		if (found)
			continue;
		(void)snprintf(path, sizeof(path), "agent.enabledFeatures[%zu]", i);
		import_nearest(json_is_string(item) ? json_string_value(item) : "", rubik_names,
			       nearest, sizeof(nearest));
		result = import_error(rubik->import, rubik->document, path,
				      "no feature of rubik, which does not start with this%s",
				      nearest);
	}
	return result;
}

static int agent_bind(struct rubik *rubik)
{
	struct import_section section = rubik_section(rubik, RUBIK_PREEMPTION, "");
	json_t *type;
	int r;

	section.object = json_object_get(rubik->document->root, "agent");
	section.path = "agent";
	section.prefix = "";
	if (!section.object || json_is_null(section.object)) {
		import_remark(rubik->import, rubik->document, "", section.policy,
			      "plugins.colocation",
			      "there is no section 'agent': rubik runs with no feature");
		return 0;
	}
	r = import_check(&section, agent_fields);
	if (r < 0)
		return r;
	import_apply(&section, agent_fields);
	type = import_value(&section, "informerType");
	if (type && strcmp(json_string_value(type), "nri") == 0)
		import_remark(
			rubik->import, rubik->document, "agent.informerType", section.policy,
			"sources.kubernetes.via",
			"Berth takes no part in the making of containers: groups are found in "
			"the cgroup tree at once, names and annotations come from the API, for "
			"which it needs credentials");
	return agent_enable(rubik, import_value(&section, "enabledFeatures"));
}

/* Of each section: is it a feature's, is the feature on, is it there? */
static int sections_find(struct rubik *rubik)
{
	json_t *value;
	const char *key;
	int result = 0;

	json_object_foreach(rubik->document->root, key, value)
	{
		char nearest[96];
		size_t feature = 0;

		while (feature < RUBIK_FEATURES_MAX && strcmp(key, rubik_names[feature]) != 0)
			feature++;
		if (feature < RUBIK_FEATURES_MAX && rubik->enabled[feature]) {
			rubik->sections[feature] = value;
		} else if (feature < RUBIK_FEATURES_MAX) {
			import_remark(rubik->import, rubik->document, key, &rubik->import->policy,
				      "plugins.colocation",
				      "left out: it is not in agent.enabledFeatures, so that rubik "
				      "does not read it");
		} else if (strcmp(key, "agent") != 0) {
			const char *known[RUBIK_FEATURES_MAX + 2] = { "agent" };

			memcpy(known + 1, rubik_names, sizeof(rubik_names));
			import_nearest(key, known, nearest, sizeof(nearest));
			import_remark(rubik->import, rubik->document, key, &rubik->import->policy,
				      "plugins.colocation",
				      "unknown section, which rubik passes over in silence%s",
				      nearest);
		}
	}
	for (size_t i = 0; i < RUBIK_FEATURES_MAX; i++)
		if (rubik->enabled[i] && !rubik->sections[i] && i != RUBIK_IO_LIMIT &&
		    i != RUBIK_QUOTA_BURST && i != RUBIK_CPI)
			result = import_error(
				rubik->import, rubik->document, "agent.enabledFeatures",
				"'%s' has no section, and rubik does not start without; add "
				"\"%s\": %s",
				rubik_names[i], rubik_names[i],
				i == RUBIK_IO_COST ? "[...]" : "{...}");
	return result;
}

static int net_check(const struct import_section *section)
{
	static const char *const keys[] = { "net.waterline", "net.bandwidthLow",
					    "net.bandwidthHigh" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!import_value(section, keys[i]))
			return import_error(section->import, section->document, "preemption",
					    "%s is missing, which rubik has no default for",
					    keys[i]);
	return rubik_order_check(section, "net.bandwidthLow",
				 import_int(section, "net.bandwidthLow", 0), "net.bandwidthHigh",
				 import_int(section, "net.bandwidthHigh", 0), false);
}

/* Which of cpu, memory and net are in preemption.resource. */
static int resources_find(const struct import_section *section, const char *const *names,
			  size_t count, bool *found)
{
	json_t *list = import_value(section, "resource"), *item;
	char path[64];
	size_t i;

	if (!json_is_array(list) || json_array_size(list) == 0)
		return import_error(section->import, section->document, section->path,
				    "resource: expected a list with one name or more");
	json_array_foreach(list, i, item)
	{
		size_t place = 0;

		while (place < count && (!json_is_string(item) ||
					 strcmp(json_string_value(item), names[place]) != 0))
			place++;
		(void)snprintf(path, sizeof(path), "%s.resource[%zu]", section->path, i);
		if (place == count)
			return import_error(section->import, section->document, path,
					    "expected %s, %s%s%s", names[0], names[1],
					    count > 2 ? " or " : "", count > 2 ? names[2] : "");
		found[place] = true;
	}
	return 0;
}

static int preemption_bind(const struct rubik *rubik)
{
	static const char *const names[] = { "cpu", "memory", "net" };
	static const char *const keys[] = { "cpu.enabled", "memory.enabled", "network.enabled" };
	struct import_section section =
		rubik_section(rubik, RUBIK_PREEMPTION, "plugins.colocation.network");
	bool found[ARRAY_SIZE(names)] = {};
	int r = 0;

	if (rubik->enabled[RUBIK_PREEMPTION]) {
		r = import_check(&section, preemption_fields);
		if (r == 0)
			r = resources_find(&section, names, ARRAY_SIZE(names), found);
		if (r == 0 && found[2])
			r = net_check(&section);
	}
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[64];

		(void)snprintf(path, sizeof(path), COLOCATION "%s", keys[i]);
		import_policy_set(rubik->import, section.policy, path, "preemption.resource", "%s",
				  found[i] ? "true" : "false");
	}
	if (found[2]) {
		/* oncn-bwm's water line is of online traffic alone: over it offline has `low`. */
		import_policy_set(rubik->import, section.policy, COLOCATION "network.law",
				  "preemption.net", "step");
		import_remark(rubik->import, rubik->document, "preemption.net", section.policy,
			      COLOCATION "network",
			      "rubik switches bwm on for each pod, Berth does not: without "
			      "bwm-cni or bwmcli -e, network.by: auto is BPF");
		import_apply(&section, preemption_fields);
	}
	return 0;
}

static int io_bind(const struct rubik *rubik)
{
	struct import_node *policy = &rubik->import->policy;
	bool limit = rubik->enabled[RUBIK_IO_LIMIT], cost = rubik->enabled[RUBIK_IO_COST];

	import_policy_set(rubik->import, policy, COLOCATION "io.enabled", "ioLimit, ioCost", "%s",
			  limit || cost ? "true" : "false");
	rubik_switch(rubik, COLOCATION "io.annotations", RUBIK_IO_LIMIT);
	rubik_switch(rubik, COLOCATION "io.weights", RUBIK_IO_COST);
	return cost ? rubik_io_cost(rubik) : 0;
}

static int turbo_bind(const struct rubik *rubik)
{
	struct import_section section = rubik_section(rubik, RUBIK_QUOTA_TURBO, COLOCATION "turbo");
	int r;

	rubik_switch(rubik, COLOCATION "turbo.enabled", RUBIK_QUOTA_TURBO);
	if (!rubik->enabled[RUBIK_QUOTA_TURBO])
		return 0;
	r = import_check(&section, quota_turbo_fields);
	if (r == 0)
		r = rubik_order_check(&section, "highWaterMark",
				      import_int(&section, "highWaterMark", 60), "alarmWaterMark",
				      import_int(&section, "alarmWaterMark", 80), false);
	if (r < 0)
		return r;
	import_policy_set(rubik->import, section.policy, COLOCATION "turbo.law", "quotaTurbo",
			  "rubik");
	import_apply(&section, quota_turbo_fields);
	return 0;
}

static int shares_bind(const struct rubik *rubik)
{
	struct import_section section = rubik_section(rubik, RUBIK_DYN_MEMORY, COLOCATION "shares");

	rubik_switch(rubik, COLOCATION "shares.enabled", RUBIK_DYN_MEMORY);
	if (!rubik->enabled[RUBIK_DYN_MEMORY])
		return 0;
	if (json_is_object(section.object) && !import_value(&section, "policy"))
		return import_error(rubik->import, rubik->document, "dynMemory",
				    "policy is missing; there is \"fssr\"");
	return import_check(&section, dyn_memory_fields);
}

int import_rubik(struct import *import)
{
	static int (*const parts[])(const struct rubik *) = {
		preemption_bind, io_bind, turbo_bind, shares_bind, rubik_cache, rubik_evict,
	};
	struct rubik rubik = { .import = import, .document = &import->file.documents[0] };
	int result = agent_bind(&rubik);
	int r = sections_find(&rubik);

	result = MIN(result, r);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		/* All errors in one run; a part without its section was told of above. */
		r = parts[i](&rubik);
		result = MIN(result, r);
	}
	rubik_switch(&rubik, COLOCATION "burst.enabled", RUBIK_QUOTA_BURST);
	rubik_switch(&rubik, COLOCATION "interference.enabled", RUBIK_CPI);
	return result;
}
