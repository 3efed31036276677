/* SPDX-License-Identifier: Apache-2.0 */
/* table.c - one machine for each cgroup, from what the three ways say of it. */
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "source/machine/internal.h"

#ifndef SYS_pidfd_open /* headers from before Linux 5.3 */
#define SYS_pidfd_open 434
#endif

/* From when the group was seen: a libvirt that is busy takes seconds from there to the vCPUs. */
static const uint64_t look_delays[] = {
	100 * USEC_PER_MSEC, 400 * USEC_PER_MSEC, 2 * USEC_PER_SEC,
	6 * USEC_PER_SEC,    20 * USEC_PER_SEC,
};

static void exit_unwatch(struct machine *machine)
{
	machine->exit = sd_event_source_disable_unref(machine->exit);
	machine->pid_fd = close_keep_errno(machine->pid_fd);
}

static struct machine *machine_free(struct machine *machine)
{
	if (!machine)
		return NULL;
	exit_unwatch(machine);
	machine_finding_done(&machine->found);
	free(machine->cgroup);
	free(machine->scope_name);
	free(machine->bus_name);
	free(machine->bus_uuid);
	free(machine);
	return NULL;
}

DEFINE_CLEANUP(struct machine *, machine_free);

static int machine_ensure(struct machines *self, const char *cgroup, struct machine **ret)
{
	struct machine *known = hashmap_get(&self->by_cgroup, cgroup);
	CLEANUP(machine_freep) struct machine *machine = NULL;
	int r;

	if (known) {
		*ret = known;
		return 0;
	}
	if (self->by_cgroup.count >= LIMIT_MACHINES)
		return -ENOSPC;
	machine = calloc(1, sizeof(*machine));
	if (!machine)
		return -ENOMEM;
	machine->machines = self;
	machine->pid_fd = -EBADF;
	machine->cgroup = strdup(cgroup);
	if (!machine->cgroup)
		return -ENOMEM;
	r = hashmap_put(&self->by_cgroup, machine->cgroup, machine);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(machine);
	return 0;
}

static void machine_untell(struct machine *machine)
{
	struct machines *self = machine->machines;

	if (!machine->told)
		return;
	registry_drop(self->tree.source.context->registry, source_machine.name, machine->cgroup);
	machine->told = false;
	self->told--;
}

