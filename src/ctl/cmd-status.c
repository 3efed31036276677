/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"
#include "format.h"
#include "macro.h"

#define INDENT 11u

static void head_add(struct strbuf *page, const struct screen *screen, const json_t *answer)
{
	bool healthy = json_read_bool(answer, "healthy"), ready = json_read_bool(answer, "ready");
	char uptime[32];

	style_add(page, screen, healthy ? STYLE_GOOD : STYLE_BAD, screen->utf8 ? "\u25cf " : "* ");
	strbuf_addf(page, "berthd %s on %s, up %s (pid %llu): ", json_read_text(answer, "version"),
		    json_read_text(answer, "node"),
		    format_usec(json_read_number(answer, "uptime_usec"), uptime, sizeof(uptime)),
		    (unsigned long long)json_read_number(answer, "pid"));
	style_add(page, screen, healthy ? STYLE_GOOD : STYLE_BAD,
		  healthy ? "healthy" : "not healthy");
	strbuf_add(page, ", ");
	style_add(page, screen, ready ? STYLE_GOOD : STYLE_WARN, ready ? "ready" : "not ready");
	if (!json_read_bool(json_read(answer, "config"), "valid")) {
		strbuf_add(page, ", ");
		style_add(page, screen, STYLE_BAD, "policy not valid");
	}
	if (json_read_bool(answer, "dry_run")) {
		strbuf_add(page, ", ");
		style_add(page, screen, STYLE_WARN, "dry run");
	}
	if (json_read_bool(json_read(answer, "actuator"), "paused")) {
		strbuf_add(page, ", ");
		style_add(page, screen, STYLE_WARN, "paused");
	}
	strbuf_add_char(page, '\n');
}

static void config_add(struct strbuf *page, const struct screen *screen, const json_t *config)
{
	struct strbuf text cleanup_strbuf = {};
	bool valid = json_read_bool(config, "valid");
	const json_t *error;
	size_t i;

	strbuf_addf(&text, "%s: %s; reloads %llu, failed %llu", json_read_text(config, "file"),
		    valid ? "valid" : "not valid, the one before stays",
		    (unsigned long long)json_read_number(config, "reloads"),
		    (unsigned long long)json_read_number(config, "reload_failures"));
	field_add(page, screen, INDENT, "Policy", valid ? STYLE_NONE : STYLE_BAD,
		  strbuf_text(&text));
	json_array_foreach(json_read(config, "errors"), i, error)
		field_add(page, screen, INDENT, "", STYLE_NONE, json_read_text(error, "message"));
}

/* It is there as it was asked for, and protected as it was asked for. An older berthd tells none.
 */
static bool listener_is_fine(const json_t *listener)
{
	return json_object_size(listener) == 0 ||
	       (json_read_bool(listener, "valid") &&
		(json_read_bool(listener, "open") || !json_read_bool(listener, "wanted")));
}

static void listener_add(struct strbuf *page, const struct screen *screen, const json_t *listener)
{
	struct strbuf text cleanup_strbuf = {};
	const char *problem = json_read_text(listener, "certificate_problem");
	const char *closed = json_read_text(listener, "problem");
	bool valid = json_read_bool(listener, "valid"), open = json_read_bool(listener, "open");
	bool wanted = json_read_bool(listener, "wanted"), fine = listener_is_fine(listener);
	uint64_t users = json_read_number(listener, "users");
	const json_t *error;
	size_t i;

	if (json_object_size(listener) == 0 || (!wanted && valid))
		return;
	strbuf_addf(&text, "%s: %s", json_read_text(listener, "listen"),
		    open ? "open" : "not served");
	if (*closed)
		strbuf_addf(&text, ": %s (`berthctl reload` tries again)", closed);
	strbuf_add(&text, json_read_bool(listener, "tls") ? ", TLS" : ", plain");
	if (users)
		strbuf_addf(&text, ", %llu users", (unsigned long long)users);
	if (!valid)
		strbuf_addf(&text, "; %s is not valid%s",
			    json_read_text(listener, "web_config_file"),
			    open ? ", the one before stays" : "");
	if (*problem)
		strbuf_addf(&text, "; certificate: %s", problem);
	field_add(page, screen, INDENT, "Metrics",
		  !fine      ? STYLE_BAD
		  : *problem ? STYLE_WARN
			     : STYLE_NONE,
		  strbuf_text(&text));
	json_array_foreach(json_read(listener, "errors"), i, error)
		field_add(page, screen, INDENT, "", STYLE_NONE, json_read_text(error, "message"));
}

/* "critical 2, high 1" of an object of numbers, zeros left out; how many were there. */
static size_t counts_add(struct strbuf *text, json_t *counts)
{
	const char *key;
	json_t *value;
	size_t count = 0;

	json_object_foreach(counts, key, value) if (json_integer_value(value) > 0) strbuf_addf(
		text, "%s%s %lld", count++ ? ", " : "", key, (long long)json_integer_value(value));
	return count;
}

