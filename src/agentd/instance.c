/* SPDX-License-Identifier: Apache-2.0 */
/* instance.c - one berthd a runtime directory. */
#include "instance.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"

#define LOCK_FILE "berthd.lock"

static int instance_lock(int dir_fd, int *ret_fd, pid_t *ret_pid)
{
	cleanup_close int fd = openat(dir_fd, LOCK_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
	char text[32];
	int length;

	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		uint64_t pid = 0;

		if (errno != EWOULDBLOCK)
			return -errno;
		*ret_pid = file_read_u64(dir_fd, LOCK_FILE, &pid) >= 0 ? (pid_t)pid : 0;
		return -EBUSY;
	}
	length = snprintf(text, sizeof(text), "%d\n", (int)getpid());
	/* The pid is for messages only; the lock is what counts, so a full disk is no reason to
	 * stop. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, text, (size_t)length, 0) != length)
		(void)ftruncate(fd, 0);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int instance_open(const char *dir, int *ret_dir_fd, int *ret_lock_fd, pid_t *ret_pid)
{
	cleanup_close int dir_fd = -EBADF;
	int lock_fd = -EBADF;
	int r;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir_fd < 0)
		return -errno;
	r = instance_lock(dir_fd, &lock_fd, ret_pid);
	if (r < 0)
		return r;
	*ret_lock_fd = lock_fd;
	*ret_dir_fd = TAKE_FD(dir_fd);
	return 0;
}

int instance_open_state(const char *dir, int *ret_fd)
{
	int fd;

	/* Annotations of pods are nobody else's business. */
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}
