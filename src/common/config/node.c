/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "config/internal.h"
#include "macro.h"

struct config_file {
	size_t references;
	char name[];
};

static struct config_file *file_of(const char *name)
{
	return (struct config_file *)((uintptr_t)name - offsetof(struct config_file, name));
}

const char *config_file_new(const char *name)
{
	size_t size = strlen(name) + 1;
	struct config_file *file = malloc(sizeof(*file) + size);

	if (!file)
		return NULL;
	file->references = 1;
	memcpy(file->name, name, size);
	return file->name;
}

static const char *config_file_ref(const char *file)
{
	file_of(file)->references++;
	return file;
}

const char *config_file_unref(const char *file)
{
	if (file && --file_of(file)->references == 0)
		free(file_of(file));
	return NULL;
}

struct config_node *config_node_new(const char *file, unsigned int line, unsigned int column)
{
	struct config_node *node = calloc(1, sizeof(*node));

	if (!node)
		return NULL;
	node->file = config_file_ref(file);
	node->line = line;
	node->column = column;
	return node;
}

ANALYZER_LEAK_IGNORE_BEGIN
int config_node_append(struct config_node *parent, struct config_node *child)
{
	/* Powers of two: full exactly when the count is one. */
	if ((parent->count & (parent->count - 1)) == 0) {
		size_t capacity = parent->count ? parent->count * 2 : 1;
		struct config_node **children =
			reallocarray(parent->children, capacity, sizeof(struct config_node *));

		if (!children)
			return -ENOMEM;
		parent->children = children;
	}
	parent->children[parent->count++] = child;
	return 0;
}
ANALYZER_LEAK_IGNORE_END

/* Recursion is safe: CONFIG_DEPTH_MAX, and merging adds no level. */
struct config_node *config_node_free(struct config_node *node)
{
	if (!node)
		return NULL;
	for (size_t i = 0; i < node->count; i++)
		(void)config_node_free(node->children[i]);
	free(node->children);
	free(node->key);
	free(node->scalar);
	(void)config_file_unref(node->file);
	free(node);
	return NULL;
}

static struct config_node **node_find(const struct config_node *node, const char *key)
{
	for (size_t i = 0; node->kind == CONFIG_MAPPING && i < node->count; i++)
		if (strcmp(node->children[i]->key, key) == 0)
			return &node->children[i];
	return NULL;
}

struct config_node *config_node_get(const struct config_node *node, const char *key)
{
	struct config_node **child = node ? node_find(node, key) : NULL;

	return child ? *child : NULL;
}

static int mapping_merge(struct config_node *base, struct config_node *over)
{
	for (size_t i = 0; i < over->count; i++) {
		struct config_node *child = over->children[i];
		struct config_node **old;
		int r;

		if (child->kind == CONFIG_NULL)
			continue;
		old = node_find(base, child->key);
		if (old && (*old)->kind == CONFIG_MAPPING && child->kind == CONFIG_MAPPING) {
			r = mapping_merge(*old, child);
			if (r < 0)
				return r;
			continue;
		}
		if (old) {
			(void)config_node_free(*old);
			*old = child;
		} else {
			r = config_node_append(base, child);
			if (r < 0)
				return r;
		}
		over->children[i] = NULL;
	}
	return 0;
}

int config_tree_merge(struct config_node *base, struct config_node *over)
{
	int r = 0;

	if (over->kind == CONFIG_MAPPING && base->kind == CONFIG_MAPPING) {
		r = mapping_merge(base, over);
	} else if (over->kind != CONFIG_NULL) {
		struct config_node taken = *over;

		/* The key says where base hangs, not what it holds. */
		taken.key = base->key;
		taken.key_line = base->key_line;
		taken.key_column = base->key_column;
		base->key = over->key;
		*over = *base;
		*base = taken;
	}
	(void)config_node_free(over);
	return r;
}
