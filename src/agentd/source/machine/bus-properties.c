/* SPDX-License-Identifier: Apache-2.0 */
/* bus-properties.c - machined's properties of one machine. */
#include <string.h>

#include "cleanup.h"
#include "source/machine/bus.h"

static int read_text(sd_bus_message *message, char **ret)
{
	const char *text;
	char *copy;
	int r = sd_bus_message_read(message, "v", "s", &text);

	if (r < 0)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*ret);
	*ret = copy;
	return 0;
}

/* libvirt gives it the domain's uuid; of zeros: it has none. */
static int read_id(sd_bus_message *message, char *uuid)
{
	static const unsigned char none[16] = { 0 };
	const unsigned char *id;
	const void *bytes;
	size_t size;
	int r = sd_bus_message_enter_container(message, 'v', "ay");

	if (r < 0)
		return r;
	r = sd_bus_message_read_array(message, 'y', &bytes, &size);
	if (r < 0)
		return r;
	uuid[0] = '\0';
	id = bytes;
	if (size == sizeof(none) && memcmp(id, none, size) != 0)
		(void)snprintf(uuid, MACHINE_UUID_MAX,
			       "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			       "%02x%02x%02x%02x%02x%02x",
			       id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9],
			       id[10], id[11], id[12], id[13], id[14], id[15]);
	return sd_bus_message_exit_container(message);
}

static int property_read(struct machine_properties *ret, sd_bus_message *message)
{
	const char *name, *text;
	uint32_t leader;
	int r = sd_bus_message_read(message, "s", &name);

	if (r < 0)
		return r;
	if (strcmp(name, "Name") == 0)
		return read_text(message, &ret->name);
	if (strcmp(name, "Unit") == 0)
		return read_text(message, &ret->unit);
	if (strcmp(name, "Id") == 0)
		return read_id(message, ret->uuid);
	if (strcmp(name, "Class") == 0) {
		r = sd_bus_message_read(message, "v", "s", &text);
		ret->is_vm = r >= 0 && strcmp(text, "vm") == 0;
		return r;
	}
	if (strcmp(name, "Leader") == 0) {
		r = sd_bus_message_read(message, "v", "u", &leader);
		ret->leader = r >= 0 && leader <= INT32_MAX ? (pid_t)leader : 0;
		return r;
	}
	return sd_bus_message_skip(message, "v");
}

void machine_properties_done(struct machine_properties *properties)
{
	free(properties->name);
	free(properties->unit);
	*properties = (struct machine_properties){ .leader = 0 };
}

int machine_properties_read(sd_bus_message *message, struct machine_properties *ret)
{
	int r = sd_bus_message_enter_container(message, 'a', "{sv}");

	if (r < 0)
		return r;
	while ((r = sd_bus_message_enter_container(message, 'e', "sv")) > 0) {
		r = property_read(ret, message);
		if (r < 0)
			return r;
		r = sd_bus_message_exit_container(message);
		if (r < 0)
			return r;
	}
	return r;
}
