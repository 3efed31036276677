/* SPDX-License-Identifier: Apache-2.0 */
/* journal.c - `berthd --restore`: what a dead daemon left, from its journal alone. */
#include "actuator/journal/journal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/actuator.h"
#include "actuator/knob/line.h"
#include "actuator/knob/nested.h"
#include "actuator/process-list.h"
#include "actuator/process/knob.h"
#include "actuator/restore/restore.h"
#include "actuator/unit/pin.h"
#include "cleanup.h"
#include "hashmap.h"
#include "macro.h"

#define UNITS_FLUSH_USEC (10 * USEC_PER_SEC)

struct restore_entry {
	struct journal_slot slot;
	enum knob knob;
	uint32_t device;
	uint64_t inode;
	bool was_locked;
	char *path; /* and the texts behind it */
	const char *original, *previous, *written;
};

struct restore_list {
	struct restore_entry *entries;
	size_t count, capacity;
	struct hashmap by_place; /* to entries, plus one */
	int error;
	struct unit_pins *pins;
};

static void restore_list_done(struct restore_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->entries[i].path);
	free(list->entries);
	hashmap_done(&list->by_place);
	list->pins = unit_pins_free(list->pins);
}

/* One allocation for all four texts, which begins with the path. */
static int restore_entry_init(struct restore_entry *entry, const struct journal_record *record,
			      const struct journal_slot *slot)
{
	const char *texts[] = { record->path, record->original, record->previous, record->next };
	size_t offsets[ARRAY_SIZE(texts)], size = 0;
	char *copy;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		offsets[i] = size;
		size += strlen(texts[i]) + 1;
	}
	copy = malloc(size);
	if (!copy)
		return -ENOMEM;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		memcpy(copy + offsets[i], texts[i], strlen(texts[i]) + 1);
	*entry = (struct restore_entry){
		.slot = *slot,
		.knob = (enum knob)record->knob,
		.device = record->device,
		.inode = record->inode,
		.was_locked = record->flags & JOURNAL_LOCKED,
		.path = copy,
		.original = copy + offsets[1],
		.previous = copy + offsets[2],
		.written = copy + offsets[3],
	};
	return 0;
}

static uint64_t restore_place(const struct journal_record *record)
{
	uint64_t path = hash_bytes(record->path, strlen(record->path));

	return path ^ ((uint64_t)record->knob << 32 | record->device);
}

/* One of the same knob that could not be released, on a full file system: the later one counts. */
static bool restore_list_replace(struct restore_list *list, struct journal *journal,
				 const struct journal_record *record,
				 const struct journal_slot *slot)
{
	uint64_t place = restore_place(record);
	uintptr_t index = (uintptr_t)hashmap_get_u64(&list->by_place, place);
	struct restore_entry *entry = index ? &list->entries[index - 1] : NULL, later;

	if (!entry || entry->knob != (enum knob)record->knob || entry->device != record->device ||
	    entry->inode != record->inode || strcmp(entry->path, record->path) != 0)
		return false;
	if (restore_entry_init(&later, record, slot) < 0) {
		list->error = -ENOMEM;
		return true;
	}
	(void)journal_release(journal, &entry->slot);
	free(entry->path);
	*entry = later;
	return true;
}

ANALYZER_LEAK_IGNORE_BEGIN
static void restore_list_append(struct restore_list *list, const struct journal_record *record,
				const struct journal_slot *slot)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? list->capacity * 2 : 64;
		void *grown = reallocarray(list->entries, capacity, sizeof(*list->entries));

		if (!grown) {
			list->error = -ENOMEM;
			return;
		}
		list->entries = grown;
		list->capacity = capacity;
	}
	if (restore_entry_init(&list->entries[list->count], record, slot) < 0) {
		list->error = -ENOMEM;
		return;
	}
	list->count++;
	/* Another group that was there before is not this one. */
	(void)hashmap_remove_u64(&list->by_place, restore_place(record));
	if (hashmap_put_u64(&list->by_place, restore_place(record), (void *)list->count) < 0)
		list->error = -ENOMEM;
}
ANALYZER_LEAK_IGNORE_END

static void restore_list_add(void *data, struct journal *journal,
			     const struct journal_record *record, const struct journal_slot *slot)
{
	struct restore_list *list = data;

	unit_pins_set_journal(list->pins, journal);
	if (record->knob >= KNOB_MAX && unit_pins_replay(list->pins, record, slot) == 0)
		return;
	/* Of a later version of Berth, which alone knows how. */
	if (record->knob >= KNOB_MAX) {
		list->error = list->error ? list->error : -EOPNOTSUPP;
		return;
	}
	if (!restore_list_replace(list, journal, record, slot))
		restore_list_append(list, record, slot);
}

static int restore_entry_compare(const void *a, const void *b)
{
	const struct restore_entry *x = a;
	const struct restore_entry *y = b;

	const struct restore_order orders[] = {
		{ x->knob, x->path, x->original, x->written },
		{ y->knob, y->path, y->original, y->written },
	};

	return restore_compare(&orders[0], &orders[1]);
}

static void restore_entry_name(const struct restore_entry *entry, char *name, size_t size)
{
	char device[DEVICE_NAME_BYTES] = "";

	knob_device_name(entry->knob, entry->device, device);
	(void)snprintf(name, size, "%s%s%s", knob_table[entry->knob].name, device[0] ? " " : "",
		       device);
}

DEFINE_CLEANUP(struct process_knob *, process_knob_free);

