/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"

/* The six bits of a character; -1: none. */
static int digit_value(char character)
{
	if (character >= 'A' && character <= 'Z')
		return character - 'A';
	if (character >= 'a' && character <= 'z')
		return character - 'a' + 26;
	if (character >= '0' && character <= '9')
		return character - '0' + 52;
	return character == '+' ? 62 : character == '/' ? 63 : -1;
}

static bool is_blank(char character)
{
	return character == ' ' || character == '\t' || character == '\n' || character == '\r';
}

int base64_decode(const char *text, char **ret, size_t *ret_size)
{
	cleanup_free char *bytes = malloc(strlen(text) / 4 * 3 + 4);
	size_t size = 0, digits = 0, padding = 0;
	uint32_t bits = 0;

	if (!bytes)
		return -ENOMEM;
	for (; *text; text++) {
		int value = digit_value(*text);

		if (is_blank(*text))
			continue;
		if (*text == '=')
			padding++;
		else if (value < 0 || padding)
			return -EINVAL;
		bits = bits << 6 | (uint32_t)MAX(value, 0);
		if (++digits % 4 == 0) {
			bytes[size++] = (char)(bits >> 16 & 0xff);
			bytes[size++] = (char)(bits >> 8 & 0xff);
			bytes[size++] = (char)(bits & 0xff);
		}
	}
	/* Bits that the padding leaves over must be zero, else two texts would mean the same. */
	if (digits % 4 != 0 || padding > 2 || (padding && (bits & ((1u << padding * 8) - 1)) != 0))
		return -EINVAL;
	size -= padding;
	bytes[size] = '\0';
	if (ret_size)
		*ret_size = size;
	*ret = TAKE_PTR(bytes);
	return 0;
}
