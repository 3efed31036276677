/* SPDX-License-Identifier: Apache-2.0 */
#include "config/tree.h"

#include <string.h>
#include <yaml.h>

#include "config/internal.h"
#include "file.h"
#include "hashmap.h"
#include "macro.h"

/* A mapping or sequence that is open. */
struct frame {
	struct config_node *node;
	struct config_node *expected; /* the key that waits for its value */
	struct hashmap keys;          /* for duplicates, in linear time */
};

struct builder {
	yaml_parser_t parser;
	const char *text;
	size_t length;
	const char *file;
	struct config_errors *errors;
	struct config_node *root;
	struct frame frames[CONFIG_DEPTH_MAX];
	size_t depth, nodes, documents;
	bool is_bad;
};

static void builder_done(struct builder *builder)
{
	for (size_t i = 0; i < builder->depth; i++)
		hashmap_done(&builder->frames[i].keys);
	builder->root = config_node_free(builder->root);
	builder->file = config_file_unref(builder->file);
	yaml_parser_delete(&builder->parser);
}

/* "rules[2].match", where we are; key is what follows, may be NULL. */
static void builder_path(const struct builder *builder, const char *key, char *path, size_t size)
{
	size_t length = 0;

	path[0] = '\0';
	for (size_t i = 0; i < builder->depth && length < size; i++) {
		const struct frame *frame = &builder->frames[i];
		const char *part = frame->expected ? frame->expected->key : NULL;
		int n = 0;

		if (frame->node->kind == CONFIG_SEQUENCE)
			n = snprintf(path + length, size - length, "[%zu]",
				     frame->node->count ? frame->node->count - 1 : 0);
		else if (part || (key && i + 1 == builder->depth))
			n = snprintf(path + length, size - length, "%s%s", length ? "." : "",
				     part ? part : key);
		length += n > 0 ? (size_t)n : 0;
	}
}

__attribute__((format(printf, 4, 5))) static void builder_error(struct builder *builder,
								const yaml_mark_t *mark,
								const char *key, const char *format,
								...)
{
	char path[128];
	va_list arguments;

	builder_path(builder, key, path, sizeof(path));
	builder->is_bad = true;
	va_start(arguments, format);
	config_errors_addv(builder->errors, builder->file, (unsigned int)mark->line + 1,
			   (unsigned int)mark->column + 1, path, format, arguments);
	va_end(arguments);
}

