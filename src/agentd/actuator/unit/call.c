/* SPDX-License-Identifier: Apache-2.0 */
/*
 * call.c - what is said to systemd: which unit, is this its group, what is its property now,
 * set it, and once more what it is. The last answer comes after systemd's next turn of its loop, in
 * which it writes the unit's knobs (252: manager_loop() serves the realize queue before the bus),
 * so that from then on the files hold what they will hold.
 */
#include <errno.h>
#include <string.h>

#include "actuator/failpoint.h"
#include "actuator/unit/pin-internal.h"
#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"

#define SYSTEMD_NAME    "org.freedesktop.systemd1"
#define SYSTEMD_PATH    "/org/freedesktop/systemd1"
#define SYSTEMD_MANAGER "org.freedesktop.systemd1.Manager"
#define BUS_PROPERTIES  "org.freedesktop.DBus.Properties"
#define NO_SUCH_UNIT    "org.freedesktop.systemd1.NoSuchUnit"

/* When it is tried again, what systemd has by then is asked for first. */
static void unit_wait(struct unit *unit)
{
	unit->waits = true;
	if (unit->step != UNIT_SETTING)
		return;
	unit->pin[unit->property].stale = true;
	unit_files_unanswered(unit, true);
}

static void unit_fail(struct unit *unit, int error)
{
	unit_wait(unit);
	unit->pins->errors++;
	if (!unit->told_error)
		unit_tell(unit, unit->value, "systemd cannot be told", error);
	unit->told_error = true;
	unit_finish(unit, true);
}

void unit_bus_close(struct unit_pins *pins, int error)
{
	struct unit *unit, *following;

	list_foreach_safe (unit, following, &pins->units, list)
		if (unit->step != UNIT_STILL)
			unit_fail(unit, error);
	pins->bus = sd_bus_close_unref(pins->bus);
}

int unit_bus_open(struct unit_pins *pins)
{
	int r;

	if (pins->bus && sd_bus_is_open(pins->bus) > 0)
		return 0;
	/* One that hung up tells one call on each turn of the loop, and the rest never, once it is
	 * let go. */
	unit_bus_close(pins, -ECONNRESET);
	r = sd_bus_open_system(&pins->bus);
	if (r < 0) {
		pins->bus = NULL;
		return r;
	}
	r = sd_bus_set_exit_on_disconnect(pins->bus, 0);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(pins->bus, LIMIT_UNIT_CALL_USEC);
	/* What was set is taken back after the loop has ended, and a loop that has ended takes no
	 * bus. */
	if (r >= 0)
		r = sd_bus_set_close_on_exit(pins->bus, 0);
	if (r >= 0 && pins->context.event &&
	    sd_event_get_state(pins->context.event) != SD_EVENT_FINISHED)
		r = sd_bus_attach_event(pins->bus, pins->context.event, SD_EVENT_PRIORITY_IDLE);
	if (r < 0)
		pins->bus = sd_bus_close_unref(pins->bus);
	return MIN(r, 0);
}

static bool error_is_absence(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_NO_SERVER);
}

/* Of systemd itself, gone or stuck, and not of what was asked. */
static bool error_is_of_bus(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_TIMEOUT) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_DISCONNECTED) || error_is_absence(error);
}

static bool error_is_gone(const sd_bus_error *error)
{
	return sd_bus_error_has_name(error, NO_SUCH_UNIT) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
	       sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_INTERFACE);
}

static void unit_fail_by(struct unit *unit, sd_bus_message *message)
{
	int error = sd_bus_message_get_errno(message);

	/* A bus without systemd, or systemd on its way back: as if there were no bus. */
	if (error_is_absence(sd_bus_message_get_error(message))) {
		unit->pins->absent = true;
		unit_wait(unit);
		unit_finish(unit, true);
		return;
	}
	unit_fail(unit, error > 0 ? -error : -EIO);
}

