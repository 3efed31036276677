/* SPDX-License-Identifier: Apache-2.0 */
/* quota.c - a quota of CPU time: its texts and numbers. The same on both versions but for the word
 * for none, since the two files of v1 are read and written as one (quota-file.c). */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/knob/table.h"
#include "actuator/knob/value-internal.h"
#include "macro.h"
#include "parse.h"

#define PERIOD_MIN_USEC 1000u    /* min_cfs_quota_period, kernel/sched/core.c */
#define PERIOD_MAX_USEC 1000000u /* max_cfs_quota_period */

int quota_parse(const char *text, struct quota *ret)
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

uint64_t quota_scale(uint64_t usec, uint64_t to, uint64_t from)
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
	/* On v1 the kernel does without a period, and there may be none to write. */
	if (version == 1 && found.period == 0)
		return usec == UINT64_MAX ? snprintf(text, size, "-1")
					  : snprintf(text, size, "%" PRIu64, usec);
	if (usec == UINT64_MAX)
		return snprintf(text, size, "%s %" PRIu64, version == 1 ? "-1" : "max", period);
	return snprintf(text, size, "%" PRIu64 " %" PRIu64, usec, period);
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
	/* The kernel takes a quota alone and keeps the period. */
	if (left.period == right.period || left.period == 0 || right.period == 0)
		return left.usec == right.usec;
	/* Systemd writes the quotas of units in a period of its own. */
	return quota_scale(left.usec, QUOTA_PERIOD_USEC, left.period) ==
	       quota_scale(right.usec, QUOTA_PERIOD_USEC, right.period);
}
