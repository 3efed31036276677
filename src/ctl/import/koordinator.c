/* SPDX-License-Identifier: Apache-2.0 */
/*
 * koordinator.c - the keys of Koordinator's slo-controller-config that its agent acts on.
 * Each holds a clusterStrategy, and nodeStrategies over it, of which the first that matches a node
 * holds.
 */
#include "import/koordinator.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import/nodes.h"
#include "macro.h"

#define COLOCATION "plugins.colocation."

#define FLAG(from, fallback, to, remark)                                               \
	{                                                                              \
		from, IMPORT_BOOL, 0, 1, fallback, NULL, to, IMPORT_AS_IT_IS, (remark) \
	}
#define INT(from, min, max, fallback, to, how, remark)                        \
	{                                                                     \
		from, IMPORT_INT, min, max, fallback, NULL, to, how, (remark) \
	}
#define WORD(from, words, to, remark)                                                      \
	{                                                                                  \
		from, IMPORT_WORD, 0, 0, IMPORT_NONE, words, to, IMPORT_AS_IT_IS, (remark) \
	}
#define OTHER(from, kind, remark)                                                           \
	{                                                                                   \
		from, kind, INT64_MIN, INT64_MAX, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, \
			(remark)                                                            \
	}

#define NO_SATISFACTION                                                                 \
	"no equal: no pod is evicted for having less CPU than it asked for; lines are " \
	"evict.cpu.use and evict.pressure.cpu"
#define ONE_AT_A_TIME "no equal: one pod at a time is evicted, until the line is no longer crossed"
#define NO_PRIORITY   "no equal: who is offline goes by the level of the workload"

static const struct import_field threshold_fields[] = {
	FLAG("enable", 0, "suppress.enabled", NULL),
	INT("cpuSuppressThresholdPercent", 1, 100, 65, "suppress.target_percent", IMPORT_AS_IT_IS,
	    NULL),
	INT("cpuSuppressMinPercent", 0, 100, IMPORT_NONE, "suppress.min_percent", IMPORT_AS_IT_IS,
	    NULL),
	WORD("cpuSuppressPolicy", "cpuset cfsQuota=quota", "suppress.by", NULL),
	INT("memoryEvictThresholdPercent", 0, 100, 70, "evict.memory.available_percent",
	    IMPORT_AS_REST, "the rest of it is available memory, so that page cache is no reason"),
	OTHER("memoryEvictLowerPercent", IMPORT_INT, ONE_AT_A_TIME),
	INT("cpuEvictThresholdPercent", 0, 100, 0, "evict.cpu.use", IMPORT_AS_IT_IS, NULL),
	OTHER("cpuEvictLowerPercent", IMPORT_INT, ONE_AT_A_TIME),
	OTHER("cpuEvictBESatisfactionUpperPercent", IMPORT_INT, NO_SATISFACTION),
	OTHER("cpuEvictBESatisfactionLowerPercent", IMPORT_INT, NO_SATISFACTION),
	OTHER("cpuEvictBEUsageThresholdPercent", IMPORT_INT, NO_SATISFACTION),
	OTHER("cpuEvictTimeWindowSeconds", IMPORT_INT,
	      "no equal: a line must be crossed in evict.samples of the last evict.window samples"),
	OTHER("cpuEvictPolicy", IMPORT_TEXT, NO_SATISFACTION),
	OTHER("evictEnabledPriorityThreshold", IMPORT_INT, NO_PRIORITY),
	OTHER("allocatableEvictPriorityThreshold", IMPORT_INT, NO_PRIORITY),
	{ NULL },
};

static const struct import_field burst_fields[] = {
	WORD("policy", "none cpuBurstOnly cfsQuotaBurstOnly auto", NULL, NULL),
	OTHER("cpuBurstPercent", IMPORT_INT,
	      "no equal: how much each pod may burst stands in its annotation "
	      "volcano.sh/quota-burst-time"),
	OTHER("cfsQuotaBurstPercent", IMPORT_INT,
	      "no equal: a quota is raised to twice the limit at most, and only of pods with "
	      "volcano.sh/quota-turbo"),
	OTHER("cfsQuotaBurstPeriodSeconds", IMPORT_INT,
	      "no equal: how long depends on what the pod left unused in the last minute"),
	INT("sharePoolThresholdPercent", 1, 100, 50, "turbo.alarm_percent", IMPORT_AS_IT_IS, NULL),
	{ NULL },
};

/* Beside the keys of a strategy, in an item of nodeStrategies. */
static const struct import_field node_fields[] = {
	OTHER("name", IMPORT_TEXT, NULL),
	OTHER("nodeSelector", IMPORT_ANY, NULL),
	{ NULL },
};

static const struct import_field root_fields[] = {
	OTHER("clusterStrategy", IMPORT_ANY, NULL),
	OTHER("nodeStrategies", IMPORT_ANY, NULL),
	{ NULL },
};

