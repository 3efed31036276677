/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cleanup.h - scope-bound ownership. Every local that owns something carries one of these, so that
 * an early return leaks nothing. Owned fds start at -EBADF, owned pointers at NULL.
 */
#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

/* Defines `FUNCTIONp` for CLEANUP(): calls FUNCTION(x) on a pointer that may be NULL. */
#define DEFINE_CLEANUP(type, function)                \
	static inline void function##p(type *pointer) \
	{                                             \
		if (*pointer)                         \
			function(*pointer);           \
	}                                             \
	struct cleanup_needs_semicolon

static inline void freep(void *pointer)
{
	free(*(void **)pointer);
}

/* Keeps errno: it runs while a failure is on its way out. */
static inline int close_keep_errno(int fd)
{
	int saved = errno;

	if (fd >= 0)
		(void)close(fd);
	errno = saved;
	return -EBADF;
}

static inline void closep(const int *fd)
{
	(void)close_keep_errno(*fd);
}

static inline void fclosep(FILE **file)
{
	if (*file)
		(void)fclose(*file);
}

static inline void closedirp(DIR **dir)
{
	if (*dir)
		(void)closedir(*dir);
}

#define cleanup_free     CLEANUP(freep)
#define cleanup_close    CLEANUP(closep)
#define cleanup_fclose   CLEANUP(fclosep)
#define cleanup_closedir CLEANUP(closedirp)
