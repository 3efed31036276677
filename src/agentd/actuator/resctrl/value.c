/* SPDX-License-Identifier: Apache-2.0 */
/* value.c - percents to masks and bandwidths, and the texts of both. Pure. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actuator/resctrl/internal.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "macro.h"
#include "parse.h"

#define PERCENT_ALL 100u
/* The kernel: "1/8 GB/s increments" of AMD's PQoS; a GB is 1024 of its MBps there. */
#define AMD_STEP_MBPS 128u
#define MBPS_MAX      (1ULL << 31)

static char *blanks_skip(char *text)
{
	return text + strspn(text, " \t");
}

static void blanks_cut(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		text[--length] = '\0';
}

int resctrl_line_cut(char **rest, struct resctrl_line *ret)
{
	char *line;

	while ((line = strsep(rest, "\n"))) {
		char *colon = strchr(line, ':');

		line = blanks_skip(line);
		if (!colon || colon < line || (size_t)(colon - line) >= sizeof(ret->name))
			continue;
		*colon = '\0';
		(void)snprintf(ret->name, sizeof(ret->name), "%s", line);
		ret->rest = colon + 1;
		return 1;
	}
	return 0;
}

int resctrl_line_next(struct resctrl_line *line, enum resctrl_kind kind, uint32_t *ret_domain,
		      uint64_t *ret_value)
{
	char *pair, *value;
	uint64_t domain;

	do {
		pair = strsep(&line->rest, ";");
		if (!pair)
			return 0;
		pair = blanks_skip(pair);
	} while (!*pair);
	value = strchr(pair, '=');
	if (!value)
		return -EINVAL;
	*value++ = '\0';
	/* The kernel pads to the widest value with blanks. */
	value = blanks_skip(value);
	blanks_cut(value);
	if (parse_u64(pair, &domain) < 0 || domain > UINT32_MAX)
		return -EINVAL;
	*ret_domain = (uint32_t)domain;
	return (kind == RESCTRL_MB ? parse_u64(value, ret_value)
				   : parse_u64_hex(value, ret_value)) < 0
		       ? -EINVAL
		       : 1;
}

int resctrl_share_parse(const char *text, struct resctrl_share *ret)
{
	static const char *const keys[] = { "l3", "l2", "mb", "full_mbps" };
	struct resctrl_share share = { .percent = { PERCENT_ALL, PERCENT_ALL, PERCENT_ALL } };
	uint64_t *const slots[] = { &share.percent[RESCTRL_L3], &share.percent[RESCTRL_L2],
				    &share.percent[RESCTRL_MB], &share.full_mbps };

	while (*text) {
		size_t length = strcspn(text, " "), i = 0;
		const char *equals = memchr(text, '=', length);
		size_t key = equals ? (size_t)(equals - text) : length;

		while (i < ARRAY_SIZE(keys) &&
		       (strlen(keys[i]) != key || memcmp(keys[i], text, key) != 0))
			i++;
		if (!equals || i == ARRAY_SIZE(keys) ||
		    parse_u64_span(equals + 1, length - key - 1, slots[i]) < 0 ||
		    *slots[i] > (i < 3 ? PERCENT_ALL : MBPS_MAX))
			return -EINVAL;
		text += length;
		text += strspn(text, " ");
	}
	*ret = share;
	return 0;
}

static unsigned int bits_count(uint64_t bits)
{
	return (unsigned int)__builtin_popcountll(bits);
}

static uint64_t bits_run(unsigned int count)
{
	return count >= 64 ? UINT64_MAX : (1ULL << count) - 1;
}

/* The run of so many bits that shares least with devices, the lowest of several; 0: none. */
static uint64_t mask_place(const struct resctrl_resource *resource, unsigned int count)
{
	uint64_t best = 0;

	for (unsigned int start = 0; start + count <= 64; start++) {
		uint64_t mask = bits_run(count) << start;

		if ((mask & ~resource->bits) || (mask & resource->taken))
			continue;
		if (!best ||
		    bits_count(mask & resource->shared) < bits_count(best & resource->shared))
			best = mask;
	}
	return best;
}

uint64_t resctrl_mask(const struct resctrl_resource *resource, uint64_t percent)
{
	unsigned int all = bits_count(resource->bits);
	uint64_t least = MAX(1u, resource->bits_min);
	unsigned int count =
		(unsigned int)MAX(all * MIN(percent, PERCENT_ALL) / PERCENT_ALL, least);

	for (; count >= least; count--) {
		uint64_t mask = mask_place(resource, count);

		if (mask)
			return mask;
	}
	return 0;
}

uint64_t resctrl_bandwidth(const struct resctrl_resource *resource,
			   const struct resctrl_share *share)
{
	uint64_t percent = MIN(share->percent[RESCTRL_MB], PERCENT_ALL);
	uint64_t least = resource->lowest, value = percent;

	uint64_t most = resource->highest - resource->highest % resource->step;

	/* Not the very highest: before 6.10 the kernel rounds 4294967295 up, to beyond 32 bits. */
	if (percent == PERCENT_ALL || resource->is_fixed ||
	    (resource->unit != RESCTRL_PERCENT && share->full_mbps == 0))
		return most;
	if (resource->unit != RESCTRL_PERCENT)
		value = share->full_mbps * percent / PERCENT_ALL;
	if (resource->unit == RESCTRL_AMD)
		value /= AMD_STEP_MBPS;
	/* The kernel rounds up to its step, which would be more than was asked for. */
	value -= value % resource->step;
	least = MAX(1u, (least + resource->step - 1) / resource->step * resource->step);
	return MIN(MAX(MAX(value, least), resource->step), most);
}

