/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
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

/* As in /sys/fs/cgroup/cpu/batch/a: the path that a shell completes. */
static const char *without_mount(const struct registry *registry, const char *text)
{
	const char *best = text;

	for (size_t i = 0; registry->hierarchy && i < CONTROLLER_MAX; i++) {
		const char *path = registry->hierarchy->mounts[i].path;
		size_t length = path ? strlen(path) : 0;

		/* v1 may be mounted below v2, and the longer one is meant. */
		if (length > 0 && strncmp(text, path, length) == 0 && text[length] == '/' &&
		    text + length + 1 > best)
			best = text + length + 1;
	}
	return best;
}

static struct workload *find_path(const struct registry *registry, const char *text)
{
	char path[PATH_MAX];
	size_t length;

	text = without_mount(registry, text);
	text += strspn(text, "/");
	length = strlen(text);
	while (length > 0 && text[length - 1] == '/')
		length--;
	if (length >= sizeof(path))
		return NULL;
	memcpy(path, text, length);
	path[length] = '\0';
	return registry_find_path(registry, path);
}

size_t registry_near(const struct registry *registry, const char *text, const struct workload **ret,
		     size_t most)
{
	const struct workload *workload;
	size_t count = 0;

	list_foreach (workload, &registry->workloads, link) {
		size_t length = strlen(workload->namespace);
		bool spaced = length > 0 && strncmp(workload->namespace, text, length) == 0 &&
			      text[length] == '/';

		if (!strstr(workload->name, spaced ? text + length + 1 : text) &&
		    !strstr(workload->view.cgroup, text))
			continue;
		if (count < most)
			ret[count] = workload;
		count++;
	}
	return count;
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
	found = find_path(registry, text);
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
