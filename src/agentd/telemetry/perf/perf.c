/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/perf/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "cleanup.h"
#include "cpulist.h"
#include "file.h"
#include "limit.h"
#include "list.h"
#include "macro.h"
#include "monotonic.h"
#include "telemetry/perf/group.h"
#include "telemetry/perf/probe.h"
#include "telemetry/target.h"

/* One workload that was counted at least once. Its totals stay until it goes. */
struct counted {
	struct list link; /* in perf.windows while it has one */
	uint64_t id, until_usec;
	uint64_t total[PERF_VALUES];
	unsigned int known;       /* the first of them that were counted */
	enum perf_layout layout;  /* of the window */
	int directory;            /* of its group, while files are opened */
	struct perf_group *cpus;  /* NULL: no window */
	unsigned int count, next; /* CPUs of the window; the one that is opened next */
};

struct perf {
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	const struct perf_kind *kind;
	enum perf_layout layout; /* of the windows that begin */
	sd_event *event;
	sd_event_source *step, *timer; /* made with the first window */
	struct hashmap by_id;          /* struct counted */
	struct list windows;
	struct cpulist online; /* as of the last window that began while none was open */
	unsigned int cpus, files, reserved, budget;
	bool tried, available;
	char detail[192];
};

static bool has_window(const struct counted *counted)
{
	return counted->cpus != NULL;
}

/* ---- can it be done ---- */

static int online_read(struct perf *perf)
{
	char text[1024];
	struct cpulist online;
	int r = file_read(perf->root->root, "sys/devices/system/cpu/online", text, sizeof(text));

	if (r >= 0)
		r = cpulist_parse(text, &online);
	if (r < 0)
		return r;
	perf->online = online;
	perf->cpus = cpulist_count(&online);
	return perf->cpus > 0 ? 0 : -ENODEV;
}

static unsigned int first_cpu(const struct cpulist *list, unsigned int from)
{
	while (from < CPULIST_MAX && !cpulist_has(list, from))
		from++;
	return from;
}

static int probe(struct perf *perf)
{
	cleanup_close int directory = -EBADF;
	int r;

	if (!perf->event)
		return -EOPNOTSUPP;
	directory = hierarchy_open_perf_event(perf->hierarchy, perf->root, "");
	if (directory < 0)
		return directory;
	r = online_read(perf);
	return r < 0 ? r
		     : perf_probe(perf->kind, directory, first_cpu(&perf->online, 0),
				  &perf->layout);
}

static void detail_set(struct perf *perf)
{
	(void)snprintf(perf->detail, sizeof(perf->detail),
		       "perf_event_open by group, on %u CPUs, %s", perf->cpus,
		       perf_layout_text(perf->layout));
}

bool perf_available(struct perf *perf, const char **ret_reason)
{
	if (!perf->tried) {
		int r = probe(perf);

		perf->tried = true;
		perf->available = r >= 0;
		if (r < 0)
			(void)snprintf(perf->detail, sizeof(perf->detail), "%s",
				       perf->hierarchy->perf_event_version == 0
					       ? "the cgroup controller perf_event is mounted "
						 "nowhere"
					       : perf_error_text(r));
		else
			detail_set(perf);
	}
	if (ret_reason)
		*ret_reason = perf->detail;
	return perf->available;
}

void perf_recheck(struct perf *perf)
{
	perf->tried = false;
}

/* ---- windows ---- */

static unsigned int window_files(const struct counted *counted)
{
	return perf_layout_values(counted->layout);
}

static void window_read(struct counted *counted)
{
	for (unsigned int i = 0; i < counted->next; i++)
		if (counted->cpus[i].fds[0] >= 0 &&
		    perf_group_read(&counted->cpus[i], counted->total) >= 0)
			counted->known = MAX(counted->known, window_files(counted));
}

/* That the PMU has enough counters was asked when it was probed; that they are free was not. */
static void window_judge(struct perf *perf, const struct counted *counted)
{
	if (perf->layout != PERF_TOGETHER || counted->layout != PERF_TOGETHER ||
	    !perf_groups_starve(counted->cpus, counted->next))
		return;
	perf->layout = PERF_PAIRS;
	detail_set(perf);
}

