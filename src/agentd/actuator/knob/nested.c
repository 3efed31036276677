/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/nested.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "limit.h"

bool knob_is_nested(enum knob knob, int version)
{
	return version == 1 && (knob_table[knob].flags & KNOB_NESTED);
}

void nested_parent(const struct knob_file *file, struct cpulist *ret)
{
	char path[64], text[KNOB_TEXT_MAX];

	memset(ret, 0, sizeof(*ret));
	(void)snprintf(path, sizeof(path), "../%s", file->name);
	if (file_read(file->dirfd, path, text, sizeof(text)) >= 0)
		(void)cpulist_parse(text, ret);
}

void nested_bound(const struct knob_file *file, struct cpulist *list)
{
	struct cpulist parent, both = *list;

	nested_parent(file, &parent);
	if (cpulist_is_empty(&parent))
		return;
	cpulist_intersect(&both, &parent);
	*list = cpulist_is_empty(&both) ? parent : both;
}

DIR *nested_below_open(int dirfd)
{
	/* A description of its own: whoever reads a directory moves its offset. */
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir)
		(void)close_keep_errno(fd);
	return dir;
}

const char *nested_below_next(DIR *dir)
{
	const struct dirent *entry;

	while ((entry = readdir(dir)))
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			return entry->d_name;
	return NULL;
}

static unsigned int path_levels(const char *path)
{
	unsigned int levels = 1;

	for (; *path; path++)
		levels += *path == '/';
	return levels;
}

int nested_below_path(const char *parent, const char *name, char path[static CGROUP_PATH_MAX])
{
	int length = snprintf(path, CGROUP_PATH_MAX, "%s/%s", parent, name);

	if (length < 0 || (size_t)length >= CGROUP_PATH_MAX ||
	    path_levels(path) > LIMIT_CPUSET_LEVELS)
		return -ENAMETOOLONG;
	return cgroup_path_check(path);
}

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

static void restore_one_below(const struct knob_place *place, const char *path, const char *from,
			      const char *to, bool (*keep)(void *data, const char *path),
			      void *data)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place below = *place;
	char current[KNOB_TEXT_MAX], text[KNOB_TEXT_MAX];
	struct cpulist list;

	if (keep(data, path) || cgroup_new(place->hierarchy, path, &group) < 0)
		return;
	below.group = group;
	if (knob_file_open(&below, true, &file) < 0 ||
	    knob_file_read(&file, current, sizeof(current)) < 0 ||
	    !knob_same(place->knob, file.version, current, from) || cpulist_parse(to, &list) < 0)
		return;
	nested_bound(&file, &list);
	if (cpulist_format(&list, text, sizeof(text)) <= 0 || knob_file_write(&file, text) < 0)
		return;
	nested_restore_below(&below, from, to, keep, data);
}

void nested_restore_below(const struct knob_place *place, const char *from, const char *to,
			  bool (*keep)(void *data, const char *path), void *data)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	cleanup_closedir DIR *dir = NULL;
	char path[CGROUP_PATH_MAX];
	const char *name;

	if (!from[0] || !to[0] || !knob_is_nested(place->knob, knob_place_version(place)) ||
	    knob_file_open(place, false, &file) < 0)
		return;
	dir = nested_below_open(file.dirfd);
	while (dir && (name = nested_below_next(dir)))
		if (nested_below_path(place->group->path, name, path) == 0)
			restore_one_below(place, path, from, to, keep, data);
}
