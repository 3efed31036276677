/* SPDX-License-Identifier: Apache-2.0 */
/* evict.c - when something is short: lines, samples, N of M. Pure functions. */
#include "evict/evict.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "macro.h"

static const char *const resource_names[EVICT_RESOURCES] = {
	[EVICT_MEMORY] = "memory",
	[EVICT_CPU] = "cpu",
	[EVICT_IO] = "io",
};

static const enum evict_resource trigger_resources[EVICT_TRIGGERS + 1] = {
	[TRIGGER_MEMORY_AVAILABLE] = EVICT_MEMORY,
	[TRIGGER_MEMORY_PRESSURE] = EVICT_MEMORY,
	[TRIGGER_CPU_PRESSURE] = EVICT_CPU,
	[TRIGGER_IO_PRESSURE] = EVICT_IO,
	[TRIGGER_CPU_USE] = EVICT_CPU,
	[TRIGGER_MEMORY_HARD] = EVICT_MEMORY,
};

const char *evict_trigger_name(enum evict_trigger trigger)
{
	static const char *const names[EVICT_TRIGGERS + 1] = {
		[TRIGGER_MEMORY_AVAILABLE] = "memory",
		[TRIGGER_MEMORY_PRESSURE] = "memory pressure",
		[TRIGGER_CPU_PRESSURE] = "cpu pressure",
		[TRIGGER_IO_PRESSURE] = "io pressure",
		[TRIGGER_CPU_USE] = "cpu use",
		[TRIGGER_MEMORY_HARD] = "memory past the hard line",
	};

	return names[trigger];
}

const char *evict_resource_name(enum evict_resource resource)
{
	return resource_names[resource];
}

enum evict_resource evict_trigger_resource(enum evict_trigger trigger)
{
	return trigger_resources[trigger];
}

static bool has_line(const struct evict_config *config)
{
	return config->memory_available_percent > 0 || config->memory_available_bytes > 0;
}

static bool has_trigger(const struct evict_config *config)
{
	bool any = has_line(config) || config->cpu_use_percent > 0;

	for (size_t i = 0; i < EVICT_RESOURCES; i++)
		any |= config->pressure_percent[i] > 0;
	return any;
}

int evict_check(const struct evict_config *config, struct berth_error *reterr)
{
	if (config->samples > config->window) {
		reterr->key = "evict.samples";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "%" PRIu64 " of the last %" PRIu64
			       " samples can never be: lower it, or raise evict.window",
			       config->samples, config->window);
		return -EINVAL;
	}
	if (config->memory_available_percent > 0 &&
	    config->memory_hard_percent >= config->memory_available_percent) {
		reterr->key = "evict.memory.hard";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "the hard line (%" PRIu64
			       " %% left) must be below evict.memory.available_percent (%" PRIu64
			       " %%): eviction comes before killing",
			       config->memory_hard_percent, config->memory_available_percent);
		return -EINVAL;
	}
	if (config->memory_hard_percent > 0 && !has_line(config)) {
		reterr->key = "evict.memory.hard";
		(void)snprintf(
			reterr->text, sizeof(reterr->text),
			"a hard line needs one before it: set evict.memory.available_percent "
			"or evict.memory.available, or this to 0");
		return -EINVAL;
	}
	if (config->enabled && !has_trigger(config)) {
		reterr->key = "evict.enabled";
		(void)snprintf(reterr->text, sizeof(reterr->text),
			       "every line is 0: nothing would ever be evicted");
		return -EINVAL;
	}
	return 0;
}

static uint32_t share(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (uint32_t)MIN(part * EVICT_WHOLE / whole, (uint64_t)EVICT_WHOLE);
}

static uint64_t percent_of(uint64_t percent, uint64_t whole)
{
	return whole / 100 * percent;
}

static void read_memory(const struct evict_config *config, const struct node_sample *now,
			struct evict_reading *reading)
{
	uint64_t total = now->memory_total_bytes;

	reading->total_bytes = total;
	reading->available_bytes = now->memory_available_bytes;
	reading->hard_bytes = percent_of(config->memory_hard_percent, total);
	reading->line_bytes = MAX(percent_of(config->memory_available_percent, total),
				  config->memory_available_bytes);
	reading->hard = reading->available_bytes < reading->hard_bytes;
}

