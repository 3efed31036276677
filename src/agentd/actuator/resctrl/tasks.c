/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tasks.c - threads into and out of the groups of resctrl. The kernel keeps the group of
 * each thread, not of each process, and a thread inherits that of the one that made it: what is
 * listed and then moved may have made others meanwhile. So it is looked again until nothing is left
 * to move. The file takes a bare number; one that was used again between the look and the write is
 * found by the next look, which does not name it any more, and goes back.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "actuator/process-list.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"

#define ROUNDS 4u

struct tids {
	int *list; /* ascending */
	size_t count;
};

static void tids_done(struct tids *tids)
{
	free(tids->list);
}

#define cleanup_tids CLEANUP(tids_done)

struct move {
	const struct hierarchy *hierarchy;
	const struct cgroup *group;
	int resctrl_fd;
	const char *class; /* the class' directory */
	bool leave;
	int moved, error;
};

static bool tids_have(const struct tids *tids, int tid)
{
	return process_list_has(tids->list, tids->count, tid);
}

static int tasks_read(int resctrl_fd, const char *group, struct tids *ret)
{
	char path[NAME_MAX + 16];

	(void)snprintf(path, sizeof(path), "%s/tasks", group);
	return process_list_parse(resctrl_fd, path, &ret->list, &ret->count);
}

/* -ESRCH: the thread has ended, which is life. */
static int task_write(int resctrl_fd, const char *group, int tid)
{
	cleanup_close int fd = -EBADF;
	char path[64], text[16];
	int length = snprintf(text, sizeof(text), "%d\n", tid);

	(void)snprintf(path, sizeof(path), "%s%stasks", group, group[0] ? "/" : "");
	fd = openat(resctrl_fd, path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	failpoint("knob-write");
	if (pwrite(fd, text, (size_t)length, 0) < 0)
		return -errno;
	failpoint("knob-written");
	return 0;
}

struct elsewhere {
	int resctrl_fd;
	struct tids tids;
};

/* The kernel's own directories and our classes are no other's groups. */
static bool is_others(int resctrl_fd, const char *name)
{
	static const char *const kernels[] = { "info", "mon_groups", "mon_data" };

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (strcmp(name, kernels[i]) == 0)
			return false;
	for (unsigned int i = 0; i < RESCTRL_CLASSES; i++)
		if (strcmp(name, resctrl_class_group(i)) == 0)
			return resctrl_is_ours(resctrl_fd, name) <= 0;
	return true;
}

static int tid_compare(const void *left, const void *right)
{
	int a = *(const int *)left, b = *(const int *)right;

	return (a > b) - (a < b);
}

static int elsewhere_add(void *data, const char *name)
{
	struct elsewhere *elsewhere = data;
	cleanup_tids struct tids tids = { .list = NULL };
	int *list, r;

	if (!is_others(elsewhere->resctrl_fd, name))
		return 0;
	r = tasks_read(elsewhere->resctrl_fd, name, &tids);
	/* It has gone; or it is pseudo-locked, which has no tasks, and its file no mode. */
	if (r == -ENOENT || r == -ENODEV || r == -EACCES)
		return 0;
	if (r < 0 || tids.count == 0)
		return r;
	list = reallocarray(elsewhere->tids.list, elsewhere->tids.count + tids.count,
			    sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list + elsewhere->tids.count, tids.list, tids.count * sizeof(*list));
	elsewhere->tids.list = list;
	elsewhere->tids.count += tids.count;
	return 0;
}

/* The threads that are in groups of others. */
static int elsewhere_read(int resctrl_fd, struct tids *ret)
{
	struct elsewhere elsewhere = { .resctrl_fd = resctrl_fd };
	int r = file_each_directory(resctrl_fd, ".", elsewhere_add, &elsewhere);

	if (elsewhere.tids.count > 1)
		qsort(elsewhere.tids.list, elsewhere.tids.count, sizeof(int), tid_compare);
	*ret = elsewhere.tids;
	return r;
}

/* Numbers that were written last time, are in the class, and are the cgroup's no longer. */
static void move_correct(const struct move *move, const struct tids *written,
			 const struct tids *threads, const struct tids *members)
{
	for (size_t i = 0; !move->leave && i < written->count; i++)
		if (!tids_have(threads, written->list[i]) && tids_have(members, written->list[i]))
			(void)task_write(move->resctrl_fd, "", written->list[i]);
}

static void move_each(struct move *move, const struct tids *threads, const struct tids *members,
		      const struct tids *elsewhere, struct tids *written)
{
	written->count = 0;
	for (size_t i = 0; i < threads->count; i++) {
		int tid = threads->list[i], r;

		if (tids_have(members, tid) != move->leave || tids_have(elsewhere, tid))
			continue;
		r = task_write(move->resctrl_fd, move->leave ? "" : move->class, tid);
		if (r == 0)
			written->list[written->count++] = tid;
		else if (r != -ESRCH)
			move->error = r;
	}
	move->moved += (int)written->count;
}

/* One look and what follows from it. 1: look again; 0: nothing was left to move. */
static int move_round(struct move *move, struct tids *written)
{
	cleanup_tids struct tids threads = { .list = NULL };
	cleanup_tids struct tids members = { .list = NULL };
	cleanup_tids struct tids elsewhere = { .list = NULL };
	int listed, r = tasks_read(move->resctrl_fd, move->class, &members);
	int *list;

	if (r < 0)
		return r == -ENOENT || r == -ENODEV ? -ENXIO : r;
	listed = thread_list_read(move->hierarchy, move->group, LIMIT_PIDS, &threads.list,
				  &threads.count);
	if (listed < 0 && listed != -E2BIG)
		return listed;
	if (!move->leave)
		r = elsewhere_read(move->resctrl_fd, &elsewhere);
	if (r < 0)
		return r;
	move_correct(move, written, &threads, &members);
	list = reallocarray(written->list, threads.count + 1, sizeof(*list));
	if (!list)
		return -ENOMEM;
	written->list = list;
	move_each(move, &threads, &members, &elsewhere, written);
	if (listed < 0)
		move->error = listed;
	return written->count > 0;
}

static int move_run(const struct sysroot *root, struct move *move, unsigned int class)
{
	cleanup_tids struct tids written = { .list = NULL };
	cleanup_close int fd = resctrl_open(root);
	int r = 1;

	move->class = resctrl_class_group(class);
	if (fd < 0 || !move->class)
		return !move->class ? -EINVAL : fd == -ENODEV ? -ENXIO : fd;
	move->resctrl_fd = fd;
	r = resctrl_is_ours(fd, move->class);
	if (r <= 0)
		return r == 0 || r == -ENOENT ? -ENXIO : r;
	for (unsigned int i = 0; r > 0 && i < ROUNDS; i++)
		r = move_round(move, &written);
	if (r < 0)
		return r;
	return move->error < 0 ? move->error : move->moved;
}

int resctrl_tasks_join(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const struct cgroup *group, unsigned int class)
{
	struct move move = { .hierarchy = hierarchy, .group = group };

	return move_run(root, &move, class);
}

int resctrl_tasks_leave(const struct sysroot *root, const struct hierarchy *hierarchy,
			const struct cgroup *group, unsigned int class)
{
	struct move move = { .hierarchy = hierarchy, .group = group, .leave = true };

	return move_run(root, &move, class);
}
