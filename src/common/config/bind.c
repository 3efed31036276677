/* SPDX-License-Identifier: Apache-2.0 */
#include "config/bind.h"

#include <string.h>

#include "config/internal.h"
#include "macro.h"
#include "parse.h"

#define PATH_BYTES  128u /* of a dotted key */
#define KNOWN_MAX   64u  /* keys at one level that a message can suggest */
#define KNOWN_BYTES 48u

struct binding {
	const struct config_field *fields;
	const char *prefix;
	const char *const *also;
	struct config_errors *errors;
	void *config;
	bool is_bad;
};

static uint64_t *slot_number(const struct config_field *field, void *config)
{
	return (uint64_t *)(void *)((char *)config + field->offset);
}

static char **slot_string(const struct config_field *field, void *config)
{
	return (char **)(void *)((char *)config + field->offset);
}

static char ***slot_strings(const struct config_field *field, void *config)
{
	return (char ***)(void *)((char *)config + field->offset);
}

static char **strings_free(char **strings)
{
	for (size_t i = 0; strings && strings[i]; i++)
		free(strings[i]);
	free(strings);
	return NULL;
}
DEFINE_CLEANUP(char **, strings_free);

void config_bind_done(const struct config_field *fields, void *config)
{
	for (const struct config_field *field = fields; field->type != CONFIG_END; field++) {
		if (field->type == CONFIG_STRING) {
			free(*slot_string(field, config));
			*slot_string(field, config) = NULL;
		} else if (field->type == CONFIG_STRINGS) {
			*slot_strings(field, config) = strings_free(*slot_strings(field, config));
		}
	}
}

static int string_set(const struct config_field *field, const char *text, void *config)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*slot_string(field, config));
	config_slot_set(slot_string(field, config), copy);
	return 0;
}

static int defaults_set(const struct config_field *fields, void *config)
{
	/* All slots first: after a failure config_bind_done() must meet no garbage. */
	for (const struct config_field *field = fields; field->type != CONFIG_END; field++) {
		if (field->type == CONFIG_STRING)
			*slot_string(field, config) = NULL;
		else if (field->type == CONFIG_STRINGS)
			*slot_strings(field, config) = NULL;
		else
			*slot_number(field, config) = field->fallback;
	}
	for (const struct config_field *field = fields; field->type != CONFIG_END; field++) {
		if (field->type == CONFIG_STRING) {
			if (string_set(field, field->fallback_text ? field->fallback_text : "",
				       config) < 0)
				return -ENOMEM;
		} else if (field->type == CONFIG_STRINGS) {
			char **none = calloc(1, sizeof(char *));

			if (!none)
				return -ENOMEM;
			config_slot_set(slot_strings(field, config), none);
		}
	}
	return 0;
}

static const char *kind_name(const struct config_node *node)
{
	return node->kind == CONFIG_MAPPING    ? "a section"
	       : node->kind == CONFIG_SEQUENCE ? "a list"
					       : "nothing";
}

/* For a value that is no such number at all: 10m and 4GB are how others write it. */
static const char *form_of(enum config_type type)
{
	return type == CONFIG_USEC    ? ": a whole number with us, ms, s, min or h"
	       : type == CONFIG_BYTES ? ": a number of bytes, or with k, M, G, T, Ki, Mi, Gi or Ti"
				      : "";
}

/* -EINVAL always, with the error added. error: -ERANGE, or that it is no such value. */
static int value_refuse(const struct config_field *field, const struct config_node *node, int error,
			const char *key, struct config_errors *errors)
{
	bool is_number = field->type == CONFIG_U64 || field->type == CONFIG_S64;
	char type[200];

	config_field_type(field, type, sizeof(type));
	if (node->kind != CONFIG_SCALAR)
		config_errors_add(errors, node, key, "expected %s, not %s", type, kind_name(node));
	else if (node->quoted && (is_number || field->type == CONFIG_BOOL))
		config_errors_add(errors, node, key, "expected %s without quotes", type);
	else
		config_errors_add(errors, node, key, "expected %s, not '%.64s'%s", type,
				  node->scalar, error == -ERANGE ? "" : form_of(field->type));
	return -EINVAL;
}

