/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of knob/table.h: values to the kernel's texts and back. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "actuator/knob/bwm.h"
#include "actuator/knob/line.h"
#include "actuator/knob/net.h"
#include "actuator/knob/table.h"
#include "actuator/knob/value-internal.h"
#include "cpulist.h"
#include "hashmap.h"
#include "macro.h"
#include "parse.h"

#define SHARES_MIN     2u /* MIN_SHARES and MAX_SHARES, kernel/sched/sched.h */
#define SHARES_MAX     (1u << 18)
#define WEIGHT_MIN     1u
#define WEIGHT_MAX     10000u
#define WEIGHT_DEFAULT 100u
#define SHARES_DEFAULT 1024u

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
int span_parse(const char *text, size_t length, uint64_t *ret)
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

static bool is_memory(enum knob knob)
{
	return knob == KNOB_MEMORY_MIN_BYTES || knob == KNOB_MEMORY_LOW_BYTES ||
	       knob == KNOB_MEMORY_HIGH_BYTES;
}

/* What a device's line may leave open. */
static bool is_limit(enum knob knob)
{
	return knob >= KNOB_IO_READ_BPS && knob <= KNOB_IO_LATENCY_USEC;
}

/* Either version's word for none. block/blk-throttle.c keeps IOPS in 32 bits, and takes the largest
 * for none; a target of 0 is none, too. */
static uint64_t limit_of(enum knob knob, int version, uint64_t number)
{
	bool iops = knob == KNOB_IO_READ_IOPS || knob == KNOB_IO_WRITE_IOPS;

	if ((iops && number >= UINT32_MAX) ||
	    (number == 0 && (version == 1 || knob == KNOB_IO_LATENCY_USEC)))
		return UINT64_MAX;
	return number;
}

static int limit_format(enum knob knob, int version, uint64_t number, char *text, size_t size)
{
	number = limit_of(knob, version, number);
	if (number == UINT64_MAX)
		return snprintf(text, size, "%s", version == 1 ? "0" : "max");
	return snprintf(text, size, "%" PRIu64, number);
}

/* Since 6.5 the kernel prints promote-to-rt for what none-to-rt sets, and takes both. */
static const char *const prio_classes[] = { "no-change", "none-to-rt", "restrict-to-be", "idle",
					    "promote-to-rt" };

static int prio_class_parse(const char *text, uint64_t *ret)
{
	size_t length = text_length(text);

	for (size_t i = 0; i < ARRAY_SIZE(prio_classes); i++) {
		if (strlen(prio_classes[i]) != length || memcmp(prio_classes[i], text, length) != 0)
			continue;
		*ret = i <= IO_PRIO_IDLE ? i : IO_PRIO_TO_RT;
		return 0;
	}
	return -EINVAL;
}

int knob_format(enum knob knob, int version, uint64_t number, const char *current, char *text,
		size_t size)
{
	int length;

	if ((unsigned int)knob >= KNOB_MAX || knob_table[knob].type == KNOB_TYPE_TEXT ||
	    (knob == KNOB_IO_PRIO_CLASS && number > IO_PRIO_IDLE))
		return -EINVAL;
	if (is_limit(knob))
		length = limit_format(knob, version, number, text, size);
	else if (knob == KNOB_IO_PRIO_CLASS)
		length = snprintf(text, size, "%s", prio_classes[number]);
	else if (knob == KNOB_CPU_QUOTA_USEC)
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

	if (knob == KNOB_IO_PRIO_CLASS)
		return prio_class_parse(text, ret);
	if (knob_table[knob].type == KNOB_TYPE_TEXT) {
		*ret = hash_bytes(text, length);
		return 0;
	}
	if (knob_table[knob].type == KNOB_TYPE_U64) {
		if (text[0] == '-' || (!is_memory(knob) && !is_limit(knob) && text[0] == 'm'))
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
	uint64_t number = 0;
	int r;

	if ((unsigned int)knob >= KNOB_MAX)
		return -EINVAL;
	if (knob == KNOB_CPU_QUOTA_USEC) {
		r = quota_number(text, &number);
	} else {
		r = number_parse(knob, text, &number);
		if (r == 0 && knob == KNOB_CPU_WEIGHT && version == 1)
			number = weight_of_shares(number);
		if (r == 0 && is_limit(knob))
			number = limit_of(knob, version, number);
	}
	if (r < 0)
		return -EINVAL;
	*ret = number;
	return 0;
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
	if (is_limit(knob))
		return limit_of(knob, version, a) == limit_of(knob, version, b);
	if (is_memory(knob))
		return pages_of_bytes(a) == pages_of_bytes(b);
	if (knob == KNOB_CPU_WEIGHT && version == 1)
		return clamp(a, SHARES_MIN, SHARES_MAX) == clamp(b, SHARES_MIN, SHARES_MAX);
	return a == b;
}

static bool cpus_same(const char *a, const char *b)
{
	struct cpulist left, right;

	return cpulist_parse(a, &left) == 0 && cpulist_parse(b, &right) == 0 &&
	       cpulist_equals(&left, &right);
}

/* A sysctl of several numbers is written with blanks and read with tabs. */
static bool words_same(const char *a, const char *b)
{
	static const char blank[] = " \t\n";

	for (;;) {
		size_t left, right;

		a += strspn(a, blank);
		b += strspn(b, blank);
		left = strcspn(a, blank);
		right = strcspn(b, blank);
		if (left != right || memcmp(a, b, left) != 0)
			return false;
		if (left == 0)
			return true;
		a += left;
		b += right;
	}
}

static bool text_same(enum knob knob, const char *a, const char *b)
{
	uint32_t flags = knob_table[knob].flags;

	if (flags & KNOB_CPULIST)
		return cpus_same(a, b);
	return flags & KNOB_DEVICE ? knob_pairs_same(a, b) : words_same(a, b);
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
	if (knob_table[knob].flags & KNOB_RESCTRL)
		return false; /* one text for each thing that it means: resctrl.h */
	if (knob_table[knob].flags & KNOB_NET)
		return net_knob_same(a, b);
	if (knob_table[knob].flags & KNOB_BWM)
		return bwm_knob_same(knob, a, b);
	if (knob_table[knob].type == KNOB_TYPE_TEXT)
		return text_same(knob, a, b);
	return number_parse(knob, a, &left) == 0 && number_parse(knob, b, &right) == 0 &&
	       number_same(knob, version, left, right);
}
