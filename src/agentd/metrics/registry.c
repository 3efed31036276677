/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/registry.h"

#include <string.h>

#include "limit.h"
#include "metrics/page.h"
#include "metrics/registry-internal.h"

int metrics_new(struct metrics **ret)
{
	struct metrics *metrics = calloc(1, sizeof(*metrics));

	if (!metrics)
		return -ENOMEM;
	list_init(&metrics->families);
	metrics->max_series = LIMIT_SERIES;
	if (page_new(&metrics->page) < 0) {
		free(metrics);
		return -ENOMEM;
	}
	*ret = metrics;
	return 0;
}

/* One more reference to the set with this text. */
static int labels_get(struct metrics *metrics, const char *text, struct label_set **ret)
{
	struct label_set *set = hashmap_get(&metrics->labels, text);
	cleanup_free struct label_set *made = NULL;
	size_t size = strlen(text) + 1;
	int r;

	if (!set) {
		made = malloc(sizeof(*made) + size);
		if (!made)
			return -ENOMEM;
		made->references = 0;
		memcpy(made->text, text, size);
		r = hashmap_put(&metrics->labels, made->text, made);
		if (r < 0)
			return r;
		set = TAKE_PTR(made);
	}
	set->references++;
	*ret = set;
	return 0;
}

static void labels_put(struct metrics *metrics, struct label_set *set)
{
	if (--set->references > 0)
		return;
	(void)hashmap_remove(&metrics->labels, set->text);
	free(set);
}

static void scope_leave(struct metrics *metrics, struct metric_series *series)
{
	struct metric_scope *scope = hashmap_get_u64(&metrics->scopes, series->scope);

	list_unlink(&series->in_scope);
	if (scope && list_is_empty(&scope->series)) {
		(void)hashmap_remove_u64(&metrics->scopes, scope->id);
		free(scope);
	}
}

/* Scope 0 is nobody's: it is never dropped, so nothing is kept of it. */
static int scope_enter(struct metrics *metrics, struct metric_series *series, uint64_t id)
{
	struct metric_scope *scope = hashmap_get_u64(&metrics->scopes, id);
	cleanup_free struct metric_scope *made = NULL;
	int r;

	if (id != 0 && !scope) {
		made = calloc(1, sizeof(*made));
		if (!made)
			return -ENOMEM;
		made->id = id;
		list_init(&made->series);
		r = hashmap_put_u64(&metrics->scopes, id, made);
		if (r < 0)
			return r;
		scope = TAKE_PTR(made);
	}
	scope_leave(metrics, series);
	series->scope = id;
	if (scope)
		list_append(&scope->series, &series->in_scope);
	return 0;
}

static void series_free(struct metrics *metrics, struct metric_series *series)
{
	struct metric_family *family = series->family;

	(void)hashmap_remove_u64(&family->by_labels, (uintptr_t)series->labels);
	scope_leave(metrics, series);
	list_unlink(&series->in_family);
	labels_put(metrics, series->labels);
	family->count--;
	metrics->count--;
	free(series);
}

static struct metric_family *family_free(struct metric_family *family)
{
	list_unlink(&family->families);
	hashmap_done(&family->by_labels);
	free(family->name);
	free(family->help);
	free(family);
	return NULL;
}

DEFINE_CLEANUP(struct metric_family *, family_free);

struct metrics *metrics_free(struct metrics *metrics)
{
	struct metric_family *family, *following;

	if (!metrics)
		return NULL;
	list_foreach_safe (family, following, &metrics->families, families)
		metrics_remove_family(metrics, family);
	hashmap_done(&metrics->by_name);
	hashmap_done(&metrics->labels);
	hashmap_done(&metrics->scopes);
	(void)page_free(metrics->page);
	free(metrics);
	return NULL;
}

#define TOTAL "_total"

bool name_is_total(const char *name)
{
	size_t length = strlen(name);

	return length > strlen(TOTAL) && strcmp(name + length - strlen(TOTAL), TOTAL) == 0;
}

/* OpenMetrics names a counter's family without _total: a gauge of that name would be the same
 * family twice, and the page invalid. */
static bool name_clashes(const struct metrics *metrics, const char *name, enum metric_type type)
{
	cleanup_strbuf struct strbuf other = { 0 };

	if (type == METRIC_COUNTER)
		strbuf_add_bytes(&other, name, strlen(name) - strlen(TOTAL));
	else
		strbuf_addf(&other, "%s" TOTAL, name);
	return strbuf_error(&other) == 0 && hashmap_get(&metrics->by_name, strbuf_text(&other));
}

static void family_insert(struct metrics *metrics, struct metric_family *family)
{
	struct metric_family *other;

	list_foreach (other, &metrics->families, families)
		if (strcmp(other->name, family->name) > 0)
			break;
	/* Before `other`; past the last one that is the head itself. */
	list_append(&other->families, &family->families);
}

