/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-stat-file.c - one text as each of the files that a collector reads off a group. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "telemetry/collect/stat-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_key(const struct stat_file *file, enum sample_value value)
{
	for (size_t i = 0; i < file->count; i++)
		if (file->keys[i].value == value)
			return true;
	return false;
}

/* Nothing but the file's own values, and of a file that is one number all or none. */
static void values_check(const struct stat_file *file, const struct target *target, int r)
{
	for (unsigned int i = 0; i < SAMPLE_MAX; i++) {
		bool known = sample_knows(&target->sample, (enum sample_value)i);

		if (known && !has_key(file, (enum sample_value)i))
			abort();
		if (!known && target->sample.value[i] != 0)
			abort();
	}
	if (file->form == FORM_NUMBER &&
	    sample_knows(&target->sample, file->keys[0].value) != (r == 0))
		abort();
}

/* In order, each once, and each did something. */
static void devices_check(const struct stat_file *file, const struct stat_reading *reading)
{
	const struct device_list *list = &reading->devices;

	if (reading->has_devices != (file->part == PART_IO) || list->count > SAMPLE_DEVICES)
		abort();
	for (uint32_t i = 0; i < list->count; i++) {
		const struct sample_device *device = &list->items[i], *before = device - 1;

		if (!sample_device_is_used(device))
			abort();
		if (i > 0 && (before->major > device->major ||
			      (before->major == device->major && before->minor >= device->minor)))
			abort();
	}
}

/* The text in memory of exactly its size: parsing writes to it. */
static int parse(const struct stat_file *file, const uint8_t *data, size_t size,
		 struct stat_reading *reading)
{
	cleanup_free char *text = malloc(size + 1);
	int r;

	if (!text)
		return -ENOMEM;
	memcpy(text, data, size);
	text[size] = '\0';
	r = stat_file_parse(file, text, reading);
	if (r != 0 && r != -EINVAL)
		abort();
	return r;
}

static void file_check(const struct stat_file *file, const uint8_t *data, size_t size)
{
	struct target target = { 0 }, before;
	struct stat_reading reading = { .target = &target, .tick_usec = 10000 };
	struct device_list devices;
	int r = parse(file, data, size, &reading);

	if (r == -ENOMEM)
		return;
	values_check(file, &target, r);
	devices_check(file, &reading);
	/* The same once more says the same. */
	before = target;
	devices = reading.devices;
	if (parse(file, data, size, &reading) == -ENOMEM)
		return;
	if (memcmp(&before, &target, sizeof(target)) != 0 ||
	    devices.count != reading.devices.count ||
	    memcmp(devices.items, reading.devices.items,
		   devices.count * sizeof(devices.items[0])) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t count;
	const struct stat_file *files = stat_files(&count);

	/* Whoever reads a file passes no such text on. */
	if (memchr(data, '\0', size))
		return 0;
	for (size_t i = 0; i < count; i++)
		file_check(&files[i], data, size);
	return 0;
}
