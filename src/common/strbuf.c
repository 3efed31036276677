/* SPDX-License-Identifier: Apache-2.0 */
#include "strbuf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "macro.h"

#define STRBUF_CAPACITY_FIRST 64u

/* Room for `more` bytes and the NUL. */
static bool reserve(struct strbuf *buffer, size_t more)
{
	size_t capacity = MAX(buffer->capacity, (size_t)STRBUF_CAPACITY_FIRST);
	char *text;

	if (buffer->error < 0)
		return false;
	if (more >= SIZE_MAX / 2 - buffer->length) {
		buffer->error = -ENOMEM;
		return false;
	}
	while (capacity < buffer->length + more + 1)
		capacity *= 2;
	if (capacity == buffer->capacity)
		return true;
	text = realloc(buffer->text, capacity);
	if (!text) {
		buffer->error = -ENOMEM;
		return false;
	}
	buffer->text = text;
	buffer->capacity = capacity;
	return true;
}

void strbuf_done(struct strbuf *buffer)
{
	if (!buffer)
		return;
	free(buffer->text);
	*buffer = (struct strbuf){ 0 };
}

void strbuf_clear(struct strbuf *buffer)
{
	buffer->length = 0;
	buffer->error = 0;
	if (buffer->text)
		buffer->text[0] = '\0';
}

void strbuf_add(struct strbuf *buffer, const char *text)
{
	strbuf_add_bytes(buffer, text, strlen(text));
}

void strbuf_add_bytes(struct strbuf *buffer, const char *bytes, size_t length)
{
	if (!reserve(buffer, length))
		return;
	if (length > 0)
		memcpy(buffer->text + buffer->length, bytes, length);
	buffer->length += length;
	buffer->text[buffer->length] = '\0';
}

void strbuf_add_char(struct strbuf *buffer, char character)
{
	strbuf_add_bytes(buffer, &character, 1);
}

void strbuf_addf(struct strbuf *buffer, const char *format, ...)
{
	int saved = errno;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (n < 0) {
		buffer->error = -ENOMEM;
		return;
	}
	if (!reserve(buffer, (size_t)n))
		return;
	/* For %m: neither the measuring nor realloc() may change what it prints. */
	errno = saved;
	va_start(arguments, format);
	(void)vsnprintf(buffer->text + buffer->length, (size_t)n + 1, format, arguments);
	va_end(arguments);
	buffer->length += (size_t)n;
}

int strbuf_error(const struct strbuf *buffer)
{
	return buffer->error;
}

const char *strbuf_text(const struct strbuf *buffer)
{
	return buffer->text ? buffer->text : "";
}

char *strbuf_take(struct strbuf *buffer)
{
	char *text = NULL;

	/* An empty buffer has no memory yet, and the caller is promised a string. */
	if (buffer->error == 0 && reserve(buffer, 0)) {
		buffer->text[buffer->length] = '\0';
		text = TAKE_PTR(buffer->text);
	}
	strbuf_done(buffer);
	return text;
}
