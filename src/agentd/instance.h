/* SPDX-License-Identifier: Apache-2.0 */
/*
 * instance.h - the runtime directory and the lock that makes berthd the only one to use it.
 */
#pragma once

#include <sys/types.h>

/* Opens DIR (made with mode 0755 if missing) and takes an flock(2) on DIR/berthd.lock, which is
 * never unlinked: a refused second instance leaves the first one's lock as it is. The lock lives as
 * long as *ret_lock_fd. -EBUSY: another instance has it, and *ret_pid is its pid (0 if unknown). */
int instance_open(const char *dir, int *ret_dir_fd, int *ret_lock_fd, pid_t *ret_pid);
/* Opens the state directory DIR (made with mode 0700 if missing), which outlives a boot. */
int instance_open_state(const char *dir, int *ret_fd);
