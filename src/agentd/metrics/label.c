/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "metrics/registry-internal.h"

static bool is_alpha(char character)
{
	return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
	       character == '_';
}

static bool name_is_valid(const char *name, bool colons)
{
	if (*name == '\0' || (*name >= '0' && *name <= '9'))
		return false;
	for (; *name; name++)
		if (!is_alpha(*name) && !(*name >= '0' && *name <= '9') &&
		    !(colons && *name == ':'))
			return false;
	return true;
}

bool metric_name_is_valid(const char *name)
{
	return name_is_valid(name, true);
}

/* Bytes of the UTF-8 character at text, 0 if it is none (RFC 3629: no surrogates, no overlong
 * forms, at most U+10FFFF). */
static size_t utf8_length(const unsigned char *text)
{
	static const struct {
		unsigned char first, last, low, high;
		size_t length;
	} forms[] = {
		{ 0x00, 0x7f, 0x80, 0xbf, 1 }, { 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (text[0] < forms[i].first || text[0] > forms[i].last)
			continue;
		if (forms[i].length == 1)
			return 1;
		if (text[1] < forms[i].low || text[1] > forms[i].high)
			return 0;
		/* A NUL is no continuation byte, so this stops at the end of the string. */
		for (size_t j = 2; j < forms[i].length; j++)
			if (text[j] < 0x80 || text[j] > 0xbf)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* Prometheus refuses the whole page for one byte that is not UTF-8, and a cgroup's name may hold
 * any byte: such a byte becomes U+FFFD. */
static void value_add(struct strbuf *text, const char *value)
{
	while (*value) {
		size_t length = utf8_length((const unsigned char *)value);

		if (length == 0) {
			strbuf_add(text, "\xef\xbf\xbd");
			length = 1;
		} else if (*value == '\n') {
			strbuf_add(text, "\\n");
		} else {
			if (*value == '\\' || *value == '"')
				strbuf_add_char(text, '\\');
			strbuf_add_bytes(text, value, length);
		}
		value += length;
	}
}

int labels_format(const struct metric_label *labels, size_t count, struct strbuf *ret_text)
{
	cleanup_strbuf struct strbuf text = { 0 };

	for (size_t i = 0; i < count; i++) {
		if (!name_is_valid(labels[i].name, false))
			return -EINVAL;
		for (size_t j = 0; j < i; j++)
			if (strcmp(labels[i].name, labels[j].name) == 0)
				return -EINVAL;
		strbuf_addf(&text, "%s%s=\"", i ? "," : "", labels[i].name);
		value_add(&text, labels[i].value ? labels[i].value : "");
		strbuf_add_char(&text, '"');
	}
	if (strbuf_error(&text) < 0)
		return strbuf_error(&text);
	*ret_text = text;
	text = (struct strbuf){ 0 };
	return 0;
}
