/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/line.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "actuator/knob/table.h"
#include "macro.h"

#define MAJOR_MAX 0xfffu
#define MINOR_MAX 0xfffffu

int device_from_dev(uint64_t dev, uint32_t *ret)
{
	/* glibc's encoding is the kernel's as long as both numbers are in the kernel's range. */
	if (dev > UINT32_MAX || major(dev) > MAJOR_MAX || minor(dev) > MINOR_MAX)
		return -EINVAL;
	*ret = (uint32_t)dev;
	return 0;
}

void knob_device_name(enum knob knob, uint32_t device, char text[static DEVICE_NAME_BYTES])
{
	if (device == 0)
		text[0] = '\0';
	else if (!(knob_table[knob].flags & KNOB_NET))
		device_name(device, text);
	else if (!if_indextoname(device, text))
		(void)snprintf(text, DEVICE_NAME_BYTES, "net %u", device);
}

void device_name(uint32_t device, char text[static DEVICE_NAME_BYTES])
{
	(void)snprintf(text, DEVICE_NAME_BYTES, "%u:%u", major(device), minor(device));
}

struct span {
	const char *text;
	size_t length;
};

/* What follows `name` and a blank on the line that begins with it; NULL text: no such line. */
static struct span line_of(const char *file, const char *name)
{
	size_t length = strlen(name);

	while (*file) {
		size_t end = strcspn(file, "\n");

		if (end > length && memcmp(file, name, length) == 0 && file[length] == ' ') {
			struct span span = { file + length + 1, end - length - 1 };

			while (span.length > 0 && span.text[span.length - 1] == ' ')
				span.length--;
			return span;
		}
		file += end + (file[end] == '\n');
	}
	return (struct span){ 0 };
}

/* The next blank-separated word of *rest, which moves past it. */
static struct span next_word(struct span *rest)
{
	struct span word = { rest->text, 0 };

	while (rest->length > 0 && *word.text == ' ') {
		word.text++;
		rest->length--;
	}
	while (word.length < rest->length && word.text[word.length] != ' ')
		word.length++;
	rest->text = word.text + word.length;
	rest->length -= word.length;
	return word;
}

/* The value of KEY=VALUE; NULL text: the line has no such key. */
static struct span value_of(struct span line, const char *key, size_t key_length)
{
	for (;;) {
		struct span word = next_word(&line);

		if (word.length == 0)
			return (struct span){ 0 };
		if (word.length > key_length && memcmp(word.text, key, key_length) == 0 &&
		    word.text[key_length] == '=')
			return (struct span){ word.text + key_length + 1,
					      word.length - key_length - 1 };
	}
}

static int span_copy(struct span span, char *value, size_t size)
{
	if (span.length >= size)
		return -EMSGSIZE;
	memcpy(value, span.text, span.length);
	value[span.length] = '\0';
	return 0;
}

static int text_copy(const char *text, char *value, size_t size)
{
	return span_copy((struct span){ text, strlen(text) }, value, size);
}

/* A device that the file does not list. */
static const char *default_of(enum knob knob, int version)
{
	if (knob == KNOB_DEVICE_COST_QOS)
		return "enable=0 ctrl=auto";
	if (knob == KNOB_DEVICE_COST_MODEL)
		return "ctrl=auto";
	return version == 1 ? "0" : "max";
}

static int device_find(enum knob knob, int version, uint32_t device, const char *file, char *value,
		       size_t size)
{
	const struct knob_row *row = &knob_table[knob];
	char name[DEVICE_NAME_BYTES];
	struct span line;

	device_name(device, name);
	line = line_of(file, name);
	if (line.text && version == 2 && row->key)
		line = value_of(line, row->key, strlen(row->key));
	return line.text ? span_copy(line, value, size)
			 : text_copy(default_of(knob, version), value, size);
}

static int common_find(const char *file, char *value, size_t size)
{
	struct span line = line_of(file, "default");

	/* blkio.bfq.weight is the number alone. */
	if (!line.text)
		line = (struct span){ file, strcspn(file, " \n") };
	return line.length > 0 && !memchr(line.text, ':', line.length)
		       ? span_copy(line, value, size)
		       : -EINVAL;
}

