/* SPDX-License-Identifier: Apache-2.0 */
/* group.c - the QEMU process in a machine's group, its threads, and the groups below. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "cgroup.h"
#include "cleanup.h"
#include "file.h"
#include "limit.h"
#include "macro.h"
#include "parse.h"
#include "source/machine/cmdline.h"
#include "source/machine/look.h"
#include "strbuf.h"

#define PIDS_MAX 64u

/* Numbers of vCPUs or I/O threads, with the thread of each. */
struct numbered {
	unsigned int number;
	pid_t thread;
};

struct numbers {
	struct numbered items[LIMIT_MACHINE_THREADS];
	size_t count;
};

static int numbered_compare(const void *left, const void *right)
{
	const struct numbered *a = left, *b = right;

	return (a->number > b->number) - (a->number < b->number);
}

static void numbers_add(struct numbers *numbers, const char *digits, size_t length, pid_t thread)
{
	uint64_t number;

	if (numbers->count < ARRAY_SIZE(numbers->items) &&
	    parse_u64_span(digits, length, &number) == 0 && number <= UINT16_MAX)
		numbers->items[numbers->count++] =
			(struct numbered){ (unsigned int)number, thread };
}

static void numbers_sort(struct numbers *numbers)
{
	if (numbers->count > 1)
		qsort(numbers->items, numbers->count, sizeof(numbers->items[0]), numbered_compare);
}

/* "2 (libvirt/vcpu0..1)". NULL without any, and without memory. */
static char *numbers_groups(struct numbers *numbers, const char *directory, const char *name)
{
	CLEANUP(strbuf_done) struct strbuf text = { 0 };

	if (numbers->count == 0)
		return NULL;
	numbers_sort(numbers);
	strbuf_addf(&text, "%zu (%s%s", numbers->count, directory, name);
	for (size_t i = 0, last; i < numbers->count; i = last + 1) {
		unsigned int first = numbers->items[i].number;

		for (last = i; last + 1 < numbers->count &&
			       numbers->items[last + 1].number == numbers->items[last].number + 1;)
			last++;
		strbuf_addf(&text, "%s%u", i ? "," : "", first);
		if (last > i)
			strbuf_addf(&text, "..%u", numbers->items[last].number);
	}
	strbuf_add_char(&text, ')');
	return strbuf_take(&text);
}

struct below {
	const char *directory; /* "" or "libvirt/" */
	struct numbers vcpus, iothreads;
	bool emulator;
};

static int on_group(void *data, const char *name)
{
	struct below *below = data;

	if (strncmp(name, "vcpu", 4) == 0)
		numbers_add(&below->vcpus, name + 4, strlen(name + 4), 0);
	else if (strncmp(name, "iothread", 8) == 0)
		numbers_add(&below->iothreads, name + 8, strlen(name + 8), 0);
	else if (strcmp(name, "emulator") == 0)
		below->emulator = true;
	return 0;
}

/* The groups of libvirt are the same wherever its threads may be controlled. */
static int groups_look(const struct hierarchy *hierarchy, const char *group,
		       struct machine_finding *ret)
{
	static const enum controller order[] = { CONTROLLER_CPU, CONTROLLER_CPUSET };
	static const char *const directories[] = { "libvirt/", "" };
	cleanup_free struct below *below = calloc(1, sizeof(*below));
	char path[CGROUP_PATH_MAX + 16];

	if (!below)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(order) * ARRAY_SIZE(directories); i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[order[i / 2]];

		cleanup_close int top = hierarchy_open_root(mount, O_PATH);

		if (top < 0)
			continue;
		*below = (struct below){ .directory = directories[i % 2] };
		(void)snprintf(path, sizeof(path), "%s/%s", group, below->directory);
		(void)file_each_directory(top, path, on_group, below);
		if (!below->emulator && below->vcpus.count == 0)
			continue;
		ret->has_groups = below->vcpus.count > 0;
		ret->vcpus = numbers_groups(&below->vcpus, below->directory, "vcpu");
		ret->iothreads = numbers_groups(&below->iothreads, below->directory, "iothread");
		if (below->emulator && asprintf(&ret->emulator, "%semulator", below->directory) < 0)
			ret->emulator = NULL;
		return 0;
	}
	return 0;
}

struct tasks {
	int root;
	pid_t leader;
	struct numbers vcpus;
};

/* QEMU names its threads with debug-threads=on, as libvirt has it. */
static int on_task(void *data, const char *name)
{
	struct tasks *tasks = data;
	char path[64], comm[64];
	uint64_t thread;
	size_t digits;

	if (parse_u64(name, &thread) < 0 || thread > INT32_MAX)
		return 0;
	(void)snprintf(path, sizeof(path), "proc/%d/task/%d/comm", (int)tasks->leader, (int)thread);
	if (file_read(tasks->root, path, comm, sizeof(comm)) < 0 || strncmp(comm, "CPU ", 4) != 0)
		return 0;
	digits = strspn(comm + 4, "0123456789");
	if (strcmp(comm + 4 + digits, "/KVM") == 0 || strcmp(comm + 4 + digits, "/TCG") == 0)
		numbers_add(&tasks->vcpus, comm + 4, digits, (pid_t)thread);
	return 0;
}

