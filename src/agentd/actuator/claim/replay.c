/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay.c - the run before, as its journal tells it: what the host still holds of it becomes
 * claims of "previous run" with a lease, so that a plugin that claims the same again causes no
 * write, and what nobody claims again is put back.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "actuator/process-list.h"
#include "actuator/resctrl/resctrl.h"
#include "parse.h"

/* What the file holds, told by the record. */
static int replay_read(const struct actuator *actuator, const struct holding *holding, char *text,
		       size_t size)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place place;
	int r;

	holding_place(actuator, holding, &place);
	r = knob_file_open(&place, false, &file);
	return r < 0 ? r : knob_file_read(&file, text, size);
}

/* Of the value that the file holds. It is the one that was recorded, unless that one could not be
 * written, or was on its way by another. */
static uint64_t replay_number(const struct actuator *actuator, const struct holding *holding,
			      uint64_t recorded, const char *text)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	enum knob knob = (enum knob)holding->knob;
	char base[KNOB_TEXT_MAX], meant[KNOB_TEXT_MAX];
	int version = holding_version(actuator, holding);
	struct knob_place place;
	uint64_t held;

	holding_place(actuator, holding, &place);
	/* A quota goes by the period that the group has. */
	if (knob != KNOB_CPU_QUOTA_USEC || knob_file_open(&place, false, &file) < 0 ||
	    knob_file_read(&file, base, sizeof(base)) < 0)
		(void)snprintf(base, sizeof(base), "%s", text);
	if (knob_format(knob, version, recorded, base, meant, sizeof(meant)) == 0 &&
	    knob_same(knob, version, meant, text))
		return recorded;
	return knob_parse_in(file.dirfd, knob, version, text, &held) == 0 ? held : recorded;
}

static bool replay_is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENODEV || error == -ENXIO ||
	       error == -EOPNOTSUPP || error == -EINVAL;
}

static int replay_processes(struct holding *holding, const struct journal_record *record)
{
	int r = record->original[0] ? process_knob_parse(holding->processes, record->original) : 0;
	int64_t number = 0;

	if (r == 0)
		r = parse_s64(record->next, &number);
	if (r < 0)
		return r;
	holding->number = (uint64_t)number;
	if (record->previous[0] && parse_s64(record->previous, &number) == 0)
		process_knob_expect(holding->processes, (uint64_t)number);
	holding_set_text(&holding->original, "per process");
	holding_set_text(&holding->written, record->next);
	return 0;
}

#define REPLAY_ENDS 1

/* 0: we hold it; REPLAY_ENDS: nothing of ours is there, but maybe below; -ENODATA: nothing of ours
 * is there; -errno. */
static int replay_judge(struct actuator *actuator, struct holding *holding,
			const struct journal_record *record)
{
	enum knob knob = (enum knob)holding->knob;
	int version = holding_version(actuator, holding);
	char current[KNOB_TEXT_MAX];
	int r;

	if (holding->processes)
		return replay_processes(holding, record);
	r = replay_read(actuator, holding, current, sizeof(current));
	if (r < 0 && replay_is_gone(r))
		return r;
	holding_set_text(&holding->original, record->original);
	holding->number = record->number;
	if (record->flags & JOURNAL_LOCKED)
		holding->flags |= HOLDING_WAS_LOCKED;
	if (r < 0) {
		/* No more fds, say. It is ours until it can be seen that it is not. */
		holding_set_text(&holding->written, record->next);
		return 0;
	}
	if (record->next[0] &&
	    ((record->flags & JOURNAL_LOCKED) || knob_same(knob, version, current, record->next))) {
		holding_set_text(&holding->written, record->next);
		holding->number = replay_number(actuator, holding, record->number, record->next);
		return 0;
	}
	/* Made and not written to yet: its mark says that it is ours. */
	if (resctrl_class_of(knob) >= 0 && strcmp(current, RESCTRL_ABSENT) != 0 &&
	    strcmp(current, RESCTRL_FOREIGN) != 0) {
		holding_set_text(&holding->written, current);
		holding->number = replay_number(actuator, holding, record->number, current);
		return 0;
	}
	/* Whoever claims it again has it completed. */
	if (restore_is_part(knob, current, record->original, record->next)) {
		holding_set_text(&holding->written, current);
		return 0;
	}
	if (record->previous[0] && knob_same(knob, version, current, record->previous)) {
		holding_set_text(&holding->written, record->previous);
		holding->number =
			replay_number(actuator, holding, record->number, record->previous);
		return 0;
	}
	if (record->flags & JOURNAL_LOCKED)
		return 0;
	/* Groups that were made below meanwhile may have a copy of it still: it ends as others do.
	 */
	if (holding_is_nested(actuator, holding)) {
		holding_set_text(&holding->written, record->next);
		return REPLAY_ENDS;
	}
	if (!knob_same(knob, version, current, record->original))
		actuator_tell(actuator, holding, "foreign", current,
			      "left: changed while no daemon ran", 0);
	return -ENODATA;
}

static int replay_group(struct actuator *actuator, const struct journal_record *record,
			struct group **ret)
{
	const struct knob_row *row = &knob_table[record->knob];
	cleanup_free char *path = strdup(record->path);
	struct cgroup cgroup = { .path = path };
	int fd;

	if (!path)
		return -ENOMEM;
	if (row->flags & (KNOB_HOST | KNOB_ROOT))
		return path[0] ? -EINVAL : group_get(actuator, &cgroup, ret);
	if (cgroup_path_check(path) < 0)
		return -EINVAL;
	if (row->flags & KNOB_PROCESSES) {
		int r = process_list_identify(actuator->context.hierarchy, &cgroup, record->inode);

		return r < 0 ? r : group_get(actuator, &cgroup, ret);
	}
	cgroup.inode[row->controller] = record->inode;
	fd = cgroup_open(actuator->context.hierarchy, &cgroup, row->controller);
	if (fd < 0)
		return fd;
	(void)close_keep_errno(fd);
	return group_get(actuator, &cgroup, ret);
}

