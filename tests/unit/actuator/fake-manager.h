/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-manager.h - a dbus-daemon of the test's own and, in a process of its own, an
 * org.freedesktop.systemd1 that knows units and their properties. Like systemd 252 it writes all of
 * a unit's knobs when one property is set, on the turn of its loop after the answer. What it knows
 * is in shared memory, for the test to look at and to change.
 */
#pragma once

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "berth-test.h"
#include "world.h"

#define MANAGER_UNITS 4
#define UNSET         UINT64_MAX

struct manager_unit {
	char name[64], group[64]; /* "": there is no such unit */
	uint64_t weight, shares, quota, low, min;
};

struct manager_state {
	struct manager_unit units[MANAGER_UNITS];
	atomic_uint asked, sets; /* GetUnit; SetUnitProperties */
	atomic_bool refuses;     /* to set anything */
	atomic_bool mute;        /* answers nothing */
	atomic_bool stuck;       /* sets nothing, and the bus gives up on it */
	atomic_bool late;        /* sets, but the bus has given up on it by then */
	atomic_bool hangs;       /* sets, says so and is stuck then */
	atomic_bool hung;        /* answers no question, and has not written */
	atomic_bool gone;        /* nobody has its name when it is to set something */
	atomic_bool old;         /* before 252: no CPUWeight=idle */
};

struct manager {
	struct world *world;
	struct manager_state *state;
	pid_t bus_pid, pid;
	sd_event *event; /* of the process */
	sd_bus *bus;
	sd_event_source *realize;
	struct manager_unit *dirty;
};

/* Of the process that is one. */
static struct manager *manager_self;

static inline struct manager_unit *manager_unit(struct manager *manager, const char *name)
{
	for (size_t i = 0; i < MANAGER_UNITS; i++)
		if (manager->state->units[i].name[0] &&
		    strcmp(manager->state->units[i].name, name) == 0)
			return &manager->state->units[i];
	return NULL;
}

static inline uint64_t *manager_property(struct manager_unit *unit, const char *name)
{
	return strcmp(name, "CPUWeight") == 0            ? &unit->weight
	       : strcmp(name, "CPUShares") == 0          ? &unit->shares
	       : strcmp(name, "CPUQuotaPerSecUSec") == 0 ? &unit->quota
	       : strcmp(name, "MemoryLow") == 0          ? &unit->low
	       : strcmp(name, "MemoryMin") == 0          ? &unit->min
							 : NULL;
}

static inline void manager_write(struct manager *manager, const struct manager_unit *unit,
				 const char *file, uint64_t value, const char *behind)
{
	char text[64];

	if (value == UNSET)
		(void)snprintf(text, sizeof(text), "max%s", behind);
	else
		(void)snprintf(text, sizeof(text), "%llu%s", (unsigned long long)value, behind);
	world_set(manager->world, unit->group, file, text);
}

/* cgroup_context_apply() */
static inline void manager_realize(struct manager *manager, const struct manager_unit *unit)
{
	if (manager->world->version == 1) {
		manager_write(manager, unit, "cpu.shares",
			      unit->shares == UNSET ? 1024 : unit->shares, "");
		world_set(manager->world, unit->group, "cpu.cfs_quota_us",
			  unit->quota == UNSET ? "-1" : "50000");
		return;
	}
	if (!manager->state->old)
		world_set(manager->world, unit->group, "cpu.idle", unit->weight == 0 ? "1" : "0");
	if (unit->weight != 0)
		manager_write(manager, unit, "cpu.weight",
			      unit->weight == UNSET ? 100 : unit->weight, "");
	manager_write(manager, unit, "cpu.max", unit->quota == UNSET ? UNSET : unit->quota / 10,
		      " 100000");
	manager_write(manager, unit, "memory.low", unit->low, "");
	manager_write(manager, unit, "memory.min", unit->min, "");
	world_set(manager->world, unit->group, "memory.high", "max");
	world_set(manager->world, unit->group, "memory.oom.group", "0");
}

static int manager_on_realize(sd_event_source *source, void *data)
{
	struct manager *manager = data;

	(void)source;
	manager_realize(manager, manager->dirty);
	return 0;
}

static int manager_get_unit(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct manager *manager = data;
	char *path = NULL;
	const char *name;
	int r;

	manager->state->asked++;
	if (manager->state->mute)
		return 1;
	if (sd_bus_message_read(message, "s", &name) < 0 || !manager_unit(manager, name))
		return sd_bus_error_set(error, "org.freedesktop.systemd1.NoSuchUnit", "none");
	if (sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, &path) < 0)
		return -ENOMEM;
	r = sd_bus_reply_method_return(message, "o", path);
	free(path);
	return r;
}

