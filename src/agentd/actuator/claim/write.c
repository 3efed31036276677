/* SPDX-License-Identifier: Apache-2.0 */
/* write.c - one change of one knob: the original, the record, the write, the look back. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "actuator/resctrl/resctrl.h"

/* A child that was made, or written to, under a parent that we changed shows the parent's value of
 * ours: its own original is the parent's. */
const char *knob_original_of(const struct actuator *actuator, const char *group_path,
			     enum knob knob, int version, const char *found)
{
	cleanup_free char *path = strdup(group_path);
	char *slash;

	/* Whatever a class of ours holds, there was none before it. */
	if (resctrl_class_of(knob) >= 0)
		return RESCTRL_ABSENT;
	if ((!(knob_table[knob].flags & KNOB_TOP_DOWN) && !knob_is_nested(knob, version)) || !path)
		return found;
	while ((slash = strrchr(path, '/'))) {
		*slash = '\0';
		const struct group *group = hashmap_get(&actuator->by_path, path);
		const struct holding *above = group ? holding_find(group, knob) : NULL;

		if (above && above->written && above->original &&
		    knob_same(knob, version, found, above->written))
			return above->original;
	}
	return found;
}

static const char *holding_original_of(const struct actuator *actuator,
				       const struct holding *holding, int version,
				       const char *found)
{
	return knob_original_of(actuator, holding->group->cgroup.path, (enum knob)holding->knob,
				version, found);
}

/* What the host holds before we write, held against what we know. */
static int holding_learn(struct actuator *actuator, struct holding *holding,
			 const struct knob_file *file, const char *current)
{
	char parent[KNOB_TEXT_MAX];
	struct cpulist list;

	/* A group on v1 that its runtime has only just made has no CPUs yet; with tasks it can
	 * never have none again. */
	if (!current[0] && knob_is_nested(file->knob, file->version)) {
		nested_parent(file, &list);
		if (cpulist_format(&list, parent, sizeof(parent)) > 0)
			current = parent;
	}
	if (!holding->original) {
		return holding_set_original(
			holding, actuator,
			holding_original_of(actuator, holding, file->version, current));
	}
	if (holding->flags & HOLDING_WAS_LOCKED)
		return 0;
	if (!holding->written) {
		/* The write has failed so far, and the world went on. */
		return holding_set_original(
			holding, actuator,
			holding_original_of(actuator, holding, file->version, current));
	}
	if (!knob_same(file->knob, file->version, current, holding->written)) {
		drift_note(actuator, holding, current);
		if (knob_table[holding->knob].drift == DRIFT_ORIGINAL)
			return holding_set_original(
				holding, actuator,
				holding_original_of(actuator, holding, file->version, current));
	}
	return 0;
}

/* The kernel gives an errno, and its reason in a file. */
static void write_tell_class(struct actuator *actuator, const struct holding *holding,
			     const struct knob_file *file, const char *text, int error)
{
	int class = resctrl_class_of(file->knob);
	char outcome[256];

	/* A failure that repeats is told once. */
	if (class < 0 || holding->backoff_msec != 0)
		return;
	resctrl_explain(file->dirfd, (unsigned int)class, error, outcome, sizeof(outcome));
	log_warning("cannot write \"%s\" to '%s': %s", text, file->name, outcome);
	actuator_tell(actuator, holding, "write", text, outcome, error);
}

static int write_and_read_back(struct actuator *actuator, struct holding *holding,
			       const struct knob_file *file, const char *text)
{
	char back[KNOB_TEXT_MAX];
	int r = knob_file_write(file, text);

	if (r < 0) {
		write_tell_class(actuator, holding, file, text, r);
		return r;
	}
	holding->writes++;
	actuator->stats.writes++;
	if (knob_file_read(file, back, sizeof(back)) < 0)
		(void)snprintf(back, sizeof(back), "%s", text);
	holding_set_text(&holding->written, back);
	if (knob_same(file->knob, file->version, back, text))
		return 0;
	/* Recorded, or a restore would take it for somebody else's. */
	(void)holding_record(actuator, holding, back);
	if (holding->backoff_msec == 0) {
		char outcome[96];

		(void)snprintf(outcome, sizeof(outcome), "reads back as \"%.64s\"", back);
		actuator_tell(actuator, holding, "write", text, outcome, -EIO);
	}
	return -EIO;
}

