/* SPDX-License-Identifier: Apache-2.0 */
/* What the actions do: memory.reclaim in steps, and SIGKILL until nothing is left. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "actuator/action/internal.h"
#include "actuator/process-list.h"
#include "actuator/slow/writer.h"
#include "cleanup.h"
#include "macro.h"

#define RECLAIM_STEP_BYTES (16u << 20) /* so that it can be stopped between two */
#define KILL_ROUNDS        100u
#define KILL_ROUND_USEC    (50 * USEC_PER_MSEC)
#define KILL_BATCH         256u /* pidfds open at once */

static void on_reclaimed(void *data, int result);

static int group_file_open(const struct action_run *run, enum controller controller,
			   const char *name)
{
	cleanup_close int dirfd =
		cgroup_open(run->actions->context.hierarchy, &run->group, controller);
	int fd;

	if (dirfd < 0)
		return dirfd;
	fd = openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static int reclaim_step(struct action_run *run)
{
	cleanup_close int fd = group_file_open(run, CONTROLLER_MEMORY, "memory.reclaim");
	char text[32];
	int r;

	if (fd < 0)
		return fd;
	run->step_bytes = MIN(run->argument - run->reclaimed_bytes, RECLAIM_STEP_BYTES);
	/* A number always: an empty write reclaims everything on openEuler. */
	(void)snprintf(text, sizeof(text), "%" PRIu64, run->step_bytes);
	r = slow_writer_add(run->actions->context.slow_writer, fd, text, on_reclaimed, run);
	if (r == 0)
		(void)TAKE_FD(fd); /* the slow writer's */
	return r;
}

static void reclaim_finish(struct action_run *run, const char *why, int result)
{
	(void)snprintf(run->outcome, sizeof(run->outcome),
		       "%s after %" PRIu64 " of %" PRIu64 " bytes", why, run->reclaimed_bytes,
		       run->argument);
	action_finish(run, result);
}

static void on_reclaimed(void *data, int result)
{
	struct action_run *run = data;
	int r;

	/* The kernel could not find as much (cgroup-v2.rst, 5.19): an answer. What it did reclaim
	 * of this step it does not say. */
	if (result == -EAGAIN) {
		reclaim_finish(run, "no more to reclaim", 0);
		return;
	}
	if (result < 0) {
		reclaim_finish(run, strerrordesc_np(-result), result);
		return;
	}
	run->reclaimed_bytes += run->step_bytes;
	if (run->reclaimed_bytes >= run->argument) {
		reclaim_finish(run, "done", 0);
		return;
	}
	r = run->stop ? -ECANCELED : reclaim_step(run);
	if (r < 0)
		reclaim_finish(run, strerrordesc_np(-r), r);
}

int reclaim_start(struct action_run *run)
{
	const struct hierarchy_mount *mount =
		&run->actions->context.hierarchy->mounts[CONTROLLER_MEMORY];
	cleanup_close int dirfd = -EBADF;

	if (run->argument == 0)
		return -EINVAL;
	if (mount->version == 0)
		return -EOPNOTSUPP;
	dirfd = cgroup_open(run->actions->context.hierarchy, &run->group, CONTROLLER_MEMORY);
	if (dirfd < 0)
		return dirfd;
	/* Before 5.19, and on v1 but for openEuler's. */
	if (faccessat(dirfd, "memory.reclaim", F_OK, 0) < 0)
		return errno == ENOENT ? -EOPNOTSUPP : -errno;
	return reclaim_step(run);
}

static int pidfd_open_pid(int pid)
{
	long fd = syscall(SYS_pidfd_open, pid, 0);

	return fd < 0 ? -errno : (int)fd;
}

/* Kernels before 5.3 have no pidfd: there the pid itself must do. */
static bool signal_pid(int pidfd, int pid)
{
	if (pidfd >= 0)
		return syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0) == 0;
	return pidfd == -ENOSYS && kill(pid, SIGKILL) == 0;
}

