/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "cleanup.h"
#include "macro.h"

void (*actuator_failpoint)(const char *step);

int knob_place_version(const struct knob_place *place)
{
	const struct knob_row *row = &knob_table[place->knob];

	if (row->flags & KNOB_HOST)
		return 1;
	return place->hierarchy->mounts[row->controller].version;
}

static int knob_directory_open(const struct knob_place *place)
{
	const struct knob_row *row = &knob_table[place->knob];

	if (row->flags & KNOB_HOST) {
		int fd = openat(place->root->proc, "sys", O_PATH | O_DIRECTORY | O_CLOEXEC);

		return fd < 0 ? -errno : fd;
	}
	if (!place->group)
		return -EINVAL;
	return cgroup_open(place->hierarchy, place->group, row->controller);
}

int knob_file_open(const struct knob_place *place, bool writable, struct knob_file *ret)
{
	cleanup_close int dirfd = -EBADF;
	cleanup_close int fd = -EBADF;
	int version = knob_place_version(place);
	const char *name = knob_file(place->knob, version);
	struct stat st;

	if (knob_table[place->knob].flags & KNOB_HOST)
		name = knob_table[place->knob].file_v1;
	if (!name)
		return -EOPNOTSUPP;
	dirfd = knob_directory_open(place);
	if (dirfd < 0)
		return dirfd;
	/* Non-blocking: whatever somebody has put in the file's place must not stop the loop. */
	fd = openat(dirfd, name,
		    (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW |
			    O_NONBLOCK);
	if (fd < 0)
		return errno == ENOENT ? -ENXIO : -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -EINVAL;
	*ret = (struct knob_file){
		.dirfd = TAKE_FD(dirfd),
		.fd = TAKE_FD(fd),
		.version = version,
		.knob = place->knob,
		.name = name,
	};
	return 0;
}

void knob_file_done(struct knob_file *file)
{
	file->fd = close_keep_errno(file->fd);
	file->dirfd = close_keep_errno(file->dirfd);
}

int knob_file_read(const struct knob_file *file, char *text, size_t size)
{
	ssize_t n = pread(file->fd, text, size, 0);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -EMSGSIZE;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
	return 0;
}

int knob_file_write(const struct knob_file *file, const char *text)
{
	char line[KNOB_TEXT_MAX + 1];
	int length = snprintf(line, sizeof(line), "%s\n", text);
	struct stat st;
	ssize_t n;

	if (length < 0 || (size_t)length >= sizeof(line))
		return -EMSGSIZE;
	failpoint("knob-write");
	/* One write: the kernel takes each write of a knob as a whole value. */
	n = pwrite(file->fd, line, (size_t)length, 0);
	if (n < 0)
		return -errno;
	if (n != length)
		return -EIO;
	/* A kernel file has no size; the plain file of a fixture keeps the tail of a longer text.
	 */
	if (fstat(file->fd, &st) == 0 && st.st_size > length)
		(void)!ftruncate(file->fd, length);
	failpoint("knob-written");
	return 0;
}
