/* SPDX-License-Identifier: Apache-2.0 */
/*
 * group-fixture.h - groups to test on: a plain directory that stands for a mounted hierarchy, and
 * "berth.test.PID" in the host's own, with real processes in it.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth-test.h"
#include "cgroup.h"
#include "hierarchy.h"
#include "macro.h"
#include "monotonic.h"
#include "sysroot.h"

static inline void write_text(int dirfd, const char *name, const char *text)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(close(fd), 0);
}

static inline int directory_fd(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* Every controller mounted at one plain directory. The fd is borrowed. */
static inline void fake_hierarchy(int fd, int version, struct hierarchy *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->mode = version == 1 ? HIERARCHY_V1 : HIERARCHY_V2;
	for (int i = 0; i < CONTROLLER_MAX; i++)
		ret->mounts[i] = (struct hierarchy_mount){
			.fd = fd,
			.version = version,
			.path = (char *)(uintptr_t) "/sys/fs/cgroup",
			.same_as = 0,
		};
}

/* A child that waits to be killed. */
static inline pid_t child_start(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* Nor does it outlive a test that fails. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	return pid;
}

static inline void child_end(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

/* In the hierarchies of the cpu and the pids controller, which may be one: by the first a group is
 * known, in the other every host has one to itself. */
static const enum controller host_controllers[] = { CONTROLLER_CPU, CONTROLLER_PIDS };

/* Is the host such that a group may be made in a v1 or v2 hierarchy of its own? */
static inline const char *host_group_why_not(const struct hierarchy *hierarchy)
{
	if (geteuid() != 0)
		return "not root";
	if (hierarchy->mode == HIERARCHY_NONE)
		return "no cgroups";
	for (size_t i = 0; i < 2; i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[host_controllers[i]];
		char buffer[HIERARCHY_PATH_MAX];

		if (faccessat(mount->fd, hierarchy_at(mount, "", buffer), W_OK, 0) < 0)
			return "cgroups are read-only";
	}
	return NULL;
}

static inline void host_group_name(const char *suffix, char *name, size_t size)
{
	(void)snprintf(name, size, "berth.test.%d%s", (int)getpid(), suffix);
}

/* NULL: none, or seen before. */
static inline const struct hierarchy_mount *host_mount(const struct hierarchy *hierarchy, size_t i)
{
	const struct hierarchy_mount *mount = &hierarchy->mounts[host_controllers[i]];
	bool seen = i > 0 && mount->same_as == hierarchy->mounts[host_controllers[0]].same_as;

	return mount->version == 0 || seen ? NULL : mount;
}

static inline void host_group_make(const struct hierarchy *hierarchy, const char *name)
{
	char buffer[HIERARCHY_PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		const struct hierarchy_mount *mount = host_mount(hierarchy, i);

		if (mount)
			assert_ok(mkdirat(mount->fd, hierarchy_at(mount, name, buffer), 0755));
	}
}

static inline void host_group_join(const struct hierarchy *hierarchy, const char *name, pid_t pid)
{
	char buffer[HIERARCHY_PATH_MAX], text[16];

	(void)snprintf(text, sizeof(text), "%d", (int)pid);
	for (size_t i = 0; i < 2; i++) {
		const struct hierarchy_mount *mount = host_mount(hierarchy, i);
		int fd;

		if (!mount)
			continue;
		fd = directory_fd(mount->fd, hierarchy_at(mount, name, buffer));
		write_text(fd, "cgroup.procs", text);
		assert_int_equal(close(fd), 0);
	}
}

/* Since Linux 6.19 a process that was waited for may be in its group a moment longer. */
static inline void host_group_rmdir(int fd, const char *path)
{
	uint64_t end = monotonic_usec() + 20 * USEC_PER_SEC;
	int r;

	while ((r = unlinkat(fd, path, AT_REMOVEDIR)) < 0 && errno == EBUSY &&
	       monotonic_usec() < end)
		(void)usleep(1000);
	assert_ok(r);
}

static inline void host_group_remove(const struct hierarchy *hierarchy, const char *name)
{
	char buffer[HIERARCHY_PATH_MAX];

	for (size_t i = 0; i < 2; i++) {
		const struct hierarchy_mount *mount = host_mount(hierarchy, i);

		if (mount)
			host_group_rmdir(mount->fd, hierarchy_at(mount, name, buffer));
	}
}
