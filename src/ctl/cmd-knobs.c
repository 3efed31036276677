/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "format.h"
#include "macro.h"

/* One line of claims: "colocation=1 (batch), other=0". */
static void claims_add(struct strbuf *text, const json_t *claims)
{
	const json_t *claim;
	size_t i;

	json_array_foreach(claims, i, claim)
		strbuf_addf(text, "%s%s=%s", i ? " " : "", json_read_text(claim, "owner"),
			    json_read_text(claim, "value"));
}

static void knob_add(struct table *table, const json_t *knob)
{
	struct strbuf claims cleanup_strbuf = {};
	const char *status = json_read_text(knob, "status");
	const char *label = json_read_text(knob, "label");

	claims_add(&claims, json_read(knob, "claims"));
	table_add(table, STYLE_NONE, "%s", *label ? label : json_read_text(knob, "path"));
	table_add(table, STYLE_NONE, "%s", json_read_text(knob, "file"));
	table_add(table, STYLE_NONE, "%s", json_read_text(knob, "original"));
	table_add(table, STYLE_NONE, "%s", json_read_text(knob, "written"));
	table_add(table, style_of(status), "%s%s%s", status,
		  *json_read_text(knob, "error") ? " " : "", json_read_text(knob, "error"));
	table_add(table, STYLE_NONE, "%s", strbuf_text(&claims));
}

int run_knobs(const struct ctl *ctl)
{
	static const struct table_column columns[] = {
		{ "ON", FIT_CUT_FRONT, false }, { "FILE", FIT_CUT, false },
		{ "WAS", FIT_CUT, false },      { "WRITTEN", FIT_CUT, false },
		{ "STATUS", FIT_FIXED, false }, { "CLAIMS", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	struct strbuf page cleanup_strbuf = {}, path cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	const json_t *knob;
	size_t i;
	int r;

	if (ctl->cli->argument_count == 0)
		strbuf_add(&path, "/v1/knobs");
	else if (client_path(&path, "/v1/knobs", "workload", ctl->cli->arguments[0]) < 0)
		return 1;
	r = client_get(ctl, strbuf_text(&path), &answer);
	if (r)
		return r < 0;
	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(json_read(answer, "knobs"), i, knob) knob_add(&table, knob);
	if (table_rows(&table) == 0)
		strbuf_add(&page, "No knob is held: the host is as it would be without Berth.\n");
	if (table_render(&table, &ctl->screen, &page) < 0)
		return 1;
	return ctl_print(&page);
}
