/* SPDX-License-Identifier: Apache-2.0 */
/* value-internal.h - what knob/value.c, quota.c, quota-file.c and writer.c share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "berth-plugin.h"

#define QUOTA_PERIOD_USEC 100000u /* of the knob's number, and the kernel's default */
#define QUOTA_MIN_USEC    1000u

struct quota {
	uint64_t usec;   /* of each period; UINT64_MAX: none */
	uint64_t period; /* 0: not told */
};

static inline size_t text_length(const char *text)
{
	return strcspn(text, "\n");
}

static inline uint64_t divide_rounded(uint64_t dividend, uint64_t divisor)
{
	return dividend / divisor + (dividend % divisor >= (divisor + 1) / 2 ? 1 : 0);
}

/* "max" or a number; any negative number is "max". 0 or -EINVAL. */
int span_parse(const char *text, size_t length, uint64_t *ret);

/* knob_format(), knob_parse() and knob_same() of the quota. quota_format() is as snprintf(3). */
int quota_format(int version, uint64_t number, const char *current, char *text, size_t size);
int quota_number(const char *text, uint64_t *ret);
bool quota_same(const char *a, const char *b);

/* "QUOTA", or "QUOTA PERIOD", with either version's word for none. 0 or -EINVAL. */
int quota_parse(const char *text, struct quota *ret);
/* CPU time in a period of `from` to that in one of `to`; none stays none. */
uint64_t quota_scale(uint64_t usec, uint64_t to, uint64_t from);

/* On v1 the period is in a file beside that of the quota. */
bool quota_in_two_files(enum knob knob, int version);
/* Adds a blank and the period to the quota's text, where there is one. -ENOSPC. */
int quota_add_period(int dirfd, char *text, size_t size);
/* "QUOTA PERIOD" of a group, of one file or two. 0 or -errno. */
int quota_text_read(int dirfd, int version, char *text, size_t size);
/* Both files; a text without a period leaves it. 0 or -errno, and then nothing has changed, or the
 * quota alone. */
int quota_files_write(int dirfd, const char *text);
