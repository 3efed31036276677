/* SPDX-License-Identifier: Apache-2.0 */
/*
 * world.h - a small host of plain files for the actuator's tests, with a kernel that does what
 * plain files do not: cpu.idle locks the weight and resets it.
 */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/actuator.h"
#include "actuator/journal/journal.h"
#include "cleanup.h"
#include "fixture-copy.h"
#include "macro.h"
#include "monotonic.h"

#define WORLD_A 11u
#define WORLD_B 12u
#define WORLD_C 13u

#define WORLD_PATIENCE_USEC (60 * USEC_PER_SEC)

static const char *const world_groups[] = { "pods", "pods/a", "pods/b", "pods/a/c" };
static const struct {
	const char *controller, *name, *text;
} world_files_v2[] = {
	{ "", "cpu.idle", "0" },
	{ "", "cpu.weight", "250" },
	{ "", "cpu.max", "max 100000" },
	{ "", "memory.min", "0" },
	{ "", "memory.low", "0" },
	{ "", "memory.high", "max" },
	{ "", "memory.oom.group", "0" },
	{ "", "cgroup.procs", "" },
	{ "", "cgroup.events", "populated 0" },
};
static const struct {
	const char *controller, *name, *text;
} world_files_v1[] = {
	{ "cpu", "cpu.idle", "0" },
	{ "cpu", "cpu.shares", "2048" },
	{ "cpu", "cpu.cfs_quota_us", "-1" },
	{ "cpu", "cpu.cfs_period_us", "100000" },
	{ "cpu", "cpu.qos_level", "0" },
	{ "cpu", "cgroup.procs", "" },
	{ "memory", "memory.qos_level", "0" },
	{ "memory", "cgroup.procs", "" },
};

struct world {
	char dir[32];
	int version;
	struct sysroot root;
	struct hierarchy hierarchy;
	sd_event *event;
	int runtime_fd;
	struct actuator_options options;
	struct actuator *actuator;
};

/* The kernel of the one world that has one. */
static struct world *world_kernel;
static bool world_was_idle[ARRAY_SIZE(world_groups)];

static inline void world_path(const struct world *world, const char *group, const char *file,
			      char *text, size_t size)
{
	const char *controller = strncmp(file, "memory", 6) == 0  ? "memory/"
				 : strncmp(file, "blkio", 5) == 0 ? "blkio/"
								  : "cpu/";

	(void)snprintf(text, size, "%s/sys/fs/cgroup/%s%s/%s", world->dir,
		       world->version == 1 ? controller : "", group, file);
}

static inline void world_set(const struct world *world, const char *group, const char *file,
			     const char *value)
{
	char path[PATH_MAX];

	world_path(world, group, file, path, sizeof(path));

	FILE *stream = fopen(path, "we");

	assert_non_null(stream);
	assert_true(fprintf(stream, "%s\n", value) > 0);
	assert_int_equal(fclose(stream), 0);
}

static inline const char *world_get(const struct world *world, const char *group, const char *file)
{
	static char text[4][128];
	static unsigned int turn;
	char path[PATH_MAX];
	char *line = text[turn++ % 4];

	world_path(world, group, file, path, sizeof(path));

	FILE *stream = fopen(path, "re");

	if (!stream || !fgets(line, 128, stream))
		line[0] = '\0';
	if (stream)
		(void)fclose(stream);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

/* kernel/sched/core.c: sched_group_set_idle() */
static inline void world_kernel_step(const char *step)
{
	const char *weight = world_kernel->version == 1 ? "cpu.shares" : "cpu.weight";
	const char *reset = world_kernel->version == 1 ? "1024" : "100";

	if (strcmp(step, "knob-written") != 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(world_groups); i++) {
		bool idle = strcmp(world_get(world_kernel, world_groups[i], "cpu.idle"), "1") == 0;

		if (idle)
			world_set(world_kernel, world_groups[i], weight,
				  world_kernel->version == 1 ? "3" : "0");
		else if (world_was_idle[i])
			world_set(world_kernel, world_groups[i], weight, reset);
		world_was_idle[i] = idle;
	}
}

static inline void world_look_at_idle(struct world *world)
{
	world_kernel = world;
	for (size_t i = 0; i < ARRAY_SIZE(world_groups); i++)
		world_was_idle[i] = strcmp(world_get(world, world_groups[i], "cpu.idle"), "1") == 0;
	actuator_failpoint = world_kernel_step;
}

static inline void world_start(struct world *world)
{
	struct actuator_context context = {
		.event = world->event,
		.root = &world->root,
		.hierarchy = &world->hierarchy,
		.runtime_fd = world->runtime_fd,
	};

	assert_ok(actuator_new(&context, &world->options, &world->actuator));
}

static inline void world_make(const char *dir, const char *below)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", dir, below);
	assert_int_equal(mkdir(path, 0755), 0);
}

