/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pod-scan.h - where JSON values end, byte by byte: strings, escapes and depth, nothing else. What
 * is in between is for jansson.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct pod_scan {
	unsigned int depth;
	bool in_string, escaped;
};

/* Stops after the byte that brings the depth to `until` (>= 1 before), or at the end.
 * 0; -EBADMSG: too deep, or a control character in a string,
 * which JSON does not have: a cut line is noticed there and not megabytes later. */
int pod_scan(struct pod_scan *scan, const char *bytes, size_t size, unsigned int until,
	     bool *ret_closed, size_t *ret_used);
