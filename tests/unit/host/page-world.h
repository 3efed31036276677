/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page-world.h - a page over made-up workloads: samples that a test changes as it likes, and what
 * the page says of them.
 */
#pragma once

#include <isa-l/igzip_lib.h>
#include <stdlib.h>
#include <string.h>

#include "berth-test.h"
#include "limit.h"
#include "macro.h"
#include "metrics/page.h"
#include "metrics/slot.h"

#define WORKLOADS 24u

static const struct metric_column world_cpu[] = { { "", SAMPLE_CPU_USAGE_USEC } };
static const struct metric_column world_memory[] = {
	{ "stat=\"anon\"", SAMPLE_MEMORY_ANON_BYTES },
	{ "stat=\"file\"", SAMPLE_MEMORY_FILE_BYTES },
};
static const struct metric_column world_ratio[] = {
	{ "window=\"10s\"", WINDOW_10S },
	{ "window=\"60s\"", WINDOW_60S },
};
static const struct metric_column world_io[] = {
	{ "operation=\"read\"", IO_READ_BYTES },
	{ "operation=\"write\"", IO_WRITE_BYTES },
};
static const struct metric_column world_latency[] = { { "", 0 } };

#define WORLD_TABLE(name, help, source, divisor, columns)                               \
	{                                                                               \
		name, help, METRIC_FROM_##source, divisor, columns, ARRAY_SIZE(columns) \
	}

static const struct metric_table world_tables[] = {
	WORLD_TABLE("berth_w_cpu_seconds_total", "CPU time.", VALUE, 1000000, world_cpu),
	WORLD_TABLE("berth_w_memory_bytes", "Memory.", VALUE, 1, world_memory),
	WORLD_TABLE("berth_w_pressure_ratio", "Share.", AVERAGE, 1, world_ratio),
	WORLD_TABLE("berth_w_io_bytes_total", "IO.", DEVICE, 1, world_io),
	WORLD_TABLE("berth_w_latency_seconds", "Waits.", LATENCY, 1000000, world_latency),
};

/* One workload; its id is its place + 1. */
struct subject {
	bool sampled;
	struct workload_sample sample;
	struct sample_device devices[SAMPLE_DEVICES];
	struct sample_latency latency;
};

struct page_world {
	struct page *page;
	struct subject subjects[WORKLOADS];
	char names[WORKLOADS][32]; /* labels by id, "" while it is not there; of some tests */
	uint64_t generation, now_usec;
	size_t max_series;
};

static inline const struct workload_sample *world_sample(void *data, uint64_t id)
{
	const struct page_world *world = data;

	return world->subjects[id - 1].sampled ? &world->subjects[id - 1].sample : NULL;
}

static inline void know(struct page_world *world, uint64_t id, enum sample_value value,
			uint64_t number)
{
	struct subject *subject = &world->subjects[id - 1];

	subject->sampled = true;
	subject->sample.known[value / 64] |= UINT64_C(1) << (value % 64);
	subject->sample.value[value] = number;
}

static inline void add_device(struct page_world *world, uint64_t id, const char *name)
{
	struct subject *subject = &world->subjects[id - 1];
	struct sample_device *device = &subject->devices[subject->sample.device_count++];

	subject->sampled = true;
	subject->sample.devices = subject->devices;
	*device = (struct sample_device){ 0 };
	(void)snprintf(device->name, sizeof(device->name), "%s", name);
}

static inline struct page_source world_source(struct page_world *world)
{
	return (struct page_source){ world_sample, world, world->generation, world->max_series };
}

/* A new pass, and the page of it. */
static inline void world_update(struct page_world *world, enum exposition exposition)
{
	struct page_source source;

	world->generation++;
	source = world_source(world);
	assert_ok(page_update(world->page, exposition, &source));
}

static inline struct blob *world_take(struct page_world *world, const char *head, bool gzip)
{
	struct blob *blob = NULL;

	assert_ok(page_take(world->page, head, strlen(head), gzip, world->now_usec, &blob));
	return blob;
}

/* free() it. */
static inline char *blob_text(struct blob *blob)
{
	return strndup(blob_bytes(blob), blob->length);
}

static inline char *world_text(struct page_world *world, enum exposition exposition)
{
	cleanup_blob struct blob *blob = NULL;

	world_update(world, exposition);
	blob = world_take(world, "", false);
	return blob_text(blob);
}

/* With its checksum verified. free() it. */
static inline char *unpack(struct blob *blob, size_t limit)
{
	struct inflate_state *state = calloc(1, sizeof(*state));
	char *text = malloc(limit + 1);

	assert_non_null(state);
	assert_non_null(text);
	isal_inflate_init(state);
	state->crc_flag = ISAL_GZIP;
	state->next_in = (uint8_t *)blob_bytes(blob);
	state->avail_in = (uint32_t)blob->length;
	state->next_out = (uint8_t *)text;
	state->avail_out = (uint32_t)limit;
	assert_int_equal(isal_inflate(state), ISAL_DECOMP_OK);
	assert_int_equal(state->block_state, ISAL_BLOCK_FINISH);
	assert_int_equal(state->avail_in, 0);
	text[state->total_out] = '\0';
	free(state);
	return text;
}

static inline int world_setup(void **state)
{
	struct page_world *world = calloc(1, sizeof(*world));

	if (!world || page_new(&world->page) < 0)
		return -1;
	world->max_series = LIMIT_SERIES;
	world->now_usec = 1;
	page_set_tables(world->page, world_tables, ARRAY_SIZE(world_tables));
	*state = world;
	return 0;
}

static inline int world_teardown(void **state)
{
	struct page_world *world = *state;

	(void)page_free(world->page);
	free(world);
	return 0;
}

#define PAGE_TEST(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
