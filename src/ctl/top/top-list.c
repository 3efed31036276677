/* SPDX-License-Identifier: Apache-2.0 */
#include "top/top-list.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "client.h"
#include "macro.h"
#include "pressure.h"
#include "settings.h"

static const struct {
	const char *name, *letter;
} sorts[TOP_SORTS] = {
	[TOP_CPU] = { "cpu", "c" },
	[TOP_MEMORY] = { "memory", "m" },
	[TOP_MEMORY_PRESSURE] = { "memory-pressure", "p" },
	[TOP_IO_PRESSURE] = { "io-pressure", "i" },
	[TOP_PRESSURE] = { "pressure", "a" },
	[TOP_THROTTLING] = { "throttling", "t" },
	[TOP_NAME] = { "name", "n" },
};

static const char *const views[TOP_VIEWS] = {
	[VIEW_OVERVIEW] = "overview", [VIEW_PRESSURE] = "pressure",
	[VIEW_MEMORY] = "memory",     [VIEW_IO] = "io",
	[VIEW_BERTH] = "berth",
};

const char *top_sort_name(enum top_sort sort)
{
	return sorts[sort].name;
}

int top_sort_parse(const char *text, enum top_sort *ret)
{
	for (enum top_sort sort = 0; sort < TOP_SORTS; sort++)
		if (strcmp(sorts[sort].name, text) == 0 || strcmp(sorts[sort].letter, text) == 0) {
			*ret = sort;
			return 0;
		}
	return -EINVAL;
}

const char *top_view_name(enum top_view view)
{
	return views[view];
}

int top_view_parse(const char *text, enum top_view *ret)
{
	for (enum top_view view = 0; view < TOP_VIEWS; view++)
		if (strcmp(views[view], text) == 0 ||
		    (text[0] == '1' + (char)view && text[1] == '\0')) {
			*ret = view;
			return 0;
		}
	return -EINVAL;
}

static double row_order(const struct look *look, enum top_sort sort)
{
	switch (sort) {
	case TOP_CPU:
		return look_percent(look, "cpu_usage_usec");
	case TOP_MEMORY:
		return look_value(look, "memory_bytes");
	case TOP_MEMORY_PRESSURE:
		return wait_percent(look, WAIT_MEMORY);
	case TOP_IO_PRESSURE:
		return wait_percent(look, WAIT_IO);
	case TOP_PRESSURE:
		return wait_worst(look);
	case TOP_THROTTLING:
		return look_throttled(look);
	case TOP_NAME:
	case TOP_SORTS:
		break;
	}
	return 0;
}

/* The largest first, what is not known last whichever way round; equal ones by name, so that a
 * calm table stands still. */
static int row_compare(const void *left, const void *right, void *data)
{
	const struct top_row *a = left, *b = right;
	const struct top_state *state = data;
	int way = state->reversed ? -1 : 1;

	if (isnan(a->order) != isnan(b->order))
		return isnan(a->order) ? 1 : -1;
	if (a->order > b->order)
		return -way;
	if (a->order < b->order)
		return way;
	if (state->sort == TOP_NAME && state->reversed)
		return strcmp(b->name, a->name);
	return strcmp(a->name, b->name);
}

static bool row_wanted(const json_t *workload, const char *name, const struct top_state *state)
{
	if (!state->containers && strcmp(json_read_text(workload, "kind"), "container") == 0)
		return false;
	if (state->level != TOP_LEVEL_ALL &&
	    strcmp(json_read_text(workload, "qos"), qos_name((enum qos_level)state->level)) != 0)
		return false;
	return !state->filter[0] || strcasestr(name, state->filter);
}

static void id_key(uint64_t id, char *text, size_t size)
{
	(void)snprintf(text, size, "%llu", (unsigned long long)id);
}

static json_t *by_id(const json_t *answer)
{
	json_t *map = json_object(), *workload;
	size_t i;

	json_array_foreach(json_read(answer, "workloads"), i, workload)
	{
		char key[32];

		id_key(json_read_number(workload, "id"), key, sizeof(key));
		(void)json_object_set(map, key, workload);
	}
	return map;
}

/* A berthd that started anew between two looks gives the same numbers to others. */
static const json_t *look_same(const json_t *old, const json_t *workload)
{
	bool same = strcmp(json_read_text(old, "name"), json_read_text(workload, "name")) == 0 &&
		    strcmp(json_read_text(old, "namespace"),
			   json_read_text(workload, "namespace")) == 0;

	return same ? old : NULL;
}

static int row_add(struct top_list *list, const json_t *old, const json_t *workload,
		   const struct top_state *state)
{
	const char *namespace = json_read_text(workload, "namespace");
	struct top_row *row = &list->rows[list->count];
	struct strbuf name cleanup_strbuf = {};
	char key[32];

	strbuf_addf(&name, "%s%s%s", namespace, *namespace ? "/" : "",
		    json_read_text(workload, "name"));
	if (strbuf_error(&name))
		return -ENOMEM;
	if (!row_wanted(workload, strbuf_text(&name), state))
		return 0;
	row->name = strbuf_take(&name);
	row->id = json_read_number(workload, "id");
	id_key(row->id, key, sizeof(key));
	look_init(&row->look, look_same(json_object_get(old, key), workload), workload);
	row->order = row_order(&row->look, state->sort);
	list->name_width = MAX(list->name_width, text_sanitize(row->name));
	list->count++;
	return 0;
}

int top_list_make(const json_t *before, const json_t *now, const struct top_state *state,
		  struct top_list *ret)
{
	struct top_list list cleanup_top_list = {};
	json_auto_t *old = by_id(before);
	const json_t *workloads = json_read(now, "workloads"), *workload;
	struct top_state order = *state;
	size_t i;

	list.total = json_array_size(workloads);
	list.rows = calloc(list.total + 1, sizeof(*list.rows));
	if (!list.rows || !old)
		return -ENOMEM;
	json_array_foreach(workloads, i,
			   workload) if (row_add(&list, old, workload, state) < 0) return -ENOMEM;
	qsort_r(list.rows, list.count, sizeof(*list.rows), row_compare, &order);
	*ret = list;
	list = (struct top_list){};
	return 0;
}

void top_list_done(struct top_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->rows[i].name);
	free(list->rows);
	*list = (struct top_list){};
}

size_t top_list_selected(const struct top_list *list, const struct top_state *state)
{
	size_t place = 0;

	while (place < list->count && (!state->selected || list->rows[place].id != state->selected))
		place++;
	return place;
}
