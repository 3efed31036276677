/* SPDX-License-Identifier: Apache-2.0 */
/* machine.c - the source of virtual machines: its state, and when to look at processes. */
#include <assert.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "macro.h"
#include "monotonic.h"
#include "source/machine/internal.h"

#define WALK_USEC     (60 * USEC_PER_SEC)
#define WALK_ACCURACY (5 * USEC_PER_SEC)
#define LOOK_ACCURACY (20 * USEC_PER_MSEC)

static_assert(offsetof(struct machines, tree) == 0, "the source is allocated as its whole");

/* "2 machines (machined)", "3 machines (2 machined, 1 command line)". */
static void state_machines(const struct machines *self, char *text, size_t size)
{
	static const char *const ways[] = { MACHINE_VIA_BUS, MACHINE_VIA_SCOPE,
					    MACHINE_VIA_PROCESS };
	const struct machine *machine;
	size_t total = self->told, length;

	if (total == 0) {
		(void)snprintf(text, size, "no machines here yet");
		return;
	}
	length = (size_t)snprintf(text, size, "%zu machine%s (", total, total == 1 ? "" : "s");
	for (size_t i = 0; i < ARRAY_SIZE(ways) && length < size; i++) {
		size_t count = 0;

		hashmap_foreach (machine, &self->by_cgroup)
			count += machine->told && strcmp(machine->via, ways[i]) == 0;
		if (count == total)
			length += (size_t)snprintf(text + length, size - length, "%s", ways[i]);
		else if (count > 0)
			length += (size_t)snprintf(text + length, size - length, "%s%zu %s",
						   text[length - 1] == '(' ? "" : ", ", count,
						   ways[i]);
	}
	if (length + 1 < size)
		(void)snprintf(text + length, size - length, ")");
}

void machines_update_state(struct machines *self)
{
	struct source *source = &self->tree.source;
	char text[96], shared[128] = "";

	source->workloads = self->told;
	/* While the tree is incomplete its own state is told; of many answers of a bus the last one
	 * counts. */
	if (!self->tree.has_tree || self->tree.tree.incomplete ||
	    (source->state == SOURCE_STARTING && !machine_bus_is_settled(&self->bus)))
		return;
	state_machines(self, text, sizeof(text));
	if (self->shared == 1)
		(void)snprintf(shared, sizeof(shared),
			       "; 1 QEMU process in a shared group: give it one of its own, e.g. "
			       "systemd-run --scope");
	else if (self->shared > 1)
		(void)snprintf(shared, sizeof(shared),
			       "; %zu QEMU processes in shared groups: give each one of its own, "
			       "e.g. systemd-run --scope",
			       self->shared);
	if (!self->walked || !machine_bus_is_settled(&self->bus))
		source_set_state(source, SOURCE_STARTING, "looking; %s", text);
	else
		source_set_state(source, SOURCE_READY, "%s%s%s%s", text, shared,
				 self->bus.why[0] ? "; " : "", self->bus.why);
}

/* Every minute, where a machine could come that no name of a group tells of. */
static bool walks_go_on(const struct machines *self)
{
	return self->enabled == SWITCH_TRUE || self->by_cgroup.count > 0 || self->qemu_seen ||
	       faccessat(self->tree.source.context->root->root, "dev/kvm", F_OK, 0) == 0;
}

static void look_start(struct machines *self, bool walk);

static void on_looked(void *data, void *job, int result)
{
	struct machines *self = data;
	struct machine_look *look = job;
	bool again = self->walk_again;

	self->look = NULL;
	self->walk_again = false;
	if (result < 0) {
		self->tree.source.errors++;
		log_debug("cannot look at the machines' processes: %s", strerrordesc_np(-result));
	} else {
		if (look->walk) {
			self->shared = look->shared;
			self->qemu_seen = look->seen;
		}
		machines_hear_look(self, look);
	}
	self->walked |= look->walk;
	if (look->walk || !self->walk_due_usec)
		self->walk_due_usec = walks_go_on(self) ? monotonic_usec() + WALK_USEC : 0;
	machine_look_free(look);
	if (again)
		look_start(self, true);
	machines_arm(self);
	machines_update_state(self);
}

static int look_fill(struct machines *self, struct machine_look *look, uint64_t now)
{
	struct machine *machine;
	int r;

	hashmap_foreach (machine, &self->by_cgroup) {
		if (!look->walk && (!machine->due_usec || machine->due_usec > now))
			continue;
		/* The look decides what comes next. */
		machine->due_usec = 0;
		r = machine_look_add(look, machine->cgroup);
		if (r < 0)
			return r;
	}
	return 0;
}

DEFINE_CLEANUP(struct machine_look *, machine_look_free);

static int look_add(struct machines *self, bool walk)
{
	const struct source_context *context = self->tree.source.context;
	CLEANUP(machine_look_freep) struct machine_look *look = NULL;
	int r;

	r = machine_look_new(context->root, context->hierarchy, walk, &look);
	if (r >= 0)
		r = look_fill(self, look, monotonic_usec());
	if (r >= 0 && !walk && look->group_count == 0)
		return 0;
	if (r >= 0 && !self->pool)
		r = worker_pool_new(context->event, 1, 1, &self->pool);
	if (r >= 0)
		r = worker_pool_add(self->pool, machine_look_run, on_looked, look, self);
	if (r < 0)
		return r;
	self->look = TAKE_PTR(look);
	return 0;
}

