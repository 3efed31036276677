/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-page - the page of metrics of a large node, without the node: the daemon's own page, gzip
 * and HTTP server, the exporter's own families, and made-up samples of which EVERY value changes
 * between two scrapes. The kernel of a host may tell less of a cgroup, and what reading it costs is
 * measured elsewhere (bench collect).
 *
 *     berth-page WORKLOADS     prints its port, serves /metrics on 127.0.0.1 until SIGTERM
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "api/http/server.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "metrics/serve.h"
#include "monotonic.h"
#include "parse.h"
#include "plugins/exporter/exporter.h"

struct node {
	struct metrics *metrics;
	struct metric_table tables[EXPORTER_FAMILIES];
	struct workload_sample *samples;
	uint64_t count, generation;
};

static uint64_t mix(uint64_t number)
{
	number ^= number >> 33;
	number *= UINT64_C(0xff51afd7ed558ccd);
	number ^= number >> 29;
	return number;
}

/* A value's unit, and how large it gets in a day of a busy pod: time in microseconds, bytes in
 * pages of 4 KiB, counts of pages and faults, rare events. Pods differ by decades, so where one is
 * below that is even on a logarithmic scale. */
static const struct magnitude {
	enum sample_value end; /* of the values after the row before */
	uint64_t unit, bits;
} magnitudes[] = {
	{ SAMPLE_CPU_PERIODS, 1, 36 },   { SAMPLE_CPU_THROTTLED_USEC, 1, 20 },
	{ SAMPLE_MEMORY_BYTES, 1, 34 },  { SAMPLE_MEMORY_EVENT_LOW, 4096, 20 },
	{ SAMPLE_MEMORY_FAULTS, 1, 10 }, { SAMPLE_PRESSURE_FIRST, 1, 28 },
	{ SAMPLE_MAX, 1, 34 },
};

static const struct magnitude *magnitude_of(unsigned int value)
{
	const struct magnitude *row = magnitudes;

	while (value >= row->end)
		row++;
	return row;
}

static uint64_t value_first(uint64_t id, unsigned int value)
{
	const struct magnitude *row = magnitude_of(value);
	uint64_t noise = mix(id * 257 + value);

	return (noise >> 8) % (UINT64_C(1) << (1 + noise % row->bits)) * row->unit;
}

/* Every one, by up to a thousandth of it. */
static void samples_change(struct node *node)
{
	node->generation++;
	for (uint64_t i = 0; i < node->count; i++)
		for (unsigned int value = 0; value < SAMPLE_MAX; value++) {
			uint64_t unit = magnitude_of(value)->unit;
			uint64_t *number = &node->samples[i].value[value];
			uint64_t noise = mix(node->generation * 8191 + i * 131 + value);

			*number += (1 + noise % (1 + *number / unit / 1024)) * unit;
		}
}

static const struct workload_sample *sample_of(void *data, uint64_t id)
{
	const struct node *node = data;

	return &node->samples[id - 1];
}

static void handle_metrics(void *data, const struct http_request *request,
			   struct http_response *response)
{
	struct node *node = data;
	struct metrics_query query = {
		.exposition = exposition_negotiate(request->accept),
		.source = { .sample = sample_of, .data = node },
		.now_usec = monotonic_usec(),
	};

	if (encoding_negotiate(request->accept_encoding, &query.encoding) < 0)
		abort();
	samples_change(node);
	query.source.generation = node->generation;
	if (metrics_serve(node->metrics, &query, &response->blob) < 0)
		abort();
	response->content_type = exposition_content_type(query.exposition);
	response->encoding = query.encoding == ENCODING_GZIP ? "gzip" : NULL;
}

static const struct http_route routes[] = {
	{ "GET", "/metrics", false, handle_metrics },
	{ NULL, NULL, false, NULL },
};

/* What a pod on cgroup v2 with BPF has, without devices: 59 series. */
static void node_fill(struct node *node)
{
	struct exporter_config config = { 0 };
	char labels[192];
	const char *why;
	size_t count;

	for (unsigned int i = 0; i < GROUP_MAX; i++)
		config.groups[i] = 1;
	count = exporter_choose(&config, node->tables);
	if (page_check_tables(node->tables, count, &why) < 0)
		abort();
	page_set_tables(metrics_page(node->metrics), node->tables, count);
	for (uint64_t i = 0; i < node->count; i++) {
		struct workload_sample *sample = &node->samples[i];

		(void)snprintf(labels, sizeof(labels),
			       "namespace=\"team-%u\",pod=\"batch-worker-%u-%05x\",qos=\"batch\"",
			       (unsigned int)i % 20, (unsigned int)i,
			       (unsigned int)(mix(i) & 0xfffff));
		if (page_put(metrics_page(node->metrics), i + 1, labels) < 0)
			abort();
		memset(sample->known, 0xff, sizeof(sample->known));
		for (unsigned int value = 0; value < SAMPLE_MAX; value++)
			sample->value[value] = value_first(i, value);
	}
}

static int serve(struct node *node)
{
	sd_event *event = NULL;
	struct http_server *server = NULL;
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	sigset_t signals;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, 16) < 0 ||
	    getsockname(fd, (struct sockaddr *)&address, &length) < 0)
		return -errno;
	r = sd_event_default(&event);
	if (r < 0)
		return r;
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL);
	r = http_server_new(event, fd, routes, node, &server);
	if (r < 0)
		return r;
	(void)printf("%u\n", ntohs(address.sin_port));
	(void)fflush(stdout);
	r = sd_event_loop(event);
	(void)http_server_free(server);
	(void)sd_event_unref(event);
	return r;
}

int main(int argc, char **argv)
{
	struct node node = { 0 };
	int r;

	if (argc != 2 || parse_u64(argv[1], &node.count) < 0 || node.count == 0 ||
	    node.count > LIMIT_WORKLOADS) {
		(void)fputs("Usage: berth-page WORKLOADS\n", stderr);
		return 2;
	}
	node.samples = calloc(node.count, sizeof(*node.samples));
	if (!node.samples || metrics_new(&node.metrics) < 0)
		return 1;
	node_fill(&node);
	r = serve(&node);
	(void)metrics_free(node.metrics);
	free(node.samples);
	return r < 0;
}