static int unit_get(struct unit *unit, const char *interface, const char *property,
		    sd_bus_message_handler_t handler)
{
	unit->call = sd_bus_slot_unref(unit->call);
	return sd_bus_call_method_async(unit->pins->bus, &unit->call, SYSTEMD_NAME, unit->object,
					BUS_PROPERTIES, "Get", handler, unit, "ss", interface,
					property);
}

static void unit_is_set(struct unit *unit)
{
	unit->pin[unit->property].pinned = true;
	unit->pin[unit->property].stale = false;
}

static int on_after(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);

	(void)reterr;
	/* It may not have written yet. */
	if (error && error_is_of_bus(error)) {
		unit_fail_by(unit, message);
		return 0;
	}
	failpoint("unit-property-realized");
	unit_files_put_back(unit);
	if (unit->undo) {
		unit_tell(unit, unit->value, "restored", 1);
		unit_forget(unit, unit->property);
	} else {
		unit_is_set(unit);
		unit_record_without_files(unit);
	}
	failpoint("unit-property-written");
	unit->told_error = false;
	unit_finish(unit, true);
	return 0;
}

/* The value that we had set before stays, if there was one. */
static void unit_refused(struct unit *unit, sd_bus_message *message)
{
	struct unit_pin *pin = &unit->pin[unit->property];
	int error = sd_bus_message_get_errno(message);

	pin->refused = true;
	pin->refused_value = unit->value;
	unit->pins->errors++;
	unit_tell(unit, unit->value, "systemd refuses it", error > 0 ? -error : -EIO);
	if (pin->pinned) {
		pin->value = pin->before;
		unit_record_without_files(unit);
	} else {
		unit_forget(unit, unit->property);
	}
	unit_finish(unit, true);
}

static int on_set(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	int r;

	(void)reterr;
	if (error && unit->undo && error_is_gone(error)) {
		unit_forget(unit, unit->property);
		unit_finish(unit, true);
		return 0;
	}
	if (error && (unit->undo || error_is_of_bus(error))) {
		unit_fail_by(unit, message);
		return 0;
	}
	if (error) {
		unit_refused(unit, message);
		return 0;
	}
	unit->pins->sets++;
	r = unit_get(unit, unit->interface, unit_property_name(unit->property), on_after);
	if (r < 0)
		unit_fail(unit, r);
	return 0;
}

/* now: what systemd has. */
static void unit_set(struct unit *unit, uint64_t now, bool renewed)
{
	struct unit_pin *pin = &unit->pin[unit->property];
	int r;

	/* A systemd that hung may have written only now what it was told before. */
	unit_files_answered(unit);
	unit->step = UNIT_SETTING;
	free(unit->files);
	unit->files_of = unit->property;
	unit->files_inode = unit_files_inode(unit->pins, unit->path, unit->property);
	unit->files = renewed ? NULL : unit_files_read(unit->pins, unit->path);
	unit->files_unanswered = false;
	if (!unit->undo) {
		pin->inode = unit->files_inode;
		/* Not what was to be set last, which may never have come to systemd. */
		pin->before = now;
		pin->value = unit->value;
	}
	r = unit_record(unit, unit->property);
	/* What is in the journal is enough to undo it: on a full file system only the texts of the
	 * files would be lost with us. */
	if (r == 0 || unit->undo) {
		failpoint("unit-property-set");
		unit->call = sd_bus_slot_unref(unit->call);
		r = sd_bus_call_method_async(unit->pins->bus, &unit->call, SYSTEMD_NAME,
					     SYSTEMD_PATH, SYSTEMD_MANAGER, "SetUnitProperties",
					     on_set, unit, "sba(sv)", unit->name, 1, 1,
					     unit_property_name(unit->property), "t", unit->value);
	}
	if (r < 0)
		unit_fail(unit, r);
}

