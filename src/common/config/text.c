/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/internal.h"
#include "macro.h"

/* Bytes of the character at text, 0 if it is not UTF-8 (RFC 3629: no overlong forms, no
 * surrogates). */
static size_t utf8_decode(const unsigned char *text, size_t left, uint32_t *ret)
{
	static const uint32_t smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = text[0] < 0x80             ? 1
			: (text[0] & 0xe0) == 0xc0 ? 2
			: (text[0] & 0xf0) == 0xe0 ? 3
			: (text[0] & 0xf8) == 0xf0 ? 4
						   : 0;
	uint32_t character;

	if (length == 0 || length > left)
		return 0;
	character = length == 1 ? text[0] : text[0] & (0xffu >> (length + 1));
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		character = character << 6 | (text[i] & 0x3f);
	}
	if (character < smallest[length] || character > 0x10ffff ||
	    (character >= 0xd800 && character <= 0xdfff))
		return 0;
	*ret = character;
	return length;
}

static const char *character_problem(uint32_t character)
{
	if (character == 0)
		return "a NUL byte: this is not a text file";
	/* Lines to YAML 1.1 and libyaml, not to YAML 1.2 and editors: positions would be off. */
	if (character == 0x85 || character == 0x2028 || character == 0x2029)
		return "a Unicode line separator: end lines with a plain newline";
	if (character == '\t' || character == '\n' || character == '\r')
		return NULL;
	if (character < 0x20 || (character >= 0x7f && character < 0xa0))
		return "a control character";
	if (character == 0xfeff)
		return "a byte order mark inside the text";
	if (character == 0xfffe || character == 0xffff)
		return "a character that YAML does not allow";
	return NULL;
}

int config_text_check(const char *text, size_t length, const char *file,
		      struct config_errors *errors)
{
	const unsigned char *bytes = (const unsigned char *)text;
	unsigned int line = 1, column = 1;
	size_t i = length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

	while (i < length) {
		uint32_t character = 0;
		size_t size = utf8_decode(bytes + i, length - i, &character);
		const char *problem;

		if (size == 0) {
			config_errors_add_at(errors, file, line, column, NULL,
					     "byte 0x%02x is not valid UTF-8", bytes[i]);
			return -EINVAL;
		}
		problem = character_problem(character);
		if (problem) {
			config_errors_add_at(errors, file, line, column, NULL, "%s (U+%04X)",
					     problem, character);
			return -EINVAL;
		}
		i += size;
		column++;
		if (character == '\n' || (character == '\r' && (i == length || text[i] != '\n'))) {
			line++;
			column = 1;
		}
	}
	return 0;
}

/* What libyaml says, for people; its words are right but name its own inside. */
const char *config_syntax_problem(const char *problem)
{
	static const char *const words[][2] = {
		{ "mapping values are not allowed in this context",
		  "a ':' is not expected here: mind the indentation, or put the text in quotes" },
		{ "did not find expected key",
		  "expected a key here: mind the indentation, or put the text above in quotes" },
		{ "could not find expected ':'", "expected ': ' after a key" },
		{ "found character that cannot start any token",
		  "a value cannot start with this character: put it in quotes" },
		{ "did not find expected '-' indicator",
		  "expected '- ' here: the items of a list have one indentation" },
		{ "did not find expected ',' or '}'", "expected ',' or '}'" },
		{ "did not find expected ',' or ']'", "expected ',' or ']'" },
		{ "found undefined tag handle", "tags are not allowed: put the text in quotes" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (problem && strcmp(words[i][0], problem) == 0)
			return words[i][1];
	return problem ? problem : "this is not YAML";
}

size_t config_text_tab(const char *text, size_t length, size_t line)
{
	const char *at = text, *end = text + length;
	size_t column = 1;

	while (line > 0 && at < end) {
		if (*at == '\n' || (*at == '\r' && (at + 1 == end || at[1] != '\n')))
			line--;
		at++;
	}
	while (at < end && *at == ' ')
		at++, column++;
	return at < end && *at == '\t' ? column : 0;
}
