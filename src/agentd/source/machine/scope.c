/* SPDX-License-Identifier: Apache-2.0 */
#include "source/machine/scope.h"

#include <ctype.h>
#include <string.h>

#include "macro.h"

#define DRIVER       "qemu-"
#define SCOPE_PREFIX "machine-"
#define SCOPE_SUFFIX ".scope"
#define PLAIN_SUFFIX ".libvirt-qemu"

/* The length without the suffix; 0 if it does not end so, or holds nothing else. */
static size_t length_before(const char *text, size_t length, const char *suffix)
{
	size_t end = strlen(suffix);

	if (length <= end || memcmp(text + length - end, suffix, end) != 0)
		return 0;
	return length - end;
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	if (digit >= 'A' && digit <= 'F')
		return digit - 'A' + 10;
	return -1;
}

/* Like systemd's unit_name_unescape(): \xHH is a byte, "-" a slash. */
static bool unescape(const char *text, size_t length, char *name, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (used + 1 >= size)
			return false;
		if (c == '\\') {
			int high, low;

			if (length - i < 4 || text[i + 1] != 'x')
				return false;
			high = hex_value(text[i + 2]);
			low = hex_value(text[i + 3]);
			if (high < 0 || low < 0)
				return false;
			c = (char)(high * 16 + low);
			i += 3;
		} else if (c == '-') {
			c = '/';
		}
		if (iscntrl((unsigned char)c))
			return false;
		name[used++] = c;
	}
	name[used] = '\0';
	return used > 0;
}

/* Where the text behind "DIGITS-" begins. */
static const char *after_id(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits > 0 && text[digits] == '-' && text[digits + 1] ? text + digits + 1 : NULL;
}

const char *machine_name_domain(const char *machine)
{
	const char *at = machine + strlen(DRIVER), *domain;

	if (strncmp(machine, DRIVER, strlen(DRIVER)) != 0)
		return NULL;
	domain = after_id(at);
	/* A user's name may hold dashes as well: the first number between two dashes is the id. */
	while (!domain && (at = strchr(at, '-')))
		domain = after_id(++at);
	return domain;
}

static bool component_parse(const char *text, size_t length, struct machine_scope *ret)
{
	size_t prefix = strlen(SCOPE_PREFIX), rest;

	rest = length_before(text, length, SCOPE_SUFFIX);
	if (rest > prefix && memcmp(text, SCOPE_PREFIX, prefix) == 0) {
		if (!unescape(text + prefix, rest - prefix, ret->machine, sizeof(ret->machine)))
			return false;
		ret->domain = machine_name_domain(ret->machine);
		return ret->domain != NULL;
	}
	rest = length_before(text, length, PLAIN_SUFFIX);
	if (rest == 0 || rest >= sizeof(ret->machine))
		return false;
	memcpy(ret->machine, text, rest);
	ret->machine[rest] = '\0';
	ret->domain = machine_name_domain(ret->machine);
	if (!ret->domain)
		ret->domain = ret->machine;
	return true;
}

bool machine_scope_parse(const char *path, struct machine_scope *ret)
{
	const char *at = path;

	while (*at) {
		size_t length = strcspn(at, "/");

		if (component_parse(at, length, ret)) {
			ret->length = (size_t)(at - path) + length;
			return true;
		}
		at += length + (at[length] == '/');
	}
	return false;
}
