/* SPDX-License-Identifier: Apache-2.0 */
#include "top/page.h"

#include <errno.h>
#include <string.h>

#include "client.h"
#include "format.h"
#include "macro.h"
#include "settings.h"

/* A lower window is for the rows. */
#define HEIGHT_WITH_HEAD 8u

static void head_add(struct strbuf *page, const struct top_looks *looks,
		     const struct screen *screen)
{
	const json_t *node = json_read(looks->now, "node"), *old = json_read(looks->before, "node");
	uint64_t total =
		json_read_number(node, "cpu_total_usec") - json_read_number(old, "cpu_total_usec");
	uint64_t busy =
		json_read_number(node, "cpu_busy_usec") - json_read_number(old, "cpu_busy_usec");
	uint64_t memory = json_read_number(node, "memory_total_bytes");
	uint64_t available = json_read_number(node, "memory_available_bytes");
	struct strbuf line cleanup_strbuf = {};
	char used[16], all[16];

	strbuf_addf(&line, "node: %llu CPUs", (unsigned long long)json_read_number(node, "cpus"));
	if (old && total && busy <= total)
		strbuf_addf(&line, " %.0f%% busy", 100.0 * (double)busy / (double)total);
	strbuf_addf(&line, ", memory %s of %s, %zu workloads",
		    format_bytes(memory - MIN(available, memory), used, sizeof(used)),
		    format_bytes(memory, all, sizeof(all)),
		    json_array_size(json_read(looks->now, "workloads")));
	line_add(page, screen, STYLE_NONE, strbuf_text(&line));
	if (!json_read(node, "cpu_pressure_percent"))
		return;
	strbuf_clear(&line);
	strbuf_addf(&line, "pressure of 10 s: cpu %.1f%%, memory %.1f%%, io %.1f%%",
		    json_real_value(json_read(node, "cpu_pressure_percent")),
		    json_real_value(json_read(node, "memory_pressure_percent")),
		    json_real_value(json_read(node, "io_pressure_percent")));
	line_add(page, screen, STYLE_NONE, strbuf_text(&line));
}

int top_plain(const struct top_looks *looks, const struct top_list *list,
	      const struct top_state *state, const struct screen *screen, struct strbuf *page)
{
	head_add(page, looks, screen);
	strbuf_add_char(page, '\n');
	return top_table(list, state->view, 0, list->count, SIZE_MAX, screen, page);
}

static void tabs_add(struct strbuf *page, const struct top_state *state,
		     const struct screen *screen)
{
	struct strbuf line cleanup_strbuf = {};

	for (enum top_view view = 0; view < TOP_VIEWS; view++)
		strbuf_addf(&line, state->view == view ? "[%d %s] " : " %d %s  ", (int)view + 1,
			    top_view_name(view));
	line_add(page, screen, STYLE_BOLD, strbuf_text(&line));
}

/* What is shown and how, and the keys that a newcomer needs; or what is being typed; or why the
 * numbers are old. */
static void foot_add(struct strbuf *page, const struct top_looks *looks,
		     const struct top_list *list, const struct top_state *state,
		     const struct screen *screen)
{
	struct strbuf line cleanup_strbuf = {};

	if (state->typing) {
		strbuf_addf(&line, "/%s_   Enter keeps it, Esc clears it", state->filter);
		line_add(page, screen, STYLE_BOLD, strbuf_text(&line));
		return;
	}
	if (*looks->trouble) {
		line_add(page, screen, STYLE_BAD, looks->trouble);
		return;
	}
	strbuf_add(&line, "h help  q quit  / filter  ");
	if (list)
		strbuf_addf(&line, "| %zu of %zu by %s%s", list->count, list->total,
			    top_sort_name(state->sort), state->reversed ? ", least first" : "");
	else
		strbuf_add(&line, "Esc back  Up and Down scroll");
	if (list && state->level != TOP_LEVEL_ALL)
		strbuf_addf(&line, ", %s", qos_name((enum qos_level)state->level));
	if (list && state->containers)
		strbuf_add(&line, ", containers");
	if (list && state->filter[0])
		strbuf_addf(&line, ", /%s", state->filter);
	line_add(page, screen, STYLE_DIM, strbuf_text(&line));
}

