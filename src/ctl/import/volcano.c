/* SPDX-License-Identifier: Apache-2.0 */
/* volcano.c - colocation-config of Volcano's agent: globalConfig, and nodesConfig over it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "import/nodes.h"
#include "macro.h"

#define COLOCATION "plugins.colocation."

#define FLAG(from, fallback, to, remark)                                               \
	{                                                                              \
		from, IMPORT_BOOL, 0, 1, fallback, NULL, to, IMPORT_AS_IT_IS, (remark) \
	}
#define PERCENT(from, fallback, to, how, remark)                            \
	{                                                                   \
		from, IMPORT_INT, 0, 100, fallback, NULL, to, how, (remark) \
	}
#define OTHER(from, kind, remark)                                                           \
	{                                                                                   \
		from, kind, INT64_MIN, INT64_MAX, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, \
			(remark)                                                            \
	}

#define NO_SCHEDULER \
	"no equal: Berth does not tell the scheduler what is left over, and does not taint nodes"
#define NO_RECOVERY \
	"no equal: Berth does not taint the node, so there is no line at which it is opened again"

static const struct import_field fields[] = {
	FLAG("cpuQosConfig.enable", 0, "cpu.enabled", NULL),
	FLAG("memoryQosConfig.enable", 0, "memory.enabled", NULL),
	OTHER("memoryQosV2Config.enable", IMPORT_BOOL, NULL),
	FLAG("cpuBurstConfig.enable", 0, "burst.enabled",
	     "pods say how much by volcano.sh/quota-burst-time; volcano.sh/enable-quota-burst "
	     "alone "
	     "says nothing to Berth"),
	FLAG("networkQosConfig.enable", 0, "network.enabled", NULL),
	PERCENT("networkQosConfig.onlineBandwidthWatermarkPercent", 80, NULL, IMPORT_AS_IT_IS,
		NULL),
	PERCENT("networkQosConfig.offlineLowBandwidthPercent", 10, NULL, IMPORT_AS_IT_IS, NULL),
	PERCENT("networkQosConfig.offlineHighBandwidthPercent", 40, NULL, IMPORT_AS_IT_IS, NULL),
	OTHER("networkQosConfig.qosCheckInterval", IMPORT_INT,
	      "no equal: the share of offline work follows each packet, or a period of Berth's "
	      "own"),
	OTHER("overSubscriptionConfig.enable", IMPORT_BOOL, NO_SCHEDULER),
	OTHER("overSubscriptionConfig.overSubscriptionTypes", IMPORT_TEXT, NO_SCHEDULER),
	PERCENT("evictingConfig.evictingCPUHighWatermark", 80, "evict.cpu.use", IMPORT_AS_IT_IS,
		NULL),
	PERCENT("evictingConfig.evictingMemoryHighWatermark", 60, "evict.memory.available_percent",
		IMPORT_AS_REST,
		"the rest of it is available memory, so that page cache is no reason"),
	OTHER("evictingConfig.evictingCPULowWatermark", IMPORT_INT, NO_RECOVERY),
	OTHER("evictingConfig.evictingMemoryLowWatermark", IMPORT_INT, NO_RECOVERY),
	{ "evictingConfig.monitorInterval", IMPORT_INT, 1, 60, 10, NULL, "evict.period",
	  IMPORT_AS_SEC, NULL },
	{ "evictingConfig.highUsageCountLimit", IMPORT_INT, 1, 60, 6, NULL, "evict.window",
	  IMPORT_AS_IT_IS, NULL },
	FLAG("cpuThrottlingConfig.enable", 0, "suppress.enabled", NULL),
	OTHER("timeBasedQoSPolicies", IMPORT_ANY,
	      "no equal: levels do not go by the clock; change the annotation instead"),
	OTHER("nodeLabelConfig", IMPORT_ANY, "Volcano itself takes this from labels of the node"),
	OTHER("selector", IMPORT_ANY, NULL),
	{ NULL },
};

static const struct import_field root_fields[] = {
	OTHER("globalConfig", IMPORT_ANY, NULL),
	OTHER("nodesConfig", IMPORT_ANY, NULL),
	{ NULL },
};

static void derived_apply(const struct import_section *section)
{
	const char *const network = COLOCATION "network.enabled";
	int64_t samples = import_int(section, "evictingConfig.highUsageCountLimit", 6);

	/* All of the last so many looks must be over the line. */
	import_policy_set(section->import, section->policy, COLOCATION "evict.samples",
			  "evictingConfig.highUsageCountLimit", "%d", (int)samples);
	import_policy_set(section->import, section->policy, COLOCATION "evict.enabled",
			  "evictingConfig", "true");
	import_policy_set(section->import, section->policy, COLOCATION "evict.pressure.memory",
			  NULL, "0");
	import_policy_set(section->import, section->policy, COLOCATION "evict.memory.hard", NULL,
			  "0");
	if (import_flag(section, "memoryQosV2Config.enable", false))
		import_policy_set(section->import, section->policy, COLOCATION "memory.enabled",
				  "memoryQosV2Config.enable", "true");
	if (!import_flag(section, "networkQosConfig.enable", false))
		return;
	import_policy_set(section->import, section->policy, network, NULL, "false");
	if (!section->is_silent)
		import_remark(
			section->import, section->document, "globalConfig.networkQosConfig",
			section->policy, network,
			"percent of a speed that only the node knows: set network.water_line, "
			"network.low and network.high in bytes a second, %d, %d and %d %% of the "
			"uplink, and switch it on",
			(int)import_int(section, "networkQosConfig.onlineBandwidthWatermarkPercent",
					80),
			(int)import_int(section, "networkQosConfig.offlineLowBandwidthPercent", 10),
			(int)import_int(section, "networkQosConfig.offlineHighBandwidthPercent",
					40));
}

