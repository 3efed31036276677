/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's table is made up; the records are a file that is mapped, as theirs are. */
#include <bpf/bpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "berth-test.h"
#include "telemetry/stall/table.h"

static struct {
	unsigned int keys;
	uint64_t last_key;
	uint32_t last_index;
	bool is_full;
} kernel;

int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags)
{
	(void)fd;
	(void)flags;
	if (kernel.is_full) {
		errno = E2BIG;
		return -1;
	}
	kernel.keys++;
	memcpy(&kernel.last_key, key, sizeof(kernel.last_key));
	memcpy(&kernel.last_index, value, sizeof(kernel.last_index));
	return 0;
}

int bpf_map_delete_elem(int fd, const void *key)
{
	(void)fd;
	(void)key;
	kernel.keys--;
	return 0;
}

static struct stall_table *table_new(int *ret_fd)
{
	struct stall_table *table = calloc(1, sizeof(*table));
	int fd = memfd_create("records", MFD_CLOEXEC);

	assert_non_null(table);
	assert_true(fd >= 0);
	assert_ok(ftruncate(fd, LIMIT_WORKLOADS * sizeof(struct stall_record)));
	memset(&kernel, 0, sizeof(kernel));
	stall_table_init(table, -1, fd);
	*ret_fd = fd;
	return table;
}

static void table_free(struct stall_table *table, int fd)
{
	stall_table_done(table);
	free(table);
	(void)close(fd);
}

static void test_table_records_stay_where_they_are_as_it_grows(void **state)
{
	uint32_t index;
	int fd;
	struct stall_table *table = table_new(&fd);

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		assert_ok(stall_table_put(table, 5000 + i, &index));
		assert_int_equal(index, i);
		assert_int_equal(kernel.last_key, 5000 + i);
		assert_int_equal(kernel.last_index, i);
		/* As the kernel counts. */
		table->mapped[i].nsec[STALL_SWAP] = i;
	}
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(stall_table_get(table, i)->key, 5000 + i);
		assert_int_equal(stall_table_get(table, i)->nsec[STALL_SWAP], i);
	}
	/* No more is mapped than a power of two that holds them. */
	assert_int_equal(table->mapped_count, 1024);
	table_free(table, fd);
}

static void test_table_one_that_goes_leaves_nothing_to_the_next(void **state)
{
	uint32_t first, second, third;
	int fd;
	struct stall_table *table = table_new(&fd);

	(void)state;
	assert_ok(stall_table_put(table, 1, &first));
	assert_ok(stall_table_put(table, 2, &second));
	table->mapped[first].nsec[STALL_SWAP] = 7;
	table->mapped[first].running = 9;
	stall_table_remove(table, 1, first);
	assert_int_equal(kernel.keys, 1);
	/* Who waits still for the one that went finds it by its key. */
	assert_int_equal(table->mapped[first].key, 0);
	assert_ok(stall_table_put(table, 3, &third));
	assert_int_equal(third, first);
	assert_int_equal(stall_table_get(table, third)->key, 3);
	assert_int_equal(stall_table_get(table, third)->nsec[STALL_SWAP], 0);
	assert_int_equal(stall_table_get(table, third)->running, 0);
	assert_int_equal(stall_table_get(table, second)->key, 2);
	table_free(table, fd);
}

static void test_table_that_is_full(void **state)
{
	uint32_t index, kept = UINT32_MAX;
	int fd;
	struct stall_table *table = table_new(&fd);

	(void)state;
	kernel.is_full = true;
	assert_int_equal(stall_table_put(table, 1, &kept), -E2BIG);
	kernel.is_full = false;
	for (uint32_t i = 0; i < LIMIT_WORKLOADS; i++) {
		assert_ok(stall_table_put(table, i + 1, &index));
		assert_int_equal(index, i);
	}
	assert_int_equal(stall_table_put(table, UINT64_MAX, &kept), -E2BIG);
	assert_int_equal(kept, UINT32_MAX);
	stall_table_remove(table, 101, 100);
	assert_ok(stall_table_put(table, UINT64_MAX, &kept));
	assert_int_equal(kept, 100);
	table_free(table, fd);
}

/* Records that cannot be mapped: nothing is taken, and what was there stays. */
static void test_table_without_records(void **state)
{
	uint32_t index;
	int fd;
	struct stall_table *table = table_new(&fd);

	(void)state;
	assert_ok(stall_table_put(table, 1, &index));
	table->records = -1;
	for (uint32_t i = 1; i < 64; i++)
		assert_ok(stall_table_put(table, i + 1, &index));
	assert_int_equal(stall_table_put(table, 65, &index), -EBADF);
	assert_int_equal(kernel.keys, 64);
	assert_int_equal(stall_table_get(table, 63)->key, 64);
	table_free(table, fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_records_stay_where_they_are_as_it_grows),
		cmocka_unit_test(test_table_one_that_goes_leaves_nothing_to_the_next),
		cmocka_unit_test(test_table_that_is_full),
		cmocka_unit_test(test_table_without_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
