/* SPDX-License-Identifier: Apache-2.0 */
/* bind.c - one object of a configuration against the table of its keys. */
#include "config/bind.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "import/import.h"
#include "macro.h"

#define KEY_BYTES   192u
#define KNOWN_MAX   64u
#define WORDS_BYTES 256u

void import_nearest(const char *word, const char *const *known, char *text, size_t size)
{
	const char *nearest = config_nearest(word, known);

	if (nearest)
		(void)snprintf(text, size, "; did you mean '%s'?", nearest);
	else
		text[0] = '\0';
}

static bool names_equal(const struct import_section *section, const char *a, const char *b,
			size_t length)
{
	if (strlen(b) != length)
		return false;
	return section->folds_case ? strncasecmp(a, b, length) == 0 : strncmp(a, b, length) == 0;
}

/* The value of the first `length` bytes of key in object. */
static json_t *object_get(const struct import_section *section, json_t *object, const char *key,
			  size_t length)
{
	json_t *value;
	const char *name;

	json_object_foreach(object, name, value)
	{
		if (names_equal(section, key, name, length))
			return value;
	}
	return NULL;
}

json_t *import_value(const struct import_section *section, const char *key)
{
	json_t *at = section->object;

	while (at && *key) {
		size_t length = strcspn(key, ".");

		at = object_get(section, at, key, length);
		key += length;
		key += *key == '.';
	}
	return json_is_null(at) ? NULL : at;
}

int64_t import_int(const struct import_section *section, const char *key, int64_t fallback)
{
	json_t *value = import_value(section, key);

	return json_is_integer(value) ? json_integer_value(value) : fallback;
}

