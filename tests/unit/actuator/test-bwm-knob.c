/* SPDX-License-Identifier: Apache-2.0 */
/* What openEuler's bwm is told: texts, and who may ask for them. tests/daemon/test-bwm.py has the
 * module. */
#include <errno.h>

#include "actuator/knob/bwm.h"
#include "berth-test.h"
#include "world.h"

#define NET_CLS "sys/fs/cgroup/net_cls"

static void test_text_takes_amounts_and_nothing_else(void **state)
{
	static const char *const bandwidths[] = { "20mb,1gb", "1kb,9999gb", "30mb,100mb" };
	static const char *const waterlines[] = { "20mb", "9999gb", "20480kb" };
	/* Root's shell would run these. */
	static const char *const wrong[] = {
		"20mb;reboot",
		"$(reboot)",
		"20mb,1gb\nreboot",
		"20 mb,1gb",
		"20mb,1gb,",
		"20mb,",
		",20mb",
		"20,30",
		"20tb,30tb",
		"-1mb,2mb",
		"020mb,1gb",
		"mb,mb",
		"20mb,`id`",
		"20mb|id",
		"0mb,1mb",
		"20MB,1GB",
		"1b,2b",
		"20mb,1gb&",
		"20mb,1g b",
		"0x14mb,1gb",
		"99999999999999999mb,1gb",
		"18446744073709551615gb",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bandwidths); i++) {
		assert_ptr_equal(bwm_knob_text(KNOB_BWM_BANDWIDTH, bandwidths[i]), bandwidths[i]);
		assert_null(bwm_knob_text(KNOB_BWM_WATERLINE, bandwidths[i]));
		assert_ptr_equal(bwm_knob_text(KNOB_BWM_WATERLINE, waterlines[i]), waterlines[i]);
		assert_null(bwm_knob_text(KNOB_BWM_BANDWIDTH, waterlines[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		assert_null(bwm_knob_text(KNOB_BWM_BANDWIDTH, wrong[i]));
		assert_null(bwm_knob_text(KNOB_BWM_WATERLINE, wrong[i]));
	}
	assert_string_equal(bwm_knob_text(KNOB_BWM_BANDWIDTH, ""), "20mb,1gb");
	assert_string_equal(bwm_knob_text(KNOB_BWM_WATERLINE, ""), "20mb");
}

static void test_same_goes_by_the_amount(void **state)
{
	(void)state;
	assert_true(bwm_knob_same(KNOB_BWM_BANDWIDTH, "20mb,1gb", "20480kb,1024mb"));
	assert_true(bwm_knob_same(KNOB_BWM_BANDWIDTH, "", "20mb,1024mb"));
	assert_false(bwm_knob_same(KNOB_BWM_BANDWIDTH, "20mb,1gb", "20mb,2gb"));
	assert_false(bwm_knob_same(KNOB_BWM_BANDWIDTH, "20mb,1gb", "21mb,1gb"));
	assert_true(bwm_knob_same(KNOB_BWM_WATERLINE, "", "20mb"));
	assert_false(bwm_knob_same(KNOB_BWM_WATERLINE, "", "21mb"));
	/* What is none is like nothing, itself neither. */
	assert_false(bwm_knob_same(KNOB_BWM_WATERLINE, "20", "20"));
}

static int bwm_claim(struct world *world, enum knob knob, const char *text)
{
	const struct actuator_target host = { .target = { TARGET_HOST, 0 }, .label = "host" };
	const struct knob_value value = { .text = text };

	return actuator_claim(world->actuator, "one", &host, knob, &value, 0, "");
}

static void world_file(const struct world *world, const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static const char *world_read(const struct world *world, const char *name)
{
	static char text[128];
	char path[PATH_MAX];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/%s", world->dir, name);
	stream = fopen(path, "re");
	assert_non_null(stream);
	if (!fgets(text, sizeof(text), stream))
		text[0] = '\0';
	assert_int_equal(fclose(stream), 0);
	text[strcspn(text, "\n")] = '\0';
	return text;
}

static void world_settle(const struct world *world, enum knob knob)
{
	world_until(world, world_see(world, 0, knob).status == KNOB_WRITTEN);
}

static void test_claim_is_written_and_the_default_put_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_make(world.dir, "proc/qos");
	world_file(&world, "proc/qos/net_qos_bandwidth", "\n");
	world_file(&world, "proc/qos/net_qos_waterline", "30mb\n");
	assert_errno(bwm_claim(&world, KNOB_BWM_BANDWIDTH, "20mb,1gb;reboot"), EINVAL);
	assert_errno(bwm_claim(&world, KNOB_BWM_WATERLINE, "20mb,1gb"), EINVAL);
	/* The default too: what bwmcli was told shows nowhere. */
	assert_ok(bwm_claim(&world, KNOB_BWM_BANDWIDTH, "20mb,1gb"));
	assert_ok(bwm_claim(&world, KNOB_BWM_WATERLINE, "110mb"));
	world_settle(&world, KNOB_BWM_BANDWIDTH);
	world_settle(&world, KNOB_BWM_WATERLINE);
	assert_string_equal(world_read(&world, "proc/qos/net_qos_bandwidth"), "20mb,1gb");
	assert_string_equal(world_read(&world, "proc/qos/net_qos_waterline"), "110mb");
	assert_ok(bwm_claim(&world, KNOB_BWM_BANDWIDTH, "4mb,100mb"));
	world_settle(&world, KNOB_BWM_BANDWIDTH);
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(world_read(&world, "proc/qos/net_qos_bandwidth"), "20mb,1gb");
	assert_string_equal(world_read(&world, "proc/qos/net_qos_waterline"), "30mb");
	world_close(&world);
}

/* What somebody else left there goes through the shell no more than what a plugin asks for. */
static void test_an_original_that_is_no_amount_is_not_put_back(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 2);
	world_make(world.dir, "proc/qos");
	world_file(&world, "proc/qos/net_qos_waterline", "20mb;reboot\n");
	assert_ok(bwm_claim(&world, KNOB_BWM_WATERLINE, "110mb"));
	world_settle(&world, KNOB_BWM_WATERLINE);
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(world_read(&world, "proc/qos/net_qos_waterline"), "110mb");
	world_close(&world);
}

static void test_class_is_in_its_own_hierarchy(void **state)
{
	struct world world;

	(void)state;
	world_open(&world, 1);
	assert_null(world.hierarchy.net_cls_path);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_NET_CLASSID, UINT32_MAX, 0),
		     EOPNOTSUPP);
	world_stop(&world);
	hierarchy_done(&world.hierarchy);
	world_make(world.dir, NET_CLS);
	world_make(world.dir, NET_CLS "/pods");
	world_make(world.dir, NET_CLS "/pods/a");
	world_file(&world, NET_CLS "/pods/a/net_cls.classid", "0\n");
	world_file(&world, "proc/self/mounts",
		   "cgroup /sys/fs/cgroup/cpu cgroup rw,cpu 0 0\n"
		   "cgroup /" NET_CLS " cgroup rw,net_cls,net_prio 0 0\n");
	assert_ok(hierarchy_open(&world.root, &world.hierarchy));
	assert_string_equal(world.hierarchy.net_cls_path, "/" NET_CLS);
	world_start(&world);
	assert_errno(world_claim(&world, "one", WORLD_A, KNOB_NET_CLASSID, 1ull << 32, 0), ERANGE);
	assert_ok(world_claim(&world, "one", WORLD_A, KNOB_NET_CLASSID, UINT32_MAX, 0));
	assert_string_equal(world_read(&world, NET_CLS "/pods/a/net_cls.classid"), "4294967295");
	/* A group that is not in that hierarchy (yet). */
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_NET_CLASSID, UINT32_MAX, 0));
	assert_int_equal(world_see(&world, WORLD_B, KNOB_NET_CLASSID).status, KNOB_PENDING);
	world_make(world.dir, NET_CLS "/pods/b");
	world_file(&world, NET_CLS "/pods/b/net_cls.classid", "0\n");
	world_until(&world, world_see(&world, WORLD_B, KNOB_NET_CLASSID).status == KNOB_WRITTEN);
	assert_string_equal(world_read(&world, NET_CLS "/pods/b/net_cls.classid"), "4294967295");
	assert_ok(world_claim(&world, "one", WORLD_B, KNOB_CPU_WEIGHT, 200, 0));
	assert_int_equal(world_see(&world, WORLD_B, KNOB_CPU_WEIGHT).status, KNOB_WRITTEN);
	actuator_drop_owner(world.actuator, "one");
	assert_string_equal(world_read(&world, NET_CLS "/pods/a/net_cls.classid"), "0");
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_takes_amounts_and_nothing_else),
		cmocka_unit_test(test_same_goes_by_the_amount),
		cmocka_unit_test(test_claim_is_written_and_the_default_put_back),
		cmocka_unit_test(test_an_original_that_is_no_amount_is_not_put_back),
		cmocka_unit_test(test_class_is_in_its_own_hierarchy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