static void look_start(struct machines *self, bool walk)
{
	int r;

	if (self->look) {
		self->walk_again |= walk;
		return;
	}
	r = look_add(self, walk);
	if (r >= 0)
		return;
	/* What the names say is known without it. */
	self->tree.source.errors++;
	log_warning("cannot look at the machines' processes, trying again in a minute: %s",
		    strerrordesc_np(-r));
	self->walked = true;
	self->walk_due_usec = monotonic_usec() + WALK_USEC;
	machines_arm(self);
}

void machines_walk(struct machines *self)
{
	look_start(self, true);
}

static int on_timer(sd_event_source *event_source, uint64_t usec, void *data)
{
	struct machines *self = data;
	uint64_t now = monotonic_usec();
	bool walk = self->walk_due_usec && self->walk_due_usec <= now;

	(void)event_source;
	(void)usec;
	if (self->bus.due_usec && self->bus.due_usec <= now)
		machine_bus_tick(&self->bus);
	if (walk) {
		self->walk_due_usec = 0;
		/* A bus that came after us, where nothing else told of it. */
		machine_bus_open(&self->bus);
	}
	/* One that is under way arms the clock when it has ended. */
	if (!self->look || walk)
		look_start(self, walk);
	machines_arm(self);
	return 0;
}

static uint64_t due_next(const struct machines *self)
{
	const struct machine *machine;
	uint64_t due = self->bus.due_usec ? self->bus.due_usec : UINT64_MAX;

	/* While a look is under way there is no other. */
	if (self->look)
		return due;
	hashmap_foreach (machine, &self->by_cgroup)
		if (machine->due_usec)
			due = MIN(due, machine->due_usec);
	return due;
}

void machines_arm(struct machines *self)
{
	uint64_t due = due_next(self), accuracy = LOOK_ACCURACY;
	int r;

	if (!self->look && self->walk_due_usec && self->walk_due_usec < due) {
		due = self->walk_due_usec;
		accuracy = WALK_ACCURACY;
	}
	self->timer = sd_event_source_disable_unref(self->timer);
	self->armed_usec = due;
	if (due == UINT64_MAX)
		return;
	r = sd_event_add_time(self->tree.source.context->event, &self->timer, CLOCK_MONOTONIC, due,
			      accuracy, on_timer, self);
	if (r < 0)
		log_error("source machines has no clock: %s", strerrordesc_np(-r));
	else
		(void)sd_event_source_set_description(self->timer, "machines");
}

void machines_arm_by(struct machines *self, uint64_t due_usec)
{
	if (due_usec < self->armed_usec)
		machines_arm(self);
}

/* Everything but the source itself. */
static void machines_stop(struct machines *self, bool tell)
{
	self->timer = sd_event_source_disable_unref(self->timer);
	tree_source_close(&self->tree);
	self->pool = worker_pool_free(self->pool);
	self->look = machine_look_free(self->look);
	machine_bus_close(&self->bus);
	machines_table_clear(self, tell);
	self->walked = self->walk_again = self->qemu_seen = false;
	self->shared = 0;
	self->walk_due_usec = 0;
	self->armed_usec = UINT64_MAX;
}

static int machines_apply(struct source *source, const struct settings *settings)
{
	struct machines *self = machines_of(tree_source_of(source));
	int r;

	self->enabled = settings->machines_enabled;
	if (self->enabled == SWITCH_FALSE) {
		machines_stop(self, true);
		source_set_state(source, SOURCE_OFF, "sources.machines.enabled is false");
		return 0;
	}
	if (source->context->hierarchy->mode == HIERARCHY_NONE) {
		machines_stop(self, true);
		source_set_state(source, self->enabled == SWITCH_TRUE ? SOURCE_DOWN : SOURCE_OFF,
				 "no cgroup file system is mounted");
		return 0;
	}
	tree_source_close(&self->tree);
	self->tree.is_auto = self->enabled == SWITCH_AUTO;
	machine_bus_refresh(&self->bus);
	r = machines_tree_patterns(&self->tree.globs);
	if (r == 0)
		r = tree_source_open(&self->tree);
	if (r < 0)
		return r;
	if (self->tree.tree.mount_count == 0) {
		machines_stop(self, true); /* tree_source_open() has said why */
		return 0;
	}
	look_start(self, true);
	machines_arm(self);
	machines_update_state(self);
	return 0;
}

static struct source *machines_free(struct source *source)
{
	struct machines *self;

	if (!source)
		return NULL;
	self = machines_of(tree_source_of(source));
	machines_stop(self, false);
	free(self);
	return NULL;
}

static int machines_new(const struct source_context *context, struct source **ret)
{
	struct machines *self;
	int r = tree_source_new(&source_machine, &machines_tree_ops, sizeof(struct machines),
				context, ret);

	if (r < 0)
		return r;
	self = machines_of(tree_source_of(*ret));
	self->armed_usec = UINT64_MAX;
	machine_bus_init(&self->bus, self);
	return 0;
}

const struct source_ops source_machine = {
	.name = "machines",
	.rank = 15,
	.new = machines_new,
	.apply = machines_apply,
	.free = machines_free,
};
