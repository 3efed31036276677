/* SPDX-License-Identifier: Apache-2.0 */
/*
 * host-world.h - a small cgroup v2 host in a directory, and everything up to the plugin host on top
 * of it: real loop, registry, actuator, metrics and plugins. What a plugin claims shows in files.
 */
#pragma once

#include <sys/stat.h>
#include <time.h>

#include "berth-test.h"
#include "file.h"
#include "log.h"
#include "macro.h"
#include "module-dir.h"
#include "plugin/host.h"

DEFINE_CLEANUP(struct settings *, settings_free);

struct world {
	char dir[32];
	int runtime_fd;
	sd_event *event;
	struct sysroot root;
	struct hierarchy hierarchy;
	struct actuator *actuator;
	struct snapshot snapshot;
	struct metrics *metrics;
	struct registry registry;
	struct plugin_list plugins;
	struct settings *settings;
	struct host *host;
	unsigned int told_count; /* by plugins' tell(); the last one: "OWNER ID WHAT: REASON" */
	char told[256];
};

static inline void world_write(const struct world *world, const char *name, const char *text)
{
	char path[PATH_MAX * 2];
	cleanup_close int fd = -EBADF;

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_ok(fd);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static inline void world_mkdir(const struct world *world, const char *name)
{
	char path[PATH_MAX * 2];

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	assert_ok(mkdir(path, 0755));
}

/* Without the final newline. */
static inline const char *world_read(const struct world *world, const char *group, const char *file)
{
	static char text[256];
	char name[PATH_MAX];

	(void)snprintf(name, sizeof(name), "%s/sys/fs/cgroup/%s/%s", world->dir, group, file);
	assert_ok(file_read(AT_FDCWD, name, text, sizeof(text)));
	return text;
}

#define assert_knob(world, group, file, expected) \
	assert_string_equal(world_read(world, group, file), expected)

static inline void world_group(const struct world *world, const char *group)
{
	static const struct {
		const char *file, *text;
	} files[] = {
		{ "cgroup.procs", "" },
		{ "cgroup.controllers", "cpu memory\n" },
		{ "cgroup.kill", "" },
		{ "cpu.weight", "100\n" },
		{ "cpu.idle", "0\n" },
		{ "cpu.max", "max 100000\n" },
		{ "cpu.stat", "usage_usec 1000\n" },
		{ "memory.current", "4096\n" },
		{ "memory.low", "0\n" },
		{ "memory.min", "0\n" },
		{ "memory.reclaim", "" },
	};
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s", group);
	world_mkdir(world, path);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		(void)snprintf(path, sizeof(path), "sys/fs/cgroup/%s/%s", group, files[i].file);
		world_write(world, path, files[i].text);
	}
}

static inline void world_group_remove(const struct world *world, const char *group)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/sys/fs/cgroup/%s", world->dir, group);
	fixture_remove(path);
}

/* The policy as text; the one before is freed by the caller of settings_free(). */
static inline struct settings *world_settings(const struct world *world, const char *text)
{
	struct config_errors errors = {};
	struct settings *settings = NULL;
	char path[64], line[768];

	world_write(world, "berth.yaml", text);
	(void)snprintf(path, sizeof(path), "%s/berth.yaml", world->dir);
	if (settings_load(path, NULL, false, &errors, &settings) < 0 ||
	    plugin_check_all(&world->plugins, settings, &errors) < 0) {
		config_error_format(&errors.items[0], line, sizeof(line));
		fail_msg("%s", line);
	}
	return settings;
}

/* As a reload does it. */
static inline void world_apply(struct world *world, const char *text)
{
	struct settings *before = world->settings;

	world->settings = world_settings(world, text);
	registry_reload(&world->registry, world->settings);
	assert_ok(host_apply(world->host, world->settings));
	(void)settings_free(before);
}

static inline uint64_t world_add(struct world *world, const char *group)
{
	const char *slash = strrchr(group, '/');
	const struct workload_record record = {
		.kind = "cgroup",
		.namespace = "",
		.name = slash ? slash + 1 : group,
		.cgroup = group,
	};

	assert_ok(registry_put(&world->registry, "test", 0, &record));
	return registry_find_path(&world->registry, group)->view.id;
}

static inline void world_listen(void *data, enum workload_change change, struct workload *workload)
{
	const struct world *world = data;

	if (world->host)
		host_workload(world->host, change, workload);
}

/* Offline work is what lies below batch/. */
#define WORLD_POLICY \
	"rules:\n"   \
	"  - {match: {cgroup: 'batch/*'}, qos: batch}\n"

