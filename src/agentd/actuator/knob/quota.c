/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c - a quota of CPU time: its texts, and the period that it goes by. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "actuator/knob/table.h"
#include "actuator/knob/value-internal.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

#define QUOTA_PERIOD_USEC 100000u /* of the knob's number, and the kernel's default */
#define QUOTA_MIN_USEC    1000u
#define PERIOD_MIN_USEC   1000u    /* min_cfs_quota_period, kernel/sched/core.c */
#define PERIOD_MAX_USEC   1000000u /* max_cfs_quota_period */

struct quota {
	uint64_t usec;   /* of each period; UINT64_MAX: none */
	uint64_t period; /* 0: not told */
};

/* "QUOTA", or "QUOTA PERIOD" with either version's word for none. */
static int quota_parse(const char *text, struct quota *ret)
{
	size_t length = text_length(text);
	const char *blank = memchr(text, ' ', length);
	struct quota quota = { .period = 0 };
	int r = span_parse(text, blank ? (size_t)(blank - text) : length, &quota.usec);

	if (r < 0)
		return r;
	if (blank) {
		r = parse_u64_span(blank + 1, length - (size_t)(blank + 1 - text), &quota.period);
		if (r < 0)
			return r;
		if (quota.period < PERIOD_MIN_USEC || quota.period > PERIOD_MAX_USEC)
			return -EINVAL;
	}
	*ret = quota;
	return 0;
}

/* CPU time in 100 ms to CPU time in a period, or the other way round. */
static uint64_t quota_scale(uint64_t usec, uint64_t to, uint64_t from)
{
	uint64_t scaled;

	if (usec == UINT64_MAX || __builtin_mul_overflow(usec, to, &scaled))
		return UINT64_MAX;
	return divide_rounded(scaled, from);
}

int quota_format(int version, uint64_t number, const char *current, char *text, size_t size)
{
	struct quota found = { .period = 0 };
	uint64_t usec, period;

	/* What cannot be read is no reason not to write: the default period is as good. */
	if (current)
		(void)quota_parse(current, &found);
	period = found.period ? found.period : QUOTA_PERIOD_USEC;
	usec = quota_scale(number, period, QUOTA_PERIOD_USEC);
	if (usec < QUOTA_MIN_USEC)
		usec = QUOTA_MIN_USEC;
	if (version == 1)
		return usec == UINT64_MAX ? snprintf(text, size, "-1")
					  : snprintf(text, size, "%" PRIu64, usec);
	return usec == UINT64_MAX ? snprintf(text, size, "max %" PRIu64, period)
				  : snprintf(text, size, "%" PRIu64 " %" PRIu64, usec, period);
}

int quota_number(const char *text, uint64_t *ret)
{
	struct quota quota;
	int r = quota_parse(text, &quota);

	if (r < 0)
		return r;
	*ret = quota_scale(quota.usec, QUOTA_PERIOD_USEC,
			   quota.period ? quota.period : QUOTA_PERIOD_USEC);
	return 0;
}

bool quota_same(const char *a, const char *b)
{
	struct quota left, right;

	if (quota_parse(a, &left) < 0 || quota_parse(b, &right) < 0)
		return false;
	/* v2 takes a quota alone and keeps the period, and v1 has it in another file. */
	if (left.period == right.period || left.period == 0 || right.period == 0)
		return left.usec == right.usec;
	/* Systemd writes the quotas of units in a period of its own. */
	return quota_scale(left.usec, QUOTA_PERIOD_USEC, left.period) ==
	       quota_scale(right.usec, QUOTA_PERIOD_USEC, right.period);
}

int knob_read_current(int dirfd, enum knob knob, int version, char *text, size_t size)
{
	const char *file = knob_file(knob, version);
	uint64_t period;
	int length, added;

	if (!file)
		return -EOPNOTSUPP;
	length = file_read(dirfd, file, text, size);
	if (length < 0)
		return length;
	/* Without a readable period the quota is scaled to the default one. */
	if (knob != KNOB_CPU_QUOTA_USEC || version != 1 ||
	    file_read_u64(dirfd, "cpu.cfs_period_us", &period) < 0)
		return 0;
	added = snprintf(text + length, size - (size_t)length, " %" PRIu64, period);
	return added < 0 || (size_t)added >= size - (size_t)length ? -ENOSPC : 0;
}

int knob_parse_in(int dirfd, enum knob knob, int version, const char *text, uint64_t *ret)
{
	uint64_t period;
	int r = knob_parse(knob, version, text, ret);

	if (r < 0 || knob != KNOB_CPU_QUOTA_USEC || version != 1 || *ret == UINT64_MAX ||
	    file_read_u64(dirfd, "cpu.cfs_period_us", &period) < 0 || period < PERIOD_MIN_USEC ||
	    period > PERIOD_MAX_USEC)
		return r;
	*ret = quota_scale(*ret, QUOTA_PERIOD_USEC, period);
	return 0;
}

static int quota_read(int dirfd, int version, struct quota *ret)
{
	char text[64];
	int r = knob_read_current(dirfd, KNOB_CPU_QUOTA_USEC, version, text, sizeof(text));

	return r < 0 ? r : quota_parse(text, ret);
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
	int r = knob_read_current(dirfd, KNOB_CPU_QUOTA_USEC, version, text, size);

	/* On v1 the period is another file's, and no write changes both. */
	if (r < 0 || version == 1 || period_usec == 0 || quota_parse(text, &quota) < 0 ||
	    quota.usec != UINT64_MAX)
		return r;
	r = snprintf(text, size, "max %" PRIu64, period_usec);
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
