/* SPDX-License-Identifier: Apache-2.0 */
/*
 * record-table.h - a table that programs in the kernel count in, one record for each workload. User
 * space alone puts records there and takes them out; a pass reads all with one call.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct record_table {
	int fd; /* of the map, borrowed: key u64, value of `size` bytes */
	size_t size;
	size_t capacity; /* records that the two buffers below hold */
	void *keys, *values;
};

void record_table_done(struct record_table *table);

/* 0; -E2BIG when it is full. */
int record_table_put(const struct record_table *table, uint64_t key, const void *record);
void record_table_remove(const struct record_table *table, uint64_t key);

/* Calls fn with each record. 0 or -errno: not all were read. */
int record_table_each(struct record_table *table, void (*fn)(void *data, const void *record),
		      void *data);
