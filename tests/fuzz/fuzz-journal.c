/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-journal.c - a journal of any bytes: opened, replayed, and opened again as what is left. */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "actuator/journal/journal.h"
#include "cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *data, struct journal *journal, const struct journal_record *record,
		  const struct journal_slot *slot)
{
	unsigned int *records = data;

	(void)journal;
	(*records)++;
	if (slot->id != record->id || !record->path || !record->owner)
		abort();
}

static unsigned int journal_count(int dirfd)
{
	struct journal *journal = NULL;
	unsigned int records = 0;

	if (journal_open(dirfd, NULL, count, &records, &journal) < 0)
		abort();
	journal_free(journal);
	return records;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[] = "/tmp/berth-fuzz.XXXXXX";
	cleanup_close int dirfd =
		mkdtemp(name) ? open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;
	cleanup_close int fd =
		dirfd < 0 ? -EBADF
			  : openat(dirfd, JOURNAL_NAME, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	/* What was found once is found again: damage loses nothing twice. */
	if (journal_count(dirfd) != journal_count(dirfd))
		abort();
	(void)unlinkat(dirfd, JOURNAL_NAME, 0);
	(void)unlinkat(dirfd, JOURNAL_NAME_BAD, 0);
	(void)rmdir(name);
	return 0;
}
