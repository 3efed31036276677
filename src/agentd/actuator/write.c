/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - one change of one knob: the original, the record, the write, the look back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/actuator-internal.h"

/* A child that was made, or written to, under a parent that we changed shows the parent's value of
 * ours: its own original is the parent's. */
static const char *original_below(const struct actuator *actuator, const struct holding *holding,
				  int version, const char *current)
{
	cleanup_free char *path = strdup(holding->group->cgroup.path);
	char *slash;

	if (!(knob_table[holding->knob].flags & KNOB_TOP_DOWN) || !path)
		return current;
	while ((slash = strrchr(path, '/'))) {
		*slash = '\0';
		const struct group *group = hashmap_get(&actuator->by_path, path);
		const struct holding *above =
			group ? holding_find(group, (enum knob)holding->knob) : NULL;

		if (above && above->written && above->original &&
		    knob_same((enum knob)holding->knob, version, current, above->written))
			return above->original;
	}
	return current;
}

/* What the host holds before we write, held against what we know. */
static int holding_learn(struct actuator *actuator, struct holding *holding,
			 const struct knob_file *file, const char *current)
{
	if (!holding->original) {
		return holding_set_original(
			holding, actuator,
			original_below(actuator, holding, file->version, current));
	}
	if (holding->flags & HOLDING_WAS_LOCKED)
		return 0;
	if (!holding->written) {
		/* The write has failed so far, and the world went on. */
		return holding_set_original(
			holding, actuator,
			original_below(actuator, holding, file->version, current));
	}
	if (!knob_same(file->knob, file->version, current, holding->written)) {
		drift_note(actuator, holding, current);
		if (knob_table[holding->knob].drift == DRIFT_ORIGINAL)
			return holding_set_original(holding, actuator, current);
	}
	return 0;
}

static int write_and_read_back(struct actuator *actuator, struct holding *holding,
			       const struct knob_file *file, const char *text)
{
	char back[KNOB_TEXT_MAX];
	int r = knob_file_write(file, text);

	if (r < 0)
		return r;
	holding->writes++;
	actuator->stats.writes++;
	if (knob_file_read(file, back, sizeof(back)) < 0)
		(void)snprintf(back, sizeof(back), "%s", text);
	holding_set_text(&holding->written, back);
	if (knob_same(file->knob, file->version, back, text))
		return 0;
	/* Recorded, or a restore would take it for somebody else's. */
	(void)holding_record(actuator, holding, back);
	if (holding->backoff_msec == 0) {
		char outcome[96];

		(void)snprintf(outcome, sizeof(outcome), "reads back as \"%.64s\"", back);
		actuator_tell(actuator, holding, "write", text, outcome, -EIO);
	}
	return -EIO;
}

static int write_file(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	enum knob knob = (enum knob)holding->knob;
	char current[KNOB_TEXT_MAX], base[KNOB_TEXT_MAX], text[KNOB_TEXT_MAX];
	struct knob_place place;
	int r;

	holding_place(actuator, holding, &place);
	r = knob_file_open(&place, true, &file);
	if (r < 0)
		return r;
	r = knob_file_read(&file, current, sizeof(current));
	if (r == 0)
		r = holding_learn(actuator, holding, &file, current);
	if (r < 0)
		return r;
	/* Now that the original is known: an ancestor's sum is never below it. */
	if (!holding_is_claimed(holding) && holding_effective(actuator, holding, &number))
		holding->number = number;
	if (knob_table[knob].flags & KNOB_HOST)
		(void)snprintf(base, sizeof(base), "%s", current);
	else
		r = knob_read_current(file.dirfd, knob, file.version, base, sizeof(base));
	if (r == 0)
		r = knob_format(knob, file.version, number, base, text, sizeof(text));
	if (r == 0)
		r = holding_record(actuator, holding, text);
	if (r < 0)
		return r;
	if (knob_same(knob, file.version, current, text))
		holding_set_text(&holding->written, current);
	else
		r = write_and_read_back(actuator, holding, &file, text);
	if (r == 0)
		holding->foreign_hash = 0;
	if (r == 0 && (holding->flags & HOLDING_WAS_LOCKED)) {
		/* From here on the kernel's reset value would be somebody else's. */
		holding->flags &= (uint16_t)~HOLDING_WAS_LOCKED;
		(void)holding_record(actuator, holding, holding->written);
	}
	return r;
}

static int write_processes(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	char text[24];
	int found, r;

	/* First: who joins after the look is told of. */
	drift_watch(actuator, holding);
	found = process_knob_look(holding->processes);
	if (found < 0 && found != -E2BIG)
		return found;
	(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)number);
	holding_set_text(&holding->original, "per process");
	if (found != 0 || !holding->written || strcmp(holding->written, text) != 0) {
		r = holding_record(actuator, holding, text);
		if (r < 0)
			return r;
	}
	/* Even if it fails half way, some processes hold the value. */
	holding_set_text(&holding->written, text);
	r = process_knob_apply(holding->processes, number);
	if (r < 0)
		return r;
	if (r > 0) {
		holding->writes++;
		actuator->stats.writes++;
	}
	return found == -E2BIG ? found : 0;
}

int holding_write(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	if (holding->processes)
		return write_processes(actuator, holding, number);
	return write_file(actuator, holding, number);
}

static int knob_look(const struct actuator *actuator, const struct holding *holding, char *text,
		     size_t size)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place place;
	int r;

	holding_place(actuator, holding, &place);
	r = knob_file_open(&place, false, &file);
	return r < 0 ? r : knob_file_read(&file, text, size);
}

/* Somebody took the lock away and wrote what it locks (a pod resized in place, daemon-reload): that
 * is the original now. The kernel's own reset says nothing. */
static void shadow_again(struct actuator *actuator, const struct holding *lock,
			 struct holding *locked)
{
	enum knob knob = (enum knob)locked->knob;
	int version = holding_version(actuator, locked);
	char text[KNOB_TEXT_MAX], reset[KNOB_TEXT_MAX];
	uint64_t number;

	if (knob_look(actuator, lock, text, sizeof(text)) < 0 ||
	    knob_parse((enum knob)lock->knob, version, text, &number) < 0 || number != 0 ||
	    knob_look(actuator, locked, text, sizeof(text)) < 0 ||
	    knob_format(knob, version, RESTORE_WEIGHT_RESET, text, reset, sizeof(reset)) < 0 ||
	    knob_same(knob, version, text, reset) ||
	    knob_same(knob, version, text, locked->original) ||
	    (locked->written && knob_same(knob, version, text, locked->written)))
		return;
	drift_note(actuator, locked, text);
	(void)holding_set_original(locked, actuator, text);
	(void)holding_record(actuator, locked, locked->written ? locked->written : "");
}

int holding_shadow(struct actuator *actuator, const struct holding *lock, struct holding *holding)
{
	char current[KNOB_TEXT_MAX];
	int r = 0;

	if (holding->original && (holding->flags & HOLDING_WAS_LOCKED)) {
		shadow_again(actuator, lock, holding);
		return 0;
	}
	if (!holding->original) {
		r = knob_look(actuator, holding, current, sizeof(current));
		/* Without a file of its own there is nothing that the lock could take away. */
		if (r < 0)
			return r == -ENXIO ? 0 : r;
		r = holding_set_original(holding, actuator, current);
		if (r < 0)
			return r;
	}
	holding->flags |= HOLDING_WAS_LOCKED;
	return holding_record(actuator, holding, holding->written ? holding->written : "");
}