static int node_bind(const struct import_section *global, json_t *node, size_t place)
{
	char path[64];
	struct import_section entry = *global;
	json_auto_t *merged = NULL;
	int r;

	(void)snprintf(path, sizeof(path), "nodesConfig[%zu]", place);
	entry.path = path;
	entry.object = node;
	entry.at = "overrides";
	r = import_check(&entry, fields);
	if (r < 0)
		return r;
	entry.policy = import_nodes_override(&entry, "selector");
	if (!entry.policy)
		return entry.import->notes.errors ? -EINVAL : 0;
	/* Key by key over the global values, as Volcano does it. */
	merged = import_nodes_merge(&entry, global->object);
	if (!merged)
		return 0;
	import_apply(&entry, fields);
	derived_apply(&entry);
	return 0;
}

int import_volcano(struct import *import)
{
	const struct import_document *document = &import->file.documents[0];
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
	struct import_section global = root;
	json_t *nodes, *node;
	size_t i;
	int result = import_check(&root, root_fields), r;

	nodes = import_value(&root, "nodesConfig");
	global.object = import_value(&root, "globalConfig");
	global.path = "globalConfig";
	if (!nodes && !global.object)
		return import_error(import, document, "",
				    "neither globalConfig nor nodesConfig: is it Volcano's?");
	r = import_check(&global, fields);
	result = MIN(result, r);
	if (nodes && !json_is_array(nodes))
		return import_error(import, document, "nodesConfig", "expected a list, [ ... ]");
	if (result < 0)
		return result;
	import_apply(&global, fields);
	derived_apply(&global);
	import_remark(import, NULL, "", &import->policy, COLOCATION "evict.enabled",
		      "Volcano evicts only on nodes labelled volcano.sh/oversubscription=true and "
		      "never kills; a pod that is here for less than 30 s is left alone by Berth "
		      "(evict.min_run_time)");
	import_nodes_remark(&root, "nodesConfig", json_array_size(nodes), "the last one holds");
	json_array_foreach(nodes, i, node)
	{
		r = node_bind(&global, node, i);
		result = MIN(result, r);
	}
	return result;
}
