/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.h - the records that stall/probe.bpf.c counts in: an array that both sides have
 * mapped, and the kernel's table of which record is whose.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "limit.h"
#include "telemetry/stall/record.h"

struct stall_table {
	int keys, records; /* maps, borrowed */
	struct stall_record *mapped;
	size_t mapped_count; /* as many as there were at once, and no more: it is memory */
	uint64_t taken[LIMIT_WORKLOADS / 64];
};

void stall_table_init(struct stall_table *table, int keys, int records);
void stall_table_done(struct stall_table *table);

/* An empty record for the group whose directory has that number. 0; -E2BIG there is no more room;
 * another -errno. */
int stall_table_put(struct stall_table *table, uint64_t key, uint32_t *ret_index);
void stall_table_remove(struct stall_table *table, uint64_t key, uint32_t index);

/* Of an index that is in use. */
static inline const struct stall_record *stall_table_get(const struct stall_table *table,
							 uint32_t index)
{
	return &table->mapped[index];
}
