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
