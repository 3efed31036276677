/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/process/knob.h"

#include <errno.h>
#include <string.h>

#include "actuator/process-list.h"
#include "actuator/process/knob-internal.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"

int process_knob_new(const struct sysroot *root, const struct hierarchy *hierarchy,
		     const struct cgroup *group, enum knob knob, struct process_knob **ret)
{
	struct process_knob *made;

	if (knob != KNOB_OOM_SCORE_ADJ && knob != KNOB_CORE_SCHED && knob != KNOB_CACHE_CLASS)
		return -EINVAL;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	made->group = *group;
	made->group.path = strdup(group->path);
	if (!made->group.path) {
		free(made);
		return -ENOMEM;
	}
	made->root = root;
	made->hierarchy = hierarchy;
	made->knob = knob;
	*ret = made;
	return 0;
}

struct process_knob *process_knob_free(struct process_knob *knob)
{
	if (!knob)
		return NULL;
	free(knob->group.path);
	free(knob->entries);
	free(knob);
	return NULL;
}

void process_knob_set_group(struct process_knob *knob, const struct cgroup *group)
{
	memcpy(knob->group.inode, group->inode, sizeof(knob->group.inode));
}

static int entry_compare(const void *left, const void *right)
{
	int a = ((const struct process_entry *)left)->pid;
	int b = ((const struct process_entry *)right)->pid;

	return (a > b) - (a < b);
}

static const struct process_entry *entry_find(const struct process_entry *entries, size_t count,
					      int pid)
{
	struct process_entry key = { .pid = pid };

	return count > 0 ? bsearch(&key, entries, count, sizeof(key), entry_compare) : NULL;
}

/* A look at a group: what it finds, ascending by pid, and what it holds that against. */
struct look {
	const struct process_knob *knob;
	const struct process_entry *eldest; /* of those known before; NULL: there were none */
	struct process_entry *entries;
	size_t count;
};

/* The eldest of those known: the group's main process, and what its children inherited from. */
static const struct process_entry *entry_eldest(const struct process_entry *entries, size_t count)
{
	const struct process_entry *eldest = NULL;

	for (size_t i = 0; i < count; i++)
		if (!eldest || entries[i].start < eldest->start)
			eldest = &entries[i];
	return eldest;
}

static bool value_is_ours(const struct process_knob *knob, int64_t value)
{
	return (knob->has_applied && value == knob->applied) ||
	       (knob->has_before && value == knob->before);
}

/* fork() hands both values down (proc(5), prctl(2)). A process that holds what its parent holds
 * would, without us, hold its parent's original; one whose parent is gone but that holds what we
 * write, the eldest's. */
static int64_t original_infer(const struct look *look, const struct process_stat *stat,
			      int64_t value)
{
	const struct process_knob *knob = look->knob;
	const struct process_entry *from = entry_find(knob->entries, knob->count, stat->parent);
	cleanup_close int fd = -EBADF;
	int64_t parent_value;

	if (!from)
		from = entry_find(look->entries, look->count, stat->parent);
	if (from && process_entry_open(knob, from, &fd) == 0 &&
	    process_value_read(knob->knob, fd, from->pid, &parent_value) == 0 &&
	    parent_value == value)
		return from->original;
	if (!value_is_ours(knob, value) || !look->eldest)
		return value;
	return look->eldest->original;
}

