/* SPDX-License-Identifier: Apache-2.0 */
/* report.c - what the programs counted, for people and for /metrics. */
#include <inttypes.h>
#include <stdio.h>

#include "macro.h"
#include "network/internal.h"

static void metric_set(struct network *network, struct agent_metric **metric, const char *name,
		       const char *help, const char *labels, uint64_t value)
{
	const struct agent_api *api = network->agent->api;

	if (!*metric && api->metric(network->agent, name, help, metric) < 0)
		return;
	api->metric_set_labels(network->agent, *metric, labels, (double)value);
}

static void line_metrics(struct network *network, const struct line *line,
			 const struct pace_report *report)
{
	struct network_metrics *metrics = &network->metrics;
	const __u64 *count = report->offline.count;
	char labels[64];

	(void)snprintf(labels, sizeof(labels), "device=\"%s\"", line->device.name);
	metric_set(network, &metrics->online_bytes, "network_online_bytes_total",
		   "Bytes of online traffic that left by the device.", labels,
		   report->online.bytes);
	metric_set(network, &metrics->bytes, "network_offline_bytes_total",
		   "Bytes of offline traffic that left by the device.", labels, count[PACE_BYTES]);
	metric_set(network, &metrics->delayed, "network_offline_delayed_packets_total",
		   "Offline packets that waited for their time.", labels, count[PACE_DELAYED]);
	metric_set(network, &metrics->dropped, "network_offline_dropped_packets_total",
		   "Offline packets that would have waited too long.", labels, count[PACE_DROPPED]);
	metric_set(network, &metrics->marked, "network_offline_marked_packets_total",
		   "Offline packets that told their sender to slow down (ECN).", labels,
		   count[PACE_MARKED]);
	metric_set(network, &metrics->policed, "network_offline_policed_bytes_total",
		   "Bytes of offline pods that cannot wait: UDP without a connection.", labels,
		   count[PACE_POLICED]);
	metric_set(network, &metrics->rate, "network_offline_rate_bytes",
		   "Bytes a second that offline traffic was allowed when its last packet left.",
		   labels, report->offline.law.rate);
	metric_set(network, &metrics->online_rate, "network_online_rate_bytes",
		   "Bytes a second of online traffic, seen at the same time.", labels,
		   report->offline.law.online_rate);
}

static void line_describe(struct network *network, const struct line *line,
			  const struct pace_report *report)
{
	static const char *const states[] = {
		[LINE_WAITS] = "waits", [LINE_ACTIVE] = "paced", [LINE_REFUSED] = "left alone"
	};
	char key[32], text[256];

	(void)snprintf(key, sizeof(key), "network %s", line->device.name);
	if (line->state != LINE_ACTIVE)
		(void)snprintf(text, sizeof(text), "%s: %s", states[line->state], line->detail);
	else
		(void)snprintf(text, sizeof(text),
			       "paced by %s fq: offline may send %" PRIu64 " B/s beside %" PRIu64
			       " B/s online; %" PRIu64 " packets waited, %" PRIu64 " dropped",
			       line->claims_qdisc ? "our" : "the host's",
			       (uint64_t)report->offline.law.rate,
			       (uint64_t)report->offline.law.online_rate,
			       (uint64_t)report->offline.count[PACE_DELAYED],
			       (uint64_t)report->offline.count[PACE_DROPPED]);
	network->agent->api->describe(network->agent, 0, key, text);
}

static void network_describe(struct network *network)
{
	char text[256];

	if (!network->config->enabled)
		(void)snprintf(text, sizeof(text), "off");
	else if (network->detail[0])
		(void)snprintf(text, sizeof(text), "off: %s", network->detail);
	else if (network->by_bwm)
		(void)snprintf(text, sizeof(text),
			       "on: %zu offline groups, on devices that bwm is on at",
			       network->groups.count);
	else if (network->loading)
		(void)snprintf(text, sizeof(text), "its programs are being loaded");
	else if (!network->programs)
		(void)snprintf(text, sizeof(text), "on: no offline workload yet");
	else if (network->line_count == 0)
		(void)snprintf(text, sizeof(text), "waits: no device %s",
			       network->config->devices && network->config->devices[0]
				       ? "matches network.devices"
				       : "has a default route; name some in network.devices");
	else
		(void)snprintf(text, sizeof(text), "on: %zu offline workloads, %zu devices%s",
			       network->groups.count, network->line_count,
			       network->devices_found > network->line_count
				       ? ", and more that are left out"
				       : "");
	network->agent->api->describe(network->agent, 0, "network", text);
	network->agent->api->describe(network->agent, 0, "network by",
				      network->config->enabled ? network->by : NULL);
}

void network_report(struct network *network)
{
	network_describe(network);
	for (size_t i = 0; network->programs && i < network->line_count; i++) {
		const struct line *line = &network->lines[i];
		struct pace_report report = { .online = { 0 } };

		if (pace_programs_read(network->programs, line->device.ifindex, &report) == 0)
			line_metrics(network, line, &report);
		line_describe(network, line, &report);
	}
}
