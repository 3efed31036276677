/* SPDX-License-Identifier: Apache-2.0 */
/* bus.c - the connection to the system bus, and machined's signals. */
#include "source/machine/bus.h"

#include <string.h>

#include "log.h"
#include "macro.h"
#include "source/machine/internal.h"

#define BACKOFF_FIRST_USEC USEC_PER_SEC
#define BACKOFF_MAX_USEC   (60 * USEC_PER_SEC)

#define FROM_MACHINED "type='signal',sender='" MACHINED_NAME "',interface='" MACHINED_MANAGER "',"

void machine_bus_init(struct machine_bus *bus, struct machines *machines)
{
	*bus = (struct machine_bus){ .machines = machines };
}

static void bus_disconnect(struct machine_bus *bus)
{
	machine_bus_cancel(bus);
	bus->here = false;
	/* Not flushed: that would wait, and there is nothing to send that matters. */
	bus->bus = sd_bus_close_unref(bus->bus);
}

static int on_retry(sd_event_source *event_source, uint64_t usec, void *data)
{
	struct machine_bus *bus = data;

	(void)event_source;
	(void)usec;
	bus->retry = sd_event_source_disable_unref(bus->retry);
	bus_disconnect(bus);
	machine_bus_open(bus);
	return 0;
}

void machine_bus_down(struct machine_bus *bus, const char *what, int error)
{
	int r;

	bus->here = false;
	/* One cause may show at several calls. */
	if (bus->retry)
		return;
	bus->machines->tree.source.errors++;
	bus->backoff_usec = bus->backoff_usec == 0 ? BACKOFF_FIRST_USEC
						   : MIN(bus->backoff_usec * 2, BACKOFF_MAX_USEC);
	(void)snprintf(bus->why, sizeof(bus->why), "%s: %s", what, strerrordesc_np(-error));
	/* The connection is closed by the timer, because this may be one of its callbacks. */
	r = sd_event_add_time_relative(bus->machines->tree.source.context->event, &bus->retry,
				       CLOCK_MONOTONIC, bus->backoff_usec, 0, on_retry, bus);
	if (r < 0)
		log_error("source machines stays off the bus, its timer cannot be set: %s",
			  strerrordesc_np(-r));
	machines_update_state(bus->machines);
}

bool machine_bus_is_settled(const struct machine_bus *bus)
{
	return !bus->bus || bus->retry || (!bus->list && bus->pending == 0);
}

static int on_machine_new(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct machine_bus *bus = data;
	const char *path;

	(void)reterr;
	if (sd_bus_message_read(message, "so", NULL, &path) < 0)
		return 0;
	bus->machines->tree.source.events++;
	bus->list_again |= bus->list != NULL;
	machine_bus_look(bus, path, true);
	return 0;
}

static int on_machine_removed(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct machine_bus *bus = data;
	const char *path;

	(void)reterr;
	if (sd_bus_message_read(message, "so", NULL, &path) < 0)
		return 0;
	bus->machines->tree.source.events++;
	bus->list_again |= bus->list != NULL;
	machine_bus_forget(bus, path);
	machines_update_state(bus->machines);
	return 0;
}

/* machined comes with the first machine and ends when it has none. What it said stays: a machine's
 * end is seen by its group, and machined may be restarted. */
static int on_owner(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct machine_bus *bus = data;
	const char *owner;

	(void)reterr;
	if (sd_bus_message_read(message, "sss", NULL, NULL, &owner) < 0)
		return 0;
	bus->here = owner[0] != '\0';
	if (bus->here)
		machine_bus_refresh(bus);
	else
		machine_bus_cancel(bus);
	machines_update_state(bus->machines);
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	(void)message;
	(void)reterr;
	machine_bus_down(data, "the system bus hung up", -ECONNRESET);
	return 0;
}

static int bus_match(struct machine_bus *bus)
{
	const struct {
		const char *rule;
		sd_bus_message_handler_t handler;
	} matches[] = {
		{ "type='signal',sender='org.freedesktop.DBus.Local',"
		  "interface='org.freedesktop.DBus.Local',member='Disconnected'",
		  on_disconnected },
		{ "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
		  "arg0='" MACHINED_NAME "'",
		  on_owner },
		{ FROM_MACHINED "member='MachineNew'", on_machine_new },
		{ FROM_MACHINED "member='MachineRemoved'", on_machine_removed },
	};

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		int r = sd_bus_add_match_async(bus->bus, NULL, matches[i].rule, matches[i].handler,
					       NULL, bus);

		if (r < 0)
			return r;
	}
	return 0;
}

static int bus_connect(struct machine_bus *bus)
{
	int r = sd_bus_set_exit_on_disconnect(bus->bus, 0);

	if (r < 0)
		return r;
	r = sd_bus_attach_event(bus->bus, bus->machines->tree.source.context->event,
				SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	r = bus_match(bus);
	return r < 0 ? r : machine_bus_list(bus);
}

void machine_bus_open(struct machine_bus *bus)
{
	int r;

	if (bus->bus || bus->retry)
		return;
	r = sd_bus_open_system(&bus->bus);
	if (r >= 0) {
		bus->why[0] = '\0';
		r = bus_connect(bus);
	}
	/* A host without a bus is not woken up for one. */
	if (r == -ENOENT) {
		bus->why[0] = '\0';
		bus->bus = sd_bus_close_unref(bus->bus);
		return;
	}
	if (r < 0)
		machine_bus_down(bus, "no system bus", r);
}

void machine_bus_refresh(struct machine_bus *bus)
{
	int r;

	if (!bus->bus || bus->retry) {
		/* Somebody asks: no need to wait any longer. */
		bus->retry = sd_event_source_disable_unref(bus->retry);
		bus_disconnect(bus);
		machine_bus_open(bus);
		return;
	}
	r = machine_bus_list(bus);
	if (r < 0)
		machine_bus_down(bus, "machined cannot be asked", r);
}

void machine_bus_close(struct machine_bus *bus)
{
	bus->retry = sd_event_source_disable_unref(bus->retry);
	bus_disconnect(bus);
	machine_bus_table_free(bus);
	bus->backoff_usec = 0;
	bus->why[0] = '\0';
}
