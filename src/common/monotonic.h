/* SPDX-License-Identifier: Apache-2.0 */
/* monotonic.h - the clock by which everything here is timed. */
#pragma once

#include <stdint.h>

/* CLOCK_MONOTONIC in microseconds. */
uint64_t monotonic_usec(void);