static int restore_entry_run(const struct sysroot *root, const struct hierarchy *hierarchy,
			     const struct restore_entry *entry)
{
	CLEANUP(process_knob_freep) struct process_knob *processes = NULL;
	const struct knob_row *row = &knob_table[entry->knob];
	struct cgroup group = { .path = entry->path };
	struct restore_item item = {
		.place = { .root = root,
			   .hierarchy = hierarchy,
			   .group = &group,
			   .knob = entry->knob,
			   .device = entry->device },
		.original = entry->original,
		.previous = entry->previous,
		.written = entry->written,
		.was_locked = entry->was_locked,
	};

	/* The path comes from a file: it goes through the same check as any other. */
	if (!(row->flags & (KNOB_HOST | KNOB_ROOT)) && cgroup_path_check(entry->path) < 0)
		return -EINVAL;
	group.inode[row->controller] = entry->inode;
	if (row->flags & KNOB_PROCESSES) {
		int r;

		group.inode[row->controller] = 0;
		/* In none: the group is gone, which is for process_knob_restore() to judge. */
		r = process_list_identify(hierarchy, &group, entry->inode);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r < 0)
			group.inode[row->controller] = entry->inode;
		r = process_knob_new(root, hierarchy, &group, entry->knob, &processes);

		if (r == 0 && entry->original[0])
			r = process_knob_parse(processes, entry->original);
		if (r < 0)
			return r;
		item.processes = processes;
	}
	return restore_knob(&item);
}

struct restore_keeper {
	const struct restore_list *list;
	enum knob knob;
};

static bool restore_has_record(void *data, const char *path)
{
	const struct restore_keeper *keeper = data;

	for (size_t i = 0; i < keeper->list->count; i++)
		if (keeper->list->entries[i].knob == keeper->knob &&
		    strcmp(keeper->list->entries[i].path, path) == 0)
			return true;
	return false;
}

/* Groups that were made under a value of ours have no record, and a copy of it. */
static void restore_copies(const struct sysroot *root, const struct hierarchy *hierarchy,
			   const struct restore_list *list, const struct restore_entry *entry)
{
	struct restore_keeper keeper = { .list = list, .knob = entry->knob };
	struct cgroup group = { .path = entry->path };
	struct knob_place place = {
		.root = root, .hierarchy = hierarchy, .group = &group, .knob = entry->knob
	};

	if (!(knob_table[entry->knob].flags & KNOB_NESTED) || cgroup_path_check(entry->path) < 0)
		return;
	group.inode[knob_table[entry->knob].controller] = entry->inode;
	nested_restore_below(&place, entry->written, entry->original, restore_has_record, &keeper);
	nested_restore_below(&place, entry->previous, entry->original, restore_has_record, &keeper);
}

/* Not put back yet. */
static bool restore_holds(void *data, const char *path, enum knob knob)
{
	const struct restore_list *list = data;

	for (size_t i = 0; i < list->count; i++)
		if (list->entries[i].knob == knob && list->entries[i].slot.id != 0 &&
		    strcmp(list->entries[i].path, path) == 0)
			return true;
	return false;
}

DEFINE_CLEANUP(struct journal *, journal_free);

static int restore_list_open(struct restore_list *list, const struct sysroot *root,
			     const struct hierarchy *hierarchy, int runtime_fd,
			     struct journal_found *ret_found, struct journal **ret_journal)
{
	const struct unit_pins_context pins = {
		.root = root,
		.hierarchy = hierarchy,
		.holds = restore_holds,
		.data = list,
	};
	int r = unit_pins_new(&pins, &list->pins);

	if (r == 0)
		r = journal_open(runtime_fd, ret_found, restore_list_add, list, ret_journal);
	if (r < 0)
		return r;
	unit_pins_set_journal(list->pins, *ret_journal);
	/* Only then do they hold what the records tell of. */
	unit_pins_put_back(list->pins);
	return 0;
}

void restore_unit_files(const struct sysroot *root, const struct hierarchy *hierarchy,
			int runtime_fd, struct journal_found *ret_found)
{
	CLEANUP(journal_freep) struct journal *journal = NULL;
	CLEANUP(restore_list_done) struct restore_list list = { 0 };

	(void)restore_list_open(&list, root, hierarchy, runtime_fd, ret_found, &journal);
}

int actuator_restore_journal(
	const struct sysroot *root, const struct hierarchy *hierarchy, int runtime_fd,
	void (*report)(void *data, const char *path, const char *knob, int result), void *data)
{
	CLEANUP(journal_freep) struct journal *journal = NULL;
	CLEANUP(restore_list_done) struct restore_list list = { 0 };
	int failed = 0;
	int r = restore_list_open(&list, root, hierarchy, runtime_fd, NULL, &journal);

	if (r < 0)
		return r;
	if (list.error)
		failed++;
	if (list.count > 0)
		qsort(list.entries, list.count, sizeof(*list.entries), restore_entry_compare);
	for (size_t i = 0; i < list.count; i++) {
		struct restore_entry *entry = &list.entries[i];

		r = restore_entry_run(root, hierarchy, entry);
		/* While its record still tells of them. */
		restore_copies(root, hierarchy, &list, entry);
		if (r < 0) {
			failed++;
		} else {
			/* What a locked weight held meanwhile was the kernel's stand-in. */
			unit_pins_wrote(list.pins, entry->path, entry->knob,
					entry->was_locked && r != RESTORE_FOREIGN ? NULL
										  : entry->written,
					entry->original);
			(void)journal_release(journal, &entry->slot);
		}
		if (r == RESTORE_REFUSED)
			r = -EINVAL;
		if (report) {
			char name[64];

			restore_entry_name(entry, name, sizeof(name));
			report(data, entry->path, name, r == RESTORE_FOREIGN ? RESTORE_NOTHING : r);
		}
	}
	/* After the files: systemd writes them, and then they are put back as they are now. */
	return failed + unit_pins_flush(list.pins, UNITS_FLUSH_USEC, report, data);
}
