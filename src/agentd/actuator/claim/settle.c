/* SPDX-License-Identifier: Apache-2.0 */
/* settle.c - bring the host in line with the claims on one holding. */
#include <errno.h>
#include <string.h>

#include "actuator/claim/internal.h"

#define BACKOFF_FIRST_MSEC 1000u
/* Of what whoever made the group is about to bring: on v2 libvirt and others make a group and then
 * enable its controllers in its parent, which is when its files appear
 * (Documentation/admin-guide/cgroup-v2.rst, "Enabling and Disabling"). Nobody tells of it. */
#define TO_COME_FIRST_MSEC 100u

static bool error_is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENODEV;
}

void holding_unsettle(struct holding *holding)
{
	holding->flags &= (uint16_t)~HOLDING_SETTLED;
	holding->retry_usec = 0;
}

static void holding_log_failure(struct actuator *actuator, const struct holding *holding,
				const char *what)
{
	const struct log_context context = {
		.workload = holding->group->label,
		.knob = knob_table[holding->knob].name,
	};
	/* A group that vanishes is life, and a failure that repeats is told once. */
	int level =
		error_is_gone(holding->error) || holding->backoff_msec ? LOG_DEBUG : LOG_WARNING;

	if (level == LOG_DEBUG || log_limit_pass(&actuator->write_limit, LOG_WARNING))
		log_full(level, &context, "cannot %s %s of '%s': %s", what, context.knob,
			 holding->group->cgroup.path, strerror(-holding->error));
}

/* Runtimes make v1's blkio, cpuset and net_cls groups after those of the hierarchies that are
 * watched. */
static bool knob_waits_for_group(const struct holding *holding)
{
	if (knob_table[holding->knob].flags & KNOB_NET_CLS)
		return true;
	if (knob_table[holding->knob].controller == CONTROLLER_CPUSET)
		return holding->group->cgroup.inode[CONTROLLER_CPUSET] == 0;
	return holding->group->cgroup.inode[CONTROLLER_IO] == 0 &&
	       (knob_table[holding->knob].controller == CONTROLLER_IO ||
		holding->knob == KNOB_MEMORY_WB_BLKIO);
}

void holding_fail(struct actuator *actuator, struct holding *holding, int error, const char *what)
{
	uint64_t now = actuator_now(actuator);
	uint64_t most = MAX(actuator->options.reconcile_interval_usec, USEC_PER_SEC);
	bool is_to_come = error == -ENXIO || (error == -ENOENT && knob_waits_for_group(holding));
	uint32_t first = is_to_come ? TO_COME_FIRST_MSEC : BACKOFF_FIRST_MSEC;

	holding->status = KNOB_FAILED;
	holding->error = error == -ENXIO ? -ENOENT : error;
	if (error == -ENODEV && holding->device) {
		/* The device went, and its lines with it; nobody tells when there is one again. */
		holding_set_text(&holding->written, NULL);
		is_to_come = true;
		first = (uint32_t)(most / USEC_PER_MSEC);
	}
	if (error_is_gone(error) && !is_to_come) {
		/* Its workload's end, or the hierarchy it is still to appear in, will be told. */
		holding->status = KNOB_PENDING;
		holding->retry_usec = 0;
		holding_log_failure(actuator, holding, what);
		return;
	}
	if (error == -EINVAL && (knob_table[holding->knob].flags & KNOB_GROW_UP))
		actuator->refused = true;
	if (is_to_come)
		holding->status = KNOB_PENDING;
	else
		actuator->stats.write_errors++;
	holding_log_failure(actuator, holding, what);
	holding->backoff_msec = holding->backoff_msec ? holding->backoff_msec * 2 : first;
	holding->backoff_msec =
		(uint32_t)MIN((uint64_t)holding->backoff_msec, most / USEC_PER_MSEC);
	holding->retry_usec = now + holding->backoff_msec * USEC_PER_MSEC;
	due_at(actuator, holding->retry_usec);
}

void holding_settle_above(struct actuator *actuator, struct holding *holding)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct group *parent = holding->group->parent;
	struct holding *above;
	uint64_t number;

	if (row->flags & KNOB_GROW_UP)
		grow_settle_above(actuator, holding->group, (enum knob)holding->knob);
	if (!(row->flags & KNOB_SUM_UP))
		return;
	if (!(holding->flags & HOLDING_DEAD) && holding_effective(actuator, holding, &number) &&
	    group_parent(actuator, holding->group, &parent) == 0 &&
	    holding_get(actuator, parent, (enum knob)holding->knob, &above) < 0)
		return;
	above = parent ? holding_find(parent, (enum knob)holding->knob) : NULL;
	if (above)
		holding_settle(actuator, above);
}

