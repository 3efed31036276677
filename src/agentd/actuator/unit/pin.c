/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/unit/pin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actuator/knob/table.h"
#include "actuator/unit/pin-internal.h"
#include "cgroup.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"

DEFINE_CLEANUP(struct unit_pins *, unit_pins_free);

static struct unit *unit_of(const struct unit_pins *pins, const char *path)
{
	return pins ? hashmap_get(&pins->by_path, path) : NULL;
}

/* sd_booted(3), below the sysroot; or the host's bus in a container, which may have only that. */
static bool systemd_runs(const struct unit_pins *pins)
{
	int root = pins->context.root->root;

	return faccessat(root, "run/systemd/system", F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       faccessat(root, "run/dbus/system_bus_socket", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int unit_new(struct unit_pins *pins, const char *path, const char *name, struct unit **ret)
{
	size_t length = strlen(path) + 1;
	struct unit *unit = calloc(1, sizeof(*unit) + length + strlen(name) + 1);

	if (!unit)
		return -ENOMEM;
	memcpy(unit->path, path, length);
	memcpy(unit->path + length, name, strlen(name) + 1);
	unit->name = unit->path + length;
	unit->interface = unit_interface(unit->name);
	unit->pins = pins;
	if (hashmap_put(&pins->by_path, unit->path, unit) < 0) {
		free(unit);
		return -ENOMEM;
	}
	list_append(&pins->units, &unit->list);
	*ret = unit;
	return 0;
}

void unit_free(struct unit *unit)
{
	if (unit->step != UNIT_STILL)
		unit->pins->in_flight--;
	sd_bus_slot_unref(unit->call);
	list_unlink(&unit->queue);
	list_unlink(&unit->list);
	(void)hashmap_remove(&unit->pins->by_path, unit->path);
	free(unit->object);
	free(unit->files);
	free(unit);
}

void unit_queue(struct unit *unit)
{
	struct unit_pins *pins = unit->pins;

	list_unlink(&unit->queue);
	list_append(&pins->queue, &unit->queue);
	if (pins->defer)
		(void)sd_event_source_set_enabled(pins->defer, SD_EVENT_ONESHOT);
}

void unit_tell(struct unit *unit, uint64_t value, const char *outcome, int result)
{
	const struct unit_pins *pins = unit->pins;
	char setting[64];

	unit_property_format(unit->property, value, setting, sizeof(setting));
	if (pins->report && unit->undo && result >= 0) {
		char what[UNIT_NAME_LENGTH + 64];

		(void)snprintf(what, sizeof(what), "%s of %s in systemd",
			       unit_property_name(unit->property), unit->name);
		pins->report(pins->report_data, unit->path, what, result);
	}
	if (pins->context.tell && result <= 0)
		pins->context.tell(pins->context.data, unit->name, setting, outcome, result);
}

static bool unit_has_record(const struct unit *unit)
{
	for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++)
		if (unit->pin[i].slot.id)
			return true;
	return false;
}

enum unit_want unit_wants(const struct unit *unit, enum unit_property property, uint64_t *ret)
{
	const struct unit_pins_context *context = &unit->pins->context;

	return context->want ? context->want(context->data, unit->path, property, ret)
			     : UNIT_WANT_NOTHING;
}

/* What is to be done next; false: nothing. */
static bool unit_choose(struct unit *unit)
{
	for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++) {
		const struct unit_pin *pin = &unit->pin[i];
		uint64_t value = 0;
		enum unit_want want = unit_wants(unit, (enum unit_property)i, &value);
		bool undo = want == UNIT_WANT_NOTHING && pin->slot.id;
		bool set = want == UNIT_WANT_VALUE &&
			   !(pin->refused && pin->refused_value == value) &&
			   !(pin->pinned && pin->value == value && !pin->stale);

		if (!undo && !set)
			continue;
		unit->property = (enum unit_property)i;
		unit->undo = undo;
		unit->value = undo ? pin->original : value;
		return true;
	}
	return false;
}

static bool unit_is_needed(const struct unit *unit)
{
	for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++) {
		uint64_t value;

		if (unit_wants(unit, (enum unit_property)i, &value) != UNIT_WANT_NOTHING)
			return true;
	}
	return unit_has_record(unit);
}

