/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-systemd.h - a dbus-daemon of the test's own, and a small org.freedesktop.systemd1 on it.
 */
#pragma once

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>

#include "berth-test.h"
#include "source/source.h"
#include "tree.h"

#define UNITS_MAX 8

struct fake_unit {
	char name[64], cgroup[64];
};

struct rig {
	struct tree *tree;
	sd_event *event;
	struct source_context context;
	struct source *source;
	pid_t daemon;
	sd_bus *systemd;
	struct fake_unit units[UNITS_MAX];
	size_t unit_count;
	unsigned int subscriptions;
};

extern char **environ;

static int on_subscribe(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct rig *rig = data;

	(void)reterr;
	rig->subscriptions++;
	return sd_bus_reply_method_return(message, NULL);
}

static inline void unit_path(const char *name, char **ret)
{
	assert_ok(sd_bus_path_encode("/org/freedesktop/systemd1/unit", name, ret));
}

static int on_list(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct rig *rig = data;
	sd_bus_message *reply = NULL;

	(void)reterr;
	assert_ok(sd_bus_message_new_method_return(message, &reply));
	assert_ok(sd_bus_message_open_container(reply, 'a', "(ssssssouso)"));
	/* Like systemd it applies the patterns; one pattern is all that the tests use. */
	assert_ok(sd_bus_message_skip(message, "as"));
	assert_ok(sd_bus_message_enter_container(message, 'a', "s"));
	for (size_t i = 0; i < rig->unit_count; i++) {
		const char *name = rig->units[i].name;
		char *path = NULL;

		if (strncmp(name, "batch", 5) != 0)
			continue;
		unit_path(name, &path);
		assert_ok(sd_bus_message_append(reply, "(ssssssouso)", name, "", "loaded", "active",
						"running", "", path, 0, "", "/"));
		free(path);
	}
	assert_ok(sd_bus_message_close_container(reply));
	assert_ok(sd_bus_send(NULL, reply, NULL));
	sd_bus_message_unref(reply);
	return 1;
}

static int on_control_group(sd_bus *bus, const char *path, const char *interface,
			    const char *property, sd_bus_message *reply, void *data,
			    sd_bus_error *reterr)
{
	struct fake_unit *unit = data;

	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)reterr;
	return sd_bus_message_append(reply, "s", unit->cgroup);
}

static int find_unit(sd_bus *bus, const char *path, const char *interface, void *data, void **ret,
		     sd_bus_error *reterr)
{
	struct rig *rig = data;
	char *name = NULL;
	int found = 0;

	(void)bus;
	(void)interface;
	(void)reterr;
	if (sd_bus_path_decode(path, "/org/freedesktop/systemd1/unit", &name) <= 0)
		return 0;
	for (size_t i = 0; i < rig->unit_count; i++)
		if (strcmp(rig->units[i].name, name) == 0) {
			*ret = &rig->units[i];
			found = 1;
		}
	free(name);
	return found;
}

static const sd_bus_vtable manager_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("Subscribe", "", "", on_subscribe, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_METHOD("ListUnitsByPatterns", "asas", "a(ssssssouso)", on_list,
		      SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable unit_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("ControlGroup", "s", on_control_group, 0, 0),
	SD_BUS_VTABLE_END,
};

/* systemd arrives on the bus. */
static inline void systemd_start(struct rig *rig)
{
	static const char *const interfaces[] = { "org.freedesktop.systemd1.Service",
						  "org.freedesktop.systemd1.Slice" };

	assert_ok(sd_bus_open_system(&rig->systemd));
	assert_ok(sd_bus_set_exit_on_disconnect(rig->systemd, 0));
	assert_ok(sd_bus_add_object_vtable(rig->systemd, NULL, "/org/freedesktop/systemd1",
					   "org.freedesktop.systemd1.Manager", manager_table, rig));
	for (size_t i = 0; i < ARRAY_SIZE(interfaces); i++)
		assert_ok(sd_bus_add_fallback_vtable(rig->systemd, NULL,
						     "/org/freedesktop/systemd1/unit",
						     interfaces[i], unit_table, find_unit, rig));
	assert_ok(sd_bus_request_name(rig->systemd, "org.freedesktop.systemd1", 0));
	assert_ok(sd_bus_attach_event(rig->systemd, rig->event, 0));
}

static inline void systemd_stop(struct rig *rig)
{
	rig->systemd = sd_bus_flush_close_unref(rig->systemd);
}

static const char bus_config[] =
	"<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
	"\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
	"<busconfig><listen>unix:path=%s/bus</listen><auth>EXTERNAL</auth>\n"
	"<policy context=\"default\"><allow user=\"*\"/><allow own=\"*\"/>\n"
	"<allow send_type=\"method_call\"/><allow send_type=\"signal\"/>\n"
	"<allow send_requested_reply=\"true\"/><allow receive_type=\"method_call\"/>\n"
	"<allow receive_type=\"signal\"/><allow receive_requested_reply=\"true\"/>\n"
	"</policy></busconfig>\n";

/* Until it has printed its address it does not listen. */
static inline int daemon_start(struct rig *rig)
{
	char path[128], option[160], address[256];
	char *arguments[] = { (char[]){ "dbus-daemon" },
			      (char[]){ "--nofork" },
			      (char[]){ "--nopidfile" },
			      (char[]){ "--print-address=1" },
			      option,
			      NULL };
	posix_spawn_file_actions_t actions;
	int out[2], r;
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/bus.conf", rig->tree->path);
	(void)snprintf(option, sizeof(option), "--config-file=%s", path);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fprintf(file, bus_config, rig->tree->path) > 0);
	assert_ok(fclose(file));
	assert_ok(pipe2(out, O_CLOEXEC));
	assert_ok(posix_spawn_file_actions_init(&actions));
	assert_ok(posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO));
	r = posix_spawnp(&rig->daemon, "dbus-daemon", &actions, NULL, arguments, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(out[1]);
	if (r == 0 && read(out[0], address, sizeof(address)) <= 0)
		r = EIO;
	(void)close(out[0]);
	return -r;
}

static inline void daemon_stop(struct rig *rig)
{
	if (rig->daemon <= 0)
		return;
	(void)kill(rig->daemon, SIGTERM);
	(void)waitpid(rig->daemon, NULL, 0);
	rig->daemon = 0;
}
