/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record.c - pins to the journal and back. A record of a pin is complete enough to undo it:
 * the unit's name is its owner, the property's value before us its original; while systemd is
 * told, the texts of the knobs' files stand behind that, because it is about to write them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/unit/pin-internal.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"
#include "parse.h"
#include "strbuf.h"

struct record_texts {
	struct strbuf original;
	char previous[24], next[24];
};

/* For the version of a record that has files' texts; 0 in those of versions of Berth without. */
static uint32_t record_seconds(void)
{
	return (uint32_t)(monotonic_usec() / USEC_PER_SEC) + 1;
}

bool unit_records_files(const struct unit *unit, enum unit_property property)
{
	return unit->files && unit->files_of == property &&
	       (unit->files_unanswered || unit->step == UNIT_SETTING);
}

static void record_fill(const struct unit *unit, enum unit_property property,
			struct record_texts *texts, struct journal_record *ret)
{
	const struct unit_pin *pin = &unit->pin[property];
	bool files = unit_records_files(unit, property);

	strbuf_addf(&texts->original, "%" PRIu64 "%s%s", pin->original, files ? " " : "",
		    files ? unit->files : "");
	(void)snprintf(texts->previous, sizeof(texts->previous), "%" PRIu64, pin->before);
	(void)snprintf(texts->next, sizeof(texts->next), "%" PRIu64, pin->value);
	*ret = (struct journal_record){
		.knob = JOURNAL_UNIT + (uint32_t)property,
		.number = pin->value,
		.inode = pin->inode,
		.version = files ? record_seconds() : 0,
		.path = unit->path,
		.original = strbuf_text(&texts->original),
		.previous = texts->previous,
		.next = texts->next,
		.owner = unit->name,
	};
}

static void record_texts_done(struct record_texts *texts)
{
	strbuf_done(&texts->original);
}

int unit_record(struct unit *unit, enum unit_property property)
{
	CLEANUP(record_texts_done) struct record_texts texts = { 0 };
	struct journal_record record;

	if (!unit->pins->journal)
		return -EIO;
	record_fill(unit, property, &texts, &record);
	if (strbuf_error(&texts.original) < 0)
		return strbuf_error(&texts.original);
	return journal_append(unit->pins->journal, &record, &unit->pin[property].slot);
}

void unit_record_without_files(struct unit *unit)
{
	char *files = TAKE_PTR(unit->files);

	if (unit->pin[unit->files_of].slot.id)
		(void)unit_record(unit, unit->files_of);
	unit->files = files;
}

void unit_forget(struct unit *unit, enum unit_property property)
{
	struct unit_pin *pin = &unit->pin[property];

	if (pin->slot.id && unit->pins->journal)
		(void)journal_release(unit->pins->journal, &pin->slot);
	*pin = (struct unit_pin){
		.refused = pin->refused,
		.refused_value = pin->refused_value,
	};
}

int unit_pins_compact(struct unit_pins *pins, struct journal *journal)
{
	struct unit *unit;

	list_foreach (unit, &pins->units, list) {
		for (unsigned int i = 0; i < UNIT_PROPERTY_MAX; i++) {
			CLEANUP(record_texts_done) struct record_texts texts = { 0 };
			struct journal_record record;
			int r;

			if (!unit->pin[i].slot.id)
				continue;
			record_fill(unit, (enum unit_property)i, &texts, &record);
			r = strbuf_error(&texts.original);
			if (r == 0)
				r = journal_compact_add(journal, &record, &unit->pin[i].slot);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

int unit_record_read(const struct journal_record *record, struct unit_pin *ret, char **ret_files)
{
	const char *blank = strchr(record->original, ' ');
	struct unit_pin pin = { .inode = record->inode };
	char *files = NULL;
	int r = parse_u64_span(record->original,
			       blank ? (size_t)(blank - record->original)
				     : strlen(record->original),
			       &pin.original);

	if (r == 0)
		r = parse_u64(record->previous, &pin.before);
	if (r == 0)
		r = parse_u64(record->next, &pin.value);
	if (r < 0)
		return -EINVAL;
	/* Older ones may be others' to change since: nobody was there who would know. */
	if (blank &&
	    (record->version == 0 || record_seconds() - record->version <= LIMIT_UNIT_FILES_SEC)) {
		files = strdup(blank + 1);
		if (!files)
			return -ENOMEM;
	}
	*ret = pin;
	*ret_files = files;
	return 0;
}
