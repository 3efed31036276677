/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "client.h"
#include "format.h"
#include "macro.h"

static void plugin_add(struct table *table, const json_t *plugin)
{
	const char *state = json_read_text(plugin, "state");
	const char *detail = json_read_text(plugin, "detail");
	uint64_t retry = json_read_number(plugin, "retry_in_usec");
	char busy[32], wait[32];

	table_add(table, STYLE_NONE, "%s", json_read_text(plugin, "name"));
	table_add(table, style_of(state), "%s", state);
	table_add(table, STYLE_NONE, "%llu",
		  (unsigned long long)json_read_number(plugin, "callbacks"));
	table_add(table, STYLE_NONE, "%s",
		  format_usec(json_read_number(plugin, "busy_usec"), busy, sizeof(busy)));
	table_add(table, STYLE_NONE, "%llu",
		  (unsigned long long)json_read_number(plugin, "failures"));
	table_add(table, STYLE_NONE, "%llu",
		  (unsigned long long)json_read_number(plugin, "overruns"));
	table_add(table, STYLE_NONE, "%s%s%s",
		  *detail ? detail : json_read_text(plugin, "description"),
		  retry ? "; tried again in " : "",
		  retry ? format_usec(retry, wait, sizeof(wait)) : "");
}

static int descriptions_add(struct strbuf *page, const struct screen *screen, const json_t *list)
{
	static const struct table_column columns[] = {
		{ "PLUGIN", FIT_FIXED, false },
		{ "SAYS", FIT_FIXED, false },
		{ "", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	const json_t *item;
	size_t i;

	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(list, i, item)
	{
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "plugin"));
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "key"));
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "value"));
	}
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

int run_plugins(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "PLUGIN", FIT_FIXED, false }, { "STATE", FIT_FIXED, false },
		{ "CALLS", FIT_FIXED, true },   { "BUSY", FIT_FIXED, true },
		{ "FAILED", FIT_FIXED, true },  { "LATE", FIT_FIXED, true },
		{ "DETAIL", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	const json_t *plugin;
	size_t i;
	int r = client_get(ctl, "/v1/plugins", &answer);

	if (r)
		return r < 0;
	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(json_read(answer, "plugins"), i, plugin) plugin_add(&table, plugin);
	if (table_rows(&table) == 0)
		strbuf_add(&page, "No plugin is loaded.\n");
	if (table_render(&table, &ctl->screen, &page) < 0 ||
	    descriptions_add(&page, &ctl->screen, json_read(answer, "descriptions")) < 0)
		return 1;
	return ctl_print(&page);
}