static void workloads_add(struct strbuf *page, const struct screen *screen, const json_t *workloads)
{
	struct strbuf text cleanup_strbuf = {};
	uint64_t conflicts = json_read_number(workloads, "conflicts");
	uint64_t ignored = json_read_number(workloads, "ignored");
	uint64_t stale = json_read_number(workloads, "stale");

	strbuf_addf(&text, "%llu: ", (unsigned long long)json_read_number(workloads, "total"));
	if (counts_add(&text, json_read(workloads, "levels")) == 0)
		strbuf_add(&text, "none seen yet");
	if (ignored)
		strbuf_addf(&text, "; %llu ignored", (unsigned long long)ignored);
	if (stale)
		strbuf_addf(&text, "; %llu stale (last known good)", (unsigned long long)stale);
	if (conflicts)
		strbuf_addf(&text, "; %llu in conflict or malformed",
			    (unsigned long long)conflicts);
	field_add(page, screen, INDENT, "Workloads", conflicts || stale ? STYLE_WARN : STYLE_NONE,
		  strbuf_text(&text));
}

static void actuator_add(struct strbuf *page, const struct screen *screen, const json_t *actuator)
{
	struct strbuf knobs cleanup_strbuf = {}, writes cleanup_strbuf = {};
	uint64_t failed = json_read_number(json_read(actuator, "knobs"), "failed");

	strbuf_addf(&knobs, "claims %llu; ",
		    (unsigned long long)json_read_number(actuator, "claims"));
	if (counts_add(&knobs, json_read(actuator, "knobs")) == 0)
		strbuf_add(&knobs, "none held");
	field_add(page, screen, INDENT, "Knobs", failed ? STYLE_BAD : STYLE_NONE,
		  strbuf_text(&knobs));
	strbuf_addf(&writes,
		    "%llu, failed %llu, foreign %llu; restores %llu, failed %llu; actions %llu, "
		    "refused %llu",
		    (unsigned long long)json_read_number(actuator, "writes"),
		    (unsigned long long)json_read_number(actuator, "write_errors"),
		    (unsigned long long)json_read_number(actuator, "foreign_writes"),
		    (unsigned long long)json_read_number(actuator, "restores"),
		    (unsigned long long)json_read_number(actuator, "restore_errors"),
		    (unsigned long long)json_read_number(actuator, "actions"),
		    (unsigned long long)json_read_number(actuator, "actions_limited"));
	field_add(page, screen, INDENT, "Writes", STYLE_NONE, strbuf_text(&writes));
}

static void telemetry_add(struct strbuf *page, const struct screen *screen, const json_t *telemetry)
{
	struct strbuf text cleanup_strbuf = {};
	const char *detail = json_read_text(telemetry, "detail");

	strbuf_addf(&text, "by %s; %llu groups, last pass %llu us, errors %llu",
		    json_read_text(telemetry, "way"),
		    (unsigned long long)json_read_number(telemetry, "groups"),
		    (unsigned long long)json_read_number(telemetry, "pass_usec"),
		    (unsigned long long)json_read_number(telemetry, "errors"));
	field_add(page, screen, INDENT, "Counters", STYLE_NONE, strbuf_text(&text));
	if (detail[0])
		field_add(page, screen, INDENT, "", STYLE_NONE, detail);
}

static void names_add(struct strbuf *text, const json_t *list, bool available)
{
	const json_t *item;
	size_t i, count = 0;

	json_array_foreach(list, i, item) if (json_read_bool(item, "available") == available)
		strbuf_addf(text, "%s%s", count++ ? " " : "", json_read_text(item, "name"));
	if (count == 0)
		strbuf_add(text, "none");
}

static void host_add(struct strbuf *page, const struct screen *screen, const json_t *capabilities)
{
	struct strbuf text cleanup_strbuf = {}, knobs cleanup_strbuf = {};
	const json_t *features = json_read(capabilities, "features");

	strbuf_addf(&text, "cgroup %s; has ", json_read_text(capabilities, "cgroup"));
	names_add(&text, features, true);
	strbuf_add(&text, "; lacks ");
	names_add(&text, features, false);
	field_add(page, screen, INDENT, "Host", STYLE_NONE, strbuf_text(&text));
	strbuf_add(&knobs, "knobs: ");
	names_add(&knobs, json_read(capabilities, "knobs"), true);
	strbuf_add(&knobs, " (`berthctl capabilities` tells why not the others)");
	field_add(page, screen, INDENT, "", STYLE_NONE, strbuf_text(&knobs));
}

