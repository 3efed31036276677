/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loader.h - find, open and verify plugins, and bind their sections of the policy. No plugin code
 * runs here but check(), which is pure; so `berthctl check` uses it too.
 */
#pragma once

#include "config/bind.h"
#include "settings.h"

struct plugin {
	struct berth_plugin table; /* a copy, missing tail zero */
	char *path;
	void *handle; /* never dlclose()d: its code may be on a stack or in a static */
};

struct plugin_list {
	struct plugin **items;
	size_t count;
};

/* Every DIR/NAME.so: a regular file, owned by root (or by the caller when not root), not writable
 * by others, symbol, abi, size, name == NAME. One that fails is an error in `errors` (file = path,
 * line 0) and left out; the others load. -errno only when the directory cannot be read. */
int plugin_list_load(const char *dir, struct config_errors *errors, struct plugin_list *ret);
void plugin_list_done(struct plugin_list *list);
const struct plugin *plugin_list_get(const struct plugin_list *list, const char *name);

/* Bind the section and run check(). *ret is malloc()ed, plugin_config_free(). 0 or -EINVAL with
 * errors added, or -ENOMEM. */
int plugin_bind(const struct plugin *plugin, const struct settings *settings,
		struct config_errors *errors, void **ret);
void plugin_config_free(const struct plugin *plugin, void *config);

/* Every section names a loaded plugin (else nearest name), every one binds and passes check(). */
int plugin_check_all(const struct plugin_list *list, const struct settings *settings,
		     struct config_errors *errors);
