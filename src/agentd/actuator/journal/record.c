/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - one record, to bytes and back. */
#include "actuator/journal/record.h"

#include <errno.h>
#include <string.h>

#include "hashmap.h"
#include "macro.h"

#define JOURNAL_MAGIC 0x314a4b42u /* "BKJ1" */

/* Host byte order: the journal never leaves the machine nor the boot. */
struct journal_header {
	uint32_t magic;
	uint32_t length;   /* of the whole record */
	uint64_t checksum; /* of all that follows */
};

struct journal_fixed {
	uint64_t id, inode, number;
	uint32_t knob, version, flags, released;
	uint32_t lengths[JOURNAL_STRINGS]; /* with NUL */
	uint32_t device;                   /* was unused, and 0 */
};

void journal_encode(struct strbuf *buffer, const struct journal_record *record)
{
	const char *strings[JOURNAL_STRINGS] = { record->path, record->original, record->previous,
						 record->next, record->owner };
	struct journal_fixed fixed = {
		.id = record->id,
		.inode = record->inode,
		.number = record->number,
		.knob = record->knob,
		.version = record->version,
		.flags = record->flags,
		.released = record->released,
		.device = record->device,
	};
	struct journal_header header = { .magic = JOURNAL_MAGIC };
	size_t start = buffer->length;

	strbuf_add_bytes(buffer, (const char *)&header, sizeof(header));
	for (size_t i = 0; i < JOURNAL_STRINGS; i++)
		fixed.lengths[i] = (uint32_t)strlen(strings[i] ? strings[i] : "") + 1;
	strbuf_add_bytes(buffer, (const char *)&fixed, sizeof(fixed));
	for (size_t i = 0; i < JOURNAL_STRINGS; i++)
		strbuf_add_bytes(buffer, strings[i] ? strings[i] : "", fixed.lengths[i]);
	if (strbuf_error(buffer) < 0)
		return;
	header.length = (uint32_t)(buffer->length - start);
	header.checksum =
		hash_bytes(buffer->text + start + sizeof(header), header.length - sizeof(header));
	memcpy(buffer->text + start, &header, sizeof(header));
}

int journal_decode(const void *data, size_t size, struct journal_record *ret)
{
	const char *bytes = data;
	const char *strings[JOURNAL_STRINGS];
	struct journal_header header;
	struct journal_fixed fixed;
	size_t offset = sizeof(header) + sizeof(fixed);

	/* A torn record starts with the magic too, as far as it goes. */
	header.magic = JOURNAL_MAGIC;
	if (memcmp(bytes, &header.magic, MIN(size, sizeof(header.magic))) != 0)
		return -EBADMSG;
	if (size < sizeof(header))
		return -EAGAIN;
	memcpy(&header, bytes, sizeof(header));
	if (header.length < offset + JOURNAL_STRINGS || header.length > JOURNAL_RECORD_MAX)
		return -EBADMSG;
	if (size < header.length)
		return -EAGAIN;
	if (hash_bytes(bytes + sizeof(header), header.length - sizeof(header)) != header.checksum)
		return -EBADMSG;
	memcpy(&fixed, bytes + sizeof(header), sizeof(fixed));
	for (size_t i = 0; i < JOURNAL_STRINGS; i++) {
		if (fixed.lengths[i] == 0 || fixed.lengths[i] > header.length - offset)
			return -EBADMSG;
		strings[i] = bytes + offset;
		if (memchr(strings[i], '\0', fixed.lengths[i]) != strings[i] + fixed.lengths[i] - 1)
			return -EBADMSG;
		offset += fixed.lengths[i];
	}
	if (offset != header.length || fixed.id == 0)
		return -EBADMSG;
	*ret = (struct journal_record){
		.id = fixed.id,
		.inode = fixed.inode,
		.number = fixed.number,
		.knob = fixed.knob,
		.version = fixed.version,
		.flags = fixed.flags,
		.device = fixed.device,
		.released = fixed.released != 0,
		.path = strings[0],
		.original = strings[1],
		.previous = strings[2],
		.next = strings[3],
		.owner = strings[4],
	};
	return (int)header.length;
}
