/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - metric families and their series. The daemon's own families name their labels; a
 * plugin's families get the labels of the workload (namespace, pod, qos). Series of a workload go
 * with it. Over LIMIT_SERIES a series is dropped and counted in berth_metrics_dropped_total.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "strbuf.h"

enum metric_type { METRIC_GAUGE, METRIC_COUNTER };

struct metrics;
struct metric_family;

struct metric_label {
	const char *name, *value;
};

int metrics_new(struct metrics **ret);
struct metrics *metrics_free(struct metrics *metrics);

/* The same name again gives the same family. -EINVAL for a bad name, or for another type. A
 * counter's name ends in _total. name, help are copied. */
int metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
		   const char *help, struct metric_family **ret);
/* scope groups series for metrics_drop_scope(): a workload id, 0 for none. */
int metrics_set(struct metrics *metrics, struct metric_family *family, uint64_t scope,
		const struct metric_label *labels, size_t count, double value);
/* Every series of a workload, in all families. */
void metrics_drop_scope(struct metrics *metrics, uint64_t id);
/* All series of one family: before it is filled anew. */
void metrics_clear_family(struct metrics *metrics, struct metric_family *family);
void metrics_remove_family(struct metrics *metrics, struct metric_family *family);
uint64_t metrics_dropped(const struct metrics *metrics);

enum exposition { EXPOSITION_TEXT_0_0_4, EXPOSITION_OPENMETRICS_1_0_0 };
/* By the request's Accept header (may be NULL), as RFC 9110 weighs it. */
enum exposition exposition_negotiate(const char *accept);
const char *exposition_content_type(enum exposition exposition);
/* The whole page. 0 or -ENOMEM. */
int metrics_render(const struct metrics *metrics, enum exposition exposition,
		   struct strbuf *ret_page);
