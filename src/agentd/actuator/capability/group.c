/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/capability/group.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "cleanup.h"
#include "file.h"

#define PROBE_GROUP "berth.probe"

static bool is_cgroup_filesystem(int fd)
{
	struct statfs st;

	return fstatfs(fd, &st) == 0 &&
	       (st.f_type == CGROUP_SUPER_MAGIC || st.f_type == CGROUP2_SUPER_MAGIC);
}

static int directory_open(int dirfd, const char *path)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return fd < 0 ? -errno : fd;
}

/* One that is there is a killed daemon's, or that of another one (`berthd --plan`) just now: it is
 * as good, since every probe leaves what it found. */
static int probe_directory_make(int root_fd)
{
	return mkdirat(root_fd, PROBE_GROUP, 0755) == 0 || errno == EEXIST ? 0 : -errno;
}

static void probe_group_open(struct probe_group *group, const char *sample_group)
{
	int r = -EROFS;

	group->top = hierarchy_open_root(group->mount, O_PATH);
	if (is_cgroup_filesystem(group->top)) {
		r = probe_directory_make(group->top);
		if (r == 0)
			r = directory_open(group->top, PROBE_GROUP);
		if (r >= 0) {
			group->fd = r;
			group->is_own = group->remove = true;
			return;
		}
	}
	group->error = r;
	if (!sample_group)
		return;
	r = directory_open(group->top, sample_group);
	if (r >= 0)
		group->fd = r;
	else
		group->error = r;
}

void probe_groups_open(const struct hierarchy *hierarchy, const char *sample_group,
		       struct probe_group *groups)
{
	for (int i = 0; i < CONTROLLER_MAX; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[i];

		groups[i] = (struct probe_group){
			.mount = mount,
			.top = -EBADF,
			.fd = -EBADF,
			.error = -ENODEV,
		};
		if (mount->version == 0)
			continue;
		if (mount->same_as < i) {
			groups[i] = groups[mount->same_as];
			groups[i].remove = false;
			continue;
		}
		probe_group_open(&groups[i], sample_group);
	}
}

/* Is the group that was probed still the one of that name? */
static bool probe_group_stands(const struct probe_group *group)
{
	struct stat opened, named;

	return fstat(group->fd, &opened) == 0 &&
	       fstatat(group->top, PROBE_GROUP, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       opened.st_ino == named.st_ino;
}

bool probe_groups_close(struct probe_group *groups)
{
	bool stood = true;

	for (int i = 0; i < CONTROLLER_MAX; i++) {
		struct probe_group *group = &groups[i];

		if (group->remove) {
			stood = stood && probe_group_stands(group);
			(void)unlinkat(group->top, PROBE_GROUP, AT_REMOVEDIR);
		}
		/* One with an fd of its own, not shared with an earlier controller. */
		if (group->mount->same_as == i) {
			(void)close_keep_errno(group->fd);
			(void)close_keep_errno(group->top);
		}
		group->fd = group->top = -EBADF;
	}
	return stood;
}

static bool root_file_has(const struct probe_group *group, const char *file,
			  enum controller controller)
{
	const char *name = controller_name(controller);
	size_t length = strlen(name);
	char text[256];
	const char *word = text;

	/* cpuacct is cpu on v2 (cgroup-v2.rst). */
	if (controller == CONTROLLER_CPUACCT)
		return root_file_has(group, file, CONTROLLER_CPU);
	if (file_read(group->top, file, text, sizeof(text)) < 0)
		return false;
	while (*word) {
		size_t size = strcspn(word, " ");

		if (size == length && memcmp(word, name, length) == 0)
			return true;
		word += size;
		word += strspn(word, " ");
	}
	return false;
}

bool probe_group_offers(const struct probe_group *group, enum controller controller)
{
	return root_file_has(group, "cgroup.controllers", controller);
}

bool probe_group_enables(const struct probe_group *group, enum controller controller)
{
	return root_file_has(group, "cgroup.subtree_control", controller);
}

int probe_group_write(const struct probe_group *group, const char *file, const char *text)
{
	cleanup_close int fd =
		openat(group->fd, file, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW);
	size_t length = strlen(text);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text, length);
	if (n < 0)
		return -errno;
	return (size_t)n == length ? 0 : -EIO;
}

int probe_group_see(const struct probe_group *group, const char *file)
{
	return faccessat(group->fd, file, R_OK | W_OK, 0) < 0 ? -errno : 0;
}

int probe_group_try(const struct probe_group *group, const char *file)
{
	char text[128];
	int r;

	if (!group->is_own)
		return probe_group_see(group, file);
	r = file_read(group->fd, file, text, sizeof(text));
	if (r < 0)
		return r;
	return probe_group_write(group, file, text);
}
