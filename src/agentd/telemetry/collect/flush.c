/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/flush.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"

static const char *const file_names[FLUSH_FILES] = { "cpu.stat", "memory.stat", "io.stat" };

void flush_init(struct flush *flush, int root, bool by_subsystem)
{
	*flush = (struct flush){ .root = root, .files = by_subsystem ? FLUSH_FILES : 1 };
}

static void group_close(struct flush_group *group)
{
	for (unsigned int i = 0; i < FLUSH_FILES; i++)
		group->fds[i] = close_keep_errno(group->fds[i]);
	free(group->name);
	group->name = NULL;
}

void flush_rest(struct flush *flush)
{
	for (unsigned int i = 0; i < flush->count; i++)
		group_close(&flush->groups[i]);
	flush->count = flush->last = 0;
}

void flush_begin(struct flush *flush)
{
	flush->pass++;
	flush->last = 0;
}

/* What is printed does not matter, and a short read is none of our business. */
static bool file_touch(int fd)
{
	char text[256];

	return pread(fd, text, sizeof(text), 0) >= 0;
}

static int file_open(const struct flush *flush, const char *name, unsigned int file)
{
	char path[NAME_MAX + 32];
	int length = snprintf(path, sizeof(path), "%s/%s", name, file_names[file]);

	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	return openat(flush->root, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
}

static void group_touch(const struct flush *flush, struct flush_group *group)
{
	for (unsigned int i = 0; i < MIN(flush->files, FLUSH_FILES); i++) {
		if (group->fds[i] >= 0 && file_touch(group->fds[i]))
			continue;
		/* It was removed and made again under its name, or is new. One that is gone, or has
		 * no such file, has nothing to bring up to date. */
		(void)close_keep_errno(group->fds[i]);
		group->fds[i] = file_open(flush, group->name, i);
		if (group->fds[i] >= 0)
			(void)file_touch(group->fds[i]);
	}
	group->pass = flush->pass;
}

static bool is_in(const struct flush_group *group, const char *path)
{
	return strncmp(path, group->name, group->length) == 0 &&
	       (path[group->length] == '/' || path[group->length] == '\0');
}

ANALYZER_LEAK_IGNORE_BEGIN
void flush_group(struct flush *flush, const char *path)
{
	struct flush_group *group = NULL;

	/* Neighbours mostly are in the same. */
	if (flush->last < flush->count && is_in(&flush->groups[flush->last], path))
		group = &flush->groups[flush->last];
	for (unsigned int i = 0; !group && i < flush->count; i++) {
		if (!is_in(&flush->groups[i], path))
			continue;
		group = &flush->groups[i];
		flush->last = i;
	}
	if (group) {
		if (group->pass != flush->pass)
			group_touch(flush, group);
		return;
	}
	/* One that is not kept, where there are that many, is opened each time. */
	struct flush_group once = {
		.length = strcspn(path, "/"),
		.fds = { -EBADF, -EBADF, -EBADF },
	};

	once.name = strndup(path, once.length);
	if (!once.name)
		return;
	group_touch(flush, &once);
	if (flush->count < LIMIT_FLUSH_GROUPS) {
		flush->last = flush->count;
		flush->groups[flush->count++] = once;
	} else {
		group_close(&once);
	}
}
ANALYZER_LEAK_IGNORE_END

void flush_end(struct flush *flush)
{
	unsigned int kept = 0;

	for (unsigned int i = 0; i < flush->count; i++) {
		if (flush->groups[i].pass == flush->pass)
			flush->groups[kept++] = flush->groups[i];
		else
			group_close(&flush->groups[i]);
	}
	flush->count = kept;
}
