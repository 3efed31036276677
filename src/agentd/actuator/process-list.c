/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/process-list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "limit.h"
#include "macro.h"
#include "parse.h"

#define DEPTH_MAX        32u
#define STAT_START_FIELD 22
#define STAT_PPID_FIELD  4
#define STAT_STATE_FIELD 3

struct process_walk {
	const char *file;
	int *pids;
	size_t count, capacity, limit, groups;
	int parent_fd;
	unsigned int depth;
	bool over;
};

int process_open(int root, int pid)
{
	char name[32];
	int fd;

	(void)snprintf(name, sizeof(name), "proc/%d", pid);
	fd = openat(root, name, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	return fd;
}

/* The text behind the `skip`-th blank; NULL if there are fewer. */
static const char *field_find(const char *text, int skip)
{
	for (; text && skip > 0; skip--) {
		text = strchr(text, ' ');
		if (text)
			text++;
	}
	return text;
}

int process_stat_read(int process_fd, struct process_stat *ret)
{
	struct process_stat stat = { .pid = 0 };
	uint64_t pid, parent;
	char text[1024];
	const char *fields, *start, *ppid;
	int r = file_read(process_fd, "stat", text, sizeof(text));

	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	/* The name in parentheses may hold blanks and parentheses itself: the last one ends it. */
	fields = strrchr(text, ')');
	if (!fields || fields[1] != ' ')
		return -EINVAL;
	fields += 2;
	ppid = field_find(fields, STAT_PPID_FIELD - STAT_STATE_FIELD);
	start = field_find(fields, STAT_START_FIELD - STAT_STATE_FIELD);
	if (!ppid || !start)
		return -EINVAL;
	if (parse_u64_span(text, strcspn(text, " "), &pid) < 0 ||
	    parse_u64_span(ppid, strcspn(ppid, " "), &parent) < 0 ||
	    parse_u64_span(start, strcspn(start, " "), &stat.start) < 0)
		return -EINVAL;
	stat.pid = (int)pid;
	stat.parent = (int)parent;
	stat.state = fields[0];
	*ret = stat;
	return 0;
}

static int pid_add(struct process_walk *walk, int pid)
{
	if (walk->count == walk->capacity) {
		size_t capacity = walk->capacity ? walk->capacity * 2 : 64;
		int *pids = reallocarray(walk->pids, capacity, sizeof(*pids));

		if (!pids)
			return -ENOMEM;
		walk->pids = pids;
		walk->capacity = capacity;
	}
	walk->pids[walk->count++] = pid;
	return 0;
}

static int pids_add(struct process_walk *walk, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");
		uint64_t pid;
		int r;

		/* 0 is a process of a pid namespace that this one cannot see. */
		if (parse_u64_span(text, length, &pid) == 0 && pid > 0 && pid <= INT32_MAX) {
			if (walk->count >= walk->limit) {
				walk->over = true;
				return 0;
			}
			r = pid_add(walk, (int)pid);
			if (r < 0)
				return r;
		}
		text += length + (text[length] == '\n');
	}
	return 0;
}

static int walk_group(struct process_walk *walk, int fd);

