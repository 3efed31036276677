/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hashmap.h - a map from strings or integers to pointers: open addressing, linear probing, grows
 * by doubling. Values are borrowed, and so are string keys: they must live as long as the entry
 * (point them into the value). A zeroed struct hashmap is an empty map.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct hashmap_slot {
	uint64_t hash;    /* of the string, or the integer key itself */
	const char *name; /* NULL for an integer key */
	void *value;      /* NULL: free; internal tombstone otherwise never visible */
};

struct hashmap {
	struct hashmap_slot *slots;
	size_t capacity; /* 0 or a power of two */
	size_t used;     /* slots that are not free, tombstones included */
	size_t count;    /* entries */
};

/* FNV-1a; also the checksum of journal records. */
uint64_t hash_bytes(const void *data, size_t size);

void hashmap_done(struct hashmap *map);

/* 0; -EEXIST if the key is there (nothing changes); -ENOMEM. value must not be NULL. */
int hashmap_put(struct hashmap *map, const char *key, void *value);
int hashmap_put_u64(struct hashmap *map, uint64_t key, void *value);

/* The value or NULL. */
void *hashmap_get(const struct hashmap *map, const char *key);
void *hashmap_get_u64(const struct hashmap *map, uint64_t key);

/* The removed value or NULL. Safe inside hashmap_foreach() for the current entry. */
void *hashmap_remove(struct hashmap *map, const char *key);
void *hashmap_remove_u64(struct hashmap *map, uint64_t key);

/* Its address marks a slot that was emptied: a probe must pass over it, a put may fill it. */
extern char hashmap_tombstone;

/* The next value at or after slot *index, which moves past it; NULL at the end. Here, since what is
 * done for each entry is often less than a call. */
static inline void *hashmap_next(const struct hashmap *map, size_t *index)
{
	while (*index < map->capacity) {
		void *value = map->slots[(*index)++].value;

		if (value && value != &hashmap_tombstone)
			return value;
	}
	return NULL;
}

/* Order is unspecified. Nothing may be put while it runs. */
#define hashmap_foreach(value, map) \
	for (size_t hashmap_index = 0; ((value) = hashmap_next((map), &hashmap_index));)
