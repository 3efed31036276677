/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus.h - what systemd-machined says: machine/bus.c holds the connection and hears the
 * signals, machine/bus-table.c knows its machines and asks for their cgroups. Every call is
 * asynchronous, and none starts machined, which libvirt does when it needs it.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-bus.h>

#include "hashmap.h"
#include "source/machine/cmdline.h"

#define MACHINED_NAME    "org.freedesktop.machine1"
#define MACHINED_PATH    "/org/freedesktop/machine1"
#define MACHINED_MANAGER "org.freedesktop.machine1.Manager"
#define MACHINED_MACHINE "org.freedesktop.machine1.Machine"

struct machines;

struct machine_properties {
	char *name, *unit;           /* NULL: not said */
	char uuid[MACHINE_UUID_MAX]; /* "": none */
	pid_t leader;                /* 0: none */
	bool is_vm;
};

struct machine_bus {
	struct machines *machines;
	sd_bus *bus;
	sd_event_source *retry;
	uint64_t backoff_usec;
	char why[96]; /* the connection is down; "": it is not, or there is no bus */
	bool here;    /* machined answers */
	struct hashmap by_path;
	sd_bus_slot *list; /* a ListMachines call is under way */
	bool list_again;   /* and its answer will be out of date */
	size_t pending;    /* machines that something was asked of */
	uint64_t due_usec; /* ask again for cgroups that were not there; 0: never */
};

void machine_bus_init(struct machine_bus *bus, struct machines *machines);
/* Connect if there is a bus and no connection. At a reload, and when a machine appears. */
void machine_bus_open(struct machine_bus *bus);
/* again: also ask for what is known already. */
void machine_bus_refresh(struct machine_bus *bus);
void machine_bus_close(struct machine_bus *bus); /* forgets all, says nothing */
/* All that was asked is answered, or cannot be. */
bool machine_bus_is_settled(const struct machine_bus *bus);
/* due_usec has come. */
void machine_bus_tick(struct machine_bus *bus);

/* Between the files. */
void machine_bus_down(struct machine_bus *bus, const char *what, int error);
int machine_bus_list(struct machine_bus *bus);
void machine_bus_look(struct machine_bus *bus, const char *path, bool is_new);
void machine_bus_forget(struct machine_bus *bus, const char *path);
void machine_bus_cancel(struct machine_bus *bus); /* no answer will come any more */
void machine_bus_table_free(struct machine_bus *bus);
/* A dictionary of properties, of which some may be missing. 0 or -errno. */
int machine_properties_read(sd_bus_message *message, struct machine_properties *ret);
void machine_properties_done(struct machine_properties *properties);
