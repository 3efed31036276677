/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - the files that protect the listener are read while the loop waits. */
#include "file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "api/web/config.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"

/* File systems keep times by the tick: a write right after a look may leave them as they were. What
 * is younger than this when it is read is read again. */
#define YOUNG_SEC 2

bool web_marks_look(struct web_marks *marks, const char *const *paths)
{
	struct timespec now = { 0 };
	struct web_marks fresh;
	bool changed;

	/* Compared as bytes. */
	memset(&fresh, 0, sizeof(fresh));
	(void)clock_gettime(CLOCK_REALTIME, &now);
	for (size_t i = 0; i < ARRAY_SIZE(fresh.files); i++) {
		struct stat st;

		if (!paths[i][0] || stat(paths[i], &st) < 0)
			continue;
		fresh.files[i].device = st.st_dev;
		fresh.files[i].inode = st.st_ino;
		fresh.files[i].size = st.st_size;
		fresh.files[i].modified = st.st_mtim;
		fresh.files[i].changed = st.st_ctim;
		fresh.is_young |= st.st_ctim.tv_sec + YOUNG_SEC > now.tv_sec;
	}
	changed = marks->is_young || memcmp(fresh.files, marks->files, sizeof(fresh.files)) != 0;
	memcpy(marks, &fresh, sizeof(fresh));
	return changed;
}

int web_file_read(const char *path, char **ret, size_t *ret_length)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOTSUP;
	/* One that is half written: the next look reads the rest. */
	return file_read_fd(fd, LIMIT_WEB_FILE_BYTES, ret, ret_length);
}
