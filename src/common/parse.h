/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.h - every number that comes from outside goes through here: whole string or nothing, no
 * leading or trailing blanks, no sign where none is meant, overflow is an error.
 *
 * All return 0, -EINVAL (not such a thing) or -ERANGE (too large); *ret is set only on success.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int parse_u64(const char *text, uint64_t *ret);
int parse_s64(const char *text, int64_t *ret);
int parse_u64_hex(const char *text, uint64_t *ret); /* with or without 0x */

/* Like parse_u64() on the first `length` bytes; for files that are not NUL terminated. */
int parse_u64_span(const char *text, size_t length, uint64_t *ret);

/* As YAML 1.2 and Kubernetes write them: true, false. */
int parse_bool(const char *text, bool *ret);

/* "512", "64k", "1.5G", "64Ki", "2Gi": K M G T P E, decimal or binary (Ki..Ei), as Kubernetes
 * quantities; the lower-case k is decimal too. A fraction is allowed; the result is rounded up. */
int parse_bytes(const char *text, uint64_t *ret);

/* "250ms", "2s", "5min", "1h", "100us"; a bare number is an error, except 0. */
int parse_usec(const char *text, uint64_t *ret);

/* "85%" or "85": 0 to 100. */
int parse_percent(const char *text, uint64_t *ret);

/* Kubernetes CPU quantity: "2", "1.5", "500m", to thousandths of a CPU, rounded up. */
int parse_cpu_milli(const char *text, uint64_t *ret);

/* Every form of a Kubernetes quantity, as pods carry them: suffixes n u m k M G T P E, Ki to Ei, or
 * an exponent ("1e3", "5E-1"). In units of 1/scale, rounded up: scale 1000 for CPUs in thousandths.
 * Wider than parse_bytes(), where "100m" is a mistake in a policy and not a tenth of a byte. */
int parse_quantity(const char *text, uint64_t scale, uint64_t *ret);
