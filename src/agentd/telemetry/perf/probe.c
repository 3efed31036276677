/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/perf/probe.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>

/* clang-format off */
#define HARDWARE(event) { PERF_TYPE_HARDWARE, PERF_COUNT_HW_##event }
/* What a kernel's general events of the cache are is up to it: of the last level on Intel, of the
 * second on AMD (what is beyond has a PMU of its own, which knows no groups), of the first on Arm,
 * where those of the last level have a name of their own. */
#ifdef __aarch64__
#define LAST_LEVEL(result)                                                         \
	{ PERF_TYPE_HW_CACHE, PERF_COUNT_HW_CACHE_LL | PERF_COUNT_HW_CACHE_OP_READ << 8 | \
			      PERF_COUNT_HW_CACHE_RESULT_##result << 16 }
#define REFERENCES LAST_LEVEL(ACCESS)
#define MISSES     LAST_LEVEL(MISS)
#else
#define REFERENCES HARDWARE(CACHE_REFERENCES)
#define MISSES     HARDWARE(CACHE_MISSES)
#endif

const struct perf_kind perf_hardware = {
	.events = { HARDWARE(CPU_CYCLES), HARDWARE(INSTRUCTIONS), REFERENCES, MISSES },
};
/* clang-format on */

int perf_probe(const struct perf_kind *kind, int directory, unsigned int cpu, enum perf_layout *ret)
{
	int r = -EINVAL;

	for (unsigned int layout = PERF_TOGETHER; r < 0 && layout <= PERF_CYCLES; layout++) {
		struct perf_group group = { .cpu = cpu, .layout = (enum perf_layout)layout };

		r = perf_group_open(&group, kind, directory);
		if (r < 0)
			continue;
		perf_group_close(&group);
		*ret = group.layout;
	}
	return r;
}

const char *perf_error_text(int error)
{
	switch (-error) {
	case ENOENT:
	case ENODEV:
	case EOPNOTSUPP:
		return "the CPUs have no counters that we may use (PMU): most VMs have none";
	case EACCES:
	case EPERM:
		return "the kernel does not let us: CAP_PERFMON or kernel.perf_event_paranoid";
	case EINVAL:
	case EBADF:
		return "the kernel cannot count by group (CONFIG_CGROUP_PERF)";
	default:
		return strerror(-error);
	}
}

const char *perf_layout_text(enum perf_layout layout)
{
	static const char *const texts[] = {
		[PERF_TOGETHER] = "the cache as well",
		[PERF_PAIRS] = "the cache in turn with cycles, as there are few counters",
		[PERF_CYCLES] = "not the cache",
	};

	return texts[layout];
}
