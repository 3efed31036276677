/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "limit.h"
#include "macro.h"
#include "settings-internal.h"

#define KEY_BYTES 160u

struct override_match {
	char *node; /* glob or NULL */
	struct label *labels;
	size_t label_count;
};

static void override_match_done(struct override_match *match)
{
	free(match->labels);
}

static int match_bind(const struct config_node *item, const char *key, struct config_errors *errors,
		      struct override_match *match)
{
	static const char *const known[] = { "node", "labels", NULL };
	const struct config_node *node = config_node_get(item, "match");
	char path[KEY_BYTES];
	int result = 0;

	/* Without one it is the same as the keys at the top, or a slip of the indentation. */
	if (!node || node->kind != CONFIG_MAPPING || node->count == 0) {
		config_errors_add(errors, node ? node : item, key,
				  "expected match: {node: GLOB} or match: {labels: {…}}");
		return -EINVAL;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *child = node->children[i];
		int r = -EINVAL;

		(void)snprintf(path, sizeof(path), "%s.match.", key);
		if (strcmp(child->key, "node") == 0) {
			(void)snprintf(path, sizeof(path), "%s.match.node", key);
			r = settings_glob(child, path, errors, &match->node);
		} else if (strcmp(child->key, "labels") != 0) {
			config_unknown_key(errors, child, path, known);
		} else if (child->kind == CONFIG_MAPPING) {
			(void)snprintf(path, sizeof(path), "%s.match.labels", key);
			r = settings_labels(child, path, errors, &match->labels,
					    &match->label_count);
		} else {
			(void)snprintf(path, sizeof(path), "%s.match.labels", key);
			config_errors_add(errors, child, path, "expected 'name: glob' below it");
		}
		if (r == -ENOMEM)
			return r;
		result = MIN(result, r);
	}
	return result;
}

static bool label_matches(const struct label *wanted, const struct settings *identity)
{
	for (size_t i = 0; i < identity->node_label_count; i++)
		if (strcmp(wanted->key, identity->node_labels[i].key) == 0)
			return fnmatch(wanted->value, identity->node_labels[i].value, 0) == 0;
	return false;
}

static bool override_matches(const struct override_match *match, const struct settings *identity)
{
	if (match->node && fnmatch(match->node, identity->node_name, 0) != 0)
		return false;
	for (size_t i = 0; i < match->label_count; i++)
		if (!label_matches(&match->labels[i], identity))
			return false;
	return true;
}

static int override_check(const struct config_node *item, const char *key,
			  struct config_errors *errors)
{
	static const char *const also[] = { "match", "node.labels", "rules", "plugins", NULL };
	CLEANUP(settings_clear) struct settings scratch = { 0 };
	CLEANUP(override_match_done) struct override_match match = { 0 };
	const struct config_node *node;
	char prefix[KEY_BYTES];
	int r, bound;

	if (item->kind != CONFIG_MAPPING) {
		config_errors_add(errors, item, key,
				  "expected an override: {match: {node: GLOB}, …sections…}");
		return -EINVAL;
	}
	r = match_bind(item, key, errors, &match);
	if (r == -ENOMEM)
		return r;
	node = config_node_get(item, "node");
	if (node) {
		(void)snprintf(prefix, sizeof(prefix), "%s.node", key);
		config_errors_add(errors, node, prefix,
				  "an override cannot change what overrides match on");
		r = -EINVAL;
	}
	(void)snprintf(prefix, sizeof(prefix), "%s.", key);
	bound = settings_bind(item, prefix, also, errors, &scratch);
	return bound == -ENOMEM ? bound : MIN(r, bound);
}

int settings_overrides_check(const struct config_node *root, struct config_errors *errors)
{
	const struct config_node *list = config_node_get(root, "overrides");
	int result = 0;

	if (!list || list->kind == CONFIG_NULL)
		return 0;
	if (list->kind != CONFIG_SEQUENCE || list->count > LIMIT_OVERRIDES) {
		config_errors_add(errors, list, "overrides",
				  "expected a list of at most %u overrides", LIMIT_OVERRIDES);
		return -EINVAL;
	}
	for (size_t i = 0; i < list->count; i++) {
		char key[32];
		int r;

		(void)snprintf(key, sizeof(key), "overrides[%zu]", i);
		r = override_check(list->children[i], key, errors);
		if (r == -ENOMEM)
			return r;
		result = MIN(result, r);
	}
	return result;
}

