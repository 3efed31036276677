/* SPDX-License-Identifier: Apache-2.0 */
/*
 * file.c - systemd writes all knobs of a unit when one property of it is set, from its other
 * properties: a value that somebody wrote into the file alone would be lost (runc rounds CPUQuota=
 * up to a whole percent and writes the exact cpu.max after it). So they are read before, and put
 * back after.
 */
#include <errno.h>
#include <string.h>

#include "actuator/knob/writer.h"
#include "actuator/unit/pin-internal.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "strbuf.h"

/* In the order in which they are written: the weight cannot be while cpu.idle is 1. */
static const enum knob unit_knobs[] = {
	KNOB_CPU_IDLE,         KNOB_CPU_WEIGHT,       KNOB_CPU_QUOTA_USEC,    KNOB_MEMORY_MIN_BYTES,
	KNOB_MEMORY_LOW_BYTES, KNOB_MEMORY_OOM_GROUP, KNOB_MEMORY_HIGH_BYTES,
};

DEFINE_CLEANUP(struct cgroup *, cgroup_free);

static void file_place(const struct unit_pins *pins, const struct cgroup *group, enum knob knob,
		       struct knob_place *ret)
{
	*ret = (struct knob_place){
		.root = pins->context.root,
		.hierarchy = pins->context.hierarchy,
		.group = group,
		.knob = knob,
	};
}

static int file_read_text(const struct unit_pins *pins, const struct cgroup *group, enum knob knob,
			  char *text, size_t size)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place place;
	int r;

	file_place(pins, group, knob, &place);
	r = knob_file_open(&place, false, &file);
	return r < 0 ? r : knob_file_read(&file, text, size);
}

static bool file_is_idle(const struct unit_pins *pins, const struct cgroup *group)
{
	char text[KNOB_TEXT_MAX];

	return file_read_text(pins, group, KNOB_CPU_IDLE, text, sizeof(text)) == 0 &&
	       strcmp(text, "1") == 0;
}

bool unit_files_are_idle(const struct unit_pins *pins, const char *path)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;

	return cgroup_path_check(path) == 0 &&
	       cgroup_new(pins->context.hierarchy, path, &group) == 0 && file_is_idle(pins, group);
}

char *unit_files_read(const struct unit_pins *pins, const char *path)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;
	cleanup_strbuf struct strbuf files = { 0 };
	bool idle = false;

	if (cgroup_path_check(path) < 0 || cgroup_new(pins->context.hierarchy, path, &group) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(unit_knobs); i++) {
		enum knob knob = unit_knobs[i];
		char text[KNOB_TEXT_MAX];

		if (file_read_text(pins, group, knob, text, sizeof(text)) < 0)
			continue;
		if (knob == KNOB_CPU_IDLE)
			idle = strcmp(text, "1") == 0;
		/* The kernel's stand-in (1 on 6.12, which it would take) is not the weight that
		 * comes back when cpu.idle goes: that is told by unit_pins_wrote(). Asked before
		 * and after, because systemd may be writing. */
		if (knob == KNOB_CPU_WEIGHT && (idle || file_is_idle(pins, group)))
			text[0] = '\0';
		strbuf_addf(&files, "%s=%s;", knob_table[knob].name, text);
	}
	return strbuf_error(&files) < 0 || files.length == 0 ? NULL : strdup(files.text);
}

uint64_t unit_files_inode(const struct unit_pins *pins, const char *path,
			  enum unit_property property)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;
	bool memory = property == UNIT_MEMORY_MIN || property == UNIT_MEMORY_LOW;

	if (cgroup_path_check(path) < 0 || cgroup_new(pins->context.hierarchy, path, &group) < 0)
		return 0;
	return group->inode[memory ? CONTROLLER_MEMORY : CONTROLLER_CPU];
}

/* The text behind "NAME=", up to the semicolon. */
static bool files_find(const char *files, const char *name, char *text, size_t size)
{
	size_t length = strlen(name);

	for (const char *at = files; *at;) {
		size_t item = strcspn(at, ";");

		if (item > length && strncmp(at, name, length) == 0 && at[length] == '=') {
			size_t bytes = item - length - 1;

			if (bytes >= size)
				return false;
			memcpy(text, at + length + 1, bytes);
			text[bytes] = '\0';
			return true;
		}
		at += item;
		at += *at == ';';
	}
	return false;
}

/* The texts with another one of this knob; NULL: no memory. */
static char *files_replace(const char *files, const char *name, const char *text)
{
	cleanup_strbuf struct strbuf replaced = { 0 };
	size_t length = strlen(name);

	for (const char *at = files; *at;) {
		size_t item = strcspn(at, ";");

		if (item > length && strncmp(at, name, length) == 0 && at[length] == '=')
			strbuf_addf(&replaced, "%s=%s", name, text);
		else
			strbuf_add_bytes(&replaced, at, item);
		strbuf_add_char(&replaced, ';');
		at += item;
		at += *at == ';';
	}
	return strbuf_take(&replaced);
}

