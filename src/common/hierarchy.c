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
		if (mount->version != 0 && mount->same_as == i && !mount->dir[0])
			(void)close_keep_errno(mount->fd);
		free(mount->path);
	}
	free(hierarchy->net_cls_path);
	if (hierarchy->v1_path)
		(void)close_keep_errno(hierarchy->v1_fd);
	free(hierarchy->v1_path);
	free(hierarchy->perf_event);
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

const char *hierarchy_at(const struct hierarchy_mount *mount, const char *path,
			 char buffer[static HIERARCHY_PATH_MAX])
{
	int n;

	if (!mount->dir[0])
		return *path ? path : ".";
	n = snprintf(buffer, HIERARCHY_PATH_MAX, "%s%s", mount->dir, path);
	/* No *at() finds "". */
	return n < 0 || (unsigned int)n >= HIERARCHY_PATH_MAX ? "" : buffer;
}

int hierarchy_open_root(const struct hierarchy_mount *mount, int flags)
{
	int fd;

	if (mount->version == 0)
		return -ENODEV;
	fd = openat(mount->fd, mount->dir[0] ? mount->dir : ".", flags | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* 1: a v1 mount beside the others: its place in *mount is set. 0: it needs an fd of its own. */
static int mount_join(struct hierarchy *hierarchy, const struct sysroot *root, const char *path,
		      struct hierarchy_mount *mount)
{
	const char *slash = strrchr(path, '/');
	cleanup_free char *parent = slash ? strndup(path, (size_t)(slash - path)) : NULL;
	int r;

	if (!parent)
		return slash ? -ENOMEM : 0;
	if (strlen(slash + 1) == 0 || strlen(slash + 1) + 2 > sizeof(mount->dir))
		return 0;
	if (hierarchy->v1_path && strcmp(hierarchy->v1_path, parent) != 0)
		return 0;
	if (!hierarchy->v1_path) {
		r = mount_open(root, parent);
		if (r < 0)
			return r;
		hierarchy->v1_fd = r;
		hierarchy->v1_path = TAKE_PTR(parent);
	}
	(void)snprintf(mount->dir, sizeof(mount->dir), "%s/", slash + 1);
	mount->fd = hierarchy->v1_fd;
	return 1;
}

/* Takes fd over, also on failure. `set` has a bit a controller. */
static int mounts_add(struct hierarchy *hierarchy, const struct sysroot *root, unsigned int set,
		      int version, const char *path, int fd_taken)
{
	cleanup_close int fd = fd_taken;
	struct hierarchy_mount first = { .same_as = -1 };
	int r;

	for (int i = 0; i < CONTROLLER_MAX; i++) {
		struct hierarchy_mount *mount = &hierarchy->mounts[i];

		if (!(set & 1u << i) || mount->version != 0)
			continue;
		mount->path = strdup(path);
		if (!mount->path)
			return -ENOMEM;
		if (first.same_as < 0) {
			r = version == 1 ? mount_join(hierarchy, root, path, &first) : 0;
			if (r < 0)
				return r;
			if (r == 0)
				first.fd = TAKE_FD(fd);
			first.version = version;
			first.same_as = i;
		}
		first.path = mount->path;
		*mount = first;
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

/* Without it nothing is counted, which is all. */
static void perf_event_take(struct hierarchy *hierarchy, const struct sysroot *root,
			    const char *path, int version)
{
	cleanup_close int fd = -EBADF;

	if (hierarchy->perf_event_version != 0)
		return;
	fd = mount_open(root, path);
	if (fd < 0)
		return;
	hierarchy->perf_event = strdup(path);
	if (hierarchy->perf_event)
		hierarchy->perf_event_version = version;
}

static int group_open(const struct sysroot *root, const char *mount, const char *group)
{
	cleanup_free char *path = NULL;
	int fd;

	/* "." before it: what is mounted on the sysroot itself has no other name. */
	if (asprintf(&path, ".%s/%s", mount, group) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = openat(root->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int hierarchy_open_perf_event(const struct hierarchy *hierarchy, const struct sysroot *root,
			      const char *group)
{
	return hierarchy->perf_event_version == 0 ? -EOPNOTSUPP
						  : group_open(root, hierarchy->perf_event, group);
}

int hierarchy_open_net_cls(const struct hierarchy *hierarchy, const struct sysroot *root,
			   const char *group)
{
	return hierarchy->net_cls_path ? group_open(root, hierarchy->net_cls_path, group) : -ENODEV;
}

static int net_cls_take(struct hierarchy *hierarchy, const char *path)
{
	if (!hierarchy->net_cls_path)
		hierarchy->net_cls_path = strdup(path);
	return hierarchy->net_cls_path ? 0 : -ENOMEM;
}

static int mount_read(const struct sysroot *root, const struct mntent *entry,
		      struct hierarchy *hierarchy, struct unified *unified)
{
	bool is_v2 = strcmp(entry->mnt_type, "cgroup2") == 0;
	unsigned int set = is_v2 ? 0 : missing_v1(hierarchy, entry);
	cleanup_close int fd = -EBADF;

	if (!is_v2 && hasmntopt(entry, "perf_event"))
		perf_event_take(hierarchy, root, entry->mnt_dir, 1);
	if (!is_v2 && hasmntopt(entry, "net_cls") && net_cls_take(hierarchy, entry->mnt_dir) < 0)
		return -ENOMEM;
	if (is_v2 ? unified->fd >= 0 : set == 0)
		return 0;
	fd = mount_open(root, entry->mnt_dir);
	/* Hidden under another mount, or not for us: as if it were not there. */
	if (fd < 0)
		return fd == -ENOMEM || fd == -EMFILE || fd == -ENFILE ? fd : 0;
	if (!is_v2)
		return mounts_add(hierarchy, root, set, 1, entry->mnt_dir, TAKE_FD(fd));
	unified->path = strdup(entry->mnt_dir);
	if (!unified->path)
		return -ENOMEM;
	unified->fd = TAKE_FD(fd);
	return 0;
}

/* setmntent(3) takes a path and has no *at form. */
static FILE *table_open(const struct sysroot *root)
{
	cleanup_close int fd =
		openat(root->root, "proc/self/mounts", O_RDONLY | O_CLOEXEC | O_NOCTTY);
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

		perf_event_take(&hierarchy, root, unified.path, 2);

		r = mounts_add(&hierarchy, root, set, 2, unified.path, TAKE_FD(unified.fd));
		if (r < 0)
			return r;
	}
	*ret = hierarchy;
	hierarchy_init(&hierarchy);
	return 0;
}