static void unit_run(struct unit *unit)
{
	list_unlink(&unit->queue);
	if (unit->step != UNIT_STILL || unit->waits)
		return;
	if (unit_choose(unit)) {
		unit->pins->in_flight++;
		unit_start(unit);
		return;
	}
	/* While its property is left as it is, it may be written over yet. */
	if (!unit_has_record(unit)) {
		unit->files_unanswered = false;
		free(TAKE_PTR(unit->files));
	}
	if (!unit_is_needed(unit))
		unit_free(unit);
}

void unit_finish(struct unit *unit, bool is_unit)
{
	const struct unit_pins_context *context = &unit->pins->context;
	/* Or was not answered the last time. */
	bool was_setting = unit->step == UNIT_SETTING || unit->files;

	unit->call = sd_bus_slot_unref(unit->call);
	unit->step = UNIT_STILL;
	unit->pins->in_flight--;
	if (!unit->files_unanswered)
		free(TAKE_PTR(unit->files));
	unit_queue(unit);
	if (context->done && (was_setting || !is_unit))
		context->done(context->data, unit->path, is_unit);
	/* Whoever has its group knows now, and does not ask again. */
	if (!is_unit && !unit_has_record(unit))
		unit_free(unit);
	else if (!is_unit)
		unit->waits = true;
}

void unit_pins_dispatch(struct unit_pins *pins)
{
	if (pins->absent || list_is_empty(&pins->queue))
		return;
	if (!systemd_runs(pins) || unit_bus_open(pins) < 0) {
		pins->absent = true;
		return;
	}
	while (!list_is_empty(&pins->queue) && pins->in_flight < LIMIT_UNIT_CALLS)
		unit_run(list_entry(pins->queue.next, struct unit, queue));
}

static int on_defer(sd_event_source *source, void *data)
{
	(void)source;
	unit_pins_dispatch(data);
	return 0;
}

int unit_pins_new(const struct unit_pins_context *context, struct unit_pins **ret)
{
	CLEANUP(unit_pins_freep) struct unit_pins *pins = calloc(1, sizeof(*pins));
	int r;

	if (!pins)
		return -ENOMEM;
	pins->context = *context;
	list_init(&pins->units);
	list_init(&pins->queue);
	pins->absent = !systemd_runs(pins);
	if (context->event) {
		r = sd_event_add_defer(context->event, &pins->defer, on_defer, pins);
		if (r >= 0)
			r = sd_event_source_set_enabled(pins->defer, SD_EVENT_OFF);
		/* After all that writes: the files come first. */
		if (r >= 0)
			r = sd_event_source_set_priority(pins->defer, SD_EVENT_PRIORITY_IDLE);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(pins);
	return 0;
}

struct unit_pins *unit_pins_free(struct unit_pins *pins)
{
	struct unit *unit, *following;

	if (!pins)
		return NULL;
	list_foreach_safe (unit, following, &pins->units, list)
		unit_free(unit);
	hashmap_done(&pins->by_path);
	sd_event_source_disable_unref(pins->defer);
	sd_bus_close_unref(pins->bus);
	free(pins);
	return NULL;
}

void unit_pins_set_journal(struct unit_pins *pins, struct journal *journal)
{
	pins->journal = journal;
}

static bool path_wants(const struct unit_pins *pins, const char *path)
{
	uint64_t value;

	for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++)
		if (pins->context.want &&
		    pins->context.want(pins->context.data, path, (enum unit_property)i, &value) ==
			    UNIT_WANT_VALUE)
			return true;
	return false;
}

void unit_pins_look(struct unit_pins *pins, const char *path)
{
	struct unit *unit = unit_of(pins, path);
	char name[UNIT_NAME_LENGTH];

	if (!pins || (pins->absent && !unit))
		return;
	if (!unit && (unit_name_of(path, name, sizeof(name)) < 0 || !path_wants(pins, path) ||
		      unit_new(pins, path, name, &unit) < 0))
		return;
	unit_queue(unit);
}

