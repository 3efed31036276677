/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/restore.h"

#include <errno.h>
#include <string.h>

#include "actuator/failpoint.h"
#include "actuator/process-knob.h"
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

static bool restore_is_ours(const struct restore_item *item, int version, const char *current)
{
	enum knob knob = item->place.knob;
	char reset[KNOB_TEXT_MAX];

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
	int64_t previous;
	int r = process_knob_restore(item->processes, item->number);

	/* Killed between the record and the last process: some hold the value before. */
	if (r >= 0 && item->previous[0] && parse_s64(item->previous, &previous) == 0) {
		int more = process_knob_restore(item->processes, (uint64_t)previous);

		r = more < 0 ? more : r + more;
	}
	if (r == -ENOENT || r == -ESTALE || r == -ESRCH)
		return RESTORE_NOTHING;
	return r < 0 ? r : r > 0 ? RESTORE_DONE : RESTORE_NOTHING;
}

static bool restore_is_gone(int error)
{
	return error == -ENOENT || error == -ESTALE || error == -ENODEV || error == -ENXIO;
}

static int restore_file(const struct restore_item *item)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	enum knob knob = item->place.knob;
	char current[KNOB_TEXT_MAX];
	int r = knob_file_open(&item->place, true, &file);

	if (r < 0)
		return r;
	r = knob_file_read(&file, current, sizeof(current));
	if (r < 0)
		return r;
	if (knob_same(knob, file.version, current, item->original))
		return RESTORE_NOTHING;
	/* Under a lock that stays, the kernel shows a stand-in and refuses writes. */
	if (item->was_locked && restore_is_locked(&item->place))
		return -EBUSY;
	if (!restore_is_ours(item, file.version, current))
		return RESTORE_FOREIGN;
	failpoint("knob-restore");
	r = knob_file_write(&file, item->original);
	if (r == -EINVAL && (knob_table[knob].flags & KNOB_ONE_WAY))
		return RESTORE_REFUSED;
	if (r < 0)
		return r;
	failpoint("knob-restored");
	r = knob_file_read(&file, current, sizeof(current));
	if (r < 0)
		return r;
	return knob_same(knob, file.version, current, item->original) ? RESTORE_DONE : -EIO;
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

int restore_compare(enum knob a, const char *a_path, enum knob b, const char *b_path)
{
	bool a_locked = knob_locked_by(a) >= 0;
	bool b_locked = knob_locked_by(b) >= 0;
	int order;

	if (a_locked != b_locked)
		return a_locked ? 1 : -1;
	if (a != b)
		return a < b ? -1 : 1;
	order = (int)path_depth(a_path) - (int)path_depth(b_path);
	return knob_table[a].flags & KNOB_SUM_UP ? -order : order;
}