int metrics_family(struct metrics *metrics, const char *name, enum metric_type type,
		   const char *help, struct metric_family **ret)
{
	CLEANUP(family_freep) struct metric_family *family = NULL;
	struct metric_family *known = hashmap_get(&metrics->by_name, name);
	int r;

	if (known) {
		if (known->type != type)
			return -EINVAL;
		*ret = known;
		return 0;
	}
	if (!metric_name_is_valid(name) || page_has_family(metrics->page, name) ||
	    name_is_total(name) != (type == METRIC_COUNTER) || name_clashes(metrics, name, type))
		return -EINVAL;
	family = calloc(1, sizeof(*family));
	if (!family)
		return -ENOMEM;
	list_init(&family->families);
	list_init(&family->series);
	family->type = type;
	family->name = strdup(name);
	family->help = strdup(help);
	if (!family->name || !family->help)
		return -ENOMEM;
	r = hashmap_put(&metrics->by_name, family->name, family);
	if (r < 0)
		return r;
	family_insert(metrics, family);
	*ret = TAKE_PTR(family);
	return 0;
}

/* Takes the reference to labels over, also on failure. */
static int series_new(struct metrics *metrics, struct metric_family *family,
		      struct label_set *labels, uint64_t scope, struct metric_series **ret)
{
	struct metric_series *series = calloc(1, sizeof(*series));
	int r;

	if (!series) {
		labels_put(metrics, labels);
		return -ENOMEM;
	}
	list_init(&series->in_family);
	list_init(&series->in_scope);
	series->family = family;
	series->labels = labels;
	list_append(&family->series, &series->in_family);
	family->count++;
	metrics->count++;
	r = hashmap_put_u64(&family->by_labels, (uintptr_t)labels, series);
	if (r == 0)
		r = scope_enter(metrics, series, scope);
	if (r < 0) {
		series_free(metrics, series);
		return r;
	}
	*ret = series;
	return 0;
}

int metrics_set(struct metrics *metrics, struct metric_family *family, uint64_t scope,
		const struct metric_label *labels, size_t count, double value)
{
	cleanup_strbuf struct strbuf text = { 0 };
	struct metric_series *series = NULL;
	struct label_set *set;
	int r = labels_format(labels, count, &text);

	if (r < 0)
		return r;
	set = hashmap_get(&metrics->labels, strbuf_text(&text));
	if (set)
		series = hashmap_get_u64(&family->by_labels, (uintptr_t)set);
	if (!series) {
		/* The page has the rest, and gives way at the next response. */
		if (metrics->count >= metrics->max_series) {
			metrics->dropped++;
			return -ENOSPC;
		}
		r = labels_get(metrics, strbuf_text(&text), &set);
		if (r < 0)
			return r;
		r = series_new(metrics, family, set, scope, &series);
	} else if (series->scope != scope) {
		/* A pod that was made again under its name: the series is the new one's now. */
		r = scope_enter(metrics, series, scope);
	}
	if (r < 0)
		return r;
	series->value = value;
	return 0;
}

void metrics_drop_scope(struct metrics *metrics, uint64_t id)
{
	struct metric_scope *scope;

	if (id == 0)
		return;
	/* The last series takes the scope with it. */
	while ((scope = hashmap_get_u64(&metrics->scopes, id)))
		series_free(metrics,
			    list_entry(scope->series.next, struct metric_series, in_scope));
}

void metrics_clear_family(struct metrics *metrics, struct metric_family *family)
{
	struct metric_series *series, *following;

	list_foreach_safe (series, following, &family->series, in_family)
		series_free(metrics, series);
	/* A table that once was large goes with its entries. */
	hashmap_done(&family->by_labels);
}

void metrics_remove_family(struct metrics *metrics, struct metric_family *family)
{
	if (!family)
		return;
	metrics_clear_family(metrics, family);
	(void)hashmap_remove(&metrics->by_name, family->name);
	(void)family_free(family);
}

uint64_t metrics_stamp(const struct metric_family *family)
{
	return family->stamp;
}

void metrics_set_stamp(struct metric_family *family, uint64_t stamp)
{
	family->stamp = stamp;
}

uint64_t metrics_dropped(const struct metrics *metrics)
{
	return metrics->dropped;
}

void metrics_set_max(struct metrics *metrics, uint64_t max_series)
{
	metrics->max_series = max_series;
}

struct page *metrics_page(const struct metrics *metrics)
{
	return metrics->page;
}

bool metrics_has_family(const struct metrics *metrics, const char *name)
{
	const struct metric_family *family;

	list_foreach (family, &metrics->families, families)
		if (page_names_clash(family->name, name))
			return true;
	return false;
}
