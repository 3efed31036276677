/* SPDX-License-Identifier: Apache-2.0 */
/* view.c - which columns each view has, and how a cell is made. */
#include <math.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "macro.h"
#include "pressure.h"
#include "top/page.h"

enum cell {
	CELL_NAME,
	CELL_LEVEL,
	CELL_KIND,
	CELL_PERCENT,
	CELL_WAIT,
	CELL_THROTTLED,
	CELL_BYTES,
	CELL_COUNT,
	CELL_RATE,
	CELL_REFAULTS,
	CELL_DEVICE_BYTES,
	CELL_DEVICE_RATE,
	CELL_DEVICE, /* the one that it used most */
	CELL_WROTE,
	CELL_EVENTS,
	CELL_LAST,
};

/* Titles are as wide as numbers get, so that columns do not move. */
struct view_column {
	const char *title;
	enum cell cell;
	const char *key;   /* of the sample, or of its devices */
	enum wait wait;    /* CELL_WAIT */
	unsigned int from; /* the least width of a screen that has it */
};

#define VIEW_COLUMNS_MAX 16u
#define COLUMN(title, cell, key, from)    \
	{                                 \
		title, cell, key, 0, from \
	}
#define COLUMN_WAIT(title, wait, from)           \
	{                                        \
		title, CELL_WAIT, "", wait, from \
	}

static const struct view_column overview[] = {
	COLUMN("WORKLOAD", CELL_NAME, "", 0),
	COLUMN("KIND", CELL_KIND, "", 100),
	COLUMN("LEVEL    ", CELL_LEVEL, "", 0),
	COLUMN(" CPU%", CELL_PERCENT, "cpu_usage_usec", 0),
	COLUMN("  MEM", CELL_BYTES, "memory_bytes", 0),
	COLUMN_WAIT("PCPU", WAIT_CPU, 0),
	COLUMN_WAIT("PMEM", WAIT_MEMORY, 0),
	COLUMN_WAIT(" PIO", WAIT_IO, 0),
	COLUMN("THR%", CELL_THROTTLED, "", 0),
	COLUMN("BERTH WROTE", CELL_WROTE, "", 100),
	{},
};

static const struct view_column pressure[] = {
	COLUMN("WORKLOAD", CELL_NAME, "", 0),        COLUMN("LEVEL    ", CELL_LEVEL, "", 0),
	COLUMN_WAIT("PCPU", WAIT_CPU, 100),          COLUMN_WAIT("PMEM", WAIT_MEMORY, 100),
	COLUMN_WAIT(" PIO", WAIT_IO, 100),           COLUMN_WAIT("CGRP", WAIT_CGROUP_RECLAIM, 0),
	COLUMN_WAIT("GLOB", WAIT_GLOBAL_RECLAIM, 0), COLUMN_WAIT("COMP", WAIT_COMPACT, 0),
	COLUMN_WAIT("ASYN", WAIT_ASYNC_RECLAIM, 0),  COLUMN_WAIT("SWAP", WAIT_SWAP, 0),
	COLUMN_WAIT("OTHR", WAIT_MEMORY_OTHER, 0),   COLUMN_WAIT(" CFS", WAIT_CFS_BANDWIDTH, 0),
	COLUMN_WAIT(" QOS", WAIT_CPU_QOS, 0),        {},
};

static const struct view_column memory[] = {
	COLUMN("WORKLOAD", CELL_NAME, "", 0),
	COLUMN("LEVEL    ", CELL_LEVEL, "", 100),
	COLUMN(" USED", CELL_BYTES, "memory_bytes", 0),
	COLUMN("WKSET", CELL_BYTES, "memory_working_set_bytes", 0),
	COLUMN(" ANON", CELL_BYTES, "memory_anon_bytes", 0),
	COLUMN(" FILE", CELL_BYTES, "memory_file_bytes", 0),
	COLUMN(" SWAP", CELL_BYTES, "memory_swap_bytes", 0),
	COLUMN("REFLT", CELL_REFAULTS, "", 0),
	COLUMN("MAJOR", CELL_RATE, "memory_major_faults", 0),
	COLUMN("OOMS", CELL_COUNT, "memory_event_oom_kill", 0),
	COLUMN_WAIT("PMEM", WAIT_MEMORY, 100),
	{},
};

static const struct view_column io[] = {
	COLUMN("WORKLOAD", CELL_NAME, "", 0),
	COLUMN("LEVEL    ", CELL_LEVEL, "", 0),
	COLUMN("READ/S", CELL_DEVICE_BYTES, "read_bytes", 0),
	COLUMN("WRITE/S", CELL_DEVICE_BYTES, "write_bytes", 0),
	COLUMN("READS", CELL_DEVICE_RATE, "reads", 0),
	COLUMN("WRITES", CELL_DEVICE_RATE, "writes", 0),
	COLUMN_WAIT(" PIO", WAIT_IO, 0),
	COLUMN("DISCARD/S", CELL_DEVICE_BYTES, "discard_bytes", 100),
	COLUMN("DEVICE", CELL_DEVICE, "", 100),
	{},
};

static const struct view_column berth[] = {
	COLUMN("WORKLOAD", CELL_NAME, "", 0),     COLUMN("LEVEL    ", CELL_LEVEL, "", 100),
	COLUMN("BERTH WROTE", CELL_WROTE, "", 0), COLUMN("EVENTS", CELL_EVENTS, "", 0),
	COLUMN("LAST", CELL_LAST, "", 0),         {},
};

