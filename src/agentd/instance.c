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

#define PID_FILE "berthd.pid"

/* For messages only; the lock is what counts, so a full disk is no reason to stop. */
static void pid_write(int dir_fd)
{
	cleanup_close int fd = openat(dir_fd, PID_FILE,
				      O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	char text[32];
	int length = snprintf(text, sizeof(text), "%d\n", (int)getpid());

	if (fd >= 0 && pwrite(fd, text, (size_t)length, 0) != length)
		(void)ftruncate(fd, 0);
}

int instance_open(const char *dir, int *ret_fd, pid_t *ret_pid)
{
	cleanup_close int fd = -EBADF;
	uint64_t pid = 0;

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		*ret_pid = file_read_u64(fd, PID_FILE, &pid) >= 0 ? (pid_t)pid : 0;
		return -EBUSY;
	}
	pid_write(fd);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int instance_make_state(const char *dir)
{
	cleanup_close int fd = -EBADF;

	/* Annotations of pods are nobody else's business. */
	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : 0;
}
