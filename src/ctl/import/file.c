/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - from a file to the JSON in it: as it is, or out of a ConfigMap. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "import/import.h"
#include "macro.h"

/* What is being looked through. */
struct search {
	struct import *import;
	const char *path;
	const char *text;
	const char *const *keys;
	unsigned int found; /* ConfigMaps with one of the keys */
};

static void document_done(struct import_document *document)
{
	free(document->text);
	free(document->file);
	json_decref(document->root);
	*document = (struct import_document){};
}

void import_file_done(struct import_file *file)
{
	for (size_t i = 0; i < IMPORT_KEYS_MAX; i++)
		document_done(&file->documents[i]);
}

/* root is NULL until the text is JSON; a place in it is told by jansson then. */
static int document_parse(const struct search *search, struct import_document *document)
{
	json_error_t error;

	/* Go takes the last of two equal keys in silence. */
	document->root = json_loads(document->text, JSON_REJECT_DUPLICATES, &error);
	if (!document->root) {
		struct import_note *note;
		int r = import_error(search->import, document, "", "not JSON: %s", error.text);

		if (search->import->notes.count) {
			note = &search->import->notes.items[search->import->notes.count - 1];
			note->line = document->line + (unsigned int)MAX(error.line, 1);
			note->column = document->column + (unsigned int)MAX(error.column, 1);
		}
		return r;
	}
	if (json_is_object(document->root))
		return 0;
	return import_error(search->import, document, "", "expected an object, { ... }");
}

/* Takes text. key: of the ConfigMap that the text is the value of, for messages; NULL: none. */
static int document_set(const struct search *search, struct import_document *document,
			const char *key, char *text, unsigned int line, unsigned int column)
{
	document->text = text;
	document->line = line;
	document->column = column;
	if (!text || asprintf(&document->file, "%s%s%s", search->path, key ? ": data." : "",
			      key ? key : "") < 0) {
		document->file = NULL;
		return -ENOMEM;
	}
	return document_parse(search, document);
}

/* A key of the ConfigMap beside those that are read. */
static void other_tell(const struct search *search, const char *key)
{
	char name[128];

	for (size_t i = 0; search->keys[i]; i++)
		if (strcmp(search->keys[i], key) == 0)
			return;
	(void)snprintf(name, sizeof(name), "data.%.100s", key);
	import_remark(search->import, NULL, name, &search->import->policy, "plugins.colocation",
		      "not read: it has no equal in Berth");
}