static void machine_forget(struct machine *machine)
{
	machine_untell(machine);
	hashmap_remove(&machine->machines->by_cgroup, machine->cgroup);
	machine_free(machine);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The command line has the true name; that of a scope was cut and cleaned of what it cannot hold.
 */
static void machine_names(const struct machine *machine, struct workload_record *record)
{
	const char *given = machine->bus_name ? machine->bus_name : machine->scope_name;
	const char *domain = given ? machine_name_domain(given) : NULL;

	record->name = machine->found.name ? machine->found.name : domain ? domain : given;
	if (!record->name)
		record->name = base_name(machine->cgroup);
	if (given && strcmp(given, record->name) != 0)
		record->alias = given;
}

/* struct label has plain pointers, which the registry only reads. */
static void fact_add(struct label *facts, size_t *count, const char *key, char *value)
{
	union {
		const char *constant;
		char *plain;
	} name = { .constant = key };

	if (value)
		facts[(*count)++] = (struct label){ name.plain, value };
}

static int machine_put(struct machine *machine)
{
	struct source *source = &machine->machines->tree.source;
	struct machine_finding *found = &machine->found;
	struct label facts[4];
	struct workload_record record = {
		.kind = "vm",
		.namespace = "",
		.cgroup = machine->cgroup,
		.uid = machine->bus_uuid ? machine->bus_uuid : found->uuid,
		.leader = machine->bus_leader ? machine->bus_leader : found->leader,
		.facts = facts,
	};

	machine_names(machine, &record);
	fact_add(facts, &record.fact_count, "vcpus", found->vcpus);
	fact_add(facts, &record.fact_count, "vcpu threads", found->threads);
	fact_add(facts, &record.fact_count, "emulator", found->emulator);
	fact_add(facts, &record.fact_count, "iothreads", found->iothreads);
	machine->via = machine->bus_name     ? MACHINE_VIA_BUS
		       : machine->scope_name ? MACHINE_VIA_SCOPE
					     : MACHINE_VIA_PROCESS;
	record.via = machine->via;
	return registry_put(source->context->registry, source->ops->name, source->ops->rank,
			    &record);
}

/* The group is not there: machined tells of a machine before systemd has made its group, and until
 * after that went. */
static void machine_groupless(struct machine *machine)
{
	machine->walked = false;
	free(TAKE_PTR(machine->scope_name));
	machine_finding_done(&machine->found);
	exit_unwatch(machine);
	if (!machine->bus_name)
		machine_forget(machine);
}

/* Tell the registry what is known now. False: the machine is not there, and may be forgotten. */
static bool machine_tell(struct machine *machine)
{
	struct machines *self = machine->machines;
	int r;

	if (!machine->bus_name && !machine->scope_name && !machine->walked) {
		machine_forget(machine);
		return false;
	}
	r = machine_put(machine);
	if (r >= 0) {
		self->told += !machine->told;
		machine->told = true;
		return true;
	}
	machine_untell(machine);
	if (r == -ENOENT) {
		machine_groupless(machine);
	} else if (r != -ENOSPC) {
		self->tree.source.errors++;
		log_debug("ignoring machine '%s': %s", machine->cgroup, strerrordesc_np(-r));
	}
	return false;
}

static void machine_look_later(struct machine *machine)
{
	if (machine->looks < ARRAY_SIZE(look_delays))
		machine->due_usec = monotonic_usec() + look_delays[machine->looks];
	else
		machine->due_usec = 0;
	machine->looks++;
}

static void machine_look_anew(struct machine *machine)
{
	machine->looks = 0;
	machine->due_usec = monotonic_usec();
	machines_arm_by(machine->machines, machine->due_usec);
}

static void text_replace(char **text, const char *by, struct source *source)
{
	char *copy = NULL;

	if (*text && by && strcmp(*text, by) == 0)
		return;
	if (by) {
		copy = strdup(by);
		source->errors += !copy;
	}
	free(*text);
	*text = copy;
}

bool machines_hear_tree(struct machines *self, const char *cgroup, const char *name)
{
	struct machine *machine;
	bool is_new, there;
	int r = machine_ensure(self, cgroup, &machine);

	if (r < 0) {
		self->tree.source.errors++;
		log_debug("ignoring machine '%s': %s", cgroup, strerrordesc_np(-r));
		return false;
	}
	is_new = !machine->scope_name || !machine->told;
	text_replace(&machine->scope_name, name, &self->tree.source);
	there = machine_tell(machine);
	if (there && is_new)
		machine_look_anew(machine);
	return there;
}

void machines_check_tree(struct machines *self)
{
	struct machine *machine;

	hashmap_foreach (machine, &self->by_cgroup)
		if (machine->scope_name)
			(void)machine_tell(machine);
}

void machines_hear_bus(struct machines *self, const char *cgroup, const char *name,
		       const char *uuid, pid_t leader)
{
	struct machine *machine = hashmap_get(&self->by_cgroup, cgroup);
	bool is_new = !machine;
	int r;

	if (!machine && !name)
		return;
	if (!machine) {
		r = machine_ensure(self, cgroup, &machine);
		if (r < 0) {
			self->tree.source.errors++;
			log_debug("ignoring machine '%s': %s", cgroup, strerrordesc_np(-r));
			return;
		}
	}
	text_replace(&machine->bus_name, name, &self->tree.source);
	text_replace(&machine->bus_uuid, uuid && uuid[0] ? uuid : NULL, &self->tree.source);
	machine->bus_leader = leader;
	if (machine_tell(machine) && is_new)
		machine_look_anew(machine);
}

static int on_exit_of_leader(sd_event_source *event_source, int fd, uint32_t revents, void *data)
{
	struct machine *machine = data;

	(void)event_source;
	(void)fd;
	(void)revents;
	exit_unwatch(machine);
	machines_walk(machine->machines);
	return 0;
}

/* Nothing tells of the end of a group that is in no directory that is watched; without pidfds
 * (Linux before 5.3) it is the next walk. */
static void exit_watch(struct machine *machine)
{
	int r;

	if (machine->exit || !machine->walked || machine->scope_name || machine->bus_name)
		return;
	machine->pid_fd = (int)syscall(SYS_pidfd_open, machine->found.leader, 0);
	if (machine->pid_fd < 0) {
		machine->pid_fd = -EBADF;
		return;
	}
	r = sd_event_add_io(machine->machines->tree.source.context->event, &machine->exit,
			    machine->pid_fd, EPOLLIN, on_exit_of_leader, machine);
	if (r < 0)
		exit_unwatch(machine);
}

static bool finding_is_complete(const struct machine_finding *finding)
{
	return finding->leader && finding->has_groups && finding->threads;
}

static void machine_take(struct machine *machine, struct machine_finding *finding)
{
	bool was_complete = finding_is_complete(&machine->found);

	if (machine->found.leader != finding->leader)
		exit_unwatch(machine);
	machine_finding_done(&machine->found);
	machine->found = *finding;
	*finding = (struct machine_finding){ .leader = 0 };
	/* vCPUs come one by one: once more after the first. */
	if (was_complete && finding_is_complete(&machine->found))
		machine->looks = ARRAY_SIZE(look_delays);
	machine_look_later(machine);
	exit_watch(machine);
	(void)machine_tell(machine);
}

static void walk_hear(struct machines *self, struct machine_finding *finding)
{
	struct machine *machine;
	int r = machine_ensure(self, finding->cgroup, &machine);

	if (r < 0) {
		self->tree.source.errors++;
		log_debug("ignoring machine '%s': %s", finding->cgroup, strerrordesc_np(-r));
		return;
	}
	machine->walked = true;
	machine_take(machine, finding);
}

void machines_hear_look(struct machines *self, struct machine_look *look)
{
	struct machine *machine;

	for (size_t i = 0; i < look->group_count && i < look->count; i++) {
		machine = hashmap_get(&self->by_cgroup, look->groups[i]);
		if (machine && look->findings[i].cgroup)
			machine_take(machine, &look->findings[i]);
	}
	if (!look->walk)
		return;
	hashmap_foreach (machine, &self->by_cgroup)
		machine->walked = false;
	for (size_t i = look->group_count; i < look->count; i++)
		if (look->findings[i].cgroup)
			walk_hear(self, &look->findings[i]);
	/* What nobody knows of any more, and groups that went unseen. */
	hashmap_foreach (machine, &self->by_cgroup)
		(void)machine_tell(machine);
}

void machines_table_clear(struct machines *self, bool tell)
{
	struct machine *machine;

	hashmap_foreach (machine, &self->by_cgroup) {
		if (tell)
			machine_untell(machine);
		machine_free(machine);
	}
	hashmap_done(&self->by_cgroup);
	self->told = 0;
}