static int class_text(const struct knob_file *file, const struct resctrl_share *share, char *text,
		      size_t size)
{
	struct resctrl_host host;
	int r = resctrl_host_read(file->root, file->dirfd, &host);

	return r < 0 ? r : resctrl_format(&host, share, text, size);
}

static int cpus_text(const struct actuator *actuator, const struct holding *holding,
		     const struct knob_file *file, char *text, size_t size)
{
	struct cpulist list;
	int length;

	if (!holding_cpus(actuator, holding, &list))
		return -ENOENT;
	if (knob_is_nested(file->knob, file->version))
		nested_bound(file, &list);
	length = cpulist_format(&list, text, size);
	return length < 0 ? -EMSGSIZE : length == 0 ? -EINVAL : 0;
}

/* The text to write. file: what it holds. */
static int write_text(const struct actuator *actuator, const struct holding *holding,
		      const struct knob_file *file, uint64_t number, const char *current,
		      char *text, size_t size)
{
	const struct claim *claim = holding_effective_claim(holding);
	struct resctrl_share share;
	char base[KNOB_TEXT_MAX];
	int r;

	if (knob_table[file->knob].flags & KNOB_CPULIST)
		return cpus_text(actuator, holding, file, text, size);
	if (knob_table[file->knob].type == KNOB_TYPE_TEXT) {
		int length = snprintf(text, size, "%s", claim && claim->text ? claim->text : "");

		/* What the run before left is claimed as it was read. */
		if (resctrl_class_of(file->knob) >= 0 && resctrl_share_parse(text, &share) == 0)
			return class_text(file, &share, text, size);

		return length <= 0 || (size_t)length >= size ? -EINVAL : 0;
	}
	if (file->knob == KNOB_MEMORY_WB_BLKIO && number == 0)
		return -ENOENT;
	if (file->knob == KNOB_CPU_BURST_USEC) {
		uint64_t most = number;

		r = knob_burst_most(file->dirfd, file->version, &most);
		if (r < 0)
			return r;
		number = MIN(number, most);
	}
	if (file->knob != KNOB_CPU_QUOTA_USEC)
		return knob_format(file->knob, file->version, number, current, text, size);
	r = knob_quota_base(file->dirfd, file->version, actuator->options.quota_period_usec, base,
			    sizeof(base));
	return r < 0 ? r : knob_format(file->knob, file->version, number, base, text, size);
}

static int write_step(struct actuator *actuator, struct holding *holding,
		      const struct knob_file *file, const char *text)
{
	int r = holding_record(actuator, holding, text);

	return r < 0 ? r : write_and_read_back(actuator, holding, file, text);
}

/* First what it has and what it is to have, then those below, then what it is to have. */
static int write_nested(struct actuator *actuator, struct holding *holding,
			const struct knob_file *file, const char *current, const char *text)
{
	cleanup_free char *before = strdup(holding->written ? holding->written : "");
	char both[KNOB_TEXT_MAX];
	struct cpulist list, target;
	int r = !before ? -ENOMEM : cpulist_parse(text, &target);

	if (r == 0)
		r = cpulist_parse(current, &list);
	if (r < 0)
		return r;
	cpulist_unite(&list, &target);
	if (cpulist_format(&list, both, sizeof(both)) < 0)
		return -EMSGSIZE;
	if (!knob_same(file->knob, file->version, both, current)) {
		r = write_step(actuator, holding, file, both);
		if (r < 0)
			return r;
	}
	nested_settle_below(actuator, holding, file, before, &target);
	if (!knob_same(file->knob, file->version, both, text))
		return write_step(actuator, holding, file, text);
	r = holding_record(actuator, holding, text);
	if (r == 0)
		holding_set_text(&holding->written, text);
	return r;
}