static const yaml_node_t *yaml_get(yaml_document_t *document, const yaml_node_t *map,
				   const char *key)
{
	if (!map || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (const yaml_node_pair_t *pair = map->data.mapping.pairs.start;
	     pair < map->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(document, pair->key);

		if (name && name->type == YAML_SCALAR_NODE &&
		    strcmp((const char *)name->data.scalar.value, key) == 0)
			return yaml_document_get_node(document, pair->value);
	}
	return NULL;
}

/* Blanks in front of the first line of a block that has anything else. */
static unsigned int block_indent(const char *text, size_t line)
{
	for (; line > 0; line--) {
		text = strchr(text, '\n');
		if (!text)
			return 0;
		text++;
	}
	while (*text && text[strspn(text, " \r")] == '\n')
		text = strchr(text, '\n') + 1;
	return (unsigned int)strspn(text, " ");
}

static int yaml_take(struct search *search, size_t place, const yaml_node_t *value)
{
	const char *key = search->keys[place];
	char *text;

	if (value->type != YAML_SCALAR_NODE)
		return import_error(search->import, NULL, "",
				    "%s:%zu:%zu: data.%s: expected a string with JSON in it",
				    search->path, value->start_mark.line + 1,
				    value->start_mark.column + 1, key);
	text = strdup((const char *)value->data.scalar.value);
	/* A block is there as it was written: its places are places in the file. */
	if (value->data.scalar.style == YAML_LITERAL_SCALAR_STYLE)
		return document_set(search, &search->import->file.documents[place], NULL, text,
				    (unsigned int)value->start_mark.line + 1,
				    block_indent(search->text, value->start_mark.line + 1));
	return document_set(search, &search->import->file.documents[place], key, text, 0, 0);
}

static int found_another(struct search *search)
{
	if (search->found++ == 0)
		return 0;
	return import_error(search->import, NULL, "",
			    "%s: two ConfigMaps have these keys: keep the one that is meant",
			    search->path);
}

static void yaml_others(const struct search *search, yaml_document_t *document,
			const yaml_node_t *object)
{
	const yaml_node_t *data = yaml_get(document, object, "data");

	for (const yaml_node_pair_t *pair = data->data.mapping.pairs.start;
	     pair < data->data.mapping.pairs.top; pair++) {
		const yaml_node_t *name = yaml_document_get_node(document, pair->key);

		if (name && name->type == YAML_SCALAR_NODE)
			other_tell(search, (const char *)name->data.scalar.value);
	}
}

static int yaml_config_map(struct search *search, yaml_document_t *document,
			   const yaml_node_t *object)
{
	const yaml_node_t *data = yaml_get(document, object, "data");
	bool counted = false;

	for (size_t i = 0; search->keys[i]; i++) {
		const yaml_node_t *value = yaml_get(document, data, search->keys[i]);
		int r = 0;

		if (!value)
			continue;
		if (!counted)
			r = found_another(search);
		counted = true;
		if (r == 0)
			r = yaml_take(search, i, value);
		if (r < 0)
			return r;
	}
	if (counted)
		yaml_others(search, document, object);
	return 0;
}

static int yaml_object(struct search *search, yaml_document_t *document)
{
	const yaml_node_t *root = yaml_document_get_root_node(document);
	const yaml_node_t *items = yaml_get(document, root, "items");
	int r = yaml_config_map(search, document, root);

	if (!items || items->type != YAML_SEQUENCE_NODE)
		return r;
	for (const yaml_node_item_t *item = items->data.sequence.items.start;
	     r == 0 && item < items->data.sequence.items.top; item++)
		r = yaml_config_map(search, document, yaml_document_get_node(document, *item));
	return r;
}

static int yaml_search(struct search *search, size_t length)
{
	yaml_parser_t parser;
	int r = 0;

	if (!yaml_parser_initialize(&parser))
		return -ENOMEM;
	yaml_parser_set_input_string(&parser, (const unsigned char *)search->text, length);
	for (;;) {
		yaml_document_t document;
		bool is_last;

		if (!yaml_parser_load(&parser, &document)) {
			r = parser.error == YAML_MEMORY_ERROR
				    ? -ENOMEM
				    : import_error(search->import, NULL, "", "%s:%zu:%zu: %s",
						   search->path, parser.problem_mark.line + 1,
						   parser.problem_mark.column + 1,
						   parser.problem ? parser.problem : "not YAML");
			break;
		}
		is_last = !yaml_document_get_root_node(&document);
		r = is_last ? 0 : yaml_object(search, &document);
		yaml_document_delete(&document);
		if (r < 0 || is_last)
			break;
	}
	yaml_parser_delete(&parser);
	return r;
}

ANALYZER_LEAK_IGNORE_BEGIN
static int json_config_map(struct search *search, json_t *object)
{
	json_t *data = json_object_get(object, "data");
	bool counted = false;
	const char *key;
	json_t *value;

	for (size_t i = 0; search->keys[i]; i++) {
		int r = 0;

		value = json_object_get(data, search->keys[i]);
		if (!value)
			continue;
		if (!counted)
			r = found_another(search);
		counted = true;
		if (r == 0 && !json_is_string(value))
			r = import_error(search->import, NULL, "",
					 "%s: data.%s: expected a string with JSON in it",
					 search->path, search->keys[i]);
		if (r == 0)
			r = document_set(search, &search->import->file.documents[i],
					 search->keys[i], strdup(json_string_value(value)), 0, 0);
		if (r < 0)
			return r;
	}
	json_object_foreach(data, key, value)
	{
		if (counted)
			other_tell(search, key);
	}
	return 0;
}
ANALYZER_LEAK_IGNORE_END

/* text is JSON: a ConfigMap, a List, or with is_bare the configuration. */
static int json_search(struct search *search, bool is_bare)
{
	struct import_document whole CLEANUP(document_done) = {};
	json_t *item;
	size_t i;
	int r = document_set(search, &whole, NULL, strdup(search->text), 0, 0);

	if (r < 0) {
		/* The note outlives this document. */
		search->import->file.documents[0] = whole;
		if (search->import->notes.count)
			search->import->notes.items[0].document = search->import->file.documents;
		whole = (struct import_document){};
		return r;
	}
	r = json_config_map(search, whole.root);
	json_array_foreach(json_object_get(whole.root, "items"), i, item)
	{
		if (r == 0)
			r = json_config_map(search, item);
	}
	if (r < 0 || search->found || !is_bare || json_object_get(whole.root, "kind"))
		return r;
	search->found++;
	search->import->file.documents[0] = whole;
	whole = (struct import_document){};
	return 0;
}

int import_file_parse(struct import *import, const char *name, const char *text, size_t length,
		      const char *const *keys, bool is_bare)
{
	struct search search = { .import = import, .path = name, .text = text, .keys = keys };
	int r;

	if (strlen(text) != length)
		return import_error(import, NULL, "", "%s: a NUL byte: this is not a text file",
				    name);
	if (text[strspn(text, " \t\r\n")] == '{')
		r = json_search(&search, is_bare);
	else
		r = yaml_search(&search, length);
	if (r < 0 || search.found)
		return r;
	return import_error(import, NULL, "", "%s: %s a ConfigMap with the key '%s'%s", name,
			    is_bare ? "neither JSON ({ ... }) nor" : "not", keys[0],
			    keys[1] ? " or another of this agent" : "");
}
