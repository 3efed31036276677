/* SPDX-License-Identifier: Apache-2.0 */
/* value-internal.h - what knob/value.c and knob/quota.c share. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

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
