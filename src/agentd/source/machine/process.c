/* SPDX-License-Identifier: Apache-2.0 */
/* process.c - which group a QEMU process has to itself. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "kube-cgroup.h"
#include "macro.h"
#include "parse.h"
#include "source/machine/look.h"
#include "source/machine/scope.h"

#define GROUPS_MAX 64u /* below one that a machine could have to itself */
#define DEPTH_MAX  8u

/* The names in /proc/PID/cgroup of version 1; version 2 has one line with none. */
static const char *const v1_names[] = {
	[CONTROLLER_CPU] = "cpu",       [CONTROLLER_CPUACCT] = "cpuacct",
	[CONTROLLER_CPUSET] = "cpuset", [CONTROLLER_MEMORY] = "memory",
	[CONTROLLER_IO] = "blkio",      [CONTROLLER_PIDS] = "pids",
};

static bool names_have(const char *names, size_t length, const char *name)
{
	for (size_t i = 0; i < length;) {
		size_t one = strcspn(names + i, ",:");

		if (one == strlen(name) && memcmp(names + i, name, one) == 0)
			return true;
		i += one + 1;
	}
	return false;
}

/* "4:cpu,cpuacct:/path" or "0::/path": the path without its slash, NUL terminated in text. */
static char *path_find(char *text, int version, enum controller controller)
{
	for (char *line = text, *end; line; line = end) {
		char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;

		end = strchr(line, '\n');
		if (end)
			end++;
		if (!path || (end && path >= end) || path[1] != '/')
			continue;
		names++;
		if (version == 2 ? names != path
				 : !names_have(names, (size_t)(path - names), v1_names[controller]))
			continue;
		if (end)
			end[-1] = '\0';
		return path + 2;
	}
	return NULL;
}

/* In a cgroup namespace of its own (a pod, on v2) berthd sees what is beside it as "../../a/b",
 * from the namespace's root: below the host's mount that is "a/b", where the two have nothing in
 * common above, and is to be checked. */
static bool path_enter(char **path)
{
	bool outside = false;

	while (strncmp(*path, "..", 2) == 0 && ((*path)[2] == '/' || (*path)[2] == '\0')) {
		*path += (*path)[2] == '/' ? 3 : 2;
		outside = true;
	}
	return outside;
}

/* A pod is the workload: KubeVirt's and Kata's QEMU run in theirs. */
static bool path_is_in_pod(const char *path)
{
	char prefix[CGROUP_PATH_MAX];

	for (size_t i = 1;; i++) {
		struct kube_cgroup kube;

		if (path[i] != '/' && path[i] != '\0')
			continue;
		if (i >= sizeof(prefix))
			return true;
		memcpy(prefix, path, i);
		prefix[i] = '\0';
		kube_cgroup_parse(prefix, &kube);
		if (kube.kind == KUBE_POD || kube.kind == KUBE_CONTAINER ||
		    kube.kind == KUBE_HELPER)
			return true;
		if (path[i] == '\0')
			return false;
	}
}

/* What libvirt, or a unit, runs beside QEMU for one machine. */
static bool comm_is_helper(const char *comm)
{
	static const char *const helpers[] = { "swtpm", "virtiofsd", "passt", "passt.avx2" };

	for (size_t i = 0; i < ARRAY_SIZE(helpers); i++)
		if (strcmp(comm, helpers[i]) == 0)
			return true;
	return false;
}

struct alone {
	const struct sysroot *root;
	int mount_fd;
	pid_t pid;
	const char *path; /* being looked at */
	unsigned int groups, depth;
	bool alone;
};

static bool pid_may_stay(const struct alone *look, const char *text, size_t length)
{
	char name[32], comm[64];
	uint64_t pid;

	/* 0 is a process of a pid namespace that cannot be seen. */
	if (parse_u64_span(text, length, &pid) < 0 || pid == 0 || pid > INT32_MAX)
		return false;
	if ((pid_t)pid == look->pid)
		return true;
	(void)snprintf(name, sizeof(name), "proc/%d/comm", (int)pid);
	if (file_read(look->root->root, name, comm, sizeof(comm)) < 0)
		return faccessat(look->root->root, name, F_OK, 0) < 0 && errno == ENOENT;
	return comm_is_helper(comm);
}

static int alone_look(struct alone *look);

static int alone_look_child(void *data, const char *name)
{
	struct alone *look = data;
	const char *parent = look->path;
	char path[CGROUP_PATH_MAX];
	int n, r;

	n = snprintf(path, sizeof(path), "%s/%s", parent, name);
	if (n < 0 || (size_t)n >= sizeof(path)) {
		look->alone = false;
		return 0;
	}
	look->path = path;
	look->depth++;
	r = alone_look(look);
	look->depth--;
	look->path = parent;
	return r;
}

