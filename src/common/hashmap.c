/* SPDX-License-Identifier: Apache-2.0 */
#include "hashmap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define HASHMAP_CAPACITY_FIRST 8u

char hashmap_tombstone;

uint64_t hash_bytes(const void *data, size_t size)
{
	const unsigned char *bytes = data;
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < size; i++) {
		hash ^= bytes[i];
		hash *= 0x100000001b3ULL;
	}
	return hash;
}

/* Integer keys are ids that count up, and FNV's low bits are its weak ones: the high half of a
 * multiplication by 2^64 / phi spreads both over the table. */
static size_t slot_first(const struct hashmap *map, uint64_t hash)
{
	return (size_t)((hash * 0x9e3779b97f4a7c15ULL) >> 32) & (map->capacity - 1);
}

static bool slot_is(const struct hashmap_slot *slot, uint64_t hash, const char *name)
{
	if (slot->value == &hashmap_tombstone || slot->hash != hash)
		return false;
	if (!slot->name || !name)
		return !slot->name && !name;
	return strcmp(slot->name, name) == 0;
}

static struct hashmap_slot *slot_find(const struct hashmap *map, uint64_t hash, const char *name)
{
	if (map->capacity == 0)
		return NULL;
	for (size_t i = slot_first(map, hash);; i = (i + 1) & (map->capacity - 1)) {
		struct hashmap_slot *slot = &map->slots[i];

		/* A quarter of the slots is always free, so the probe ends. */
		if (!slot->value)
			return NULL;
		if (slot_is(slot, hash, name))
			return slot;
	}
}

static void slot_fill(struct hashmap *map, uint64_t hash, const char *name, void *value)
{
	size_t i = slot_first(map, hash);

	while (map->slots[i].value && map->slots[i].value != &hashmap_tombstone)
		i = (i + 1) & (map->capacity - 1);
	if (!map->slots[i].value)
		map->used++;
	map->count++;
	map->slots[i] = (struct hashmap_slot){ .hash = hash, .name = name, .value = value };
}

/* Also taken when tombstones fill the table; then the capacity may stay as it is. */
static int hashmap_grow(struct hashmap *map)
{
	size_t capacity = map->capacity ? map->capacity : HASHMAP_CAPACITY_FIRST;
	struct hashmap next = { 0 };

	if ((map->count + 1) * 2 > capacity) {
		if (capacity > SIZE_MAX / 2)
			return -ENOMEM;
		capacity *= 2;
	}
	next.slots = calloc(capacity, sizeof(*next.slots));
	if (!next.slots)
		return -ENOMEM;
	next.capacity = capacity;
	for (size_t i = 0; i < map->capacity; i++) {
		const struct hashmap_slot *slot = &map->slots[i];

		if (slot->value && slot->value != &hashmap_tombstone)
			slot_fill(&next, slot->hash, slot->name, slot->value);
	}
	free(map->slots);
	*map = next;
	return 0;
}

static int put(struct hashmap *map, uint64_t hash, const char *name, void *value)
{
	if (!value)
		return -EINVAL;
	if (slot_find(map, hash, name))
		return -EEXIST;
	if ((map->used + 1) * 4 > map->capacity * 3) {
		int r = hashmap_grow(map);

		if (r < 0)
			return r;
	}
	slot_fill(map, hash, name, value);
	return 0;
}

static void *get(const struct hashmap *map, uint64_t hash, const char *name)
{
	const struct hashmap_slot *slot = slot_find(map, hash, name);

	return slot ? slot->value : NULL;
}

static void *take(struct hashmap *map, uint64_t hash, const char *name)
{
	struct hashmap_slot *slot = slot_find(map, hash, name);
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	/* Nothing moves: that is what makes removal safe inside hashmap_foreach(). */
	*slot = (struct hashmap_slot){ .value = &hashmap_tombstone };
	map->count--;
	return value;
}

void hashmap_done(struct hashmap *map)
{
	if (!map)
		return;
	free(map->slots);
	*map = (struct hashmap){ 0 };
}

int hashmap_put(struct hashmap *map, const char *key, void *value)
{
	return put(map, hash_bytes(key, strlen(key)), key, value);
}

int hashmap_put_u64(struct hashmap *map, uint64_t key, void *value)
{
	return put(map, key, NULL, value);
}

void *hashmap_get(const struct hashmap *map, const char *key)
{
	return get(map, hash_bytes(key, strlen(key)), key);
}

void *hashmap_get_u64(const struct hashmap *map, uint64_t key)
{
	return get(map, key, NULL);
}

void *hashmap_remove(struct hashmap *map, const char *key)
{
	return take(map, hash_bytes(key, strlen(key)), key);
}

void *hashmap_remove_u64(struct hashmap *map, uint64_t key)
{
	return take(map, key, NULL);
}