bool import_flag(const struct import_section *section, const char *key, bool fallback)
{
	json_t *value = import_value(section, key);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

/* What Berth calls a word of "debug warn=warning", in text; NULL if it is none of them. */
static const char *word_find(const char *words, const char *word, char *text, size_t size)
{
	size_t length = strlen(word);

	while (*words) {
		size_t end = strcspn(words, " "), name = strcspn(words, "= ");
		const char *shown = words[name] == '=' ? words + name + 1 : words;

		if (name == length && strncmp(words, word, length) == 0) {
			(void)snprintf(text, size, "%.*s", (int)(words + end - shown), shown);
			return text;
		}
		words += end;
		words += *words == ' ';
	}
	return NULL;
}

/* "a, b or c" for messages. */
static void words_list(const char *words, char *text, size_t size)
{
	size_t used = 0;

	text[0] = '\0';
	while (*words && used < size) {
		size_t end = strcspn(words, " "), name = strcspn(words, "= ");
		const char *rest = words + end + (words[end] == ' ');
		const char *join = used == 0 ? "" : *rest ? ", " : " or ";
		int n = snprintf(text + used, size - used, "%s%.*s", join, (int)name, words);

		used += n > 0 ? (size_t)n : 0;
		words = rest;
	}
}

static void section_key(const struct import_section *section, const char *key, char *text)
{
	(void)snprintf(text, KEY_BYTES, "%.90s%s%.100s", section->path,
		       *section->path && *key ? "." : "", key);
}

static int range_check(const struct import_section *section, const struct import_field *field,
		       const char *path, json_t *value)
{
	double number = json_number_value(value);
	bool fits = json_is_integer(value)
			    ? json_integer_value(value) >= field->min &&
				      json_integer_value(value) <= field->max
			    : number >= (double)field->min && number <= (double)field->max;

	if (fits)
		return 0;
	if (field->max == INT64_MAX)
		return import_error(section->import, section->document, path,
				    "expected %" PRId64 " or more", field->min);
	return import_error(section->import, section->document, path,
			    "expected %" PRId64 " to %" PRId64, field->min, field->max);
}

static int word_check(const struct import_section *section, const struct import_field *field,
		      const char *path, json_t *value)
{
	char words[WORDS_BYTES], text[WORDS_BYTES];

	if (word_find(field->words, json_string_value(value), text, sizeof(text)))
		return 0;
	words_list(field->words, words, sizeof(words));
	return import_error(section->import, section->document, path, "expected %s, not '%.64s'",
			    words, json_string_value(value));
}

static int value_check(const struct import_section *section, const struct import_field *field,
		       const char *path, json_t *value)
{
	static const char *const expected[] = {
		[IMPORT_INT] = "a whole number", [IMPORT_NUMBER] = "a number",
		[IMPORT_BOOL] = "true or false", [IMPORT_WORD] = "a string",
		[IMPORT_TEXT] = "a string",
	};
	bool is_right = field->kind == IMPORT_ANY ||
			(field->kind == IMPORT_INT && json_is_integer(value)) ||
			(field->kind == IMPORT_NUMBER && json_is_number(value)) ||
			(field->kind == IMPORT_BOOL && json_is_boolean(value)) ||
			(field->kind >= IMPORT_WORD && json_is_string(value));

	if (!is_right)
		return import_error(section->import, section->document, path, "expected %s",
				    expected[field->kind]);
	if (field->kind == IMPORT_INT || field->kind == IMPORT_NUMBER)
		return range_check(section, field, path, value);
	if (field->kind == IMPORT_WORD)
		return word_check(section, field, path, value);
	return 0;
}

static void unknown_tell(const struct import_section *section, const struct import_field *fields,
			 const char *prefix, const char *path, const char *key)
{
	char names[KNOWN_MAX][64], nearest[96];
	const char *known[KNOWN_MAX + 1] = { NULL };
	size_t length = strlen(prefix), count = 0;

	for (; fields->from && count < KNOWN_MAX; fields++) {
		const char *rest = fields->from + length;

		if (strncmp(fields->from, prefix, length) != 0)
			continue;
		(void)snprintf(names[count], sizeof(names[count]), "%.*s", (int)strcspn(rest, "."),
			       rest);
		known[count] = names[count];
		count++;
	}
	import_nearest(key, known, nearest, sizeof(nearest));
	import_remark(section->import, section->document, path, section->policy, section->at,
		      "unknown key, which is passed over in silence there%s", nearest);
}

/* Is prefix+key the key of a row (then *ret), or does one begin with it? */
static bool field_find(const struct import_section *section, const struct import_field *fields,
		       const char *key, const struct import_field **ret)
{
	size_t length = strlen(key);
	bool begins = false;

	*ret = NULL;
	for (; fields->from; fields++) {
		size_t end = strlen(fields->from);

		if (end == length && names_equal(section, key, fields->from, length))
			*ret = fields;
		begins |= end > length && fields->from[length] == '.' &&
			  (section->folds_case ? strncasecmp(fields->from, key, length)
					       : strncmp(fields->from, key, length)) == 0;
	}
	return *ret || begins;
}

/* Above the key that it became, or where the section's are. */
static void remark_tell(const struct import_section *section, const struct import_field *field,
			const char *path)
{
	char at[KEY_BYTES];

	(void)snprintf(at, sizeof(at), "%s%s", field->to ? section->prefix : section->at,
		       field->to ? field->to : "");
	import_remark(section->import, section->document, path, section->policy, at, "%s",
		      field->remark);
}

static int object_check(const struct import_section *section, const struct import_field *fields,
			json_t *object, const char *prefix)
{
	json_t *value;
	const char *name;
	int result = 0;

	json_object_foreach(object, name, value)
	{
		const struct import_field *field;
		char key[KEY_BYTES], path[KEY_BYTES];
		int r = 0;

		(void)snprintf(key, sizeof(key), "%s%.64s", prefix, name);
		section_key(section, key, path);
		if (!field_find(section, fields, key, &field)) {
			unknown_tell(section, fields, prefix, path, name);
		} else if (json_is_null(value)) {
			continue; /* Go leaves the default */
		} else if (field) {
			r = value_check(section, field, path, value);
			if (r == 0 && field->remark)
				remark_tell(section, field, path);
		} else if (!json_is_object(value)) {
			r = import_error(section->import, section->document, path,
					 "expected an object, { ... }");
		} else {
			(void)snprintf(key, sizeof(key), "%s%.64s.", prefix, name);
			r = object_check(section, fields, value, key);
		}
		result = MIN(result, r);
	}
	return result;
}

int import_check(const struct import_section *section, const struct import_field *fields)
{
	if (section->is_silent || !section->object)
		return 0;
	if (!json_is_object(section->object))
		return import_error(section->import, section->document, section->path,
				    "expected an object, { ... }");
	return object_check(section, fields, section->object, "");
}

static void number_write(const struct import_section *section, const struct import_field *field,
			 const char *path, const char *from, int64_t number)
{
	static const char *const units[] = {
		[IMPORT_AS_IT_IS] = "",  [IMPORT_AS_MSEC] = "ms", [IMPORT_AS_SEC] = "s",
		[IMPORT_AS_MEBI] = "Mi", [IMPORT_AS_REST] = "",
	};

	enum import_how how = field->how;

	if (how == IMPORT_AS_REST)
		number = 100 - number;
	if (how == IMPORT_AS_MSEC && number % 1000 == 0) {
		how = IMPORT_AS_SEC;
		number /= 1000;
	}
	import_policy_set(section->import, section->policy, path, from, "%" PRId64 "%s", number,
			  units[how]);
}

static void value_write(const struct import_section *section, const struct import_field *field,
			const char *path, const char *from, json_t *value)
{
	struct strbuf quoted cleanup_strbuf = {};
	char word[WORDS_BYTES];

	switch (field->kind) {
	case IMPORT_INT:
		number_write(section, field, path, from, json_integer_value(value));
		break;
	case IMPORT_BOOL:
		import_policy_set(section->import, section->policy, path, from, "%s",
				  json_is_true(value) ? "true" : "false");
		break;
	case IMPORT_WORD:
		if (word_find(field->words, json_string_value(value), word, sizeof(word)))
			import_policy_set(section->import, section->policy, path, from, "%s", word);
		break;
	case IMPORT_TEXT:
		import_quote(&quoted, json_string_value(value));
		import_policy_set(section->import, section->policy, path, from, "%s",
				  strbuf_text(&quoted));
		break;
	case IMPORT_NUMBER:
	case IMPORT_ANY:
		break; /* code does it */
	}
}

void import_apply(const struct import_section *section, const struct import_field *fields)
{
	for (; fields->from; fields++) {
		char path[KEY_BYTES], from[KEY_BYTES], source[KEY_BYTES];
		json_t *value = import_value(section, fields->from);

		if (!fields->to || (!value && fields->fallback == IMPORT_NONE))
			continue;
		section_key(section, fields->from, source);
		(void)snprintf(path, sizeof(path), "%s%s", section->prefix, fields->to);
		(void)snprintf(from, sizeof(from), "%.160s%s", source, value ? "" : ", by default");
		if (value)
			value_write(section, fields, path, from, value);
		else if (fields->kind == IMPORT_BOOL)
			import_policy_set(section->import, section->policy, path, from, "%s",
					  fields->fallback ? "true" : "false");
		else
			number_write(section, fields, path, from, fields->fallback);
	}
}
