/* SPDX-License-Identifier: Apache-2.0 */
/*
 * disks.h - the block layer's side of the plain-file world: io.max and blkio.throttle.* that take
 * the first line of each write and answer with a line for each device, and io.cost.qos of the root.
 */
#pragma once

#include "world.h"

#define DISK_SDA 0x800u /* makedev(8, 0) */
#define DISK_SDB 0x810u
#define DISKS    2u
#define KEYS     4u

static const char *const disk_names[DISKS] = { "8:0", "8:16" };
static const char *const disk_keys[KEYS] = { "rbps", "wbps", "riops", "wiops" };
static const char *const disk_files[KEYS] = { "blkio.throttle.read_bps_device",
					      "blkio.throttle.write_bps_device",
					      "blkio.throttle.read_iops_device",
					      "blkio.throttle.write_iops_device" };
static const enum knob disk_knobs[KEYS] = { KNOB_IO_READ_BPS, KNOB_IO_WRITE_BPS, KNOB_IO_READ_IOPS,
					    KNOB_IO_WRITE_IOPS };

/* Of pods/a, pods/b: what the kernel holds; "" none. */
static const char *const disk_groups[2] = { "pods/a", "pods/b" };
static struct world *disk_world;
static char disk_values[2][DISKS][KEYS][24];
static char disk_qos[128];
static unsigned int disk_lost; /* lines that the kernel passed over */

static inline void disk_show_v2(unsigned int group, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int d = 0; d < DISKS; d++) {
		const char(*v)[24] = (const char(*)[24])disk_values[group][d];
		bool any = false;

		for (unsigned int k = 0; k < KEYS; k++)
			any = any || v[k][0];
		if (!any)
			continue;
		length += (size_t)snprintf(text + length, size - length, "%s", disk_names[d]);
		for (unsigned int k = 0; k < KEYS; k++)
			length += (size_t)snprintf(text + length, size - length, " %s=%s",
						   disk_keys[k], v[k][0] ? v[k] : "max");
		length += (size_t)snprintf(text + length, size - length, "\n");
	}
}

static inline void disk_show_v1(unsigned int group, unsigned int key, char *text, size_t size)
{
	size_t length = 0;

	text[0] = '\0';
	for (unsigned int d = 0; d < DISKS; d++)
		if (disk_values[group][d][key][0])
			length += (size_t)snprintf(text + length, size - length, "%s %s\n",
						   disk_names[d], disk_values[group][d][key]);
}

static inline void disk_read(const char *group, const char *file, char *text, size_t size)
{
	char path[PATH_MAX];
	FILE *stream;
	size_t length = 0;

	world_path(disk_world, group, file, path, sizeof(path));
	stream = fopen(path, "re");
	if (stream) {
		length = fread(text, 1, size - 1, stream);
		(void)fclose(stream);
	}
	text[length] = '\0';
}

static inline void disk_put(const char *group, const char *file, const char *text)
{
	char path[PATH_MAX];
	FILE *stream;

	world_path(disk_world, group, file, path, sizeof(path));
	stream = fopen(path, "we");
	if (!stream)
		return;
	(void)fputs(text, stream);
	(void)fclose(stream);
}

static inline void disk_set(unsigned int group, unsigned int disk, unsigned int key,
			    const char *value)
{
	char *held = disk_values[group][disk][key];
	bool none = strcmp(value, "max") == 0 || strcmp(value, "0") == 0;

	(void)snprintf(held, 24, "%s", none ? "" : value);
}

/* One line: "8:0 rbps=1 wbps=2", or on v1 "8:0 1". */
static inline void disk_take(unsigned int group, unsigned int v1_key, char *text)
{
	char *rest = NULL, *word;
	char *newline = strchr(text, '\n');
	unsigned int disk = 0;

	if (newline && newline[1])
		disk_lost++;
	if (newline)
		*newline = '\0';
	word = strtok_r(text, " ", &rest);
	while (disk < DISKS && word && strcmp(word, disk_names[disk]) != 0)
		disk++;
	while (disk < DISKS && (word = strtok_r(NULL, " ", &rest))) {
		char *equals = strchr(word, '=');

		if (!equals) {
			disk_set(group, disk, v1_key, word);
			continue;
		}
		*equals = '\0';
		for (unsigned int k = 0; k < KEYS; k++)
			if (strcmp(word, disk_keys[k]) == 0)
				disk_set(group, disk, k, equals + 1);
	}
}