static int threshold_apply(const struct import_section *section)
{
	struct import *import = section->import;

	import_policy_set(import, section->policy, COLOCATION "evict.enabled", "enable", "%s",
			  import_flag(section, "enable", false) ? "true" : "false");
	if (!import_value(section, "cpuSuppressPolicy"))
		import_policy_set(import, section->policy, COLOCATION "suppress.by",
				  "cpuSuppressPolicy, by default", "cpuset");
	import_policy_set(import, section->policy, COLOCATION "evict.memory.hard", NULL, "0");
	import_policy_set(import, section->policy, COLOCATION "evict.pressure.memory", NULL, "0");
	return 0;
}

static int burst_apply(const struct import_section *section)
{
	json_t *value = import_value(section, "policy");
	const char *policy = value ? json_string_value(value) : "none";
	bool is_auto = strcmp(policy, "auto") == 0;
	int64_t alarm = import_int(section, "sharePoolThresholdPercent", 50);

	import_policy_set(section->import, section->policy, COLOCATION "burst.enabled", "policy",
			  "%s", is_auto || strcmp(policy, "cpuBurstOnly") == 0 ? "true" : "false");
	import_policy_set(section->import, section->policy, COLOCATION "turbo.enabled", "policy",
			  "%s",
			  is_auto || strcmp(policy, "cfsQuotaBurstOnly") == 0 ? "true" : "false");
	/* Koordinator stops raising at nine tenths of the line at which it takes back. */
	import_policy_set(section->import, section->policy, COLOCATION "turbo.high_percent",
			  "nine tenths of sharePoolThresholdPercent", "%" PRId64, alarm * 9 / 10);
	return 0;
}

static const struct part {
	const struct import_field *fields;
	int (*apply)(const struct import_section *section);
} parts[] = {
	/* By place in the keys of the ConfigMap: cmd-import.c. */
	{ threshold_fields, threshold_apply },
	{ koordinator_qos_fields, koordinator_qos_apply },
	{ burst_fields, burst_apply },
};

/* Of an item of nodeStrategies: its own keys apart from those of the strategy. */
static int node_check(const struct import_section *entry, const struct part *part)
{
	struct import_section below = *entry;
	json_auto_t *own = json_object(), *strategy = json_copy(entry->object);
	int named, held;

	if (!json_is_object(entry->object))
		return import_error(entry->import, entry->document, entry->path,
				    "expected an object, { ... }");
	for (const struct import_field *field = node_fields; field->from; field++) {
		json_t *value = json_object_get(strategy, field->from);

		if (value)
			(void)json_object_set(own, field->from, value);
		(void)json_object_del(strategy, field->from);
	}
	below.object = own;
	named = import_check(&below, node_fields);
	below.object = strategy;
	held = import_check(&below, part->fields);
	return MIN(named, held);
}

static int node_bind(const struct import_section *cluster, const struct part *part, json_t *node,
		     size_t place)
{
	struct import_section entry = *cluster;
	json_auto_t *merged = NULL;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "nodeStrategies[%zu]", place);
	entry.path = path;
	entry.object = node;
	entry.at = "overrides";
	r = node_check(&entry, part);
	if (r < 0)
		return r;
	entry.policy = import_nodes_override(&entry, "nodeSelector");
	if (!entry.policy)
		return entry.import->notes.errors ? -EINVAL : 0;
	merged = import_nodes_merge(&entry, cluster->object);
	if (!merged)
		return 0;
	import_apply(&entry, part->fields);
	return part->apply(&entry);
}

static int part_bind(struct import *import, const struct part *part,
		     const struct import_document *document)
{
	struct import_section root = {
		.import = import,
		.document = document,
		.object = document->root,
		.path = "",
		.policy = &import->policy,
		.prefix = COLOCATION,
		.at = "plugins.colocation",
		.folds_case = true,
	};
	struct import_section cluster = root;
	json_t *nodes, *node;
	size_t i;
	int result = import_check(&root, root_fields), r;

	nodes = import_value(&root, "nodeStrategies");
	cluster.object = import_value(&root, "clusterStrategy");
	cluster.path = "clusterStrategy";
	r = import_check(&cluster, part->fields);
	result = MIN(result, r);
	if (nodes && !json_is_array(nodes))
		return import_error(import, document, "nodeStrategies", "expected a list, [ ... ]");
	if (result < 0)
		return result;
	import_apply(&cluster, part->fields);
	result = part->apply(&cluster);
	import_nodes_remark(&root, "nodeStrategies", json_array_size(nodes), "the first one holds");
	json_array_foreach(nodes, i, node)
	{
		r = node_bind(&cluster, part, node, i);
		result = MIN(result, r);
	}
	return result;
}

int import_koordinator(struct import *import)
{
	int result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int r;

		if (!import->file.documents[i].root)
			continue;
		r = part_bind(import, &parts[i], &import->file.documents[i]);
		result = MIN(result, r);
	}
	return result;
}
