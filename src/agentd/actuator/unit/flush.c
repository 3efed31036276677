/* SPDX-License-Identifier: Apache-2.0 */
/* flush.c - at stop, and from the journal: what is to be undone, now and without the loop. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "actuator/unit/pin-internal.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"

static void flush_run(struct unit_pins *pins, uint64_t deadline)
{
	for (uint64_t now = monotonic_usec(); now < deadline; now = monotonic_usec()) {
		int r;

		unit_pins_dispatch(pins);
		if (pins->in_flight == 0 && (pins->absent || list_is_empty(&pins->queue)))
			return;
		r = sd_bus_process(pins->bus, NULL);
		if (r == 0)
			r = sd_bus_wait(pins->bus, deadline - now);
		if (r < 0)
			return;
	}
	unit_bus_close(pins, -ETIMEDOUT);
}

static bool pin_is_left(const struct unit *unit, enum unit_property property)
{
	uint64_t value;

	return unit->pin[property].slot.id &&
	       unit_wants(unit, property, &value) == UNIT_WANT_NOTHING;
}

static void pin_tell_left(const struct unit *unit, enum unit_property property,
			  void (*report)(void *data, const char *path, const char *what,
					 int result),
			  void *data)
{
	const char *name = unit_property_name(property);
	char what[UNIT_NAME_LENGTH + 64];

	(void)snprintf(what, sizeof(what), "%s of %s in systemd", name, unit->name);
	if (report)
		report(data, unit->path, what, unit->pins->absent ? -ENOTCONN : -ETIMEDOUT);
	log_warning("%s is still what Berth set: systemd did not answer; `berthd --restore` tries "
		    "again; by hand, remove %s.d/50-%s.conf below /run/systemd and daemon-reload",
		    what, unit->name, property == UNIT_CPU_QUOTA ? "CPUQuota" : name);
}

int unit_pins_flush(struct unit_pins *pins, uint64_t timeout_usec,
		    void (*report)(void *data, const char *path, const char *what, int result),
		    void *data)
{
	struct unit *unit;
	int left = 0;

	if (!pins || list_is_empty(&pins->units))
		return 0;
	pins->report = report;
	pins->report_data = data;
	unit_pins_retry(pins);
	list_foreach (unit, &pins->units, list)
		unit_queue(unit);
	flush_run(pins, monotonic_usec() + timeout_usec);
	pins->report = NULL;
	list_foreach (unit, &pins->units, list) {
		for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++) {
			if (!pin_is_left(unit, (enum unit_property)i))
				continue;
			left++;
			pin_tell_left(unit, (enum unit_property)i, report, data);
		}
	}
	return left;
}
