/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/device.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "limit.h"

struct device_name {
	char text[SAMPLE_DEVICE_NAME];
};

static bool is_before(const struct sample_device *device, uint32_t major, uint32_t minor)
{
	return device->major < major || (device->major == major && device->minor < minor);
}

struct sample_device *device_list_slot(struct device_list *list, uint32_t major, uint32_t minor)
{
	uint32_t at = 0;

	while (at < list->count && is_before(&list->items[at], major, minor))
		at++;
	if (at == SAMPLE_DEVICES)
		return NULL;
	if (at < list->count && list->items[at].major == major && list->items[at].minor == minor)
		return &list->items[at];
	/* The last one falls out when there is no place left. */
	if (list->count < SAMPLE_DEVICES)
		list->count++;
	for (uint32_t i = list->count - 1; i > at; i--)
		list->items[i] = list->items[i - 1];
	list->items[at] = (struct sample_device){ .major = major, .minor = minor };
	return &list->items[at];
}

void device_names_done(struct device_names *names)
{
	struct device_name *name;

	hashmap_foreach (name, &names->by_number)
		free(name);
	hashmap_done(&names->by_number);
	names->by_number = (struct hashmap){ 0 };
}

void device_names_age(struct device_names *names, uint64_t now_usec)
{
	if (now_usec - names->since_usec < LIMIT_DEVICE_NAME_USEC &&
	    names->by_number.count < LIMIT_DEVICE_NAMES)
		return;
	device_names_done(names);
	names->since_usec = now_usec;
}

/* "../../devices/pci0000:00/…/nvme0n1" of /sys/dev/block/259:0 */
static void name_read(int root, uint32_t major, uint32_t minor, struct device_name *ret)
{
	char path[64], link[PATH_MAX];
	const char *last = NULL;
	ssize_t length = -1;

	(void)snprintf(path, sizeof(path), "sys/dev/block/%u:%u", major, minor);
	if (root >= 0)
		length = readlinkat(root, path, link, sizeof(link) - 1);
	if (length > 0) {
		link[length] = '\0';
		last = strrchr(link, '/');
	}
	/* A name that does not fit would be another device's. */
	if (last && strlen(last + 1) < sizeof(ret->text))
		(void)snprintf(ret->text, sizeof(ret->text), "%s", last + 1);
	else
		(void)snprintf(ret->text, sizeof(ret->text), "%u:%u", major, minor);
}

static void name_get(struct device_names *names, struct sample_device *device)
{
	uint64_t number = (uint64_t)device->major << 32 | device->minor;
	struct device_name *name = hashmap_get_u64(&names->by_number, number);
	struct device_name found;

	if (!name) {
		name_read(names->root, device->major, device->minor, &found);
		name = malloc(sizeof(*name));
		/* Without memory it is looked up again the next time. */
		if (name)
			*name = found;
		if (name && hashmap_put_u64(&names->by_number, number, name) < 0) {
			free(name);
			name = NULL;
		}
		if (!name)
			name = &found;
	}
	memcpy(device->name, name->text, sizeof(device->name));
}

bool sample_device_is_used(const struct sample_device *device)
{
	for (unsigned int io = 0; io < SAMPLE_IO_MAX; io++)
		if (device->value[io] != 0)
			return true;
	return false;
}

void device_list_apply(const struct device_list *list, struct device_names *names,
		       struct target *target)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < list->count; i++) {
		if (!sample_device_is_used(&list->items[i]))
			continue;
		target->devices[count] = list->items[i];
		name_get(names, &target->devices[count++]);
	}
	target->sample.device_count = count;
	target->sample.devices = count > 0 ? target->devices : NULL;
}
