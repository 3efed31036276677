/* SPDX-License-Identifier: Apache-2.0 */
#include "source/machine/look.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "limit.h"
#include "macro.h"
#include "parse.h"
#include "source/machine/cmdline.h"

void machine_finding_done(struct machine_finding *finding)
{
	free(finding->cgroup);
	free(finding->name);
	free(finding->uuid);
	free(finding->vcpus);
	free(finding->emulator);
	free(finding->iothreads);
	free(finding->threads);
	*finding = (struct machine_finding){ .leader = 0 };
}

int machine_look_new(const struct sysroot *root, const struct hierarchy *hierarchy, bool walk,
		     struct machine_look **ret)
{
	struct machine_look *look = calloc(1, sizeof(*look));

	if (!look)
		return -ENOMEM;
	look->root = root;
	look->hierarchy = hierarchy;
	look->walk = walk;
	*ret = look;
	return 0;
}

struct machine_look *machine_look_free(struct machine_look *look)
{
	if (!look)
		return NULL;
	for (size_t i = 0; i < look->group_count; i++)
		free(look->groups[i]);
	free(look->groups);
	for (size_t i = 0; i < look->count; i++)
		machine_finding_done(&look->findings[i]);
	free(look->findings);
	free(look);
	return NULL;
}

int machine_look_add(struct machine_look *look, const char *group)
{
	char **groups = reallocarray(look->groups, look->group_count + 1, sizeof(*groups));

	if (!groups)
		return -ENOMEM;
	look->groups = groups;
	groups[look->group_count] = strdup(group);
	if (!groups[look->group_count])
		return -ENOMEM;
	look->group_count++;
	return 0;
}

static int group_look(struct machine_look *look, const char *group, pid_t leader)
{
	struct machine_finding *finding;

	if (look->count == look->capacity) {
		size_t capacity = look->capacity ? look->capacity * 2 : 16;

		finding = reallocarray(look->findings, capacity, sizeof(*finding));
		if (!finding)
			return -ENOMEM;
		look->findings = finding;
		look->capacity = capacity;
	}
	finding = &look->findings[look->count++];
	*finding = (struct machine_finding){ .leader = 0 };
	return machine_group_look(look->root, look->hierarchy, group, leader, finding);
}

static bool process_is_qemu(const struct machine_look *look, pid_t pid)
{
	struct machine_cmdline cmdline;
	cleanup_free char *text = NULL;
	char name[32], comm[64];
	size_t size = 0;

	(void)snprintf(name, sizeof(name), "proc/%d/comm", (int)pid);
	if (file_read(look->root->root, name, comm, sizeof(comm)) < 0 ||
	    !machine_comm_is_qemu(comm))
		return false;
	(void)snprintf(name, sizeof(name), "proc/%d/cmdline", (int)pid);
	return file_read_all(look->root->root, name, &text, &size) == 0 &&
	       machine_cmdline_parse(text, size, &cmdline);
}

static int on_process(void *data, const char *name)
{
	struct machine_look *look = data;
	cleanup_free char *group = NULL;
	bool shared = false;
	uint64_t pid;
	int r;

	if (parse_u64(name, &pid) < 0 || pid == 0 || pid > INT32_MAX ||
	    !process_is_qemu(look, (pid_t)pid))
		return 0;
	look->seen = true;
	r = machine_process_group(look->root, look->hierarchy, (pid_t)pid, &group, &shared);
	if (r < 0)
		return r;
	look->shared += shared;
	if (!group || look->count >= LIMIT_MACHINES + look->group_count)
		return 0;
	return group_look(look, group, (pid_t)pid);
}

int machine_look_run(void *data)
{
	struct machine_look *look = data;
	int r;

	for (size_t i = 0; i < look->group_count; i++) {
		r = group_look(look, look->groups[i], 0);
		if (r < 0)
			return r;
	}
	if (!look->walk || look->root->root < 0)
		return 0;
	r = file_each_directory(look->root->root, "proc", on_process, look);
	return r == -ENOMEM ? r : 0;
}
