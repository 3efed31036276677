/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/unit/property.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/knob/table.h"
#include "macro.h"
#include "parse.h"

#define UNSET           UINT64_MAX /* CGROUP_WEIGHT_INVALID, and infinity of a limit */
#define WEIGHT_IDLE     0u         /* CGROUP_WEIGHT_IDLE */
#define WEIGHT_DEFAULT  100u
#define SHARES_DEFAULT  1024u
#define QUOTA_PERIOD    100000u /* of the knob's number, and systemd's default */
#define QUOTA_IN_SECOND (1000000u / QUOTA_PERIOD)
#define QUOTA_PERCENT   10000u /* microseconds in a second that are a percent */

static const struct {
	const char *name, *setting;
} unit_properties[UNIT_PROPERTY_MAX] = {
	[UNIT_CPU_WEIGHT] = { "CPUWeight", "CPUWeight" },
	[UNIT_CPU_SHARES] = { "CPUShares", "CPUShares" },
	[UNIT_CPU_QUOTA] = { "CPUQuotaPerSecUSec", "CPUQuota" },
	[UNIT_MEMORY_MIN] = { "MemoryMin", "MemoryMin" },
	[UNIT_MEMORY_LOW] = { "MemoryLow", "MemoryLow" },
};

const char *unit_property_name(enum unit_property property)
{
	return unit_properties[property].name;
}

void unit_property_format(enum unit_property property, uint64_t value, char *text, size_t size)
{
	const char *setting = unit_properties[property].setting;
	bool memory = property == UNIT_MEMORY_MIN || property == UNIT_MEMORY_LOW;

	if (value == UNSET)
		(void)snprintf(text, size, "%s=%s", setting, memory ? "infinity" : "");
	else if (property == UNIT_CPU_WEIGHT && value == WEIGHT_IDLE)
		(void)snprintf(text, size, "%s=idle", setting);
	else if (property == UNIT_CPU_QUOTA)
		(void)snprintf(text, size, "%s=%" PRIu64 "%%", setting, value / QUOTA_PERCENT);
	else
		(void)snprintf(text, size, "%s=%" PRIu64, setting, value);
}

int unit_property_of(enum knob knob, int version)
{
	switch (knob) {
	case KNOB_CPU_WEIGHT:
		return version == 1 ? UNIT_CPU_SHARES : UNIT_CPU_WEIGHT;
	case KNOB_CPU_IDLE:
		return version == 1 ? -1 : UNIT_CPU_WEIGHT;
	case KNOB_CPU_QUOTA_USEC:
		return UNIT_CPU_QUOTA;
	/* Upstream's v1 has neither, and so has systemd for v1. */
	case KNOB_MEMORY_MIN_BYTES:
		return version == 1 ? -1 : UNIT_MEMORY_MIN;
	case KNOB_MEMORY_LOW_BYTES:
		return version == 1 ? -1 : UNIT_MEMORY_LOW;
	default:
		return -1;
	}
}

static int quota_value(uint64_t number, uint64_t *ret)
{
	uint64_t second;

	if (number == UNSET) {
		*ret = UNSET;
		return 0;
	}
	/* Whole percents are all that survives a reload: the drop-in says CPUQuota=N%. */
	if (__builtin_mul_overflow(number, (uint64_t)QUOTA_IN_SECOND, &second) || second == 0 ||
	    second % QUOTA_PERCENT != 0)
		return -ENOTSUP;
	*ret = second;
	return 0;
}

int unit_property_value(enum knob knob, int version, uint64_t number, uint64_t *ret)
{
	char text[32];

	if (unit_property_of(knob, version) < 0)
		return -ENOTSUP;
	switch (knob) {
	case KNOB_CPU_IDLE:
		/* 0 is what any weight means. */
		if (number == 0)
			return -ENOTSUP;
		*ret = WEIGHT_IDLE;
		return 0;
	case KNOB_CPU_QUOTA_USEC:
		return quota_value(number, ret);
	case KNOB_CPU_WEIGHT:
		/* On v1 the file's own number, not the weight. */
		if (knob_format(knob, version, number, NULL, text, sizeof(text)) < 0)
			return -ENOTSUP;
		return parse_u64(text, ret) < 0 ? -ENOTSUP : 0;
	default:
		*ret = number;
		return 0;
	}
}

int unit_property_text(enum knob knob, int version, uint64_t value, char *text, size_t size)
{
	uint64_t fallback = version == 1 ? SHARES_DEFAULT : WEIGHT_DEFAULT;
	int length;

	if (unit_property_of(knob, version) < 0)
		return -ENODATA;
	switch (knob) {
	case KNOB_CPU_IDLE:
		length = snprintf(text, size, "%d", value == WEIGHT_IDLE);
		break;
	case KNOB_CPU_WEIGHT:
		/* The kernel's stand-in is there instead. */
		if (version != 1 && value == WEIGHT_IDLE)
			return -ENODATA;
		length = snprintf(text, size, "%" PRIu64, value == UNSET ? fallback : value);
		break;
	case KNOB_CPU_QUOTA_USEC:
		return knob_format(knob, version, value == UNSET ? UNSET : value / QUOTA_IN_SECOND,
				   NULL, text, size);
	default:
		return knob_format(knob, version, value, NULL, text, size);
	}
	return length < 0 || (size_t)length >= size ? -ENOSPC : 0;
}

static const struct {
	const char *suffix, *interface;
} unit_types[] = {
	{ ".slice", "org.freedesktop.systemd1.Slice" },
	{ ".scope", "org.freedesktop.systemd1.Scope" },
	{ ".service", "org.freedesktop.systemd1.Service" },
};

const char *unit_interface(const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(unit_types); i++) {
		size_t suffix = strlen(unit_types[i].suffix);

		if (length > suffix && strcmp(name + length - suffix, unit_types[i].suffix) == 0)
			return unit_types[i].interface;
	}
	return NULL;
}

int unit_name_of(const char *path, char *name, size_t size)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789:-_.\\@";
	const char *base = strrchr(path, '/');
	size_t length;

	base = base ? base + 1 : path;
	/* cg_escape(): a name that could be a file of the kernel's ("cpu.service") has an
	 * underscore before it. */
	if (*base == '_')
		base++;
	length = strlen(base);
	if (length >= MIN(size, (size_t)UNIT_NAME_LENGTH) || strspn(base, allowed) != length ||
	    !unit_interface(base))
		return -EINVAL;
	memcpy(name, base, length + 1);
	return 0;
}
