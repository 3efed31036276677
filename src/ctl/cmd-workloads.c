/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "format.h"
#include "macro.h"

/* Whose level it is stands in a row of its own, and names of pods are long. */
static const char *level_from(const json_t *item)
{
	if (strcmp(json_read_text(item, "origin"), "pod") == 0)
		return "its pod";
	return json_read_text(item, "origin_detail");
}

static void row_add(struct table *table, const json_t *item)
{
	const char *level = json_read_text(item, "qos");
	bool conflict = *json_read_text(item, "conflict");
	bool malformed = *json_read_text(item, "malformed");
	bool stale = json_read_bool(item, "stale");
	char name[512];

	table_add(table, STYLE_NONE, "%s",
		  format_name(json_read_text(item, "namespace"), json_read_text(item, "name"), name,
			      sizeof(name)));
	table_add(table, STYLE_NONE, "%s", json_read_text(item, "kind"));
	table_add(table, style_of(level), "%s", level);
	table_add(table, STYLE_NONE, "%s", json_read_text(item, "source"));
	table_add(table, conflict || malformed || stale ? STYLE_WARN : STYLE_NONE, "%s%s%s%s%s",
		  level_from(item), stale ? " (stale)" : "",
		  json_read_bool(item, "ignored") ? " (ignored)" : "",
		  conflict ? " (conflict: see explain)" : "",
		  malformed ? " (malformed: see explain)" : "");
}

/* Of where they differ; '/' first, so that web/app stands behind web and before web-2. */
static int name_compare(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (*a == '/' ? 1 : (unsigned char)*a) - (*b == '/' ? 1 : (unsigned char)*b);
}

/* The daemon has them in the order in which they came. */
static int item_compare(const void *left, const void *right)
{
	const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
	int order = strcmp(json_read_text(a, "namespace"), json_read_text(b, "namespace"));

	return order ? order : name_compare(json_read_text(a, "name"), json_read_text(b, "name"));
}

static int rows_add(struct table *table, const json_t *list)
{
	size_t count = json_array_size(list);
	const json_t **items cleanup_free = calloc(count + 1, sizeof(*items));

	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		items[i] = json_array_get(list, i);
	qsort(items, count, sizeof(*items), item_compare);
	for (size_t i = 0; i < count; i++)
		row_add(table, items[i]);
	return 0;
}

int run_workloads(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "WORKLOAD", FIT_CUT_FRONT, false }, { "KIND", FIT_FIXED, false },
		{ "LEVEL", FIT_FIXED, false },        { "SOURCE", FIT_FIXED, false },
		{ "LEVEL FROM", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	int r = client_get(ctl, "/v1/workloads", &answer);

	if (r)
		return r < 0;
	table_init(&table, columns, ARRAY_SIZE(columns));
	if (rows_add(&table, json_read(answer, "workloads")) < 0)
		return 1;
	if (table_rows(&table) == 0)
		strbuf_add(&page, "No workloads. `berthctl status` tells what the sources see.\n");
	if (table_render(&table, &ctl->screen, &page) < 0)
		return 1;
	return ctl_print(&page);
}
