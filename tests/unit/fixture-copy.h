/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fixture-copy.h - a fixture tree of one's own, for tests that write. By cp(1), which keeps the
 * symbolic links and the names with commas and backslashes.
 *
 *	char dir[] = "/tmp/berth-test.XXXXXX";
 *	assert_ok(fixture_copy("k8s-v2", dir));
 *	assert_ok(sysroot_open(dir, &root));
 *	...
 *	fixture_remove(dir);
 */
#pragma once

#include <linux/limits.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth-test.h"

/* 0; -errno, -EIO when the program failed. */
static inline int fixture_spawn(char *const argv[])
{
	pid_t pid = 0;
	int status = 0;
	int r = posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ);

	if (r != 0)
		return -r;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}

/* dir is an mkdtemp(3) template, which the name of the copy replaces. NAME's content lies right
 * in it: dir/proc, dir/sys. */
static inline int fixture_copy(const char *name, char *dir)
{
	char from[PATH_MAX];

	(void)fixture_path(name, from, sizeof(from) - 2);
	strcat(from, "/.");
	if (!mkdtemp(dir))
		return -errno;
	return fixture_spawn((char *[]){ "cp", "-R", "-P", "--", from, dir, NULL });
}

static inline void fixture_remove(const char *dir)
{
	char copy[PATH_MAX];

	(void)snprintf(copy, sizeof(copy), "%s", dir);
	(void)fixture_spawn((char *[]){ "rm", "-rf", "--", copy, NULL });
}
