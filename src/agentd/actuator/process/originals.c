/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The originals as one word: "@APPLIED;VALUE:PID.START,PID.START;VALUE:PID.START". Values are
 * decimal; pids and start times, of which there may be thousands, are hexadecimal. A value is said
 * once for a run of processes that share it: in a container they all do.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "actuator/process/knob-internal.h"
#include "macro.h"
#include "parse.h"

void process_knob_originals(struct process_knob *knob, struct strbuf *text)
{
	if (knob->has_applied && knob->count > 0)
		strbuf_addf(text, "@%" PRId64 ";", knob->applied);
	for (size_t i = 0; i < knob->count; i++) {
		const struct process_entry *entry = &knob->entries[i];

		if (i > 0 && entry->original == entry[-1].original)
			strbuf_add_char(text, ',');
		else
			strbuf_addf(text, "%s%" PRId64 ":", i > 0 ? ";" : "", entry->original);
		strbuf_addf(text, "%x.%" PRIx64, (unsigned int)entry->pid, entry->start);
	}
}

struct originals {
	struct process_entry *entries;
	size_t count, capacity;
	bool has_applied;
	int64_t applied;
};

static int entry_parse(char *word, int64_t original, struct originals *originals)
{
	char *start = strchr(word, '.');
	struct process_entry entry = { .original = original };
	uint64_t pid;

	if (!start)
		return -EINVAL;
	*start++ = '\0';
	if (parse_u64_hex(word, &pid) < 0 || parse_u64_hex(start, &entry.start) < 0)
		return -EINVAL;
	/* There may be more than LIMIT_PIDS of them, with those that have left the group. */
	if (pid == 0 || pid > INT32_MAX)
		return -EINVAL;
	entry.pid = (int)pid;
	if (originals->count > 0 && originals->entries[originals->count - 1].pid >= entry.pid)
		return -EINVAL; /* they are searched by halves */
	if (originals->count == originals->capacity) {
		size_t capacity = originals->capacity ? originals->capacity * 2 : 16;
		struct process_entry *entries =
			reallocarray(originals->entries, capacity, sizeof(*entries));

		if (!entries)
			return -ENOMEM;
		originals->entries = entries;
		originals->capacity = capacity;
	}
	originals->entries[originals->count++] = entry;
	return 0;
}

static int group_parse(char *group, struct originals *originals)
{
	char *list = strchr(group, ':');
	char *word;
	int64_t original;

	if (group[0] == '@') {
		if (originals->has_applied || originals->count > 0)
			return -EINVAL;
		originals->has_applied = true;
		return parse_s64(group + 1, &originals->applied) < 0 ? -EINVAL : 0;
	}
	if (!list)
		return -EINVAL;
	*list++ = '\0';
	if (parse_s64(group, &original) < 0)
		return -EINVAL;
	while ((word = strsep(&list, ","))) {
		int r = entry_parse(word, original, originals);

		if (r < 0)
			return r;
	}
	return 0;
}

int process_knob_parse(struct process_knob *knob, const char *text)
{
	cleanup_free char *copy = strdup(text);
	struct originals originals = { .count = 0 };
	char *rest = copy, *group;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	while (r == 0 && *copy && (group = strsep(&rest, ";")))
		r = group_parse(group, &originals);
	if (r == 0 && knob->count > 0)
		r = -EINVAL;
	if (r == 0) {
		free(knob->entries);
		knob->entries = TAKE_PTR(originals.entries);
		knob->count = originals.count;
		knob->has_applied = originals.has_applied;
		knob->applied = originals.applied;
		knob->is_replayed = true;
	}
	free(originals.entries);
	return r;
}
