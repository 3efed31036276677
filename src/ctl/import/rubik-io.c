/* SPDX-License-Identifier: Apache-2.0 */
/* rubik-io.c - ioCost: models of disks, for all nodes ("global") or by a node's name. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import/rubik.h"
#include "macro.h"

#define COST "plugins.colocation.io.cost"

#define MODEL(from)                                                                                \
	{                                                                                          \
		"param." from, IMPORT_INT, 1, INT64_MAX, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, \
			NULL                                                                       \
	}

static const char *const model_names[] = { "rbps", "rseqiops", "rrandiops",
					   "wbps", "wseqiops", "wrandiops" };

static const struct import_field device_fields[] = {
	{ "dev", IMPORT_TEXT, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, NULL },
	{ "model", IMPORT_WORD, 0, 0, IMPORT_NONE, "linear", NULL, IMPORT_AS_IT_IS, NULL },
	{ "enable", IMPORT_BOOL, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS,
	  "rubik's documents have it and its code passes over it: the disk is taken" },
	MODEL("rbps"),
	MODEL("rseqiops"),
	MODEL("rrandiops"),
	MODEL("wbps"),
	MODEL("wseqiops"),
	MODEL("wrandiops"),
	{ NULL },
};

static const struct import_field node_fields[] = {
	{ "nodeName", IMPORT_TEXT, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, NULL },
	{ "config", IMPORT_ANY, 0, 0, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, NULL },
	{ NULL },
};

/* Letters that neither a glob nor YAML takes for anything else. */
static bool is_plain(const char *name)
{
	return *name &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			    "-_.:!") == strlen(name);
}

static int device_bind(const struct import_section *device)
{
	json_t *name = import_value(device, "dev");
	struct strbuf item cleanup_strbuf = {};
	const char *disk;
	int r = import_check(device, device_fields);

	if (r < 0)
		return r;
	disk = name ? json_string_value(name) : "";
	disk += strncmp(disk, "/dev/", 5) == 0 ? 5 : 0;
	if (!is_plain(disk))
		return import_error(device->import, device->document, device->path,
				    "dev: expected the name of a disk, such as sdb");
	strbuf_add(&item, disk);
	for (size_t i = 0; i < ARRAY_SIZE(model_names); i++) {
		char key[32];

		(void)snprintf(key, sizeof(key), "param.%s", model_names[i]);
		if (!import_value(device, key))
			return import_error(device->import, device->document, device->path,
					    "%s is missing, and rubik does not start without", key);
		strbuf_addf(&item, " %s=%" PRId64, model_names[i], import_int(device, key, 0));
	}
	import_policy_item(device->import, device->policy, COST, strbuf_text(&item));
	return 0;
}

/* The policy that a node's devices belong to: the whole one, or an override. */
static int node_policy(const struct import_section *node, bool has_global, struct import_node **ret)
{
	json_t *name = import_value(node, "nodeName");
	const char *text = name ? json_string_value(name) : "";
	char match[320];

	if (!is_plain(text) || strlen(text) > 253)
		return import_error(node->import, node->document, node->path,
				    "nodeName: expected a node's name or \"global\"");
	*ret = &node->import->policy;
	if (strcmp(text, "global") == 0)
		return 0;
	(void)snprintf(match, sizeof(match), "{node: \"%s\"}", text);
	*ret = import_policy_override(node->import, match);
	if (*ret && !has_global)
		import_remark(node->import, node->document, node->path, &node->import->policy, COST,
			      "for the node '%s' alone: see overrides", text);
	return 0;
}

static bool is_global(json_t *node)
{
	const char *name = json_string_value(json_object_get(node, "nodeName"));

	return name && strcmp(name, "global") == 0;
}

static bool is_named_before(json_t *list, size_t place)
{
	const char *name =
		json_string_value(json_object_get(json_array_get(list, place), "nodeName"));

	for (size_t i = 0; name && i < place; i++) {
		json_t *other = json_object_get(json_array_get(list, i), "nodeName");

		if (json_is_string(other) && strcmp(json_string_value(other), name) == 0)
			return true;
	}
	return false;
}

static int node_bind(const struct rubik *rubik, json_t *object, const char *path, bool has_global)
{
	struct import_section node = rubik_section(rubik, RUBIK_IO_COST, COST);
	json_t *devices, *item;
	size_t i;
	int result;

	node.path = path;
	node.object = object;
	result = import_check(&node, node_fields);
	if (result == 0)
		result = node_policy(&node, has_global, &node.policy);
	if (result < 0 || !node.policy)
		return result;
	devices = import_value(&node, "config");
	json_array_foreach(devices, i, item)
	{
		struct import_section device = node;
		char device_path[128];
		int r;

		(void)snprintf(device_path, sizeof(device_path), "%s.config[%zu]", path, i);
		device.path = device_path;
		device.object = item;
		r = device_bind(&device);
		result = MIN(result, r);
	}
	return result;
}

int rubik_io_cost(const struct rubik *rubik)
{
	json_t *list = rubik->sections[RUBIK_IO_COST], *item;
	bool has_global = false;
	size_t i;
	int result = 0;

	if (!list)
		return 0;
	if (!json_is_array(list))
		return import_error(rubik->import, rubik->document, "ioCost",
				    "expected a list, [ ... ]");
	json_array_foreach(list, i, item) has_global |= is_global(item);
	json_array_foreach(list, i, item)
	{
		char path[64];
		int r;

		(void)snprintf(path, sizeof(path), "ioCost[%zu]", i);
		if (is_named_before(list, i))
			r = import_error(rubik->import, rubik->document, path,
					 "this node is in the list before: which one is meant?");
		else
			r = node_bind(rubik, item, path, has_global);

		result = MIN(result, r);
	}
	return result;
}
