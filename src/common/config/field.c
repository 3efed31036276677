/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <string.h>

#include "config/bind.h"
#include "config/internal.h"
#include "macro.h"

struct unit {
	const char *name;
	uint64_t size;
};

static const struct unit time_units[] = {
	{ "h", 3600 * USEC_PER_SEC },
	{ "min", 60 * USEC_PER_SEC },
	{ "s", USEC_PER_SEC },
	{ "ms", USEC_PER_MSEC },
	{ "us", 1 },
};

static const struct unit byte_units[] = {
	{ "Ei", 1ULL << 60 },
	{ "Pi", 1ULL << 50 },
	{ "Ti", 1ULL << 40 },
	{ "Gi", 1ULL << 30 },
	{ "Mi", 1ULL << 20 },
	{ "Ki", 1ULL << 10 },
	{ "", 1 },
};

/* In the largest unit that holds it exactly, so that parsing the text gives the number again. */
static void unit_format(const struct unit *units, size_t count, uint64_t number, char *text,
			size_t size)
{
	size_t i = 0;

	if (number == 0) {
		(void)snprintf(text, size, "0");
		return;
	}
	while (i + 1 < count && number % units[i].size != 0)
		i++;
	(void)snprintf(text, size, "%" PRIu64 "%s", number / units[i].size, units[i].name);
}

static void number_format(const struct config_field *field, uint64_t number, char *text,
			  size_t size)
{
	if (field->type == CONFIG_USEC)
		unit_format(time_units, ARRAY_SIZE(time_units), number, text, size);
	else if (field->type == CONFIG_BYTES)
		unit_format(byte_units, ARRAY_SIZE(byte_units), number, text, size);
	else if (field->type == CONFIG_S64)
		(void)snprintf(text, size, "%" PRId64, (int64_t)number);
	else
		(void)snprintf(text, size, "%" PRIu64, number);
}

void config_field_default(const struct config_field *field, char *text, size_t size)
{
	switch (field->type) {
	case CONFIG_BOOL:
		(void)snprintf(text, size, "%s", field->fallback ? "true" : "false");
		return;
	case CONFIG_STRING:
		(void)snprintf(text, size, "\"%s\"",
			       field->fallback_text ? field->fallback_text : "");
		return;
	case CONFIG_STRINGS:
		(void)snprintf(text, size, "[]");
		return;
	case CONFIG_ENUM:
		(void)snprintf(text, size, "%s", field->names[field->fallback]);
		return;
	default:
		number_format(field, field->fallback, text, size);
	}
}

static bool is_unbounded(const struct config_field *field)
{
	return field->max ==
	       (field->type == CONFIG_S64 ? (uint64_t)INT64_MAX : (uint64_t)UINT64_MAX);
}

static void range_format(const struct config_field *field, const char *word, char *text,
			 size_t size)
{
	char min[32], max[32];

	number_format(field, field->min, min, sizeof(min));
	number_format(field, field->max, max, sizeof(max));
	if (is_unbounded(field))
		(void)snprintf(text, size, "%s, %s or more", word, min);
	else
		(void)snprintf(text, size, "%s, %s to %s", word, min, max);
}

static void names_format(const struct config_field *field, char *text, size_t size)
{
	int length = snprintf(text, size, "one of");

	for (size_t i = 0; field->names[i] && length > 0 && (size_t)length < size; i++)
		length += snprintf(text + length, size - (size_t)length, "%s %s", i ? "," : ":",
				   field->names[i]);
}

void config_field_type(const struct config_field *field, char *text, size_t size)
{
	switch (field->type) {
	case CONFIG_BOOL:
		(void)snprintf(text, size, "true or false");
		return;
	case CONFIG_STRING:
		(void)snprintf(text, size, "text");
		return;
	case CONFIG_STRINGS:
		(void)snprintf(text, size, "list of texts");
		return;
	case CONFIG_ENUM:
		names_format(field, text, size);
		return;
	case CONFIG_USEC:
		range_format(field, "time", text, size);
		return;
	case CONFIG_BYTES:
		range_format(field, "size", text, size);
		return;
	case CONFIG_PERCENT:
		range_format(field, "percent", text, size);
		return;
	default:
		range_format(field, "number", text, size);
	}
}

static bool strings_equal(char *const *a, char *const *b)
{
	size_t i = 0;

	while (a[i] && b[i] && strcmp(a[i], b[i]) == 0)
		i++;
	return !a[i] && !b[i];
}

bool config_equal(const struct config_field *fields, const void *a, const void *b)
{
	for (const struct config_field *field = fields; field->type != CONFIG_END; field++) {
		const void *x = (const char *)a + field->offset;
		const void *y = (const char *)b + field->offset;
		bool equal;

		if (field->type == CONFIG_STRING)
			equal = strcmp(*(char *const *)x, *(char *const *)y) == 0;
		else if (field->type == CONFIG_STRINGS)
			equal = strings_equal(*(char **const *)x, *(char **const *)y);
		else
			equal = *(const uint64_t *)x == *(const uint64_t *)y;
		if (!equal)
			return false;
	}
	return true;
}

void config_slot_set(void *slot, void *pointer)
{
	memcpy(slot, &pointer, sizeof(pointer));
}
