/* SPDX-License-Identifier: Apache-2.0 */
#include "sysroot.h"

#include <fcntl.h>

#include "cleanup.h"
#include "macro.h"

static int directory_open(int dirfd, const char *path, int *ret)
{
	int fd = openat(dirfd, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	/* Out of fds is no property of the host, and must not look like one. */
	return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? -errno : 0;
}

int sysroot_open(const char *prefix, struct sysroot *ret)
{
	CLEANUP(sysroot_done) struct sysroot root = SYSROOT_NULL;
	int r;

	root.root = open(prefix && *prefix ? prefix : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root.root < 0)
		return -errno;
	r = directory_open(root.root, "sys/fs/cgroup", &root.cgroup);
	if (r == 0)
		r = directory_open(root.root, "proc", &root.proc);
	if (r == 0)
		r = directory_open(root.root, "sys", &root.sys);
	if (r < 0)
		return r;
	*ret = root;
	/* NOLINTNEXTLINE(clang-analyzer-deadcode.DeadStores): the cleanup attribute reads it. */
	root = (struct sysroot)SYSROOT_NULL;
	return 0;
}

void sysroot_done(struct sysroot *root)
{
	if (!root)
		return;
	root->cgroup = close_keep_errno(root->cgroup);
	root->proc = close_keep_errno(root->proc);
	root->sys = close_keep_errno(root->sys);
	root->root = close_keep_errno(root->root);
}