static int on_child(void *data, const char *name)
{
	struct process_walk *walk = data;
	cleanup_close int fd =
		openat(walk->parent_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int parent_fd = walk->parent_fd, r;

	if (fd < 0)
		return 0; /* gone meanwhile: so are its processes */
	r = walk_group(walk, fd);
	walk->parent_fd = parent_fd;
	return r == -ENOMEM ? r : 0;
}

static int walk_group(struct process_walk *walk, int fd)
{
	cleanup_free char *text = NULL;
	int r;

	if (walk->over)
		return 0;
	if (walk->depth >= DEPTH_MAX || walk->groups++ >= LIMIT_WORKLOADS) {
		walk->over = true;
		return 0;
	}
	r = file_read_all(fd, walk->file, &text, NULL);
	if (r == -EFBIG)
		walk->over = true;
	/* A threaded group (v2) refuses with EOPNOTSUPP; its processes are listed above it. */
	if (r < 0 && r != -EOPNOTSUPP)
		return r;
	r = text ? pids_add(walk, text) : 0;
	if (r < 0)
		return r;
	walk->depth++;
	walk->parent_fd = fd;
	r = file_each_directory(fd, ".", on_child, walk);
	walk->depth--;
	return r == -ENOMEM ? r : 0;
}

static int pid_compare(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right;

	return (a > b) - (a < b);
}

int process_list_controller(const struct cgroup *group)
{
	for (int i = 0; i < CONTROLLER_MAX; i++)
		if (group->inode[i])
			return i;
	return -ENOENT;
}

int process_list_identify(const struct hierarchy *hierarchy, struct cgroup *group, uint64_t inode)
{
	int error = -ENOENT;

	for (int i = 0; i < CONTROLLER_MAX; i++) {
		struct cgroup probe = { .path = group->path };
		int fd;

		probe.inode[i] = inode;
		fd = cgroup_open(hierarchy, &probe, (enum controller)i);
		if (fd < 0 && fd != -ENOENT && fd != -ESTALE && fd != -ENODEV)
			error = fd;
		if (fd < 0)
			continue;
		(void)close_keep_errno(fd);
		group->inode[i] = inode;
		return 0;
	}
	return error;
}

/* Sorted, each once. */
static size_t pids_settle(int *pids, size_t found)
{
	size_t count = 0;

	if (found > 1)
		qsort(pids, found, sizeof(*pids), pid_compare);
	for (size_t i = 0; i < found; i++)
		if (count == 0 || pids[count - 1] != pids[i])
			pids[count++] = pids[i];
	return count;
}

static int list_read(const struct hierarchy *hierarchy, const struct cgroup *group, bool threads,
		     size_t limit, int **ret_pids, size_t *ret_count)
{
	int controller = process_list_controller(group);
	struct process_walk walk = { .limit = limit, .file = "cgroup.procs" };
	cleanup_free int *pids = NULL;
	cleanup_close int fd = -EBADF;
	int r;

	if (controller < 0)
		return controller;
	if (threads)
		walk.file = hierarchy->mounts[controller].version == 1 ? "tasks" : "cgroup.threads";
	fd = cgroup_open(hierarchy, group, (enum controller)controller);
	if (fd < 0)
		return fd;
	r = walk_group(&walk, fd);
	pids = walk.pids;
	if (r < 0)
		return r == -ENODEV ? -ENOENT : r; /* kernfs: the group went while it was read */
	*ret_count = pids_settle(pids, walk.count);
	*ret_pids = TAKE_PTR(pids);
	return walk.over ? -E2BIG : 0;
}

int process_list_read(const struct hierarchy *hierarchy, const struct cgroup *group, size_t limit,
		      int **ret_pids, size_t *ret_count)
{
	return list_read(hierarchy, group, false, limit, ret_pids, ret_count);
}

int thread_list_read(const struct hierarchy *hierarchy, const struct cgroup *group, size_t limit,
		     int **ret_tids, size_t *ret_count)
{
	return list_read(hierarchy, group, true, limit, ret_tids, ret_count);
}

int process_list_parse(int dirfd, const char *path, int **ret_pids, size_t *ret_count)
{
	struct process_walk walk = { .limit = SIZE_MAX };
	cleanup_free char *text = NULL;
	cleanup_free int *pids = NULL;
	int r = file_read_all(dirfd, path, &text, NULL);

	if (r == 0)
		r = pids_add(&walk, text);
	pids = walk.pids;
	if (r < 0)
		return r;
	*ret_count = pids_settle(pids, walk.count);
	*ret_pids = TAKE_PTR(pids);
	return 0;
}

bool process_list_has(const int *pids, size_t count, int pid)
{
	return count > 0 && bsearch(&pid, pids, count, sizeof(*pids), pid_compare);
}
