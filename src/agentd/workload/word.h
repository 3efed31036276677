/* SPDX-License-Identifier: Apache-2.0 */
/*
 * word.h - what one source says of one workload: a copy of its record, in one allocation. A
 * workload holds one for each source that names it, the lowest rank first; the first one speaks,
 * the others take over when it falls silent. Private to the registry.
 */
#pragma once

#include "workload/workload.h"

struct word {
	struct word *next;
	const char *source; /* static */
	unsigned int rank;
	uint64_t seen;                 /* registry generation at which it was last said */
	struct workload_record record; /* points into this allocation */
};

/* 0; -E2BIG over LIMIT_LABELS, LIMIT_LABEL_BYTES or LIMIT_FACTS; -ENOMEM. free() it. */
int word_new(const char *source, unsigned int rank, const struct workload_record *record,
	     struct word **ret);
/* Namespace and name NULL are "". */
bool word_says(const struct word *word, const struct workload_record *record);
bool labels_equal(const struct label *a, size_t a_count, const struct label *b, size_t b_count);

struct word *words_find(struct word *words, const char *source);
void words_insert(struct word **words, struct word *word);
struct word *words_detach(struct word **words, const char *source);
void words_free(struct word *words);
