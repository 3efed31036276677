/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/history.h"

#include <string.h>
#include <time.h>

#include "actuator/actuator.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "strbuf.h"

/* "namespace/name" of a pod is at most 63 + 1 + 253. */
#define LABEL_BYTES   320u
#define NAME_BYTES    64u
#define OUTCOME_BYTES 160u

enum { TEXT_OWNER, TEXT_LABEL, TEXT_WHAT, TEXT_ARGUMENT, TEXT_REASON, TEXT_OUTCOME, TEXT_MAX };

static const size_t text_limit[TEXT_MAX] = {
	[TEXT_OWNER] = NAME_BYTES,    [TEXT_LABEL] = LABEL_BYTES,   [TEXT_WHAT] = NAME_BYTES,
	[TEXT_ARGUMENT] = NAME_BYTES, [TEXT_REASON] = LIMIT_REASON, [TEXT_OUTCOME] = OUTCOME_BYTES,
};

struct history_entry {
	uint64_t time_realtime_usec, id;
	struct berth_target target;
	int result;
	char *texts; /* TEXT_MAX strings, one behind the other */
};

struct history {
	uint64_t next_id;
	size_t first, count;
	struct history_entry entries[LIMIT_HISTORY];
};

int history_new(struct history **ret)
{
	struct history *history = calloc(1, sizeof(*history));

	if (!history)
		return -ENOMEM;
	history->next_id = 1;
	*ret = history;
	return 0;
}

struct history *history_free(struct history *history)
{
	if (!history)
		return NULL;
	for (size_t i = 0; i < LIMIT_HISTORY; i++)
		free(history->entries[i].texts);
	free(history);
	return NULL;
}

/* Where to cut so that no UTF-8 character is split: continuation bytes are 10xxxxxx. */
static size_t text_cut(const char *text, size_t length)
{
	while (length > 0 && ((unsigned char)text[length] & 0xc0u) == 0x80u)
		length--;
	return length;
}

static void text_add(struct strbuf *buffer, const char *text, size_t limit)
{
	static const char more[] = "...";
	size_t length = text ? strnlen(text, limit) : 0;

	if (length < limit) {
		strbuf_add_bytes(buffer, text ? text : "", length);
	} else {
		strbuf_add_bytes(buffer, text, text_cut(text, limit - sizeof(more)));
		strbuf_add(buffer, more);
	}
	strbuf_add_bytes(buffer, "", 1);
}

/* NULL for want of memory: the entry is kept without its texts rather than not at all. */
static char *texts_join(const char *const texts[TEXT_MAX])
{
	cleanup_strbuf struct strbuf buffer = { 0 };

	for (size_t i = 0; i < TEXT_MAX; i++)
		text_add(&buffer, texts[i], text_limit[i]);
	return strbuf_take(&buffer);
}

static void texts_split(const char *joined, const char *texts[TEXT_MAX])
{
	for (size_t i = 0; i < TEXT_MAX; i++) {
		texts[i] = joined ? joined : "";
		if (joined)
			joined += strlen(joined) + 1;
	}
}

static uint64_t now_realtime_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

uint64_t history_add(struct history *history, const struct history_view *view)
{
	const char *const texts[TEXT_MAX] = { view->owner,    view->label,  view->what,
					      view->argument, view->reason, view->outcome };
	struct history_entry *entry;

	if (history->count == LIMIT_HISTORY) {
		history->first = (history->first + 1) % LIMIT_HISTORY;
		history->count--;
	}
	entry = &history->entries[(history->first + history->count++) % LIMIT_HISTORY];
	free(entry->texts);
	*entry = (struct history_entry){
		.time_realtime_usec =
			view->time_realtime_usec ? view->time_realtime_usec : now_realtime_usec(),
		.id = history->next_id++,
		.target = view->target,
		.result = view->result,
		.texts = texts_join(texts),
	};
	return entry->id;
}

void history_finish(struct history *history, uint64_t id, const char *outcome, int result)
{
	uint64_t oldest = history->next_id - history->count;
	const char *texts[TEXT_MAX];
	struct history_entry *entry;
	char *joined;

	if (id < oldest || id >= history->next_id)
		return;
	entry = &history->entries[(history->first + (size_t)(id - oldest)) % LIMIT_HISTORY];
	entry->result = result;
	texts_split(entry->texts, texts);
	texts[TEXT_OUTCOME] = outcome;
	joined = texts_join(texts);
	if (!joined)
		return;
	free(entry->texts);
	entry->texts = joined;
}

void history_each(const struct history *history,
		  void (*fn)(void *data, const struct history_view *view), void *data)
{
	for (size_t i = 0; i < history->count; i++) {
		const struct history_entry *entry =
			&history->entries[(history->first + i) % LIMIT_HISTORY];
		const char *texts[TEXT_MAX];
		struct history_view view;

		texts_split(entry->texts, texts);
		view = (struct history_view){
			.time_realtime_usec = entry->time_realtime_usec,
			.id = entry->id,
			.target = entry->target,
			.owner = texts[TEXT_OWNER],
			.label = texts[TEXT_LABEL],
			.what = texts[TEXT_WHAT],
			.argument = texts[TEXT_ARGUMENT],
			.reason = texts[TEXT_REASON],
			.outcome = texts[TEXT_OUTCOME],
			.result = entry->result,
		};
		fn(data, &view);
	}
}
