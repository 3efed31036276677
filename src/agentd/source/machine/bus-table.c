/* SPDX-License-Identifier: Apache-2.0 */
/* bus-table.c - machined's machines, and the cgroup of each, which systemd knows. */
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "source/machine/bus.h"
#include "source/machine/internal.h"

#define SYSTEMD_NAME "org.freedesktop.systemd1"
#define SYSTEMD_UNIT "/org/freedesktop/systemd1/unit"
#define PROPERTIES   "org.freedesktop.DBus.Properties"

/* machined tells of a machine when it has asked systemd for its scope, not when that is there. */
#define AGAIN_FIRST_USEC (250 * USEC_PER_MSEC)
#define AGAIN_TRIES      7u

struct bus_machine {
	struct machine_bus *bus;
	char *path;
	char *cgroup; /* told; NULL: not known (yet) */
	struct machine_properties properties;
	bool listed;       /* by the last ListMachines */
	sd_bus_slot *call; /* something was asked */
	unsigned int tries;
	uint64_t due_usec; /* ask for the cgroup again; 0: no */
};

static void machine_stop(struct bus_machine *machine)
{
	machine->bus->pending -= machine->call != NULL;
	machine->call = sd_bus_slot_unref(machine->call);
}

static struct bus_machine *bus_machine_free(struct bus_machine *machine)
{
	if (!machine)
		return NULL;
	machine_stop(machine);
	free(machine->path);
	machine_properties_done(&machine->properties);
	free(machine->cgroup);
	free(machine);
	return NULL;
}

DEFINE_CLEANUP(struct bus_machine *, bus_machine_free);

static void machine_drop(struct bus_machine *machine)
{
	cleanup_free char *cgroup = TAKE_PTR(machine->cgroup);

	if (cgroup)
		machines_hear_bus(machine->bus->machines, cgroup, NULL, NULL, 0);
}

static void bus_arm(struct machine_bus *bus)
{
	struct bus_machine *machine;

	bus->due_usec = 0;
	hashmap_foreach (machine, &bus->by_path)
		if (machine->due_usec && (!bus->due_usec || machine->due_usec < bus->due_usec))
			bus->due_usec = machine->due_usec;
	machines_arm(bus->machines);
}

static void machine_again(struct bus_machine *machine)
{
	machine->due_usec = machine->tries < AGAIN_TRIES
				    ? monotonic_usec() + (AGAIN_FIRST_USEC << machine->tries)
				    : 0;
	machine->tries++;
	bus_arm(machine->bus);
}

static void machine_set_cgroup(struct bus_machine *machine, const char *cgroup)
{
	/* As systemd tells it: absolute, and "/" is the root, which is no workload. */
	if (cgroup && cgroup[0] == '/')
		cgroup++;
	if (machine->cgroup && (!cgroup || strcmp(machine->cgroup, cgroup) != 0))
		machine_drop(machine);
	if (!cgroup || cgroup[0] == '\0') {
		machine_again(machine);
		return;
	}
	if (!machine->cgroup)
		machine->cgroup = strdup(cgroup);
	if (!machine->cgroup) {
		machine_again(machine);
		return;
	}
	machine->due_usec = 0;
	machines_hear_bus(machine->bus->machines, machine->cgroup, machine->properties.name,
			  machine->properties.uuid, machine->properties.leader);
}

/* One call of this machine has been answered; true: well. */
static bool machine_answered(struct bus_machine *machine, sd_bus_message *message)
{
	const sd_bus_error *error = sd_bus_message_get_error(message);

	machine_stop(machine);
	if (!error)
		return true;
	log_debug("machine '%s': %s", machine->path, error->message ? error->message : error->name);
	return false;
}

static int on_cgroup(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct bus_machine *machine = data;
	struct machines *machines = machine->bus->machines;
	const char *cgroup = NULL;

	(void)reterr;
	if (!machine_answered(machine, message))
		machine_again(machine);
	else if (sd_bus_message_read(message, "v", "s", &cgroup) < 0)
		machines->tree.source.errors++;
	else
		machine_set_cgroup(machine, cgroup);
	machines_update_state(machines);
	return 0;
}

static void ask_failed(struct bus_machine *machine, int error)
{
	machine->bus->machines->tree.source.errors++;
	log_debug("cannot ask for machine '%s': %s", machine->path, strerrordesc_np(-error));
}

static int machine_call_cgroup(struct bus_machine *machine, const char *interface)
{
	cleanup_free char *path = NULL;
	int r = sd_bus_path_encode(SYSTEMD_UNIT, machine->properties.unit, &path);

	if (r < 0)
		return r;
	return sd_bus_call_method_async(machine->bus->bus, &machine->call, SYSTEMD_NAME, path,
					PROPERTIES, "Get", on_cgroup, machine, "ss", interface,
					"ControlGroup");
}

static void machine_ask_cgroup(struct bus_machine *machine)
{
	const char *unit = machine->properties.unit;
	const char *suffix = unit ? strrchr(unit, '.') : NULL;
	int r;

	if (!suffix || machine->call)
		return;
	r = machine_call_cgroup(machine, strcmp(suffix, ".service") == 0 ? SYSTEMD_NAME ".Service"
									 : SYSTEMD_NAME ".Scope");
	if (r < 0)
		ask_failed(machine, r);
	else
		machine->bus->pending++;
}

