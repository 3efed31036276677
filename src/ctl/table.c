/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <wchar.h>

#include "macro.h"

#define GAP         2u
#define CUT_LEAST   6u  /* a column is cut no narrower */
#define WRAP_LEAST  24u /* and the wrapping one not: the screen then scrolls */
#define COLUMNS_MAX 16u
#define TITLE_MAX   32u

/* Bytes of the character at text: 1 to 4, or 0 if it is not UTF-8 or a control character. */
static size_t character_bytes(const unsigned char *text)
{
	size_t bytes = text[0] < 0x80   ? 1
		       : text[0] < 0xc2 ? 0
		       : text[0] < 0xe0 ? 2
		       : text[0] < 0xf0 ? 3
		       : text[0] < 0xf5 ? 4
					: 0;

	if (bytes == 1)
		return text[0] >= 0x20 && text[0] != 0x7f;
	for (size_t i = 1; i < bytes; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls: some terminals obey U+009B as they do ESC [. */
	if (bytes == 2 && text[0] == 0xc2 && text[1] < 0xa0)
		return 0;
	return bytes;
}

/* The next character of sanitized text; its columns: Chinese ones have two, accents of their own
 * none. In a locale that knows none of this each counts as one. */
static size_t character_next(const char **text)
{
	const unsigned char *at = (const unsigned char *)*text;
	wint_t character = at[0] < 0x80   ? at[0]
			   : at[0] < 0xe0 ? at[0] & 0x1f
			   : at[0] < 0xf0 ? at[0] & 0x0f
					  : at[0] & 0x07;
	int columns;

	for (at++; (*at & 0xc0) == 0x80; at++)
		character = character << 6 | (*at & 0x3f);
	*text = (const char *)at;
	columns = wcwidth((wchar_t)character);
	return columns < 0 ? 1 : (size_t)columns;
}

static size_t text_width(const char *text)
{
	size_t width = 0;

	while (*text)
		width += character_next(&text);
	return width;
}

size_t text_sanitize(char *text)
{
	char *to = text;

	for (const char *from = text; *from;) {
		size_t bytes = character_bytes((const unsigned char *)from);

		if (bytes == 0) {
			*to++ = '?';
			from++;
			continue;
		}
		(void)memmove(to, from, bytes);
		to += bytes;
		from += bytes;
	}
	*to = '\0';
	return text_width(text);
}

/* Behind what fits into so many columns. */
static const char *text_fit(const char *text, size_t columns)
{
	for (const char *next = text; *text; text = next) {
		size_t width = character_next(&next);

		if (width > columns)
			break;
		columns -= width;
	}
	return text;
}

/* Behind so many columns, or one more. */
static const char *text_skip(const char *text, size_t columns)
{
	while (*text && columns > 0) {
		size_t width = character_next(&text);

		columns -= MIN(columns, width);
	}
	return text;
}

void table_init(struct table *table, const struct table_column *columns, size_t count)
{
	*table = (struct table){ .columns = columns, .column_count = MIN(count, COLUMNS_MAX) };
}

void table_done(struct table *table)
{
	for (size_t i = 0; i < table->count; i++)
		free(table->cells[i].text);
	free(table->cells);
	*table = (struct table){};
}

size_t table_rows(const struct table *table)
{
	return table->column_count ? table->count / table->column_count : 0;
}

void table_add(struct table *table, enum style style, const char *format, ...)
{
	char *text = NULL;
	va_list arguments;
	int length;

	if (table->error)
		return;
	if (table->count == table->capacity) {
		size_t capacity = table->capacity ? 2 * table->capacity : 64;
		struct table_cell *cells = reallocarray(table->cells, capacity, sizeof(*cells));

		if (!cells) {
			table->error = -ENOMEM;
			return;
		}
		table->cells = cells;
		table->capacity = capacity;
	}
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		table->error = -ENOMEM;
		return;
	}
	(void)text_sanitize(text);
	table->cells[table->count++] = (struct table_cell){ .text = text, .style = style };
}

void style_add(struct strbuf *page, const struct screen *screen, enum style style, const char *text)
{
	static const char *const codes[] = {
		[STYLE_GOOD] = "32", [STYLE_WARN] = "33", [STYLE_BAD] = "31",
		[STYLE_DIM] = "2",   [STYLE_BOLD] = "1",
	};

	if (!screen->color || style == STYLE_NONE)
		strbuf_add(page, text);
	else
		strbuf_addf(page, "\033[%sm%s\033[0m", codes[style], text);
}

/* Take from the widest column that may be cut until the row fits or nothing is left to take. */
static void widths_shrink(const struct table *table, size_t *widths, size_t total, size_t screen)
{
	while (total > screen) {
		size_t widest = SIZE_MAX;

		for (size_t i = 0; i < table->column_count; i++) {
			enum table_fit fit = table->columns[i].fit;
			size_t least = fit == FIT_WRAP ? WRAP_LEAST : CUT_LEAST;

			if (fit == FIT_FIXED || widths[i] <= least)
				continue;
			if (widest == SIZE_MAX || widths[i] > widths[widest])
				widest = i;
		}
		if (widest == SIZE_MAX)
			return;
		widths[widest]--;
		total--;
	}
}

static void widths_find(const struct table *table, size_t screen, size_t *widths)
{
	size_t total = 0;

	for (size_t i = 0; i < table->column_count; i++)
		widths[i] = text_width(table->columns[i].title);
	for (size_t i = 0; i < table->count; i++)
		widths[i % table->column_count] =
			MAX(widths[i % table->column_count], text_width(table->cells[i].text));
	widths[0] = MAX(widths[0], table->first_width);
	for (size_t i = 0; i < table->column_count; i++)
		total += widths[i] + (i ? GAP : 0);
	if (screen)
		widths_shrink(table, widths, total, screen);
}

static void spaces_add(struct strbuf *page, size_t count)
{
	while (count-- > 0)
		strbuf_add_char(page, ' ');
}

static void cell_cut(struct strbuf *cut, const char *text, size_t width, enum table_fit fit,
		     const struct screen *screen)
{
	const char *mark = screen->utf8 ? "\u2026" : "~";
	size_t length = text_width(text);

	if (length <= width) {
		strbuf_add(cut, text);
	} else if (fit == FIT_CUT_FRONT) {
		strbuf_add(cut, mark);
		strbuf_add(cut, text_skip(text, length - width + 1));
	} else {
		strbuf_add_bytes(cut, text, (size_t)(text_fit(text, width - 1) - text));
		strbuf_add(cut, mark);
	}
}

/* Break at the last blank that fits, else in the word; each line under the first. */
static void cell_wrap(struct strbuf *page, const struct screen *screen,
		      const struct table_cell *cell, size_t width, size_t indent)
{
	const char *rest = cell->text;

	while (text_width(rest) > width) {
		const char *end = text_fit(rest, width), *blank = end;
		struct strbuf line cleanup_strbuf = {};

		while (blank > rest && *blank != ' ')
			blank--;
		if (blank > rest)
			end = blank;
		strbuf_add_bytes(&line, rest, (size_t)(end - rest));
		style_add(page, screen, cell->style, strbuf_text(&line));
		strbuf_add_char(page, '\n');
		spaces_add(page, indent);
		rest = end + (*end == ' ');
	}
	style_add(page, screen, cell->style, rest);
}

void field_add(struct strbuf *page, const struct screen *screen, unsigned int indent,
	       const char *title, enum style style, const char *text)
{
	char *safe cleanup_free = strdup(text);
	struct table_cell cell = { .text = safe, .style = style };
	size_t width = screen->width > indent + WRAP_LEAST ? screen->width - indent : WRAP_LEAST;

	if (!safe) {
		page->error = -ENOMEM;
		return;
	}
	if (!*safe)
		return;
	(void)text_sanitize(safe);
	strbuf_addf(page, "%-*s", (int)indent, title);
	cell_wrap(page, screen, &cell, screen->width ? width : SIZE_MAX, indent);
	strbuf_add_char(page, '\n');
}

void line_add(struct strbuf *page, const struct screen *screen, enum style style, const char *text)
{
	char *safe cleanup_free = strdup(text);
	struct strbuf cut cleanup_strbuf = {};

	if (!safe) {
		page->error = -ENOMEM;
		return;
	}
	(void)text_sanitize(safe);
	cell_cut(&cut, safe, screen->width ? screen->width : SIZE_MAX, FIT_CUT, screen);
	style_add(page, screen, style, strbuf_text(&cut));
	strbuf_add_char(page, '\n');
}

static void row_add(struct strbuf *page, const struct table *table, const struct screen *screen,
		    const struct table_cell *cells, const size_t *widths)
{
	size_t indent = 0;

	for (size_t i = 0; i < table->column_count; i++) {
		const struct table_column *column = &table->columns[i];
		bool last = i + 1 == table->column_count;
		struct strbuf cut cleanup_strbuf = {};
		size_t width;

		if (column->fit == FIT_WRAP && last) {
			cell_wrap(page, screen, &cells[i], widths[i], indent);
			break;
		}
		cell_cut(&cut, cells[i].text, widths[i], column->fit, screen);
		width = text_width(strbuf_text(&cut));
		if (column->right)
			spaces_add(page, widths[i] - MIN(width, widths[i]));
		style_add(page, screen, cells[i].style, strbuf_text(&cut));
		if (last)
			break;
		if (!column->right)
			spaces_add(page, widths[i] - MIN(width, widths[i]));
		spaces_add(page, GAP);
		indent += widths[i] + GAP;
	}
	/* An empty last cell leaves blanks that nobody wants in a log or a diff. */
	while (page->length && page->text[page->length - 1] == ' ')
		page->text[--page->length] = '\0';
	strbuf_add_char(page, '\n');
}

/* Inverse from side to side; colours of cells would end it. */
static void row_mark(struct strbuf *page, const struct table *table, const struct screen *screen,
		     const struct table_cell *cells, const size_t *widths)
{
	struct screen plain = *screen;
	struct strbuf row cleanup_strbuf = {};
	size_t width;

	plain.color = false;
	row_add(&row, table, &plain, cells, widths);
	if (strbuf_error(&row)) {
		page->error = -ENOMEM;
		return;
	}
	row.text[--row.length] = '\0';
	width = text_width(row.text);
	strbuf_addf(page, "\033[7m%s", row.text);
	spaces_add(page, screen->width > width ? screen->width - width : 0);
	strbuf_add(page, "\033[0m\n");
}

int table_render(const struct table *table, const struct screen *screen, struct strbuf *page)
{
	struct table_cell titles[COLUMNS_MAX] = {};
	char texts[COLUMNS_MAX][TITLE_MAX];
	size_t widths[COLUMNS_MAX] = {}, rows = table_rows(table);

	if (table->error)
		return table->error;
	if (rows == 0)
		return 0;
	widths_find(table, screen->width, widths);
	for (size_t i = 0; i < table->column_count; i++) {
		(void)snprintf(texts[i], TITLE_MAX, "%s", table->columns[i].title);
		titles[i] = (struct table_cell){ .text = texts[i], .style = STYLE_BOLD };
	}
	row_add(page, table, screen, titles, widths);
	for (size_t i = 0; i < rows; i++) {
		const struct table_cell *cells = &table->cells[i * table->column_count];

		if (i + 1 == table->marked)
			row_mark(page, table, screen, cells, widths);
		else
			row_add(page, table, screen, cells, widths);
	}
	return strbuf_error(page);
}
