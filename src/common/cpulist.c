/* SPDX-License-Identifier: Apache-2.0 */
#include "cpulist.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"

/* Digits at *cursor, which moves past them. */
static int number_parse(const char **cursor, uint64_t *ret)
{
	size_t digits = strspn(*cursor, "0123456789");
	int r = parse_u64_span(*cursor, digits, ret);

	if (r == 0)
		*cursor += digits;
	return r;
}

/* One of "4", "0-3", "0-31:2/8": the first 2 of each 8. */
static int item_parse(const char **cursor, struct cpulist *list)
{
	uint64_t first = 0, last, used = 1, group = 1;
	int r = number_parse(cursor, &first);

	if (r < 0)
		return r;
	last = first;
	if (**cursor == '-') {
		(*cursor)++;
		r = number_parse(cursor, &last);
		if (r < 0)
			return r;
		if (**cursor == ':') {
			(*cursor)++;
			r = number_parse(cursor, &used);
			if (r < 0)
				return r;
			if (**cursor != '/')
				return -EINVAL;
			(*cursor)++;
			r = number_parse(cursor, &group);
			if (r < 0)
				return r;
		}
	}
	if (last < first || used == 0 || used > group)
		return -EINVAL;
	if (last >= CPULIST_MAX)
		return -ERANGE;
	for (uint64_t cpu = first; cpu <= last; cpu++)
		if ((cpu - first) % group < used)
			cpulist_add(list, (unsigned int)cpu);
	return 0;
}

int cpulist_parse(const char *text, struct cpulist *ret)
{
	struct cpulist list = { 0 };
	const char *cursor = text;

	while (*cursor != '\0' && *cursor != '\n') {
		int r = item_parse(&cursor, &list);

		if (r < 0)
			return r;
		if (*cursor == ',') {
			cursor++;
			/* A comma promises another one. */
			if (*cursor == '\0' || *cursor == '\n')
				return -EINVAL;
		} else if (*cursor != '\0' && *cursor != '\n') {
			return -EINVAL;
		}
	}
	*ret = list;
	return 0;
}

bool cpulist_has(const struct cpulist *list, unsigned int cpu)
{
	return cpu < CPULIST_MAX && (list->bits[cpu / 64] >> (cpu % 64) & 1);
}

void cpulist_add(struct cpulist *list, unsigned int cpu)
{
	if (cpu < CPULIST_MAX)
		list->bits[cpu / 64] |= 1ULL << (cpu % 64);
}

unsigned int cpulist_count(const struct cpulist *list)
{
	unsigned int count = 0;

	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		count += (unsigned int)__builtin_popcountll(list->bits[i]);
	return count;
}

bool cpulist_is_empty(const struct cpulist *list)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		if (list->bits[i])
			return false;
	return true;
}

bool cpulist_equals(const struct cpulist *a, const struct cpulist *b)
{
	return memcmp(a->bits, b->bits, sizeof(a->bits)) == 0;
}

bool cpulist_is_within(const struct cpulist *list, const struct cpulist *other)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		if (list->bits[i] & ~other->bits[i])
			return false;
	return true;
}

void cpulist_intersect(struct cpulist *list, const struct cpulist *other)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		list->bits[i] &= other->bits[i];
}

void cpulist_unite(struct cpulist *list, const struct cpulist *other)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		list->bits[i] |= other->bits[i];
}

void cpulist_subtract(struct cpulist *list, const struct cpulist *other)
{
	for (size_t i = 0; i < CPULIST_MAX / 64; i++)
		list->bits[i] &= ~other->bits[i];
}

int cpulist_format(const struct cpulist *list, char *text, size_t size)
{
	size_t length = 0;

	if (size == 0)
		return -ENOSPC;
	text[0] = '\0';
	for (unsigned int cpu = 0; cpu < CPULIST_MAX; cpu++) {
		const char *comma = length ? "," : "";
		unsigned int first = cpu;
		int n;

		if (!cpulist_has(list, cpu))
			continue;
		while (cpulist_has(list, cpu + 1))
			cpu++;
		if (cpu > first)
			n = snprintf(text + length, size - length, "%s%u-%u", comma, first, cpu);
		else
			n = snprintf(text + length, size - length, "%s%u", comma, first);
		if (n < 0 || (size_t)n >= size - length)
			return -ENOSPC;
		length += (size_t)n;
	}
	return (int)length;
}
