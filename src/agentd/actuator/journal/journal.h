/* SPDX-License-Identifier: Apache-2.0 */
/*
 * journal.h - what was changed on the host and how to put it back: /run/berth/knobs.journal, an
 * append-only file of binary records, each complete enough to restore one knob without any daemon.
 * It lives on a tmpfs and so exactly as long as cgroups and sysctls do. A record is in the file
 * before its knob is written; a torn last record (killed while appending) is cut off, because its
 * knob was not written yet.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JOURNAL_NAME       "knobs.journal"
#define JOURNAL_NAME_NEW   "knobs.journal.new"
#define JOURNAL_NAME_BAD   "knobs.journal.bad"
#define JOURNAL_RECORD_MAX (4u << 20) /* LIMIT_PIDS originals of one group fit */

enum journal_flags {
	JOURNAL_LOCKED = 1u << 0,   /* the kernel may have reset it: the weight under cpu.idle */
	JOURNAL_INTERNAL = 1u << 1, /* an ancestor raised to a sum; nobody claimed it */
};

/* Records of run-time properties of units (unit/pin.h) have this and the property for a knob. What
 * knows no such record leaves it alone, as it does any knob beyond KNOB_MAX. */
#define JOURNAL_UNIT 0x100u

/* Strings are borrowed, never NULL after a decode; "" is none. */
struct journal_record {
	uint64_t id;    /* of the holding; a later record of the same id replaces the earlier */
	uint64_t inode; /* of the group in the knob's hierarchy; 0 for a host knob */
	uint64_t number;
	uint32_t knob, version, flags;
	uint32_t device; /* of a KNOB_DEVICE; 0 also in records of versions without */
	bool released;   /* nothing but id counts */
	const char *path, *original, *previous, *next, *owner;
};

/* What the owner of a record remembers of it. */
struct journal_slot {
	uint64_t id;   /* 0: no record in the journal */
	uint64_t hash; /* of the last record, so that the same one is not appended twice */
	uint32_t size;
};

/* The record at the start of data, its strings pointing into it. Bytes taken; -EAGAIN: the data
 * ends within a record; -EBADMSG: this is no record. */
int journal_decode(const void *data, size_t size, struct journal_record *ret);

struct journal;

/* What was found when the journal was opened. */
struct journal_found {
	bool torn;  /* the last record was incomplete */
	bool bad;   /* something else than records was in it; what could be read was */
	bool aside; /* the bad one is kept as JOURNAL_NAME_BAD; else there was no room for that */
};

/* Open or create. Calls fn for each live record, the last of each id, oldest id first; fn may be
 * NULL, and may append and release. A bad one is set aside as knobs.journal.bad, if there is room.
 * 0 or -errno. */
int journal_open(int runtime_fd, struct journal_found *ret_found,
		 void (*fn)(void *data, struct journal *journal,
			    const struct journal_record *record, const struct journal_slot *slot),
		 void *data, struct journal **ret);
struct journal *journal_free(struct journal *journal);

/* Assigns slot->id if it is 0 (record->id is ignored). 0, also when the same record is the last
 * one of this slot; -ENOSPC: LIMIT_JOURNAL_BYTES or the file system is full; -errno. On failure the
 * file and the slot are as before. */
int journal_append(struct journal *journal, const struct journal_record *record,
		   struct journal_slot *slot);
/* Empties the slot, also on failure (-ENOSPC as above): an entry that could not be released is
 * replayed after a crash and then finds its original in place. */
int journal_release(struct journal *journal, struct journal_slot *slot);

/* A record that was handed out and that nobody has: each compaction carries it over as it is. 0 or
 * -ENOMEM: there is to be no compaction then. */
int journal_keep(struct journal *journal, const struct journal_record *record);

/* More than half of a file over 64 kB is garbage. */
bool journal_wants_compaction(const struct journal *journal);
/* A new file beside the old one; add every live record, then end (renames) or abort. Add and end
 * fail as journal_append() does. */
int journal_compact_begin(struct journal *journal);
int journal_compact_add(struct journal *journal, const struct journal_record *record,
			struct journal_slot *slot);
int journal_compact_end(struct journal *journal);
void journal_compact_abort(struct journal *journal);

uint64_t journal_bytes(const struct journal *journal);
