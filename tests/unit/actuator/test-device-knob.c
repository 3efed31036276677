/* SPDX-License-Identifier: Apache-2.0 */
/* Knobs with a value for each block device. */
#include <errno.h>
#include <sys/syscall.h>

#include "actuator/knob/line.h"
#include "actuator/knob/table.h"
#include "berth-test.h"
#include "disks.h"

/* The kernel's answer to a write of io.max: what a plain file never says. */
static int write_errno;
static unsigned int lines_written;

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
	char link[64], name[PATH_MAX];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	if (n > 6 && strcmp(name + n - 6, "io.max") == 0) {
		lines_written++;
		if (write_errno) {
			errno = write_errno;
			return -1;
		}
	}
	return syscall(SYS_pwrite64, fd, data, size, offset);
}

/* The bug of others: two devices in one write, and the second has no limit. */
static void test_claim_two_devices_limits_both_by_a_write_each(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 2);
	lines_written = 0;
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 1000000));
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 2000000));
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_WRITE_IOPS, 50));
	assert_string_equal(disk_get(0, 0, 0), "1000000");
	assert_string_equal(disk_get(0, 1, 0), "2000000");
	assert_string_equal(disk_get(0, 1, 3), "50");
	assert_int_equal(lines_written, 3);
	assert_int_equal(disk_lost, 0);
	/* Renewed for nothing. */
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 2000000));
	assert_int_equal(lines_written, 3);
	actuator_unclaim_device(world.actuator, "one", world_target(WORLD_A), DISK_SDB,
				KNOB_IO_READ_BPS);
	assert_string_equal(disk_get(0, 0, 0), "1000000");
	assert_string_equal(disk_get(0, 1, 0), "");
	assert_string_equal(disk_get(0, 1, 3), "50");
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(disk_get(0, 0, 0), "");
	assert_string_equal(disk_get(0, 1, 3), "");
	world_close(&world);
}

static void test_claim_v1_writes_the_file_of_each_kind(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 1);
	for (unsigned int k = 0; k < KEYS; k++) {
		assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, disk_knobs[k], 100 + k));
		assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, disk_knobs[k], 200 + k));
	}
	for (unsigned int k = 0; k < KEYS; k++) {
		assert_int_equal(atoi(disk_get(0, 0, k)), 100 + k);
		assert_int_equal(atoi(disk_get(0, 1, k)), 200 + k);
	}
	actuator_drop_owner(world.actuator, "one");
	for (unsigned int k = 0; k < KEYS; k++)
		assert_string_equal(disk_get(0, 0, k), "");
	assert_int_equal(disk_lost, 0);
	world_close(&world);
}

static void test_claim_two_owners_smallest_holds_and_original_returns(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 2);
	disk_put("pods/a", "io.max", "8:0 rbps=9000 wbps=max riops=max wiops=max\n");
	disk_look();
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	assert_ok(disk_claim(&world, "two", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 3000));
	assert_string_equal(disk_get(0, 0, 0), "3000");
	assert_string_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).original, "9000");
	actuator_unclaim_device(world.actuator, "two", world_target(WORLD_A), DISK_SDA,
				KNOB_IO_READ_BPS);
	assert_string_equal(disk_get(0, 0, 0), "5000");
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(disk_get(0, 0, 0), "9000");
	world_close(&world);
}

static void test_actuator_new_adopts_devices_without_a_write(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 2);
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 6000));
	assert_ok(disk_claim_text(&world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS,
				  "enable=1 ctrl=user rpct=95"));
	world_stop(&world);
	world_start(&world);
	assert_int_equal(world_see(&world, 0, KNOB_IO_READ_BPS).count, 2);
	assert_string_equal(world_see(&world, 0, KNOB_IO_READ_BPS).owner, "previous run");
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 6000));
	assert_ok(disk_claim_text(&world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS,
				  "enable=1 ctrl=user rpct=95"));
	assert_int_equal(world_stats(&world).writes, 0);
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(disk_get(0, 0, 0), "");
	assert_string_equal(disk_get(0, 1, 0), "");
	assert_non_null(strstr(disk_qos, "enable=0 ctrl=auto"));
	assert_int_equal(world_stats(&world).holdings, 0);
	world_close(&world);
}