/* "wb_blkio_path:/x", "wb_blkio_ino:17": two lines. */
static int inode_find(const char *file, char *value, size_t size)
{
	static const char name[] = "wb_blkio_ino:";
	const char *found = strstr(file, name);

	/* What was written to a plain file. */
	if (!found && !strchr(file, ':'))
		return span_copy((struct span){ file, strcspn(file, " \n") }, value, size);
	if (!found)
		return -EINVAL;
	found += sizeof(name) - 1;
	return span_copy((struct span){ found, strcspn(found, " \n") }, value, size);
}

int knob_line_find(enum knob knob, int version, uint32_t device, const char *file, char *value,
		   size_t size)
{
	const struct knob_row *row = &knob_table[knob];

	if (row->flags & KNOB_DEVICE)
		return device_find(knob, version, device, file, value, size);
	if (row->flags & KNOB_DEFAULT)
		return common_find(file, value, size);
	return inode_find(file, value, size);
}

static bool has_pair(const char *text, const char *key, const char *value)
{
	struct span found = value_of((struct span){ text, strlen(text) }, key, strlen(key));

	return found.text && found.length == strlen(value) &&
	       memcmp(found.text, value, found.length) == 0;
}

/* A parameter in a write makes it ctrl=user (ioc_qos_write(), block/blk-iocost.c): what the kernel
 * chose by itself is not said to it. */
static int automatic_make(const char *name, const char *value, char *line, size_t size)
{
	struct span enable = value_of((struct span){ value, strlen(value) }, "enable", 6);
	int length = enable.text ? snprintf(line, size, "%s enable=%.*s ctrl=auto", name,
					    (int)enable.length, enable.text)
				 : snprintf(line, size, "%s ctrl=auto", name);

	return length < 0 || (size_t)length >= size ? -EMSGSIZE : 0;
}

int knob_line_make(enum knob knob, int version, uint32_t device, const char *value, char *line,
		   size_t size)
{
	const struct knob_row *row = &knob_table[knob];
	char name[DEVICE_NAME_BYTES];
	int length;

	if (!(row->flags & KNOB_DEVICE))
		return text_copy(value, line, size);
	device_name(device, name);
	if (row->type == KNOB_TYPE_TEXT && has_pair(value, "ctrl", "auto"))
		return automatic_make(name, value, line, size);
	if (version == 2 && row->key)
		length = snprintf(line, size, "%s %s=%s", name, row->key, value);
	else
		length = snprintf(line, size, "%s %s", name, value);
	return length < 0 || (size_t)length >= size ? -EMSGSIZE : 0;
}

/* "95" and "95.00" alike. */
static bool value_same(struct span a, struct span b)
{
	struct span *both[] = { &a, &b };

	for (size_t i = 0; i < ARRAY_SIZE(both); i++) {
		struct span *span = both[i];

		if (!memchr(span->text, '.', span->length))
			continue;
		while (span->length > 0 && span->text[span->length - 1] == '0')
			span->length--;
		if (span->length > 0 && span->text[span->length - 1] == '.')
			span->length--;
	}
	return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

static bool pairs_within(struct span small, struct span large)
{
	bool any = false;

	for (;;) {
		struct span word = next_word(&small);
		const char *equals = word.length ? memchr(word.text, '=', word.length) : NULL;
		struct span found;

		if (word.length == 0)
			return any;
		if (!equals)
			return false;
		found = value_of(large, word.text, (size_t)(equals - word.text));
		if (!found.text ||
		    !value_same(found,
				(struct span){ equals + 1,
					       (size_t)(word.text + word.length - equals) - 1 }))
			return false;
		any = true;
	}
}

bool knob_pairs_same(const char *a, const char *b)
{
	struct span left = { a, strcspn(a, "\n") }, right = { b, strcspn(b, "\n") };

	if (has_pair(a, "ctrl", "auto") && has_pair(b, "ctrl", "auto")) {
		struct span x = value_of(left, "enable", 6), y = value_of(right, "enable", 6);

		return !x.text || !y.text || value_same(x, y);
	}
	return pairs_within(left, right) || pairs_within(right, left);
}
