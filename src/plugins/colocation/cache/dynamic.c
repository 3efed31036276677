/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dynamic.c - the class dynamic: what online workloads suffer, put to law.c. Each is judged by its
 * own signals, and the class goes by the one that is worst off: misses of one and waits of another
 * do not mean that the cache is short.
 *
 * Where the CPUs count, they do it in windows, and a step follows each. Elsewhere the traffic to
 * memory, of all of them together, stands for misses: more of it for the same CPU time is what they
 * look like from outside.
 */
#include <string.h>

#include "cache/run.h"
#include "macro.h"
#include "strbuf.h"

#define CPU_MIN  100 /* of the time: so little use by online workloads says nothing */
#define PASS_OLD 2   /* a pass may be so old a part of what is measured */

void cache_dynamic_begin(struct cache *cache)
{
	struct track *track;

	for (size_t kind = 0; kind < CACHE_KINDS; kind++)
		cache->percent[kind] = cache->config->percent[kind][CACHE_LOW];
	memset(&cache->traffic, 0, sizeof(cache->traffic));
	cache->usual_traffic = (struct cache_usual){ 0 };
	cache->window_open = false;
	hashmap_foreach (track, &cache->tracks)
		cache_look_forget(track);
	(void)cache_count_look(cache);
}

uint64_t cache_dynamic_wait(const struct cache *cache)
{
	if (!cache->counts)
		return cache->config->period_usec;
	/* Timers expire at multiples of whole seconds: that of `every` does so once in that time,
	 * and one of a bit more than the window not before its end. */
	return cache->window_open ? cache->config->window_usec + 1 : cache->config->every_usec;
}

static bool is_at_low(const struct cache *cache)
{
	for (size_t kind = 0; kind < CACHE_KINDS; kind++)
		if (cache->percent[kind] > cache->config->percent[kind][CACHE_LOW])
			return false;
	return true;
}

struct online {
	enum cache_step step;
	struct look worst;        /* the one that the step goes by */
	uint64_t worst_id;        /* 0: nobody said anything of himself */
	bool rests;               /* and they hardly run */
	bool has_traffic, begins; /* begins: it will be known next time */
	uint32_t traffic;
	unsigned int counted, learning;
};

/* ---- traffic ---- */

static bool is_rest(const struct cache *cache, uint64_t used_usec)
{
	return used_usec <=
	       (cache->counts ? cache->config->every_usec : cache->config->period_usec) / CPU_MIN;
}

/* By how much the traffic for their CPU time has grown. */
static void traffic_read(struct cache *cache, uint64_t used_usec, bool is_low,
			 struct online *online)
{
	unsigned int domains;
	uint64_t bytes;
	bool known;

	/* What is moved meanwhile is not theirs when they go on. */
	if (is_rest(cache, used_usec) || cache_traffic_read(&bytes, &domains) < 0) {
		cache->traffic.begun = false;
		return;
	}
	if (domains != cache->traffic.domains)
		cache->traffic.begun = false;
	cache->traffic.domains = domains;
	online->has_traffic = cache_traffic_step(&cache->traffic, bytes, cache->online_cpu_usec,
						 &online->traffic);
	online->begins = !online->has_traffic;
	if (!online->has_traffic || !cache->counts)
		return;
	known = cache_usual_known(&cache->usual_traffic);
	online->traffic =
		cache_look_growth(&cache->usual_traffic, (double)cache->traffic.rate, 0, is_low);
	online->has_traffic = known;
}

/* It is there for those that were not counted, and for a PMU that sees misses of another level. */
static void traffic_add(const struct online *online, struct cache_reading *reading)
{
	if (!online->has_traffic)
		return;
	reading->miss = reading->has_miss ? MAX(reading->miss, online->traffic) : online->traffic;
	reading->has_miss = true;
}

/* ---- who is worst off ---- */

static uint32_t harm_of(const struct cache_reading *reading)
{
	return reading->miss + reading->cpi + reading->pressure;
}

static void online_add(const struct cache *cache, const struct track *track, struct online *online)
{
	struct look look = track->look;
	enum cache_step step;

	online->counted += look.counted;
	online->learning += look.learning;
	if (look.learning || (!look.reading.has_cpi && !look.reading.has_pressure))
		return;
	traffic_add(online, &look.reading);
	step = cache_judge(cache->config, &look.reading);
	if (online->worst_id != 0 &&
	    (step > online->step ||
	     (step == online->step && harm_of(&look.reading) <= harm_of(&online->worst.reading))))
		return;
	online->step = step;
	online->worst = look;
	online->worst_id = track->id;
}

static void online_judge(const struct cache *cache, struct online *online)
{
	const struct track *track;

	hashmap_foreach (track, &cache->tracks)
		if (track->is_online)
			online_add(cache, track, online);
	if (online->worst_id == 0 && online->rests) {
		online->step = CACHE_GROW;
	} else if (online->worst_id == 0 && online->begins) {
		online->step = CACHE_HOLD;
	} else if (online->worst_id == 0) {
		traffic_add(online, &online->worst.reading);
		online->step = cache_judge(cache->config, &online->worst.reading);
	}
	/* While it is found out what is usual, nothing is to change. */
	if (online->learning > 0 && online->learning == online->counted)
		online->step = online->worst_id ? MIN(online->step, CACHE_HOLD) : CACHE_HOLD;
}

