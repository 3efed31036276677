/* SPDX-License-Identifier: Apache-2.0 */
#include "sysroot.h"

#include <fcntl.h>

#include "cleanup.h"
#include "macro.h"

int sysroot_open(const char *prefix, struct sysroot *ret)
{
	int fd = open(prefix && *prefix ? prefix : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret->root = fd;
	return 0;
}

void sysroot_done(struct sysroot *root)
{
	if (root)
		root->root = close_keep_errno(root->root);
}
