/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - the rows of plugins.colocation.cache, for config.c. */
#pragma once

#include "cache/cache.h"
#include "config/bind.h"
#include "macro.h"

#define CACHE_PERCENT(type, key, kind, class, fallback, help) \
	FIELD_U64(type, "cache." key, cache.percent[kind][class], 10, 100, fallback, help)

#define CACHE_FIELDS(type)                                                                         \
	FIELD_BOOL(type, "cache.enabled", cache.enabled, 0,                                        \
		   "give offline workloads a part of the cache and of the memory bandwidth"),      \
		FIELD_BOOL(type, "cache.annotations", cache.annotations, 1,                        \
			   "go by the annotation volcano.sh/cache-limit of offline workloads"),    \
		FIELD_ENUM(type, "cache.batch", cache.batch, cache_choice_names, CACHE_DYNAMIC,    \
			   "class of batch workloads without the annotation"),                     \
		FIELD_ENUM(type, "cache.scavenger", cache.scavenger, cache_choice_names,           \
			   CACHE_LOW, "class of scavenger workloads without the annotation"),      \
		FIELD_USEC(type, "cache.period", cache.period_usec, USEC_PER_SEC,                  \
			   60 * USEC_PER_SEC, USEC_PER_SEC,                                        \
			   "between two steps of the class dynamic, without counters"),            \
		FIELD_BOOL(type, "cache.counters", cache.counters, 1,                              \
			   "have the CPUs count cache misses and cycles of online workloads"),     \
		FIELD_USEC(type, "cache.window", cache.window_usec, 100 * USEC_PER_MSEC,           \
			   10 * USEC_PER_SEC, 2 * USEC_PER_SEC, "how long they count"),            \
		FIELD_USEC(type, "cache.every", cache.every_usec, USEC_PER_SEC,                    \
			   600 * USEC_PER_SEC, 10 * USEC_PER_SEC,                                  \
			   "and how often: then dynamic has a step for each of them"),             \
		CACHE_PERCENT(type, "l3_percent.low", CACHE_L3, CACHE_LOW, 20,                     \
			      "share of the last-level cache of the class low"),                   \
		CACHE_PERCENT(type, "l3_percent.middle", CACHE_L3, CACHE_MIDDLE, 30,               \
			      "the same of the class middle"),                                     \
		CACHE_PERCENT(type, "l3_percent.high", CACHE_L3, CACHE_HIGH, 50,                   \
			      "the same of the class high"),                                       \
		CACHE_PERCENT(type, "mb_percent.low", CACHE_BANDWIDTH, CACHE_LOW, 10,              \
			      "share of the memory bandwidth of the class low"),                   \
		CACHE_PERCENT(type, "mb_percent.middle", CACHE_BANDWIDTH, CACHE_MIDDLE, 30,        \
			      "the same of the class middle"),                                     \
		CACHE_PERCENT(type, "mb_percent.high", CACHE_BANDWIDTH, CACHE_HIGH, 50,            \
			      "the same of the class high"),                                       \
		CACHE_PERCENT(type, "l2_percent.low", CACHE_L2, CACHE_LOW, 100,                    \
			      "share of each second-level cache of the class low"),                \
		CACHE_PERCENT(type, "l2_percent.middle", CACHE_L2, CACHE_MIDDLE, 100,              \
			      "the same of the class middle"),                                     \
		CACHE_PERCENT(type, "l2_percent.high", CACHE_L2, CACHE_HIGH, 100,                  \
			      "the same of the class high"),                                       \
		FIELD_U64(type, "cache.bandwidth_mbps", cache.bandwidth_mbps, 0, 1ULL << 31, 0,    \
			  "what one memory domain can do in MB/s, where the kernel counts in "     \
			  "units; 0: "                                                             \
			  "not limited there"),                                                    \
		FIELD_PERCENT(type, "cache.max_miss", cache.max_miss, 20,                          \
			      "an online workload misses the cache so much more than usual: "      \
			      "dynamic shrinks"),                                                  \
		FIELD_PERCENT(type, "cache.min_miss", cache.min_miss, 10,                          \
			      "from here on dynamic does not grow"),                               \
		FIELD_PERCENT(type, "cache.max_cpi", cache.max_cpi, 10,                            \
			      "its instructions take so much longer than usual: dynamic shrinks"), \
		FIELD_PERCENT(type, "cache.min_cpi", cache.min_cpi, 5,                             \
			      "from here on dynamic does not grow"),                               \
		FIELD_PERCENT(                                                                     \
			type, "cache.max_pressure", cache.max_pressure, 10,                        \
			"an online workload waits for a CPU more than this: dynamic shrinks"),     \
		FIELD_PERCENT(type, "cache.min_pressure", cache.min_pressure, 5,                   \
			      "more than this: dynamic does not grow")