/* bwm's file of a value that was told to nobody but bwmcli, if at all. */
static bool is_untold(enum knob knob, const char *current)
{
	return (knob_table[knob].flags & KNOB_BWM) && current[0] == '\0';
}

static int write_file(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	enum knob knob = (enum knob)holding->knob;
	char current[KNOB_TEXT_MAX], text[KNOB_TEXT_MAX], held[KNOB_TEXT_MAX];
	struct knob_place place;
	bool is_held;
	int r;

	group_look_again(actuator, holding->group, CONTROLLER_IO);
	group_look_again(actuator, holding->group, CONTROLLER_CPUSET);
	if (knob == KNOB_MEMORY_WB_BLKIO)
		number = holding->number = holding->group->cgroup.inode[CONTROLLER_IO];
	holding_place(actuator, holding, &place);
	r = knob_file_open(&place, true, &file);
	if (r < 0)
		return r;
	r = knob_file_read(&file, current, sizeof(current));
	if (r < 0)
		return r;
	is_held = unit_pins_held(actuator->pins, holding->group->cgroup.path, knob, held,
				 sizeof(held));
	r = holding_learn(actuator, holding, &file, is_held ? held : current);
	if (r < 0)
		return r;
	/* Now that the original is known: an ancestor's sum is never below it, a limit never above.
	 */
	if ((!holding_is_claimed(holding) ||
	     (knob_table[knob].flags & (KNOB_CPULIST | KNOB_LOWER_ONLY))) &&
	    holding_effective(actuator, holding, &number))
		holding->number = number;
	r = write_text(actuator, holding, &file, number, current, text, sizeof(text));
	if (r < 0)
		return r;
	if (knob_is_nested(knob, file.version)) {
		r = write_nested(actuator, holding, &file, current, text);
	} else if (knob_same(knob, file.version, current, text) && !is_untold(knob, current)) {
		r = holding_record(actuator, holding, text);
		if (r == 0)
			holding_set_text(&holding->written, current);
	} else if (knob_table[knob].flags & (KNOB_MAY_BLOCK | KNOB_NET)) {
		r = holding_write_slowly(actuator, holding, &file, text);
	} else {
		r = write_step(actuator, holding, &file, text);
	}
	if (r == 0)
		holding->foreign_hash = 0;
	if (r == 0 && holding->written)
		unit_pins_wrote(actuator->pins, holding->group->cgroup.path, knob, NULL,
				holding->written);
	if (r == 0 && (holding->flags & HOLDING_WAS_LOCKED)) {
		/* From here on the kernel's reset value would be somebody else's. */
		holding->flags &= (uint16_t)~HOLDING_WAS_LOCKED;
		(void)holding_record(actuator, holding, holding->written);
	}
	return r;
}

static int write_processes(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	char text[24];
	int found, r;

	/* First: who joins after the look is told of. */
	drift_watch(actuator, holding);
	found = process_knob_look(holding->processes);
	if (found < 0 && found != -E2BIG)
		return found;
	(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)number);
	holding_set_text(&holding->original, "per process");
	if (found != 0 || !holding->written || strcmp(holding->written, text) != 0) {
		r = holding_record(actuator, holding, text);
		if (r < 0)
			return r;
	}
	/* Even if it fails half way, some processes hold the value. */
	holding_set_text(&holding->written, text);
	r = process_knob_apply(holding->processes, number);
	if (r < 0)
		return r;
	if (r > 0) {
		holding->writes++;
		actuator->stats.writes++;
	}
	return found == -E2BIG ? found : 0;
}

