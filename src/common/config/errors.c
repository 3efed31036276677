/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/internal.h"

void config_errors_done(struct config_errors *errors)
{
	free(errors->items);
	*errors = (struct config_errors){ 0 };
}

/* Keys and values come from the file: an escape in them must not forge a second line of log, and a
 * cut through a character must not leave half of it. */
static void text_clean(char *text)
{
	size_t length = strlen(text), start = length;

	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	while (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0x80)
		start--;
	if (start > 0 && ((unsigned char)text[start - 1] & 0xc0) == 0xc0) {
		unsigned char lead = (unsigned char)text[start - 1];
		size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;

		if (length - start < want)
			text[start - 1] = '\0';
	}
}

static struct config_error *errors_grow(struct config_errors *errors)
{
	/* Powers of two: full exactly when the count is one. */
	if ((errors->count & (errors->count - 1)) == 0) {
		size_t capacity = errors->count ? errors->count * 2 : 1;
		struct config_error *items = reallocarray(errors->items, capacity, sizeof(*items));

		if (!items)
			return NULL;
		errors->items = items;
	}
	return &errors->items[errors->count++];
}

/* The last one to its place among those of its file: sections are bound one after the other. */
static void last_sort(struct config_errors *errors)
{
	for (size_t i = errors->count - 1; i > 0; i--) {
		struct config_error *before = &errors->items[i - 1], *last = &errors->items[i];
		const struct config_error copy = *last;

		if (strcmp(before->file, last->file) != 0 || before->line < last->line ||
		    (before->line == last->line && before->column <= last->column))
			return;
		*last = *before;
		*before = copy;
	}
}

void config_errors_addv(struct config_errors *errors, const char *file, unsigned int line,
			unsigned int column, const char *key, const char *format, va_list arguments)
{
	struct config_error *error = errors->count < CONFIG_ERRORS_MAX ? errors_grow(errors) : NULL;

	if (!error) {
		errors->dropped++;
		return;
	}
	*error = (struct config_error){ .line = line, .column = column };
	(void)snprintf(error->file, sizeof(error->file), "%s", file ? file : "");
	(void)snprintf(error->key, sizeof(error->key), "%s", key ? key : "");
	(void)vsnprintf(error->text, sizeof(error->text), format, arguments);
	text_clean(error->file);
	text_clean(error->key);
	text_clean(error->text);
	last_sort(errors);
}

void config_errors_add_at(struct config_errors *errors, const char *file, unsigned int line,
			  unsigned int column, const char *key, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	config_errors_addv(errors, file, line, column, key, format, arguments);
	va_end(arguments);
}

void config_errors_add(struct config_errors *errors, const struct config_node *node,
		       const char *key, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	config_errors_addv(errors, node ? node->file : NULL, node ? node->line : 0,
			   node ? node->column : 0, key, format, arguments);
	va_end(arguments);
}

void config_error_format(const struct config_error *error, char *text, size_t size)
{
	char place[32] = "";

	if (error->line)
		(void)snprintf(place, sizeof(place), ":%u:%u", error->line, error->column);
	(void)snprintf(text, size, "%s%s%s%s%s%s", error->file, error->file[0] ? place : "",
		       error->file[0] ? ": " : "", error->key, error->key[0] ? ": " : "",
		       error->text);
}
