/* SPDX-License-Identifier: Apache-2.0 */
#include "top-page.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "macro.h"

struct top_row {
	const json_t *now;
	bool rated;                                            /* there are two samples */
	double cpu, throttled, cpu_some, memory_some, io_some; /* percent of the time between */
	uint64_t memory_bytes;
};

/* A counter that went back belongs to another life of the group. */
static double rate_percent(const json_t *before, const json_t *now, const char *key, uint64_t usec)
{
	uint64_t first = json_read_number(before, key), last = json_read_number(now, key);

	return usec && last > first ? 100.0 * (double)(last - first) / (double)usec : 0;
}

static void row_fill(struct top_row *row, const json_t *before, const json_t *now)
{
	uint64_t first = json_read_number(before, "time_usec");
	uint64_t last = json_read_number(now, "time_usec");
	uint64_t usec = first && last > first ? last - first : 0;

	row->now = now;
	row->memory_bytes = json_read_number(now, "memory_bytes");
	row->rated = usec > 0;
	row->cpu = rate_percent(before, now, "cpu_usage_usec", usec);
	row->throttled = rate_percent(before, now, "cpu_throttled_usec", usec);
	row->cpu_some = rate_percent(before, now, "cpu_some_usec", usec);
	row->memory_some = rate_percent(before, now, "memory_some_usec", usec);
	row->io_some = rate_percent(before, now, "io_some_usec", usec);
}

static int compare_double(double a, double b)
{
	return (a < b) - (a > b);
}

static int compare_name(const struct top_row *a, const struct top_row *b)
{
	int order =
		strcmp(json_read_text(a->now, "namespace"), json_read_text(b->now, "namespace"));

	return order ? order
		     : strcmp(json_read_text(a->now, "name"), json_read_text(b->now, "name"));
}

/* The largest first; equal ones by name, so that a calm table stands still. */
static int row_compare(const void *left, const void *right, void *data)
{
	const struct top_row *a = left, *b = right;
	const enum top_sort *sort = data;
	int order = 0;

	if (*sort == TOP_CPU)
		order = compare_double(a->cpu, b->cpu);
	else if (*sort == TOP_MEMORY)
		order = (a->memory_bytes < b->memory_bytes) - (a->memory_bytes > b->memory_bytes);
	else if (*sort == TOP_PRESSURE)
		order = compare_double(a->cpu_some + a->memory_some + a->io_some,
				       b->cpu_some + b->memory_some + b->io_some);
	return order ? order : compare_name(a, b);
}

static void id_key(const json_t *workload, char *text, size_t size)
{
	(void)snprintf(text, size, "%llu", (unsigned long long)json_read_number(workload, "id"));
}

static json_t *by_id(const json_t *answer)
{
	json_t *map = json_object(), *workload;
	size_t i;

	json_array_foreach(json_read(answer, "workloads"), i, workload)
	{
		char key[32];

		id_key(workload, key, sizeof(key));
		(void)json_object_set(map, key, workload);
	}
	return map;
}

static void head_add(struct strbuf *page, const json_t *before, const json_t *now)
{
	const json_t *node = json_read(now, "node"), *old = json_read(before, "node");
	uint64_t total =
		json_read_number(node, "cpu_total_usec") - json_read_number(old, "cpu_total_usec");
	uint64_t memory = json_read_number(node, "memory_total_bytes");
	uint64_t available = json_read_number(node, "memory_available_bytes");
	char used[16], all[16];

	strbuf_addf(page, "node: %llu CPUs", (unsigned long long)json_read_number(node, "cpus"));
	if (old && total)
		strbuf_addf(page, " %.0f%% busy", rate_percent(old, node, "cpu_busy_usec", total));
	strbuf_addf(page, ", memory %s of %s, %zu workloads\n",
		    format_bytes(memory - MIN(available, memory), used, sizeof(used)),
		    format_bytes(memory, all, sizeof(all)),
		    json_array_size(json_read(now, "workloads")));
	if (json_read(node, "cpu_pressure_percent"))
		strbuf_addf(page, "pressure of 10 s: cpu %.1f%%, memory %.1f%%, io %.1f%%\n",
			    json_real_value(json_read(node, "cpu_pressure_percent")),
			    json_real_value(json_read(node, "memory_pressure_percent")),
			    json_real_value(json_read(node, "io_pressure_percent")));
	strbuf_add_char(page, '\n');
}

static void percent_add(struct table *table, const struct top_row *row, double percent)
{
	if (!row->rated)
		table_add(table, STYLE_DIM, "-");
	else if (percent >= 0.05)
		table_add(table, STYLE_NONE, percent < 9.95 ? "%.1f" : "%.0f", percent);
	else
		table_add(table, STYLE_DIM, "0");
}

static void row_add(struct table *table, const struct top_row *row)
{
	const char *level = json_read_text(row->now, "qos");
	struct strbuf did cleanup_strbuf = {};
	const json_t *written;
	char name[512], memory[16];
	size_t i;

	json_array_foreach(json_read(row->now, "written"), i, written)
		strbuf_addf(&did, "%s%s", i ? " " : "", json_string_value(written));
	table_add(table, STYLE_NONE, "%s",
		  format_name(json_read_text(row->now, "namespace"),
			      json_read_text(row->now, "name"), name, sizeof(name)));
	table_add(table, style_of(level), "%s", level);
	percent_add(table, row, row->cpu);
	table_add(table, STYLE_NONE, "%s", format_bytes(row->memory_bytes, memory, sizeof(memory)));
	percent_add(table, row, row->cpu_some);
	percent_add(table, row, row->memory_some);
	percent_add(table, row, row->io_some);
	percent_add(table, row, row->throttled);
	table_add(table, STYLE_NONE, "%s", strbuf_text(&did));
}

int top_page(const json_t *before, const json_t *now, enum top_sort sort, size_t rows,
	     const struct screen *screen, struct strbuf *page)
{
	static const struct table_column columns[] = {
		{ "WORKLOAD", FIT_CUT_FRONT, false }, { "LEVEL", FIT_FIXED, false },
		{ "CPU%", FIT_FIXED, true },          { "MEM", FIT_FIXED, true },
		{ "PCPU", FIT_FIXED, true },          { "PMEM", FIT_FIXED, true },
		{ "PIO", FIT_FIXED, true },           { "THR%", FIT_FIXED, true },
		{ "BERTH WROTE", FIT_CUT, false },
	};
	struct table table cleanup_table = {};
	struct top_row *sorted cleanup_free = NULL;
	json_auto_t *old = by_id(before);
	const json_t *list = json_read(now, "workloads"), *workload;
	size_t i, count = json_array_size(list);

	sorted = calloc(count + 1, sizeof(*sorted));
	if (!sorted || !old)
		return -ENOMEM;
	json_array_foreach(list, i, workload)
	{
		char key[32];

		id_key(workload, key, sizeof(key));
		row_fill(&sorted[i], json_object_get(old, key), workload);
	}
	qsort_r(sorted, count, sizeof(*sorted), row_compare, &sort);
	head_add(page, before, now);
	table_init(&table, columns, ARRAY_SIZE(columns));
	for (i = 0; i < MIN(count, rows); i++)
		row_add(&table, &sorted[i]);
	return table_render(&table, screen, page);
}
