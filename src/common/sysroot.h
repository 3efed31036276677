/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sysroot.h - the host that Berth reads and writes, as an open fd of its root. This is the only
 * absolute path in the tree; everything else ("proc/meminfo", "sys/devices/...") is openat() below
 * it. A test opens a copy of a fixture instead.
 */
#pragma once

struct sysroot {
	int root; /* PREFIX, "/" on a host */
};

#define SYSROOT_NULL           \
	{                      \
		.root = -EBADF \
	}

/* prefix NULL or "" is the host. An O_PATH|O_CLOEXEC fd. -errno: there is no such directory. */
int sysroot_open(const char *prefix, struct sysroot *ret);
void sysroot_done(struct sysroot *root);
