/* SPDX-License-Identifier: Apache-2.0 */
#include "explain/page.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "macro.h"

#define INDENT 13u

static void fact_add(struct strbuf *page, const struct screen *screen, const char *title,
		     enum style style, const char *text)
{
	field_add(page, screen, INDENT, title, style, text);
}

static void limits_add(struct strbuf *page, const json_t *workload)
{
	uint64_t cpu_request = json_read_number(workload, "cpu_request_milli");
	uint64_t cpu_limit = json_read_number(workload, "cpu_limit_milli");
	uint64_t memory_request = json_read_number(workload, "memory_request_bytes");
	uint64_t memory_limit = json_read_number(workload, "memory_limit_bytes");
	char text[32];

	if (!(cpu_request | cpu_limit | memory_request | memory_limit))
		return;
	strbuf_add(page, "Resources   ");
	if (cpu_request)
		strbuf_addf(page, " CPU request %.2f", (double)cpu_request / 1000);
	if (cpu_limit)
		strbuf_addf(page, " CPU limit %.2f", (double)cpu_limit / 1000);
	if (memory_request)
		strbuf_addf(page, " memory request %s",
			    format_bytes(memory_request, text, sizeof(text)));
	if (memory_limit)
		strbuf_addf(page, " memory limit %s",
			    format_bytes(memory_limit, text, sizeof(text)));
	strbuf_add_char(page, '\n');
}

static void source_add(struct strbuf *page, const struct screen *screen, const json_t *workload)
{
	struct strbuf text cleanup_strbuf = {};
	const char *via = json_read_text(workload, "via");
	const char *since = json_read_text(json_read(workload, "facts"), "last known good");
	uint64_t leader = json_read_number(workload, "leader");

	strbuf_add(&text, json_read_text(workload, "source"));
	if (*via)
		strbuf_addf(&text, " (%s)", via);
	fact_add(page, screen, "Source", STYLE_NONE, strbuf_text(&text));
	if (json_read_bool(workload, "stale")) {
		strbuf_clear(&text);
		strbuf_addf(&text, "yes: as it was %s%s; nobody has confirmed it since",
			    *since ? "at " : "before berthd started", since);
		fact_add(page, screen, "Stale", STYLE_WARN, strbuf_text(&text));
	}
	fact_add(page, screen, "UID", STYLE_NONE, json_read_text(workload, "uid"));
	fact_add(page, screen, "Also named", STYLE_NONE, json_read_text(workload, "alias"));
	if (leader) {
		strbuf_clear(&text);
		strbuf_addf(&text, "process %llu", (unsigned long long)leader);
		fact_add(page, screen, "Leader", STYLE_NONE, strbuf_text(&text));
	}
}

static void facts_add(struct strbuf *page, const struct screen *screen, const json_t *workload)
{
	json_t *facts = json_read(workload, "facts"), *value;
	const char *key, *title = "Facts";

	json_object_foreach(facts, key, value)
	{
		struct strbuf text cleanup_strbuf = {};

		strbuf_addf(&text, "%s: %s", key, json_read_text(facts, key));
		fact_add(page, screen, title, STYLE_NONE, strbuf_text(&text));
		title = "";
	}
}

static void workload_add(struct strbuf *page, const struct screen *screen, const json_t *workload)
{
	struct strbuf text cleanup_strbuf = {};
	const char *level = json_read_text(workload, "qos");

	strbuf_addf(&text, "%s %s%s%s (id %llu)", json_read_text(workload, "kind"),
		    json_read_text(workload, "namespace"),
		    *json_read_text(workload, "namespace") ? "/" : "",
		    json_read_text(workload, "name"),
		    (unsigned long long)json_read_number(workload, "id"));
	fact_add(page, screen, "Workload", STYLE_BOLD, strbuf_text(&text));
	fact_add(page, screen, "Group", STYLE_NONE, json_read_text(workload, "cgroup"));
	source_add(page, screen, workload);
	strbuf_clear(&text);
	strbuf_addf(&text, "%s (%lld)", level, (long long)json_read_signed(workload, "level"));
	fact_add(page, screen, "Level", style_of(level), strbuf_text(&text));
	fact_add(page, screen, "Level from", STYLE_NONE,
		 *json_read_text(workload, "origin_detail")
			 ? json_read_text(workload, "origin_detail")
			 : json_read_text(workload, "origin"));
	fact_add(page, screen, "Conflict", STYLE_WARN, json_read_text(workload, "conflict"));
	fact_add(page, screen, "Malformed", STYLE_WARN, json_read_text(workload, "malformed"));
	if (json_read_bool(workload, "ignored"))
		fact_add(page, screen, "Ignored", STYLE_WARN,
			 "yes: Berth changes nothing of it, metrics stay");
	limits_add(page, workload);
	facts_add(page, screen, workload);
}