/* block/blk-iocost.c: a parameter sets ctrl=user, and the line shows all of them. */
static inline void disk_take_qos(const char *text)
{
	const char *enable = strstr(text, "enable="), *rpct = strstr(text, "rpct=");

	(void)snprintf(disk_qos, sizeof(disk_qos),
		       "8:0 enable=%c ctrl=%s rpct=%.*s.00 rlat=0 min=1.00 max=10000.00\n",
		       enable ? enable[7] : '0', strstr(text, "ctrl=auto") ? "auto" : "user",
		       rpct ? (int)strcspn(rpct + 5, " .\n") : 1, rpct ? rpct + 5 : "0");
	disk_put(".", "io.cost.qos", disk_qos);
}

static inline void disk_kernel_step(const char *step)
{
	char now[512], shown[512];

	if (strcmp(step, "knob-written") != 0 && strcmp(step, "knob-restored") != 0)
		return;
	for (unsigned int g = 0; g < 2; g++) {
		for (unsigned int k = 0; k < (disk_world->version == 1 ? KEYS : 1u); k++) {
			const char *file = disk_world->version == 1 ? disk_files[k] : "io.max";

			disk_read(disk_groups[g], file, now, sizeof(now));
			if (disk_world->version == 1)
				disk_show_v1(g, k, shown, sizeof(shown));
			else
				disk_show_v2(g, shown, sizeof(shown));
			if (strcmp(now, shown) == 0)
				continue;
			disk_take(g, k, now);
			if (disk_world->version == 1)
				disk_show_v1(g, k, shown, sizeof(shown));
			else
				disk_show_v2(g, shown, sizeof(shown));
			disk_put(disk_groups[g], file, shown);
		}
	}
	if (disk_world->version == 2) {
		disk_read(".", "io.cost.qos", now, sizeof(now));
		if (strcmp(now, disk_qos) != 0)
			disk_take_qos(now);
	}
}

/* What the files hold is what the kernel holds: after a fork, which took its own copy along. */
static inline void disk_look(void)
{
	char now[512];

	for (unsigned int g = 0; g < 2; g++) {
		memset(disk_values[g], 0, sizeof(disk_values[g]));
		for (unsigned int k = 0; k < (disk_world->version == 1 ? KEYS : 1u); k++) {
			char *rest = NULL, *line;

			disk_read(disk_groups[g],
				  disk_world->version == 1 ? disk_files[k] : "io.max", now,
				  sizeof(now));
			for (line = strtok_r(now, "\n", &rest); line;
			     line = strtok_r(NULL, "\n", &rest))
				disk_take(g, k, line);
		}
	}
	if (disk_world->version == 2)
		disk_read(".", "io.cost.qos", disk_qos, sizeof(disk_qos));
}

static inline void disk_open(struct world *world, int version)
{
	static const char *const names[] = { "dev", "dev/block", "dev/block/8:0",
					     "dev/block/8:16" };
	char path[64];

	world_open(world, version);
	disk_world = world;
	disk_lost = 0;
	memset(disk_values, 0, sizeof(disk_values));
	disk_qos[0] = '\0';
	for (unsigned int g = 0; g < 2; g++)
		for (unsigned int k = 0; k < (version == 1 ? KEYS : 1u); k++)
			disk_put(disk_groups[g], version == 1 ? disk_files[k] : "io.max", "");
	if (version == 2) {
		disk_put(".", "io.cost.qos", "");
		disk_put("pods/a", "io.weight", "default 100\n8:0 50\n");
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		(void)snprintf(path, sizeof(path), "sys/%s", names[i]);
		world_make(world->dir, path);
	}
	actuator_failpoint = disk_kernel_step;
}

/* What the kernel holds of it; "" none. */
static inline const char *disk_get(unsigned int group, unsigned int disk, unsigned int key)
{
	return disk_values[group][disk][key];
}

static inline int disk_claim(struct world *world, const char *owner, uint64_t id, uint64_t device,
			     enum knob knob, uint64_t number)
{
	struct cgroup *group = NULL;
	int r = cgroup_new(&world->hierarchy, world_group(id), &group);
	struct actuator_target target = {
		.target = world_target(id),
		.group = group,
		.label = "test/pod",
		.device = device,
	};
	struct knob_value value = { .number = number };

	if (r == 0)
		r = actuator_claim(world->actuator, owner, &target, knob, &value, 0, "a reason");
	(void)cgroup_free(group);
	return r;
}

static inline int disk_claim_text(struct world *world, const char *owner, uint64_t device,
				  enum knob knob, const char *text)
{
	struct actuator_target target = {
		.target = { .kind = TARGET_DEVICE, .id = device },
		.label = "device",
	};
	struct knob_value value = { .text = text };

	return actuator_claim(world->actuator, owner, &target, knob, &value, 0, "a reason");
}
