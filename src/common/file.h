/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.h - small files, relative to a directory fd, reads only. Writing is the actuator's.
 * All take dirfd or AT_FDCWD, open with O_CLOEXEC|O_NOCTTY, and return -errno.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define FILE_READ_MAX (4u * 1024 * 1024) /* of file_read_all(); larger is -EFBIG */

/* Into text, NUL terminated, one trailing newline cut. The length; -ENOSPC if it does not fit. */
int file_read(int dirfd, const char *name, char *text, size_t size);

/* The whole file, NUL terminated, newline kept; *ret_text is the caller's to free(). ret_length may
 * be NULL. 0 or -errno. */
int file_read_all(int dirfd, const char *name, char **ret_text, size_t *ret_length);

/* The same of what is open at fd, from where it stands to its end, with a limit of the caller's;
 * fd stays open. */
int file_read_fd(int fd, size_t limit, char **ret_text, size_t *ret_length);

/* One unsigned integer; "max" reads as UINT64_MAX. -EINVAL if the file holds anything else. */
int file_read_u64(int dirfd, const char *name, uint64_t *ret);

/* Calls fn for each directory entry that is a directory (not . and ..), with its name; a negative
 * return of fn ends it. 0 or -errno. */
int file_each_directory(int dirfd, const char *path, int (*fn)(void *data, const char *name),
			void *data);