static void children_add(struct strbuf *page, const struct screen *screen, const json_t *children)
{
	const json_t *child;
	size_t i;

	json_array_foreach(children, i, child)
	{
		struct strbuf text cleanup_strbuf = {};

		strbuf_addf(&text, "%s %s (%s, id %llu)", json_read_text(child, "kind"),
			    json_read_text(child, "name"), json_read_text(child, "qos"),
			    (unsigned long long)json_read_number(child, "id"));
		fact_add(page, screen, i ? "" : "Parts", STYLE_NONE, strbuf_text(&text));
	}
}

static void value_line_add(struct strbuf *page, const struct screen *screen, const json_t *knob)
{
	struct strbuf text cleanup_strbuf = {};
	const char *original = json_read_text(knob, "original");
	const char *written = json_read_text(knob, "written");
	const char *current = json_read_text(knob, "current");

	strbuf_addf(&text, "was %s, written %s, holds %s; writes %llu, foreign %llu",
		    *original ? original : "?", *written ? written : "-", *current ? current : "?",
		    (unsigned long long)json_read_number(knob, "writes"),
		    (unsigned long long)json_read_number(knob, "foreign"));
	fact_add(page, screen, "  value", STYLE_NONE, strbuf_text(&text));
}

/* Other writers of the same file, and what came of it. */
static void neighbours_add(struct strbuf *page, const struct screen *screen, const json_t *knob)
{
	struct strbuf text cleanup_strbuf = {};
	const char *status = json_read_text(knob, "status");
	uint64_t foreign = json_read_number(knob, "foreign");
	uint64_t left = json_read_number(knob, "retry_left_usec");
	char ago[32], until[32];

	if (*json_read_text(knob, "unit")) {
		strbuf_addf(&text, "also set in systemd: %s of %s",
			    json_read_text(knob, "unit_setting"), json_read_text(knob, "unit"));
		fact_add(page, screen, "  systemd", STYLE_NONE, strbuf_text(&text));
		strbuf_clear(&text);
	}
	if (foreign == 0)
		return;
	strbuf_addf(&text, "somebody else wrote %llu times, last %s ago; ",
		    (unsigned long long)foreign,
		    format_usec(json_read_number(knob, "foreign_ago_usec"), ago, sizeof(ago)));
	(void)format_usec(left, until, sizeof(until));
	if (strcmp(status, "yielded") == 0)
		strbuf_addf(&text, "their value stands, for %s more", until);
	else if (strcmp(status, "written") == 0)
		strbuf_add(&text, "ours was written again");
	else
		strbuf_addf(&text, "ours is written again in %s", until);
	fact_add(page, screen, "  others", STYLE_WARN, strbuf_text(&text));
}

static void claim_add(struct strbuf *page, const struct screen *screen, const json_t *claim,
		      bool alone)
{
	struct strbuf text cleanup_strbuf = {};
	uint64_t lease = json_read_number(claim, "lease_left_usec");
	char left[32];

	strbuf_addf(&text, "%s wants %s: %s", json_read_text(claim, "owner"),
		    json_read_text(claim, "value"), json_read_text(claim, "reason"));
	if (lease)
		strbuf_addf(&text, " (lease %s)", format_usec(lease, left, sizeof(left)));
	if (!alone)
		strbuf_add(&text, json_read_bool(claim, "effective") ? " [in effect]"
								     : " [not in effect]");
	fact_add(page, screen, "  claim", STYLE_NONE, strbuf_text(&text));
}

