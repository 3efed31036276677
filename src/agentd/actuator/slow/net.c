/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/slow/net.h"

#include <errno.h>
#include <stdio.h>

#define TEXT_MAX 64u /* the longest is "default " and the kind of a qdisc */

struct slow_net {
	enum knob knob;
	uint32_t device;
	char original[TEXT_MAX], previous[TEXT_MAX], written[TEXT_MAX];
};

static int text_copy(char target[static TEXT_MAX], const char *text)
{
	int length = snprintf(target, TEXT_MAX, "%s", text);

	return length < 0 || length >= (int)TEXT_MAX ? -EMSGSIZE : 0;
}

static int write_run(const void *argument)
{
	const struct slow_net *net = argument;
	struct knob_file file = KNOB_FILE_NULL;

	file.version = 1;
	file.knob = net->knob;
	file.device = net->device;
	return knob_file_write(&file, net->written);
}

static int restore_run(const void *argument)
{
	const struct slow_net *net = argument;
	const struct restore_item item = {
		.place = { .knob = net->knob, .device = net->device },
		.original = net->original,
		.previous = net->previous,
		.written = net->written,
	};

	return restore_knob(&item);
}

int slow_net_write(struct slow_writer *writer, const struct knob_file *file, const char *text,
		   void (*done)(void *data, int result), void *data)
{
	struct slow_net net = { .knob = file->knob, .device = file->device };
	int r = text_copy(net.written, text);

	return r < 0 ? r : slow_writer_call(writer, write_run, &net, sizeof(net), done, data);
}

int slow_net_restore(struct slow_writer *writer, const struct restore_item *item,
		     void (*done)(void *data, int result), void *data)
{
	struct slow_net net = { .knob = item->place.knob, .device = item->place.device };
	int r = text_copy(net.original, item->original);

	if (r == 0)
		r = text_copy(net.previous, item->previous);
	if (r == 0)
		r = text_copy(net.written, item->written);
	return r < 0 ? r : slow_writer_call(writer, restore_run, &net, sizeof(net), done, data);
}
