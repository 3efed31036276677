/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "limit.h"
#include "macro.h"
#include "parse.h"
#include "settings-internal.h"

static const char *const workload_kinds[] = { "pod", "container", "vm", "unit", "cgroup", NULL };

#define KEY_BYTES 160u

void settings_rules_free(struct rule *rules, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		free(rules[i].match.labels);
		free(rules[i].match.cgroup);
	}
	free(rules);
}

/* A kind that no workload ever has would be a rule that silently never matches. */
static int kind_check(const struct config_node *node, const char *key, const char *kind,
		      struct config_errors *errors)
{
	const char *nearest;

	for (size_t i = 0; workload_kinds[i]; i++)
		if (fnmatch(kind, workload_kinds[i], 0) == 0)
			return 0;
	nearest = config_nearest(kind, workload_kinds);
	config_errors_add(errors, node, key,
			  "expected pod, container, vm, unit, cgroup or a glob, not '%.64s'%s%s%s",
			  kind, nearest ? "; did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
	return -EINVAL;
}

static int match_cgroup(const struct config_node *node, const char *key,
			struct config_errors *errors, char **ret)
{
	char *text = NULL;
	int r = settings_text(node, key, errors, &text);

	if (r < 0)
		return r;
	text = strdup(text);
	if (!text)
		return -ENOMEM;
	r = settings_cgroup_glob(node, key, errors, text);
	if (r < 0) {
		free(text);
		return r;
	}
	*ret = text;
	return 0;
}

/* One key of a match. A null is refused: as "not there" it would widen the rule to everything. */
static int match_key(const struct config_node *node, const char *prefix,
		     struct config_errors *errors, struct rule_match *match)
{
	static const char *const known[] = {
		"kind", "namespace", "name", "cgroup", "labels", NULL
	};
	char key[KEY_BYTES];
	int r;

	settings_key(key, sizeof(key), prefix, node->key);
	if (strcmp(node->key, "kind") == 0) {
		r = settings_text(node, key, errors, &match->kind);
		return r < 0 ? r : kind_check(node, key, match->kind, errors);
	}
	if (strcmp(node->key, "namespace") == 0)
		return settings_glob(node, key, errors, &match->namespace);
	if (strcmp(node->key, "name") == 0)
		return settings_glob(node, key, errors, &match->name);
	if (strcmp(node->key, "cgroup") == 0)
		return match_cgroup(node, key, errors, &match->cgroup);
	if (strcmp(node->key, "labels") == 0) {
		if (node->kind == CONFIG_MAPPING)
			return settings_labels(node, key, errors, &match->labels,
					       &match->label_count);
		config_errors_add(errors, node, key, "expected a section (keys below it)");
		return -EINVAL;
	}
	config_unknown_key(errors, node, prefix, known);
	return -EINVAL;
}

static int match_bind(const struct config_node *node, const char *prefix,
		      struct config_errors *errors, struct rule_match *match)
{
	char key[KEY_BYTES];
	int result = 0;

	settings_key(key, sizeof(key), prefix, "match.");
	if (node->kind != CONFIG_MAPPING) {
		key[strlen(key) - 1] = '\0';
		config_errors_add(errors, node, key, "expected a section; {} matches everything");
		return -EINVAL;
	}
	for (size_t i = 0; i < node->count; i++) {
		int r = match_key(node->children[i], key, errors, match);

		if (r == -ENOMEM)
			return r;
		result = MIN(result, r);
	}
	return result;
}

static int requests_bind(const struct config_node *node, const char *prefix,
			 struct config_errors *errors, struct rule *rule)
{
	static const char *const known[] = { "cpu", "memory", NULL };
	char key[KEY_BYTES];
	int result = 0;

	if (node->kind != CONFIG_MAPPING) {
		settings_key(key, sizeof(key), prefix, "requests");
		config_errors_add(errors, node, key,
				  "expected a section: {cpu: 500m, memory: 1Gi}");
		return -EINVAL;
	}
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *child = node->children[i];
		bool is_cpu = strcmp(child->key, "cpu") == 0;
		const char *text = child->kind == CONFIG_SCALAR ? child->scalar : "";
		int r;

		settings_key(key, sizeof(key), prefix, "requests.");
		if (!is_cpu && strcmp(child->key, "memory") != 0) {
			config_unknown_key(errors, child, key, known);
			result = -EINVAL;
			continue;
		}
		if (child->kind == CONFIG_NULL)
			continue;
		r = is_cpu ? parse_cpu_milli(text, &rule->cpu_request_milli)
			   : parse_bytes(text, &rule->memory_request_bytes);
		if (r == 0)
			continue;
		settings_key(key, sizeof(key), prefix, is_cpu ? "requests.cpu" : "requests.memory");
		config_errors_add(
			errors, child, key, "expected %s, not '%.64s'",
			is_cpu ? "CPUs such as 500m or 1.5" : "a size such as 512Mi or 1Gi", text);
		result = -EINVAL;
	}
	return result;
}

