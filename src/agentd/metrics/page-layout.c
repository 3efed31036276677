/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "macro.h"
#include "metrics/page-internal.h"
#include "metrics/registry-internal.h"

/* For the daemon's own families, which come first; it grows when they do. */
#define ROOM_BYTES (16u * 1024)

static const char eof_line[] = "# EOF\n";

/* The same code measures (text NULL) and writes, so that the two agree. */
struct writer {
	char *text;
	size_t length;
};

static void write_bytes(struct writer *writer, const char *bytes, size_t length)
{
	if (writer->text)
		memcpy(writer->text + writer->length, bytes, length);
	writer->length += length;
}

static void write_text(struct writer *writer, const char *text)
{
	write_bytes(writer, text, strlen(text));
}

/* The kernel's names of devices are plain words; nothing that one could hold breaks the page. */
static void write_device(struct writer *writer, const char *name)
{
	for (size_t i = 0; i < SAMPLE_DEVICE_NAME && name[i]; i++) {
		char character = name[i];

		if (character <= ' ' || character > '~' || character == '"' || character == '\\')
			character = '?';
		write_bytes(writer, &character, 1);
	}
}

/* The upper bound of a bucket, in seconds. */
static void write_bound(struct writer *writer, int bucket)
{
	char text[24];

	if (bucket + 1 == (int)SAMPLE_LATENCY_BUCKETS) {
		write_text(writer, "+Inf");
		return;
	}
	(void)snprintf(text, sizeof(text), "0.%06" PRIu64, UINT64_C(8) << bucket);
	write_text(writer, text);
}

/* One line for each point of one family and one workload. */
struct lines {
	struct writer writer;
	struct page *page; /* NULL: only measure */
	const struct metric_table *table;
	struct page_entry *entry;
	const struct strbuf *head; /* written before the first line of the family */
	uint32_t count;
	char pad;
};

static void line_add(void *data, const struct point *point)
{
	struct lines *lines = data;
	struct writer *writer = &lines->writer;
	struct page *page = lines->page;

	if (lines->head) {
		write_bytes(writer, lines->head->text, lines->head->length);
		lines->head = NULL;
	}
	write_text(writer, lines->table->name);
	if (point->bucket >= 0)
		write_text(writer, point->bucket == POINT_SUM     ? "_sum"
				   : point->bucket == POINT_COUNT ? "_count"
								  : "_bucket");
	write_text(writer, "{");
	write_bytes(writer, lines->entry->labels, lines->entry->labels_length);
	if (point->device) {
		write_text(writer, ",device=\"");
		write_device(writer, point->device);
		write_text(writer, "\"");
	}
	if (*point->labels) {
		write_text(writer, ",");
		write_text(writer, point->labels);
	}
	if (point->bucket >= 0 && point->bucket < POINT_SUM) {
		write_text(writer, ",le=\"");
		write_bound(writer, point->bucket);
		write_text(writer, "\"");
	}
	write_text(writer, "} ");
	if (page) {
		uint32_t slot = lines->entry->next++;

		page->values[slot] = point->number;
		page->offsets[slot] = (uint32_t)writer->length;
		slot_write(writer->text + writer->length, point->form, point->number, lines->pad);
	}
	writer->length += SLOT_WIDTH;
	write_text(writer, "\n");
	lines->count++;
}

static int heads_make(const struct page *page, struct strbuf *heads, size_t *ret_bytes)
{
	size_t bytes = 0;

	for (size_t t = 0; t < page->table_count; t++) {
		const struct metric_table *table = &page->tables[t];
		const char *type = table->source == METRIC_FROM_LATENCY ? "histogram"
				   : name_is_total(table->name)         ? "counter"
									: "gauge";

		exposition_head(&heads[t], table->name, type, table->help, page->exposition);
		if (strbuf_error(&heads[t]) < 0)
			return -ENOMEM;
		bytes += heads[t].length;
	}
	*ret_bytes = bytes;
	return 0;
}

