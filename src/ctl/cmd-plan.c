/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "client.h"
#include "macro.h"

static const char *value_text(const json_t *change, const char *key)
{
	return json_is_string(json_read(change, key)) ? json_read_text(change, key) : "-";
}

static void change_add(struct table *table, const json_t *change)
{
	const char *now = json_read_text(change, "level_now");
	const char *then = json_read_text(change, "level_then");

	table_add(table, STYLE_NONE, "%s", json_read_text(change, "label"));
	if (strcmp(now, then) == 0)
		table_add(table, STYLE_NONE, "%s", now);
	else
		table_add(table, STYLE_WARN, "%s>%s", now, then);
	table_add(table, STYLE_NONE, "%s", json_read_text(change, "knob"));
	table_add(table, STYLE_NONE, "%s", value_text(change, "now"));
	table_add(table, STYLE_NONE, "%s", value_text(change, "then"));
	table_add(table, STYLE_NONE, "%s%s%s", json_read_text(change, "plugin"),
		  *json_read_text(change, "plugin") ? ": " : "", json_read_text(change, "reason"));
}

/* Above the table: of a dry run or a pause it tells what would be without. */
static void title_add(struct strbuf *page, const json_t *answer, bool any)
{
	const char *file = json_read_text(answer, "file");
	bool dry = json_read_bool(answer, "dry_run"), paused = json_read_bool(answer, "paused");

	if (!dry && !paused) {
		strbuf_addf(page, "%s and its drop-ins would change %s\n", file,
			    any ? "(- is no claim):" : "nothing.");
		return;
	}
	strbuf_addf(page, "%s and its drop-ins write nothing: %s.%s\n", file,
		    dry ? "dry_run is true" : "berthd is paused (`berthctl restore --resume`)",
		    paused || json_read_bool(answer, "dry_run_now")
			    ? ""
			    : " What is held now is put back.");
	strbuf_add(page, any ? "Without that they would change (- is no claim):\n"
			     : "Without that they would change nothing.\n");
}

/* The daemon has a working directory of its own. */
static int plan_path(const struct ctl *ctl, struct strbuf *ret)
{
	cleanup_free char *file = NULL;

	if (ctl->cli->argument_count == 0) {
		strbuf_add(ret, "/v1/plan");
		return strbuf_error(ret);
	}
	file = realpath(ctl->cli->arguments[0], NULL);
	if (!file) {
		ctl_error("%s: %s", ctl->cli->arguments[0], strerror(errno));
		return -errno;
	}
	return client_path(ret, "/v1/plan", "file", file);
}

int run_plan(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "ON", FIT_CUT_FRONT, false }, { "LEVEL", FIT_FIXED, false },
		{ "KNOB", FIT_CUT, false },     { "NOW", FIT_CUT, false },
		{ "THEN", FIT_CUT, false },     { "WHY", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {};
	struct strbuf path cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	const json_t *change;
	size_t i;

	if (plan_path(ctl, &path) < 0 || client_call(ctl, "POST", strbuf_text(&path), &answer) < 0)
		return 1;
	if (ctl->json)
		return ctl_print_json(answer);
	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(json_read(answer, "changes"), i, change) change_add(&table, change);
	title_add(&page, answer, table_rows(&table) > 0);
	if (table_render(&table, &ctl->screen, &page) < 0)
		return 1;
	return ctl_print(&page);
}