/* A pid read from cgroup.procs may be another process by the time it is signalled. A pidfd fixes
 * who is meant, and one whose pid is listed again after it was opened is of the group: the pid
 * could not be given out again before its process was gone, and then the signal fails. */
static int signal_batch(const struct action_run *run, const int *pids, size_t count)
{
	int fds[KILL_BATCH];
	cleanup_free int *again = NULL;
	size_t again_count = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		fds[i] = pidfd_open_pid(pids[i]);
	r = process_list_read(run->actions->context.hierarchy, &run->group, LIMIT_PIDS, &again,
			      &again_count);
	for (size_t i = 0; i < count; i++) {
		if ((r >= 0 || r == -E2BIG) && process_list_has(again, again_count, pids[i]))
			(void)signal_pid(fds[i], pids[i]);
		(void)close_keep_errno(fds[i]);
	}
	return r == -E2BIG ? 0 : r;
}

static bool pid_is_dead(const struct action_run *run, int pid)
{
	cleanup_close int fd = process_open(run->actions->context.root->root, pid);
	struct process_stat stat;
	int r = fd;

	if (r >= 0)
		r = process_stat_read(fd, &stat);
	if (r < 0)
		return r == -ESRCH;
	return stat.state == 'Z' || stat.state == 'X';
}

/* What is listed and lives, kept at the front of pids. */
static size_t drop_dead(const struct action_run *run, int *pids, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (!pid_is_dead(run, pids[i]))
			pids[kept++] = pids[i];
	return kept;
}

/* 1 when the kernel kills the whole tree by itself: v2 since 5.14, v1 on openEuler. */
static int kill_by_file(const struct action_run *run)
{
	cleanup_close int fd = -EBADF;
	int controller = process_list_controller(&run->group);

	if (controller < 0)
		return controller;
	fd = group_file_open(run, (enum controller)controller, "cgroup.kill");
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (write(fd, "1", 1) < 0)
		return errno == EOPNOTSUPP ? 0 : -errno;
	return 1;
}

/* One round: everything that lives gets SIGKILL. How many there were; -ENOENT, -ESTALE: the group
 * is gone, and with it its processes. */
static int kill_round(const struct action_run *run)
{
	cleanup_free int *pids = NULL;
	size_t count = 0;
	int r = process_list_read(run->actions->context.hierarchy, &run->group, LIMIT_PIDS, &pids,
				  &count);

	if (r < 0 && r != -E2BIG)
		return r;
	/* A misplaced daemon would end itself, and with it all that it has to put back. */
	if (process_list_has(pids, count, getpid()))
		return -EPERM;
	count = drop_dead(run, pids, count);
	if (count == 0)
		return 0;
	r = kill_by_file(run);
	for (size_t i = 0; r == 0 && i < count; i += KILL_BATCH)
		r = signal_batch(run, pids + i, MIN(count - i, KILL_BATCH));
	return r < 0 ? r : (int)count;
}

static int on_kill_round(sd_event_source *source, uint64_t usec, void *data)
{
	struct action_run *run = data;
	int r = kill_round(run);

	(void)source;
	(void)usec;
	if (r == -ENOENT || r == -ESTALE)
		r = 0;
	if (r > 0 && ++run->round < KILL_ROUNDS) {
		run->left = (unsigned int)r;
		r = action_arm(run, KILL_ROUND_USEC, on_kill_round);
		if (r == 0)
			return 0;
	}
	if (r > 0) {
		(void)snprintf(run->outcome, sizeof(run->outcome),
			       "%d processes do not end (in the kernel, uninterruptible)", r);
		r = -ETIMEDOUT;
	}
	action_finish(run, r);
	return 0;
}

int kill_start(struct action_run *run)
{
	int r = kill_round(run);

	if (r < 0)
		return r;
	/* Exits take their time; the first look comes soon, the others at leisure. */
	return r == 0 ? action_finish_later(run, 0)
		      : action_arm(run, 5 * USEC_PER_MSEC, on_kill_round);
}
