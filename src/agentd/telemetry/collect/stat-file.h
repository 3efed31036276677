/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stat-file.h - the files of a group that tell what it uses and suffers, as tables: which value is
 * where in which of them, for cgroup v2 and v1. Documentation/admin-guide/cgroup-v2.rst,
 * cgroup-v1/{memory,cpuacct,blkio-controller}.rst, accounting/psi.rst.
 */
#pragma once

#include "hierarchy.h"
#include "telemetry/collect/device.h"

/* What is read together: a collector may have one part in another way than the next. */
enum sample_part {
	PART_CPU = 1u << 0,
	PART_PRESSURE = 1u << 1,
	PART_MEMORY = 1u << 2,
	PART_MEMORY_STAT = 1u << 3,
	PART_MEMORY_EVENTS = 1u << 4,
	PART_IO = 1u << 5,
	PART_ALL = (1u << 6) - 1,
};

#define SAMPLE_PARTS 6u
/* "cpu", "pressure", … of the lowest bit. */
const char *sample_part_name(unsigned int part);

enum stat_form {
	FORM_NUMBER,   /* one number */
	FORM_STAT,     /* lines "KEY NUMBER" */
	FORM_PRESSURE, /* lines "KEY avg10=… total=NUMBER" */
	FORM_IO,       /* v2: lines "MAJOR:MINOR rbytes=NUMBER …" */
	FORM_IO_BYTES, /* v1: lines "MAJOR:MINOR Read NUMBER" */
	FORM_IO_COUNT, /* the same, requests */
};

enum stat_unit {
	UNIT_ONE,
	UNIT_NSEC, /* to microseconds */
	UNIT_TICK, /* of USER_HZ, to microseconds */
};

struct stat_key {
	const char *key;
	enum sample_value value;
	enum stat_unit unit;
};

struct stat_file {
	int version; /* of the mount of: */
	enum controller controller;
	enum sample_part part;
	const char *name;
	const char *otherwise; /* what older kernels have instead; NULL */
	enum stat_form form;
	const struct stat_key *keys; /* FORM_NUMBER: one, its key ignored */
	size_t count;
};

#define STAT_FILES_MAX 24u

/* All of them; which ones a host has, the versions of its mounts tell. */
const struct stat_file *stat_files(size_t *ret_count);

/* What is read off one group. */
struct stat_reading {
	struct target *target;
	uint64_t tick_usec; /* length of a tick of USER_HZ */
	struct device_list devices;
	bool has_devices; /* a file of devices was read */
};

/* Into the target's values, or the reading's devices. The text is the caller's to lose. 0, or
 * -EINVAL: some of it is no such file's; what could be read of it was set. */
int stat_file_parse(const struct stat_file *file, char *text, struct stat_reading *reading);