void unit_pins_wrote(struct unit_pins *pins, const char *path, enum knob knob, const char *from,
		     const char *text)
{
	struct unit *unit = pins ? hashmap_get(&pins->by_path, path) : NULL;
	const char *name = knob_table[knob].name;
	char known[KNOB_TEXT_MAX];
	char *files;

	if (!unit || !unit->files || !files_find(unit->files, name, known, sizeof(known)) ||
	    (from && !knob_same(knob, 2, known, from)) || strcmp(known, text) == 0)
		return;
	files = files_replace(unit->files, name, text);
	if (!files)
		return;
	free(unit->files);
	unit->files = files;
	if (unit_records_files(unit, unit->files_of) && unit->pin[unit->files_of].slot.id)
		(void)unit_record(unit, unit->files_of);
}

/* What a group that was made since holds is its own, or came with the property. */
static bool files_are_of_group(const struct unit *unit)
{
	return unit_files_inode(unit->pins, unit->path, unit->files_of) == unit->files_inode;
}

/* One of ours that is far below what is in use would have us reclaim: its holding writes it again.
 */
static bool file_would_block(const struct unit *unit, enum knob knob)
{
	const struct unit_pins_context *context = &unit->pins->context;

	return (knob_table[knob].flags & KNOB_MAY_BLOCK) && context->holds &&
	       context->holds(context->data, unit->path, knob);
}

bool unit_pins_held(const struct unit_pins *pins, const char *path, enum knob knob, char *text,
		    size_t size)
{
	const struct unit *unit = pins ? hashmap_get(&pins->by_path, path) : NULL;

	return unit && unit->files && unit_is_written_over(unit) &&
	       files_find(unit->files, knob_table[knob].name, text, size) && text[0] &&
	       files_are_of_group(unit);
}

void unit_pins_put_back(struct unit_pins *pins)
{
	struct unit *unit;

	list_foreach (unit, &pins->units, list) {
		if (!unit->files_unanswered)
			continue;
		unit->undo = true;
		unit_files_put_back(unit);
	}
}

/* Is this text in the file because of what is being undone? The claim may have ended while systemd
 * was being told of it: then systemd wrote our value once more after the actuator had restored the
 * file, and that was what was found. */
static bool file_is_ours(const struct unit *unit, enum knob knob, int version, const char *text)
{
	const struct unit_pins_context *context = &unit->pins->context;
	const struct unit_pin *pin = &unit->pin[unit->property];
	const uint64_t values[] = { pin->value, pin->before };
	char ours[KNOB_TEXT_MAX];

	if (!unit->undo || unit_property_of(knob, version) != (int)unit->property)
		return false;
	if (context->holds && context->holds(context->data, unit->path, knob))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (unit_property_text(knob, version, values[i], ours, sizeof(ours)) == 0 &&
		    knob_same(knob, version, text, ours))
			return true;
	return false;
}

void unit_files_put_back(const struct unit *unit)
{
	CLEANUP(cgroup_freep) struct cgroup *group = NULL;
	const struct unit_pins *pins = unit->pins;
	const char *files = unit->files;
	bool idle = false;

	if (!files || !files_are_of_group(unit) || cgroup_path_check(unit->path) < 0 ||
	    cgroup_new(pins->context.hierarchy, unit->path, &group) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(unit_knobs); i++) {
		cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
		char text[KNOB_TEXT_MAX], current[KNOB_TEXT_MAX];
		enum knob knob = unit_knobs[i];
		struct knob_place place;

		if (!files_find(files, knob_table[knob].name, text, sizeof(text)) || !text[0])
			continue;
		if (knob == KNOB_CPU_IDLE)
			idle = strcmp(text, "1") == 0;
		if ((knob == KNOB_CPU_WEIGHT && idle) || file_would_block(unit, knob))
			continue;
		file_place(pins, group, knob, &place);
		if (knob_file_open(&place, true, &file) < 0 ||
		    knob_file_read(&file, current, sizeof(current)) < 0 ||
		    knob_same(knob, file.version, current, text) ||
		    file_is_ours(unit, knob, file.version, text))
			continue;
		/* It held that a moment ago, so that the kernel takes it; if the group is gone,
		 * there is nobody left to miss it. */
		(void)knob_file_write(&file, text);
	}
}

void unit_files_unanswered(struct unit *unit, bool put_back)
{
	if (put_back)
		unit_files_put_back(unit);
	unit->files_unanswered = unit->files != NULL;
	unit->files_until_usec = monotonic_usec() + LIMIT_UNIT_FILES_SEC * USEC_PER_SEC;
}

static bool files_may_be_written(const struct unit *unit)
{
	return unit->files_unanswered && monotonic_usec() < unit->files_until_usec;
}

bool unit_is_written_over(const struct unit *unit)
{
	return unit->step == UNIT_SETTING || files_may_be_written(unit);
}

void unit_files_answered(struct unit *unit)
{
	if (!unit->files_unanswered)
		return;
	if (files_may_be_written(unit))
		unit_files_put_back(unit);
	unit->files_unanswered = false;
	unit_record_without_files(unit);
}
