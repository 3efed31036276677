/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bwm.c - the same by openEuler's module bwm, where that is in use: it is told the water line and
 * the bandwidths, and groups their class. Devices are not switched on or off: the module's file for
 * it says yes whatever happened, takes every device of a namespace at once, and does not tell whose
 * were on before.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "macro.h"
#include "network/internal.h"

#define MEBI           (UINT64_C(1) << 20)
#define WATER_LINE_MIN (20 * MEBI) /* bpf/bwm_tc.h of oncn-bwm */
#define BANDWIDTH_MIN  MEBI
#define BANDWIDTH_MAX  (9999 * 1024 * MEBI)
#define CLASS_OFFLINE  UINT32_MAX
#define REASON         "online traffic first"

static const struct berth_target host = { TARGET_HOST, 0 };

/* NULL: bwm takes all of them. */
static const char *key_out_of_range(const struct network_config *config)
{
	if (config->water_line < WATER_LINE_MIN || config->water_line > BANDWIDTH_MAX)
		return "network.water_line";
	if (config->low < BANDWIDTH_MIN || config->low > BANDWIDTH_MAX)
		return "network.low";
	return config->high > BANDWIDTH_MAX ? "network.high" : NULL;
}

int network_bwm_check(const struct network_config *config, struct berth_error *reterr)
{
	const char *key = key_out_of_range(config);

	if (!key)
		return 0;
	*reterr = (struct berth_error){ .key = key };
	(void)snprintf(reterr->text, sizeof(reterr->text),
		       "bwm takes a water line of 20Mi and bandwidths of 1Mi, up to 9999Gi "
		       "(network.by: bpf takes others)");
	return -EINVAL;
}

/* NULL: it can be used. */
static const char *why_not(const struct network *network)
{
	static const enum knob knobs[] = { KNOB_BWM_BANDWIDTH, KNOB_BWM_WATERLINE,
					   KNOB_NET_CLASSID };
	const char *reason = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(knobs); i++)
		if (!network->agent->api->knob_available(network->agent, knobs[i], &reason))
			return reason ? reason : "it is not there";
	return key_out_of_range(network->config)
		       ? "it takes a water line from 20Mi and bandwidths from 1Mi on"
		       : NULL;
}

bool network_bwm_wanted(struct network *network)
{
	const char *reason =
		network->config->by == NETWORK_BPF ? "the policy says so" : why_not(network);
	bool must = network->config->by == NETWORK_BWM;
	char by[sizeof(network->by)];

	if (must || !reason)
		(void)snprintf(by, sizeof(by), "bwm, openEuler's module");
	else
		(void)snprintf(by, sizeof(by), "BPF: %s", reason);
	if (must && reason)
		(void)snprintf(network->detail, sizeof(network->detail), "%s", reason);
	if (strcmp(by, network->by) != 0 || (must && reason))
		network->agent->api->log(network->agent, must && reason ? LOG_WARNING : LOG_INFO,
					 "offline traffic is %spaced by %s%s%s",
					 must && reason ? "not " : "", by,
					 must && reason ? ": " : "", must && reason ? reason : "");
	(void)snprintf(network->by, sizeof(network->by), "%s", by);
	return must || !reason;
}

static uint64_t mebis(uint64_t bytes, uint64_t least)
{
	return MAX(bytes / MEBI, least / MEBI);
}

static void limit_claim(struct network *network, enum knob knob, const char *text)
{
	const struct agent_api *api = network->agent->api;
	const struct knob_value value = { .text = text };
	int r = api->claim_as(network->agent, NETWORK_PART, host, knob, &value, 0, REASON);

	if (r < 0)
		api->log(network->agent, LOG_WARNING, "bwm is not told \"%s\": %s", text,
			 strerrordesc_np(-r));
}

void network_bwm_update(struct network *network)
{
	const struct network_config *config = network->config;
	bool wanted = network->by_bwm && config->enabled && !network->detail[0] &&
		      network->groups.count > 0;
	char text[64];

	if (wanted) {
		(void)snprintf(text, sizeof(text), "%" PRIu64 "mb,%" PRIu64 "mb",
			       mebis(config->low, BANDWIDTH_MIN),
			       mebis(config->high, BANDWIDTH_MIN));
		limit_claim(network, KNOB_BWM_BANDWIDTH, text);
		(void)snprintf(text, sizeof(text), "%" PRIu64 "mb",
			       mebis(config->water_line, WATER_LINE_MIN));
		limit_claim(network, KNOB_BWM_WATERLINE, text);
	} else if (network->has_limits) {
		network->agent->api->unclaim_as(network->agent, NETWORK_PART, host,
						KNOB_BWM_BANDWIDTH);
		network->agent->api->unclaim_as(network->agent, NETWORK_PART, host,
						KNOB_BWM_WATERLINE);
	}
	network->has_limits = wanted;
}

static void class_describe(struct network *network, const struct group *group, const char *text)
{
	network->agent->api->describe(network->agent, group->id, "network", text);
}

/* A class of somebody's is what a filter of theirs goes by. */
static bool has_other_class(struct network *network, const struct group *group)
{
	const struct berth_target target = { TARGET_WORKLOAD, group->id };
	uint64_t original = 0;

	return network->agent->api->knob_value(network->agent, target, KNOB_NET_CLASSID, &original,
					       NULL) == 0 &&
	       original != 0 && original < CLASS_OFFLINE;
}

void network_bwm_class(struct network *network, struct group *group)
{
	const struct berth_target target = { TARGET_WORKLOAD, group->id };
	const struct knob_value value = { .number = CLASS_OFFLINE };
	int r;

	if (network->detail[0]) {
		network_bwm_unclass(network, group);
		class_describe(network, group, "not paced: bwm cannot be used");
		return;
	}
	if (has_other_class(network, group)) {
		network_bwm_unclass(network, group);
		class_describe(network, group, "not paced: its packets have somebody's class");
		return;
	}
	r = network->agent->api->claim_as(network->agent, NETWORK_PART, target, KNOB_NET_CLASSID,
					  &value, 0, REASON);
	group->has_class = group->has_class || r == 0;
	class_describe(network, group,
		       r < 0 ? strerrordesc_np(-r) : "offline to bwm, by the class of its packets");
}

void network_bwm_unclass(struct network *network, struct group *group)
{
	const struct berth_target target = { TARGET_WORKLOAD, group->id };

	if (group->has_class)
		network->agent->api->unclaim_as(network->agent, NETWORK_PART, target,
						KNOB_NET_CLASSID);
	group->has_class = false;
}
