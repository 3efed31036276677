/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-test.h - include it first in every test: cmocka with its prerequisites, assertions that
 * print errno names, and fixture trees as sysroots.
 */
#pragma once

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* After its prerequisites. */
#include <cmocka.h>

/* r is 0 or a count. */
#define assert_ok(r)                                                                 \
	do {                                                                         \
		long long assert_value = (long long)(r);                             \
		if (assert_value < 0)                                                \
			fail_msg("%s: %s", #r, strerrorname_np((int)-assert_value)); \
	} while (0)

/* r is -error; error is positive: assert_errno(f(), ENOENT). */
#define assert_errno(r, error)                                                          \
	do {                                                                            \
		long long assert_value = (long long)(r);                                \
		if (assert_value != -(error))                                           \
			fail_msg("%s: %s, expected -%s", #r,                            \
				 assert_value < 0 ? strerrorname_np((int)-assert_value) \
						  : "no error",                         \
				 strerrorname_np(error));                               \
	} while (0)

/* $BERTH_FIXTURES/NAME into text. */
static inline const char *fixture_path(const char *name, char *text, size_t size)
{
	const char *base = getenv("BERTH_FIXTURES");

	(void)snprintf(text, size, "%s/%s", base ? base : "tests/fixture", name);
	return text;
}
