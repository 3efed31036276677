/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-machined.h - a small org.freedesktop.machine1 on the test's own bus, as systemd 252 has it;
 * the cgroups of its units are fake-systemd.h's.
 */
#pragma once

#include "machine-rig.h"

#define MACHINES_MAX 8

struct fake_machine {
	char name[64], class[16], unit[64];
	uint8_t id[16];
	uint32_t leader;
};

static inline void fake_machine_path(const char *name, char **ret)
{
	assert_ok(sd_bus_path_encode("/org/freedesktop/machine1/machine", name, ret));
}

static int on_list_machines(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct machine_rig *m = data;
	sd_bus_message *reply = NULL;

	(void)reterr;
	assert_ok(sd_bus_message_new_method_return(message, &reply));
	assert_ok(sd_bus_message_open_container(reply, 'a', "(ssso)"));
	for (size_t i = 0; i < MACHINES_MAX; i++) {
		const struct fake_machine *machine = &m->machines[i];
		char *path = NULL;

		if (!machine->name[0])
			continue;
		fake_machine_path(machine->name, &path);
		assert_ok(sd_bus_message_append(reply, "(ssso)", machine->name, machine->class,
						"libvirt-qemu", path));
		free(path);
	}
	assert_ok(sd_bus_message_close_container(reply));
	assert_ok(sd_bus_send(NULL, reply, NULL));
	sd_bus_message_unref(reply);
	return 1;
}

static int on_machine_id(sd_bus *bus, const char *path, const char *interface, const char *property,
			 sd_bus_message *reply, void *data, sd_bus_error *reterr)
{
	(void)bus;
	(void)path;
	(void)interface;
	(void)property;
	(void)reterr;
	return sd_bus_message_append_array(reply, 'y', ((struct fake_machine *)data)->id, 16);
}

static int on_machine_text(sd_bus *bus, const char *path, const char *interface,
			   const char *property, sd_bus_message *reply, void *data,
			   sd_bus_error *reterr)
{
	const struct fake_machine *machine = data;

	(void)bus;
	(void)path;
	(void)interface;
	(void)reterr;
	return sd_bus_message_append(reply, "s",
				     strcmp(property, "Name") == 0    ? machine->name
				     : strcmp(property, "Class") == 0 ? machine->class
								      : machine->unit);
}

static int find_machine(sd_bus *bus, const char *path, const char *interface, void *data,
			void **ret, sd_bus_error *reterr)
{
	struct machine_rig *m = data;
	char *name = NULL;
	int found = 0;

	(void)bus;
	(void)interface;
	(void)reterr;
	if (sd_bus_path_decode(path, "/org/freedesktop/machine1/machine", &name) <= 0)
		return 0;
	for (size_t i = 0; i < MACHINES_MAX; i++)
		if (strcmp(m->machines[i].name, name) == 0) {
			*ret = &m->machines[i];
			found = 1;
		}
	free(name);
	return found;
}

static const sd_bus_vtable machined_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("ListMachines", "", "a(ssso)", on_list_machines, SD_BUS_VTABLE_UNPRIVILEGED),
	SD_BUS_VTABLE_END,
};

static const sd_bus_vtable machine_table[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_PROPERTY("Name", "s", on_machine_text, 0, 0),
	SD_BUS_PROPERTY("Id", "ay", on_machine_id, 0, 0),
	SD_BUS_PROPERTY("Service", "s", on_machine_text, 0, 0),
	SD_BUS_PROPERTY("Unit", "s", on_machine_text, 0, 0),
	SD_BUS_PROPERTY("Leader", "u", NULL, offsetof(struct fake_machine, leader), 0),
	SD_BUS_PROPERTY("Class", "s", on_machine_text, 0, 0),
	SD_BUS_VTABLE_END,
};

/* machined arrives on the bus; systemd is there. */
static inline void machined_start(struct machine_rig *m)
{
	assert_ok(sd_bus_open_system(&m->machined));
	assert_ok(sd_bus_set_exit_on_disconnect(m->machined, 0));
	assert_ok(sd_bus_add_object_vtable(m->machined, NULL, "/org/freedesktop/machine1",
					   "org.freedesktop.machine1.Manager", machined_table, m));
	assert_ok(sd_bus_add_fallback_vtable(m->machined, NULL, "/org/freedesktop/machine1/machine",
					     "org.freedesktop.machine1.Machine", machine_table,
					     find_machine, m));
	assert_ok(sd_bus_request_name(m->machined, "org.freedesktop.machine1", 0));
	assert_ok(sd_bus_attach_event(m->machined, m->rig.event, 0));
}

static inline void machined_stop(struct machine_rig *m)
{
	m->machined = sd_bus_flush_close_unref(m->machined);
}

/* systemd, with the scopes and services that machines have. */
static inline void systemd_start_for_machines(struct machine_rig *m)
{
	systemd_start(&m->rig);
	assert_ok(sd_bus_add_fallback_vtable(m->rig.systemd, NULL, "/org/freedesktop/systemd1/unit",
					     "org.freedesktop.systemd1.Scope", unit_table,
					     find_unit, &m->rig));
}

static inline struct fake_machine *fake_machine_add(struct machine_rig *m, const char *name,
						    const char *class, const char *unit,
						    uint32_t leader)
{
	size_t i = 0;

	while (m->machines[i].name[0])
		assert_true(++i < MACHINES_MAX);
	m->machines[i] = (struct fake_machine){ .leader = leader };
	(void)snprintf(m->machines[i].name, sizeof(m->machines[i].name), "%s", name);
	(void)snprintf(m->machines[i].class, sizeof(m->machines[i].class), "%s", class);
	(void)snprintf(m->machines[i].unit, sizeof(m->machines[i].unit), "%s", unit);
	return &m->machines[i];
}

static inline void fake_unit_set(struct machine_rig *m, const char *name, const char *cgroup)
{
	size_t i = 0;

	while (i < m->rig.unit_count && strcmp(m->rig.units[i].name, name) != 0)
		i++;
	assert_true(i < UNITS_MAX);
	m->rig.unit_count = m->rig.unit_count > i ? m->rig.unit_count : i + 1;
	(void)snprintf(m->rig.units[i].name, sizeof(m->rig.units[i].name), "%s", name);
	(void)snprintf(m->rig.units[i].cgroup, sizeof(m->rig.units[i].cgroup), "%s", cgroup);
}

static inline void emit_machine(struct machine_rig *m, const char *signal, const char *name)
{
	char *path = NULL;

	fake_machine_path(name, &path);
	assert_ok(sd_bus_emit_signal(m->machined, "/org/freedesktop/machine1",
				     "org.freedesktop.machine1.Manager", signal, "so", name, path));
	free(path);
}
