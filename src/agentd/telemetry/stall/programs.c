/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/stall/programs.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"

/* Generated: it casts const away. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "telemetry/stall-probe.skel.h"
#pragma GCC diagnostic pop

/* What is not told without it; NULL: nothing is missed, or the other one of two is there. */
static const char *const group_missed[GROUP_MAX] = {
	[GROUP_MEMCG] = "reclaim of groups",
	[GROUP_DIRECT] = "global reclaim",
	[GROUP_COMPACT] = "compaction",
	[GROUP_ASYNC] = "asynchronous reclaim",
};

/* Those that are for tracepoints are on tracepoints, the others on functions. */
static const struct use {
	const char *program, *symbol;
	enum group group;
	unsigned int ways;
} uses[] = {
	{ "memstall_enter", "psi_memstall_enter", GROUP_MEMSTALL, FOR_MEMSTALL },
	{ "memstall_leave", "psi_memstall_leave", GROUP_MEMSTALL, FOR_MEMSTALL },
	{ "memcg_reclaim_begin", "mm_vmscan_memcg_reclaim_begin", GROUP_MEMCG,
	  FOR_MEMSTALL | FOR_TRACEPOINTS },
	{ "memcg_reclaim_end", "mm_vmscan_memcg_reclaim_end", GROUP_MEMCG, FOR_TRACEPOINTS },
	{ "direct_reclaim_begin", "mm_vmscan_direct_reclaim_begin", GROUP_DIRECT,
	  FOR_MEMSTALL | FOR_TRACEPOINTS },
	{ "direct_reclaim_end", "mm_vmscan_direct_reclaim_end", GROUP_DIRECT, FOR_TRACEPOINTS },
	{ "compact_try", "mm_compaction_try_to_compact_pages", GROUP_COMPACT,
	  FOR_MEMSTALL | FOR_TRACEPOINTS },
	{ "compact_begin", "mm_compaction_begin", GROUP_COMPACT, FOR_TRACEPOINTS },
	{ "compact_end", "mm_compaction_end", GROUP_COMPACT, FOR_TRACEPOINTS },
	{ "high_enter", "mem_cgroup_handle_over_high", GROUP_HIGH, FOR_MEMSTALL },
	{ "high_leave", "mem_cgroup_handle_over_high", GROUP_HIGH, FOR_MEMSTALL },
	{ "high_enter_inner", "__mem_cgroup_handle_over_high", GROUP_HIGH_INNER, FOR_MEMSTALL },
	{ "high_leave_inner", "__mem_cgroup_handle_over_high", GROUP_HIGH_INNER, FOR_MEMSTALL },
	{ "async_enter", "high_work_func", GROUP_ASYNC, FOR_MEMSTALL },
	{ "async_leave", "high_work_func", GROUP_ASYNC, FOR_MEMSTALL },
};

_Static_assert(ARRAY_SIZE(uses) <= PROGRAMS_MAX, "a link for each");

static const char *programs_way_name(const struct stall_programs *programs)
{
	return stall_way_name(programs->way == FOR_MEMSTALL ? STALL_BPF : STALL_TRACEPOINTS);
}

/* The group without which the way is none. */
static enum group group_needed(const struct stall_programs *programs)
{
	return programs->way == FOR_MEMSTALL ? GROUP_MEMSTALL : GROUP_MEMCG;
}

static bool is_used(const struct stall_programs *programs, const struct use *use)
{
	return use->ways & programs->way && programs->taken[use->group];
}

static bool kernel_has(const struct btf *btf, const struct use *use)
{
	char name[96];

	if (!(use->ways & FOR_TRACEPOINTS))
		return btf__find_by_name_kind(btf, use->symbol, BTF_KIND_FUNC) > 0;
	(void)snprintf(name, sizeof(name), "btf_trace_%s", use->symbol);
	return btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF) > 0;
}

/* By the kernel's own description of itself: a program on what is not there would fail them all. */
static int programs_choose(struct stall_programs *programs)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has[GROUP_MAX] = { false };

	if (!btf)
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
		if (uses[i].ways & programs->way)
			programs->taken[uses[i].group] = true;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		if (!(uses[i].ways & programs->way))
			continue;
		has[uses[i].group] = true;
		if (!kernel_has(btf, &uses[i]))
			programs->taken[uses[i].group] = false;
	}
	btf__free(btf);
	return programs->taken[group_needed(programs)] && has[group_needed(programs)] ? 0 : -ESRCH;
}

static int probe_load(const struct stall_programs *programs, struct stall_probe **ret)
{
	struct stall_probe *probe = stall_probe__open();
	struct bpf_program *program;
	int r;

	if (!probe)
		return -errno;
	probe->rodata->memstall = programs->way == FOR_MEMSTALL;
	probe->rodata->unified = programs->unified;
	probe->rodata->wall = !programs->unified;
	(void)bpf_map__set_max_entries(probe->maps.workloads, LIMIT_WORKLOADS);
	(void)bpf_map__set_max_entries(probe->maps.records, LIMIT_WORKLOADS);
	bpf_object__for_each_program(program, probe->obj)(void)
		bpf_program__set_autoload(program, false);
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		program = bpf_object__find_program_by_name(probe->obj, uses[i].program);
		if (program && is_used(programs, &uses[i]))
			(void)bpf_program__set_autoload(program, true);
	}
	r = stall_probe__load(probe);
	if (r < 0) {
		stall_probe__destroy(probe);
		return r;
	}
	*ret = probe;
	return 0;
}

