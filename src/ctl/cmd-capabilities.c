/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "macro.h"

static void found_add(struct table *table, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		bool available = json_read_bool(item, "available");

		table_add(table, STYLE_NONE, "%s", json_read_text(item, "name"));
		table_add(table, available ? STYLE_GOOD : STYLE_DIM, "%s",
			  !available                           ? "no"
			  : json_read_bool(item, "multilevel") ? "yes, all levels"
							       : "yes");
		table_add(table, STYLE_NONE, "%s", json_read_text(item, "detail"));
	}
}

int run_capabilities(const struct ctl *ctl)
{
	static const struct table_column features[] = {
		{ "FEATURE", FIT_FIXED, false },
		{ "THERE", FIT_FIXED, false },
		{ "WHERE, OR WHY NOT", FIT_WRAP, false },
	};
	static const struct table_column knobs[] = {
		{ "KNOB", FIT_FIXED, false },
		{ "THERE", FIT_FIXED, false },
		{ "WHERE, OR WHY NOT", FIT_WRAP, false },
	};
	struct table table_features cleanup_table = {}, table_knobs cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	int r = client_get(ctl, "/v1/capabilities", &answer);

	if (r)
		return r < 0;
	table_init(&table_features, features, ARRAY_SIZE(features));
	table_init(&table_knobs, knobs, ARRAY_SIZE(knobs));
	found_add(&table_features, json_read(answer, "features"));
	found_add(&table_knobs, json_read(answer, "knobs"));
	if (table_render(&table_features, &ctl->screen, &page) < 0)
		return 1;
	strbuf_add_char(&page, '\n');
	if (table_render(&table_knobs, &ctl->screen, &page) < 0)
		return 1;
	return ctl_print(&page);
}
