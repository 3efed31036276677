/* SPDX-License-Identifier: Apache-2.0 */
#include "network/unified.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"

int unified_open(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent entry;
	char buffer[4096];
	int fd = -ENODEV;

	if (!mounts)
		return -errno;
	while (fd < 0 && getmntent_r(mounts, &entry, buffer, sizeof(buffer))) {
		if (strcmp(entry.mnt_type, "cgroup2") != 0)
			continue;
		fd = open(entry.mnt_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0)
			fd = -errno;
	}
	(void)endmntent(mounts);
	return fd;
}

int unified_group_open(int root, const char *path)
{
	int r = cgroup_path_check(path);
	int fd;

	if (r < 0)
		return r;
	fd = openat(root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}