void unit_pins_foreign(struct unit_pins *pins, const char *path)
{
	struct unit *unit = unit_of(pins, path);

	for (unsigned int i = 0; unit && i < UNIT_PROPERTY_MAX; i++)
		unit->pin[i].stale = unit->pin[i].pinned;
}

void unit_pins_retry(struct unit_pins *pins)
{
	struct unit *unit;

	if (!pins)
		return;
	pins->absent = !systemd_runs(pins);
	if (pins->absent)
		return;
	list_foreach (unit, &pins->units, list) {
		if (!unit->waits)
			continue;
		unit->waits = false;
		unit_queue(unit);
	}
	if (pins->defer && !list_is_empty(&pins->queue))
		(void)sd_event_source_set_enabled(pins->defer, SD_EVENT_ONESHOT);
}

bool unit_pins_are_busy(const struct unit_pins *pins, const char *path)
{
	const struct unit *unit = unit_of(pins, path);

	return unit && unit_is_written_over(unit);
}

bool unit_pins_original(const struct unit_pins *pins, const char *path, enum knob knob, int version,
			const char *found, char *text, size_t size)
{
	const struct unit *unit = unit_of(pins, path);
	int property = unit_property_of(knob, version);
	const struct unit_pin *pin;
	char ours[64];
	int r;

	if (!unit || property < 0 || !unit->pin[property].slot.id)
		return false;
	pin = &unit->pin[property];
	r = unit_property_text(knob, version, pin->value, ours, sizeof(ours));
	/* No data: the weight of a group that the property made idle, as long as it is. */
	if (r == -ENODATA ? !unit_files_are_idle(pins, path)
			  : r < 0 || !knob_same(knob, version, found, ours))
		return false;
	return unit_property_text(knob, version, pin->original, text, size) == 0;
}

const char *unit_pins_unit(const struct unit_pins *pins, const char *path, enum knob knob,
			   int version, char *setting, size_t size)
{
	const struct unit *unit = unit_of(pins, path);
	int property = unit_property_of(knob, version);
	char text[64];

	if (!unit || property < 0 || !unit->pin[property].pinned)
		return NULL;
	/* Of the two that share a property: the one whose value it is. */
	if (unit_property_text(knob, version, unit->pin[property].value, text, sizeof(text)) < 0)
		return NULL;
	unit_property_format((enum unit_property)property, unit->pin[property].value, setting,
			     size);
	return unit->name;
}

int unit_pins_replay(struct unit_pins *pins, const struct journal_record *record,
		     const struct journal_slot *slot)
{
	uint32_t property = record->knob - JOURNAL_UNIT;
	struct unit *unit = unit_of(pins, record->path);
	cleanup_free char *files = NULL;
	char name[UNIT_NAME_LENGTH];
	struct unit_pin pin;
	int r;

	if (record->knob < JOURNAL_UNIT || property >= UNIT_PROPERTY_MAX)
		return -EOPNOTSUPP;
	/* The path comes from a file: it goes through the same checks as any other. */
	if (cgroup_path_check(record->path) < 0 ||
	    unit_name_of(record->path, name, sizeof(name)) < 0 || strcmp(name, record->owner) != 0)
		return -EINVAL;
	r = unit_record_read(record, &pin, &files);
	if (r < 0)
		return r;
	if (!unit) {
		r = unit_new(pins, record->path, name, &unit);
		if (r < 0)
			return r;
	}
	/* One that could not be released, on a full file system: the later one counts. */
	(void)journal_release(pins->journal, &unit->pin[property].slot);
	pin.slot = *slot;
	/* What became of it, only systemd knows. */
	pin.pinned = pin.stale = true;
	unit->pin[property] = pin;
	if (files) {
		free(unit->files);
		unit->files = TAKE_PTR(files);
		unit->files_of = (enum unit_property)property;
		unit->files_inode = pin.inode;
		unit_files_unanswered(unit, false);
		unit->property = (enum unit_property)property;
	}
	unit_queue(unit);
	return 0;
}

void unit_pins_stats(const struct unit_pins *pins, uint64_t *ret_set, uint64_t *ret_errors)
{
	*ret_set = pins ? pins->sets : 0;
	*ret_errors = pins ? pins->errors : 0;
}
