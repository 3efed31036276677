/* SPDX-License-Identifier: Apache-2.0 */
/* policy.c - a policy that is being written: keys in the order they come, comments above. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "macro.h"

#define COMMENT_WIDTH 98u

void import_node_done(struct import_node *node)
{
	for (size_t i = 0; i < node->count; i++) {
		import_node_done(node->children[i]);
		free(node->children[i]);
	}
	free(node->children);
	free(node->name);
	free(node->value);
	strbuf_done(&node->before);
	strbuf_done(&node->behind);
	*node = (struct import_node){};
}

static struct import_node *child_add(struct import *import, struct import_node *parent,
				     const char *name, size_t length)
{
	struct import_node **grown =
		realloc(parent->children, (parent->count + 1) * sizeof(*grown));
	struct import_node *child = grown ? calloc(1, sizeof(*child)) : NULL;

	if (grown)
		parent->children = grown;
	if (child && name) {
		child->name = strndup(name, length);
		if (!child->name) {
			free(child);
			child = NULL;
		}
	}
	if (!child) {
		import->error = -ENOMEM;
		return NULL;
	}
	parent->children[parent->count++] = child;
	return child;
}

static struct import_node *child_find(const struct import_node *parent, const char *name,
				      size_t length)
{
	for (size_t i = 0; i < parent->count; i++) {
		struct import_node *child = parent->children[i];

		if (child->name && strlen(child->name) == length &&
		    strncmp(child->name, name, length) == 0)
			return child;
	}
	return NULL;
}

struct import_node *import_policy_at(struct import *import, struct import_node *policy,
				     const char *path)
{
	struct import_node *node = policy;

	while (node && *path) {
		size_t length = strcspn(path, ".");
		struct import_node *child = child_find(node, path, length);

		node = child ? child : child_add(import, node, path, length);
		path += length;
		path += *path == '.';
	}
	return node;
}

void import_policy_set(struct import *import, struct import_node *policy, const char *path,
		       const char *from, const char *format, ...)
{
	struct import_node *node = import_policy_at(import, policy, path);
	va_list arguments;
	int length;

	if (!node)
		return;
	free(node->value);
	va_start(arguments, format);
	length = vasprintf(&node->value, format, arguments);
	va_end(arguments);
	if (length < 0) {
		node->value = NULL;
		import->error = -ENOMEM;
	}
	strbuf_clear(&node->behind);
	if (from)
		strbuf_add(&node->behind, from);
}

void import_quote(struct strbuf *page, const char *text)
{
	strbuf_add_char(page, '"');
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			strbuf_addf(page, "\\%c", *text);
		else if ((unsigned char)*text < 0x20 || *text == 0x7f)
			strbuf_addf(page, "\\x%02x", (unsigned char)*text);
		else
			strbuf_add_char(page, *text);
	}
	strbuf_add_char(page, '"');
}

void import_policy_item(struct import *import, struct import_node *policy, const char *path,
			const char *text)
{
	struct import_node *list = import_policy_at(import, policy, path);
	struct import_node *item = list ? child_add(import, list, NULL, 0) : NULL;
	struct strbuf quoted cleanup_strbuf = {};

	if (!item)
		return;
	import_quote(&quoted, text);
	item->value = strbuf_take(&quoted);
	if (!item->value)
		import->error = -ENOMEM;
}

struct import_node *import_policy_override(struct import *import, const char *match)
{
	struct import_node *list = import_policy_at(import, &import->policy, "overrides");
	struct import_node *item = list ? child_add(import, list, NULL, 0) : NULL;

	if (item)
		import_policy_set(import, item, "match", NULL, "%s", match);
	return item;
}

/* Words of one remark over as many lines as it takes. */
static void print_comment(const char *text, size_t length, unsigned int indent, struct strbuf *page)
{
	size_t used = 0;

	while (length > 0) {
		size_t word = 0;

		while (word < length && text[word] != ' ')
			word++;
		if (used > 0 && used + 1 + word > COMMENT_WIDTH) {
			strbuf_add_char(page, '\n');
			used = 0;
		}
		if (used == 0) {
			strbuf_addf(page, "%*s#", (int)indent, "");
			used = indent + 1;
		}
		strbuf_add_char(page, ' ');
		for (size_t i = 0; i < word; i++) {
			/* A name of the file's must not end the comment; U+2028 does in YAML. */
			char shown = '?';

			if (text[i] >= 0x20 && text[i] < 0x7f)
				shown = text[i];
			strbuf_add_char(page, shown);
		}
		used += 1 + word;
		while (word < length && text[word] == ' ')
			word++;
		text += word;
		length -= word;
	}
	strbuf_add_char(page, '\n');
}

static void print_comments(const struct import_node *node, unsigned int indent, struct strbuf *page)
{
	const char *at = strbuf_text(&node->before);

	while (*at) {
		size_t length = strcspn(at, "\n");

		print_comment(at, length, indent, page);
		at += length + (at[length] == '\n');
	}
}

static bool has_values(const struct import_node *node)
{
	if (node->value)
		return true;
	for (size_t i = 0; i < node->count; i++)
		if (has_values(node->children[i]))
			return true;
	return false;
}

static void print_children(const struct import_node *node, unsigned int indent, bool is_item,
			   struct strbuf *page);

static void print_child(const struct import_node *child, unsigned int indent, bool is_first,
			struct strbuf *page)
{
	/* The first key of an item stands behind its dash. */
	if (is_first)
		strbuf_addf(page, "%*s- ", (int)indent - 2, "");
	else
		strbuf_addf(page, "%*s", (int)indent, "");
	if (child->name)
		strbuf_addf(page, "%s:", child->name);
	if (child->value) {
		strbuf_addf(page, "%s%s", child->name ? " " : "- ", child->value);
		if (child->behind.length)
			strbuf_addf(page, "  # %s", strbuf_text(&child->behind));
	}
	strbuf_add_char(page, '\n');
	print_children(child, indent + 2, false, page);
}

static void print_children(const struct import_node *node, unsigned int indent, bool is_item,
			   struct strbuf *page)
{
	bool is_first = is_item;

	for (size_t i = 0; i < node->count; i++) {
		const struct import_node *child = node->children[i];

		if (!child->name && !child->value) {
			print_comments(child, indent, page);
			print_children(child, indent + 2, true, page);
			continue;
		}
		print_comments(child, indent, page);
		if (has_values(child)) {
			print_child(child, indent, is_first, page);
			is_first = false;
			continue;
		}
		/* Only remarks: a key without a value would look as if one was forgotten. */
		for (size_t j = 0; j < child->count; j++)
			print_comments(child->children[j], indent, page);
	}
}

void import_policy_print(const struct import_node *policy, struct strbuf *page)
{
	print_comments(policy, 0, page);
	print_children(policy, 0, false, page);
}
