/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind.c - the half of loader.h about settings: a plugin's section against its own table.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "limit.h"
#include "macro.h"
#include "plugin/loader.h"
#include "plugin/quarantine.h"

/* `enabled` is the host's key in every section. */
static const char *const host_keys[] = { "enabled", NULL };

void plugin_config_free(const struct plugin *plugin, void *config)
{
	if (config && plugin->table.fields)
		config_bind_done(plugin->table.fields, config);
	free(config);
}

/* The node that a dotted key was written at, or the section when it stands at its default. */
static const struct config_node *key_node(const struct config_node *section, const char *key)
{
	const struct config_node *node = section;
	cleanup_free char *copy = strdup(key);
	char *rest = copy;

	for (const char *word; rest && node && (word = strsep(&rest, "."));)
		node = config_node_get(node, word);
	return node ? node : section;
}

static void check_error(const struct plugin *plugin, const struct config_node *section,
			const struct berth_error *error, struct config_errors *errors)
{
	const struct config_node *place = section;
	char key[128];

	if (error->key && section)
		place = key_node(section, error->key);
	(void)snprintf(key, sizeof(key), "plugins.%s%s%s", plugin->table.name,
		       error->key ? "." : "", error->key ? error->key : "");
	config_errors_add(errors, place, key, "%s",
			  error->text[0] ? error->text : "refused by the plugin");
}

int plugin_bind(const struct plugin *plugin, const struct settings *settings,
		struct config_errors *errors, void **ret)
{
	static const struct config_field no_fields[] = { { .type = CONFIG_END } };
	const struct settings_plugin *section = settings_plugin(settings, plugin->table.name);
	const struct config_node *node = section ? section->node : NULL;
	const struct config_field *fields = plugin->table.fields;
	struct berth_error error = {};
	char prefix[BREADCRUMB_NAME_MAX + sizeof("plugins..")];
	void *config;
	int r;

	config = calloc(1, MAX(plugin->table.config_size, sizeof(uint64_t)));
	if (!config)
		return -ENOMEM;
	(void)snprintf(prefix, sizeof(prefix), "plugins.%s.", plugin->table.name);
	r = config_bind(fields ? fields : no_fields, node, prefix, host_keys, errors, config);
	if (r >= 0 && plugin->table.check) {
		r = plugin->table.check(config, &error);
		if (r < 0) {
			error.text[sizeof(error.text) - 1] = '\0';
			check_error(plugin, node, &error, errors);
			r = -EINVAL;
		}
	}
	if (r < 0) {
		plugin_config_free(plugin, config);
		return r;
	}
	*ret = config;
	return 0;
}

static void section_unknown(const struct plugin_list *list, const struct settings_plugin *section,
			    struct config_errors *errors)
{
	const char *known[LIMIT_PLUGINS + 1] = {};

	for (size_t i = 0; i < list->count && i < LIMIT_PLUGINS; i++)
		known[i] = list->items[i]->table.name;
	if (section->node && section->node->key)
		config_unknown_key(errors, section->node, "plugins.", known);
	else
		config_errors_add(errors, section->node, section->name, "no such plugin is loaded");
}

int plugin_check_all(const struct plugin_list *list, const struct settings *settings,
		     struct config_errors *errors)
{
	int result = 0;

	for (size_t i = 0; i < settings->plugin_count; i++)
		if (!plugin_list_get(list, settings->plugins[i].name)) {
			section_unknown(list, &settings->plugins[i], errors);
			result = -EINVAL;
		}
	for (size_t i = 0; i < list->count; i++) {
		void *config = NULL;
		int r = plugin_bind(list->items[i], settings, errors, &config);

		if (r == -ENOMEM)
			return r;
		if (r < 0)
			result = r;
		else
			plugin_config_free(list->items[i], config);
	}
	return result;
}
