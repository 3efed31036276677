/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/journal/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "macro.h"

static int journal_scan_note(struct journal_scan *scan, const struct journal_record *record,
			     const char *data, uint32_t size)
{
	uintptr_t index = (uintptr_t)hashmap_get_u64(&scan->by_id, record->id);

	scan->last_id = MAX(scan->last_id, record->id);
	if (index == 0) {
		if (record->released)
			return 0;
		if (scan->count == scan->capacity) {
			size_t capacity = scan->capacity ? scan->capacity * 2 : 64;
			void *grown = reallocarray(scan->entries, capacity, sizeof(*scan->entries));

			if (!grown)
				return -ENOMEM;
			scan->entries = grown;
			scan->capacity = capacity;
		}
		index = scan->count + 1;
		int r = hashmap_put_u64(&scan->by_id, record->id, (void *)index);

		if (r < 0)
			return r;
		scan->count++;
	}
	scan->entries[index - 1] = (struct journal_entry){
		.data = record->released ? NULL : data,
		.size = size,
	};
	if (record->released)
		(void)hashmap_remove_u64(&scan->by_id, record->id);
	return 0;
}

/* What follows a damaged record is still worth having: each record stands for itself. */
int journal_scan(struct journal_scan *scan, const char *data, size_t size)
{
	size_t offset = 0;

	while (offset < size) {
		struct journal_record record;
		int r = journal_decode(data + offset, size - offset, &record);

		if (r == -EAGAIN && !scan->found.torn) {
			scan->found.torn = true;
			scan->end = offset;
		}
		if (r < 0) {
			const char *next = memchr(data + offset + 1, 'B', size - offset - 1);

			/* The body of a torn record is no record either. */
			if (r == -EBADMSG && !scan->found.torn)
				scan->found.bad = true;
			if (!next)
				break;
			offset = (size_t)(next - data);
			continue;
		}
		/* A whole record behind what looked torn: damage, not a kill. */
		if (scan->found.torn)
			scan->found.bad = true;
		int noted = journal_scan_note(scan, &record, data + offset, (uint32_t)r);

		if (noted < 0)
			return noted;
		offset += (size_t)r;
		if (!scan->found.torn && !scan->found.bad)
			scan->end = offset;
	}
	return 0;
}

void journal_scan_done(struct journal_scan *scan)
{
	hashmap_done(&scan->by_id);
	free(scan->entries);
}
