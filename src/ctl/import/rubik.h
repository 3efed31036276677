/* SPDX-License-Identifier: Apache-2.0 */
/* rubik.h - what the import-rubik*.c files share. */
#pragma once

#include "import/import.h"

/* In the order of the policy. */
enum rubik_feature {
	RUBIK_PREEMPTION,
	RUBIK_IO_LIMIT,
	RUBIK_IO_COST,
	RUBIK_QUOTA_TURBO,
	RUBIK_QUOTA_BURST,
	RUBIK_DYN_MEMORY,
	RUBIK_DYN_CACHE,
	RUBIK_PSI,
	RUBIK_CPU_EVICT,
	RUBIK_MEMORY_EVICT,
	RUBIK_CPI,
	RUBIK_FEATURES_MAX,
};

struct rubik {
	struct import *import;
	const struct import_document *document;
	bool enabled[RUBIK_FEATURES_MAX];
	/* By feature; NULL when it is off or has none. */
	json_t *sections[RUBIK_FEATURES_MAX];
};

extern const char *const rubik_names[RUBIK_FEATURES_MAX + 1];

/* at: the section of the policy that remarks belong to. */
struct import_section rubik_section(const struct rubik *rubik, enum rubik_feature feature,
				    const char *at);
/* "plugins.colocation.NAME: true, with where it comes from behind it. */
void rubik_switch(const struct rubik *rubik, const char *key, enum rubik_feature feature);

/* Two keys of a section must not be the wrong way round. 0 or -EINVAL with an error added. */
int rubik_order_check(const struct import_section *section, const char *low, int64_t low_value,
		      const char *high, int64_t high_value, bool may_be_equal);

/* dynCache. 0 or -EINVAL. */
int rubik_cache(const struct rubik *rubik);
/* psi, cpuevict and memoryevict, which are one service of Berth. 0 or -EINVAL. */
int rubik_evict(const struct rubik *rubik);
/* ioCost, with an override for each node that has devices of its own. 0 or -EINVAL. */
int rubik_io_cost(const struct rubik *rubik);