static int enum_parse(const struct config_field *field, const char *text, uint64_t *ret)
{
	for (size_t i = 0; field->names[i]; i++) {
		if (strcmp(field->names[i], text) == 0) {
			*ret = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int number_parse(const struct config_field *field, const struct config_node *node,
			uint64_t *ret)
{
	int64_t with_sign = 0;
	bool truth = false;
	int r;

	switch (field->type) {
	case CONFIG_BOOL:
		r = node->quoted ? -EINVAL : parse_bool(node->scalar, &truth);
		if (r == 0)
			*ret = truth;
		return r;
	case CONFIG_ENUM:
		return enum_parse(field, node->scalar, ret);
	case CONFIG_S64:
		r = node->quoted ? -EINVAL : parse_s64(node->scalar, &with_sign);
		if (r == 0 && (with_sign < (int64_t)field->min || with_sign > (int64_t)field->max))
			r = -ERANGE;
		if (r == 0)
			*ret = (uint64_t)with_sign;
		return r;
	case CONFIG_U64:
		r = node->quoted ? -EINVAL : parse_u64(node->scalar, ret);
		break;
	case CONFIG_PERCENT:
		r = parse_percent(node->scalar, ret);
		break;
	case CONFIG_USEC:
		r = parse_usec(node->scalar, ret);
		break;
	case CONFIG_BYTES:
		r = parse_bytes(node->scalar, ret);
		break;
	default:
		r = -EINVAL;
	}
	if (r == 0 && (*ret < field->min || *ret > field->max))
		r = -ERANGE;
	return r;
}

/* A setting is one line: what is under the line would be invisible in every table and log. */
static bool is_one_line(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static int text_check(const struct config_node *node, const char *key, struct config_errors *errors)
{
	if (node->kind != CONFIG_SCALAR) {
		config_errors_add(errors, node, key, "expected text, not %s", kind_name(node));
		return -EINVAL;
	}
	if (!is_one_line(node->scalar)) {
		config_errors_add(errors, node, key,
				  "expected one line of text, without control characters");
		return -EINVAL;
	}
	return 0;
}

static int string_bind(const struct config_field *field, const struct config_node *node,
		       const char *key, struct config_errors *errors, void *config)
{
	if (text_check(node, key, errors) < 0)
		return -EINVAL;
	return string_set(field, node->scalar, config);
}

static int strings_bind(const struct config_field *field, const struct config_node *node,
			const char *key, struct config_errors *errors, void *config)
{
	CLEANUP(strings_freep) char **items = NULL;
	int result = 0;

	if (node->kind != CONFIG_SEQUENCE) {
		config_errors_add(errors, node, key, "expected a list of texts, not %s",
				  node->kind == CONFIG_SCALAR ? "one text" : kind_name(node));
		return -EINVAL;
	}
	items = calloc(node->count + 1, sizeof(char *));
	if (!items)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		char item_key[PATH_BYTES + 32], *copy;

		(void)snprintf(item_key, sizeof(item_key), "%s[%zu]", key, i);
		if (text_check(node->children[i], item_key, errors) < 0) {
			result = -EINVAL;
			continue;
		}
		if (result < 0)
			continue;
		copy = strdup(node->children[i]->scalar);
		if (!copy)
			return -ENOMEM;
		config_slot_set(&items[i], copy);
	}
	if (result < 0)
		return result;
	(void)strings_free(*slot_strings(field, config));
	config_slot_set(slot_strings(field, config), TAKE_PTR(items));
	return 0;
}

int config_bind_scalar(const struct config_field *field, const struct config_node *node,
		       const char *prefix, struct config_errors *errors, void *config)
{
	char key[PATH_BYTES];
	uint64_t number = 0;
	int r;

	(void)snprintf(key, sizeof(key), "%s%s", prefix ? prefix : "", field->key);
	if (field->type == CONFIG_STRING)
		return string_bind(field, node, key, errors, config);
	if (field->type == CONFIG_STRINGS)
		return strings_bind(field, node, key, errors, config);
	r = node->kind == CONFIG_SCALAR ? number_parse(field, node, &number) : -EINVAL;
	if (r < 0)
		return value_refuse(field, node, r, key, errors);
	*slot_number(field, config) = number;
	return 0;
}

/* The n-th dotted key that the caller knows: its fields, then `also`. */
static const char *known_key(const struct binding *binding, size_t n)
{
	size_t i = 0;

	for (; binding->fields[i].type != CONFIG_END; i++)
		if (i == n)
			return binding->fields[i].key;
	return binding->also ? binding->also[n - i] : NULL;
}

static bool is_section(const struct binding *binding, const char *path)
{
	size_t length = strlen(path);
	const char *key;

	for (size_t n = 0; (key = known_key(binding, n)); n++)
		if (strncmp(key, path, length) == 0 && key[length] == '.')
			return true;
	return false;
}

static bool is_also(const struct binding *binding, const char *path)
{
	for (size_t i = 0; binding->also && binding->also[i]; i++)
		if (strcmp(binding->also[i], path) == 0)
			return true;
	return false;
}

static const struct config_field *field_find(const struct binding *binding, const char *path)
{
	for (const struct config_field *field = binding->fields; field->type != CONFIG_END; field++)
		if (strcmp(field->key, path) == 0)
			return field;
	return NULL;
}

/* level: "" or "cpu."; the words that may stand there are suggested. */
static void unknown_add(struct binding *binding, const struct config_node *node, const char *level)
{
	char words[KNOWN_MAX][KNOWN_BYTES];
	const char *known[KNOWN_MAX + 1];
	size_t length = strlen(level), count = 0;
	char prefix[PATH_BYTES * 2];
	const char *key;

	for (size_t n = 0; (key = known_key(binding, n)) && count < KNOWN_MAX; n++) {
		size_t word = strcspn(key + MIN(length, strlen(key)), "."), i = 0;

		if (strncmp(key, level, length) != 0 || word >= KNOWN_BYTES)
			continue;
		memcpy(words[count], key + length, word);
		words[count][word] = '\0';
		while (i < count && strcmp(words[i], words[count]) != 0)
			i++;
		if (i == count) {
			known[count] = words[count];
			count++;
		}
	}
	known[count] = NULL;
	(void)snprintf(prefix, sizeof(prefix), "%s%s", binding->prefix, level);
	config_unknown_key(binding->errors, node, prefix, known);
}

/* Recursion is bounded by the table: only levels that it has are entered. */
static int mapping_bind(struct binding *binding, const struct config_node *node, const char *level)
{
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *child = node->children[i];
		const struct config_field *field;
		char path[PATH_BYTES], section[PATH_BYTES + 1], key[PATH_BYTES * 2];
		int n = snprintf(path, sizeof(path), "%s%s", level, child->key), r = 0;
		/* "cpu.way" is for talking about a key; in a file it is way below cpu. */
		bool is_flat = n < 0 || (size_t)n >= sizeof(path) || strchr(child->key, '.');

		if (!is_flat && is_also(binding, path))
			continue;
		field = is_flat ? NULL : field_find(binding, path);
		if (field) {
			if (child->kind != CONFIG_NULL)
				r = config_bind_scalar(field, child, binding->prefix,
						       binding->errors, binding->config);
		} else if (is_flat || !is_section(binding, path)) {
			unknown_add(binding, child, level);
			r = -EINVAL;
		} else if (child->kind == CONFIG_MAPPING) {
			(void)snprintf(section, sizeof(section), "%s.", path);
			r = mapping_bind(binding, child, section);
		} else if (child->kind != CONFIG_NULL) {
			(void)snprintf(key, sizeof(key), "%s%s", binding->prefix, path);
			config_errors_add(binding->errors, child, key,
					  "expected a section (keys below it), not %s",
					  child->kind == CONFIG_SEQUENCE ? "a list" : "one value");
			r = -EINVAL;
		}
		if (r == -ENOMEM)
			return r;
		binding->is_bad |= r < 0;
	}
	return 0;
}

int config_bind(const struct config_field *fields, const struct config_node *node,
		const char *prefix, const char *const *also, struct config_errors *errors,
		void *config)
{
	struct binding binding = { .fields = fields,
				   .prefix = prefix ? prefix : "",
				   .also = also,
				   .errors = errors,
				   .config = config };
	int r = defaults_set(fields, config);

	if (r == 0 && node && node->kind == CONFIG_MAPPING) {
		r = mapping_bind(&binding, node, "");
	} else if (r == 0 && node && node->kind != CONFIG_NULL) {
		char key[PATH_BYTES];
		int length = (int)strlen(binding.prefix);

		/* Without its dot. */
		(void)snprintf(key, sizeof(key), "%.*s", MAX(length - 1, 0), binding.prefix);
		config_errors_add(errors, node, key, "expected a section (keys below it), not %s",
				  node->kind == CONFIG_SEQUENCE ? "a list" : "one value");
		binding.is_bad = true;
	}
	if (r < 0)
		config_bind_done(fields, config);
	return r < 0 ? r : binding.is_bad ? -EINVAL : 0;
}
