/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>

#include "berth-test.h"
#include "hashmap.h"
#include "macro.h"

#define MANY 10000u

struct item {
	char key[24];
	uint64_t number;
	bool seen;
};

static struct item *items_new(void)
{
	struct item *items = calloc(MANY, sizeof(*items));

	assert_non_null(items);
	for (unsigned int i = 0; i < MANY; i++) {
		(void)snprintf(items[i].key, sizeof(items[i].key), "workload-%u", i);
		items[i].number = i;
	}
	return items;
}

static void test_hash_bytes_vectors_match_fnv1a(void **state)
{
	(void)state;
	/* Of the FNV reference (draft-eastlake-fnv). */
	assert_true(hash_bytes("", 0) == 0xcbf29ce484222325ULL);
	assert_true(hash_bytes("a", 1) == 0xaf63dc4c8601ec8cULL);
	assert_true(hash_bytes("foobar", 6) == 0x85944171f73967e8ULL);
}

static void test_hashmap_zeroed_is_empty(void **state)
{
	struct hashmap map = { 0 };
	size_t index = 0;

	(void)state;
	assert_null(hashmap_get(&map, "x"));
	assert_null(hashmap_get_u64(&map, 0));
	assert_null(hashmap_remove(&map, "x"));
	assert_null(hashmap_next(&map, &index));
	hashmap_done(&map);
}

static void test_hashmap_put_twice_is_refused(void **state)
{
	struct hashmap map = { 0 };
	int first = 1, second = 2;

	(void)state;
	assert_ok(hashmap_put(&map, "a", &first));
	assert_errno(hashmap_put(&map, "a", &second), EEXIST);
	assert_errno(hashmap_put(&map, "b", NULL), EINVAL);
	assert_ptr_equal(hashmap_get(&map, "a"), &first);
	assert_int_equal(map.count, 1);
	hashmap_done(&map);
	assert_int_equal(map.count, 0);
}

static void test_hashmap_string_and_integer_keys_are_apart(void **state)
{
	struct hashmap map = { 0 };
	uint64_t hash = hash_bytes("a", 1);
	int text = 1, number = 2;

	(void)state;
	assert_ok(hashmap_put(&map, "a", &text));
	assert_null(hashmap_get_u64(&map, hash));
	assert_ok(hashmap_put_u64(&map, hash, &number));
	assert_ptr_equal(hashmap_remove(&map, "a"), &text);
	assert_ptr_equal(hashmap_get_u64(&map, hash), &number);
	hashmap_done(&map);
}

static void test_hashmap_many_strings_are_found(void **state)
{
	struct item *items = items_new();
	struct hashmap map = { 0 };

	(void)state;
	for (unsigned int i = 0; i < MANY; i++)
		assert_ok(hashmap_put(&map, items[i].key, &items[i]));
	assert_int_equal(map.count, MANY);
	for (unsigned int i = 0; i < MANY; i++)
		assert_ptr_equal(hashmap_get(&map, items[i].key), &items[i]);
	for (unsigned int i = 0; i < MANY; i += 2)
		assert_ptr_equal(hashmap_remove(&map, items[i].key), &items[i]);
	assert_int_equal(map.count, MANY / 2);
	for (unsigned int i = 0; i < MANY; i++)
		assert_ptr_equal(hashmap_get(&map, items[i].key), i % 2 ? &items[i] : NULL);
	hashmap_done(&map);
	free(items);
}

static void test_hashmap_integer_extremes_are_found(void **state)
{
	static const uint64_t keys[] = { 0, 1, UINT64_MAX, UINT64_MAX - 1, 1ULL << 32, 1ULL << 63 };
	struct hashmap map = { 0 };
	int values[ARRAY_SIZE(keys)] = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_ok(hashmap_put_u64(&map, keys[i], &values[i]));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		assert_ptr_equal(hashmap_get_u64(&map, keys[i]), &values[i]);
	hashmap_done(&map);
}

static void test_hashmap_foreach_removal_visits_each_once(void **state)
{
	struct item *items = items_new(), *item;
	struct hashmap map = { 0 };
	unsigned int visited = 0;

	(void)state;
	for (unsigned int i = 0; i < MANY; i++)
		assert_ok(hashmap_put_u64(&map, items[i].number, &items[i]));
	hashmap_foreach (item, &map) {
		assert_false(item->seen);
		item->seen = true;
		visited++;
		if (item->number % 3 != 0)
			assert_ptr_equal(hashmap_remove_u64(&map, item->number), item);
	}
	assert_int_equal(visited, MANY);
	assert_int_equal(map.count, (MANY + 2) / 3);
	visited = 0;
	hashmap_foreach (item, &map) {
		assert_int_equal(item->number % 3, 0);
		visited++;
	}
	assert_int_equal(visited, map.count);
	hashmap_done(&map);
	free(items);
}

/* Tombstones alone must neither fill the table (an endless probe) nor make it grow. */
static void test_hashmap_churn_keeps_the_capacity(void **state)
{
	struct hashmap map = { 0 };
	int value = 0;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++) {
		assert_ok(hashmap_put_u64(&map, i, &value));
		if (i >= 4)
			assert_ptr_equal(hashmap_remove_u64(&map, i - 4), &value);
	}
	assert_int_equal(map.count, 4);
	assert_true(map.capacity <= 32);
	hashmap_done(&map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_bytes_vectors_match_fnv1a),
		cmocka_unit_test(test_hashmap_zeroed_is_empty),
		cmocka_unit_test(test_hashmap_put_twice_is_refused),
		cmocka_unit_test(test_hashmap_string_and_integer_keys_are_apart),
		cmocka_unit_test(test_hashmap_many_strings_are_found),
		cmocka_unit_test(test_hashmap_integer_extremes_are_found),
		cmocka_unit_test(test_hashmap_foreach_removal_visits_each_once),
		cmocka_unit_test(test_hashmap_churn_keeps_the_capacity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
