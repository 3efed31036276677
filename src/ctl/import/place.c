/* SPDX-License-Identifier: Apache-2.0 */
/*
 * place.c - jansson says where an error of syntax is, not where a value is. The text is
 * known to be JSON when this walks through it.
 */
#include <string.h>
#include <strings.h>

#include "import/import.h"
#include "parse.h"

static const char *skip_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

static const char *skip_string(const char *at)
{
	for (at++; *at && *at != '"'; at++)
		if (*at == '\\' && at[1])
			at++;
	return *at ? at + 1 : at;
}

static const char *skip_value(const char *at)
{
	unsigned int depth = 0;

	for (;;) {
		at = skip_space(at);
		if (*at == '"') {
			at = skip_string(at);
		} else if (*at == '{' || *at == '[') {
			depth++;
			at++;
			continue;
		} else if (*at == '}' || *at == ']') {
			depth -= depth > 0;
			at++;
		} else if (depth > 0 && (*at == ',' || *at == ':')) {
			at++;
			continue;
		} else {
			size_t length = strcspn(at, ",:]} \t\r\n");

			if (length == 0)
				return at;
			at += length;
		}
		if (depth == 0)
			return at;
	}
}

/* The value of a key of the object at `at`; *ret_key is where the key is. NULL: no such key. The
 * same in other letters counts where there is none that is equal. */
static const char *find_key(const char *at, const char *key, size_t length, const char **ret_key)
{
	const char *found = NULL;

	if (*at != '{')
		return NULL;
	for (at = skip_space(at + 1); *at == '"'; at = skip_space(at + 1)) {
		const char *start = at, *end = skip_string(at), *value = skip_space(end);
		bool is_equal =
			(size_t)(end - start) == length + 2 && strncmp(start + 1, key, length) == 0;
		bool is_like = (size_t)(end - start) == length + 2 &&
			       strncasecmp(start + 1, key, length) == 0;

		if (*value != ':')
			break;
		value = skip_space(value + 1);
		if (is_equal || (is_like && !found)) {
			*ret_key = start;
			found = value;
		}
		at = skip_space(skip_value(value));
		if (is_equal || *at != ',')
			break;
	}
	return found;
}

static const char *find_item(const char *at, uint64_t index)
{
	if (*at != '[')
		return NULL;
	for (at = skip_space(at + 1); *at && *at != ']'; at = skip_space(at + 1)) {
		if (index-- == 0)
			return at;
		at = skip_space(skip_value(at));
		if (*at != ',')
			return NULL;
	}
	return NULL;
}

/* The start of the last part of path that is there. */
static const char *find_path(const char *text, const char *path)
{
	const char *at = skip_space(text), *place = at;

	while (at && *path) {
		size_t length = strcspn(path, ".[");
		uint64_t index;

		if (*path == '[') {
			length = strcspn(path, "]");
			if (!path[length] || parse_u64_span(path + 1, length - 1, &index) < 0)
				break;
			at = find_item(at, index);
			place = at ? at : place;
			length++;
		} else {
			at = find_key(at, path, length, &place);
		}
		path += length;
		path += *path == '.';
	}
	return place;
}

void import_place_find(const struct import_document *document, const char *path,
		       unsigned int *ret_line, unsigned int *ret_column)
{
	const char *place = find_path(document->text, path);
	unsigned int line = 1, column = 1;

	for (const char *at = document->text; at < place; at++) {
		if (*at == '\n') {
			line++;
			column = 1;
		} else if (((unsigned char)*at & 0xc0) != 0x80) {
			column++;
		}
	}
	*ret_line = document->line + line;
	*ret_column = document->column + column;
}
