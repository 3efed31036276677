/* SPDX-License-Identifier: Apache-2.0 */
/* pressure.c - why is this workload slow: in words, then in numbers. */
#include "pressure.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "client.h"
#include "explain/page.h"
#include "format.h"
#include "macro.h"

#define INDENT        13u
#define REASONS_MAX   4u
#define WORTH_PERCENT 1.0 /* what is less is nobody's reason to be slow */

/* One thing that it waits for. */
struct waited {
	enum wait wait;
	double now, averages[LOOK_WINDOWS]; /* percent; NAN unknown */
	double full;                        /* over the last 10 s, else now */
	double total_usec;
	double weight; /* how much of it is now, as well as it is known */
	char words[96];
};

static double weight_of(const struct waited *waited)
{
	double weight = look_larger(waited->now, waited->averages[0]);

	/* Totals alone: their order is that of the time waited, below any share. */
	return isnan(weight) ? waited->total_usec / 1e15 : weight;
}

static void waited_fill(struct waited *waited, const struct look *look, enum wait wait,
			const json_t *knobs)
{
	const struct wait_row *row = &wait_rows[wait];

	*waited = (struct waited){
		.wait = wait,
		.now = wait_percent(look, wait),
		.full = look_average(look, row->full_key, 0),
		.total_usec = look_value(look, row->key),
	};
	for (unsigned int window = 0; window < LOOK_WINDOWS; window++)
		waited->averages[window] = look_average(look, row->key, window);
	if (isnan(waited->full))
		waited->full = look_percent(look, row->full_key);
	waited->weight = weight_of(waited);
	explain_wait_words(knobs, wait, waited->words, sizeof(waited->words));
}

/* Unknown last. */
static int waited_compare(const void *left, const void *right)
{
	const struct waited *a = left, *b = right;

	if (isnan(a->weight) || isnan(b->weight))
		return isnan(a->weight) - isnan(b->weight);
	return (a->weight < b->weight) - (a->weight > b->weight);
}

/* "34% of the last 10s", or what there is. */
static void share_add(struct strbuf *text, const struct waited *waited, const struct look *look)
{
	double seconds = (double)look->usec / USEC_PER_SEC;
	char time[32];

	/* The calmer number, unless it began just now. */
	if (!isnan(waited->now) && !(2 * waited->averages[0] >= waited->now))
		strbuf_addf(text,
			    seconds < 0.95 ? "%.0f%% of the last %.1fs"
					   : "%.0f%% of the last %.0fs",
			    waited->now, seconds);
	else if (!isnan(waited->averages[0]))
		strbuf_addf(text, "%.0f%% of the last 10s", waited->averages[0]);
	else
		strbuf_addf(text, "%s in all",
			    format_usec((uint64_t)waited->total_usec, time, sizeof(time)));
}

/* "120 of 200 periods throttled": between the looks, else since its group was made. */
static void periods_add(struct strbuf *text, const struct look *look, const char *between)
{
	double periods = look_value(look, "cpu_periods");
	double throttled = look_value(look, "cpu_throttled_periods");
	double seconds = (double)look->usec / USEC_PER_SEC;
	const char *since = " since its start";

	if (!isnan(look_rate(look, "cpu_periods"))) {
		periods = look_rate(look, "cpu_periods") * seconds;
		throttled = look_rate(look, "cpu_throttled_periods") * seconds;
		since = "";
	}
	if (periods > 0 && throttled >= 0)
		strbuf_addf(text, "%s%.0f of %.0f periods throttled%s", between, throttled, periods,
			    since);
}

/* Where the kernel's own file of causes and BPF are missing, throttling is still told. */
static void throttling_add(struct strbuf *page, const struct screen *screen,
			   const struct look *look, const struct waited *waited, const char *title)
{
	struct strbuf text cleanup_strbuf = {};

	strbuf_addf(&text, "waits for %s: ", waited->words);
	periods_add(&text, look, "");
	field_add(page, screen, INDENT, title, STYLE_WARN, strbuf_text(&text));
}