/* Keys that both set. An order between overrides would be a rule that nobody remembers. */
static bool keys_conflict(const struct config_node *first, const struct config_node *second,
			  const char *prefix, struct config_errors *errors)
{
	bool conflict = false;

	for (size_t i = 0; i < second->count; i++) {
		const struct config_node *b = second->children[i];
		const struct config_node *a = config_node_get(first, b->key);
		struct config_node place;
		char key[KEY_BYTES];

		if (!a || a->kind == CONFIG_NULL || b->kind == CONFIG_NULL ||
		    (!prefix[0] && strcmp(b->key, "match") == 0))
			continue;
		(void)snprintf(key, sizeof(key), "%s%s", prefix, b->key);
		if (a->kind == CONFIG_MAPPING && b->kind == CONFIG_MAPPING) {
			char section[KEY_BYTES + 1];

			(void)snprintf(section, sizeof(section), "%s.", key);
			conflict |= keys_conflict(a, b, section, errors);
			continue;
		}
		place = (struct config_node){ .file = b->file,
					      .line = b->key_line,
					      .column = b->key_column };
		config_errors_add(errors, &place, key,
				  "set by two overrides that match this node; the other is at "
				  "%s:%u:%u",
				  a->file, a->key_line, a->key_column);
		conflict = true;
	}
	return conflict;
}

/* The items of the list that match, in order: into `matching`, which has room for all. */
static int overrides_select(const struct config_node *list, const struct settings *identity,
			    struct config_errors *errors, struct config_node **matching,
			    size_t *ret_count)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		CLEANUP(override_match_done) struct override_match match = { 0 };
		char key[32];
		int r;

		(void)snprintf(key, sizeof(key), "overrides[%zu]", i);
		r = match_bind(list->children[i], key, errors, &match);
		if (r < 0)
			return r;
		if (override_matches(&match, identity))
			matching[count++] = list->children[i];
	}
	*ret_count = count;
	return 0;
}

/* What is left of an override once it has matched: its sections. */
static void match_drop(struct config_node *item)
{
	struct config_node *match = config_node_get(item, "match");

	if (!match)
		return;
	free(match->scalar);
	for (size_t i = 0; i < match->count; i++)
		(void)config_node_free(match->children[i]);
	free(match->children);
	/* A null leaves what it is merged over as it is. */
	match->kind = CONFIG_NULL;
	match->scalar = NULL;
	match->children = NULL;
	match->count = 0;
}

static struct config_node *item_detach(struct config_node *list, struct config_node *item)
{
	for (size_t i = 0; i < list->count; i++) {
		if (list->children[i] != item)
			continue;
		list->count--;
		memmove(&list->children[i], &list->children[i + 1],
			(list->count - i) * sizeof(struct config_node *));
		return item;
	}
	return NULL;
}

int settings_overrides_apply(struct config_node *root, const struct settings *identity,
			     struct config_errors *errors)
{
	struct config_node *list = config_node_get(root, "overrides");
	cleanup_free struct config_node **matching = NULL;
	bool conflict = false;
	size_t count = 0;
	int r;

	if (!list || list->kind != CONFIG_SEQUENCE || list->count == 0)
		return 0;
	matching = calloc(list->count, sizeof(struct config_node *));
	if (!matching)
		return -ENOMEM;
	r = overrides_select(list, identity, errors, matching, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++)
		for (size_t j = i + 1; j < count; j++)
			conflict |= keys_conflict(matching[i], matching[j], "", errors);
	if (conflict)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		struct config_node *item = item_detach(list, matching[i]);

		match_drop(item);
		r = config_tree_merge(root, item);
		if (r < 0)
			return r;
	}
	return 0;
}