static int threads_look(const struct sysroot *root, struct machine_finding *ret)
{
	CLEANUP(strbuf_done) struct strbuf text = { 0 };
	cleanup_free struct tasks *tasks = calloc(1, sizeof(*tasks));
	char path[32];

	if (!tasks)
		return -ENOMEM;
	tasks->root = root->root;
	tasks->leader = ret->leader;
	(void)snprintf(path, sizeof(path), "proc/%d/task", (int)ret->leader);
	(void)file_each_directory(root->root, path, on_task, tasks);
	numbers_sort(&tasks->vcpus);
	for (size_t i = 0; i < tasks->vcpus.count; i++) {
		if (i == LIMIT_MACHINE_SHOWN) {
			strbuf_add(&text, ",...");
			break;
		}
		strbuf_addf(&text, "%s%u:%d", i ? "," : "", tasks->vcpus.items[i].number,
			    (int)tasks->vcpus.items[i].thread);
	}
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	if (tasks->vcpus.count == 0)
		return 0;
	if (!ret->vcpus && asprintf(&ret->vcpus, "%zu", tasks->vcpus.count) < 0)
		ret->vcpus = NULL;
	ret->threads = strbuf_take(&text);
	return 0;
}

/* 1 if it is QEMU. */
static int process_look(const struct sysroot *root, pid_t pid, struct machine_finding *ret,
			unsigned int *ret_vcpus)
{
	struct machine_cmdline cmdline;
	cleanup_free char *text = NULL;
	size_t size = 0;
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "proc/%d/cmdline", (int)pid);
	r = file_read_all(root->root, name, &text, &size);
	if (r < 0 || !machine_cmdline_parse(text, size, &cmdline))
		return r == -ENOMEM ? r : 0;
	ret->leader = pid;
	*ret_vcpus = MAX(cmdline.vcpus, 1u);
	if (cmdline.name[0])
		ret->name = strdup(cmdline.name);
	if (cmdline.uuid[0])
		ret->uuid = strdup(cmdline.uuid);
	return (cmdline.name[0] && !ret->name) || (cmdline.uuid[0] && !ret->uuid) ? -ENOMEM : 1;
}

static int procs_look(const struct sysroot *root, const char *text, struct machine_finding *ret,
		      unsigned int *ret_vcpus)
{
	for (unsigned int i = 0; *text && i < PIDS_MAX; i++) {
		size_t length = strcspn(text, "\n");
		uint64_t pid;
		int r;

		if (parse_u64_span(text, length, &pid) == 0 && pid > 0 && pid <= INT32_MAX) {
			r = process_look(root, (pid_t)pid, ret, ret_vcpus);
			if (r != 0)
				return r;
		}
		text += length + (text[length] == '\n');
	}
	return 0;
}

/* libvirt may leave a controller alone, so that its hierarchy (v1) has the group without a process
 * in it. */
static int leader_find(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const char *group, struct machine_finding *ret, unsigned int *ret_vcpus)
{
	static const enum controller order[] = { CONTROLLER_CPU, CONTROLLER_CPUSET,
						 CONTROLLER_MEMORY, CONTROLLER_CPUACCT };
	static const char *const directories[] = { "", "libvirt/", "emulator/",
						   "libvirt/emulator/" };
	char path[CGROUP_PATH_MAX + 64];

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		const struct hierarchy_mount *mount = &hierarchy->mounts[order[i]];
		cleanup_close int top = -EBADF;

		if (mount->version == 0 || mount->same_as != (int)order[i])
			continue;
		top = hierarchy_open_root(mount, O_PATH);
		for (size_t k = 0; k < ARRAY_SIZE(directories); k++) {
			cleanup_free char *text = NULL;
			int r;

			(void)snprintf(path, sizeof(path), "%s/%scgroup.procs", group,
				       directories[k]);
			r = file_read_all(top, path, &text, NULL);
			if (r == 0)
				r = procs_look(root, text, ret, ret_vcpus);
			if (r == -ENOMEM || r > 0)
				return r;
		}
	}
	return 0;
}

int machine_group_look(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const char *group, pid_t leader, struct machine_finding *ret)
{
	unsigned int vcpus = 0;
	int r;

	ret->cgroup = strdup(group);
	if (!ret->cgroup)
		return -ENOMEM;
	r = groups_look(hierarchy, group, ret);
	if (r < 0)
		return r;
	r = leader ? process_look(root, leader, ret, &vcpus)
		   : leader_find(root, hierarchy, group, ret, &vcpus);
	if (r <= 0)
		return r;
	r = threads_look(root, ret);
	if (r == 0 && !ret->vcpus && asprintf(&ret->vcpus, "%u", vcpus) < 0)
		ret->vcpus = NULL;
	return r;
}
