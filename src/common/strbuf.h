/* SPDX-License-Identifier: Apache-2.0 */
/*
 * strbuf.h - a string that grows. A failed allocation is remembered: further calls do nothing, and
 * strbuf_error() tells at the end, so that callers check once. A zeroed struct is empty and valid.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "cleanup.h"

struct strbuf {
	char *text; /* NUL terminated; NULL while empty */
	size_t length, capacity;
	int error; /* 0 or -ENOMEM */
};

void strbuf_done(struct strbuf *buffer);
void strbuf_clear(struct strbuf *buffer); /* keeps the memory */

void strbuf_add(struct strbuf *buffer, const char *text);
void strbuf_add_bytes(struct strbuf *buffer, const char *bytes, size_t length);
void strbuf_add_char(struct strbuf *buffer, char character);
void strbuf_addf(struct strbuf *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* 0 or -ENOMEM. */
int strbuf_error(const struct strbuf *buffer);

/* The text, "" if empty; owned by the buffer. */
const char *strbuf_text(const struct strbuf *buffer);

/* Hand the text over to the caller (free()); the buffer is empty after. NULL after an error. */
char *strbuf_take(struct strbuf *buffer);

#define cleanup_strbuf CLEANUP(strbuf_done)
