/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/journal/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "actuator/journal/record.h"
#include "actuator/journal/scan.h"
#include "cleanup.h"
#include "hashmap.h"
#include "limit.h"
#include "macro.h"

#define JOURNAL_COMPACT_MIN (64u * 1024)

struct journal {
	int runtime_fd; /* borrowed */
	int fd;
	int new_fd; /* while compacting */
	uint64_t size, live, new_size;
	uint64_t live_count;
	uint64_t next_id;
	struct strbuf kept; /* records that each compaction carries over */
};

DEFINE_CLEANUP(struct journal *, journal_free);

/* All of the bytes or none: a record that is cut short would hide those after it. */
static int journal_write(int fd, const char *data, size_t size, uint64_t offset)
{
	size_t done = 0;

	while (done < size) {
		ssize_t n = pwrite(fd, data + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			int r = n < 0 ? -errno : -ENOSPC;

			(void)!ftruncate(fd, (off_t)offset);
			return r;
		}
		done += (size_t)n;
	}
	return 0;
}

static int journal_create(int runtime_fd, const char *name, int flags)
{
	int fd = openat(runtime_fd, name,
			O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | flags, 0600);
	struct stat st;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		(void)close(fd);
		return -EIO;
	}
	return fd;
}

static int journal_load(int fd, char **ret_data, size_t *ret_size)
{
	cleanup_free char *data = NULL;
	struct stat st;
	size_t size = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > LIMIT_JOURNAL_BYTES)
		return -EFBIG;
	data = malloc((size_t)st.st_size + 1);
	if (!data)
		return -ENOMEM;
	while (size < (size_t)st.st_size) {
		ssize_t n = pread(fd, data + size, (size_t)st.st_size - size, (off_t)size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	*ret_data = TAKE_PTR(data);
	*ret_size = size;
	return 0;
}

/* The damaged file is kept for a person to look at; a new one takes over what could be read. */
static int journal_set_aside(struct journal *journal, const struct journal_scan *scan)
{
	cleanup_close int fd = -EBADF;
	uint64_t size = 0;

	fd = journal_create(journal->runtime_fd, JOURNAL_NAME_NEW, O_TRUNC);
	if (fd < 0)
		return fd;
	for (size_t i = 0; i < scan->count; i++) {
		const struct journal_entry *entry = &scan->entries[i];

		if (!entry->data)
			continue;
		int r = journal_write(fd, entry->data, entry->size, size);

		if (r < 0)
			return r;
		size += entry->size;
	}
	(void)unlinkat(journal->runtime_fd, JOURNAL_NAME_BAD, 0);
	if (linkat(journal->runtime_fd, JOURNAL_NAME, journal->runtime_fd, JOURNAL_NAME_BAD, 0) < 0)
		return -errno;
	if (renameat(journal->runtime_fd, JOURNAL_NAME_NEW, journal->runtime_fd, JOURNAL_NAME) < 0)
		return -errno;
	(void)close(journal->fd);
	journal->fd = TAKE_FD(fd);
	journal->size = size;
	return 0;
}

static int journal_take_over(struct journal *journal, struct journal_scan *scan, size_t file_size)
{
	if (scan->found.bad) {
		int r = journal_set_aside(journal, scan);

		scan->found.aside = r == 0;
		/* The file system is full: each record stands for itself, whatever is between. */
		if (r != -ENOSPC || file_size == 0)
			return r;
		(void)unlinkat(journal->runtime_fd, JOURNAL_NAME_NEW, 0);
	}
	journal->size = file_size;
	if (scan->found.torn && !scan->found.bad) {
		if (ftruncate(journal->fd, (off_t)scan->end) < 0)
			return -errno;
		journal->size = scan->end;
	}
	return 0;
}

static void journal_hand_out(struct journal *journal, const struct journal_scan *scan,
			     void (*fn)(void *data, struct journal *journal,
					const struct journal_record *record,
					const struct journal_slot *slot),
			     void *data)
{
	for (size_t i = 0; fn && i < scan->count; i++) {
		const struct journal_entry *entry = &scan->entries[i];
		struct journal_slot slot = { .size = entry->size };
		struct journal_record record;

		if (!entry->data || journal_decode(entry->data, entry->size, &record) < 0)
			continue;
		slot.id = record.id;
		fn(data, journal, &record, &slot);
	}
}

static int journal_read(struct journal *journal, struct journal_found *ret_found,
			void (*fn)(void *data, struct journal *journal,
				   const struct journal_record *record,
				   const struct journal_slot *slot),
			void *data)
{
	CLEANUP(journal_scan_done) struct journal_scan scan = { 0 };
	cleanup_free char *bytes = NULL;
	size_t size = 0;
	int r = journal_load(journal->fd, &bytes, &size);

	if (r == -EFBIG)
		scan.found.bad = true;
	else if (r < 0)
		return r;
	r = bytes ? journal_scan(&scan, bytes, size) : 0;
	if (r == 0)
		r = journal_take_over(journal, &scan, size);
	if (r < 0)
		return r;
	journal->next_id = scan.last_id + 1;
	for (size_t i = 0; i < scan.count; i++) {
		if (!scan.entries[i].data)
			continue;
		journal->live += scan.entries[i].size;
		journal->live_count++;
	}
	if (ret_found)
		*ret_found = scan.found;
	journal_hand_out(journal, &scan, fn, data);
	return 0;
}

int journal_open(int runtime_fd, struct journal_found *ret_found,
		 void (*fn)(void *data, struct journal *journal,
			    const struct journal_record *record, const struct journal_slot *slot),
		 void *data, struct journal **ret)
{
	CLEANUP(journal_freep) struct journal *journal = calloc(1, sizeof(*journal));
	int r;

	if (!journal)
		return -ENOMEM;
	journal->runtime_fd = runtime_fd;
	journal->new_fd = -EBADF;
	journal->fd = journal_create(runtime_fd, JOURNAL_NAME, 0);
	if (journal->fd < 0)
		return journal->fd;
	(void)unlinkat(runtime_fd, JOURNAL_NAME_NEW, 0);
	r = journal_read(journal, ret_found, fn, data);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(journal);
	return 0;
}

struct journal *journal_free(struct journal *journal)
{
	if (!journal)
		return NULL;
	journal->fd = close_keep_errno(journal->fd);
	journal->new_fd = close_keep_errno(journal->new_fd);
	strbuf_done(&journal->kept);
	free(journal);
	return NULL;
}

static uint64_t journal_hash(const struct strbuf *buffer)
{
	return hash_bytes(buffer->text, buffer->length);
}

int journal_append(struct journal *journal, const struct journal_record *record,
		   struct journal_slot *slot)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record full = *record;

	full.id = slot->id ? slot->id : journal->next_id;
	journal_encode(&buffer, &full);
	if (strbuf_error(&buffer) < 0)
		return strbuf_error(&buffer);
	if (buffer.length > JOURNAL_RECORD_MAX)
		return -E2BIG;
	if (slot->id && slot->hash == journal_hash(&buffer))
		return 0;
	if (journal->size + buffer.length > LIMIT_JOURNAL_BYTES)
		return -ENOSPC;
	failpoint("journal-append");

	int r = journal_write(journal->fd, buffer.text, buffer.length, journal->size);

	if (r < 0)
		return r;
	journal->size += buffer.length;
	journal->live -= MIN(journal->live, slot->size);
	journal->live += buffer.length;
	if (!slot->id) {
		journal->next_id++;
		journal->live_count++;
	}
	slot->id = full.id;
	slot->size = (uint32_t)buffer.length;
	slot->hash = journal_hash(&buffer);
	failpoint("journal-appended");
	return 0;
}

