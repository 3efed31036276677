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
	size_t count;
	uint64_t dropped;
};

/* The text of a label set. -EINVAL for a name that is none, or that comes twice; -ENOMEM. */
int labels_format(const struct metric_label *labels, size_t count, struct strbuf *ret_text);
bool metric_name_is_valid(const char *name);
