/* SPDX-License-Identifier: Apache-2.0 */
/*
 * limit.c - how much a workload may read and write: what its annotation says, in the form of
 * rubik and volcano, and what the policy says of its level. Of two limits the smaller one holds, so
 * that an annotation cannot lift what the node's owner has set.
 *
 * v2 limits a group with all that is below it: the pod's group, or the topmost offline one. v1
 * counts a group for itself (cgroup-v1/blkio-controller.rst), so there each container has the
 * limit.
 */
#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "io/io.h"
#include "macro.h"
#include "parse.h"

#define ANNOTATION_MAX 8192u

struct limit_kind {
	const char *annotation, *policy, *says;
	enum knob knob;
	bool is_bytes;
};

static const struct limit_kind kinds[] = {
	{ "device_read_bps", "read_bps", "reads", KNOB_IO_READ_BPS, true },
	{ "device_write_bps", "write_bps", "writes", KNOB_IO_WRITE_BPS, true },
	{ "device_read_iops", "read_iops", "reads", KNOB_IO_READ_IOPS, false },
	{ "device_write_iops", "write_iops", "writes", KNOB_IO_WRITE_IOPS, false },
};

__attribute__((format(printf, 3, 4))) static int refuse(char *reterr, size_t size,
							const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(reterr, size, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static void json_done(json_t **json)
{
	json_decref(*json);
}

struct parse {
	const struct disks *disks;
	struct io_wants *wants;
	char *note, *error;
	size_t note_size, error_size;
};

static int parse_entry(struct parse *parse, const struct limit_kind *kind, const json_t *entry)
{
	const char *name = json_string_value(json_object_get(entry, "device"));
	const json_t *given = json_object_get(entry, "value");
	const char *text = json_string_value(given);
	const struct disk *disk = NULL;
	uint64_t number = 0;
	int r;

	if (!name)
		return refuse(parse->error, parse->error_size, "%s: an entry without a device",
			      kind->annotation);
	if (json_is_integer(given) && json_integer_value(given) >= 0)
		number = (uint64_t)json_integer_value(given);
	else if (!text || parse_u64(text, &number) < 0)
		return refuse(parse->error, parse->error_size,
			      "%s of %.40s: '%.32s' is not a decimal number", kind->annotation,
			      name, text ? text : "");
	r = disks_find(parse->disks, name, &disk, parse->error, parse->error_size);
	if (r == -ENOENT) {
		/* One annotation for nodes of different disks: the others are limited. */
		(void)snprintf(parse->note, parse->note_size, "; %s", parse->error);
		return 0;
	}
	if (r < 0)
		return r;
	if (io_wants_get(parse->wants, kind->knob, disk->device))
		return refuse(parse->error, parse->error_size, "%s names %.40s twice",
			      kind->annotation, name);
	if (parse->wants->count == IO_WANTS_MAX)
		return refuse(parse->error, parse->error_size, "more than %u limits", IO_WANTS_MAX);
	/* 0: unlimited, which is to say nothing. Held until the end, to find a second one. */
	io_wants_add(parse->wants, kind->knob, disk->device, number ? number : UINT64_MAX);
	return 0;
}

static int parse_list(struct parse *parse, const char *key, const json_t *list)
{
	const struct limit_kind *kind = NULL;
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (strcmp(kinds[i].annotation, key) == 0)
			kind = &kinds[i];
	if (!kind)
		return refuse(parse->error, parse->error_size,
			      "unknown key '%.40s': device_{read,write}_{bps,iops}", key);
	if (!json_is_array(list))
		return refuse(parse->error, parse->error_size, "%s is not a list", key);
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++)
		r = parse_entry(parse, kind, json_array_get(list, i));
	return r;
}

static void drop_unlimited(struct io_wants *wants)
{
	size_t kept = 0;

	for (size_t i = 0; i < wants->count; i++)
		if (wants->items[i].number != UINT64_MAX)
			wants->items[kept++] = wants->items[i];
	wants->count = kept;
}

int io_limits_parse(const char *json, const struct disks *disks, struct io_wants *ret, char *note,
		    size_t note_size, char *reterr, size_t size)
{
	struct parse parse = { disks, ret, note, reterr, note_size, size };
	CLEANUP(json_done) json_t *root = NULL;
	json_error_t error;
	const char *key;
	json_t *list;
	int r = 0;

	note[0] = '\0';
	ret->count = 0;
	if (strlen(json) > ANNOTATION_MAX)
		return refuse(reterr, size, "longer than %u bytes", ANNOTATION_MAX);
	root = json_loads(json, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return refuse(reterr, size, "no JSON: %.80s", error.text);
	if (!json_is_object(root))
		return refuse(reterr, size, "not a JSON object");
	json_object_foreach(root, key, list)
	{
		r = parse_list(&parse, key, list);
		if (r < 0)
			break;
	}
	if (r < 0) {
		/* All of it or nothing. */
		ret->count = 0;
		note[0] = '\0';
		return r;
	}
	drop_unlimited(ret);
	return 0;
}

static int value_parse(const struct limit_kind *kind, const char *text, uint64_t *ret)
{
	int r = kind->is_bytes ? parse_bytes(text, ret) : parse_u64(text, ret);

	return r < 0 || *ret == 0 || *ret == UINT64_MAX ? -EINVAL : 0;
}

/* fn is told each pair. */
static int item_walk(const char *item, char *glob, size_t glob_size,
		     void (*fn)(void *data, const struct limit_kind *kind, uint64_t number),
		     void *data, char *reterr, size_t size)
{
	char key[32], value[32];
	unsigned int pairs = 0;
	const char *rest;
	int r = io_item_glob(item, glob, glob_size, &rest, reterr, size);

	if (r < 0)
		return r;
	while ((r = io_item_next(&rest, key, sizeof(key), value, sizeof(value), reterr, size)) >
	       0) {
		const struct limit_kind *kind = NULL;
		uint64_t number = 0;

		for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
			if (strcmp(kinds[i].policy, key) == 0)
				kind = &kinds[i];
		if (!kind)
			return refuse(reterr, size,
				      "unknown '%s': read_bps, write_bps, read_iops, write_iops",
				      key);
		if (value_parse(kind, value, &number) < 0)
			return refuse(reterr, size, "%s: '%s' is not a %s above 0", key, value,
				      kind->is_bytes ? "size" : "number");
		pairs++;
		if (fn)
			fn(data, kind, number);
	}
	if (r == 0 && pairs == 0)
		return refuse(reterr, size, "'%.60s' limits nothing", item);
	return r;
}

int io_limit_check(const char *item, char *reterr, size_t size)
{
	char glob[64];

	return item_walk(item, glob, sizeof(glob), NULL, NULL, reterr, size);
}

struct item_numbers {
	uint64_t numbers[ARRAY_SIZE(kinds)]; /* 0: not said */
};

static void item_take(void *data, const struct limit_kind *kind, uint64_t number)
{
	struct item_numbers *numbers = data;

	numbers->numbers[kind - kinds] = number;
}

static void limits_of_level(char *const *items, const struct disks *disks, struct io_wants *ret)
{
	for (; items && *items; items++) {
		struct item_numbers numbers = { 0 };
		char glob[64], error[128];

		/* Checked when the policy was read. */
		if (item_walk(*items, glob, sizeof(glob), item_take, &numbers, error,
			      sizeof(error)) < 0)
			continue;
		for (size_t d = 0; d < disks->count; d++) {
			if (fnmatch(glob, disks->items[d].name, 0) != 0)
				continue;
			for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
				if (numbers.numbers[k])
					io_wants_add(ret, kinds[k].knob, disks->items[d].device,
						     numbers.numbers[k]);
		}
	}
}

/* Is this group the one that a limit is set on? */
static bool takes_limits(const struct io_host *host, const struct berth_workload *workload,
			 const struct io_place *place)
{
	bool is_container = strcmp(workload->kind, "container") == 0;

	if (host->is_v2)
		return !is_container || !place->has_parent_workload;
	return !place->is_pod;
}

static void tell_limits(const struct io_host *host, const struct io_wants *wants, const char *from,
			char *text, size_t size)
{
	size_t length = 0;

	if (size > 0)
		text[0] = '\0';
	for (size_t i = 0; i < wants->count && length < size; i++) {
		const struct io_want *want = &wants->items[i];
		const struct limit_kind *kind = &kinds[want->knob - KNOB_IO_READ_BPS];
		const char *name = "";

		for (size_t d = 0; d < host->disks.count; d++)
			if (host->disks.items[d].device == want->device)
				name = host->disks.items[d].name;
		length += (size_t)snprintf(text + length, size - length, "%s%s %s %llu %s/s",
					   i ? ", " : "", name, kind->says,
					   (unsigned long long)want->number,
					   kind->is_bytes ? "B" : "requests");
	}
	if (length < size)
		(void)snprintf(text + length, size - length, "%s%s", wants->count ? " " : "", from);
}

void io_limits_decide(const struct colocation_config *config, const struct io_host *host,
		      const struct berth_workload *workload, const struct io_place *place,
		      struct io_wants *ret)
{
	char note[128] = "", error[160] = "", from[IO_REASON - 1];
	bool by_annotation = place->annotation && config->io_annotations;
	bool by_level = workload->qos < QOS_NORMAL && !(host->is_v2 && place->parent_is_offline);
	int r = 0;

	ret->count = 0;
	if (!host->has_limits || !takes_limits(host, workload, place)) {
		(void)snprintf(ret->limits, sizeof(ret->limits), "%s",
			       !host->has_limits ? "not limited: this host has no io.max"
			       : host->is_v2     ? "as the pod above it"
						 : "its containers are limited, each by itself");
		return;
	}
	if (by_annotation)
		r = io_limits_parse(place->annotation, &host->disks, ret, note, sizeof(note), error,
				    sizeof(error));
	if (by_level)
		limits_of_level(workload->qos == QOS_BATCH ? config->io_limits_batch
							   : config->io_limits_scavenger,
				&host->disks, ret);
	if (r < 0)
		(void)snprintf(from, sizeof(from), "(" IO_ANNOTATION " is refused: %.140s)", error);
	else
		(void)snprintf(from, sizeof(from), "%s%s",
			       ret->count == 0  ? "not limited"
			       : !by_annotation ? "(by its level)"
			       : by_level       ? "(by annotation and level)"
						: "(by annotation)",
			       note);
	tell_limits(host, ret, from, ret->limits, sizeof(ret->limits));
}
