/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/snapshot.h"

#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "monotonic.h"
#include "parse.h"
#include "telemetry/node.h"

#define STAT_TEXT 4096u /* of cpu.stat; the kernel's is below 1 KiB */
#define PSI_TEXT  512u

int snapshot_init(struct snapshot *snapshot, const struct sysroot *root,
		  const struct hierarchy *hierarchy)
{
	long ticks = sysconf(_SC_CLK_TCK);

	*snapshot = (struct snapshot){
		.root = root,
		.hierarchy = hierarchy,
		.clock_ticks = ticks > 0 ? (uint64_t)ticks : 100,
	};
	return 0;
}

void snapshot_done(struct snapshot *snapshot)
{
	struct workload_sample *sample;

	hashmap_foreach (sample, &snapshot->by_id)
		free(sample);
	hashmap_done(&snapshot->by_id);
}

bool snapshot_is_fresh(const struct snapshot *snapshot, uint64_t now, uint64_t max_age_usec)
{
	return snapshot->generation > 0 &&
	       (now <= snapshot->time_usec || now - snapshot->time_usec <= max_age_usec);
}

void snapshot_begin(struct snapshot *snapshot)
{
	snapshot->generation++;
	snapshot->time_usec = monotonic_usec();
	snapshot->errors += node_read(snapshot->root, snapshot->clock_ticks, &snapshot->node);
}

/* One group while it is read. */
struct reading {
	struct snapshot *snapshot;
	const struct cgroup *group;
	struct workload_sample sample;
	bool gone;
	unsigned int found; /* hierarchies that it is in */
};

/* A file that this kernel or host does not have leaves its value alone; a group that went while it
 * is read says ENODEV. */
static void note_error(struct reading *reading, int error)
{
	if (error == -ENODEV)
		reading->gone = true;
	else if (error != -ENOENT && error != -EOPNOTSUPP && error != -ENODATA)
		reading->snapshot->errors++;
}

static int group_open(struct reading *reading, enum controller controller)
{
	int fd;

	if (reading->group->inode[controller] == 0)
		return -ENODEV;
	fd = cgroup_open(reading->snapshot->hierarchy, reading->group, controller);
	if (fd == -ENOENT || fd == -ESTALE)
		reading->gone = true;
	else if (fd < 0 && fd != -ENODEV)
		reading->snapshot->errors++;
	reading->found += fd >= 0;
	return fd;
}

static void read_number(struct reading *reading, int fd, const char *name, uint64_t unit,
			uint64_t *value)
{
	uint64_t number;
	int r = file_read_u64(fd, name, &number);

	if (r < 0)
		note_error(reading, r);
	else
		*value = number / unit;
}

/* "KEY NUMBER" lines, read once for all keys. */
static void read_stat(struct reading *reading, int fd, uint64_t unit, const char *const *keys,
		      uint64_t *const *values, size_t count)
{
	char text[STAT_TEXT], *save = NULL;
	int r = file_read(fd, "cpu.stat", text, sizeof(text));

	if (r < 0) {
		note_error(reading, r);
		return;
	}
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *space = strchr(line, ' ');
		uint64_t number;

		if (!space)
			continue;
		*space = '\0';
		for (size_t i = 0; i < count; i++)
			if (strcmp(line, keys[i]) == 0 && parse_u64(space + 1, &number) == 0)
				*values[i] = number / unit;
	}
}

static void read_pressure(struct reading *reading, int fd, const char *name, uint64_t *some,
			  uint64_t *full)
{
	char text[PSI_TEXT];
	struct psi psi;
	int r = file_read(fd, name, text, sizeof(text));

	if (r >= 0)
		r = psi_parse(text, &psi);
	if (r < 0) {
		note_error(reading, r);
		return;
	}
	if (some && psi.some.present)
		*some = psi.some.total_usec;
	if (full && psi.full.present)
		*full = psi.full.total_usec;
}