static inline void world_fill(struct world *world)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(world_groups); i++) {
		if (world->version == 2) {
			world_path(world, world_groups[i], "", path, sizeof(path));
			assert_int_equal(mkdir(path, 0755), 0);
			for (size_t j = 0; j < ARRAY_SIZE(world_files_v2); j++)
				world_set(world, world_groups[i], world_files_v2[j].name,
					  world_files_v2[j].text);
			continue;
		}
		world_path(world, world_groups[i], "", path, sizeof(path));
		assert_int_equal(mkdir(path, 0755), 0);
		world_path(world, world_groups[i], "memory", path, sizeof(path));
		path[strlen(path) - strlen("memory")] = '\0';
		assert_int_equal(mkdir(path, 0755), 0);
		world_path(world, world_groups[i], "blkio", path, sizeof(path));
		path[strlen(path) - strlen("blkio")] = '\0';
		assert_int_equal(mkdir(path, 0755), 0);
		for (size_t j = 0; j < ARRAY_SIZE(world_files_v1); j++)
			if (strcmp(world_files_v1[j].name, "cgroup.procs") != 0)
				world_set(world, world_groups[i], world_files_v1[j].name,
					  world_files_v1[j].text);
	}
}

static inline void world_mounts(const struct world *world)
{
	char path[PATH_MAX];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/proc/self/mounts", world->dir);
	stream = fopen(path, "we");
	assert_non_null(stream);
	if (world->version == 2)
		(void)fputs("cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n", stream);
	else
		(void)fputs("cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
			    "cgroup /sys/fs/cgroup/memory cgroup rw,memory 0 0\n"
			    "cgroup /sys/fs/cgroup/blkio cgroup rw,blkio 0 0\n",
			    stream);
	assert_int_equal(fclose(stream), 0);
}

static inline void world_open(struct world *world, int version)
{
	static const char *const dirs[] = { "proc", "proc/self", "proc/sys", "proc/sys/vm",
					    "run",  "sys",       "sys/fs",   "sys/fs/cgroup" };
	char path[PATH_MAX];

	*world = (struct world){
		.dir = "/tmp/berth-world.XXXXXX",
		.version = version,
		.runtime_fd = -EBADF,
		.options = { .reconcile_interval_usec = 30 * USEC_PER_SEC,
			     .actions_per_minute = 60,
			     .previous_lease_usec = 60 * USEC_PER_SEC },
	};
	assert_non_null(mkdtemp(world->dir));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		world_make(world->dir, dirs[i]);
	if (version == 1) {
		world_make(world->dir, "sys/fs/cgroup/cpu");
		world_make(world->dir, "sys/fs/cgroup/memory");
		world_make(world->dir, "sys/fs/cgroup/blkio");
	}
	world_mounts(world);
	world_fill(world);
	if (version == 2) {
		(void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup/cgroup.controllers",
			       world->dir);
		FILE *stream = fopen(path, "we");

		assert_non_null(stream);
		(void)fputs("cpuset cpu io memory pids\n", stream);
		assert_int_equal(fclose(stream), 0);
	}
	assert_ok(sysroot_open(world->dir, &world->root));
	assert_ok(hierarchy_open(&world->root, &world->hierarchy));
	assert_ok(sd_event_new(&world->event));
	(void)snprintf(path, sizeof(path), "%s/run", world->dir);
	world->runtime_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(world->runtime_fd >= 0);
	world_start(world);
}