static int manager_set(sd_bus_message *message, void *data, sd_bus_error *error)
{
	struct manager *manager = data;
	const char *name, *property;
	struct manager_unit *unit;
	int runtime, r;
	uint64_t value;

	if (manager->state->mute)
		return 1;
	if (manager->state->gone)
		return sd_bus_error_set(error, SD_BUS_ERROR_SERVICE_UNKNOWN, "gone");
	if (manager->state->stuck)
		return sd_bus_error_set(error, SD_BUS_ERROR_NO_REPLY, "stuck");
	if (sd_bus_message_read(message, "sb", &name, &runtime) < 0 || !runtime)
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "not at run time");
	unit = manager_unit(manager, name);
	if (!unit)
		return sd_bus_error_set(error, "org.freedesktop.systemd1.NoSuchUnit", "none");
	r = sd_bus_message_enter_container(message, 'a', "(sv)");
	if (r > 0)
		r = sd_bus_message_read(message, "(sv)", &property, "t", &value);
	if (r <= 0 || !manager_property(unit, property) || manager->state->refuses ||
	    (manager->state->old && value == 0))
		return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "out of range");
	*manager_property(unit, property) = value;
	manager->state->sets++;
	if (manager->state->late) {
		manager_realize(manager, unit);
		return sd_bus_error_set(error, SD_BUS_ERROR_NO_REPLY, "late");
	}
	if (manager->state->hangs) {
		manager->state->hung = true;
		return sd_bus_reply_method_return(message, NULL);
	}
	manager->dirty = unit;
	(void)sd_event_source_set_enabled(manager->realize, SD_EVENT_ONESHOT);
	return sd_bus_reply_method_return(message, NULL);
}

static int manager_number(sd_bus *bus, const char *path, const char *interface,
			  const char *property, sd_bus_message *reply, void *data,
			  sd_bus_error *error)
{
	struct manager_unit *unit = data;

	(void)bus;
	(void)path;
	(void)interface;
	if (manager_self->state->hung)
		return sd_bus_error_set(error, SD_BUS_ERROR_NO_REPLY, "hung");
	return sd_bus_message_append(reply, "t", *manager_property(unit, property));
}

static int manager_group(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *data, sd_bus_error *error)
{
	struct manager_unit *unit = data;
	char text[80];

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)error;
	(void)snprintf(text, sizeof(text), "/%s", unit->group);
	return sd_bus_message_append(reply, "s", text);
}

static int manager_find(sd_bus *bus, const char *path, const char *interface, void *data,
			void **ret, sd_bus_error *error)
{
	struct manager *manager = data;
	char *name = NULL;

	(void)bus;
	(void)interface;
	(void)error;
	if (sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &name) <= 0)
		return 0;
	*ret = manager_unit(manager, name);
	free(name);
	return *ret != NULL;
}

