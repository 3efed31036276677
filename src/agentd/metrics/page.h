/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - the part of /metrics that is about workloads: families of struct metric_table over every
 * workload that was put in. It is kept as text in which each value has a slot of fixed width; a
 * scrape writes the values that changed into their slots and nothing else. Family by family, inside
 * a family workload by workload, sorted by labels: labels repeat within the reach of gzip.
 *
 * The text is laid out anew when workloads, labels, tables or what the host tells of a workload
 * change, and when the other form is asked for. A workload without a sample has no series. Of two
 * with the same labels (a pod that ends and its successor) the newer one is shown.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"
#include "blob.h"
#include "metrics/registry.h"

struct page;

int page_new(struct page **ret);
/* No reader may be left: they count down in it. */
struct page *page_free(struct page *page);

/* 0, or -EINVAL with what is wrong in *ret_why: names, labels, columns, a name that comes twice. */
int page_check_tables(const struct metric_table *tables, size_t count, const char **ret_why);
/* Tables that page_check_tables() accepted, borrowed until the next call; count 0: none. */
void page_set_tables(struct page *page, const struct metric_table *tables, size_t count);
/* Would OpenMetrics take the two for the same family, or one for a part of the other? */
bool page_names_clash(const char *first, const char *second);
/* Is there a family whose name clashes? */
bool page_has_family(const struct page *page, const char *name);

/* labels: as labels_format() makes them, copied. Again: its labels now. 0; -ENOMEM: it is not
 * there. */
int page_put(struct page *page, uint64_t id, const char *labels);
void page_remove(struct page *page, uint64_t id);
void page_clear(struct page *page); /* all workloads */

/* Where values come from: the samples of one pass. */
struct page_source {
	const struct workload_sample *(*sample)(void *data, uint64_t id);
	void *data;
	uint64_t generation; /* of the pass; the same one is not read twice */
	size_t max_series;   /* workloads whose series go beyond it are left out whole */
};

/* Bring the text up to date. 0 or -ENOMEM; then the page is empty until the next call. */
int page_update(struct page *page, enum exposition exposition, const struct page_source *source);
size_t page_series(const struct page *page);  /* shown now */
size_t page_dropped(const struct page *page); /* left out now, for max_series */

/* The whole response: head, the text, and the end of the form. gzip: compressed, once for all who
 * ask in the same second. One reference for the caller; nobody changes it while it is held. -EBUSY:
 * LIMIT_PAGE_VERSIONS older ones are still being read; -ENOMEM. */
int page_take(struct page *page, const char *head, size_t head_length, bool gzip, uint64_t now_usec,
	      struct blob **ret);
/* Nobody has asked for long: give the memory of texts back. Workloads stay. */
void page_forget_texts(struct page *page);
