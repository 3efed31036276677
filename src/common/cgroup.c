/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroup.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "macro.h"

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

const enum controller cgroup_watched[CGROUP_WATCHED] = {
	CONTROLLER_CPU,
	CONTROLLER_MEMORY,
	CONTROLLER_CPUACCT,
};

static bool component_is_valid(const char *name, size_t length)
{
	/* An empty one would give the same group a second name ("a//b"). */
	if (length == 0 || (length == 1 && name[0] == '.') ||
	    (length == 2 && name[0] == '.' && name[1] == '.'))
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return false;
	return true;
}

int cgroup_path_check(const char *path)
{
	if (strlen(path) >= CGROUP_PATH_MAX)
		return -ENAMETOOLONG;
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!component_is_valid(path, length))
			return -EINVAL;
		path += length;
		if (*path == '\0')
			return 0;
		path++;
	}
}

/* 0: not there. */
static uint64_t inode_read(const struct hierarchy_mount *mount, const char *path)
{
	char buffer[HIERARCHY_PATH_MAX];
	struct stat st;

	if (mount->version == 0)
		return 0;
	path = hierarchy_at(mount, path, buffer);
	/* Whatever the reason, a directory that cannot be seen cannot be used. */
	if (fstatat(mount->fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return st.st_ino;
}

static void inodes_read(const struct hierarchy *hierarchy, const char *path,
			uint64_t inodes[static CONTROLLER_MAX])
{
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[i];

		/* One stat a mount; the first controller on it comes before the others. */
		inodes[i] = mount->same_as < i ? inodes[mount->same_as] : inode_read(mount, path);
	}
}

static bool is_there(const struct hierarchy *hierarchy,
		     const uint64_t inodes[static CONTROLLER_MAX])
{
	bool any_mounted = false;

	for (size_t i = 0; i < CGROUP_WATCHED; i++) {
		if (inodes[cgroup_watched[i]] != 0)
			return true;
		any_mounted |= hierarchy->mounts[cgroup_watched[i]].version != 0;
	}
	for (size_t i = 0; !any_mounted && i < CONTROLLER_MAX; i++)
		if (inodes[i] != 0)
			return true;
	return false;
}

int cgroup_new(const struct hierarchy *hierarchy, const char *path, struct cgroup **ret)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;
	int r = cgroup_path_check(path);

	if (r < 0)
		return r;
	group = calloc(1, sizeof(*group));
	if (!group)
		return -ENOMEM;
	group->path = strdup(path);
	if (!group->path)
		return -ENOMEM;
	inodes_read(hierarchy, path, group->inode);
	if (!is_there(hierarchy, group->inode))
		return -ENOENT;
	*ret = TAKE_PTR(group);
	return 0;
}

struct cgroup *cgroup_free(struct cgroup *group)
{
	if (!group)
		return NULL;
	free(group->path);
	free(group);
	return NULL;
}

int cgroup_open(const struct hierarchy *hierarchy, const struct cgroup *group,
		enum controller controller)
{
	const struct hierarchy_mount *mount = &hierarchy->mounts[controller];
	char buffer[HIERARCHY_PATH_MAX];
	cleanup_close int fd = -EBADF;
	struct stat st;

	if (mount->version == 0)
		return -ENODEV;
	if (group->inode[controller] == 0)
		return -ENOENT;
	fd = openat(mount->fd, hierarchy_at(mount, group->path, buffer),
		    O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_ino != group->inode[controller])
		return -ESTALE;
	return TAKE_FD(fd);
}