/* 0 or -EMSGSIZE. */
__attribute__((format(printf, 4, 5))) static int text_add(char *text, size_t size, size_t *length,
							  const char *format, ...)
{
	va_list arguments;
	int added;

	va_start(arguments, format);
	added = vsnprintf(text + *length, size - *length, format, arguments);
	va_end(arguments);
	if (added < 0 || (size_t)added >= size - *length)
		return -EMSGSIZE;
	*length += (size_t)added;
	return 0;
}

static int value_add(char *text, size_t size, size_t *length, enum resctrl_kind kind,
		     uint64_t value)
{
	return kind == RESCTRL_MB ? text_add(text, size, length, "%" PRIu64, value)
				  : text_add(text, size, length, "%" PRIx64, value);
}

int resctrl_format(const struct resctrl_host *host, const struct resctrl_share *share, char *text,
		   size_t size)
{
	size_t length = 0;
	int r = size > 0 ? 0 : -EMSGSIZE;

	for (size_t i = 0; r == 0 && i < host->count; i++) {
		const struct resctrl_resource *resource = &host->resources[i];
		uint64_t value = resource->kind == RESCTRL_MB
					 ? resctrl_bandwidth(resource, share)
					 : resctrl_mask(resource, share->percent[resource->kind]);

		if (value == 0)
			return -ENOSPC;
		r = text_add(text, size, &length, "%s%s=", i > 0 ? " " : "", resource->name);
		if (r == 0)
			r = value_add(text, size, &length, resource->kind, value);
	}
	return r;
}

static const struct resctrl_resource *resource_find(const struct resctrl_host *host,
						    const char *name, size_t length)
{
	for (size_t i = 0; i < host->count; i++)
		if (strlen(host->resources[i].name) == length &&
		    memcmp(host->resources[i].name, name, length) == 0)
			return &host->resources[i];
	return NULL;
}

static int line_summary(struct resctrl_line *line, const struct resctrl_resource *resource,
			char *text, size_t size, size_t *length)
{
	uint64_t value, first = 0;
	uint32_t domain;
	bool any = false;
	int r = text_add(text, size, length, "%s%s=", *length > 0 ? " " : "", resource->name);

	while (r == 0 && (r = resctrl_line_next(line, resource->kind, &domain, &value)) > 0) {
		r = 0;
		if (any && value == first)
			continue;
		if (any)
			r = text_add(text, size, length, ",%" PRIu32 ":", domain);
		else
			first = value;
		any = true;
		if (r == 0)
			r = value_add(text, size, length, resource->kind, value);
	}
	return r < 0 ? r : any ? 0 : -EINVAL;
}

int resctrl_summary(const struct resctrl_host *host, const char *schemata, char *text, size_t size)
{
	cleanup_free char *copy = strdup(schemata);
	struct resctrl_line line;
	char *rest = copy;
	size_t length = 0;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (r == 0 && resctrl_line_cut(&rest, &line) > 0) {
		const struct resctrl_resource *resource =
			resource_find(host, line.name, strlen(line.name));

		if (resource)
			r = line_summary(&line, resource, text, size, &length);
	}
	/* So many domains of their own: nothing that we write looks like that, and that is enough
	 * to know. */
	if (r == -EMSGSIZE && size > 4) {
		memcpy(text + size - 4, "...", 4);
		r = 0;
	}
	return r < 0 ? r : length > 0 ? 0 : -EINVAL;
}

/* "L3=3": the value for every domain. What was read as different is never written back. */
static int word_expand(const struct resctrl_resource *resource, const char *value, size_t length,
		       struct strbuf *schemata)
{
	char number[24];
	uint64_t parsed;

	if (length == 0 || length >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, length);
	number[length] = '\0';
	if ((resource->kind == RESCTRL_MB ? parse_u64(number, &parsed)
					  : parse_u64_hex(number, &parsed)) < 0)
		return -EINVAL;
	if (resource->is_fixed)
		return 0;
	strbuf_addf(schemata, "%s:", resource->name);
	for (size_t i = 0; i < resource->domain_count; i++)
		strbuf_addf(schemata, "%s%" PRIu32 "=%s", i > 0 ? ";" : "", resource->domains[i],
			    number);
	strbuf_add_char(schemata, '\n');
	return 0;
}

int resctrl_expand(const struct resctrl_host *host, const char *text, struct strbuf *schemata)
{
	while (*text) {
		size_t length = strcspn(text, " ");
		const char *equals = memchr(text, '=', length);
		const struct resctrl_resource *resource =
			equals ? resource_find(host, text, (size_t)(equals - text)) : NULL;
		int r = resource ? word_expand(resource, equals + 1,
					       length - (size_t)(equals + 1 - text), schemata)
				 : -EINVAL;

		if (r < 0)
			return r;
		text += length;
		text += strspn(text, " ");
	}
	return strbuf_error(schemata) < 0 ? -ENOMEM : schemata->length > 0 ? 0 : -EINVAL;
}
