/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota-file.c - the quota of a group, and the period that it goes by. v1 has them in two files,
 * cpu.cfs_quota_us and cpu.cfs_period_us, which are read as one text here and written one after the
 * other: "QUOTA PERIOD", as cpu.max of v2 has it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/knob/table.h"
#include "actuator/knob/text-file.h"
#include "actuator/knob/value-internal.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"

#define PERIOD_FILE "cpu.cfs_period_us" /* of v1 */

bool quota_in_two_files(enum knob knob, int version)
{
	return knob == KNOB_CPU_QUOTA_USEC && version == 1;
}

int quota_add_period(int dirfd, char *text, size_t size)
{
	size_t length = strlen(text);
	uint64_t period;
	int added;

	/* Without a readable period the quota is scaled to the default one. */
	if (file_read_u64(dirfd, PERIOD_FILE, &period) < 0)
		return 0;
	added = snprintf(text + length, size - length, " %" PRIu64, period);
	return added < 0 || (size_t)added >= size - length ? -ENOSPC : 0;
}

static int number_write(int dirfd, const char *name, uint64_t number)
{
	cleanup_close int fd =
		openat(dirfd, name, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK);
	char text[24] = "-1";

	if (fd < 0)
		return -errno;
	if (number != UINT64_MAX)
		(void)snprintf(text, sizeof(text), "%" PRIu64, number);
	return text_file_write(fd, text);
}

int quota_files_write(int dirfd, const char *text)
{
	const char *quota_file = knob_file(KNOB_CPU_QUOTA_USEC, 1);
	struct quota quota;
	uint64_t period;
	int r = quota_parse(text, &quota);

	if (r < 0)
		return r;
	/* The original of a journal from before the period was in it. */
	if (quota.period == 0)
		return number_write(dirfd, quota_file, quota.usec);
	r = file_read_u64(dirfd, PERIOD_FILE, &period);
	if (r < 0)
		return r;
	if (quota.period <= period) {
		r = number_write(dirfd, quota_file, quota.usec);
		return r < 0 || quota.period == period
			       ? r
			       : number_write(dirfd, PERIOD_FILE, quota.period);
	}
	/* In either order what is between them is less than both, or no quota. */
	r = number_write(dirfd, PERIOD_FILE, quota.period);
	if (r < 0)
		return r;
	r = number_write(dirfd, quota_file, quota.usec);
	/* One that is refused leaves nothing behind. */
	if (r < 0)
		(void)number_write(dirfd, PERIOD_FILE, period);
	return r;
}

bool quota_is_part(const char *current, const char *original, const char *written)
{
	struct quota found, before, ours;

	return quota_parse(current, &found) == 0 && quota_parse(original, &before) == 0 &&
	       quota_parse(written, &ours) == 0 && found.usec == before.usec && before.period > 0 &&
	       found.period != before.period && found.period == ours.period;
}

int quota_text_read(int dirfd, int version, char *text, size_t size)
{
	int r = file_read(dirfd, knob_file(KNOB_CPU_QUOTA_USEC, version), text, size);

	if (r < 0)
		return r;
	return version == 1 ? quota_add_period(dirfd, text, size) : 0;
}

static int quota_read(int dirfd, int version, struct quota *ret)
{
	char text[64];
	int r = quota_text_read(dirfd, version, text, sizeof(text));

	return r < 0 ? r : quota_parse(text, ret);
}

int knob_parse_in(int dirfd, enum knob knob, int version, const char *text, uint64_t *ret)
{
	struct quota quota, found;
	int r = knob_parse(knob, version, text, ret);

	if (r < 0 || !quota_in_two_files(knob, version) || *ret == UINT64_MAX ||
	    quota_parse(text, &quota) < 0 || quota.period > 0 ||
	    quota_read(dirfd, version, &found) < 0 || found.period == 0)
		return r;
	*ret = quota_scale(*ret, QUOTA_PERIOD_USEC, found.period);
	return 0;
}

int knob_burst_most(int dirfd, int version, uint64_t *ret)
{
	struct quota quota = { .period = 0 };
	int r = quota_read(dirfd, version, &quota);

	if (r == 0)
		*ret = quota.usec;
	return r;
}

int knob_quota_base(int dirfd, int version, uint64_t period_usec, char *text, size_t size)
{
	struct quota quota;
	int r = quota_text_read(dirfd, version, text, size);

	if (r < 0 || period_usec == 0 || quota_parse(text, &quota) < 0 || quota.usec != UINT64_MAX)
		return r;
	/* There is no file to write it to. */
	if (version == 1 && quota.period == 0)
		return 0;
	r = snprintf(text, size, "%s %" PRIu64, version == 1 ? "-1" : "max", period_usec);
	return r < 0 || (size_t)r >= size ? -ENOSPC : 0;
}

uint64_t knob_quota_in(int dirfd, int version, uint64_t number)
{
	struct quota quota = { .period = 0 };

	(void)quota_read(dirfd, version, &quota);
	return MAX(quota_scale(number, quota.period ? quota.period : QUOTA_PERIOD_USEC,
			       QUOTA_PERIOD_USEC),
		   (uint64_t)QUOTA_MIN_USEC);
}