uint64_t evict_gap_usec(const struct evict_config *config)
{
	return MAX(3 * config->period_usec, 10 * USEC_PER_SEC);
}

bool evict_read(const struct evict_config *config, const struct node_sample *before,
		const struct node_sample *now, struct evict_reading *ret)
{
	static const enum sample_value some[EVICT_RESOURCES] = {
		[EVICT_MEMORY] = SAMPLE_PRESSURE_MEMORY_SOME_USEC,
		[EVICT_CPU] = SAMPLE_PRESSURE_CPU_SOME_USEC,
		[EVICT_IO] = SAMPLE_PRESSURE_IO_SOME_USEC,
	};
	struct evict_reading reading = { 0 };

	/* Nothing has no memory: what reads so was not read. */
	if (now->memory_total_bytes == 0 || now->time_usec <= before->time_usec ||
	    now->time_usec - before->time_usec > evict_gap_usec(config) ||
	    now->cpu_total_usec < before->cpu_total_usec ||
	    now->cpu_busy_usec < before->cpu_busy_usec)
		return false;
	reading.period_usec = now->time_usec - before->time_usec;
	read_memory(config, now, &reading);
	reading.cpu_share = share(now->cpu_busy_usec - before->cpu_busy_usec,
				  now->cpu_total_usec - before->cpu_total_usec);
	for (size_t i = 0; i < EVICT_RESOURCES; i++) {
		size_t line = (size_t)(some[i] - SAMPLE_PRESSURE_FIRST);

		if ((now->pressure_known & before->pressure_known & UINT64_C(1) << line) &&
		    now->pressure_usec[line] >= before->pressure_usec[line])
			reading.stalled[i] =
				share(now->pressure_usec[line] - before->pressure_usec[line],
				      reading.period_usec);
	}
	*ret = reading;
	return true;
}

/* By the node's own numbers. */
static bool node_is_over(const struct evict_config *config, const struct evict_reading *reading,
			 enum evict_trigger trigger)
{
	if (trigger == TRIGGER_MEMORY_AVAILABLE)
		return reading->available_bytes < reading->line_bytes;
	return config->cpu_use_percent > 0 && reading->cpu_share >= config->cpu_use_percent * 100;
}

static bool waits_too_long(const struct evict_config *config, enum evict_resource resource,
			   uint32_t waited)
{
	uint64_t line = config->pressure_percent[resource] * 100;

	return line > 0 && waited >= line;
}

bool evict_worth_a_look(const struct evict_config *config, const struct evict_reading *reading)
{
	bool worth = reading->hard || node_is_over(config, reading, TRIGGER_MEMORY_AVAILABLE) ||
		     node_is_over(config, reading, TRIGGER_CPU_USE);

	for (size_t i = 0; i < EVICT_RESOURCES; i++)
		worth |= waits_too_long(config, (enum evict_resource)i, reading->stalled[i]);
	return worth;
}

void evict_note(struct evict_history *history, const struct evict_config *config,
		const struct evict_reading *reading, const uint32_t suffered[EVICT_RESOURCES])
{
	for (size_t i = 0; i < EVICT_TRIGGERS; i++) {
		enum evict_trigger trigger = (enum evict_trigger)i;
		enum evict_resource resource = trigger_resources[i];
		bool over = trigger == TRIGGER_MEMORY_AVAILABLE || trigger == TRIGGER_CPU_USE
				    ? node_is_over(config, reading, trigger)
				    : waits_too_long(config, resource, suffered[resource]);

		history->over[i] = history->over[i] << 1 | over;
	}
}

unsigned int evict_count(const struct evict_history *history, const struct evict_config *config,
			 enum evict_trigger trigger)
{
	uint64_t mask = (UINT64_C(1) << MIN(config->window, (uint64_t)EVICT_SAMPLES)) - 1;

	return (unsigned int)__builtin_popcountll(history->over[trigger] & mask);
}

int evict_fires(const struct evict_history *history, const struct evict_config *config,
		const struct evict_reading *reading)
{
	if (reading->hard)
		return TRIGGER_MEMORY_HARD;
	for (int i = 0; i < EVICT_TRIGGERS; i++) {
		/* Over now as well: what is over already needs no victim. */
		if ((history->over[i] & 1) &&
		    evict_count(history, config, (enum evict_trigger)i) >= config->samples)
			return i;
	}
	return -1;
}