/* One process of the list to the end of the entries. 1 new; 0 known; -ESRCH it has ended. */
static int look_at(struct look *look, int pid)
{
	const struct process_knob *knob = look->knob;
	const struct process_entry *known = entry_find(knob->entries, knob->count, pid);
	cleanup_close int fd = process_open(knob->root->root, pid);
	struct process_stat stat;
	int64_t value;
	int r;

	r = fd < 0 ? fd : process_stat_read(fd, &stat);
	/* No more fds, say: that it has ended would be something else. */
	if (r < 0 && r != -ESRCH && known)
		look->entries[look->count++] = *known;
	if (r < 0)
		return r;
	if (stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	if (known && known->start == stat.start) {
		look->entries[look->count++] = *known;
		return 0;
	}
	r = process_value_read(knob->knob, fd, pid, &value);
	if (r < 0)
		return r;
	look->entries[look->count] = (struct process_entry){
		.pid = pid,
		.start = stat.start,
		.original = original_infer(look, &stat, value),
	};
	look->count++;
	return 1;
}

/* Those that have left the group but live keep their entries, to be put back at the end. */
static bool entry_has_left(const struct process_knob *knob, const struct process_entry *entry,
			   const int *pids, size_t count)
{
	cleanup_close int fd = -EBADF;

	return !process_list_has(pids, count, entry->pid) &&
	       process_entry_open(knob, entry, &fd) != -ESRCH;
}

int process_knob_look(struct process_knob *knob)
{
	cleanup_free struct process_entry *entries = NULL;
	cleanup_free int *pids = NULL;
	struct look look = { .knob = knob };
	size_t pid_count = 0;
	int found = 0, listed;

	/* The way back of a thread is the default group, whatever it was: nothing is read. */
	if (knob->knob == KNOB_CACHE_CLASS)
		return 0;
	if (knob->is_replayed)
		process_applied_infer(knob);
	listed = process_list_read(knob->hierarchy, &knob->group, LIMIT_PIDS, &pids, &pid_count);
	if (listed < 0 && listed != -E2BIG)
		return listed;
	entries = calloc(pid_count + knob->count + 1, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	look.entries = entries;
	look.eldest = entry_eldest(knob->entries, knob->count);
	for (size_t i = 0; i < pid_count; i++)
		found += look_at(&look, pids[i]) > 0;
	for (size_t i = 0; i < knob->count; i++)
		if (entry_has_left(knob, &knob->entries[i], pids, pid_count))
			entries[look.count++] = knob->entries[i];
	qsort(entries, look.count, sizeof(*entries), entry_compare);
	free(knob->entries);
	knob->entries = TAKE_PTR(entries);
	knob->count = look.count;
	return listed < 0 ? listed : found;
}

/* 1 when it was written to. */
static int entry_apply(const struct process_knob *knob, const struct process_entry *entry,
		       int64_t value)
{
	cleanup_close int fd = -EBADF;
	int64_t current = 0;
	int r = process_entry_open(knob, entry, &fd);

	if (r == 0)
		r = process_value_read(knob->knob, fd, entry->pid, &current);
	if (r < 0 || current == value)
		return r;
	r = process_value_write(fd, value);
	return r < 0 ? r : 1;
}

void process_knob_expect(struct process_knob *knob, uint64_t before)
{
	knob->before = (int64_t)before;
	knob->has_before = true;
}

static void knob_applied(struct process_knob *knob, int64_t value, int error)
{
	if (error == 0)
		knob->has_before = false;
	else if (knob->has_applied && knob->applied != value)
		process_knob_expect(knob, (uint64_t)knob->applied);
	knob->applied = value;
	knob->has_applied = true;
}

/* Never less than what it had: only with CAP_SYS_RESOURCE, which berthd does without, may a value
 * be lowered below what one that had it wrote (fs/proc/base.c, oom_score_adj_min). */
static int oom_score_apply(struct process_knob *knob, int64_t value)
{
	int written = 0, last = 0;

	for (size_t i = 0; i < knob->count; i++) {
		int r = entry_apply(knob, &knob->entries[i], MAX(value, knob->entries[i].original));

		if (r > 0)
			written++;
		else if (r < 0 && r != -ESRCH)
			last = r;
	}
	knob_applied(knob, value, last);
	return last < 0 ? last : written;
}

/* The cookie of core scheduling is 0 again, or somebody else's: nothing of ours. */
static bool entry_is_ours(const struct process_knob *knob, const struct process_entry *entry,
			  int64_t current, uint64_t written)
{
	if (current == entry->original)
		return false;
	if (knob->knob == KNOB_CORE_SCHED)
		return entry->original == 0 && (!knob->has_applied || current == knob->applied);
	return current == (int64_t)written || value_is_ours(knob, current);
}

/* 1: it is to be put back; 0: it is not, or not any more; -errno: that cannot be seen now. */
static int entry_judge(const struct process_knob *knob, const struct process_entry *entry,
		       uint64_t written)
{
	cleanup_close int fd = -EBADF;
	int64_t current = 0;
	int r = process_entry_open(knob, entry, &fd);

	if (r == 0)
		r = process_value_read(knob->knob, fd, entry->pid, &current);
	if (r < 0)
		return r == -ESRCH ? 0 : r;
	return entry_is_ours(knob, entry, current, written);
}

/* Leaves in entries what is to be put back, and behind that those of which it cannot be seen now:
 * how many, and why of the last. */
static size_t restore_select(struct process_knob *knob, uint64_t written, int *ret_error)
{
	size_t kept = 0, unseen = 0;

	for (size_t i = 0; i < knob->count; i++) {
		struct process_entry entry = knob->entries[i];
		int r = entry_judge(knob, &entry, written);

		if (r == 0)
			continue;
		knob->entries[kept + unseen] = entry;
		if (r < 0) {
			*ret_error = r;
			unseen++;
			continue;
		}
		knob->entries[kept + unseen] = knob->entries[kept];
		knob->entries[kept++] = entry;
	}
	knob->count = kept;
	return unseen;
}

static void restore_values(const struct process_knob *knob, int *results)
{
	for (size_t i = 0; i < knob->count; i++)
		results[i] = entry_apply(knob, &knob->entries[i], knob->entries[i].original);
}

static int class_leave(const struct process_knob *knob, int64_t class)
{
	int r = resctrl_tasks_leave(knob->root, knob->hierarchy, &knob->group, (unsigned int)class);

	/* With its group the class' tasks went back. */
	return r == -ENXIO ? 0 : r;
}

static int class_restore(const struct process_knob *knob, int64_t written)
{
	int r = class_leave(knob, written);
	int before =
		knob->has_before && knob->before != written ? class_leave(knob, knob->before) : 0;

	return r < 0 || before < 0 ? MIN(r, before) : r + before;
}

int process_knob_restore(struct process_knob *knob, uint64_t written)
{
	cleanup_free int *results = NULL;
	size_t kept = 0, unseen;
	int put_back = 0, last = 0, r = 0;

	if (knob->knob == KNOB_CACHE_CLASS)
		return class_restore(knob, (int64_t)written);
	if (!knob->has_applied && knob->knob == KNOB_OOM_SCORE_ADJ) {
		knob->applied = (int64_t)written;
		knob->has_applied = true;
	}
	/* Children that were forked since the last look; a group that is gone has none, but its
	 * processes may live elsewhere. */
	(void)process_knob_look(knob);
	results = calloc(knob->count + 1, sizeof(*results));
	if (!results)
		return -ENOMEM;
	unseen = restore_select(knob, written, &last);
	if (knob->knob == KNOB_CORE_SCHED)
		r = core_sched_clear(knob, knob->entries, knob->count, results);
	else
		restore_values(knob, results);
	for (size_t i = 0; i < knob->count; i++) {
		if (results[i] > 0)
			put_back++;
		if (results[i] >= 0 || results[i] == -ESRCH)
			continue;
		last = results[i];
		knob->entries[kept++] = knob->entries[i];
	}
	for (size_t i = 0; i < unseen; i++)
		knob->entries[kept++] = knob->entries[knob->count + i];
	if (unseen > 0)
		qsort(knob->entries, kept, sizeof(*knob->entries), entry_compare);
	knob->count = kept;
	if (kept == 0)
		knob->has_applied = knob->has_before = false;
	/* The reason of the whole round, such as no thread, says more than that of the last. */
	if (r < 0)
		return r;
	return last < 0 ? last : put_back;
}

int process_knob_apply(struct process_knob *knob, uint64_t number)
{
	if (knob->knob == KNOB_CACHE_CLASS) {
		int r = resctrl_tasks_join(knob->root, knob->hierarchy, &knob->group,
					   (unsigned int)number);

		knob_applied(knob, (int64_t)number, MIN(r, 0));
		return r;
	}
	if (knob->knob == KNOB_OOM_SCORE_ADJ)
		return oom_score_apply(knob, (int64_t)number);
	return number ? core_sched_apply(knob) : process_knob_restore(knob, 1);
}
