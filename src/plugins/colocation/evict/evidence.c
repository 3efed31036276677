/* SPDX-License-Identifier: Apache-2.0 */
/* evidence.c - the sentence that says why a workload was evicted. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "evict/evict.h"
#include "macro.h"

#define NAME_BYTES 32 /* of a name, so that the numbers have room in LIMIT_REASON */

struct sentence {
	char *text;
	size_t size, length;
};

static void add(struct sentence *sentence, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void add(struct sentence *sentence, const char *format, ...)
{
	size_t room = sentence->size - sentence->length;
	va_list arguments;
	int n;

	va_start(arguments, format);
	n = vsnprintf(sentence->text + sentence->length, room, format, arguments);
	va_end(arguments);
	if (n > 0)
		sentence->length += MIN((size_t)n, room - 1);
}

static void add_share(struct sentence *sentence, uint32_t hundredths)
{
	add(sentence, "%" PRIu32 ".%" PRIu32 " %%", hundredths / 100, hundredths / 10 % 10);
}

static void add_bytes(struct sentence *sentence, uint64_t bytes)
{
	uint64_t tenths = bytes / ((1u << 20) / 10);

	if (tenths >= 10240)
		add(sentence, "%" PRIu64 ".%" PRIu64 " GiB", tenths / 10240,
		    tenths % 10240 * 10 / 10240);
	else
		add(sentence, "%" PRIu64 " MiB", tenths / 10);
}

static void add_left(struct sentence *sentence, const struct evict_reading *reading)
{
	add_share(sentence, (uint32_t)(reading->available_bytes * EVICT_WHOLE /
				       MAX(reading->total_bytes, UINT64_C(1))));
	add(sentence, " of ");
	add_bytes(sentence, reading->total_bytes);
	add(sentence, " left");
}

static void add_trigger(struct sentence *sentence, const struct evict_config *config,
			const struct evict_evidence *evidence)
{
	const struct evict_reading *reading = evidence->reading;
	enum evict_resource resource =
		evict_trigger_resource((enum evict_trigger)evidence->trigger);

	switch (evidence->trigger) {
	case TRIGGER_MEMORY_HARD:
		add(sentence, "memory: ");
		add_left(sentence, reading);
		add(sentence, ", past the hard line of %" PRIu64 " %%",
		    config->memory_hard_percent);
		return;
	case TRIGGER_MEMORY_AVAILABLE:
		add(sentence, "memory: ");
		add_left(sentence, reading);
		add(sentence, ", line ");
		add_bytes(sentence, reading->line_bytes);
		break;
	case TRIGGER_CPU_USE:
		add(sentence, "CPU: node ");
		add_share(sentence, reading->cpu_share);
		add(sentence, " busy, line %" PRIu64 " %%", config->cpu_use_percent);
		break;
	default:
		add(sentence, "%s pressure (%s), line %" PRIu64 " %%",
		    evict_resource_name(resource),
		    config->pressure_kind == EVICT_FULL ? "full" : "some",
		    config->pressure_percent[resource]);
	}
	add(sentence, ", %u of %" PRIu64 " samples", evidence->count, config->window);
}

static void add_sufferer(struct sentence *sentence, const struct evict_evidence *evidence)
{
	const struct berth_workload *sufferer = evidence->sufferer;

	if (!sufferer)
		return;
	add(sentence, "; online %.*s%s%.*s waited ", NAME_BYTES / 2, sufferer->namespace,
	    sufferer->namespace[0] ? "/" : "", NAME_BYTES, sufferer->name);
	add_share(sentence, evidence->suffered);
	add(sentence, " of the last %.1f s",
	    (double)evidence->reading->period_usec / (double)USEC_PER_SEC);
}

void evict_describe(const struct evict_config *config, const struct evict_evidence *evidence,
		    char *text, size_t size)
{
	struct sentence sentence = { .text = text, .size = size };

	add_trigger(&sentence, config, evidence);
	add_sufferer(&sentence, evidence);
	switch (evict_trigger_resource((enum evict_trigger)evidence->trigger)) {
	case EVICT_CPU:
		add(&sentence, "; it used %.2f CPUs",
		    (double)evidence->amount / (double)USEC_PER_SEC);
		break;
	case EVICT_IO:
		add(&sentence, "; it moved ");
		add_bytes(&sentence, evidence->amount);
		add(&sentence, " a second");
		break;
	default:
		add(&sentence, "; it held ");
		add_bytes(&sentence, evidence->amount);
	}
	add(&sentence, ", 1 of %zu offline", evidence->candidates);
}