static inline void world_stop(struct world *world)
{
	world->actuator = actuator_free(world->actuator);
}

static inline void world_close(struct world *world)
{
	actuator_failpoint = NULL;
	world_kernel = NULL;
	world_stop(world);
	sd_event_unref(world->event);
	hierarchy_done(&world->hierarchy);
	sysroot_done(&world->root);
	(void)close(world->runtime_fd);
	fixture_remove(world->dir);
}

static inline struct berth_target world_target(uint64_t id)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = id };
}

static inline const char *world_group(uint64_t id)
{
	return id == WORLD_A ? "pods/a" : id == WORLD_B ? "pods/b" : "pods/a/c";
}

static inline int world_claim_at(struct world *world, const char *owner, uint64_t id,
				 const char *path, enum knob knob, uint64_t number,
				 uint64_t lease_usec)
{
	struct cgroup *group = NULL;
	int r = cgroup_new(&world->hierarchy, path, &group);
	struct actuator_target target = {
		.target = world_target(id),
		.group = group,
		.label = "test/pod",
	};
	struct knob_value value = { .number = number };

	if (r == 0)
		r = actuator_claim(world->actuator, owner, &target, knob, &value, lease_usec,
				   "a reason");
	(void)cgroup_free(group);
	return r;
}

static inline int world_claim(struct world *world, const char *owner, uint64_t id, enum knob knob,
			      uint64_t number, uint64_t lease_usec)
{
	return world_claim_at(world, owner, id, world_group(id), knob, number, lease_usec);
}

static inline void world_unclaim(struct world *world, const char *owner, uint64_t id,
				 enum knob knob)
{
	actuator_unclaim(world->actuator, owner, world_target(id), knob);
}

struct world_seen {
	enum knob knob;
	unsigned int count;
	enum knob_status status;
	int error;
	uint64_t foreign;
	size_t claims;
	char original[64], owner[32];
};

static inline void world_see_one(void *data, const struct knob_view *view)
{
	struct world_seen *seen = data;

	if (view->knob != seen->knob)
		return;
	seen->count++;
	seen->status = view->status;
	seen->error = view->error;
	seen->foreign = view->foreign;
	seen->claims = view->claim_count;
	(void)snprintf(seen->original, sizeof(seen->original), "%s", view->original);
	(void)snprintf(seen->owner, sizeof(seen->owner), "%s",
		       view->claim_count ? view->claims[0].owner : "");
}

/* By id; 0: of any group. */
static inline struct world_seen world_see(const struct world *world, uint64_t id, enum knob knob)
{
	struct world_seen seen = { .knob = knob };
	struct berth_target target = world_target(id);

	actuator_each_knob(world->actuator, id ? &target : NULL, world_see_one, &seen);
	return seen;
}

static inline struct actuator_stats world_stats(const struct world *world)
{
	struct actuator_stats stats;

	actuator_stats(world->actuator, &stats);
	return stats;
}

/* Runs the loop until nothing happens for that long: for what this process does by itself, and what
 * is due sooner. Whoever waits for a thread or another process wants world_until(). */
static inline void world_run(struct world *world, uint64_t quiet_usec)
{
	while (sd_event_run(world->event, quiet_usec) > 0)
		;
}

/* Runs the loop until that is so. */
#define world_until(world, condition)                                                        \
	do {                                                                                 \
		uint64_t until_end = monotonic_usec() + WORLD_PATIENCE_USEC;                 \
		while (!(condition)) {                                                       \
			assert_true(sd_event_run((world)->event, 100 * USEC_PER_MSEC) >= 0); \
			if (monotonic_usec() > until_end)                                    \
				fail_msg("waited in vain for %s", #condition);               \
		}                                                                            \
	} while (0)

#define assert_knob(world, group, file, text) \
	assert_string_equal(world_get(world, group, file), text)