static void read_pressures(struct reading *reading, int fd)
{
	struct workload_sample *sample = &reading->sample;

	read_pressure(reading, fd, "cpu.pressure", &sample->cpu_some_usec, NULL);
	read_pressure(reading, fd, "memory.pressure", &sample->memory_some_usec,
		      &sample->memory_full_usec);
	read_pressure(reading, fd, "io.pressure", &sample->io_some_usec, NULL);
}

static void read_cpu_v2(struct reading *reading)
{
	static const char *const keys[] = { "usage_usec", "throttled_usec" };
	uint64_t *const values[] = { &reading->sample.cpu_usage_usec,
				     &reading->sample.cpu_throttled_usec };
	cleanup_close int fd = group_open(reading, CONTROLLER_CPU);

	if (fd < 0)
		return;
	read_stat(reading, fd, 1, keys, values, ARRAY_SIZE(keys));
	read_pressures(reading, fd);
}

static void read_cpu_v1(struct reading *reading)
{
	static const char *const keys[] = { "throttled_time" };
	uint64_t *const values[] = { &reading->sample.cpu_throttled_usec };
	cleanup_close int fd = group_open(reading, CONTROLLER_CPU);

	if (fd >= 0)
		read_stat(reading, fd, NSEC_PER_USEC, keys, values, ARRAY_SIZE(keys));
}

static void read_cpuacct_v1(struct reading *reading)
{
	cleanup_close int fd = group_open(reading, CONTROLLER_CPUACCT);

	if (fd < 0)
		return;
	read_number(reading, fd, "cpuacct.usage", NSEC_PER_USEC, &reading->sample.cpu_usage_usec);
	/* openEuler and Kylin with psi_v1=1 put the pressure of all three here. */
	read_pressures(reading, fd);
}

static void read_memory(struct reading *reading, int version)
{
	cleanup_close int fd = group_open(reading, CONTROLLER_MEMORY);

	if (fd >= 0)
		read_number(reading, fd, version == 2 ? "memory.current" : "memory.usage_in_bytes",
			    1, &reading->sample.memory_bytes);
}

static void snapshot_forget(struct snapshot *snapshot, uint64_t id)
{
	free(hashmap_remove_u64(&snapshot->by_id, id));
}

int snapshot_take(struct snapshot *snapshot, uint64_t id, const struct cgroup *group)
{
	const struct hierarchy_mount *mounts = snapshot->hierarchy->mounts;
	struct workload_sample *sample = hashmap_get_u64(&snapshot->by_id, id);
	struct reading reading = { .snapshot = snapshot, .group = group };
	int r;

	/* What cannot be read this time stays as it was: counters only grow. */
	if (sample)
		reading.sample = *sample;
	reading.sample.size = sizeof(reading.sample);
	reading.sample.generation = snapshot->generation;
	reading.sample.time_usec = monotonic_usec();
	if (mounts[CONTROLLER_CPU].version == 2) {
		read_cpu_v2(&reading);
	} else {
		read_cpu_v1(&reading);
		read_cpuacct_v1(&reading);
	}
	read_memory(&reading, mounts[CONTROLLER_MEMORY].version);
	if (reading.gone || reading.found == 0) {
		snapshot_forget(snapshot, id);
		return -ENOENT;
	}
	if (!sample) {
		sample = calloc(1, sizeof(*sample));
		if (!sample)
			return -ENOMEM;
		r = hashmap_put_u64(&snapshot->by_id, id, sample);
		if (r < 0) {
			free(sample);
			return r;
		}
	}
	*sample = reading.sample;
	return 0;
}

void snapshot_end(struct snapshot *snapshot)
{
	struct workload_sample *sample;
	size_t index = 0;

	/* The map's key is the id, which a sample does not hold: the slot tells it. */
	while ((sample = hashmap_next(&snapshot->by_id, &index)))
		if (sample->generation != snapshot->generation)
			snapshot_forget(snapshot, snapshot->by_id.slots[index - 1].hash);
	snapshot->duration_usec = monotonic_usec() - snapshot->time_usec;
}

const struct workload_sample *snapshot_get(const struct snapshot *snapshot, uint64_t id)
{
	return hashmap_get_u64(&snapshot->by_id, id);
}
