/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance.h - the runtime directory and the lock that makes berthd the only one to use it.
 */
#pragma once

#include <sys/types.h>

/* Opens DIR (made with mode 0755 if missing) and takes an flock(2) on it, which lives as long as
 * *ret_fd; DIR/berthd.pid says whose it is. -EBUSY: another instance has it, and *ret_pid is its
 * pid (0 if unknown). */
int instance_open(const char *dir, int *ret_fd, pid_t *ret_pid);
/* The state directory DIR, which outlives a boot, is made with mode 0700 if missing. -errno if it
 * cannot be opened. */
int instance_make_state(const char *dir);