static int alone_look(struct alone *look)
{
	char name[CGROUP_PATH_MAX + sizeof("/cgroup.procs")];
	cleanup_free char *text = NULL;
	int r;

	if (look->groups++ >= GROUPS_MAX || look->depth >= DEPTH_MAX)
		look->alone = false;
	if (!look->alone)
		return 0;
	(void)snprintf(name, sizeof(name), "%s/cgroup.procs", look->path);
	r = file_read_all(look->mount_fd, name, &text, NULL);
	if (r == -ENOMEM)
		return r;
	/* Of a threaded group (v2) the processes are listed above it. */
	if (r < 0 && r != -EOPNOTSUPP)
		look->alone = false;
	for (const char *at = text; at && *at && look->alone;) {
		size_t length = strcspn(at, "\n");

		look->alone = pid_may_stay(look, at, length);
		at += length + (at[length] == '\n');
	}
	r = look->alone ? file_each_directory(look->mount_fd, look->path, alone_look_child, look)
			: 0;
	return r == -ENOMEM ? r : 0;
}

/* A threaded group (v2) has no processes of its own: cut the path to the one that has. */
static void path_leave_threads(int mount_fd, char *path)
{
	char name[CGROUP_PATH_MAX + sizeof("/cgroup.type")], type[32];

	while (*path) {
		char *slash = strrchr(path, '/');

		(void)snprintf(name, sizeof(name), "%s/cgroup.type", path);
		if (file_read(mount_fd, name, type, sizeof(type)) < 0 ||
		    strcmp(type, "threaded") != 0)
			return;
		*(slash ? slash : path) = '\0';
	}
}

/* 1: the process is in the group that the path leads to. */
static int path_has_process(int mount_fd, const char *path, pid_t pid)
{
	char name[CGROUP_PATH_MAX + sizeof("/cgroup.procs")], line[16];
	cleanup_free char *text = NULL;
	size_t length;
	int r;

	length = (size_t)snprintf(line, sizeof(line), "%d\n", (int)pid);
	(void)snprintf(name, sizeof(name), "%s/cgroup.procs", path);
	r = file_read_all(mount_fd, name, &text, NULL);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	for (const char *at = text; *at; at += strcspn(at, "\n"), at += *at == '\n')
		if (strncmp(at, line, length) == 0)
			return 1;
	return 0;
}

static int mount_look(const struct sysroot *root, int mount_fd, pid_t pid, const char *path,
		      char **ret_group)
{
	struct alone look = {
		.root = root, .mount_fd = mount_fd, .pid = pid, .path = path, .alone = true
	};
	int r = alone_look(&look);

	if (r < 0 || !look.alone)
		return r;
	*ret_group = strdup(path);
	return *ret_group ? 1 : -ENOMEM;
}

enum place {
	PLACE_NONE,    /* the root, or not in this hierarchy */
	PLACE_POD,     /* or one that is not for us */
	PLACE_MACHINE, /* *ret_group has it */
	PLACE_SHARED,
	PLACE_UNKNOWN, /* beside our namespace, and not to be found below the mount */
};

/* path: as the kernel shows it, without the first slash. */
static int place_find(const struct sysroot *root, int mount_fd, pid_t pid, char *path,
		      char **ret_group)
{
	bool outside = path_enter(&path);
	struct machine_scope scope;
	int r;

	if (!path[0])
		return PLACE_NONE;
	if (strlen(path) >= CGROUP_PATH_MAX || path_is_in_pod(path))
		return PLACE_POD;
	if (cgroup_path_check(path) < 0)
		return PLACE_UNKNOWN;
	path_leave_threads(mount_fd, path);
	if (!path[0])
		return PLACE_NONE;
	if (outside) {
		r = path_has_process(mount_fd, path, pid);
		if (r <= 0)
			return r < 0 ? r : PLACE_UNKNOWN;
	}
	if (machine_scope_parse(path, &scope)) {
		*ret_group = strndup(path, scope.length);
		return *ret_group ? PLACE_MACHINE : -ENOMEM;
	}
	r = mount_look(root, mount_fd, pid, path, ret_group);
	if (r < 0)
		return r;
	return r > 0 ? PLACE_MACHINE : PLACE_SHARED;
}

int machine_process_group(const struct sysroot *root, const struct hierarchy *hierarchy, pid_t pid,
			  char **ret_group, bool *ret_shared)
{
	static const enum controller order[] = { CONTROLLER_CPU, CONTROLLER_MEMORY,
						 CONTROLLER_CPUSET, CONTROLLER_CPUACCT };
	char name[32];
	bool known = false;
	int r;

	*ret_group = NULL;
	*ret_shared = false;
	(void)snprintf(name, sizeof(name), "proc/%d/cgroup", (int)pid);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[order[i]];
		cleanup_close int top = -EBADF;
		cleanup_free char *text = NULL;
		char *path;

		if (mount->version == 0 || mount->same_as != (int)order[i])
			continue;
		r = file_read_all(root->root, name, &text, NULL);
		if (r < 0)
			return r == -ENOMEM ? r : 0; /* it ended */
		path = path_find(text, mount->version, order[i]);
		if (!path)
			continue;
		top = hierarchy_open_root(mount, O_PATH);
		r = place_find(root, top, pid, path, ret_group);
		if (r < 0)
			return r;
		if (r == PLACE_POD || r == PLACE_MACHINE)
			return 0;
		known |= r != PLACE_UNKNOWN;
	}
	*ret_shared = known;
	return 0;
}
