/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings-internal.h - what the settings-*.c files share and nobody else includes.
 *
 * All bind functions: 0, -EINVAL with errors added, or -ENOMEM. What they fill points into the
 * tree.
 */
#pragma once

#include "settings.h"

/* Top keys that are no row of settings_fields: read by hand. */
extern const char *const settings_also[];

/* Bind a whole tree: of one file to check it, of the merged one for good. prefix goes before keys
 * in messages. */
int settings_bind(const struct config_node *root, const char *prefix, const char *const *also,
		  struct config_errors *errors, struct settings *settings);
/* Everything but the tree. */
void settings_clear(struct settings *settings);

/* prefix and name into key, for messages: cut if too long. */
void settings_key(char *key, size_t size, const char *prefix, const char *name);
/* A value that must be one line of text. key: its whole dotted name. */
int settings_text(const struct config_node *node, const char *key, struct config_errors *errors,
		  char **ret);
/* The same of a glob. */
int settings_glob(const struct config_node *node, const char *key, struct config_errors *errors,
		  char **ret);
/* "key: value" pairs; for node.labels values, for a match globs. */
int settings_labels(const struct config_node *node, const char *key, struct config_errors *errors,
		    struct label **ret, size_t *ret_count);

int settings_rules(const struct config_node *node, const char *prefix, struct config_errors *errors,
		   struct rule **ret, size_t *ret_count);
void settings_rules_free(struct rule *rules, size_t count);

/* Check every item of `overrides`, whether it matches this node or not. */
int settings_overrides_check(const struct config_node *root, struct config_errors *errors);
/* Merge the ones that match into root; identity: name and labels are those of this node. */
int settings_overrides_apply(struct config_node *root, const struct settings *identity,
			     struct config_errors *errors);

/* metrics.web_config_file: the daemon's working directory is /, so it must be a whole path. */
int settings_check_web_config(const struct config_node *root, const char *prefix,
			      struct config_errors *errors);
/* Values that have a form of their own: metrics.listen and the globs, which are also brought to
 * one form (cgroup paths are relative). */
int settings_check_listen(const struct config_node *root, const char *prefix,
			  struct config_errors *errors);
int settings_check_globs(const struct config_node *root, const char *prefix,
			 struct config_errors *errors, struct settings *settings);
/* A cgroup path glob without slashes around it: into text, which is shortened in place. */
int settings_cgroup_glob(const struct config_node *node, const char *key,
			 struct config_errors *errors, char *text);

/* Read, check and merge the files. With -EINVAL *ret may be set as well: what could be read. */
int settings_tree_load(const char *file, const char *dropin_dir, bool missing_ok,
		       struct config_errors *errors, struct config_node **ret);