static void window_close(struct perf *perf, struct counted *counted)
{
	if (!has_window(counted))
		return;
	window_read(counted);
	window_judge(perf, counted);
	for (unsigned int i = 0; i < counted->next; i++) {
		perf->files -= counted->cpus[i].fds[0] >= 0 ? window_files(counted) : 0;
		perf_group_close(&counted->cpus[i]);
	}
	counted->directory = close_keep_errno(counted->directory);
	perf->reserved -= counted->count * window_files(counted);
	free(TAKE_PTR(counted->cpus));
	counted->count = counted->next = 0;
	list_unlink(&counted->link);
}

/* Open some more. How many; -errno: it cannot be counted now. */
static int window_open_some(struct perf *perf, struct counted *counted, unsigned int most)
{
	unsigned int done = 0;

	for (; counted->next < counted->count && done < most; done++) {
		struct perf_group *group = &counted->cpus[counted->next];
		int r = perf_group_open(group, perf->kind, counted->directory);

		/* A CPU that went meanwhile counts nothing. */
		if (r < 0 && r != -ENODEV && r != -ENXIO)
			return r;
		perf->files += r < 0 ? 0 : window_files(counted);
		counted->next++;
	}
	if (counted->next == counted->count)
		counted->directory = close_keep_errno(counted->directory);
	return (int)done;
}

static void timer_arm(struct perf *perf)
{
	const struct counted *counted;
	uint64_t next = UINT64_MAX;

	list_foreach (counted, &perf->windows, link)
		next = MIN(next, counted->until_usec);
	if (next == UINT64_MAX) {
		(void)sd_event_source_set_enabled(perf->timer, SD_EVENT_OFF);
		return;
	}
	(void)sd_event_source_set_time(perf->timer, next);
	(void)sd_event_source_set_enabled(perf->timer, SD_EVENT_ONESHOT);
}

/* The end of one window, or some files of those that begin: what an open costs is an interrupt of
 * another CPU, and there may be thousands to make. */
static int on_step(sd_event_source *source, void *data)
{
	struct perf *perf = data;
	struct counted *counted, *following;
	uint64_t now = monotonic_usec();

	list_foreach_safe (counted, following, &perf->windows, link) {
		if (counted->until_usec <= now) {
			window_close(perf, counted);
			return sd_event_source_set_enabled(source, SD_EVENT_ON);
		}
	}
	list_foreach_safe (counted, following, &perf->windows, link) {
		int r;

		if (counted->next == counted->count)
			continue;
		r = window_open_some(perf, counted, LIMIT_PERF_OPENS);
		/* It is not counted this time; whoever asked sees that nothing has grown. */
		if (r < 0)
			window_close(perf, counted);
		return sd_event_source_set_enabled(source, SD_EVENT_ON);
	}
	timer_arm(perf);
	return sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	const struct perf *perf = data;

	(void)source;
	(void)usec;
	return sd_event_source_set_enabled(perf->step, SD_EVENT_ON);
}

static int sources_make(struct perf *perf)
{
	int r = 0;

	if (!perf->timer)
		r = sd_event_add_time(perf->event, &perf->timer, CLOCK_MONOTONIC, 0,
				      LIMIT_PERF_ACCURACY_USEC, on_timer, perf);
	if (r >= 0)
		r = sd_event_source_set_enabled(perf->timer, SD_EVENT_OFF);
	if (r >= 0 && !perf->step)
		r = sd_event_add_defer(perf->event, &perf->step, on_step, perf);
	return r;
}

static int directory_open(const struct perf *perf, const struct cgroup *group)
{
	const struct hierarchy *hierarchy = perf->hierarchy;

	if (hierarchy->perf_event_version == 2 && hierarchy->mounts[CONTROLLER_CPU].version == 2)
		return cgroup_open(hierarchy, group, CONTROLLER_CPU);
	return hierarchy_open_perf_event(hierarchy, perf->root, group->path);
}

static struct counted *counted_get(struct perf *perf, uint64_t id)
{
	struct counted *counted = hashmap_get_u64(&perf->by_id, id);

	if (counted)
		return counted;
	counted = calloc(1, sizeof(*counted));
	if (!counted)
		return NULL;
	counted->id = id;
	counted->directory = -EBADF;
	if (hashmap_put_u64(&perf->by_id, id, counted) < 0) {
		free(counted);
		return NULL;
	}
	return counted;
}

static unsigned int budget_of_process(void)
{
	struct rlimit limit;
	uint64_t most = LIMIT_PERF_FDS;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		most = MIN(most, (uint64_t)limit.rlim_cur * LIMIT_PERF_FDS_PERCENT / 100);
	return (unsigned int)most;
}

