/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - metric families and their series. The daemon's own families name their labels; a
 * plugin's families get the labels of the workload (namespace, pod, qos). Series of a workload go
 * with it. What is read off samples of workloads is a page (page.h) that the registry owns: the cap
 * on series is over both, and what is set here comes first. A series beyond it is left out and
 * counted in berth_metrics_dropped_total.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "strbuf.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

struct metrics;
struct metric_family;
struct page;

struct metric_label {
	const char *name, *value;
};

/* The text of a label set: 'a="b",c="d"', escaped. -EINVAL for a name that is none, or that comes
 * twice; -ENOMEM. */
int labels_format(const struct metric_label *labels, size_t count, struct strbuf *ret_text);

int metrics_new(struct metrics **ret);
struct metrics *metrics_free(struct metrics *metrics);

/* At most LIMIT_SERIES, which it is from the start. */
void metrics_set_max(struct metrics *metrics, uint64_t max_series);
struct page *metrics_page(const struct metrics *metrics);

/* The same name again gives the same family. -EINVAL for a bad name, for another type, or for a
 * family of the page. A counter's name ends in _total. name, help are copied. */
int metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
		   const char *help, struct metric_family **ret);
/* What the family was filled from, as a number of its owner's; 0 at first. */
uint64_t metrics_stamp(const struct metric_family *family);
void metrics_set_stamp(struct metric_family *family, uint64_t stamp);
/* scope groups series for metrics_drop_scope(): a workload id, 0 for none. */
int metrics_set(struct metrics *metrics, struct metric_family *family, uint64_t scope,
		const struct metric_label *labels, size_t count, double value);
/* Every series of a workload, in all families. */
void metrics_drop_scope(struct metrics *metrics, uint64_t id);
/* All series of one family: before it is filled anew. */
void metrics_clear_family(struct metrics *metrics, struct metric_family *family);
/* One that OpenMetrics would take for the same, or for a part of it (of a histogram: _sum). */
bool metrics_has_family(const struct metrics *metrics, const char *name);
void metrics_remove_family(struct metrics *metrics, struct metric_family *family);
uint64_t metrics_dropped(const struct metrics *metrics);

enum exposition { EXPOSITION_TEXT_0_0_4, EXPOSITION_OPENMETRICS_1_0_0 };
/* By the request's Accept header (may be NULL), as RFC 9110 weighs it. */
enum exposition exposition_negotiate(const char *accept);
const char *exposition_content_type(enum exposition exposition);
enum encoding { ENCODING_IDENTITY, ENCODING_GZIP };
/* By Accept-Encoding (may be NULL). -EOPNOTSUPP: neither is acceptable. */
int encoding_negotiate(const char *accept_encoding, enum encoding *ret);
/* The families that were set, without those of the page and without the end. 0 or -ENOMEM. */
int metrics_render_families(const struct metrics *metrics, enum exposition exposition,
			    struct strbuf *ret_page);
/* The same as a whole response. */
int metrics_render(const struct metrics *metrics, enum exposition exposition,
		   struct strbuf *ret_page);
