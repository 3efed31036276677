/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/page-internal.h"

static bool entry_fits(const struct page_entry *entry)
{
	const struct workload_sample *sample = entry->sample;

	if (!sample || !entry->sampled)
		return !sample && !entry->sampled;
	/* With other series it may have its place under the cap, and counts otherwise. */
	if (!entry->shown && !entry->capped)
		return true;
	if (sample->known[0] != entry->known[0] || sample->known[1] != entry->known[1] ||
	    sample->device_count != entry->device_count ||
	    (sample->latency != NULL) != entry->latency)
		return false;
	for (uint32_t i = 0; i < entry->device_count; i++)
		if (strncmp(sample->devices[i].name, entry->devices[i], SAMPLE_DEVICE_NAME) != 0)
			return false;
	return true;
}

bool page_fits(const struct page *page)
{
	for (size_t i = 0; i < page->order_count; i++)
		if (!entry_fits(page->order[i]))
			return false;
	return true;
}

struct patch {
	char *text, pad;
	const uint32_t *offsets;
	uint64_t *values;
};

PAGE_INLINE void patch_point(void *data, const struct point *point)
{
	struct patch *patch = data;
	uint32_t offset = *patch->offsets++;
	uint64_t *value = patch->values++;

	if (*value == point->number)
		return;
	*value = point->number;
	slot_write(patch->text + offset, point->form, point->number, patch->pad);
}

void page_patch(struct page *page)
{
	for (size_t i = 0; i < page->order_count; i++) {
		const struct page_entry *entry = page->order[i];
		struct patch patch = {
			.text = page->text->data + page->room,
			.pad = page->exposition == EXPOSITION_TEXT_0_0_4 ? ' ' : '0',
			.offsets = page->offsets + entry->slot,
			.values = page->values + entry->slot,
		};

		if (!entry->shown)
			continue;
		for (size_t t = 0; t < page->table_count; t++)
			points_of(&page->tables[t], entry->sample, patch_point, &patch);
	}
}