static bool replay_is_part(const struct holding *holding, const struct journal_record *record)
{
	return holding->written && restore_is_part((enum knob)holding->knob, holding->written,
						   record->original, record->next);
}

/* What the run before is taken to claim: what the host holds of it, as it was read, or what is half
 * done. */
static int replay_claim(struct actuator *actuator, struct holding *holding,
			const struct journal_record *record)
{
	const char *text = replay_is_part(holding, record) ? record->next : holding->written;

	if (knob_table[holding->knob].type != KNOB_TYPE_TEXT)
		text = NULL;
	return claim_add(actuator, holding, OWNER_PREVIOUS, holding->number, text,
			 actuator_now(actuator) + actuator->options.previous_lease_usec,
			 record->owner);
}

/* Nobody here has it, or knows what to do with it. */
static void replay_keep(struct actuator *actuator, const struct journal_record *record)
{
	if (journal_keep(actuator->journal, record) < 0)
		actuator->has_lost_records = true;
}

static void replay_record(void *data, struct journal *journal, const struct journal_record *record,
			  const struct journal_slot *slot)
{
	struct actuator *actuator = data;
	struct journal_slot stale = *slot;
	struct holding *holding;
	struct group *group;
	int r;

	actuator->journal = journal;
	unit_pins_set_journal(actuator->pins, journal);
	if (record->knob >= KNOB_MAX && unit_pins_replay(actuator->pins, record, slot) == 0)
		return;
	if (record->knob >= KNOB_MAX) {
		log_warning("ignoring a journal entry of an unknown knob, of another version");
		replay_keep(actuator, record);
		return;
	}
	r = replay_group(actuator, record, &group);
	/* One that could not be released, on a full file system: the later one counts. */
	if (r == 0 &&
	    (holding = holding_find_device(group, (enum knob)record->knob, record->device)))
		holding_kill(actuator, holding);
	if (r == 0)
		r = holding_get_device(actuator, group, (enum knob)record->knob, record->device,
				       &holding);
	if (r < 0 && !replay_is_gone(r)) {
		log_warning("'%s' of '%s' stays in the journal for the next start: %s",
			    knob_table[record->knob].name, record->path, strerror(-r));
		replay_keep(actuator, record);
		return;
	}
	if (r != 0) {
		/* Its group is gone, and what was written with it. */
		(void)journal_release(journal, &stale);
		return;
	}
	holding->slot = *slot;
	r = replay_judge(actuator, holding, record);
	if (r < 0) {
		/* Want of memory says nothing of what is there. */
		if (r != -ENODATA && !replay_is_gone(r)) {
			holding->slot = (struct journal_slot){ 0 };
			replay_keep(actuator, record);
		}
		holding_kill(actuator, holding);
		return;
	}
	holding->status = KNOB_WRITTEN;
	/* Whoever claims the same again has it written. */
	if (!replay_is_part(holding, record))
		holding->flags |= HOLDING_SETTLED;
	if (r != REPLAY_ENDS && !(record->flags & JOURNAL_INTERNAL) && holding->written)
		(void)replay_claim(actuator, holding, record);
}

/* Ancestors whose value goes by what is below them are tied to it again. All the way up: one in
 * between may have no quota, and no record. */
static void replay_link(struct actuator *actuator)
{
	struct holding *holding;
	struct group *group, *above;

	list_foreach (holding, &actuator->holdings, list) {
		if (!(knob_table[holding->knob].flags & (KNOB_SUM_UP | KNOB_GROW_UP)) ||
		    (holding->flags & HOLDING_DEAD))
			continue;
		for (group = holding->group; group_parent(actuator, group, &above) == 0;
		     group = above)
			continue;
	}
}

int actuator_replay(struct actuator *actuator)
{
	const struct actuator_context *context = &actuator->context;
	struct journal_found before = { 0 }, found = { 0 };
	struct holding *holding;
	int r;

	restore_unit_files(context->root, context->hierarchy, context->runtime_fd, &before);
	r = journal_open(actuator->context.runtime_fd, &found, replay_record, actuator,
			 &actuator->journal);

	if (r < 0) {
		actuator->journal = NULL;
		log_error("cannot use the journal '%s': %s", JOURNAL_NAME, strerror(-r));
		return -EIO;
	}
	if (before.bad)
		found = before;
	if (found.bad)
		log_error("'%s' was damaged; %s, and what could be read of it is in use",
			  JOURNAL_NAME,
			  found.aside ? "it is kept as '" JOURNAL_NAME_BAD "'"
				      : "there is no room for another one");
	unit_pins_set_journal(actuator->pins, actuator->journal);
	replay_link(actuator);
	list_foreach (holding, &actuator->holdings, list) {
		if (holding->flags & HOLDING_DEAD)
			continue;
		/* Somebody may have joined while no daemon ran. */
		if (holding->processes)
			process_look_soon(actuator, holding);
		else
			drift_watch(actuator, holding);
		/* It may have been written, and systemd not told. */
		actuator_unit_look(actuator, holding->group);
		/* Shadows, their lock there or gone, and sums of nothing. */
		if (actuator_writes(actuator) &&
		    (!holding_is_claimed(holding) || (holding->flags & HOLDING_WAS_LOCKED))) {
			holding_unsettle(holding);
			holding_settle(actuator, holding);
		}
	}
	actuator_sweep(actuator);
	return 0;
}