static int builder_syntax(struct builder *builder)
{
	const yaml_parser_t *parser = &builder->parser;
	yaml_mark_t mark = parser->problem_mark;
	size_t tab;

	if (parser->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	tab = config_text_tab(builder->text, builder->length, mark.line);
	if (tab) {
		mark.column = tab - 1;
		builder_error(builder, &mark, NULL, "a tab in the indentation: use spaces");
	} else {
		builder_error(builder, &mark, NULL, "%s", config_syntax_problem(parser->problem));
	}
	return -EINVAL;
}

/* Anchors, tags. What the event stands for is kept, so that more errors are found. */
static void properties_refuse(struct builder *builder, const yaml_event_t *event, const char *key,
			      const void *anchor, const void *tag)
{
	if (anchor)
		builder_error(builder, &event->start_mark, key,
			      "anchors ('&%s') are not allowed: write the value itself",
			      (const char *)anchor);
	if (tag)
		builder_error(builder, &event->start_mark, key,
			      "tags ('%s') are not allowed: the key decides the type",
			      (const char *)tag);
}

static struct config_node *builder_node(struct builder *builder, const yaml_event_t *event)
{
	return config_node_new(builder->file, (unsigned int)event->start_mark.line + 1,
			       (unsigned int)event->start_mark.column + 1);
}

static int builder_count(struct builder *builder, const yaml_event_t *event)
{
	if (++builder->nodes <= CONFIG_NODES_MAX)
		return 0;
	builder_error(builder, &event->start_mark, NULL, "more than %u values in one file",
		      CONFIG_NODES_MAX);
	return -EINVAL;
}

static int builder_key(struct builder *builder, struct frame *frame, const yaml_event_t *event)
{
	const char *key = (const char *)event->data.scalar.value;
	size_t length = event->data.scalar.length;
	bool is_plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	struct config_node *node;
	const struct config_node *first;
	int r = builder_count(builder, event);

	if (r < 0)
		return r;
	properties_refuse(builder, event, key, event->data.scalar.anchor, event->data.scalar.tag);
	if (length == 0)
		builder_error(builder, &event->start_mark, NULL, "expected a key before the ':'");
	else if (strlen(key) != length)
		builder_error(builder, &event->start_mark, key, "a key that holds a NUL");
	else if (is_plain && strcmp(key, "<<") == 0)
		builder_error(builder, &event->start_mark, key,
			      "merge keys are not allowed: write the keys themselves");
	node = builder_node(builder, event);
	if (!node)
		return -ENOMEM;
	node->key_line = node->line;
	node->key_column = node->column;
	node->key = strdup(key);
	r = node->key ? config_node_append(frame->node, node) : -ENOMEM;
	if (r < 0) {
		(void)config_node_free(node);
		return r;
	}
	first = hashmap_get(&frame->keys, node->key);
	if (first)
		builder_error(builder, &event->start_mark, node->key,
			      "duplicate key, first written in line %u", first->key_line);
	else
		r = hashmap_put(&frame->keys, node->key, node);
	frame->expected = node;
	return r;
}

/* The node that the event's value goes into. */
static int builder_slot(struct builder *builder, const yaml_event_t *event,
			struct config_node **ret)
{
	struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
	struct config_node *node;
	int r = builder_count(builder, event);

	if (r < 0)
		return r;
	if (frame && frame->expected) {
		node = frame->expected;
		node->line = (unsigned int)event->start_mark.line + 1;
		node->column = (unsigned int)event->start_mark.column + 1;
		*ret = node;
		return 0;
	}
	node = builder_node(builder, event);
	if (!node)
		return -ENOMEM;
	if (!frame) {
		builder->root = node;
	} else {
		r = config_node_append(frame->node, node);
		if (r < 0) {
			(void)config_node_free(node);
			return r;
		}
	}
	*ret = node;
	return 0;
}

static void builder_value_done(struct builder *builder)
{
	if (builder->depth)
		builder->frames[builder->depth - 1].expected = NULL;
}

static bool is_null(const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;

	if (event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
		return false;
	return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

static int builder_scalar(struct builder *builder, const yaml_event_t *event)
{
	const char *text = (const char *)event->data.scalar.value;
	struct config_node *node = NULL;
	int r = builder_slot(builder, event, &node);

	if (r < 0)
		return r;
	properties_refuse(builder, event, NULL, event->data.scalar.anchor, event->data.scalar.tag);
	if (strlen(text) != event->data.scalar.length)
		builder_error(builder, &event->start_mark, NULL, "a text that holds a NUL");
	if (!is_null(event)) {
		node->kind = CONFIG_SCALAR;
		node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
		node->scalar = strdup(text);
		if (!node->scalar)
			return -ENOMEM;
	}
	builder_value_done(builder);
	return 0;
}

static int builder_open(struct builder *builder, const yaml_event_t *event, enum config_kind kind)
{
	struct config_node *node = NULL;
	int r = builder_slot(builder, event, &node);

	if (r < 0)
		return r;
	if (builder->depth == CONFIG_DEPTH_MAX) {
		builder_error(builder, &event->start_mark, NULL, "more than %u levels deep",
			      CONFIG_DEPTH_MAX);
		return -EINVAL;
	}
	if (kind == CONFIG_MAPPING)
		properties_refuse(builder, event, NULL, event->data.mapping_start.anchor,
				  event->data.mapping_start.tag);
	else
		properties_refuse(builder, event, NULL, event->data.sequence_start.anchor,
				  event->data.sequence_start.tag);
	node->kind = kind;
	builder->frames[builder->depth++] = (struct frame){ .node = node };
	return 0;
}

static int builder_alias(struct builder *builder, const yaml_event_t *event)
{
	struct config_node *node = NULL;
	int r = builder_slot(builder, event, &node);

	if (r < 0)
		return r;
	builder_error(builder, &event->start_mark, NULL,
		      "aliases ('*%s') are not allowed: write the value itself",
		      (const char *)event->data.alias.anchor);
	builder_value_done(builder);
	return 0;
}

static int builder_document(struct builder *builder, const yaml_event_t *event)
{
	if (event->data.document_start.tag_directives.start !=
	    event->data.document_start.tag_directives.end)
		builder_error(builder, &event->start_mark, NULL, "tag directives are not allowed");
	if (++builder->documents == 1)
		return 0;
	builder_error(builder, &event->start_mark, NULL,
		      "a second document ('---'): one file holds one");
	return -EINVAL;
}

/* 1 at the end of the text. */
static int builder_event(struct builder *builder, const yaml_event_t *event)
{
	struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
	bool wants_key = frame && frame->node->kind == CONFIG_MAPPING && !frame->expected;

	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return 1;
	case YAML_DOCUMENT_START_EVENT:
		return builder_document(builder, event);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		hashmap_done(&builder->frames[--builder->depth].keys);
		builder_value_done(builder);
		return 0;
	case YAML_SCALAR_EVENT:
		return wants_key ? builder_key(builder, frame, event)
				 : builder_scalar(builder, event);
	case YAML_ALIAS_EVENT:
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		if (wants_key) {
			builder_error(builder, &event->start_mark, NULL,
				      "a key is one word: text in brackets or braces needs quotes");
			return -EINVAL;
		}
		return event->type == YAML_ALIAS_EVENT ? builder_alias(builder, event)
		       : event->type == YAML_MAPPING_START_EVENT
			       ? builder_open(builder, event, CONFIG_MAPPING)
			       : builder_open(builder, event, CONFIG_SEQUENCE);
	default:
		return 0;
	}
}

static int builder_run(struct builder *builder)
{
	int r = 0;

	yaml_parser_set_input_string(&builder->parser, (const unsigned char *)builder->text,
				     builder->length);
	while (r == 0) {
		CLEANUP(yaml_event_delete) yaml_event_t event = { 0 };

		r = yaml_parser_parse(&builder->parser, &event) ? builder_event(builder, &event)
								: builder_syntax(builder);
	}
	return MIN(r, 0);
}

/* The root is a mapping or nothing. */
static int builder_root(struct builder *builder)
{
	if (!builder->root) {
		builder->root = config_node_new(builder->file, 1, 1);
		return builder->root ? 0 : -ENOMEM;
	}
	if (builder->root->kind == CONFIG_MAPPING || builder->root->kind == CONFIG_NULL)
		return 0;
	config_errors_add(builder->errors, builder->root, NULL, "expected 'key: value', not %s",
			  builder->root->kind == CONFIG_SEQUENCE ? "a list" : "a text");
	return -EINVAL;
}

static int file_too_large(const char *file, struct config_errors *errors)
{
	config_errors_add_at(errors, file, 0, 0, NULL, "larger than %u bytes", CONFIG_FILE_MAX);
	return -EINVAL;
}

int config_tree_parse(const char *text, size_t length, const char *file,
		      struct config_errors *errors, struct config_node **ret)
{
	CLEANUP(builder_done)
	struct builder builder = { .text = text, .length = length, .errors = errors };
	int r;

	if (length > CONFIG_FILE_MAX)
		return file_too_large(file, errors);
	r = config_text_check(text, length, file, errors);
	if (r < 0)
		return r;
	builder.file = config_file_new(file);
	if (!builder.file || !yaml_parser_initialize(&builder.parser))
		return -ENOMEM;
	r = builder_run(&builder);
	if (r == 0)
		r = builder_root(&builder);
	if (r == 0 && builder.is_bad)
		r = -EINVAL;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(builder.root);
	return 0;
}

int config_tree_load(int dirfd, const char *path, struct config_errors *errors,
		     struct config_node **ret)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int r = file_read_all(dirfd, path, &text, &length);

	if (r == -ENOMEM)
		return r;
	if (r == -EFBIG)
		return file_too_large(path, errors);
	if (r < 0) {
		config_errors_add_at(errors, path, 0, 0, NULL, "cannot be read: %s",
				     strerrordesc_np(-r));
		return -EINVAL;
	}
	return config_tree_parse(text, length, path, errors, ret);
}
