/* SPDX-License-Identifier: Apache-2.0 */
/* host-parts.c - the owners of a plugin's claims: itself, and parts of it that decide for
 * themselves. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugin/host-internal.h"

#define PART_NAME_MAX 23u

static bool part_name_is_valid(const char *name)
{
	size_t length = name ? strspn(name, "abcdefghijklmnopqrstuvwxyz-") : 0;

	return length > 0 && length <= PART_NAME_MAX && name[length] == '\0';
}

const char *plugin_owner(const struct host_plugin *plugin, unsigned int part)
{
	return part == 0 ? plugin->plugin->table.name : plugin->parts[part];
}

/* Behind "PLUGIN/" of an owner; NULL: it is somebody else's. */
static const char *part_in_owner(const struct host_plugin *plugin, const char *owner)
{
	size_t length = strlen(plugin->plugin->table.name);

	if (strncmp(owner, plugin->plugin->table.name, length) != 0 || owner[length] != '/')
		return NULL;
	return owner + length + 1;
}

int plugin_part(struct host_plugin *plugin, const char *name, bool make)
{
	char *owner;

	if (!part_name_is_valid(name))
		return -EINVAL;
	for (unsigned int part = 1; part < LIMIT_PLUGIN_PARTS; part++) {
		const char *known =
			plugin->parts[part] ? part_in_owner(plugin, plugin->parts[part]) : NULL;

		if (known && strcmp(known, name) == 0)
			return (int)part;
		if (known)
			continue;
		if (!make)
			return -ENOENT;
		if (asprintf(&owner, "%s/%s", plugin->plugin->table.name, name) < 0)
			return -ENOMEM;
		plugin->parts[part] = owner;
		return (int)part;
	}
	return make ? -ENOSPC : -ENOENT;
}

int plugin_part_of_owner(const struct host_plugin *plugin, const char *owner)
{
	if (strcmp(owner, plugin->plugin->table.name) == 0)
		return 0;
	for (unsigned int part = 1; part < LIMIT_PLUGIN_PARTS && plugin->parts[part]; part++)
		if (strcmp(owner, plugin->parts[part]) == 0)
			return (int)part;
	return -ENOENT;
}

void plugin_parts_free(struct host_plugin *plugin)
{
	for (unsigned int part = 1; part < LIMIT_PLUGIN_PARTS; part++)
		free((void *)(uintptr_t)plugin->parts[part]);
}
