/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan.h - the bytes of a journal to its live records: the last one of each id that was
 * not released. Each record stands for itself, so what follows a damaged one still counts.
 */
#pragma once

#include "actuator/journal/journal.h"
#include "hashmap.h"

struct journal_entry {
	const char *data; /* of the last record of its id; NULL once released */
	uint32_t size;
};

struct journal_scan {
	struct hashmap by_id; /* to entries, plus one */
	struct journal_entry *entries;
	size_t count, capacity;
	size_t end; /* of the last good record */
	uint64_t last_id;
	struct journal_found found;
};

/* scan is zeroed before; the entries point into data. 0 or -ENOMEM. */
int journal_scan(struct journal_scan *scan, const char *data, size_t size);
void journal_scan_done(struct journal_scan *scan);
