/* SPDX-License-Identifier: Apache-2.0 */
/* rubik-cache.c - dynCache. */
#include <string.h>

#include "import/rubik.h"
#include "macro.h"

#define COLOCATION "plugins.colocation."

#define PERIOD_LEAST 1000 /* of cache.period, in milliseconds */

#define INT(from, min, max, fallback, to, how, remark)                        \
	{                                                                     \
		from, IMPORT_INT, min, max, fallback, NULL, to, how, (remark) \
	}
#define WORD(from, words, to, remark)                                                      \
	{                                                                                  \
		from, IMPORT_WORD, 0, 0, IMPORT_NONE, words, to, IMPORT_AS_IT_IS, (remark) \
	}
#define END          \
	{            \
		NULL \
	}

static const struct import_field dyn_cache_fields[] = {
	WORD("defaultLimitMode", "static dynamic", NULL, NULL),
	INT("adjustInterval", 10, 10000, 1000, "cache.period", IMPORT_AS_MSEC, NULL),
	INT("perfDuration", 10, 10000, IMPORT_NONE, NULL, IMPORT_AS_IT_IS,
	    "no equal: misses are counted for cache.window of each cache.every, as that costs "
	    "those "
	    "who are counted"),
	INT("l3Percent.low", 10, 100, 20, "cache.l3_percent.low", IMPORT_AS_IT_IS, NULL),
	INT("l3Percent.mid", 10, 100, 30, "cache.l3_percent.middle", IMPORT_AS_IT_IS, NULL),
	INT("l3Percent.high", 10, 100, 50, "cache.l3_percent.high", IMPORT_AS_IT_IS, NULL),
	INT("memBandPercent.low", 10, 100, 10, "cache.mb_percent.low", IMPORT_AS_IT_IS, NULL),
	INT("memBandPercent.mid", 10, 100, 30, "cache.mb_percent.middle", IMPORT_AS_IT_IS, NULL),
	INT("memBandPercent.high", 10, 100, 50, "cache.mb_percent.high", IMPORT_AS_IT_IS, NULL),
	END,
};

/* What offline pods without the annotation are in: with static, rubik limits them by nothing. */
static void classes_set(const struct import_section *section)
{
	static const char *const keys[] = { COLOCATION "cache.batch",
					    COLOCATION "cache.scavenger" };
	json_t *mode = import_value(section, "defaultLimitMode");
	bool is_dynamic = mode && strcmp(json_string_value(mode), "dynamic") == 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		import_policy_set(section->import, section->policy, keys[i],
				  mode ? "dynCache.defaultLimitMode"
				       : "dynCache.defaultLimitMode, by default",
				  "%s", is_dynamic ? "dynamic" : "max");
}

int rubik_cache(const struct rubik *rubik)
{
	struct import_section section = rubik_section(rubik, RUBIK_DYN_CACHE, COLOCATION "cache");
	static const char *const orders[][2] = {
		{ "l3Percent.low", "l3Percent.mid" },
		{ "l3Percent.mid", "l3Percent.high" },
		{ "memBandPercent.low", "memBandPercent.mid" },
		{ "memBandPercent.mid", "memBandPercent.high" },
	};
	static const int64_t fallbacks[][2] = { { 20, 30 }, { 30, 50 }, { 10, 30 }, { 30, 50 } };
	int r;

	rubik_switch(rubik, COLOCATION "cache.enabled", RUBIK_DYN_CACHE);
	if (!rubik->enabled[RUBIK_DYN_CACHE])
		return 0;
	r = import_check(&section, dyn_cache_fields);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(orders); i++)
		r = rubik_order_check(
			&section, orders[i][0], import_int(&section, orders[i][0], fallbacks[i][0]),
			orders[i][1], import_int(&section, orders[i][1], fallbacks[i][1]), true);
	if (r < 0)
		return r;
	classes_set(&section);
	import_apply(&section, dyn_cache_fields);
	if (import_int(&section, "adjustInterval", PERIOD_LEAST) >= PERIOD_LEAST)
		return 0;
	import_policy_set(rubik->import, section.policy, COLOCATION "cache.period",
			  "dynCache.adjustInterval", "1s");
	import_remark(rubik->import, rubik->document, "dynCache.adjustInterval", section.policy,
		      COLOCATION "cache.period",
		      "raised to 1 s, the least that Berth takes: misses of less say little");
	return 0;
}