static void test_drift_of_one_device_is_its_own(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 2);
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	world_run(&world, 0);
	/* Another device, another key: nobody's business here. */
	disk_put("pods/a", "io.max",
		 "8:0 rbps=5000 wbps=70 riops=max wiops=max\n8:16 rbps=1 wbps=max riops=max "
		 "wiops=max\n");
	disk_look();
	world_run(&world, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	disk_put("pods/a", "io.max", "8:0 rbps=4000 wbps=70 riops=max wiops=max\n");
	disk_look();
	world_run(&world, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 1);
	assert_string_equal(disk_get(0, 0, 0), "5000");
	assert_string_equal(disk_get(0, 0, 1), "70");
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(disk_get(0, 0, 0), "4000");
	world_close(&world);
}

static void test_device_that_goes_is_waited_for(void **state)
{
	struct world world;
	char path[PATH_MAX];

	(void)state;
	disk_open(&world, 2);
	(void)snprintf(path, sizeof(path), "%s/sys/dev/block/8:0", world.dir);
	assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	world_run(&world, 0);
	assert_int_equal(rmdir(path), 0);
	disk_put("pods/a", "io.max", "");
	disk_look();
	world_run(&world, 0);
	assert_int_equal(world_stats(&world).foreign_writes, 0);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).status, KNOB_PENDING);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).error, -ENODEV);
	/* Refused until there is one again. */
	write_errno = ENODEV;
	actuator_reconcile(world.actuator);
	assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).status, KNOB_PENDING);
	write_errno = 0;
	assert_int_equal(mkdir(path, 0755), 0);
	actuator_reconcile(world.actuator);
	assert_string_equal(disk_get(0, 0, 0), "5000");
	assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).status, KNOB_WRITTEN);
	assert_int_equal(world_stats(&world).write_errors, 0);
	world_close(&world);
}

static void test_write_refused_is_retried_and_shown(void **state)
{
	static const int errors[] = { EBUSY, EINVAL, EROFS };
	struct world world;

	(void)state;
	disk_open(&world, 2);
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		write_errno = errors[i];
		assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 5000));
		assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).status, KNOB_FAILED);
		assert_int_equal(world_see(&world, WORLD_A, KNOB_IO_READ_BPS).error, -errors[i]);
		/* The other device goes on. */
		write_errno = 0;
		assert_ok(disk_claim(&world, "one", WORLD_A, DISK_SDB, KNOB_IO_READ_BPS, 5000));
		assert_string_equal(disk_get(0, 1, 0), "5000");
		actuator_reconcile(world.actuator);
		assert_string_equal(disk_get(0, 0, 0), "5000");
		actuator_drop_owner(world.actuator, "one");
		assert_string_equal(disk_get(0, 0, 0), "");
	}
	world_close(&world);
}

