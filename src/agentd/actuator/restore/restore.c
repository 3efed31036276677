/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/restore/restore.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actuator/failpoint.h"
#include "actuator/knob/nested.h"
#include "actuator/knob/net.h"
#include "actuator/process/knob.h"
#include "actuator/resctrl/resctrl.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

int knob_locked_by(enum knob knob)
{
	for (int i = 0; i < KNOB_MAX; i++)
		if (knob_table[i].locks == (int)knob)
			return i;
	return -1;
}

static bool restore_is_locked(const struct knob_place *place)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct knob_place lock = *place;
	char text[KNOB_TEXT_MAX];
	int locker = knob_locked_by(place->knob);
	uint64_t number;

	if (locker < 0)
		return false;
	lock.knob = (enum knob)locker;
	if (knob_file_open(&lock, false, &file) < 0 ||
	    knob_file_read(&file, text, sizeof(text)) < 0)
		return false;
	return knob_parse(lock.knob, file.version, text, &number) == 0 && number != 0;
}

bool restore_is_part(enum knob knob, const char *current, const char *original, const char *written)
{
	if (knob == KNOB_CPU_QUOTA_USEC)
		return quota_is_part(current, original, written);
	return (knob_table[knob].flags & KNOB_NET) && net_knob_is_part(current, original, written);
}

static bool restore_is_unfinished(const struct restore_item *item, const char *current)
{
	enum knob knob = item->place.knob;

	return restore_is_part(knob, current, item->original, item->written) ||
	       restore_is_part(knob, current, item->original, item->previous);
}

static bool restore_is_ours(const struct restore_item *item, int version, const char *current)
{
	enum knob knob = item->place.knob;
	char reset[KNOB_TEXT_MAX];

	/* A group with our mark is to go, whatever somebody wrote into it. */
	if (knob_table[knob].flags & KNOB_RESCTRL)
		return strcmp(current, RESCTRL_FOREIGN) != 0;
	if (item->passing || restore_is_unfinished(item, current))
		return true;
	if (item->written[0] && knob_same(knob, version, current, item->written))
		return true;
	if (item->previous[0] && knob_same(knob, version, current, item->previous))
		return true;
	return item->was_locked &&
	       knob_format(knob, version, RESTORE_WEIGHT_RESET, current, reset, sizeof(reset)) ==
		       0 &&
	       knob_same(knob, version, current, reset);
}

static int restore_processes(const struct restore_item *item)
{
	int64_t written = 0, previous = 0;
	int r = parse_s64(item->written, &written);

	if (r < 0)
		return r;
	/* Killed between the record and the last process: some hold the value before. */
	if (item->previous[0] && parse_s64(item->previous, &previous) == 0)
		process_knob_expect(item->processes, (uint64_t)previous);
	r = process_knob_restore(item->processes, (uint64_t)written);
	if (r == -ENOENT || r == -ESTALE || r == -ESRCH)
		return RESTORE_NOTHING;
	return r < 0 ? r : r > 0 ? RESTORE_DONE : RESTORE_NOTHING;
}

static bool restore_is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENODEV || error == -ENXIO;
}

/* What goes back: on v1 of a list of CPUs what the parent still has, since a CPU that went offline
 * is taken out of all of them, and somebody may have narrowed the parent. */
static int restore_text(const struct restore_item *item, const struct knob_file *file, char *text,
			size_t size)
{
	struct cpulist list;
	int length;

	if (!knob_is_nested(file->knob, file->version) ||
	    cpulist_parse(item->original, &list) < 0 || cpulist_is_empty(&list)) {
		length = snprintf(text, size, "%s", item->original);
	} else {
		nested_bound(file, &list);
		length = cpulist_format(&list, text, size);
	}
	return length < 0 || (size_t)length >= size ? -EMSGSIZE : 0;
}

/* While there are tasks in it or below, v2 does not let a list of CPUs become empty again (6.12,
 * cpuset.c, validate_change(): ENOSPC). Every CPU that there can be means the same: what the parent
 * has, whatever that will be. */
