/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of knob-table.h: values to the kernel's texts and back. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "actuator/knob-table.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

#define QUOTA_PERIOD_USEC 100000u /* of the knob's number, and the kernel's default */
#define QUOTA_MIN_USEC    1000u
#define PERIOD_MIN_USEC   1000u    /* min_cfs_quota_period, kernel/sched/core.c */
#define PERIOD_MAX_USEC   1000000u /* max_cfs_quota_period */
#define SHARES_MIN        2u       /* MIN_SHARES and MAX_SHARES, kernel/sched/sched.h */
#define SHARES_MAX        (1u << 18)
#define WEIGHT_MIN        1u
#define WEIGHT_MAX        10000u
#define WEIGHT_DEFAULT    100u
#define SHARES_DEFAULT    1024u

struct quota {
	uint64_t usec;   /* of each period; UINT64_MAX: none */
	uint64_t period; /* 0: not told */
};

static size_t text_length(const char *text)
{
	return strcspn(text, "\n");
}

static uint64_t divide_rounded(uint64_t dividend, uint64_t divisor)
{
	return dividend / divisor + (dividend % divisor >= (divisor + 1) / 2 ? 1 : 0);
}

static uint64_t clamp(uint64_t value, uint64_t low, uint64_t high)
{
	return MAX(low, MIN(value, high));
}

static uint64_t shares_of_weight(uint64_t weight)
{
	return clamp(divide_rounded(MIN(weight, WEIGHT_MAX) * SHARES_DEFAULT, WEIGHT_DEFAULT),
		     SHARES_MIN, SHARES_MAX);
}

static uint64_t weight_of_shares(uint64_t shares)
{
	return clamp(divide_rounded(MIN(shares, SHARES_MAX) * WEIGHT_DEFAULT, SHARES_DEFAULT),
		     WEIGHT_MIN, WEIGHT_MAX);
}

/* "max" or a number; v1 writes a missing quota as -1 and takes any negative number for it. */
static int span_parse(const char *text, size_t length, uint64_t *ret)
{
	char number[32];
	int64_t negative;
	int r;

	if (length >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, length);
	number[length] = '\0';
	if (strcmp(number, "max") == 0) {
		*ret = UINT64_MAX;
		return 0;
	}
	if (number[0] != '-')
		return parse_u64(number, ret);
	r = parse_s64(number, &negative);
	if (r < 0)
		return r;
	*ret = UINT64_MAX;
	return 0;
}

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

static int quota_format(int version, uint64_t number, const char *current, char *text, size_t size)
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

static bool is_memory(enum knob knob)
{
	return knob == KNOB_MEMORY_MIN_BYTES || knob == KNOB_MEMORY_LOW_BYTES;
}

int knob_format(enum knob knob, int version, uint64_t number, const char *current, char *text,
		size_t size)
{
	int length;

	if ((unsigned int)knob >= KNOB_MAX)
		return -EINVAL;
	if (knob == KNOB_CPU_QUOTA_USEC)
		length = quota_format(version, number, current, text, size);
	else if (knob == KNOB_CPU_WEIGHT && version == 1)
		length = snprintf(text, size, "%" PRIu64, shares_of_weight(number));
	else if (is_memory(knob) && number == UINT64_MAX)
		length = snprintf(text, size, "max");
	else if (knob_table[knob].type == KNOB_TYPE_S64)
		length = snprintf(text, size, "%" PRId64, (int64_t)number);
	else
		length = snprintf(text, size, "%" PRIu64, number);
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

static int number_parse(enum knob knob, const char *text, uint64_t *ret)
{
	size_t length = text_length(text);
	char number[32];
	int64_t value;
	int r;

	if (knob_table[knob].type == KNOB_TYPE_U64) {
		if (text[0] == '-' || (!is_memory(knob) && text[0] == 'm'))
			return -EINVAL;
		return span_parse(text, length, ret);
	}
	if (length >= sizeof(number))
		return -EINVAL;
	memcpy(number, text, length);
	number[length] = '\0';
	r = parse_s64(number, &value);
	if (r == 0)
		*ret = (uint64_t)value;
	return r;
}

int knob_parse(enum knob knob, int version, const char *text, uint64_t *ret)
{
	struct quota quota = { .period = 0 };
	uint64_t number = 0;
	int r;

	if ((unsigned int)knob >= KNOB_MAX)
		return -EINVAL;
	if (knob == KNOB_CPU_QUOTA_USEC) {
		r = quota_parse(text, &quota);
		number = r < 0 ? 0
			       : quota_scale(quota.usec, QUOTA_PERIOD_USEC,
					     quota.period ? quota.period : QUOTA_PERIOD_USEC);
	} else {
		r = number_parse(knob, text, &number);
		if (r == 0 && knob == KNOB_CPU_WEIGHT && version == 1)
			number = weight_of_shares(number);
	}
	if (r < 0)
		return -EINVAL;
	*ret = number;
	return 0;
}

static bool quota_same(const char *a, const char *b)
{
	struct quota left, right;

	if (quota_parse(a, &left) < 0 || quota_parse(b, &right) < 0 || left.usec != right.usec)
		return false;
	/* v2 takes a quota alone and keeps the period, and v1 has it in another file. */
	return left.period == right.period || left.period == 0 || right.period == 0;
}

/* page_counter_memparse(): whole pages, rounded down; what is over PAGE_COUNTER_MAX is "max". */
static uint64_t pages_of_bytes(uint64_t bytes)
{
	static const uint64_t page_bytes_fallback = 4096;
	long size = sysconf(_SC_PAGESIZE);
	uint64_t page_bytes = size > 0 ? (uint64_t)size : page_bytes_fallback;

	return MIN(bytes / page_bytes, (uint64_t)INT64_MAX / page_bytes);
}

static bool number_same(enum knob knob, int version, uint64_t a, uint64_t b)
{
	if (is_memory(knob))
		return pages_of_bytes(a) == pages_of_bytes(b);
	if (knob == KNOB_CPU_WEIGHT && version == 1)
		return clamp(a, SHARES_MIN, SHARES_MAX) == clamp(b, SHARES_MIN, SHARES_MAX);
	return a == b;
}

bool knob_same(enum knob knob, int version, const char *a, const char *b)
{
	size_t length_a = text_length(a), length_b = text_length(b);
	uint64_t left, right;

	if ((unsigned int)knob >= KNOB_MAX)
		return false;
	if (length_a == length_b && memcmp(a, b, length_a) == 0)
		return true;
	if (knob == KNOB_CPU_QUOTA_USEC)
		return quota_same(a, b);
	return number_parse(knob, a, &left) == 0 && number_parse(knob, b, &right) == 0 &&
	       number_same(knob, version, left, right);
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