static void test_group_that_vanishes_is_no_error(void **state)
{
	struct world world;
	char path[PATH_MAX];

	(void)state;
	disk_open(&world, 2);
	assert_ok(disk_claim(&world, "one", WORLD_B, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	world_path(&world, "pods", "b", path, sizeof(path));
	fixture_remove(path);
	actuator_reconcile(world.actuator);
	actuator_target_gone(world.actuator, world_target(WORLD_B));
	assert_int_equal(world_stats(&world).write_errors, 0);
	assert_int_equal(world_stats(&world).holdings, 0);
	assert_int_equal(world_stats(&world).claims, 0);
	world_close(&world);
}

/* runc makes v1's blkio group after those that tell of a new workload. */
static void test_group_that_comes_later_on_v1_is_found(void **state)
{
	struct world world;
	char path[PATH_MAX];

	(void)state;
	disk_open(&world, 1);
	world_path(&world, "pods", "blkio", path, sizeof(path));
	path[strlen(path) - strlen("blkio")] = '\0';
	(void)strncat(path, "b", sizeof(path) - strlen(path) - 1);
	fixture_remove(path);
	assert_ok(disk_claim(&world, "one", WORLD_B, DISK_SDA, KNOB_IO_READ_BPS, 5000));
	assert_int_equal(world_see(&world, WORLD_B, KNOB_IO_READ_BPS).status, KNOB_PENDING);
	assert_int_equal(mkdir(path, 0755), 0);
	disk_put("pods/b", disk_files[0], "");
	actuator_reconcile(world.actuator);
	assert_string_equal(disk_get(1, 0, 0), "5000");
	world_close(&world);
}

static void test_claim_of_weight_leaves_lines_of_devices(void **state)
{
	struct world world;
	char text[128];

	(void)state;
	disk_open(&world, 2);
	assert_ok(disk_claim(&world, "one", WORLD_A, 0, KNOB_IO_WEIGHT, 10));
	/* One line by itself: the kernel keeps the others. */
	disk_read("pods/a", "io.weight", text, sizeof(text));
	assert_string_equal(text, "10\n");
	actuator_drop_owner(world.actuator, "one");
	disk_read("pods/a", "io.weight", text, sizeof(text));
	assert_string_equal(text, "100\n");
	world_close(&world);
}

static void test_claim_refuses_what_does_not_fit(void **state)
{
	struct world world;

	(void)state;
	disk_open(&world, 2);
	assert_errno(disk_claim(&world, "one", WORLD_A, 0, KNOB_IO_READ_BPS, 1), EINVAL);
	assert_errno(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_CPU_WEIGHT, 1), EINVAL);
	assert_errno(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_IO_READ_BPS, 0), ERANGE);
	assert_errno(disk_claim(&world, "one", WORLD_A, UINT64_C(1) << 40, KNOB_IO_READ_BPS, 1),
		     EINVAL);
	assert_errno(disk_claim(&world, "one", WORLD_A, DISK_SDA, KNOB_DEVICE_COST_QOS, 1), EINVAL);
	assert_errno(disk_claim_text(&world, "one", DISK_SDA, KNOB_IO_READ_BPS, "1"), EINVAL);
	assert_errno(disk_claim_text(&world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS, ""), EINVAL);
	assert_errno(disk_claim_text(&world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS,
				     "enable=1\n8:16 enable=1"),
		     EINVAL);
	assert_errno(disk_claim_text(&world, "one", DISK_SDA, KNOB_DEVICE_COST_QOS, NULL), EINVAL);
	assert_int_equal(world_stats(&world).claims, 0);
	world_close(&world);
}

struct line_case {
	enum knob knob;
	int version;
	uint32_t device;
	const char *file, *value;
	const char *line; /* of writing that value */
};

static const struct line_case line_cases[] = {
	{ KNOB_IO_READ_BPS, 2, DISK_SDA, "", "max", "8:0 rbps=max" },
	{ KNOB_IO_READ_BPS, 2, DISK_SDA, "8:0 wbps=7 rbps=5 \n", "5", "8:0 rbps=5" },
	{ KNOB_IO_READ_BPS, 2, DISK_SDA, "18:0 rbps=5\n8:00 rbps=4\n", "max", "8:0 rbps=max" },
	{ KNOB_IO_READ_BPS, 2, DISK_SDB, "8:0 rbps=5\n8:16 wbps=1 rbps=6", "6", "8:16 rbps=6" },
	{ KNOB_IO_READ_BPS, 1, DISK_SDA, "8:16 9\n", "0", "8:0 0" },
	{ KNOB_IO_READ_BPS, 1, DISK_SDB, "8:0 3\n8:16 9\n", "9", "8:16 9" },
	{ KNOB_IO_LATENCY_USEC, 2, DISK_SDA, "8:0 target=75000\n", "75000", "8:0 target=75000" },
	{ KNOB_IO_WEIGHT, 2, 0, "default 100\n8:0 50\n", "100", "100" },
	{ KNOB_IO_BFQ_WEIGHT, 1, 0, "250\n", "250", "250" },
	{ KNOB_MEMORY_WB_BLKIO, 1, 0, "wb_blkio_path:/a\nwb_blkio_ino:17\n", "17", "17" },
	{ KNOB_DEVICE_COST_QOS, 2, DISK_SDA, "", "enable=0 ctrl=auto", "8:0 enable=0 ctrl=auto" },
	{ KNOB_DEVICE_COST_QOS, 2, DISK_SDA, "8:0 enable=1 ctrl=auto rpct=0.00 rlat=1\n",
	  "enable=1 ctrl=auto rpct=0.00 rlat=1", "8:0 enable=1 ctrl=auto" },
	{ KNOB_DEVICE_COST_QOS, 2, DISK_SDA, "8:0 enable=1 ctrl=user rpct=95.00\n",
	  "enable=1 ctrl=user rpct=95.00", "8:0 enable=1 ctrl=user rpct=95.00" },
	{ KNOB_DEVICE_COST_MODEL, 2, DISK_SDB, "8:0 ctrl=user model=linear rbps=1\n", "ctrl=auto",
	  "8:16 ctrl=auto" },
};

