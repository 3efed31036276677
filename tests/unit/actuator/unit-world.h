/* SPDX-License-Identifier: Apache-2.0 */
/*
 * unit-world.h - a world (world.h) with a systemd (fake-manager.h) that owns one of its groups:
 * batch.slice, whose weight somebody wrote by hand after systemd had.
 */
#pragma once

#include "actuator/claim/internal.h"
#include "actuator/unit/pin-internal.h"
#include "fake-manager.h"

#define BATCH       "pods/batch.slice"
#define BATCH_ID    21u
#define BATCH_WANTS 77u

struct rig {
	struct world world;
	struct manager manager;
};

static inline void rig_group(struct world *world, const char *group)
{
	char path[PATH_MAX];

	world_path(world, group, "", path, sizeof(path));
	assert_int_equal(mkdir(path, 0755), 0);
	for (size_t i = 0; world->version == 2 && i < ARRAY_SIZE(world_files_v2); i++)
		world_set(world, group, world_files_v2[i].name, world_files_v2[i].text);
	for (size_t i = 0; world->version == 1 && i < ARRAY_SIZE(world_files_v1); i++)
		if (strcmp(world_files_v1[i].controller, "cpu") == 0)
			world_set(world, group, world_files_v1[i].name, world_files_v1[i].text);
}

static inline void rig_group_remove(struct world *world, const char *group)
{
	char path[PATH_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(world_files_v2); i++) {
		world_path(world, group, world_files_v2[i].name, path, sizeof(path));
		assert_int_equal(unlink(path), 0);
	}
	world_path(world, group, "", path, sizeof(path));
	assert_int_equal(rmdir(path), 0);
}

/* As systemd makes it when the unit is started again: by its property, and with another inode,
 * which a file system may otherwise use again at once. */
static inline void rig_group_renew(struct world *world, const char *group)
{
	char path[PATH_MAX], old[PATH_MAX];

	world_path(world, group, "", path, sizeof(path));
	world_path(world, "pods/old", "", old, sizeof(old));
	assert_int_equal(rename(path, old), 0);
	rig_group(world, group);
	rig_group_remove(world, "pods/old");
	world_set(world, group, "cpu.idle", "1");
	world_set(world, group, "cpu.weight", "0");
}

/* false: no dbus-daemon here. */
static inline bool rig_open(struct rig *rig, int version, bool with_bus)
{
	struct manager *manager = &rig->manager;

	*manager = (struct manager){ .world = &rig->world };
	manager->state = mmap(NULL, sizeof(*manager->state), PROT_READ | PROT_WRITE,
			      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(manager->state != MAP_FAILED);
	world_open(&rig->world, version);
	world_stop(&rig->world);
	world_make(rig->world.dir, "run/systemd");
	world_make(rig->world.dir, "run/systemd/system");
	rig_group(&rig->world, BATCH);
	manager->state->units[0] = (struct manager_unit){
		.name = "batch.slice",
		.group = BATCH,
		.weight = BATCH_WANTS,
		.shares = UNSET,
		.quota = UNSET,
	};
	if (with_bus && manager_bus_start(manager) < 0)
		return false;
	if (with_bus)
		manager_start(manager);
	else
		assert_ok(setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/bus", 1));
	rig->world.options.pin_units = true;
	world_start(&rig->world);
	return true;
}

static inline void rig_close(struct rig *rig)
{
	world_close(&rig->world);
	manager_stop(&rig->manager);
	manager_bus_stop(&rig->manager);
	(void)munmap(rig->manager.state, sizeof(*rig->manager.state));
}

#define rig_open_or_skip(rig, version)                 \
	do {                                           \
		if (!rig_open((rig), version, true)) { \
			rig_close(rig);                \
			skip();                        \
		}                                      \
	} while (0)

static inline struct manager_unit *rig_unit(struct rig *rig)
{
	return &rig->manager.state->units[0];
}

static inline void rig_claim(struct rig *rig, enum knob knob, uint64_t number)
{
	assert_ok(world_claim_at(&rig->world, "one", BATCH_ID, BATCH, knob, number, 0));
}

static inline void rig_unclaim(struct rig *rig, enum knob knob)
{
	world_unclaim(&rig->world, "one", BATCH_ID, knob);
}

static inline bool rig_has_all_answers(const struct rig *rig)
{
	const struct unit_pins *pins = rig->world.actuator->pins;

	return pins->in_flight == 0 && (pins->absent || list_is_empty(&pins->queue));
}

/* Until systemd has answered all, however busy the machine is, and nothing more happens. */
static inline void rig_run(struct rig *rig)
{
	do {
		world_until(&rig->world, rig_has_all_answers(rig));
		world_run(&rig->world, 20 * USEC_PER_MSEC);
	} while (!rig_has_all_answers(rig));
}

/* `systemctl daemon-reload`, as far as the unit's group is concerned. */
static inline void rig_daemon_reload(struct rig *rig)
{
	manager_realize(&rig->manager, rig_unit(rig));
}

static inline void rig_see_setting(void *data, const struct knob_view *view)
{
	char *text = data;

	if (view->unit[0])
		(void)snprintf(text, 128, "%s of %s", view->unit_setting, view->unit);
}

/* What `berthctl explain` says of the group's unit. */
static inline const char *rig_setting(struct rig *rig)
{
	struct berth_target target = world_target(BATCH_ID);
	static char text[128];

	text[0] = '\0';
	actuator_each_knob(rig->world.actuator, &target, rig_see_setting, text);
	return text;
}

struct rig_history {
	const char *what, *outcome;
	unsigned int count;
};

static inline void rig_history_one(void *data, const struct history_view *view)
{
	struct rig_history *history = data;

	if (strstr(view->what, history->what) && strstr(view->outcome, history->outcome))
		history->count++;
}

static inline unsigned int rig_told(struct rig *rig, const char *what, const char *outcome)
{
	struct rig_history history = { .what = what, .outcome = outcome };

	actuator_each_history(rig->world.actuator, rig_history_one, &history);
	return history.count;
}