static void reason_add(struct strbuf *page, const struct screen *screen, const struct look *look,
		       const struct waited *waited, const char *title)
{
	const struct wait_row *row = &wait_rows[waited->wait];
	struct strbuf text cleanup_strbuf = {};

	strbuf_addf(&text, "waits for %s: %s ", waited->words, row->name);
	share_add(&text, waited, look);
	if (waited->wait == WAIT_CFS_BANDWIDTH)
		periods_add(&text, look, "; ");
	field_add(page, screen, INDENT, title, STYLE_WARN, strbuf_text(&text));
}

/* Of memory the causes are the reasons, where they are told. */
static bool is_reason(const struct waited *all, const struct waited *waited)
{
	bool known = false;

	if (waited->wait == WAIT_MEMORY)
		for (enum wait cause = WAIT_MEMORY + 1; cause < WAIT_IO; cause++)
			known |= !isnan(all[cause].weight);
	if (known || isnan(waited->weight))
		return false;
	if (isnan(waited->now) && isnan(waited->averages[0]))
		return waited->total_usec > 0;
	return waited->weight >= WORTH_PERCENT;
}

static void untold_add(struct strbuf *page, const struct screen *screen, const struct look *look,
		       const char *title)
{
	struct strbuf text cleanup_strbuf = {};

	strbuf_add(&text, "this host does not tell that of a single workload");
	/* No reason was found, but what is known is told. */
	if (*title)
		periods_add(&text, look, "; ");
	field_add(page, screen, INDENT, title, STYLE_NONE, strbuf_text(&text));
}

/* Of this resource or of a cause of it; WAIT_MAX: of any. */
static bool is_told(const struct waited *all, enum wait resource)
{
	for (size_t i = 0; i < WAIT_MAX; i++)
		if (!isnan(all[i].weight) &&
		    (resource == WAIT_MAX || wait_rows[i].resource == resource))
			return true;
	return false;
}

