/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - systemd units: unit.c holds the connection and hears the signals, unit/table.c
 * knows the units and asks for their cgroups. Every call is asynchronous.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "hashmap.h"
#include "source/source-internal.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"

struct units {
	struct source source;
	char **patterns; /* NULL terminated */
	size_t pattern_count;
	sd_bus *bus;
	sd_event_source *retry;
	uint64_t backoff_usec;
	/* The table. */
	struct hashmap by_name;
	sd_bus_slot *list; /* a ListUnitsByPatterns call is under way */
	bool list_again;   /* and its answer will be out of date */
	bool listed;       /* once, on this connection */
	size_t pending;    /* units whose cgroup was asked for */
};

/* unit.c: something is wrong with the connection; try again in a while. */
void units_down(struct units *self, const char *what, int error);
/* unit.c: all that was asked is answered, or not. */
void units_update_state(struct units *self);

bool units_match(const struct units *self, const char *name);
/* Ask systemd for all of them; those that it does not name are dropped. 0 or -errno. */
int units_list(struct units *self);
/* One may be new or changed: ask for its cgroup. */
void units_look(struct units *self, const char *name, const char *path);
void units_forget(struct units *self, const char *name);
/* Those that no pattern matches any more. */
void units_forget_unmatched(struct units *self);
/* Forget all without a word to the registry, which may be gone before its sources. */
void units_table_free(struct units *self);
/* No answer will come any more; what is known stays. */
void units_cancel(struct units *self);
