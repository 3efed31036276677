/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page-internal.h - between page.c (workloads, tables, responses), page-layout.c (the text is
 * written) and page-patch.c (values go into their slots).
 */
#pragma once

#include <stdio.h>
#include <string.h>

#include "hashmap.h"
#include "limit.h"
#include "metrics/gzip.h"
#include "metrics/page.h"
#include "metrics/slot.h"

/* A workload. The second half is what the text was laid out for. */
struct page_entry {
	uint64_t id;
	size_t labels_length;
	const struct workload_sample *sample; /* only while page_update() runs; NULL: none */

	bool sampled, shown, capped; /* one with a sample is not shown for its labels or the cap */
	bool latency;
	uint32_t device_count;
	uint32_t slot; /* its first one */
	uint32_t next; /* of page-layout.c: where its next series comes */
	uint64_t known[2];
	char (*devices)[SAMPLE_DEVICE_NAME];

	char labels[];
};

struct page {
	const struct metric_table *tables;
	size_t table_count;
	struct hashmap entries;    /* by id */
	struct page_entry **order; /* all of them, by labels, the newer of two first */
	size_t order_count;
	bool dirty; /* what is laid out is not what is there */
	enum exposition exposition;
	uint64_t generation;
	uint64_t serial; /* of the text: changes with each write */

	/* The text lies behind `room` for what comes before it. */
	struct blob *text;
	size_t room, text_length;
	unsigned int texts; /* alive, readers' ones included */
	uint64_t *values;   /* what each slot shows */
	uint32_t *offsets;  /* of each slot in the text */
	size_t slot_count, dropped, max_series;

	struct gzip *gzip;
	struct blob *packed; /* of `packed_serial`, made at packed_usec */
	uint64_t packed_serial, packed_usec;
	unsigned int packs;
};

/* One sample of one workload, in the order in which a family has them. */
struct point {
	enum slot_form form;
	uint64_t number;
	const char *labels; /* of the column */
	const char *device; /* NULL: not of one */
	int bucket;         /* -1: none; of a histogram, then its sum and its count */
};

#define POINT_SUM   ((int)SAMPLE_LATENCY_BUCKETS)
#define POINT_COUNT ((int)SAMPLE_LATENCY_BUCKETS + 1)

typedef void(point_fn)(void *data, const struct point *point);

/* Always inlined, as are the functions passed: this is the inner loop of a scrape. */
#define PAGE_INLINE static inline __attribute__((always_inline))

PAGE_INLINE void points_of_latency(const struct metric_table *table,
				   const struct workload_sample *sample, point_fn *fn, void *data)
{
	struct point point = { .form = SLOT_INTEGER, .labels = table->columns[0].labels };

	if (!sample->latency)
		return;
	for (point.bucket = 0; point.bucket < POINT_SUM; point.bucket++) {
		point.number += sample->latency->count[point.bucket];
		fn(data, &point);
	}
	point.bucket = POINT_COUNT;
	fn(data, &point);
	point.bucket = POINT_SUM;
	point.form = SLOT_SECONDS;
	point.number = sample->latency->sum_usec;
	fn(data, &point);
}

PAGE_INLINE void points_of_devices(const struct metric_table *table,
				   const struct workload_sample *sample, point_fn *fn, void *data)
{
	for (uint32_t i = 0; i < sample->device_count; i++)
		for (uint32_t c = 0; c < table->column_count; c++) {
			const struct point point = {
				.form = SLOT_INTEGER,
				.number = sample->devices[i].value[table->columns[c].value],
				.labels = table->columns[c].labels,
				.device = sample->devices[i].name,
				.bucket = -1,
			};

			fn(data, &point);
		}
}

/* Every sample that the family has of this workload: the one place that knows which and where. */
PAGE_INLINE void points_of(const struct metric_table *table, const struct workload_sample *sample,
			   point_fn *fn, void *data)
{
	struct point point = { .bucket = -1 };

	switch (table->source) {
	case METRIC_FROM_VALUE:
		point.form = table->divisor == 1 ? SLOT_INTEGER : SLOT_SECONDS;
		for (uint32_t c = 0; c < table->column_count; c++) {
			enum sample_value value = (enum sample_value)table->columns[c].value;

			if (!sample_knows(sample, value))
				continue;
			point.number = sample->value[value];
			point.labels = table->columns[c].labels;
			fn(data, &point);
		}
		break;
	case METRIC_FROM_AVERAGE:
		point.form = SLOT_RATIO;
		for (uint32_t c = 0; c < table->column_count; c++) {
			uint32_t row = table->columns[c].value / SAMPLE_WINDOWS;
			uint32_t window = table->columns[c].value % SAMPLE_WINDOWS;

			if (!sample_knows(sample, (enum sample_value)(SAMPLE_PRESSURE_FIRST + row)))
				continue;
			point.number = sample->averages[row][window];
			point.labels = table->columns[c].labels;
			fn(data, &point);
		}
		break;
	case METRIC_FROM_DEVICE:
		points_of_devices(table, sample, fn, data);
		break;
	case METRIC_FROM_LATENCY:
		points_of_latency(table, sample, fn, data);
		break;
	}
}

/* ---- page-layout.c ---- */

/* Write the text for the samples of all entries. -ENOMEM: there is no text. */
int page_layout(struct page *page);
void page_drop_text(struct page *page);
/* A text of this size of content, counted in page->texts. */
struct blob *page_text_new(struct page *page, size_t room, size_t length);

/* ---- page-patch.c ---- */

/* Does the text have the series that these samples have? */
bool page_fits(const struct page *page);
/* Write what changed; nobody else may hold the text. */
void page_patch(struct page *page);
