/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/bpf/record-table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "limit.h"

#define FIRST_CAPACITY 256u

void record_table_done(struct record_table *table)
{
	free(table->keys);
	free(table->values);
	*table = (struct record_table){ .fd = -EBADF };
}

int record_table_put(const struct record_table *table, uint64_t key, const void *record)
{
	return bpf_map_update_elem(table->fd, &key, record, BPF_ANY) < 0 ? -errno : 0;
}

void record_table_remove(const struct record_table *table, uint64_t key)
{
	(void)bpf_map_delete_elem(table->fd, &key);
}

static int table_grow(struct record_table *table)
{
	size_t capacity = table->capacity ? table->capacity * 2 : FIRST_CAPACITY;
	void *keys, *values;

	/* A power of two that holds all there can be in one bucket of the kernel's hash. */
	if (capacity > 2 * LIMIT_WORKLOADS)
		return -ENOSPC;
	keys = realloc(table->keys, capacity * sizeof(uint64_t));
	if (!keys)
		return -ENOMEM;
	table->keys = keys;
	values = realloc(table->values, capacity * table->size);
	if (!values)
		return -ENOMEM;
	table->values = values;
	table->capacity = capacity;
	return 0;
}

int record_table_each(struct record_table *table, void (*fn)(void *data, const void *record),
		      void *data)
{
	uint32_t batch = 0;
	bool first = true;
	int r = table->capacity ? 0 : table_grow(table);

	while (r >= 0) {
		uint32_t count = (uint32_t)table->capacity;
		int error = bpf_map_lookup_batch(table->fd, first ? NULL : &batch, &batch,
						 table->keys, table->values, &count, NULL) < 0
				    ? errno
				    : 0;

		/* The next bucket has more records than there is room: nothing was read. */
		if (error == ENOSPC) {
			r = table_grow(table);
			continue;
		}
		if (error != 0 && error != ENOENT)
			return -error;
		for (uint32_t i = 0; i < count; i++)
			fn(data, (const char *)table->values + i * table->size);
		if (error == ENOENT)
			return 0;
		first = false;
	}
	return r;
}
