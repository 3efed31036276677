/* SPDX-License-Identifier: Apache-2.0 */
/*
 * page.h - what `top` shows as text: a table for a pipe, or a whole screen. Pure.
 */
#pragma once

#include "table.h"
#include "top/top-list.h"

/* The answers are of /v1/top; before may be NULL. 0 or -ENOMEM. */
struct top_looks {
	const json_t *before, *now;
	const char *trouble; /* why there is nothing newer, or "" */
};

/* The node and the table, once. */
int top_plain(const struct top_looks *looks, const struct top_list *list,
	      const struct top_state *state, const struct screen *screen, struct strbuf *page);
/* At most `height` lines. Moves state->first so that the selected row is seen, and sets
 * state->visible. */
int top_screen(const struct top_looks *looks, const struct top_list *list, struct top_state *state,
	       const struct screen *screen, size_t height, struct strbuf *page);
/* A longer text, cut out at state->scroll, which is moved back to where the text ends. */
int top_scrolled(const struct top_looks *looks, const struct strbuf *text, struct top_state *state,
		 const struct screen *screen, size_t height, struct strbuf *page);
int top_help(const struct screen *screen, struct strbuf *page);

/* top/view.c: rows FIRST to FIRST + COUNT of the list as the view has them; marked: place of the
 * selected one. */
int top_table(const struct top_list *list, enum top_view view, size_t first, size_t count,
	      size_t marked, const struct screen *screen, struct strbuf *page);
