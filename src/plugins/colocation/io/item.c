/* SPDX-License-Identifier: Apache-2.0 */
/* item.c - "GLOB KEY=VALUE ...", the form of the lists in plugins.colocation.io. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "io/io.h"

static const char *skip_blanks(const char *text)
{
	return text + strspn(text, " \t");
}

int io_item_glob(const char *item, char *glob, size_t size, const char **ret_rest, char *reterr,
		 size_t error_size)
{
	const char *start = skip_blanks(item);
	size_t length = strcspn(start, " \t");

	if (length == 0 || strlen(item) >= IO_ITEM_MAX || memchr(start, '=', length)) {
		(void)snprintf(reterr, error_size, "'%.60s' does not begin with a device", item);
		return -EINVAL;
	}
	if (length >= size) {
		(void)snprintf(reterr, error_size, "'%.60s...' is too long for a device", start);
		return -EINVAL;
	}
	memcpy(glob, start, length);
	glob[length] = '\0';
	*ret_rest = skip_blanks(start + length);
	return 0;
}

int io_item_next(const char **rest, char *key, size_t key_size, char *value, size_t value_size,
		 char *reterr, size_t size)
{
	const char *start = skip_blanks(*rest);
	size_t length = strcspn(start, " \t");
	const char *equals = memchr(start, '=', length);
	size_t key_length = equals ? (size_t)(equals - start) : 0;

	if (length == 0)
		return 0;
	if (key_length == 0 || key_length >= key_size || length - key_length - 1 == 0 ||
	    length - key_length - 1 >= value_size) {
		(void)snprintf(reterr, size, "'%.*s' is not KEY=VALUE",
			       (int)(length < 60 ? length : 60), start);
		return -EINVAL;
	}
	memcpy(key, start, key_length);
	key[key_length] = '\0';
	memcpy(value, equals + 1, length - key_length - 1);
	value[length - key_length - 1] = '\0';
	*rest = start + length;
	return 1;
}

const struct io_want *io_wants_get(const struct io_wants *wants, enum knob knob, uint64_t device)
{
	for (size_t i = 0; i < wants->count; i++)
		if (wants->items[i].knob == knob && wants->items[i].device == device)
			return &wants->items[i];
	return NULL;
}

void io_wants_add(struct io_wants *wants, enum knob knob, uint64_t device, uint64_t number)
{
	for (size_t i = 0; i < wants->count; i++) {
		struct io_want *want = &wants->items[i];

		if (want->knob != knob || want->device != device)
			continue;
		/* Two limits of one thing: the smaller one holds, as between plugins. */
		if (number < want->number)
			want->number = number;
		return;
	}
	if (wants->count < IO_WANTS_MAX)
		wants->items[wants->count++] = (struct io_want){ knob, device, number };
}