static void unit_judge(struct unit *unit, uint64_t now)
{
	struct unit_pin *pin = &unit->pin[unit->property];
	bool ours = pin->slot.id && (now == pin->value || now == pin->before);
	bool renewed;

	if (unit->undo) {
		unit->value = pin->original;
		/* A service was started again: what its new group holds came from our property,
		 * and goes with it. */
		renewed = unit_files_inode(unit->pins, unit->path, unit->property) != pin->inode;
		if (now != pin->original && ours) {
			unit_set(unit, now, renewed);
			return;
		}
		if (now != pin->original)
			unit_tell(unit, now, "left: somebody else set it", 0);
		unit_files_answered(unit);
		unit_forget(unit, unit->property);
		unit_finish(unit, true);
		return;
	}
	/* kubelet and runc set properties too: what they set is the new original. */
	if (!ours)
		pin->original = now;
	if (pin->slot.id && now == unit->value && pin->value == now) {
		unit_files_answered(unit);
		unit_is_set(unit);
		unit_finish(unit, true);
		return;
	}
	unit_set(unit, now, false);
}

/* What was wanted when systemd was asked need not be by now: an owner that insists may have had its
 * way, and nothing may be set over that. */
static bool unit_is_outdated(const struct unit *unit)
{
	uint64_t value = 0;
	enum unit_want want = unit_wants(unit, unit->property, &value);

	if (unit->undo)
		return want != UNIT_WANT_NOTHING;
	return want != UNIT_WANT_VALUE || value != unit->value;
}

static int on_value(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	uint64_t now;
	int r;

	(void)reterr;
	if (error && error_is_gone(error)) {
		if (unit->undo)
			unit_forget(unit, unit->property);
		unit_finish(unit, unit->undo);
		return 0;
	}
	if (error) {
		unit_fail_by(unit, message);
		return 0;
	}
	r = sd_bus_message_read(message, "v", "t", &now);
	if (r < 0)
		unit_fail(unit, r);
	else if (unit_is_outdated(unit))
		unit_finish(unit, true); /* and what is to be done is chosen again */
	else
		unit_judge(unit, now);
	return 0;
}

static void unit_ask_value(struct unit *unit)
{
	int r = unit_get(unit, unit->interface, unit_property_name(unit->property), on_value);

	if (r < 0)
		unit_fail(unit, r);
}

static int on_group(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	const char *group;

	(void)reterr;
	if (sd_bus_message_get_error(message)) {
		unit_fail_by(unit, message);
		return 0;
	}
	if (sd_bus_message_read(message, "v", "s", &group) < 0 || group[0] != '/' ||
	    strcmp(group + 1, unit->path) != 0) {
		/* A group of that name inside another's: Delegate=, or a container's own systemd.
		 */
		free(TAKE_PTR(unit->object));
		unit_finish(unit, false);
		return 0;
	}
	unit_ask_value(unit);
	return 0;
}

static int on_object(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	const char *object;
	int r;

	(void)reterr;
	if (error && error_is_gone(error)) {
		unit_finish(unit, false);
		return 0;
	}
	if (error) {
		unit_fail_by(unit, message);
		return 0;
	}
	r = sd_bus_message_read(message, "o", &object);
	if (r >= 0) {
		unit->object = strdup(object);
		r = unit->object ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = unit_get(unit, unit->interface, "ControlGroup", on_group);
	if (r < 0)
		unit_fail(unit, r);
	return 0;
}

void unit_start(struct unit *unit)
{
	int r = 0;

	unit->step = UNIT_ASKING;
	/* One to be undone was a unit; that its group is gone does not take the property away. */
	if (!unit->object && unit->undo)
		r = sd_bus_path_encode(SYSTEMD_PATH "/unit", unit->name, &unit->object);
	if (r < 0) {
		unit_fail(unit, r);
		return;
	}
	if (unit->object) {
		unit_ask_value(unit);
		return;
	}
	r = sd_bus_call_method_async(unit->pins->bus, &unit->call, SYSTEMD_NAME, SYSTEMD_PATH,
				     SYSTEMD_MANAGER, "GetUnit", on_object, unit, "s", unit->name);
	if (r < 0)
		unit_fail(unit, r);
}
