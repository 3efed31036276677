/* SPDX-License-Identifier: Apache-2.0 */
#include "psi.h"

#include <errno.h>
#include <string.h>

#include "macro.h"
#include "parse.h"

struct token {
	const char *text;
	size_t length;
};

/* The next word of the line that ends at `end`; length 0 at its end. */
static struct token token_next(const char **cursor, const char *end)
{
	struct token token;

	while (*cursor < end && **cursor == ' ')
		(*cursor)++;
	token.text = *cursor;
	while (*cursor < end && **cursor != ' ')
		(*cursor)++;
	token.length = (size_t)(*cursor - token.text);
	return token;
}

static bool token_is(const struct token *token, const char *word)
{
	return token->length == strlen(word) && memcmp(token->text, word, token->length) == 0;
}

/* True if the token is KEY=VALUE of that key; *token is the value then. */
static bool token_value(struct token *token, const char *key)
{
	size_t length = strlen(key);

	if (token->length <= length || memcmp(token->text, key, length) != 0 ||
	    token->text[length] != '=')
		return false;
	token->text += length + 1;
	token->length -= length + 1;
	return true;
}

/* The kernel prints "%lu.%02lu". */
static int average_parse(const struct token *value, uint32_t *ret)
{
	const char *point = memchr(value->text, '.', value->length);
	uint64_t whole = 0, hundredths = 0;

	if (!point || (size_t)(point - value->text) + 3 != value->length)
		return -EINVAL;
	if (parse_u64_span(value->text, (size_t)(point - value->text), &whole) < 0 ||
	    parse_u64_span(point + 1, 2, &hundredths) < 0 || whole > UINT32_MAX / 100 - 1)
		return -EINVAL;
	*ret = (uint32_t)(whole * 100 + hundredths);
	return 0;
}

static int line_parse(const char *cursor, const char *end, struct psi_line *ret)
{
	static const char *const keys[] = { "avg10", "avg60", "avg300" };
	struct psi_line line = { .present = true };
	uint32_t *const averages[] = { &line.avg10, &line.avg60, &line.avg300 };
	unsigned int found = 0;
	struct token token;

	while ((token = token_next(&cursor, end)).length > 0) {
		if (token_value(&token, "total")) {
			if (parse_u64_span(token.text, token.length, &line.total_usec) < 0)
				return -EINVAL;
			found |= 1u << ARRAY_SIZE(keys);
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (!token_value(&token, keys[i]))
				continue;
			if (average_parse(&token, averages[i]) < 0)
				return -EINVAL;
			found |= 1u << i;
			break;
		}
	}
	/* A line cut short must not read as "no pressure". */
	if (found != (1u << (ARRAY_SIZE(keys) + 1)) - 1)
		return -EINVAL;
	*ret = line;
	return 0;
}

int psi_line_parse(const char *line, const char *end, struct psi *psi)
{
	struct token name = token_next(&line, end);
	struct psi_line *to;
	int r;

	if (token_is(&name, "some"))
		to = &psi->some;
	else if (token_is(&name, "full"))
		to = &psi->full;
	else
		return 0;
	r = line_parse(line, end, to);
	return r < 0 ? r : 1;
}

int psi_parse(const char *text, struct psi *ret)
{
	struct psi psi = { 0 };

	while (*text) {
		const char *end = strchrnul(text, '\n');
		int r = psi_line_parse(text, end, &psi);

		if (r < 0)
			return r;
		text = *end ? end + 1 : end;
	}
	if (!psi.some.present && !psi.full.present)
		return -EINVAL;
	*ret = psi;
	return 0;
}