static const struct view_column *const views[TOP_VIEWS] = {
	[VIEW_OVERVIEW] = overview, [VIEW_PRESSURE] = pressure,
	[VIEW_MEMORY] = memory,     [VIEW_IO] = io,
	[VIEW_BERTH] = berth,
};

static void percent_add(struct table *table, double percent)
{
	if (isnan(percent))
		table_add(table, STYLE_DIM, "-");
	else if (percent < 0.05)
		table_add(table, STYLE_DIM, "0");
	else
		table_add(table, STYLE_NONE, percent < 9.95 ? "%.1f" : "%.0f", percent);
}

static void number_add(struct table *table, double number, bool bytes)
{
	char text[16];

	if (isnan(number))
		table_add(table, STYLE_DIM, "-");
	else
		table_add(table, number > 0 ? STYLE_NONE : STYLE_DIM, "%s",
			  bytes ? format_bytes((uint64_t)number, text, sizeof(text))
				: format_count(number, text, sizeof(text)));
}

static void device_add(struct table *table, const json_t *sample)
{
	const json_t *device;
	const char *name = "-";
	uint64_t most = 0;
	size_t i;

	json_array_foreach(json_read(sample, "devices"), i, device)
	{
		uint64_t bytes = json_read_number(device, "read_bytes") +
				 json_read_number(device, "write_bytes");

		if (bytes > most) {
			most = bytes;
			name = json_read_text(device, "name");
		}
	}
	table_add(table, STYLE_NONE, "%s", name);
}

static void wrote_add(struct table *table, const json_t *workload)
{
	struct strbuf text cleanup_strbuf = {};
	const json_t *written;
	size_t i;

	json_array_foreach(json_read(workload, "written"), i, written)
		strbuf_addf(&text, "%s%s", i ? " " : "", json_string_value(written));
	table_add(table, STYLE_NONE, "%s", strbuf_text(&text));
}

static void cell_add(struct table *table, const struct view_column *column,
		     const struct top_row *row)
{
	const struct look *look = &row->look;
	const json_t *now = look->now, *events = json_read(now, "events");
	const char *level = json_read_text(now, "qos");

	switch (column->cell) {
	case CELL_NAME:
		table_add(table, STYLE_NONE, "%s", row->name);
		break;
	case CELL_LEVEL:
		table_add(table, style_of(level), "%s", level);
		break;
	case CELL_KIND:
		table_add(table, STYLE_NONE, "%s", json_read_text(now, "kind"));
		break;
	case CELL_PERCENT:
		percent_add(table, look_percent(look, column->key));
		break;
	case CELL_WAIT:
		percent_add(table, wait_percent(look, column->wait));
		break;
	case CELL_THROTTLED:
		percent_add(table, look_throttled(look));
		break;
	case CELL_BYTES:
		number_add(table, look_value(look, column->key), true);
		break;
	case CELL_COUNT:
		number_add(table, look_value(look, column->key), false);
		break;
	case CELL_RATE:
		number_add(table, look_rate(look, column->key), false);
		break;
	case CELL_REFAULTS:
		number_add(table,
			   look_sum(look_rate(look, "memory_refault_anon"),
				    look_rate(look, "memory_refault_file")),
			   false);
		break;
	case CELL_DEVICE_BYTES:
		number_add(table, look_device_rate(look, column->key), true);
		break;
	case CELL_DEVICE_RATE:
		number_add(table, look_device_rate(look, column->key), false);
		break;
	case CELL_DEVICE:
		device_add(table, now);
		break;
	case CELL_WROTE:
		wrote_add(table, now);
		break;
	case CELL_EVENTS:
		number_add(table, (double)json_read_number(events, "count"), false);
		break;
	case CELL_LAST:
		table_add(table, STYLE_NONE, "%s", json_read_text(events, "last"));
		break;
	}
}

static struct table_column column_of(const struct view_column *column)
{
	struct table_column made = { .title = column->title, .right = true };

	switch (column->cell) {
	case CELL_NAME:
		return (struct table_column){ column->title, FIT_CUT_FRONT, false };
	case CELL_WROTE:
	case CELL_LAST:
	case CELL_DEVICE:
		return (struct table_column){ column->title, FIT_CUT, false };
	case CELL_LEVEL:
	case CELL_KIND:
		made.right = false;
		break;
	default:
		break;
	}
	return made;
}

int top_table(const struct top_list *list, enum top_view view, size_t first, size_t count,
	      size_t marked, const struct screen *screen, struct strbuf *page)
{
	const struct view_column *shown[VIEW_COLUMNS_MAX] = {};
	struct table_column columns[VIEW_COLUMNS_MAX];
	struct table table cleanup_table = {};
	size_t column_count = 0;

	for (const struct view_column *column = views[view]; column->title; column++)
		if (!screen->width || screen->width >= column->from) {
			shown[column_count] = column;
			columns[column_count++] = column_of(column);
		}
	table_init(&table, columns, column_count);
	table.first_width = list->name_width;
	for (size_t i = first; i < MIN(list->count, first + count); i++) {
		if (i == marked)
			table.marked = i - first + 1;
		for (size_t j = 0; j < column_count; j++)
			cell_add(&table, shown[j], &list->rows[i]);
	}
	return table_render(&table, screen, page);
}