static void knobs_add(struct strbuf *page, const struct screen *screen, const json_t *knobs)
{
	const json_t *knob;
	size_t i;

	if (json_array_size(knobs) == 0)
		strbuf_add(page, "\nNo claim: nothing of it is changed.\n");
	json_array_foreach(knobs, i, knob)
	{
		struct strbuf text cleanup_strbuf = {};
		const char *status = json_read_text(knob, "status");
		const json_t *claims = json_read(knob, "claims"), *claim;
		size_t j;

		strbuf_addf(&text, "%s/%s: ", json_read_text(knob, "path"),
			    json_read_text(knob, "file"));
		(void)text_sanitize(text.text ? text.text : (char[]){ '\0' });
		strbuf_addf(page, "\n%s", strbuf_text(&text));
		style_add(page, screen, style_of(status), status);
		strbuf_add_char(page, '\n');
		fact_add(page, screen, "  error", STYLE_BAD, json_read_text(knob, "error_text"));
		value_line_add(page, screen, knob);
		neighbours_add(page, screen, knob);
		json_array_foreach(claims, j, claim)
			claim_add(page, screen, claim, json_array_size(claims) == 1);
	}
}

static const char *effective_owner(const json_t *claims)
{
	const json_t *claim;
	size_t i;

	json_array_foreach(claims, i, claim)
	{
		if (json_read_bool(claim, "effective"))
			return json_read_text(claim, "owner");
	}
	return NULL;
}

/* Who has set this knob; NULL: not we. */
static const char *setter_of(const json_t *knobs, const char *name)
{
	const json_t *knob;
	size_t i;

	json_array_foreach(knobs, i, knob)
	{
		const char *owner = effective_owner(json_read(knob, "claims"));

		if (owner && strcmp(json_read_text(knob, "knob"), name) == 0 &&
		    strcmp(json_read_text(knob, "status"), "written") == 0)
			return owner;
	}
	return NULL;
}

void explain_wait_words(const json_t *knobs, enum wait wait, char *text, size_t size)
{
	const char *setter = wait == WAIT_CFS_BANDWIDTH    ? setter_of(knobs, "cpu.quota")
			     : wait == WAIT_CGROUP_RECLAIM ? setter_of(knobs, "memory.high")
							   : NULL;

	if (setter)
		(void)snprintf(text, size, "the %s limit that %s set",
			       wait == WAIT_CFS_BANDWIDTH ? "CPU" : "memory", setter);
	else
		(void)snprintf(text, size, "%s", wait_rows[wait].words);
}

static int lines_add(struct strbuf *page, const struct screen *screen,
		     const struct table_column *columns, const json_t *list,
		     const char *const *keys)
{
	struct table table cleanup_table = {};
	const json_t *item;
	size_t i;

	table_init(&table, columns, 3);
	json_array_foreach(list, i, item) for (size_t key = 0; key < 3; key++)
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, keys[key]));
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

/* For a screen that has little place: who it is on two lines. */
static void brief_add(struct strbuf *page, const struct screen *screen, const json_t *workload)
{
	struct strbuf text cleanup_strbuf = {};
	const char *namespace = json_read_text(workload, "namespace");
	const char *detail = json_read_text(workload, "origin_detail");

	strbuf_addf(&text, "%s %s%s%s", json_read_text(workload, "kind"), namespace,
		    *namespace ? "/" : "", json_read_text(workload, "name"));
	line_add(page, screen, STYLE_BOLD, strbuf_text(&text));
	strbuf_clear(&text);
	strbuf_addf(&text, "level %s: %s", json_read_text(workload, "qos"),
		    *detail ? detail : json_read_text(workload, "origin"));
	line_add(page, screen, STYLE_NONE, strbuf_text(&text));
}

int explain_page(const json_t *before, const json_t *answer, bool brief,
		 const struct screen *screen, struct strbuf *page)
{
	static const struct table_column said[] = { { "PLUGIN", FIT_FIXED, false },
						    { "SAYS", FIT_FIXED, false },
						    { "", FIT_WRAP, false } };
	static const struct table_column done[] = { { "HISTORY", FIT_FIXED, false },
						    { "WHAT", FIT_CUT, false },
						    { "WHY", FIT_WRAP, false } };
	static const char *const said_keys[] = { "plugin", "key", "value" };
	static const char *const done_keys[] = { "time", "what", "reason" };
	const json_t *workload = json_read(answer, "workload");

	if (brief)
		brief_add(page, screen, workload);
	else
		workload_add(page, screen, workload);
	if (!brief)
		children_add(page, screen, json_read(answer, "children"));
	if (explain_pressure(before, answer, screen, page) < 0)
		return -ENOMEM;
	knobs_add(page, screen, json_read(answer, "knobs"));
	if (lines_add(page, screen, said, json_read(answer, "descriptions"), said_keys) < 0)
		return -ENOMEM;
	return lines_add(page, screen, done, json_read(answer, "history"), done_keys);
}