/* Of these waits the host tells nothing: "its disks". That it did not wait would be a lie. */
static void unknown_list(const struct waited *all, struct strbuf *text)
{
	const struct {
		enum wait wait;
		bool told;
	} resources[] = {
		/* Throttling is told wherever there is a limit, and is another wait. */
		{ WAIT_CPU, !isnan(all[WAIT_CPU].weight) || !isnan(all[WAIT_CPU_QOS].weight) },
		{ WAIT_MEMORY, is_told(all, WAIT_MEMORY) },
		{ WAIT_IO, is_told(all, WAIT_IO) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++)
		if (!resources[i].told)
			strbuf_addf(text, "%s%s", text->length ? ", " : "",
				    wait_rows[resources[i].wait].words);
}

/* What was not found, in words. */
static void rest_add(struct strbuf *page, const struct screen *screen, const struct waited *all,
		     const char *title)
{
	struct strbuf unknown cleanup_strbuf = {}, text cleanup_strbuf = {};

	unknown_list(all, &unknown);
	if (!unknown.length && *title)
		field_add(page, screen, INDENT, title, STYLE_GOOD,
			  "none: it waited for nothing, or less than 1 % of the time");
	if (!unknown.length)
		return;
	strbuf_addf(&text, "%s does not tell how long it waited for: %s",
		    *title ? "none of what this host tells; it" : "this host",
		    strbuf_text(&unknown));
	field_add(page, screen, INDENT, title, STYLE_NONE, strbuf_text(&text));
}

static void reasons_add(struct strbuf *page, const struct screen *screen, const struct look *look,
			const struct waited all[WAIT_MAX])
{
	struct waited sorted[WAIT_MAX];
	const char *title = "Pressure";
	size_t count = 0;

	memcpy(sorted, all, sizeof(sorted));
	qsort(sorted, WAIT_MAX, sizeof(sorted[0]), waited_compare);
	if (isnan(all[WAIT_CFS_BANDWIDTH].weight) &&
	    (look_throttled(look) >= WORTH_PERCENT ||
	     (isnan(look_throttled(look)) && look_value(look, "cpu_throttled_periods") > 0))) {
		throttling_add(page, screen, look, &all[WAIT_CFS_BANDWIDTH], title);
		title = "";
		count++;
	}
	for (size_t i = 0; i < WAIT_MAX && count < REASONS_MAX; i++)
		if (is_reason(all, &sorted[i])) {
			reason_add(page, screen, look, &sorted[i], title);
			title = "";
			count++;
		}
	if (!is_told(all, WAIT_MAX))
		untold_add(page, screen, look, title);
	else
		rest_add(page, screen, all, title);
}

static void percent_add(struct table *table, double percent)
{
	if (isnan(percent))
		table_add(table, STYLE_DIM, "-");
	else
		table_add(table, percent >= WORTH_PERCENT ? STYLE_NONE : STYLE_DIM,
			  percent > 0 && percent < 9.95 ? "%.1f" : "%.0f", percent);
}

static void row_add(struct table *table, const struct waited *waited)
{
	const struct wait_row *row = &wait_rows[waited->wait];
	char time[32];

	table_add(table, STYLE_NONE, "%s%s", row->resource == waited->wait ? "" : "  ", row->name);
	percent_add(table, waited->now);
	for (unsigned int window = 0; window < LOOK_WINDOWS; window++)
		percent_add(table, waited->averages[window]);
	percent_add(table, waited->full);
	if (isnan(waited->total_usec))
		table_add(table, STYLE_DIM, "-");
	else
		table_add(table, STYLE_NONE, "%s",
			  format_usec((uint64_t)waited->total_usec, time, sizeof(time)));
}

/* Each resource, then its causes; both the largest first. What was never waited for is left out. */
static int numbers_add(struct strbuf *page, const struct screen *screen,
		       const struct waited all[WAIT_MAX])
{
	static const enum wait resources[] = { WAIT_CPU, WAIT_MEMORY, WAIT_IO, WAIT_IRQ };
	static const struct table_column columns[] = {
		{ "  WAITED FOR, %", FIT_FIXED, false },
		{ " NOW", FIT_FIXED, true },
		{ "10 S", FIT_FIXED, true },
		{ "60 S", FIT_FIXED, true },
		{ "300 S", FIT_FIXED, true },
		{ "FULL", FIT_FIXED, true },
		{ "IN ALL", FIT_FIXED, true },
	};
	struct waited sorted[WAIT_MAX], heads[ARRAY_SIZE(resources)];
	struct table table cleanup_table = {};
	bool ever[WAIT_MAX] = {};

	memcpy(sorted, all, sizeof(sorted));
	qsort(sorted, WAIT_MAX, sizeof(sorted[0]), waited_compare);

	for (size_t i = 0; i < ARRAY_SIZE(resources); i++) {
		heads[i] = all[resources[i]];
		for (size_t j = 0; j < WAIT_MAX; j++) {
			if (wait_rows[j].resource != resources[i])
				continue;
			heads[i].weight = look_larger(heads[i].weight, all[j].weight);
			ever[resources[i]] |= all[j].total_usec > 0;
		}
	}
	qsort(heads, ARRAY_SIZE(heads), sizeof(heads[0]), waited_compare);
	table_init(&table, columns, ARRAY_SIZE(columns));
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		if (!ever[heads[i].wait])
			continue;
		row_add(&table, &heads[i]);
		for (size_t j = 0; j < WAIT_MAX; j++) {
			const struct waited *waited = &sorted[j];

			if (wait_rows[waited->wait].resource == heads[i].wait &&
			    waited->wait != heads[i].wait && waited->total_usec > 0)
				row_add(&table, waited);
		}
	}
	strbuf_add(page, table_rows(&table) ? "\n" : "");
	return table_render(&table, screen, page);
}