static int qos_bind(const struct config_node *node, const char *prefix,
		    struct config_errors *errors, struct rule *rule)
{
	const char *text = node->kind == CONFIG_SCALAR ? node->scalar : "";
	const char *nearest;
	char key[KEY_BYTES];

	if (qos_parse(text, &rule->qos) == 0) {
		rule->has_qos = true;
		return 0;
	}
	nearest = config_nearest(text, qos_names);
	settings_key(key, sizeof(key), prefix, "qos");
	config_errors_add(errors, node, key,
			  "expected critical, high, normal, batch, scavenger or 2 to -2, not "
			  "'%.64s'%s%s%s",
			  text, nearest ? "; did you mean '" : "", nearest ? nearest : "",
			  nearest ? "'?" : "");
	return -EINVAL;
}

static int ignore_bind(const struct config_node *node, const char *prefix,
		       struct config_errors *errors, struct rule *rule)
{
	char key[KEY_BYTES];

	if (node->kind == CONFIG_SCALAR && !node->quoted &&
	    parse_bool(node->scalar, &rule->ignore) == 0)
		return 0;
	settings_key(key, sizeof(key), prefix, "ignore");
	config_errors_add(errors, node, key, "expected true or false");
	return -EINVAL;
}

static int rule_key(const struct config_node *node, const char *prefix,
		    struct config_errors *errors, struct rule *rule)
{
	static const char *const known[] = { "match", "qos", "ignore", "requests", NULL };

	if (strcmp(node->key, "match") == 0)
		return match_bind(node, prefix, errors, &rule->match);
	if (strcmp(node->key, "qos") == 0)
		return node->kind == CONFIG_NULL ? 0 : qos_bind(node, prefix, errors, rule);
	if (strcmp(node->key, "ignore") == 0)
		return node->kind == CONFIG_NULL ? 0 : ignore_bind(node, prefix, errors, rule);
	if (strcmp(node->key, "requests") == 0)
		return node->kind == CONFIG_NULL ? 0 : requests_bind(node, prefix, errors, rule);
	config_unknown_key(errors, node, prefix, known);
	return -EINVAL;
}

static bool does_something(const struct config_node *node)
{
	static const char *const deeds[] = { "qos", "ignore", "requests" };

	for (size_t i = 0; i < ARRAY_SIZE(deeds); i++) {
		const struct config_node *deed = config_node_get(node, deeds[i]);

		if (deed && deed->kind != CONFIG_NULL &&
		    !(deed->kind == CONFIG_MAPPING && deed->count == 0))
			return true;
	}
	return false;
}

static int rule_bind(const struct config_node *node, const char *key, struct config_errors *errors,
		     struct rule *rule)
{
	char prefix[KEY_BYTES];
	int result = 0;

	if (node->kind != CONFIG_MAPPING) {
		config_errors_add(errors, node, key, "expected a rule: {match: {…}, qos: LEVEL}");
		return -EINVAL;
	}
	rule->file = node->file;
	rule->line = node->line;
	settings_key(prefix, sizeof(prefix), key, ".");
	for (size_t i = 0; i < node->count; i++) {
		int r = rule_key(node->children[i], prefix, errors, rule);

		if (r == -ENOMEM)
			return r;
		result = MIN(result, r);
	}
	if (result == 0 && !does_something(node)) {
		config_errors_add(errors, node, key,
				  "a rule without qos, ignore and requests does nothing");
		result = -EINVAL;
	}
	return result;
}

int settings_rules(const struct config_node *node, const char *prefix, struct config_errors *errors,
		   struct rule **ret, size_t *ret_count)
{
	struct rule *rules;
	char key[KEY_BYTES];
	int result = 0;

	if (!node || node->kind == CONFIG_NULL)
		return 0;
	settings_key(key, sizeof(key), prefix, "rules");
	if (node->kind != CONFIG_SEQUENCE || node->count > LIMIT_RULES) {
		config_errors_add(errors, node, key, "expected a list of at most %u rules",
				  LIMIT_RULES);
		return -EINVAL;
	}
	rules = calloc(node->count + 1, sizeof(*rules));
	if (!rules)
		return -ENOMEM;
	for (size_t i = 0; i < node->count && result != -ENOMEM; i++) {
		int r;

		(void)snprintf(key, sizeof(key), "%srules[%zu]", prefix, i);
		r = rule_bind(node->children[i], key, errors, &rules[i]);
		result = r == -ENOMEM ? r : MIN(result, r);
	}
	if (result < 0) {
		settings_rules_free(rules, node->count);
		return result;
	}
	*ret = rules;
	*ret_count = node->count;
	return 0;
}
