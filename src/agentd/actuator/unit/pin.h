/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin.h - a knob's value as a run-time property of the systemd unit that owns the group.
 * systemd writes every knob that it knows of a unit again at each `systemctl daemon-reload`, from
 * its own properties: a value that is such a property survives. The knob's file is written first
 * and at once; the property follows, over the bus, and nobody waits for it.
 *
 * The property as it was before is in the journal before it is changed, and comes back when the
 * value is not wanted any more, at stop, and from the journal after a crash. Whatever systemd
 * writes into the unit's other knobs in passing (it always writes all of them) is put back.
 *
 * Knows no holdings and no claims: want() says what is to be. Without systemd, or without its bus,
 * nothing happens here.
 */
#pragma once

#include <systemd/sd-event.h>

#include "actuator/journal/journal.h"
#include "actuator/unit/property.h"
#include "hierarchy.h"
#include "sysroot.h"

struct unit_pins;

enum unit_want {
	UNIT_WANT_NOTHING, /* the property as it was before us */
	UNIT_WANT_KEEP,    /* leave it for now */
	UNIT_WANT_VALUE,
};

/* All borrowed. */
struct unit_pins_context {
	sd_event *event; /* NULL: only unit_pins_flush() gets anything done */
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	/* NULL: nothing of any. */
	enum unit_want (*want)(void *data, const char *path, enum unit_property property,
			       uint64_t *ret_value);
	/* Is the knob's file ours now, whatever becomes of the property? NULL: never. */
	bool (*holds)(void *data, const char *path, enum knob knob);
	/* systemd has written; or (not a unit) never will. May be NULL. */
	void (*done)(void *data, const char *path, bool is_unit);
	/* What went otherwise than it should. May be NULL. */
	void (*tell)(void *data, const char *unit, const char *setting, const char *outcome,
		     int result);
	void *data;
};

int unit_pins_new(const struct unit_pins_context *context, struct unit_pins **ret);
/* Leaves the properties as they are, and their records in the journal. */
struct unit_pins *unit_pins_free(struct unit_pins *pins);
/* Before anything that could write: where the records go. Borrowed. */
void unit_pins_set_journal(struct unit_pins *pins, struct journal *journal);

/* What is wanted of this group may have changed: soon, want() is asked and systemd told. */
void unit_pins_look(struct unit_pins *pins, const char *path);
/* Somebody else wrote the group's knobs, perhaps by way of systemd. */
void unit_pins_foreign(struct unit_pins *pins, const char *path);
/* What failed, and a bus that was not there, may be tried again. */
void unit_pins_retry(struct unit_pins *pins);

/* systemd is about to write this group's files because we told it to, or did not answer and may be:
 * what they hold says nothing. */
bool unit_pins_are_busy(const struct unit_pins *pins, const char *path);
/* And then, in text and true: what the knob's file held before, or was given since, and will again.
 * False: look at the file. */
bool unit_pins_held(const struct unit_pins *pins, const char *path, enum knob knob, char *text,
		    size_t size);
/* If the text found in the knob's file is there only because of a property that we set: what would
 * be there without us, in text, and true. */
bool unit_pins_original(const struct unit_pins *pins, const char *path, enum knob knob, int version,
			const char *found, char *text, size_t size);
/* The knob's file has this text now, and not `from` any more (NULL: whatever it had): when systemd
 * has written the unit's knobs in passing, this is what comes back. */
void unit_pins_wrote(struct unit_pins *pins, const char *path, enum knob knob, const char *from,
		     const char *text);
/* The unit whose property holds the knob's value for us, and which; NULL: none. */
const char *unit_pins_unit(const struct unit_pins *pins, const char *path, enum knob knob,
			   int version, char *setting, size_t size);

/* A record of the run before. */
int unit_pins_replay(struct unit_pins *pins, const struct journal_record *record,
		     const struct journal_slot *slot);
/* Of the run before, which was killed while systemd wrote a unit's knobs: as they were, before
 * anybody looks at what they hold. */
void unit_pins_put_back(struct unit_pins *pins);
/* All records, for a compaction that has begun. */
int unit_pins_compact(struct unit_pins *pins, struct journal *journal);

/* Do now all that is to be done, for at most that long. How many properties of ours are left that
 * should not be; report (may be NULL) is told each that was put back (1) or is left (-errno). */
int unit_pins_flush(struct unit_pins *pins, uint64_t timeout_usec,
		    void (*report)(void *data, const char *path, const char *what, int result),
		    void *data);

void unit_pins_stats(const struct unit_pins *pins, uint64_t *ret_set, uint64_t *ret_errors);