static void held_add(struct strbuf *page, const struct screen *screen, const json_t *knobs)
{
	struct strbuf text cleanup_strbuf = {};
	const json_t *knob;
	size_t i;

	json_array_foreach(knobs, i, knob)
	{
		if (strcmp(json_read_text(knob, "status"), "written") != 0)
			continue;
		strbuf_addf(&text, "%s%s=%s", text.length ? ", " : "", json_read_text(knob, "file"),
			    json_read_text(knob, "written"));
	}
	field_add(page, screen, INDENT, "Berth holds", STYLE_NONE,
		  text.length ? strbuf_text(&text) : "nothing of it");
}

/* "0.98 CPU of 1.00, memory 37M of 40M": what is used, of what it may. */
static void uses_add(struct strbuf *page, const struct screen *screen, const struct look *look,
		     const json_t *workload)
{
	uint64_t cpu_limit = json_read_number(workload, "cpu_limit_milli");
	uint64_t memory_limit = json_read_number(workload, "memory_limit_bytes");
	double cpu = look_percent(look, "cpu_usage_usec");
	double memory = look_value(look, "memory_bytes");
	struct strbuf text cleanup_strbuf = {};
	char bytes[16];

	if (!isnan(cpu))
		strbuf_addf(&text, "%.2f CPU", cpu / 100);
	if (!isnan(cpu) && cpu_limit)
		strbuf_addf(&text, " of %.2f", (double)cpu_limit / 1000);
	if (!isnan(memory))
		strbuf_addf(&text, "%smemory %s", text.length ? ", " : "",
			    format_bytes((uint64_t)memory, bytes, sizeof(bytes)));
	if (!isnan(memory) && memory_limit)
		strbuf_addf(&text, " of %s", format_bytes(memory_limit, bytes, sizeof(bytes)));
	field_add(page, screen, INDENT, "Uses", STYLE_NONE, strbuf_text(&text));
}

/* Restarts and lost workers are slow as well, and nothing else here tells of them. */
static void killed_add(struct strbuf *page, const struct screen *screen, const struct look *look)
{
	double kills = look_value(look, "memory_event_oom_kill");
	struct strbuf text cleanup_strbuf = {};

	if (!(kills > 0))
		return;
	strbuf_addf(&text, "%.0f of its processes by the OOM killer since its group was made",
		    kills);
	field_add(page, screen, INDENT, "Killed", STYLE_WARN, strbuf_text(&text));
}

int explain_pressure(const json_t *before, const json_t *answer, const struct screen *screen,
		     struct strbuf *page)
{
	struct waited all[WAIT_MAX];
	struct look look;

	/* An older berthd. */
	if (!json_read(answer, "sample"))
		return 0;
	look_init(&look, json_read(before, "sample"), json_read(answer, "sample"));
	for (enum wait wait = WAIT_CPU; wait < WAIT_MAX; wait++)
		waited_fill(&all[wait], &look, wait, json_read(answer, "knobs"));
	uses_add(page, screen, &look, json_read(answer, "workload"));
	killed_add(page, screen, &look);
	reasons_add(page, screen, &look, all);
	held_add(page, screen, json_read(answer, "knobs"));
	return numbers_add(page, screen, all);
}

bool explain_wants_more(const json_t *answer)
{
	struct look look;
	bool waited, averaged = false;

	look_init(&look, NULL, json_read(answer, "sample"));
	waited = look_value(&look, "cpu_throttled_periods") > 0;
	for (enum wait wait = WAIT_CPU; wait < WAIT_MAX; wait++) {
		waited |= look_value(&look, wait_rows[wait].key) > 0;
		for (unsigned int window = 0; window < LOOK_WINDOWS; window++)
			averaged |= look_average(&look, wait_rows[wait].key, window) > 0;
	}
	return waited && !averaged;
}
