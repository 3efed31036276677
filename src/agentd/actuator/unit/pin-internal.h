/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pin-internal.h - between unit/pin.c (which units, what is to be done), unit/call.c (the bus,
 * one call after the other), unit/flush.c (without the loop), unit/record.c (the journal) and
 * unit/file.c (what systemd writes in passing). Nobody else's.
 */
#pragma once

#include <systemd/sd-bus.h>

#include "actuator/unit/pin.h"
#include "hashmap.h"
#include "list.h"

enum unit_step {
	UNIT_STILL,
	UNIT_ASKING, /* what it is, and what its property is */
	UNIT_SETTING,
};

struct unit_pin {
	/* Known while slot.id is not 0. before: what we set last before value. */
	uint64_t original, before, value;
	uint64_t inode; /* of the group whose files value was for */
	bool pinned;    /* systemd has value, as far as we know */
	bool stale;     /* somebody else may have changed that */
	bool refused;
	uint64_t refused_value;
	struct journal_slot slot;
};

struct unit {
	struct list list;
	struct list queue; /* linked while there may be something to do */
	struct unit_pins *pins;
	const char *name, *interface;
	char *object;    /* on the bus; NULL: not asked yet */
	bool waits;      /* for unit_pins_retry() */
	bool told_error; /* once for all the times it fails */
	struct unit_pin pin[UNIT_PROPERTY_MAX];
	/* What is under way. */
	enum unit_step step;
	enum unit_property property;
	bool undo;
	uint64_t value; /* to be */
	sd_bus_slot *call;
	char *files;                 /* what the knobs' files held before systemd wrote */
	enum unit_property files_of; /* was set then */
	uint64_t files_inode;        /* of the group that they are of */
	/* systemd did not answer, or only the run before: it may write over them yet, or have. */
	bool files_unanswered;
	uint64_t files_until_usec; /* then they say nothing any more */
	char path[];               /* and the name behind it */
};

struct unit_pins {
	struct unit_pins_context context;
	struct journal *journal;
	struct list units, queue;
	struct hashmap by_path;
	sd_bus *bus;
	sd_event_source *defer;
	bool absent; /* no systemd, or no bus: until unit_pins_retry() */
	size_t in_flight;
	uint64_t sets, errors;
	void (*report)(void *data, const char *path, const char *what, int result);
	void *report_data;
};

/* unit/pin.c */
enum unit_want unit_wants(const struct unit *unit, enum unit_property property, uint64_t *ret);
/* Begin what waits, as far as the limit of calls goes. */
void unit_pins_dispatch(struct unit_pins *pins);
void unit_queue(struct unit *unit);
void unit_free(struct unit *unit);
/* The work that unit_start() began is over, done or not. */
void unit_finish(struct unit *unit, bool is_unit);
void unit_tell(struct unit *unit, uint64_t value, const char *outcome, int result);

/* unit/call.c */
/* -errno: no bus. */
int unit_bus_open(struct unit_pins *pins);
/* All that is being asked has failed with this. */
void unit_bus_close(struct unit_pins *pins, int error);
/* property, undo and value are set: go. */
void unit_start(struct unit *unit);

/* unit/record.c */
int unit_record(struct unit *unit, enum unit_property property);
/* The texts of the files are not for the next run to put back any more. */
void unit_record_without_files(struct unit *unit);
/* The texts of the files are part of the record. */
bool unit_records_files(const struct unit *unit, enum unit_property property);
void unit_forget(struct unit *unit, enum unit_property property);
int unit_record_read(const struct journal_record *record, struct unit_pin *ret, char **ret_files);

/* unit/file.c */
/* All knobs' texts of the group that systemd may write, as one text; NULL: none, or no memory. */
char *unit_files_read(const struct unit_pins *pins, const char *path);
/* cpu.idle is 1: the weight that is shown is the kernel's stand-in. */
bool unit_files_are_idle(const struct unit_pins *pins, const char *path);
/* systemd may have written and not have said so, or be about to. put_back: what it has. */
void unit_files_unanswered(struct unit *unit, bool put_back);
/* Whatever the files hold, systemd may have written it in passing. */
bool unit_is_written_over(const struct unit *unit);
/* It answers again: put back what it has written since. */
void unit_files_answered(struct unit *unit);
/* Of the group's directory, in the hierarchy that the property is about; 0: there is none. */
uint64_t unit_files_inode(const struct unit_pins *pins, const char *path,
			  enum unit_property property);
/* What was read into unit->files, but for what is there only because of the property undone. */
void unit_files_put_back(const struct unit *unit);
