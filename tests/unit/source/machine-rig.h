/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine-rig.h - cgroups and a /proc out of plain directories, and the source of machines on them.
 * Included behind "workload/fake-systemd.h", whose rig it fills.
 */
#pragma once

#include "sysroot.h"
#include "workload/fake-systemd.h"

#define TURN_USEC USEC_PER_SEC /* longest wait for something to happen */
#define TURNS     2000u

struct machine_rig {
	struct rig rig; /* of fake-systemd.h */
	struct sysroot root;
	sd_bus *machined;
	struct fake_machine *machines; /* of fake-machined.h */
};

/* Turn the loop until the condition holds. */
#define run_until(m, condition)                                                      \
	do {                                                                         \
		unsigned int turns = 0;                                              \
		while (!(condition) && turns++ < TURNS)                              \
			assert_ok(sd_event_run((m)->rig.event, TURN_USEC));          \
		if (!(condition))                                                    \
			fail_msg("%s does not come: %s; said %s", #condition,        \
				 (m)->rig.source->detail, tree_said((m)->rig.tree)); \
	} while (0)

static inline void file_write(const char *path, const char *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	if (!file)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_ok(fclose(file));
}

/* A group in a hierarchy, with what its cgroup.procs shows. */
static inline void group_make(struct machine_rig *m, unsigned int mount, const char *group,
			      const char *procs)
{
	char path[512];

	assert_true(snprintf(path, sizeof(path), "%s/%u/%s", m->rig.tree->path, mount, group) <
		    (int)sizeof(path));
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	assert_true(snprintf(path, sizeof(path), "%s/%u/%s/cgroup.procs", m->rig.tree->path, mount,
			     group) < (int)sizeof(path));
	file_write(path, procs, strlen(procs));
}

/* As a whole and at once for those who watch its parent, as kernfs does it. */
static inline void group_remove(struct machine_rig *m, unsigned int mount, const char *group)
{
	char path[512], away[128];

	(void)snprintf(path, sizeof(path), "%s/%u/%s", m->rig.tree->path, mount, group);
	(void)snprintf(away, sizeof(away), "%s/away", m->rig.tree->path);
	assert_ok(rename(path, away));
	assert_ok(nftw(away, tree_unlink, 16, FTW_DEPTH | FTW_PHYS));
}

/* line: the arguments, a '|' after each. cgroup: the text of /proc/PID/cgroup. */
static inline void process_make(struct machine_rig *m, int pid, const char *comm, const char *line,
				const char *cgroup)
{
	char path[256], bytes[1024];
	size_t size = strlen(line);

	assert_true(size < sizeof(bytes));
	for (size_t i = 0; i < size; i++)
		bytes[i] = line[i] == '|' ? '\0' : line[i];
	(void)snprintf(path, sizeof(path), "%s/proc/%d", m->rig.tree->path, pid);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof(path), "%s/proc/%d/comm", m->rig.tree->path, pid);
	file_write(path, comm, strlen(comm));
	(void)snprintf(path, sizeof(path), "%s/proc/%d/cmdline", m->rig.tree->path, pid);
	file_write(path, bytes, size);
	(void)snprintf(path, sizeof(path), "%s/proc/%d/cgroup", m->rig.tree->path, pid);
	file_write(path, cgroup, strlen(cgroup));
}

static inline void process_thread(struct machine_rig *m, int pid, int thread, const char *comm)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/proc/%d/task", m->rig.tree->path, pid);
	assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
	(void)snprintf(path, sizeof(path), "%s/proc/%d/task/%d", m->rig.tree->path, pid, thread);
	assert_ok(mkdir(path, 0700));
	(void)snprintf(path, sizeof(path), "%s/proc/%d/task/%d/comm", m->rig.tree->path, pid,
		       thread);
	file_write(path, comm, strlen(comm));
}

static inline void process_end(struct machine_rig *m, int pid)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/proc/%d", m->rig.tree->path, pid);
	assert_ok(nftw(path, tree_unlink, 16, FTW_DEPTH | FTW_PHYS));
}

static inline struct machine_rig *machine_rig_new(unsigned int mounts)
{
	struct machine_rig *m = calloc(1, sizeof(*m));
	char path[160];

	assert_non_null(m);
	m->rig.tree = tree_new(mounts);
	(void)snprintf(path, sizeof(path), "%s/proc", m->rig.tree->path);
	assert_ok(mkdir(path, 0700));
	m->root = (struct sysroot)SYSROOT_NULL;
	assert_ok(sysroot_open(m->rig.tree->path, &m->root));
	assert_ok(sd_event_new(&m->rig.event));
	m->rig.context = (struct source_context){
		.event = m->rig.event,
		.root = &m->root,
		.hierarchy = &m->rig.tree->hierarchy,
		.registry = &m->rig.tree->registry,
	};
	(void)snprintf(path, sizeof(path), "unix:path=%s/bus", m->rig.tree->path);
	assert_ok(setenv("DBUS_SYSTEM_BUS_ADDRESS", path, 1));
	assert_ok(source_machine.new(&m->rig.context, &m->rig.source));
	return m;
}

static inline void machine_rig_free(struct machine_rig *m)
{
	source_machine.free(m->rig.source);
	m->rig.systemd = sd_bus_close_unref(m->rig.systemd);
	m->machined = sd_bus_close_unref(m->machined);
	daemon_stop(&m->rig);
	sd_event_unref(m->rig.event);
	sysroot_done(&m->root);
	tree_free(m->rig.tree);
	free(m->machines);
	free(m);
}

static inline void machine_apply(struct machine_rig *m, enum auto_switch enabled)
{
	m->rig.tree->settings.machines_enabled = enabled;
	assert_ok(source_machine.apply(m->rig.source, &m->rig.tree->settings));
}

static inline void machine_ready(struct machine_rig *m, enum auto_switch enabled)
{
	machine_apply(m, enabled);
	run_until(m, m->rig.source->state == SOURCE_READY);
}

static inline const struct workload *machine_at(struct machine_rig *m, const char *cgroup)
{
	return registry_find_path(&m->rig.tree->registry, cgroup);
}

static inline const char *machine_fact(const struct workload *workload, const char *key)
{
	const char *value = label_get(workload->facts, workload->fact_count, key);

	return value ? value : "";
}
