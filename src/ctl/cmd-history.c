/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "macro.h"
#include "parse.h"

enum { OPTION_LINES };

static void event_add(struct table *table, const json_t *event)
{
	const char *error = json_read_text(event, "error_text");
	const char *reason = json_read_text(event, "reason");
	const char *argument = json_read_text(event, "argument");

	table_add(table, STYLE_DIM, "%s", json_read_text(event, "time"));
	table_add(table, STYLE_NONE, "%s", json_read_text(event, "label"));
	table_add(table, STYLE_NONE, "%s%s%s", json_read_text(event, "what"), *argument ? " " : "",
		  argument);
	table_add(table, *error ? STYLE_BAD : STYLE_NONE, "%s%s%s: %s%s%s",
		  json_read_text(event, "outcome"), *error ? ", " : "", error,
		  json_read_text(event, "owner"), *reason ? ": " : "", reason);
}

int run_history(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "TIME", FIT_FIXED, false },
		{ "ON", FIT_CUT_FRONT, false },
		{ "WHAT", FIT_CUT, false },
		{ "OUTCOME: WHO, WHY", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	json_t *list;
	uint64_t lines = UINT64_MAX;
	const json_t *event;
	size_t i;

	if (ctl->cli->values[OPTION_LINES] &&
	    (parse_u64(ctl->cli->values[OPTION_LINES], &lines) < 0 || lines == 0)) {
		ctl_error("--lines=%s: a number of 1 or more", ctl->cli->values[OPTION_LINES]);
		return 2;
	}
	if (client_call(ctl, "GET", "/v1/history", &answer) < 0)
		return 1;
	list = json_read(answer, "history");
	while (json_array_size(list) > lines)
		(void)json_array_remove(list, 0);
	if (ctl->json)
		return ctl_print_json(answer);
	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(list, i, event) event_add(&table, event);
	if (table_rows(&table) == 0)
		strbuf_add(&page, "Nothing notable happened since berthd started.\n");
	if (table_render(&table, &ctl->screen, &page) < 0)
		return 1;
	return ctl_print(&page);
}