/* False: there is nothing new to judge by. */
static bool online_read(struct cache *cache, struct online *ret)
{
	uint64_t time = cache->counts ? cache->config->window_usec : cache->config->period_usec;
	bool is_low = is_at_low(cache);
	unsigned int known = 0, new = 0, old = 0;
	uint64_t used = 0;
	struct track *track;

	*ret = (struct online){ .step = CACHE_SHRINK };
	if (cache->agent->api->fresh(cache->agent, time / PASS_OLD) < 0)
		return true;
	hashmap_foreach (track, &cache->tracks) {
		const struct workload_sample *sample =
			track->is_online ? cache->agent->api->sample(cache->agent, track->id)
					 : NULL;

		track->look = (struct look){ .counted = false };
		if (sample)
			cache_look(track, sample, cache->counts, is_low);
		old += track->look.is_old;
		new += sample && !track->look.is_old;
		known += track->look.has_use;
		used += track->look.used_usec;
	}
	ret->rests = known > 0 && is_rest(cache, used);
	if (old > 0 && new == 0)
		return false;
	cache->online_cpu_usec += used;
	traffic_read(cache, used, is_low, ret);
	online_judge(cache, ret);
	return true;
}

/* ---- explain ---- */

static void add_share(struct strbuf *text, const char *before, uint32_t share, const char *after)
{
	strbuf_addf(text, "%s%u.%02u %%%s", before, share / 100, share % 100, after);
}

static void add_traffic(const struct online *online, struct strbuf *text)
{
	if (online->has_traffic)
		add_share(text, "memory traffic for their CPU time ", online->traffic, " up");
	else
		strbuf_add(text, "memory traffic not measured");
}

static void add_worst(struct cache *cache, const struct online *online, struct strbuf *text)
{
	const struct berth_workload *workload =
		cache->agent->api->workload(cache->agent, online->worst_id);
	const struct look *look = &online->worst;

	strbuf_addf(text, "worst off is %.64s: ", workload ? workload->name : "one that is gone");
	if (look->reading.has_cpi) {
		strbuf_addf(text, "CPI %.2f, ", look->cpi);
		add_share(text, "", look->reading.cpi, " more than usual; ");
	}
	if (look->has_rate) {
		strbuf_addf(text, "misses %.1f %% of its cache references; ", look->rate * 100);
		add_share(text, "misses or memory traffic ", look->reading.miss,
			  " more than usual; ");
	}
	if (look->reading.has_pressure) {
		add_share(text, "waits ", look->pressure, " for a CPU");
		add_share(text, ", ", look->reading.pressure, " more than usual; ");
	}
}

static void add_counted(struct cache *cache, const struct online *online, struct strbuf *text)
{
	if (online->worst_id)
		add_worst(cache, online, text);
	strbuf_addf(text, "%u online counted", online->counted);
	if (online->learning)
		strbuf_addf(text, ", of %u is not known yet what is usual", online->learning);
	strbuf_add(text, "; ");
	add_traffic(online, text);
}

static void add_uncounted(const struct cache *cache, const struct online *online,
			  struct strbuf *text)
{
	strbuf_add(text, "online: ");
	add_traffic(online, text);
	if (online->worst_id && online->worst.reading.has_pressure)
		add_share(text, ", one waits ", online->worst.reading.pressure, " for a CPU");
	else if (online->rests)
		strbuf_add(text, ", they hardly run");
	else
		strbuf_add(text, ", waits not known");
	strbuf_addf(text, "; misses not counted: %s", cache->uncounted_why);
}

static void dynamic_show(struct cache *cache, const struct online *online)
{
	static const char *const labels[CACHE_KINDS] = {
		[CACHE_L3] = "resource=\"l3\"",
		[CACHE_L2] = "resource=\"l2\"",
		[CACHE_BANDWIDTH] = "resource=\"bandwidth\"",
	};
	static const char *const steps[] = { "shrinks", "stays", "grows" };
	cleanup_strbuf struct strbuf text = { 0 };

	strbuf_addf(&text, "%s: ", steps[online->step]);
	if (cache->counts)
		add_counted(cache, online, &text);
	else
		add_uncounted(cache, online, &text);
	cache_describe(cache, strbuf_text(&text));
	for (size_t kind = 0; cache->metric && kind < CACHE_KINDS; kind++)
		cache->agent->api->metric_set_labels(cache->agent, cache->metric, labels[kind],
						     (double)cache->percent[kind] / 100);
}

void cache_dynamic_step(struct cache *cache)
{
	struct online online;

	if (!cache->window_open && cache_count_look(cache)) {
		cache_count_begin(cache);
		cache->window_open = true;
		return;
	}
	cache->window_open = false;
	if (!online_read(cache, &online))
		return;
	cache_move(cache->config, online.step, cache->percent);
	(void)cache_class_claim(cache, CACHE_DYNAMIC, "by what online workloads suffer");
	dynamic_show(cache, &online);
}