static int restore_all_cpus(const struct restore_item *item, const struct knob_file *file,
			    char *text, size_t size)
{
	struct cpulist possible;
	int r;

	if (file->version != 2 || !(knob_table[file->knob].flags & KNOB_CPULIST) ||
	    item->original[0] != '\0')
		return -ENOSPC;
	r = file_read(item->place.root->root, "sys/devices/system/cpu/possible", text, size);
	if (r >= 0)
		r = cpulist_parse(text, &possible);
	if (r >= 0)
		r = cpulist_format(&possible, text, size);
	return r < 0 ? -ENOSPC : knob_file_write(file, text);
}

static int restore_file(const struct restore_item *item)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	enum knob knob = item->place.knob;
	char current[KNOB_TEXT_MAX], text[KNOB_TEXT_MAX];
	bool unfinished;
	int r = knob_file_open(&item->place, true, &file);

	if (r < 0)
		return r;
	r = knob_file_read(&file, current, sizeof(current));
	if (r < 0)
		return r;
	unfinished = restore_is_unfinished(item, current);
	if (!unfinished && knob_same(knob, file.version, current, item->original))
		return RESTORE_NOTHING;
	/* Under a lock that stays, the kernel shows a stand-in and refuses writes. */
	if (item->was_locked && restore_is_locked(&item->place))
		return -EBUSY;
	if (!restore_is_ours(item, file.version, current))
		return RESTORE_FOREIGN;
	r = restore_text(item, &file, text, sizeof(text));
	if (r < 0)
		return r;
	failpoint("knob-restore");
	r = knob_file_write(&file, text);
	if (r == -ENOSPC)
		r = restore_all_cpus(item, &file, text, sizeof(text));
	if (r == -EINVAL && (knob_table[knob].flags & KNOB_ONE_WAY))
		return RESTORE_REFUSED;
	if (r < 0)
		return r;
	failpoint("knob-restored");
	r = knob_file_read(&file, current, sizeof(current));
	if (r < 0)
		return r;
	/* Others have come to use it: it stays. */
	if (unfinished && restore_is_unfinished(item, current))
		return RESTORE_FOREIGN;
	return knob_same(knob, file.version, current, text) ? RESTORE_DONE : -EIO;
}

int restore_knob(const struct restore_item *item)
{
	int r;

	if (item->processes)
		return restore_processes(item);
	r = restore_file(item);
	/* A write to a group that is being removed fails with ENODEV (kernfs). */
	return r < 0 && restore_is_gone(r) ? RESTORE_NOTHING : r;
}

static unsigned int path_depth(const char *path)
{
	unsigned int depth = 0;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* What a journal of before has of v1 is without a period: of one group both are. */
static bool restore_lowers(const struct restore_order *order)
{
	uint64_t original, written;

	return knob_parse(order->knob, 2, order->original, &original) == 0 &&
	       knob_parse(order->knob, 2, order->written, &written) == 0 && original < written;
}

/* By knob, but that a burst which goes down goes ahead of the quota: the kernel refuses a quota
 * below the burst (burst.c). */
static unsigned int restore_rank(const struct restore_order *order)
{
	if (order->knob == KNOB_CPU_BURST_USEC && restore_lowers(order))
		return 2 * KNOB_CPU_QUOTA_USEC;
	return 2 * (unsigned int)order->knob + 1;
}

int restore_compare(const struct restore_order *a, const struct restore_order *b)
{
	bool a_locked = knob_locked_by(a->knob) >= 0;
	bool b_locked = knob_locked_by(b->knob) >= 0;
	bool lowers;
	int order;

	if (a_locked != b_locked)
		return a_locked ? 1 : -1;
	if (restore_rank(a) != restore_rank(b))
		return restore_rank(a) < restore_rank(b) ? -1 : 1;
	order = (int)path_depth(a->path) - (int)path_depth(b->path);
	if (!(knob_table[a->knob].flags & KNOB_GROW_UP))
		return knob_table[a->knob].flags & KNOB_SUM_UP ? -order : order;
	lowers = restore_lowers(a);
	if (lowers != restore_lowers(b))
		return lowers ? -1 : 1;
	return lowers ? -order : order;
}
