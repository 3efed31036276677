/* SPDX-License-Identifier: Apache-2.0 */
/* sysctls.c - openEuler's scheduler, where the policy says something of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "macro.h"
#include "parse.h"
#include "placement/state.h"

#define LEVELS 5u

int level_weights_check(const char *text)
{
	unsigned int count = 0;

	while (*text) {
		size_t length = strcspn(text, " ");
		uint64_t weight;

		if (length > 0 && (parse_u64_span(text, length, &weight) < 0 || weight == 0 ||
				   weight > UINT32_MAX || ++count > LEVELS))
			return -EINVAL;
		text += length;
		text += strspn(text, " ");
	}
	return count == LEVELS ? 0 : -EINVAL;
}

static void sysctl_claim(struct agent *agent, enum knob knob, bool wanted, uint64_t number,
			 const char *weights, const char *key)
{
	const struct berth_target host = { .kind = TARGET_HOST };
	const struct knob_value value = { .number = number, .text = weights };
	const char *reason = "";
	char text[200];
	int r;

	if (!wanted) {
		agent->api->unclaim_as(agent, PLACEMENT_PART, host, knob);
		agent->api->describe(agent, 0, key, NULL);
		return;
	}
	if (agent->api->knob_available(agent, knob, &reason) <= 0) {
		(void)snprintf(text, sizeof(text), "off: %.150s", reason ? reason : "");
		agent->api->describe(agent, 0, key, text);
		return;
	}
	r = agent->api->claim_as(agent, PLACEMENT_PART, host, knob, &value, 0, key);
	if (r < 0)
		(void)snprintf(text, sizeof(text), "refused: %s", strerror(-r));
	else
		(void)snprintf(text, sizeof(text), "set");
	agent->api->describe(agent, 0, key, text);
}

void sysctls_claim(struct agent *agent, const struct placement_config *config)
{
	sysctl_claim(agent, KNOB_SCHED_PRIO_BALANCE, config->prio_balance, 1, NULL,
		     "cpu.prio_load_balance");
	sysctl_claim(agent, KNOB_QOS_OVERLOAD_MSEC, config->overload_usec > 0,
		     config->overload_usec / USEC_PER_MSEC, NULL, "cpu.overload_detect");
	sysctl_claim(agent, KNOB_QOS_WAIT_MSEC, config->wait_usec > 0,
		     config->wait_usec / USEC_PER_MSEC, NULL, "cpu.overload_wait");
	sysctl_claim(agent, KNOB_QOS_LEVEL_WEIGHTS, config->level_weights[0], 0,
		     config->level_weights, "cpu.level_weights");
	sysctl_claim(agent, KNOB_SCHED_UTIL_LOW,
		     config->tidal_enabled && config->util_low_percent > 0,
		     config->util_low_percent, NULL, "placement.tidal.util_low_percent");
}
