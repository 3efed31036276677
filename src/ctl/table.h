/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - aligned columns that fit the screen: what may be cut is cut, the last column may wrap.
 * Cells come from workloads' names and plugins' texts, so control characters never reach the
 * terminal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "strbuf.h"

enum style { STYLE_NONE, STYLE_GOOD, STYLE_WARN, STYLE_BAD, STYLE_DIM, STYLE_BOLD };

struct screen {
	unsigned int width; /* 0: as wide as it takes */
	bool color, utf8;
};

enum table_fit {
	FIT_FIXED,
	FIT_CUT,       /* the end goes: "kube-sys…" */
	FIT_CUT_FRONT, /* the front goes: "…/job-1.scope", for paths */
	FIT_WRAP,      /* the last column only */
};

struct table_column {
	const char *title;
	enum table_fit fit;
	bool right;
};

struct table_cell {
	char *text;
	enum style style;
};

struct table {
	const struct table_column *columns;
	size_t column_count;
	struct table_cell *cells;
	size_t count, capacity;
	size_t first_width; /* of the first column, whatever the rows need: a table that scrolls
			       stands still */
	size_t marked;      /* this row is shown inverse; 0: none */
	int error;          /* 0 or -ENOMEM: remembered until table_render() */
};

void table_init(struct table *table, const struct table_column *columns, size_t count);
void table_done(struct table *table);
/* The next cell; a row is full after as many as there are columns. */
void table_add(struct table *table, enum style style, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
size_t table_rows(const struct table *table);
/* Titles and rows added to page; nothing for a table without rows. 0 or -ENOMEM. */
int table_render(const struct table *table, const struct screen *screen, struct strbuf *page);

/* A text with its style, safe for the terminal. */
void style_add(struct strbuf *page, const struct screen *screen, enum style style,
	       const char *text);
/* A line of a page of facts: the title in `indent` columns, then the text, sanitized and wrapped
 * under itself. Nothing for an empty text. */
void field_add(struct strbuf *page, const struct screen *screen, unsigned int indent,
	       const char *title, enum style style, const char *text);
/* One line, safe for the terminal and cut to the screen. */
void line_add(struct strbuf *page, const struct screen *screen, enum style style, const char *text);
/* Columns that the text takes; control characters and broken UTF-8 become '?' in *text. */
size_t text_sanitize(char *text);

#define cleanup_table CLEANUP(table_done)
