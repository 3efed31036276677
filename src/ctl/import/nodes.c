/* SPDX-License-Identifier: Apache-2.0 */
#include "import/nodes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Of names and values of Kubernetes labels. */
static bool is_label(const char *text)
{
	return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") ==
	       strlen(text);
}

struct import_node *import_nodes_override(const struct import_section *entry, const char *selector)
{
	struct import_section below = *entry;
	struct strbuf match cleanup_strbuf = {};
	char path[160];
	json_t *labels, *value;
	const char *name;
	unsigned int count = 0;

	(void)snprintf(path, sizeof(path), "%.80s.%s", entry->path, selector);
	below.object = import_value(entry, selector);
	labels = import_value(&below, "matchLabels");
	if (import_value(&below, "matchExpressions") || !json_is_object(labels) ||
	    json_object_size(labels) == 0) {
		import_remark(entry->import, entry->document, path, entry->policy, "overrides",
			      "left out: an override matches nodes by labels with values "
			      "(matchLabels) or by name");
		return NULL;
	}
	strbuf_add(&match, "{labels: {");
	json_object_foreach(labels, name, value)
	{
		if (!json_is_string(value) || !is_label(name) ||
		    !is_label(json_string_value(value))) {
			(void)import_error(entry->import, entry->document, path,
					   "matchLabels: expected labels with strings as values");
			return NULL;
		}
		strbuf_add(&match, count++ ? ", " : "");
		import_quote(&match, name);
		strbuf_add(&match, ": ");
		import_quote(&match, json_string_value(value));
	}
	strbuf_add(&match, "}}");
	return import_policy_override(entry->import, strbuf_text(&match));
}

json_t *import_nodes_merge(struct import_section *entry, const json_t *cluster)
{
	json_t *merged = cluster ? json_deep_copy(cluster) : json_object();

	if (!merged || json_object_update_recursive(merged, entry->object) < 0) {
		entry->import->error = -ENOMEM;
		json_decref(merged);
		return NULL;
	}
	entry->object = merged;
	entry->is_silent = true;
	return merged;
}

void import_nodes_remark(const struct import_section *section, const char *key, size_t count,
			 const char *which_wins)
{
	if (count == 0)
		return;
	import_remark(
		section->import, section->document, key, section->policy, "overrides",
		"a node's labels are those of its own policy (node.labels), not the API's%s%s%s",
		count > 1 ? "; of two that match a node " : "", count > 1 ? which_wins : "",
		count > 1 ? ", while Berth refuses two overrides that set one key" : "");
}