/* What it will be compared with: entry_fits(). */
static int entry_remember(struct page_entry *entry)
{
	const struct workload_sample *sample = entry->sample;
	char(*devices)[SAMPLE_DEVICE_NAME] = NULL;

	if (sample->device_count > 0) {
		devices = calloc(sample->device_count, sizeof(*devices));
		if (!devices)
			return -ENOMEM;
		for (uint32_t i = 0; i < sample->device_count; i++)
			memcpy(devices[i], sample->devices[i].name, sizeof(devices[i]));
	}
	free(entry->devices);
	entry->devices = devices;
	entry->device_count = sample->device_count;
	entry->latency = sample->latency != NULL;
	memcpy(entry->known, sample->known, sizeof(entry->known));
	return 0;
}

/* Who is shown, and where its slots begin. */
static int entries_choose(struct page *page, size_t *ret_bytes)
{
	const struct page_entry *shown = NULL;
	size_t bytes = 0;
	int r;

	page->slot_count = 0;
	page->dropped = 0;
	for (size_t i = 0; i < page->order_count; i++) {
		struct page_entry *entry = page->order[i];
		struct lines lines = { .entry = entry };

		entry->sampled = entry->sample != NULL;
		entry->shown = entry->capped = false;
		if (!entry->sample || (shown && strcmp(shown->labels, entry->labels) == 0))
			continue;
		for (size_t t = 0; t < page->table_count; t++) {
			lines.table = &page->tables[t];
			points_of(lines.table, entry->sample, line_add, &lines);
		}
		r = entry_remember(entry);
		if (r < 0)
			return r;
		if (page->slot_count + lines.count > page->max_series ||
		    bytes + lines.writer.length > LIMIT_PAGE_BYTES) {
			page->dropped += lines.count;
			entry->capped = true;
			continue;
		}
		shown = entry;
		entry->shown = true;
		entry->slot = entry->next = (uint32_t)page->slot_count;
		page->slot_count += lines.count;
		bytes += lines.writer.length;
	}
	*ret_bytes = bytes;
	return 0;
}

struct blob *page_text_new(struct page *page, size_t room, size_t length)
{
	struct blob *text = blob_new(room + length);

	if (!text)
		return NULL;
	text->alive = &page->texts;
	page->texts++;
	return text;
}

void page_drop_text(struct page *page)
{
	page->text = blob_unref(page->text);
	free(TAKE_PTR(page->values));
	free(TAKE_PTR(page->offsets));
	page->slot_count = 0;
}

static int text_make(struct page *page, size_t bytes)
{
	page->room = MAX(page->room, ROOM_BYTES);
	page->text = page_text_new(page, page->room, bytes + strlen(eof_line));
	page->values = malloc((page->slot_count + 1) * sizeof(*page->values));
	page->offsets = malloc((page->slot_count + 1) * sizeof(*page->offsets));
	return page->text && page->values && page->offsets ? 0 : -ENOMEM;
}

static void text_write(struct page *page, const struct strbuf *heads)
{
	struct lines lines = {
		.writer.text = page->text->data + page->room,
		.page = page,
		.pad = page->exposition == EXPOSITION_TEXT_0_0_4 ? ' ' : '0',
	};

	for (size_t t = 0; t < page->table_count; t++) {
		lines.table = &page->tables[t];
		lines.head = &heads[t];
		for (size_t i = 0; i < page->order_count; i++) {
			lines.entry = page->order[i];
			if (lines.entry->shown)
				points_of(lines.table, lines.entry->sample, line_add, &lines);
		}
	}
	if (page->exposition == EXPOSITION_OPENMETRICS_1_0_0)
		write_text(&lines.writer, eof_line);
	page->text_length = lines.writer.length;
}

int page_layout(struct page *page)
{
	struct strbuf *heads = calloc(page->table_count + 1, sizeof(*heads));
	size_t bytes = 0, head_bytes = 0;
	int r = heads ? 0 : -ENOMEM;

	page_drop_text(page);
	if (r == 0)
		r = heads_make(page, heads, &head_bytes);
	if (r == 0)
		r = entries_choose(page, &bytes);
	if (r == 0)
		r = text_make(page, bytes + head_bytes);
	if (r == 0)
		text_write(page, heads);
	else
		page_drop_text(page);
	for (size_t t = 0; heads && t < page->table_count; t++)
		strbuf_done(&heads[t]);
	free(heads);
	return r;
}
