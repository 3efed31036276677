/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/page.h"

#include "macro.h"
#include "metrics/page-internal.h"

/* Those who ask within it get one compression. */
#define PACKED_USEC USEC_PER_SEC

int page_new(struct page **ret)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return -ENOMEM;
	page->dirty = true;
	*ret = page;
	return 0;
}

static void entry_free(struct page_entry *entry)
{
	free(entry->devices);
	free(entry);
}

void page_clear(struct page *page)
{
	struct page_entry *entry;

	hashmap_foreach (entry, &page->entries)
		entry_free(entry);
	hashmap_done(&page->entries);
	page->order_count = 0;
	page->dirty = true;
}

void page_forget_texts(struct page *page)
{
	page_drop_text(page);
	page->packed = blob_unref(page->packed);
	page->gzip = gzip_free(page->gzip);
	page->dirty = true;
}

struct page *page_free(struct page *page)
{
	if (!page)
		return NULL;
	page_clear(page);
	page_forget_texts(page);
	free(page->order);
	free(page);
	return NULL;
}

void page_set_tables(struct page *page, const struct metric_table *tables, size_t count)
{
	page->tables = tables;
	page->table_count = count;
	page->dirty = true;
}

void page_remove(struct page *page, uint64_t id)
{
	struct page_entry *entry = hashmap_remove_u64(&page->entries, id);

	if (!entry)
		return;
	entry_free(entry);
	/* It may be in there; nothing looks before the next layout. */
	page->order_count = 0;
	page->dirty = true;
}

int page_put(struct page *page, uint64_t id, const char *labels)
{
	struct page_entry *entry = hashmap_get_u64(&page->entries, id);
	size_t length = strlen(labels);
	int r;

	if (entry && strcmp(entry->labels, labels) == 0)
		return 0;
	page_remove(page, id);
	entry = calloc(1, sizeof(*entry) + length + 1);
	if (!entry)
		return -ENOMEM;
	entry->id = id;
	entry->labels_length = length;
	memcpy(entry->labels, labels, length + 1);
	r = hashmap_put_u64(&page->entries, id, entry);
	if (r < 0) {
		free(entry);
		return r;
	}
	page->dirty = true;
	return 0;
}

size_t page_series(const struct page *page)
{
	return page->slot_count;
}

size_t page_dropped(const struct page *page)
{
	return page->dropped;
}

static int entry_compare(const void *a, const void *b)
{
	const struct page_entry *const *first = a, *const *second = b;
	int order = strcmp((*first)->labels, (*second)->labels);

	if (order != 0)
		return order;
	/* Ids are counted up: the newer one comes first. */
	return (*first)->id < (*second)->id ? 1 : -1;
}

static int page_sort(struct page *page)
{
	struct page_entry **order, *entry;
	size_t count = 0;

	order = reallocarray(page->order, page->entries.count + 1, sizeof(*order));
	if (!order)
		return -ENOMEM;
	hashmap_foreach (entry, &page->entries)
		order[count++] = entry;
	qsort(order, count, sizeof(*order), entry_compare);
	page->order = order;
	page->order_count = count;
	return 0;
}

/* A reader may still be at it, and must not see half of this pass and half of the one before. */
static int page_own(struct page *page)
{
	struct blob *text = page->text, *own;

	if (text->references == 1)
		return 0;
	own = page_text_new(page, page->room, text->capacity - page->room);
	if (!own)
		return -ENOMEM;
	memcpy(own->data + page->room, text->data + page->room, page->text_length);
	(void)blob_unref(text);
	page->text = own;
	return 0;
}

static bool cap_moved(const struct page *page, size_t max_series)
{
	return max_series < page->slot_count ||
	       (page->dropped > 0 && max_series > page->max_series);
}

int page_update(struct page *page, enum exposition exposition, const struct page_source *source)
{
	bool same = page->text && !page->dirty && page->exposition == exposition &&
		    !cap_moved(page, source->max_series);
	int r = 0;

	if (same && page->generation == source->generation)
		return 0;
	if (page->dirty)
		r = page_sort(page);
	for (size_t i = 0; r == 0 && i < page->order_count; i++)
		page->order[i]->sample = source->sample(source->data, page->order[i]->id);
	if (r == 0 && same && page_fits(page)) {
		r = page_own(page);
		if (r == 0)
			page_patch(page);
	} else if (r == 0) {
		page->exposition = exposition;
		page->max_series = source->max_series;
		r = page_layout(page);
	}
	page->serial++;
	page->generation = source->generation;
	page->dirty = r < 0;
	if (r < 0)
		page_drop_text(page);
	return r;
}

/* In front of the text; a text that somebody reads keeps the one that it has. */
static int head_write(struct page *page, const char *head, size_t length)
{
	struct blob *text = page->text, *grown;

	if (text->references > 1)
		return 0;
	if (length > page->room) {
		size_t room = length + length / 4;

		grown = page_text_new(page, room, text->capacity - page->room);
		if (!grown)
			return -ENOMEM;
		memcpy(grown->data + room, text->data + page->room, page->text_length);
		(void)blob_unref(text);
		page->text = text = grown;
		page->room = room;
	}
	text->start = page->room - length;
	text->length = length + page->text_length;
	memcpy(blob_bytes(text), head, length);
	return 0;
}

static int page_pack(struct page *page, uint64_t now_usec)
{
	bool held = page->packed && page->packed->references > 1;
	int r;

	if (page->packed && page->packed_serial == page->serial &&
	    now_usec - page->packed_usec < PACKED_USEC)
		return 0;
	if (held && page->packs >= LIMIT_PAGE_VERSIONS)
		return -EBUSY;
	if (held)
		page->packed = blob_unref(page->packed);
	if (!page->gzip) {
		r = gzip_new(&page->gzip);
		if (r < 0)
			return r;
	}
	r = gzip_pack(page->gzip, blob_bytes(page->text), page->text->length, &page->packs,
		      &page->packed);
	if (r < 0)
		return r;
	page->packed_serial = page->serial;
	page->packed_usec = now_usec;
	return 0;
}

int page_take(struct page *page, const char *head, size_t head_length, bool gzip, uint64_t now_usec,
	      struct blob **ret)
{
	int r = page->text ? head_write(page, head, head_length) : -ENOMEM;

	if (r == 0 && gzip)
		r = page_pack(page, now_usec);
	if (r < 0)
		return r;
	if (gzip) {
		*ret = blob_ref(page->packed);
		return 0;
	}
	/* This one stays back, so that those who take it compressed are served on. */
	if (page->text->references == 1 && page->texts > LIMIT_PAGE_VERSIONS)
		return -EBUSY;
	*ret = blob_ref(page->text);
	return 0;
}