static void pressure_add(struct strbuf *page, const struct screen *screen, const json_t *telemetry)
{
	struct strbuf text cleanup_strbuf = {};
	const char *detail = json_read_text(telemetry, "pressure_detail");

	strbuf_addf(&text, "by cause: %s%s%s", json_read_text(telemetry, "pressure"),
		    *detail ? "; " : "", detail);
	field_add(page, screen, INDENT, "Pressure", STYLE_NONE, strbuf_text(&text));
	strbuf_clear(&text);
	detail = json_read_text(telemetry, "runqueue_detail");
	strbuf_addf(&text, "run-queue latency: %s%s%s", json_read_text(telemetry, "runqueue"),
		    *detail ? "; " : "", detail);
	field_add(page, screen, INDENT, "", STYLE_NONE, strbuf_text(&text));
	strbuf_clear(&text);
	strbuf_addf(&text, "CPU counters: %s; %s",
		    json_read_bool(telemetry, "cycles") ? "when a plugin asks" : "not available",
		    json_read_text(telemetry, "cycles_detail"));
	field_add(page, screen, INDENT, "", STYLE_NONE, strbuf_text(&text));
}

static int sources_add(struct strbuf *page, const struct screen *screen, const json_t *list)
{
	static const struct table_column columns[] = {
		{ "SOURCE", FIT_FIXED, false },
		{ "STATE", FIT_FIXED, false },
		{ "WORKLOADS", FIT_FIXED, true },
		{ "DETAIL", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	const json_t *item;
	size_t i;

	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(list, i, item)
	{
		const char *state = json_read_text(item, "state");

		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "name"));
		table_add(&table, style_of(state), "%s", state);
		table_add(&table, STYLE_NONE, "%llu",
			  (unsigned long long)json_read_number(item, "workloads"));
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "detail"));
	}
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

static int plugins_add(struct strbuf *page, const struct screen *screen, const json_t *list)
{
	static const struct table_column columns[] = {
		{ "PLUGIN", FIT_FIXED, false },
		{ "STATE", FIT_FIXED, false },
		{ "FAILURES", FIT_FIXED, true },
		{ "DETAIL", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	const json_t *item;
	size_t i;

	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(list, i, item)
	{
		const char *state = json_read_text(item, "state");
		const char *detail = json_read_text(item, "detail");

		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "name"));
		table_add(&table, style_of(state), "%s", state);
		table_add(&table, STYLE_NONE, "%llu",
			  (unsigned long long)json_read_number(item, "failures"));
		table_add(&table, STYLE_NONE, "%s",
			  *detail ? detail : json_read_text(item, "description"));
	}
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

static int errors_add(struct strbuf *page, const struct screen *screen, const json_t *list)
{
	static const struct table_column columns[] = {
		{ "LAST ERRORS", FIT_FIXED, false },
		{ "WHAT", FIT_FIXED, false },
		{ "ON", FIT_CUT_FRONT, false },
		{ "ERROR", FIT_WRAP, false },
	};
	struct table table cleanup_table = {};
	const json_t *item;
	size_t i;

	table_init(&table, columns, ARRAY_SIZE(columns));
	json_array_foreach(list, i, item)
	{
		table_add(&table, STYLE_DIM, "%s", json_read_text(item, "time"));
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "what"));
		table_add(&table, STYLE_NONE, "%s", json_read_text(item, "label"));
		table_add(&table, STYLE_BAD, "%s", json_read_text(item, "error_text"));
	}
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

int run_status(const struct ctl *ctl)
{
	struct strbuf page cleanup_strbuf = {};
	json_auto_t *answer = NULL;
	bool fine;
	int r = client_call(ctl, "GET", "/v1/status", &answer);

	if (r < 0)
		return 1;
	fine = json_read_bool(answer, "healthy") &&
	       json_read_bool(json_read(answer, "config"), "valid") &&
	       listener_is_fine(json_read(answer, "metrics"));
	if (ctl->json)
		return ctl_print_json(answer) || !fine;
	head_add(&page, &ctl->screen, answer);
	config_add(&page, &ctl->screen, json_read(answer, "config"));
	listener_add(&page, &ctl->screen, json_read(answer, "metrics"));
	workloads_add(&page, &ctl->screen, json_read(answer, "workloads"));
	actuator_add(&page, &ctl->screen, json_read(answer, "actuator"));
	telemetry_add(&page, &ctl->screen, json_read(answer, "telemetry"));
	host_add(&page, &ctl->screen, json_read(answer, "capabilities"));
	pressure_add(&page, &ctl->screen, json_read(answer, "telemetry"));
	if (sources_add(&page, &ctl->screen, json_read(answer, "sources")) < 0 ||
	    plugins_add(&page, &ctl->screen, json_read(answer, "plugins")) < 0 ||
	    errors_add(&page, &ctl->screen, json_read(answer, "last_errors")) < 0)
		return 1;
	return ctl_print(&page) || !fine;
}
