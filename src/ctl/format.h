/* SPDX-License-Identifier: Apache-2.0 */
/*
 * format.h - numbers as people read them, in few columns.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "table.h"

/* "512", "1.5K", "12M", "3.0G": binary, at most five columns. */
const char *format_bytes(uint64_t bytes, char *text, size_t size);
/* "0", "7", "1.5k", "12k", "3.0M": decimal, at most four columns. */
const char *format_count(double count, char *text, size_t size);
/* "3 d 4 h", "2 h 10 min", "45 s", "12 ms". */
const char *format_usec(uint64_t usec, char *text, size_t size);
/* "", "job-1" or "batch/job-1". */
const char *format_name(const char *namespace, const char *name, char *text, size_t size);

/* How a word of the daemon is coloured: a level, a state, a status. */
enum style style_of(const char *word);
