/* SPDX-License-Identifier: Apache-2.0 */
#include "hierarchy.h"

#include <fcntl.h>
#include <mntent.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"

/* One line of the mount table. Longer ones (overlay's lowerdir=) are cut by getmntent_r(3); those
 * of cgroup mounts are short. */
#define MOUNT_LINE 4096u

static const struct {
	const char *name, *v1;
} controllers[CONTROLLER_MAX] = {
	[CONTROLLER_CPU] = { "cpu", "cpu" },
	[CONTROLLER_CPUACCT] = { "cpuacct", "cpuacct" },
	[CONTROLLER_CPUSET] = { "cpuset", "cpuset" },
	[CONTROLLER_MEMORY] = { "memory", "memory" },
	[CONTROLLER_IO] = { "io", "blkio" },
	[CONTROLLER_PIDS] = { "pids", "pids" },
};

const char *controller_name(enum controller controller)
{
	if ((unsigned int)controller >= CONTROLLER_MAX)
		return "unknown";
	return controllers[controller].name;
}

const char *hierarchy_mode_name(enum hierarchy_mode mode)
{
	switch (mode) {
	case HIERARCHY_NONE:
		return "none";
	case HIERARCHY_V1:
		return "v1";
	case HIERARCHY_V2:
		return "v2";
	}
	return "unknown";
}

static void hierarchy_init(struct hierarchy *hierarchy)
{
	*hierarchy = (struct hierarchy){ .mode = HIERARCHY_NONE };
	for (int i = 0; i < CONTROLLER_MAX; i++)
		hierarchy->mounts[i] = (struct hierarchy_mount){ .fd = -EBADF, .same_as = i };
}

void hierarchy_done(struct hierarchy *hierarchy)
{
	if (!hierarchy)
		return;
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		struct hierarchy_mount *mount = &hierarchy->mounts[i];

		/* Controllers of one mount share its fd. A zeroed struct owns none: it would have
		 * fd 0 and no version. */
		if (mount->version != 0 && mount->same_as == i)
			(void)close_keep_errno(mount->fd);
		free(mount->path);
	}
	hierarchy_init(hierarchy);
}

/* A mount point as an fd: below the root of the sysroot, which may be a fixture. */
static int mount_open(const struct sysroot *root, const char *path)
{
	int fd;

	path += strspn(path, "/");
	fd = openat(root->root, *path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Takes fd over, also on failure. `set` has a bit a controller. */
static int mounts_add(struct hierarchy *hierarchy, unsigned int set, int version, const char *path,
		      int fd_taken)
{
	cleanup_close int fd = fd_taken;
	int first = -1;

	for (int i = 0; i < CONTROLLER_MAX; i++) {
		struct hierarchy_mount *mount = &hierarchy->mounts[i];

		if (!(set & 1u << i) || mount->version != 0)
			continue;
		mount->path = strdup(path);
		if (!mount->path)
			return -ENOMEM;
		if (first < 0) {
			first = i;
			mount->fd = TAKE_FD(fd);
		} else {
			mount->fd = hierarchy->mounts[first].fd;
		}
		mount->version = version;
		mount->same_as = first;
	}
	return 0;
}

static unsigned int missing_v1(const struct hierarchy *hierarchy, const struct mntent *entry)
{
	unsigned int set = 0;

	/* The first mount of a controller is the one; later ones are copies (bind mounts of
	 * container managers). */
	for (int i = 0; i < CONTROLLER_MAX; i++)
		if (hierarchy->mounts[i].version == 0 && hasmntopt(entry, controllers[i].v1))
			set |= 1u << i;
	return set;
}

/* What cgroup.controllers of the root offers: in hybrid mode, the ones that no v1 mount took. */
static unsigned int offered_v2(int fd)
{
	char text[512], *save = NULL;
	unsigned int set = 0;

	if (file_read(fd, "cgroup.controllers", text, sizeof(text)) < 0)
		return 0;
	for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save))
		for (int i = 0; i < CONTROLLER_MAX; i++)
			if (i != CONTROLLER_CPUACCT && strcmp(word, controllers[i].name) == 0)
				set |= 1u << i;
	if (set & 1u << CONTROLLER_CPU)
		set |= 1u << CONTROLLER_CPUACCT;
	return set;
}

struct unified {
	int fd;
	char *path;
};

static void unified_done(struct unified *unified)
{
	unified->fd = close_keep_errno(unified->fd);
	free(unified->path);
}

static int mount_read(const struct sysroot *root, const struct mntent *entry,
		      struct hierarchy *hierarchy, struct unified *unified)
{
	bool is_v2 = strcmp(entry->mnt_type, "cgroup2") == 0;
	unsigned int set = is_v2 ? 0 : missing_v1(hierarchy, entry);
	cleanup_close int fd = -EBADF;

	if (is_v2 ? unified->fd >= 0 : set == 0)
		return 0;
	fd = mount_open(root, entry->mnt_dir);
	/* Hidden under another mount, or not for us: as if it were not there. */
	if (fd < 0)
		return fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ? fd : 0;
	if (!is_v2)
		return mounts_add(hierarchy, set, 1, entry->mnt_dir, TAKE_FD(fd));
	unified->path = strdup(entry->mnt_dir);
	if (!unified->path)
		return -ENOMEM;
	unified->fd = TAKE_FD(fd);
	return 0;
}

/* setmntent(3) takes a path and has no *at form. */
static FILE *table_open(const struct sysroot *root)
{
	cleanup_close int fd = openat(root->proc, "self/mounts", O_RDONLY | O_CLOEXEC | O_NOCTTY);
	FILE *file;

	if (fd < 0)
		return NULL;
	file = fdopen(fd, "re");
	if (file)
		(void)TAKE_FD(fd);
	return file;
}

int hierarchy_open(const struct sysroot *root, struct hierarchy *ret)
{
	CLEANUP(unified_done) struct unified unified = { .fd = -EBADF };
	cleanup_fclose FILE *table = table_open(root);
	CLEANUP(hierarchy_done) struct hierarchy hierarchy;
	char line[MOUNT_LINE];
	struct mntent entry;
	int r;

	hierarchy_init(&hierarchy);
	if (!table)
		return -errno;
	while (getmntent_r(table, &entry, line, sizeof(line))) {
		if (strcmp(entry.mnt_type, "cgroup") != 0 && strcmp(entry.mnt_type, "cgroup2") != 0)
			continue;
		r = mount_read(root, &entry, &hierarchy, &unified);
		if (r < 0)
			return r;
	}
	if (ferror(table))
		return -EIO;
	for (int i = 0; i < CONTROLLER_MAX; i++)
		if (hierarchy.mounts[i].version == 1)
			hierarchy.mode = HIERARCHY_V1;
	if (unified.fd >= 0) {
		if (hierarchy.mode == HIERARCHY_NONE)
			hierarchy.mode = HIERARCHY_V2;

		unsigned int set = offered_v2(unified.fd);

		r = mounts_add(&hierarchy, set, 2, unified.path, TAKE_FD(unified.fd));
		if (r < 0)
			return r;
	}
	*ret = hierarchy;
	hierarchy_init(&hierarchy);
	return 0;
}