void holding_settle_below(struct actuator *actuator, const struct holding *holding)
{
	struct holding *below;

	if (!(knob_table[holding->knob].flags & KNOB_TOP_DOWN))
		return;
	list_foreach (below, &actuator->holdings, list) {
		cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
		struct knob_place place;
		char text[KNOB_TEXT_MAX];

		if (below->knob != holding->knob || !below->written ||
		    (below->flags & HOLDING_DEAD) || !group_is_below(below->group, holding->group))
			continue;
		holding_place(actuator, below, &place);
		if (knob_file_open(&place, false, &file) < 0 ||
		    knob_file_read(&file, text, sizeof(text)) < 0 ||
		    knob_same(place.knob, file.version, text, below->written))
			continue;
		/* Not foreign: it came from our own write. */
		holding_set_text(&below->written, text);
		holding_unsettle(below);
		holding_settle(actuator, below);
	}
}

/* The weight goes out of reach once cpu.idle is 1, and is 100 after: its original is taken now. */
static int settle_lock(struct actuator *actuator, struct holding *holding, uint64_t number,
		       struct holding **ret_locked)
{
	const struct knob_row *row = &knob_table[holding->knob];
	struct holding *locked;
	int version, r;

	if (row->locks < 0)
		return 0;
	locked = holding_find(holding->group, (enum knob)row->locks);
	if (!locked && number != 0) {
		version = actuator->context.hierarchy->mounts[row->controller].version;
		if (!knob_file((enum knob)row->locks, version))
			return 0;
		r = holding_get(actuator, holding->group, (enum knob)row->locks, &locked);
		if (r < 0)
			return r;
	}
	if (locked && number != 0) {
		r = holding_shadow(actuator, holding, locked);
		if (r < 0)
			return r;
	}
	*ret_locked = locked;
	return 0;
}

void holding_is_written(struct actuator *actuator, struct holding *holding, int result)
{
	if (result < 0) {
		holding_fail(actuator, holding, result, "write");
		return;
	}
	holding->status = KNOB_WRITTEN;
	holding->error = 0;
	holding->backoff_msec = 0;
	holding->retry_usec = 0;
	if (!holding->processes)
		drift_watch(actuator, holding);
	holding_settle_below(actuator, holding);
	grow_settle_refused(actuator, holding);
	burst_follow(actuator, holding);
	actuator_unit_look(actuator, holding->group);
}

static void settle_write(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	struct holding *locked = NULL;
	int r = settle_lock(actuator, holding, number, &locked);

	if (r == 0)
		r = holding_write(actuator, holding, number);
	if (r == -EINVAL && burst_yield(actuator, holding, number))
		r = holding_write(actuator, holding, number);
	if (r == WRITE_UNDER_WAY) {
		holding->status = KNOB_PENDING;
		holding->error = 0;
		holding->retry_usec = 0;
	} else {
		holding_is_written(actuator, holding, r);
	}
	if (locked) {
		holding_unsettle(locked);
		holding_settle(actuator, locked);
	}
}

static void settle_hold_back(struct actuator *actuator, struct holding *holding, bool wanted)
{
	/* One that could not be put back is tried again, pause or not. */
	if (holding->written || (holding->flags & HOLDING_WAS_LOCKED)) {
		if (holding->retry_usec == 0)
			(void)holding_put_back(actuator, holding);
		return;
	}
	if (!wanted) {
		holding_kill(actuator, holding);
		return;
	}
	holding->status = actuator->paused ? KNOB_PAUSED : KNOB_DRY_RUN;
	holding->error = 0;
}

static void settle_one(struct actuator *actuator, struct holding *holding, bool wanted,
		       uint64_t number)
{
	bool same = wanted && (holding->flags & HOLDING_SETTLED) && holding->number == number;

	/* Written, yielded, or failed with its retry to come: nothing new. */
	if (same && actuator_writes(actuator))
		return;
	holding->number = number;
	if (wanted)
		holding->flags |= HOLDING_SETTLED;
	if (!actuator_writes(actuator)) {
		settle_hold_back(actuator, holding, wanted);
		return;
	}
	if (holding->slow) {
		/* Its end settles again. */
		holding_unsettle(holding);
		return;
	}
	if (holding_is_locked(actuator, holding)) {
		holding->status = KNOB_SHADOWED;
		holding->error = 0;
		holding->flags |= HOLDING_WAS_LOCKED;
		return;
	}
	if (wanted)
		settle_write(actuator, holding, number);
	else if ((knob_table[holding->knob].flags & KNOB_NET) && holding->written)
		holding_release_slowly(actuator, holding);
	else
		(void)holding_release(actuator, holding);
}

void holding_settle(struct actuator *actuator, struct holding *holding)
{
	bool sums = knob_table[holding->knob].flags & (KNOB_SUM_UP | KNOB_GROW_UP);
	uint64_t number = 0, base;
	bool wanted, raising;

	if (holding->flags & HOLDING_DEAD)
		return;
	/* Ancestors are told before it is written, and go by what it had. */
	if (knob_table[holding->knob].flags & KNOB_GROW_UP)
		(void)holding_base(actuator, holding, &base);
	wanted = holding_effective(actuator, holding, &number);
	raising =
		sums && wanted && (!(holding->flags & HOLDING_SETTLED) || number > holding->number);
	if (raising)
		holding_settle_above(actuator, holding);
	settle_one(actuator, holding, wanted, number);
	if (sums && !raising)
		holding_settle_above(actuator, holding);
}
