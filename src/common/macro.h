/* SPDX-License-Identifier: Apache-2.0 */
/*
 * macro.h - the few macros that every file may use. Nothing here allocates, logs or includes a
 * Berth header.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define USEC_PER_MSEC 1000ULL
#define USEC_PER_SEC  1000000ULL
#define NSEC_PER_USEC 1000ULL

/* gcc 12's -fanalyzer loses memory that a member of a struct holds when calls are deep, and calls
 * it a leak; ASan, which sees every free, does not. Around the one function, never around a file.
 */
#if defined(__GNUC__) && !defined(__clang__)
/* _Pragma takes one literal, which formatting would split. */
/* clang-format off */
#define ANALYZER_LEAK_IGNORE_BEGIN \
	_Pragma("GCC diagnostic push") \
	_Pragma("GCC diagnostic ignored \"-Wanalyzer-malloc-leak\"")
/* clang-format on */
#define ANALYZER_LEAK_IGNORE_END _Pragma("GCC diagnostic pop")
#else
#define ANALYZER_LEAK_IGNORE_BEGIN
#define ANALYZER_LEAK_IGNORE_END
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Hand ownership over: the value, and nothing left behind for the cleanup attribute. */
#define TAKE_PTR(pointer)                                    \
	({                                                   \
		__typeof__(pointer) *take_from = &(pointer); \
		__typeof__(pointer) taken = *take_from;      \
		*take_from = NULL;                           \
		taken;                                       \
	})

#define TAKE_FD(fd)                     \
	({                              \
		int *take_from = &(fd); \
		int taken = *take_from; \
		*take_from = -EBADF;    \
		taken;                  \
	})