int holding_write(struct actuator *actuator, struct holding *holding, uint64_t number)
{
	if (holding->processes)
		return write_processes(actuator, holding, number);
	return write_file(actuator, holding, number);
}

int group_look(const struct actuator *actuator, const struct group *group, enum knob knob,
	       char *text, size_t size)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	const struct knob_place place = {
		.root = actuator->context.root,
		.hierarchy = actuator->context.hierarchy,
		.group = &group->cgroup,
		.knob = knob,
	};
	int r;

	if (unit_pins_held(actuator->pins, group->cgroup.path, knob, text, size))
		return 0;
	r = knob_file_open(&place, false, &file);
	return r < 0 ? r : knob_file_read(&file, text, size);
}

static int knob_look(const struct actuator *actuator, const struct holding *holding, char *text,
		     size_t size)
{
	return group_look(actuator, holding->group, (enum knob)holding->knob, text, size);
}

/* What its file holds, whoever wrote that; -errno. */
static int lock_number(const struct actuator *actuator, const struct holding *lock, uint64_t *ret)
{
	char text[KNOB_TEXT_MAX];
	int r = knob_look(actuator, lock, text, sizeof(text));

	return r < 0 ? r
		     : knob_parse((enum knob)lock->knob, holding_version(actuator, lock), text,
				  ret);
}

/* Somebody took the lock away and wrote what it locks (a pod resized in place, daemon-reload): that
 * is the original now. The kernel's own reset says nothing. */
static void shadow_again(struct actuator *actuator, const struct holding *lock,
			 struct holding *locked)
{
	enum knob knob = (enum knob)locked->knob;
	int version = holding_version(actuator, locked);
	char text[KNOB_TEXT_MAX], reset[KNOB_TEXT_MAX];
	uint64_t number;

	if (lock_number(actuator, lock, &number) < 0 || number != 0 ||
	    knob_look(actuator, locked, text, sizeof(text)) < 0 ||
	    knob_format(knob, version, RESTORE_WEIGHT_RESET, text, reset, sizeof(reset)) < 0 ||
	    knob_same(knob, version, text, reset) ||
	    knob_same(knob, version, text, locked->original) ||
	    (locked->written && knob_same(knob, version, text, locked->written)))
		return;
	drift_note(actuator, locked, text);
	(void)holding_set_original(locked, actuator, text);
	(void)holding_record(actuator, locked, locked->written ? locked->written : "");
}

/* The lock was set before us, by somebody else and not by a property of ours: what is shown of what
 * it locks is the kernel's stand-in, and what comes after is the kernel's reset value. */
static bool is_stand_in(const struct actuator *actuator, const struct holding *lock,
			const struct holding *locked, const char *found)
{
	char text[KNOB_TEXT_MAX];
	uint64_t number;

	return lock_number(actuator, lock, &number) == 0 && number != 0 &&
	       !unit_pins_original(actuator->pins, locked->group->cgroup.path,
				   (enum knob)locked->knob, holding_version(actuator, locked),
				   found, text, sizeof(text));
}

int holding_shadow(struct actuator *actuator, const struct holding *lock, struct holding *holding)
{
	char current[KNOB_TEXT_MAX];
	int r = 0;

	if (holding->original && (holding->flags & HOLDING_WAS_LOCKED)) {
		shadow_again(actuator, lock, holding);
		return 0;
	}
	if (!holding->original) {
		r = knob_look(actuator, holding, current, sizeof(current));
		/* Without a file of its own there is nothing that the lock could take away. */
		if (r < 0)
			return r == -ENXIO ? 0 : r;
		if (is_stand_in(actuator, lock, holding, current))
			return 0;
		r = holding_set_original(holding, actuator, current);
		if (r < 0)
			return r;
	}
	holding->flags |= HOLDING_WAS_LOCKED;
	return holding_record(actuator, holding, holding->written ? holding->written : "");
}