int journal_release(struct journal *journal, struct journal_slot *slot)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record record = { .id = slot->id, .released = true };

	if (!slot->id)
		return 0;
	journal->live -= MIN(journal->live, slot->size);
	journal->live_count--;
	*slot = (struct journal_slot){ 0 };
	failpoint("journal-release");
	/* Nothing live is left: an empty file says the same, and always fits. */
	if (journal->live_count == 0 && ftruncate(journal->fd, 0) == 0) {
		journal->size = 0;
		failpoint("journal-released");
		return 0;
	}
	journal_encode(&buffer, &record);

	int r = strbuf_error(&buffer);

	/* One that is larger is not read again. */
	if (r == 0 && journal->size + buffer.length > LIMIT_JOURNAL_BYTES)
		r = -ENOSPC;
	if (r == 0)
		r = journal_write(journal->fd, buffer.text, buffer.length, journal->size);
	if (r < 0)
		return r;
	journal->size += buffer.length;
	failpoint("journal-released");
	return 0;
}

int journal_keep(struct journal *journal, const struct journal_record *record)
{
	journal_encode(&journal->kept, record);
	return strbuf_error(&journal->kept);
}

bool journal_wants_compaction(const struct journal *journal)
{
	return journal->size > JOURNAL_COMPACT_MIN && journal->live < journal->size / 2;
}

int journal_compact_begin(struct journal *journal)
{
	int fd = journal_create(journal->runtime_fd, JOURNAL_NAME_NEW, O_TRUNC);

	if (fd < 0)
		return fd;
	journal->new_fd = close_keep_errno(journal->new_fd);
	journal->new_fd = fd;
	journal->new_size = 0;
	failpoint("journal-compact");
	return 0;
}

static int journal_compact_write(struct journal *journal, const struct strbuf *buffer)
{
	int r = strbuf_error(buffer);

	if (r == 0 && journal->new_size + buffer->length > LIMIT_JOURNAL_BYTES)
		r = -ENOSPC;
	if (r == 0)
		r = journal_write(journal->new_fd, strbuf_text(buffer), buffer->length,
				  journal->new_size);
	if (r == 0)
		journal->new_size += buffer->length;
	return r;
}

int journal_compact_add(struct journal *journal, const struct journal_record *record,
			struct journal_slot *slot)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	struct journal_record full = *record;

	full.id = slot->id;
	journal_encode(&buffer, &full);

	int r = buffer.length > JOURNAL_RECORD_MAX ? -E2BIG
						   : journal_compact_write(journal, &buffer);

	if (r < 0)
		return r;
	slot->size = (uint32_t)buffer.length;
	/* The compaction may yet fail, and then the old file does not have this record. */
	slot->hash = 0;
	failpoint("journal-compact-add");
	return 0;
}

int journal_compact_end(struct journal *journal)
{
	int r = journal_compact_write(journal, &journal->kept);

	if (r < 0)
		return r;
	if (renameat(journal->runtime_fd, JOURNAL_NAME_NEW, journal->runtime_fd, JOURNAL_NAME) < 0)
		return -errno;
	journal->fd = close_keep_errno(journal->fd);
	journal->fd = TAKE_FD(journal->new_fd);
	journal->size = journal->live = journal->new_size;
	failpoint("journal-compacted");
	return 0;
}

void journal_compact_abort(struct journal *journal)
{
	journal->new_fd = close_keep_errno(journal->new_fd);
	(void)unlinkat(journal->runtime_fd, JOURNAL_NAME_NEW, 0);
}

uint64_t journal_bytes(const struct journal *journal)
{
	return journal->size;
}