ANALYZER_LEAK_IGNORE_BEGIN
static int window_begin(struct perf *perf, uint64_t id, const struct cgroup *group)
{
	cleanup_close int directory = directory_open(perf, group);
	struct counted *counted;
	unsigned int cpu = 0;

	if (directory < 0)
		return directory;
	if (list_is_empty(&perf->windows) && online_read(perf) < 0)
		return -ENODEV;
	if (perf->reserved + perf->cpus * perf_layout_values(perf->layout) > perf->budget)
		return -ENOSPC;
	counted = counted_get(perf, id);
	if (!counted)
		return -ENOMEM;
	counted->cpus = calloc(perf->cpus, sizeof(*counted->cpus));
	if (!counted->cpus)
		return -ENOMEM;
	counted->count = perf->cpus;
	for (unsigned int i = 0; i < counted->count; i++, cpu++) {
		cpu = first_cpu(&perf->online, cpu);
		counted->cpus[i] = (struct perf_group){ .cpu = cpu, .layout = perf->layout };
	}
	counted->layout = perf->layout;
	perf->reserved += counted->count * window_files(counted);
	counted->directory = TAKE_FD(directory);
	list_append(&perf->windows, &counted->link);
	return 0;
}
ANALYZER_LEAK_IGNORE_END

int perf_count(struct perf *perf, uint64_t id, const struct cgroup *group, uint64_t usec)
{
	struct counted *counted = hashmap_get_u64(&perf->by_id, id);
	uint64_t until = monotonic_usec() + usec;
	int r;

	if (usec == 0 || usec > LIMIT_PERF_USEC)
		return -ERANGE;
	if (!perf_available(perf, NULL))
		return -EOPNOTSUPP;
	r = sources_make(perf);
	if (r < 0)
		return r;
	if (!counted || !has_window(counted)) {
		r = window_begin(perf, id, group);
		if (r < 0)
			return r;
		counted = hashmap_get_u64(&perf->by_id, id);
		counted->until_usec = until;
	}
	counted->until_usec = MAX(counted->until_usec, until);
	return sd_event_source_set_enabled(perf->step, SD_EVENT_ON);
}

unsigned int perf_room(struct perf *perf)
{
	return perf_available(perf, NULL)
		       ? perf->budget / (perf->cpus * perf_layout_values(perf->layout))
		       : 0;
}

unsigned int perf_files(const struct perf *perf)
{
	return perf->files;
}

/* ---- records ---- */

static void counted_drop(struct perf *perf, struct counted *counted)
{
	window_close(perf, counted);
	(void)hashmap_remove_u64(&perf->by_id, counted->id);
	free(counted);
}

void perf_pass(struct perf *perf, const struct hashmap *targets)
{
	static const enum sample_value values[PERF_VALUES] = {
		SAMPLE_CYCLES,
		SAMPLE_INSTRUCTIONS,
		SAMPLE_CACHE_REFERENCES,
		SAMPLE_CACHE_MISSES,
	};
	struct counted *counted;

	hashmap_foreach (counted, &perf->by_id) {
		struct target *target = hashmap_get_u64(targets, counted->id);

		if (has_window(counted))
			window_read(counted);
		/* It went before any pass had a record of it. */
		else if (!target)
			counted_drop(perf, counted);
		if (!target)
			continue;
		for (size_t i = 0; i < counted->known; i++)
			target_set(target, values[i], counted->total[i]);
	}
}

void perf_forget(struct perf *perf, uint64_t id)
{
	struct counted *counted = hashmap_get_u64(&perf->by_id, id);

	if (counted)
		counted_drop(perf, counted);
}

/* ---- life ---- */

int perf_new(const struct sysroot *root, const struct hierarchy *hierarchy, sd_event *event,
	     const struct perf_kind *kind, struct perf **ret)
{
	struct perf *perf = calloc(1, sizeof(*perf));

	if (!perf)
		return -ENOMEM;
	perf->root = root;
	perf->hierarchy = hierarchy;
	perf->event = event;
	perf->kind = kind ? kind : &perf_hardware;
	perf->budget = budget_of_process();
	list_init(&perf->windows);
	*ret = perf;
	return 0;
}

struct perf *perf_free(struct perf *perf)
{
	struct counted *counted;

	if (!perf)
		return NULL;
	hashmap_foreach (counted, &perf->by_id)
		counted_drop(perf, counted);
	hashmap_done(&perf->by_id);
	perf->step = sd_event_source_disable_unref(perf->step);
	perf->timer = sd_event_source_disable_unref(perf->timer);
	free(perf);
	return NULL;
}