static size_t lines_of(const struct strbuf *text)
{
	size_t lines = 0;

	for (size_t i = 0; i < text->length; i++)
		lines += text->text[i] == '\n';
	return lines;
}

/* The selected row stays on the screen, and no place is left free below the last row. */
static void window_move(const struct top_list *list, struct top_state *state)
{
	size_t selected = top_list_selected(list, state);
	size_t last = list->count > state->visible ? list->count - state->visible : 0;

	if (selected < list->count && selected < state->first)
		state->first = selected;
	else if (selected < list->count && selected >= state->first + state->visible)
		state->first = selected - state->visible + 1;
	state->first = MIN(state->first, last);
}

int top_screen(const struct top_looks *looks, const struct top_list *list, struct top_state *state,
	       const struct screen *screen, size_t height, struct strbuf *page)
{
	size_t used;

	if (height >= HEIGHT_WITH_HEAD)
		head_add(page, looks, screen);
	tabs_add(page, state, screen);
	used = lines_of(page) + 2; /* titles and foot */
	state->visible = height > used ? height - used : 1;
	window_move(list, state);
	if (list->count == 0)
		line_add(page, screen, STYLE_NONE,
			 list->total ? "No workload fits: Esc clears the filter, l the level."
				     : "No workload yet.");
	else if (top_table(list, state->view, state->first, state->visible,
			   top_list_selected(list, state), screen, page) < 0)
		return -ENOMEM;
	/* The foot stays at the bottom. */
	for (used = lines_of(page); used + 1 < height; used++)
		strbuf_add_char(page, '\n');
	foot_add(page, looks, list, state, screen);
	return strbuf_error(page);
}

int top_scrolled(const struct top_looks *looks, const struct strbuf *text, struct top_state *state,
		 const struct screen *screen, size_t height, struct strbuf *page)
{
	size_t lines = lines_of(text), place = height > 1 ? height - 1 : 1;
	const char *from = strbuf_text(text);

	state->visible = place;
	state->scroll = MIN(state->scroll, lines > place ? lines - place : 0);
	for (size_t i = 0; i < state->scroll; i++)
		from = strchr(from, '\n') + 1;
	for (size_t i = 0; i < place; i++) {
		const char *end = strchr(from, '\n');

		strbuf_add_bytes(page, from, end ? (size_t)(end - from) : 0);
		strbuf_add_char(page, '\n');
		from = end ? end + 1 : from;
	}
	foot_add(page, looks, NULL, state, screen);
	return strbuf_error(page);
}

int top_help(const struct screen *screen, struct strbuf *page)
{
	static const struct {
		const char *keys, *text;
	} rows[] = {
		{ "1 to 5, Tab", "overview, pressure by cause, memory, io, what Berth did" },
		{ "Up, Down", "select a workload (j and k, too); PgUp, PgDn, Home, End" },
		{ "Enter", "why is it slow, and what Berth did about it; Esc goes back" },
		{ "c m t n", "sort by CPU, memory, throttling, name" },
		{ "p i a", "sort by memory pressure, IO pressure, any pressure" },
		{ "r", "reverse the order" },
		{ "/", "show names with this text only; Esc shows all again" },
		{ "l", "one level only: the next one, then all again" },
		{ "C", "containers beside their pods" },
		{ "q", "quit" },
		{ "", "" },
		{ "CPU%", "100 is one CPU; -: this host does not tell" },
		{ "PCPU PMEM PIO", "percent of the time in which something of it waited" },
		{ "THR%", "of the periods of its CPU limit, those that throttled it" },
		{ "CGRP GLOB", "reclaimed memory: at its own limit; because the node is short" },
		{ "COMP ASYN", "compaction; reclaim in the background of its group" },
		{ "SWAP OTHR", "pages swapped out; page cache that was evicted and came back" },
		{ "CFS QOS", "held by its own CPU limit; by workloads of a higher level" },
		{ "REFLT MAJOR", "evicted pages that came back; faults that read: in a second" },
	};

	line_add(page, screen, STYLE_BOLD, "berthctl top: what workloads use and wait for");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct strbuf line cleanup_strbuf = {};

		strbuf_addf(&line, "  %-14s %s", rows[i].keys, rows[i].text);
		line_add(page, screen, STYLE_NONE, strbuf_text(&line));
	}
	return strbuf_error(page);
}