static const sd_bus_vtable manager_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("GetUnit", "s", "o", manager_get_unit, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("SetUnitProperties", "sba(sv)", "", manager_set, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable manager_unit_vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ControlGroup", "s", manager_group, 0, 0),
	SD_BUS_PROPERTY("CPUWeight", "t", manager_number, 0, 0),
	SD_BUS_PROPERTY("CPUShares", "t", manager_number, 0, 0),
	SD_BUS_PROPERTY("CPUQuotaPerSecUSec", "t", manager_number, 0, 0),
	SD_BUS_PROPERTY("MemoryLow", "t", manager_number, 0, 0),
	SD_BUS_PROPERTY("MemoryMin", "t", manager_number, 0, 0),
	SD_BUS_VTABLE_END,
};

static inline int manager_serve(struct manager *manager, int ready_fd)
{
	static const char *const interfaces[] = { "org.freedesktop.systemd1.Service",
						  "org.freedesktop.systemd1.Slice" };
	int r = sd_event_new(&manager->event);

	manager_self = manager;
	if (r >= 0)
		r = sd_event_add_defer(manager->event, &manager->realize, manager_on_realize,
				       manager);
	if (r >= 0)
		r = sd_event_source_set_enabled(manager->realize, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_priority(manager->realize, SD_EVENT_PRIORITY_IMPORTANT);
	if (r >= 0)
		r = sd_bus_open_system(&manager->bus);
	if (r >= 0)
		r = sd_bus_add_object_vtable(manager->bus, NULL, "/org/freedesktop/systemd1",
					     "org.freedesktop.systemd1.Manager", manager_vtable,
					     manager);
	for (size_t i = 0; i < ARRAY_SIZE(interfaces) && r >= 0; i++)
		r = sd_bus_add_fallback_vtable(manager->bus, NULL, "/org/freedesktop/systemd1/unit",
					       interfaces[i], manager_unit_vtable, manager_find,
					       manager);
	if (r >= 0)
		r = sd_bus_request_name(manager->bus, "org.freedesktop.systemd1", 0);
	if (r >= 0)
		r = sd_bus_attach_event(manager->bus, manager->event, 0);
	if (r < 0 || write(ready_fd, "r", 1) != 1)
		return 1;
	return sd_event_loop(manager->event) < 0;
}

/* systemd arrives on the bus. */
static inline void manager_start(struct manager *manager)
{
	int ready[2];
	char byte;

	assert_ok(pipe2(ready, O_CLOEXEC));
	manager->pid = fork();
	assert_true(manager->pid >= 0);
	if (manager->pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		actuator_failpoint = NULL;
		_exit(manager_serve(manager, ready[1]));
	}
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
}

/* Until only the bus itself, the manager and this one are on it: what is dead has been taken off,
 * and by then all that it had sent has been handed on. */
static inline void manager_wait_alone(sd_bus *bus)
{
	uint64_t end = monotonic_usec() + WORLD_PATIENCE_USEC;
	size_t owners;

	do {
		char **names = NULL;

		assert_ok(sd_bus_list_names(bus, &names, NULL));
		owners = 0;
		for (size_t i = 0; names[i]; i++) {
			owners += names[i][0] == ':';
			free(names[i]);
		}
		free(names);
		assert_true(monotonic_usec() < end);
	} while (owners > 2);
	assert_int_equal(owners, 2);
}

/* Nobody who died has anything under way any more: not on the bus, nor in the manager, which
 * answers in order and writes a unit's knobs before it takes the next message. */
static inline void manager_wait_idle(void)
{
	sd_bus *bus = NULL;

	assert_ok(sd_bus_open_system(&bus));
	manager_wait_alone(bus);
	assert_ok(sd_bus_call_method(bus, "org.freedesktop.systemd1", "/org/freedesktop/systemd1",
				     "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL));
	sd_bus_flush_close_unref(bus);
}

static inline void manager_stop(struct manager *manager)
{
	if (manager->pid <= 0)
		return;
	(void)kill(manager->pid, SIGKILL);
	(void)waitpid(manager->pid, NULL, 0);
	manager->pid = 0;
}

/* The bus alone. -EIO: there is no dbus-daemon on this machine. */
static inline int manager_bus_start(struct manager *manager)
{
	static const char config[] =
		"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\""
		" \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
		"<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>\n"
		"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
		"<allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\n"
		"<allow send_requested_reply=\"true\"/><allow receive_type=\"method_call\"/>\n"
		"<allow receive_type=\"signal\"/><allow receive_requested_reply=\"true\"/>\n"
		"</policy></busconfig>\n";
	char path[128], option[160], address[256];
	char *arguments[] = { (char[]){ "dbus-daemon" },
			      (char[]){ "--nofork" },
			      (char[]){ "--nopidfile" },
			      (char[]){ "--print-address=1" },
			      option,
			      NULL };
	int out[2], r = 0;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus.conf", manager->world->dir);
	(void)snprintf(option, sizeof(option), "--config-file=%s", path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fprintf(file, config, manager->world->dir) > 0);
	assert_ok(fclose(file));
	(void)snprintf(path, sizeof(path), "unix:path=%s/bus", manager->world->dir);
	assert_ok(setenv("DBUS_SYSTEM_BUS_ADDRESS", path, 1));
	assert_ok(pipe2(out, O_CLOEXEC));
	manager->bus_pid = fork();
	assert_true(manager->bus_pid >= 0);
	if (manager->bus_pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		/* It must not outlive a test that fails, nor hold its output open. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(out[1], STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
			_exit(1);
		(void)execvp(arguments[0], arguments);
		_exit(127);
	}
	(void)close(out[1]);
	if (read(out[0], address, sizeof(address)) <= 0)
		r = EIO;
	(void)close(out[0]);
	return -r;
}

static inline void manager_bus_stop(struct manager *manager)
{
	if (manager->bus_pid <= 0)
		return;
	(void)kill(manager->bus_pid, SIGTERM);
	(void)waitpid(manager->bus_pid, NULL, 0);
	manager->bus_pid = 0;
}
