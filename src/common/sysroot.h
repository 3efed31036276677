/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysroot.h - the directories of the host that Berth reads and writes, as open fds. These are the
 * only absolute paths in the tree; everything else is openat() below one of them. A test opens a
 * copy of a fixture instead.
 */
#pragma once

struct sysroot {
	int cgroup; /* PREFIX/sys/fs/cgroup */
	int proc;   /* PREFIX/proc */
	int sys;    /* PREFIX/sys */
	int root;   /* PREFIX itself, "/" on a host */
};

#define SYSROOT_NULL                                                            \
	{                                                                       \
		.cgroup = -EBADF, .proc = -EBADF, .sys = -EBADF, .root = -EBADF \
	}

/* prefix NULL or "" is the host. A directory that is missing leaves its fd at -EBADF and is not an
 * error (a container may lack one); only a missing prefix is: -errno. O_PATH|O_CLOEXEC fds. */
int sysroot_open(const char *prefix, struct sysroot *ret);
void sysroot_done(struct sysroot *root);