static int on_properties(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct bus_machine *machine = data;
	struct machines *machines = machine->bus->machines;
	int r;

	(void)reterr;
	if (machine_answered(machine, message)) {
		r = machine_properties_read(message, &machine->properties);
		if (r < 0)
			ask_failed(machine, r);
		else if (machine->properties.is_vm && machine->properties.name)
			machine_ask_cgroup(machine);
		else
			machine_drop(machine);
	}
	machines_update_state(machines);
	return 0;
}

static void machine_ask(struct bus_machine *machine)
{
	int r;

	machine_stop(machine);
	machine->tries = 0;
	machine->due_usec = 0;
	r = sd_bus_call_method_async(machine->bus->bus, &machine->call, MACHINED_NAME,
				     machine->path, PROPERTIES, "GetAll", on_properties, machine,
				     "s", MACHINED_MACHINE);
	if (r < 0)
		ask_failed(machine, r);
	else
		machine->bus->pending++;
}

static int machine_ensure(struct machine_bus *bus, const char *path, struct bus_machine **ret)
{
	CLEANUP(bus_machine_freep) struct bus_machine *machine = NULL;
	int r;

	if (bus->by_path.count >= LIMIT_MACHINES)
		return -ENOSPC;
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return -ENOMEM;
	machine->bus = bus;
	machine->path = strdup(path);
	if (!machine->path)
		return -ENOMEM;
	r = hashmap_put(&bus->by_path, machine->path, machine);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(machine);
	return 0;
}

void machine_bus_look(struct machine_bus *bus, const char *path, bool is_new)
{
	struct bus_machine *machine = hashmap_get(&bus->by_path, path);
	int r;

	/* Another one of the same name. */
	if (machine && is_new)
		machine_drop(machine);
	if (!machine) {
		r = machine_ensure(bus, path, &machine);
		if (r < 0) {
			bus->machines->tree.source.errors++;
			log_debug("ignoring machine '%s': %s", path, strerrordesc_np(-r));
			return;
		}
	}
	machine->listed = true;
	machine_ask(machine);
}

static void bus_machine_forget(struct bus_machine *machine)
{
	machine_drop(machine);
	hashmap_remove(&machine->bus->by_path, machine->path);
	bus_machine_free(machine);
}

void machine_bus_forget(struct machine_bus *bus, const char *path)
{
	struct bus_machine *machine = hashmap_get(&bus->by_path, path);

	if (machine)
		bus_machine_forget(machine);
}

void machine_bus_cancel(struct machine_bus *bus)
{
	struct bus_machine *machine;

	bus->list = sd_bus_slot_unref(bus->list);
	bus->list_again = false;
	bus->due_usec = 0;
	hashmap_foreach (machine, &bus->by_path) {
		machine_stop(machine);
		machine->due_usec = 0;
	}
}

void machine_bus_table_free(struct machine_bus *bus)
{
	struct bus_machine *machine;

	hashmap_foreach (machine, &bus->by_path)
		bus_machine_free(machine);
	hashmap_done(&bus->by_path);
}

void machine_bus_tick(struct machine_bus *bus)
{
	struct bus_machine *machine;
	uint64_t now = monotonic_usec();

	hashmap_foreach (machine, &bus->by_path) {
		if (!machine->due_usec || machine->due_usec > now)
			continue;
		machine->due_usec = 0;
		machine_ask_cgroup(machine);
	}
	bus_arm(bus);
}

static int list_read(struct machine_bus *bus, sd_bus_message *message)
{
	struct bus_machine *machine;
	const char *class, *path;
	int r;

	hashmap_foreach (machine, &bus->by_path)
		machine->listed = false;
	r = sd_bus_message_enter_container(message, 'a', "(ssso)");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_read(message, "(ssso)", NULL, &class, NULL, &path)) > 0)
		if (strcmp(class, "vm") == 0)
			machine_bus_look(bus, path, false);
	if (r < 0)
		return r;
	hashmap_foreach (machine, &bus->by_path)
		if (!machine->listed)
			bus_machine_forget(machine);
	return 0;
}

static int on_list(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct machine_bus *bus = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	int r;

	(void)reterr;
	bus->list = sd_bus_slot_unref(bus->list);
	/* Not running, which is no fault: there are no machines of its. */
	if (error && (sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
		      sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER))) {
		bus->backoff_usec = 0;
		machines_update_state(bus->machines);
		return 0;
	}
	r = error ? -sd_bus_message_get_errno(message) : list_read(bus, message);
	if (r >= 0 && bus->list_again) {
		bus->list_again = false;
		r = machine_bus_list(bus);
	}
	if (r < 0) {
		machine_bus_down(bus, "machined does not list its machines", r);
		return 0;
	}
	bus->here = true;
	bus->backoff_usec = 0;
	machines_update_state(bus->machines);
	return 0;
}

static void message_unrefp(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

int machine_bus_list(struct machine_bus *bus)
{
	CLEANUP(message_unrefp) sd_bus_message *message = NULL;
	int r;

	if (bus->list) {
		bus->list_again = true;
		return 0;
	}
	r = sd_bus_message_new_method_call(bus->bus, &message, MACHINED_NAME, MACHINED_PATH,
					   MACHINED_MANAGER, "ListMachines");
	if (r < 0)
		return r;
	r = sd_bus_message_set_auto_start(message, 0);
	if (r < 0)
		return r;
	return sd_bus_call_async(bus->bus, &bus->list, message, on_list, bus, 0);
}
