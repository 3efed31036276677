/* SPDX-License-Identifier: Apache-2.0 */
/*
 * top-list.h - what the user of `top` chose, and two answers of /v1/top to the rows that he wants,
 * in his order. Pure.
 */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "look.h"

enum top_sort {
	TOP_CPU,
	TOP_MEMORY,
	TOP_MEMORY_PRESSURE,
	TOP_IO_PRESSURE,
	TOP_PRESSURE,
	TOP_THROTTLING,
	TOP_NAME,
	TOP_SORTS,
};

enum top_view { VIEW_OVERVIEW, VIEW_PRESSURE, VIEW_MEMORY, VIEW_IO, VIEW_BERTH, TOP_VIEWS };
enum top_show { SHOW_TABLE, SHOW_HELP, SHOW_DETAIL };

#define TOP_FILTER_MAX 64u
#define TOP_LEVEL_ALL  INT_MAX

struct top_state {
	enum top_sort sort;
	enum top_view view;
	enum top_show show;
	bool reversed, containers;
	bool typing; /* the filter */
	int level;   /* enum qos_level or TOP_LEVEL_ALL */
	char filter[TOP_FILTER_MAX];
	uint64_t selected, detail; /* ids; 0: none */
	size_t first;              /* the row at the top of the screen */
	size_t visible;            /* how many the last page had place for */
	size_t scroll;             /* lines of the detail or the help above the screen */
};

struct top_row {
	struct look look; /* its samples; names are in look.now, too */
	double order;
	uint64_t id;
	char *name; /* "namespace/name" */
};

struct top_list {
	struct top_row *rows;
	size_t count, total; /* shown; of all workloads */
	size_t name_width;   /* of the longest */
};

/* Words and the letter of each; "memory-pressure", 'p'. */
const char *top_sort_name(enum top_sort sort);
/* -EINVAL: none of them. */
int top_sort_parse(const char *text, enum top_sort *ret);
const char *top_view_name(enum top_view view);
int top_view_parse(const char *text, enum top_view *ret);

/* before may be NULL. Borrows from both answers. 0 or -ENOMEM. */
int top_list_make(const json_t *before, const json_t *now, const struct top_state *state,
		  struct top_list *ret);
void top_list_done(struct top_list *list);
/* The place of the selected row; count if there is none. */
size_t top_list_selected(const struct top_list *list, const struct top_state *state);

#define cleanup_top_list CLEANUP(top_list_done)
