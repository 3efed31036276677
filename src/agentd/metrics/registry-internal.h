/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry-internal.h - what the registry keeps and openmetrics.c prints. The text of a label set
 * is held once, however many families use it: a workload has a dozen series with the same labels.
 */
#pragma once

#include "hashmap.h"
#include "list.h"
#include "metrics/registry.h"

struct label_set {
	unsigned int references;
	char text[]; /* 'a="b",c="d"', escaped; "" for none */
};

struct metric_series {
	struct list in_family, in_scope;
	struct metric_family *family;
	struct label_set *labels;
	uint64_t scope;
	double value;
};

struct metric_family {
	struct list families;
	enum metric_type type;
	char *name, *help;
	struct list series;
	struct hashmap by_labels; /* address of the label set -> series */
	size_t count;
	uint64_t stamp;
};

struct metric_scope {
	uint64_t id;
	struct list series;
};

struct metrics {
	struct list families;   /* by name */
	struct hashmap by_name; /* -> family */
	struct hashmap labels;  /* text -> label set */
	struct hashmap scopes;  /* id -> metric_scope */
	size_t count, max_series;
	uint64_t dropped;
	struct page *page;
};

bool metric_name_is_valid(const char *name);
/* Does it end in _total, as a counter's does? */
bool name_is_total(const char *name);

/* # HELP and # TYPE. type: "counter". */
void exposition_head(struct strbuf *page, const char *name, const char *type, const char *help,
		     enum exposition exposition);