static inline void world_build_host(const struct world *world)
{
	static const char *const directories[] = { "run",       "plugins",       "proc",
						   "proc/self", "proc/pressure", "sys",
						   "sys/fs",    "sys/fs/cgroup" };

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		world_mkdir(world, directories[i]);
	world_write(world, "proc/self/mounts", "cgroup2 /sys/fs/cgroup cgroup2 rw 0 0\n");
	world_write(world, "proc/stat", "cpu  1 2 3 4 5 6 7 0 0 0\ncpu0 1 2 3 4 5 6 7 0 0 0\n");
	world_write(world, "proc/meminfo", "MemTotal: 1024 kB\nMemAvailable: 512 kB\n");
	world_write(world, "sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
	world_write(world, "sys/fs/cgroup/cgroup.subtree_control", "cpu memory\n");
	world_group(world, "batch");
	world_group(world, "batch/a");
	world_group(world, "batch/b");
	world_group(world, "online");
}

/* Everything but the host; the group's own plugins directory is empty. */
static inline struct world *world_new(void)
{
	struct world *world = calloc(1, sizeof(*world));
	const struct actuator_options options = {
		.reconcile_interval_usec = 3600 * USEC_PER_SEC,
		.actions_per_minute = 60,
		.previous_lease_usec = 60 * USEC_PER_SEC,
	};
	struct actuator_context context;
	char path[64];

	assert_non_null(world);
	/* Plugins fail on purpose here; the assertions tell what matters. */
	log_set_level(LOG_CRIT);
	(void)snprintf(world->dir, sizeof(world->dir), "/tmp/berth-test.XXXXXX");
	assert_non_null(mkdtemp(world->dir));
	world_build_host(world);
	(void)snprintf(path, sizeof(path), "%s/run", world->dir);
	world->runtime_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(world->runtime_fd);
	assert_ok(sd_event_new(&world->event));
	assert_ok(sysroot_open(world->dir, &world->root));
	assert_ok(hierarchy_open(&world->root, &world->hierarchy));
	assert_int_equal(world->hierarchy.mode, HIERARCHY_V2);
	context = (struct actuator_context){ world->event, &world->root, &world->hierarchy,
					     world->runtime_fd };
	assert_ok(actuator_new(&context, &options, &world->actuator));
	(void)actuator_probe(world->actuator, "batch/a");
	assert_ok(snapshot_init(&world->snapshot, &world->root, &world->hierarchy, NULL));
	assert_ok(metrics_new(&world->metrics));
	world->settings = world_settings(world, WORLD_POLICY);
	registry_init(&world->registry, &world->hierarchy, world->settings, world_listen, world);
	return world;
}

static inline void world_plugin(const struct world *world, const char *module)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "%s/plugins", world->dir);
	module_copy(path, module);
}

static inline void world_on_told(void *data, const char *owner, uint64_t id, const char *what,
				 const char *reason)
{
	struct world *world = data;

	world->told_count++;
	(void)snprintf(world->told, sizeof(world->told), "%s %llu %s: %s", owner,
		       (unsigned long long)id, what, reason);
}

/* Load what is in the plugins directory and start it by this policy. */
static inline void world_run(struct world *world, const char *policy)
{
	struct config_errors errors = {};
	char path[64];
	struct host_context context = {
		.event = world->event,
		.registry = &world->registry,
		.actuator = world->actuator,
		.snapshot = &world->snapshot,
		.metrics = world->metrics,
		.runtime_fd = world->runtime_fd,
		.told = world_on_told,
		.acted_data = world,
	};

	(void)snprintf(path, sizeof(path), "%s/plugins", world->dir);
	assert_ok(plugin_list_load(path, &errors, &world->plugins));
	assert_int_equal(errors.count, 0);
	assert_ok(host_new(&context, &world->plugins, &world->host));
	world_apply(world, policy);
}

static inline struct world *world_free(struct world *world)
{
	world->host = host_free(world->host);
	(void)actuator_restore_all(world->actuator, false);
	(void)actuator_free(world->actuator);
	registry_done(&world->registry);
	(void)metrics_free(world->metrics);
	snapshot_done(&world->snapshot);
	plugin_list_done(&world->plugins);
	(void)settings_free(world->settings);
	hierarchy_done(&world->hierarchy);
	sysroot_done(&world->root);
	(void)sd_event_unref(world->event);
	(void)close(world->runtime_fd);
	fixture_remove(world->dir);
	free(world);
	return NULL;
}

static inline uint64_t world_now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* Run the loop until `condition`; it is an error when that takes 30 s. */
#define world_until(world, condition)                                                 \
	do {                                                                          \
		uint64_t until_end = world_now_usec() + 30 * USEC_PER_SEC;            \
		while (!(condition)) {                                                \
			assert_ok(sd_event_run((world)->event, 100 * USEC_PER_MSEC)); \
			if (world_now_usec() > until_end)                             \
				fail_msg("waited in vain for %s", #condition);        \
		}                                                                     \
	} while (0)

/* Handle what is due now. */
static inline void world_settle(const struct world *world)
{
	while (sd_event_run(world->event, 0) > 0)
		continue;
}

struct world_views {
	struct plugin_view view;
	const char *wanted;
	bool found;
	char detail[256];
};

static inline void world_view_take(void *data, const struct plugin_view *view)
{
	struct world_views *views = data;

	if (strcmp(view->name, views->wanted) != 0)
		return;
	views->view = *view;
	views->found = true;
	(void)snprintf(views->detail, sizeof(views->detail), "%s", view->detail);
}

/* detail is good until the next call. */
static inline struct plugin_view world_view(const struct world *world, const char *plugin)
{
	static struct world_views views;

	views = (struct world_views){ .wanted = plugin };
	host_each_plugin(world->host, world_view_take, &views);
	assert_true(views.found);
	views.view.detail = views.detail;
	return views.view;
}

static inline struct actor_record *world_record(const struct world *world, const char *plugin)
{
	const struct plugin *found = plugin_list_get(&world->plugins, plugin);
	void *symbol;

	assert_non_null(found);
	symbol = dlsym(found->handle, "actor_record");
	assert_non_null(symbol);
	return symbol;
}