/* One of them was refused: which? Each group alone, the one that is needed first. */
static int programs_sieve(struct stall_programs *programs)
{
	struct stall_programs one = { .way = programs->way, .unified = programs->unified };
	enum group needed = group_needed(programs);

	for (unsigned int i = 0; i < GROUP_MAX; i++) {
		unsigned int group = (needed + i) % GROUP_MAX;
		struct stall_probe *probe = NULL;
		int r;

		if (!programs->taken[group])
			continue;
		one.taken[group] = true;
		r = probe_load(&one, &probe);
		one.taken[group] = false;
		if (r < 0 && group == needed)
			return r;
		programs->taken[group] = r >= 0;
		if (probe)
			stall_probe__destroy(probe);
	}
	return probe_load(programs, &programs->probe);
}

static void group_detach(struct stall_programs *programs, enum group group)
{
	programs->taken[group] = false;
	for (size_t i = 0; i < ARRAY_SIZE(uses); i++) {
		if (uses[i].group != group)
			continue;
		bpf_link__destroy(programs->links[i]);
		programs->links[i] = NULL;
	}
}

/* A function may be in the description and yet take no program (EBUSY). What ends a wait is
 * attached before what begins it: see the order of struct use's pairs, which is walked backwards.
 */
static int programs_attach(struct stall_programs *programs)
{
	for (size_t i = ARRAY_SIZE(uses); i-- > 0;) {
		struct bpf_program *program;
		int r;

		if (!is_used(programs, &uses[i]))
			continue;
		program = bpf_object__find_program_by_name(programs->probe->obj, uses[i].program);
		programs->links[i] = bpf_program__attach(program);
		r = programs->links[i] ? 0 : -errno;
		/* The link holds it: an fd less. */
		bpf_program__unload(program);
		if (r < 0) {
			if (uses[i].group == group_needed(programs))
				return r;
			group_detach(programs, uses[i].group);
		}
	}
	return 0;
}

static void programs_say_missed(struct stall *stall, const struct stall_programs *programs)
{
	for (unsigned int group = 0; group < GROUP_MAX; group++) {
		bool wanted = false;

		for (size_t i = 0; i < ARRAY_SIZE(uses); i++)
			wanted |= uses[i].group == group && uses[i].ways & programs->way;
		if (wanted && !programs->taken[group] && group_missed[group])
			stall_say(stall, "%s: this kernel does not show %s",
				  programs_way_name(programs), group_missed[group]);
	}
	if (programs->way == FOR_TRACEPOINTS)
		stall_say(stall, "tracepoints: swap-ins and refaults are not seen%s",
			  stall->hierarchy->mounts[CONTROLLER_MEMORY].version == 2
				  ? " and are in \"memory_other\""
				  : "");
}

struct stall_programs *programs_free(struct stall_programs *programs)
{
	if (!programs)
		return NULL;
	for (unsigned int group = 0; group < GROUP_MAX; group++)
		group_detach(programs, group);
	stall_table_done(&programs->table);
	if (programs->probe)
		stall_probe__destroy(programs->probe);
	free(programs);
	return NULL;
}
DEFINE_CLEANUP(struct stall_programs *, programs_free);

static int programs_load(struct stall_programs *programs)
{
	int r = programs_choose(programs);

	if (r < 0)
		return r;
	r = probe_load(programs, &programs->probe);
	if (r < 0)
		r = programs_sieve(programs);
	/* libbpf may fail without an errno. */
	if (r < 0 || !programs->probe)
		return r < 0 ? r : -ENODATA;
	stall_table_init(&programs->table, bpf_map__fd(programs->probe->maps.workloads),
			 bpf_map__fd(programs->probe->maps.records));
	programs->table_version = &programs->probe->bss->table_version;
	return programs_attach(programs);
}

static struct stall_programs *programs_of(struct load *load)
{
	return container_of(load, struct stall_programs, load);
}

static int load_run(struct load *load)
{
	return programs_load(programs_of(load));
}

static void load_free(struct load *load)
{
	(void)programs_free(programs_of(load));
}

static void programs_say_refused(struct stall *stall, const struct stall_programs *programs,
				 int error)
{
	bool denied = error == -EPERM || error == -EACCES;

	stall_say(stall, "%s: %s", programs_way_name(programs),
		  error == -ESRCH                 ? "this kernel lacks what they are for"
		  : !denied                       ? strerror(-error)
		  : programs->way == FOR_MEMSTALL ? "this kernel refuses programs on functions"
						  : "this kernel or user may not load programs");
}

int programs_start(struct stall *stall, unsigned int way)
{
	CLEANUP(programs_freep) struct stall_programs *programs = calloc(1, sizeof(*programs));
	int r;

	if (!programs)
		return -ENOMEM;
	programs->load = (struct load){ .run = load_run, .free = load_free };
	programs->way = way;
	programs->unified = stall->hierarchy->mounts[CONTROLLER_MEMORY].version == 2;
	if (stall->hierarchy->mounts[CONTROLLER_MEMORY].version == 0) {
		stall_say(stall, "%s: no memory controller is mounted",
			  programs_way_name(programs));
		return -ENODEV;
	}
	/* Below another root there are no groups of this kernel. */
	if (faccessat(stall->root->root, "sys/kernel/btf/vmlinux", R_OK, 0) < 0) {
		stall_say(stall, "%s: no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)",
			  programs_way_name(programs));
		return -ENOENT;
	}
	r = loader_start(stall->loader, &programs->load);
	if (r < 0) {
		stall_say(stall, "%s: no thread to load programs with: %s",
			  programs_way_name(programs), strerror(-r));
		return r;
	}
	stall->load = &TAKE_PTR(programs)->load;
	return 0;
}

int programs_loaded(struct stall *stall, struct load *load)
{
	struct stall_programs *programs = programs_of(load);
	int r = load_take(load);

	if (r < 0) {
		programs_say_refused(stall, programs, r);
		(void)programs_free(programs);
		return r;
	}
	programs_say_missed(stall, programs);
	stall->programs = programs;
	return 0;
}
