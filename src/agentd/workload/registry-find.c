/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "parse.h"
#include "workload/registry.h"

struct workload *registry_get(const struct registry *registry, uint64_t id)
{
	return hashmap_get_u64(&registry->by_id, id);
}

struct workload *registry_find_path(const struct registry *registry, const char *cgroup)
{
	return hashmap_get(&registry->by_path, cgroup);
}

static bool name_fits(const struct workload *workload, const char *text)
{
	return strcmp(workload->name, text) == 0 ||
	       (workload->alias && strcmp(workload->alias, text) == 0);
}

static bool workload_is_named(const struct workload *workload, const char *text)
{
	size_t length = strlen(workload->namespace);
	const char *name = text;

	if (workload->uid && strcmp(workload->uid, text) == 0)
		return true;
	if (name_fits(workload, text))
		return true;
	if (length == 0 || strncmp(workload->namespace, text, length) != 0 || text[length] != '/')
		return false;
	name += length + 1;
	return name_fits(workload, name);
}

struct workload *registry_find(const struct registry *registry, const char *text, size_t *ret_many)
{
	struct workload *workload, *found = NULL;
	size_t matches = 0;
	uint64_t id;

	if (ret_many)
		*ret_many = 0;
	if (parse_u64(text, &id) == 0) {
		found = registry_get(registry, id);
		if (found)
			return found;
	}
	found = registry_find_path(registry, text[0] == '/' ? text + 1 : text);
	if (found)
		return found;
	list_foreach (workload, &registry->workloads, link)
		if (workload_is_named(workload, text)) {
			found = workload;
			matches++;
		}
	if (matches > 1 && ret_many)
		*ret_many = matches;
	return matches == 1 ? found : NULL;
}
