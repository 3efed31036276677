/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/stall/table.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "macro.h"

#define FIRST_COUNT 64u

_Static_assert(LIMIT_WORKLOADS % 64 == 0, "a bit for each");

void stall_table_init(struct stall_table *table, int keys, int records)
{
	*table = (struct stall_table){ .keys = keys, .records = records };
}

static size_t bytes_of(size_t count)
{
	return count * sizeof(struct stall_record);
}

void stall_table_done(struct stall_table *table)
{
	if (table->mapped)
		(void)munmap(table->mapped, bytes_of(table->mapped_count));
	table->mapped = NULL;
	table->mapped_count = 0;
}

/* Up to `index`. The old mapping is given up only when there is a new one. */
static int table_map(struct stall_table *table, uint32_t index)
{
	size_t count = MAX(table->mapped_count, (size_t)FIRST_COUNT);
	void *mapped;

	if (index < table->mapped_count)
		return 0;
	while (count <= index)
		count *= 2;
	count = MIN(count, (size_t)LIMIT_WORKLOADS);
	mapped = mmap(NULL, bytes_of(count), PROT_READ | PROT_WRITE, MAP_SHARED, table->records, 0);
	if (mapped == MAP_FAILED)
		return -errno;
	stall_table_done(table);
	table->mapped = mapped;
	table->mapped_count = count;
	return 0;
}

static int free_find(const struct stall_table *table, uint32_t *ret)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(table->taken); i++) {
		if (table->taken[i] == UINT64_MAX)
			continue;
		*ret = i * 64 + (uint32_t)__builtin_ctzll(~table->taken[i]);
		return 0;
	}
	return -E2BIG;
}

int stall_table_put(struct stall_table *table, uint64_t key, uint32_t *ret_index)
{
	uint32_t index = 0;
	int r = free_find(table, &index);

	if (r >= 0)
		r = table_map(table, index);
	if (r < 0)
		return r;
	/* Before the kernel can find it; who waits since the last owner's time goes by the key. */
	table->mapped[index] = (struct stall_record){ .key = key };
	if (bpf_map_update_elem(table->keys, &key, &index, BPF_ANY) < 0)
		return -errno;
	table->taken[index / 64] |= UINT64_C(1) << (index % 64);
	*ret_index = index;
	return 0;
}

void stall_table_remove(struct stall_table *table, uint64_t key, uint32_t index)
{
	(void)bpf_map_delete_elem(table->keys, &key);
	table->mapped[index].key = 0;
	table->taken[index / 64] &= ~(UINT64_C(1) << (index % 64));
}