static void test_knob_line_finds_and_makes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(line_cases); i++) {
		const struct line_case *c = &line_cases[i];
		char value[128], line[128];

		assert_ok(knob_line_find(c->knob, c->version, c->device, c->file, value,
					 sizeof(value)));
		assert_string_equal(value, c->value);
		assert_ok(
			knob_line_make(c->knob, c->version, c->device, value, line, sizeof(line)));
		assert_string_equal(line, c->line);
		assert_errno(knob_line_find(c->knob, c->version, c->device, c->file, value, 1),
			     EMSGSIZE);
	}
}

static void test_knob_same_of_texts_and_limits(void **state)
{
	enum knob qos = KNOB_DEVICE_COST_QOS;

	(void)state;
	assert_true(knob_same(qos, 2, "enable=1 rpct=95", "enable=1 ctrl=user rpct=95.00 rlat=0"));
	assert_false(knob_same(qos, 2, "enable=1 rpct=95", "enable=1 ctrl=user rpct=95.50"));
	assert_false(knob_same(qos, 2, "enable=0 ctrl=auto", "enable=1 ctrl=user rpct=95"));
	assert_true(knob_same(qos, 2, "enable=0 ctrl=auto", "enable=0 ctrl=auto rpct=0.00"));
	assert_false(knob_same(KNOB_DEVICE_COST_MODEL, 2, "ctrl=auto", "ctrl=user rbps=5"));
	assert_true(knob_same(KNOB_IO_READ_IOPS, 2, "max", "4294967295"));
	assert_false(knob_same(KNOB_IO_READ_BPS, 2, "max", "4294967295"));
	assert_true(knob_same(KNOB_IO_LATENCY_USEC, 2, "max", "0"));
	assert_true(knob_same(KNOB_IO_PRIO_CLASS, 2, "none-to-rt", "promote-to-rt"));
	assert_false(knob_same(KNOB_IO_PRIO_CLASS, 2, "idle", "no-change"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_claim_two_devices_limits_both_by_a_write_each),
		cmocka_unit_test(test_claim_v1_writes_the_file_of_each_kind),
		cmocka_unit_test(test_claim_two_owners_smallest_holds_and_original_returns),
		cmocka_unit_test(test_actuator_new_adopts_devices_without_a_write),
		cmocka_unit_test(test_drift_of_one_device_is_its_own),
		cmocka_unit_test(test_device_that_goes_is_waited_for),
		cmocka_unit_test(test_write_refused_is_retried_and_shown),
		cmocka_unit_test(test_group_that_vanishes_is_no_error),
		cmocka_unit_test(test_group_that_comes_later_on_v1_is_found),
		cmocka_unit_test(test_claim_of_weight_leaves_lines_of_devices),
		cmocka_unit_test(test_claim_refuses_what_does_not_fit),
		cmocka_unit_test(test_knob_line_finds_and_makes),
		cmocka_unit_test(test_knob_same_of_texts_and_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
