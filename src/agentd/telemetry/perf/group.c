/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/perf/group.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "limit.h"

/* Of read(2) of a leader; the order is that of perf_event_open(2), "PERF_FORMAT_GROUP". */
struct perf_reading {
	uint64_t count, enabled_nsec, running_nsec;
	uint64_t value[PERF_VALUES];
};

unsigned int perf_layout_values(enum perf_layout layout)
{
	return layout == PERF_CYCLES ? PERF_PAIR : PERF_VALUES;
}

/* So many are scheduled together. */
static unsigned int together(enum perf_layout layout)
{
	return layout == PERF_TOGETHER ? PERF_VALUES : PERF_PAIR;
}

static int event_open(const struct perf_kind *kind, size_t index, int directory, unsigned int cpu,
		      int leader)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = kind->events[index].type,
		.config = kind->events[index].config,
		.read_format = PERF_FORMAT_GROUP | PERF_FORMAT_TOTAL_TIME_ENABLED |
			       PERF_FORMAT_TOTAL_TIME_RUNNING,
	};
	long fd = syscall(SYS_perf_event_open, &attr, directory, (int)cpu, leader,
			  PERF_FLAG_PID_CGROUP | PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : (int)fd;
}

int perf_group_open(struct perf_group *group, const struct perf_kind *kind, int directory)
{
	unsigned int step = together(group->layout);

	*group = (struct perf_group){ .cpu = group->cpu, .layout = group->layout };
	for (size_t i = 0; i < PERF_VALUES; i++)
		group->fds[i] = -EBADF;
	for (size_t i = 0; i < perf_layout_values(group->layout); i++) {
		int leader = i % step == 0 ? -1 : group->fds[i - i % step];
		int fd = event_open(kind, i, directory, group->cpu, leader);

		if (fd < 0) {
			perf_group_close(group);
			return fd;
		}
		group->fds[i] = fd;
	}
	return 0;
}

void perf_group_close(struct perf_group *group)
{
	for (size_t i = PERF_VALUES; i-- > 0;)
		group->fds[i] = close_keep_errno(group->fds[i]);
}

/* Those that the one at first leads. */
static int read_led(struct perf_group *group, size_t first, uint64_t total[PERF_VALUES])
{
	unsigned int led = together(group->layout);
	size_t most = offsetof(struct perf_reading, value) + led * sizeof(uint64_t);
	struct perf_reading reading;
	uint64_t enabled, running;
	ssize_t size;

	if (group->fds[first] < 0)
		return -EBADF;
	size = read(group->fds[first], &reading, most);
	if (size < 0)
		return -errno;
	if ((size_t)size != most || reading.count != led)
		return -EIO;
	enabled = reading.enabled_nsec - group->enabled_nsec[first];
	running = reading.running_nsec - group->running_nsec[first];
	if (first == 0)
		group->starved_nsec = reading.running_nsec == 0 ? reading.enabled_nsec : 0;
	/* It had no turn yet: what it did not see waits for the next reading. */
	if (running == 0)
		return 0;
	for (size_t i = 0; i < led; i++) {
		uint64_t grown = reading.value[i] - group->value[first + i];

		total[first + i] +=
			running < enabled ? (uint64_t)((unsigned __int128)grown * enabled / running)
					  : grown;
		group->value[first + i] = reading.value[i];
	}
	group->enabled_nsec[first] = reading.enabled_nsec;
	group->running_nsec[first] = reading.running_nsec;
	return 0;
}

int perf_group_read(struct perf_group *group, uint64_t total[PERF_VALUES])
{
	int failed = 0;

	for (size_t i = 0; i < perf_layout_values(group->layout); i += together(group->layout)) {
		int r = read_led(group, i, total);

		if (r < 0)
			failed = r;
	}
	return failed;
}

bool perf_groups_starve(const struct perf_group *groups, size_t count)
{
	uint64_t starved = 0;

	for (size_t i = 0; i < count; i++) {
		if (groups[i].running_nsec[0] > 0)
			return false;
		starved += groups[i].starved_nsec;
	}
	return starved >= LIMIT_PERF_STARVED_NSEC;
}
