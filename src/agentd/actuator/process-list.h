/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process-list.h - the processes of a group and of all groups below it, and who a pid is. Read side
 * of process-knob and of the kill action.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup.h"

struct process_stat {
	int pid, parent;
	char state;     /* 'Z' and 'X': dead, whatever cgroup.procs says */
	uint64_t start; /* ticks since boot: with the pid the name of a process, proc(5) field 22 */
};

/* An O_PATH fd of /proc/PID, the caller's to close: what is opened below it is of this process or
 * fails with -ESRCH, however the pid is used again. -ESRCH: no such process. */
int process_open(int root, int pid);
/* Of the process that process_open() opened. -ESRCH: it has ended. */
int process_stat_read(int process_fd, struct process_stat *ret);

/* Ascending, each once, *ret_pids the caller's to free(). Zombies are among them on kernels before
 * 5.2. 0; -E2BIG: there are more than `limit`, *ret_pids has the first ones that were met; -ENOENT,
 * -ESTALE: the group is gone. */
int process_list_read(const struct hierarchy *hierarchy, const struct cgroup *group, size_t limit,
		      int **ret_pids, size_t *ret_count);

/* The same of threads, v2's cgroup.threads and v1's tasks. */
int thread_list_read(const struct hierarchy *hierarchy, const struct cgroup *group, size_t limit,
		     int **ret_tids, size_t *ret_count);
/* Any file of one number a line, as ascending numbers, each once. */
int process_list_parse(int dirfd, const char *path, int **ret_pids, size_t *ret_count);

/* The mount in which a group's processes are looked up: the first that it is in; -ENOENT. */
int process_list_controller(const struct cgroup *group);
/* The way back from a journal that holds one inode: fill in the first hierarchy in which the group
 * of that path has it. -ENOENT: in none; the group is gone. -errno: that cannot be seen now. */
int process_list_identify(const struct hierarchy *hierarchy, struct cgroup *group, uint64_t inode);
bool process_list_has(const int *pids, size_t count, int pid);
