/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "macro.h"
#include "parse.h"

#define FILE_READ_FIRST 4096u
#define NUMBER_TEXT     64u

static int file_open(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	return fd < 0 ? -errno : fd;
}

/* Until `size` bytes are there or the file ends: kernfs hands out what it has, in pieces. */
static ssize_t read_full(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t n = read(fd, text + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

int file_read(int dirfd, const char *name, char *text, size_t size)
{
	cleanup_close int fd = file_open(dirfd, name);
	ssize_t length;
	char more;

	if (fd < 0)
		return fd;
	if (size == 0)
		return -ENOSPC;
	length = read_full(fd, text, size);
	if (length < 0)
		return (int)length;
	if ((size_t)length == size) {
		ssize_t n = read_full(fd, &more, 1);

		if (n < 0)
			return (int)n;
		/* Full to the brim is fine if the last byte is the newline that is cut anyway. */
		if (n > 0 || text[size - 1] != '\n')
			return -ENOSPC;
	}
	if (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return (int)length;
}

int file_read_fd(int fd, size_t limit, char **ret_text, size_t *ret_length)
{
	size_t capacity = FILE_READ_FIRST, length = 0;
	cleanup_free char *text = NULL;

	for (;;) {
		char *grown = realloc(text, capacity + 1);
		ssize_t n;

		if (!grown)
			return -ENOMEM;
		text = grown;
		n = read_full(fd, text + length, capacity - length);
		if (n < 0)
			return (int)n;
		length += (size_t)n;
		if (length > limit)
			return -EFBIG;
		if (length < capacity)
			break;
		capacity *= 2;
	}
	text[length] = '\0';
	*ret_text = TAKE_PTR(text);
	if (ret_length)
		*ret_length = length;
	return 0;
}

int file_read_all(int dirfd, const char *name, char **ret_text, size_t *ret_length)
{
	cleanup_close int fd = file_open(dirfd, name);

	return fd < 0 ? fd : file_read_fd(fd, FILE_READ_MAX, ret_text, ret_length);
}

int file_read_u64(int dirfd, const char *name, uint64_t *ret)
{
	char text[NUMBER_TEXT];
	int r = file_read(dirfd, name, text, sizeof(text));

	if (r < 0)
		return r == -ENOSPC ? -EINVAL : r;
	if (strlen(text) != (size_t)r)
		return -EINVAL;
	if (strcmp(text, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	return parse_u64(text, ret);
}

static bool entry_is_directory(int dirfd, const struct dirent *entry)
{
	struct stat st;

	if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
		return false;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type == DT_DIR;
	/* Some file systems leave the type out of readdir(3). */
	return fstatat(dirfd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

int file_each_directory(int dirfd_at, const char *path, int (*fn)(void *data, const char *name),
			void *data)
{
	cleanup_close int fd = openat(dirfd_at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = NULL;

	if (fd < 0)
		return -errno;
	dir = fdopendir(fd);
	if (!dir)
		return -errno;
	(void)TAKE_FD(fd);
	for (;;) {
		const struct dirent *entry;
		int r;

		errno = 0;
		entry = readdir(dir);
		if (!entry)
			return -errno;
		if (!entry_is_directory(dirfd(dir), entry))
			continue;
		r = fn(data, entry->d_name);
		if (r < 0)
			return r;
	}
}
