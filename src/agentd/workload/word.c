/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/word.h"

#include <string.h>

#include "cleanup.h"
#include "limit.h"

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

static bool text_equal(const char *a, const char *b)
{
	return strcmp(text_or_empty(a), text_or_empty(b)) == 0;
}

static int labels_size(const struct label *labels, size_t count, size_t limit, size_t *size)
{
	size_t bytes = 0;

	if (count > limit)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		bytes += strlen(labels[i].key) + strlen(labels[i].value);
		if (bytes > LIMIT_LABEL_BYTES)
			return -E2BIG;
	}
	*size += bytes + count * (sizeof(struct label) + 2);
	return 0;
}

static size_t text_size(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static char *place_text(char **at, const char *text)
{
	size_t size = strlen(text) + 1;
	char *placed = *at;

	memcpy(placed, text, size);
	*at += size;
	return placed;
}

static const char *place_optional(char **at, const char *text)
{
	return text ? place_text(at, text) : NULL;
}

static void place_labels(struct label *placed, char **at, const struct label *labels, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		placed[i].key = place_text(at, labels[i].key);
		placed[i].value = place_text(at, labels[i].value);
	}
}

static int record_size(const struct workload_record *record, size_t *size)
{
	int r;

	r = labels_size(record->labels, record->label_count, LIMIT_LABELS, size);
	if (r < 0)
		return r;
	r = labels_size(record->annotations, record->annotation_count, LIMIT_LABELS, size);
	if (r < 0)
		return r;
	r = labels_size(record->facts, record->fact_count, LIMIT_FACTS, size);
	if (r < 0)
		return r;
	*size += strlen(record->kind) + strlen(text_or_empty(record->namespace)) +
		 strlen(text_or_empty(record->name)) + strlen(record->cgroup) + 4;
	*size += text_size(record->parent_cgroup) + text_size(record->uid) +
		 text_size(record->alias);
	return 0;
}

int word_new(const char *source, unsigned int rank, const struct workload_record *record,
	     struct word **ret)
{
	size_t size = sizeof(struct word);
	struct word *word;
	struct label *placed;
	char *at;
	int r;

	r = record_size(record, &size);
	if (r < 0)
		return r;
	word = calloc(1, size);
	if (!word)
		return -ENOMEM;

	word->source = source;
	word->rank = rank;
	word->record = *record;
	placed = (struct label *)(void *)(word + 1);
	at = (char *)(placed + record->label_count + record->annotation_count + record->fact_count);
	place_labels(placed, &at, record->labels, record->label_count);
	word->record.labels = placed;
	placed += record->label_count;
	place_labels(placed, &at, record->annotations, record->annotation_count);
	word->record.annotations = placed;
	placed += record->annotation_count;
	place_labels(placed, &at, record->facts, record->fact_count);
	word->record.facts = placed;
	word->record.kind = place_text(&at, record->kind);
	word->record.namespace = place_text(&at, text_or_empty(record->namespace));
	word->record.name = place_text(&at, text_or_empty(record->name));
	word->record.cgroup = place_text(&at, record->cgroup);
	word->record.parent_cgroup = place_optional(&at, record->parent_cgroup);
	word->record.uid = place_optional(&at, record->uid);
	word->record.alias = place_optional(&at, record->alias);
	*ret = word;
	return 0;
}

bool labels_equal(const struct label *a, size_t a_count, const struct label *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i].key, b[i].key) != 0 || strcmp(a[i].value, b[i].value) != 0)
			return false;
	return true;
}

bool word_says(const struct word *word, const struct workload_record *record)
{
	const struct workload_record *said = &word->record;

	return strcmp(said->kind, record->kind) == 0 &&
	       text_equal(said->namespace, record->namespace) &&
	       text_equal(said->name, record->name) && strcmp(said->cgroup, record->cgroup) == 0 &&
	       text_equal(said->parent_cgroup, record->parent_cgroup) &&
	       text_equal(said->uid, record->uid) && text_equal(said->alias, record->alias) &&
	       text_equal(said->via, record->via) && said->stale == record->stale &&
	       said->ending == record->ending && said->inherits == record->inherits &&
	       said->leader == record->leader &&
	       labels_equal(said->facts, said->fact_count, record->facts, record->fact_count) &&
	       said->cpu_request_milli == record->cpu_request_milli &&
	       said->cpu_limit_milli == record->cpu_limit_milli &&
	       said->memory_request_bytes == record->memory_request_bytes &&
	       said->memory_limit_bytes == record->memory_limit_bytes &&
	       labels_equal(said->labels, said->label_count, record->labels, record->label_count) &&
	       labels_equal(said->annotations, said->annotation_count, record->annotations,
			    record->annotation_count);
}

struct word *words_find(struct word *words, const char *source)
{
	while (words && strcmp(words->source, source) != 0)
		words = words->next;
	return words;
}

void words_insert(struct word **words, struct word *word)
{
	while (*words && (*words)->rank <= word->rank)
		words = &(*words)->next;
	word->next = *words;
	*words = word;
}

struct word *words_detach(struct word **words, const char *source)
{
	struct word *word;

	while (*words && strcmp((*words)->source, source) != 0)
		words = &(*words)->next;
	word = *words;
	if (word) {
		*words = word->next;
		word->next = NULL;
	}
	return word;
}

void words_free(struct word *words)
{
	while (words) {
		struct word *next = words->next;

		free(words);
		words = next;
	}
}
