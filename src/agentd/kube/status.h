/* SPDX-License-Identifier: Apache-2.0 */
/* status.h - what the API says when it refuses. */
#pragma once

#include <stddef.h>

/* The message of a Status object, or the first line of what a proxy said instead; no control
 * characters. body need not be whole nor NUL terminated. */
void kube_status_message(const char *body, size_t body_size, char *text, size_t size);
