/* SPDX-License-Identifier: Apache-2.0 */
/* test-burst.c - quota burst: what the annotations ask for, what a container and its pod get. */
#include <stdbool.h>
#include <string.h>

#include "berth-test.h"
#include "burst/burst.h"
#include "fake-agent.h"
#include "macro.h"

extern const struct berth_plugin berth_plugin;

static void test_burst_read(void **state)
{
	static const struct {
		const char *time, *enable;
		bool wanted;
		uint64_t usec;
		const char *why;
	} cases[] = {
		{ NULL, NULL, false, UINT64_MAX, "" },
		{ "5000", NULL, true, 5000, "" },
		{ "5000", "true", true, 5000, "" },
		{ "5000", "false", false, 5000, "" },
		{ NULL, "true", true, UINT64_MAX, "" },
		{ NULL, "false", false, UINT64_MAX, "" },
		{ "0", NULL, false, 0, "" },
		{ "-1", NULL, false, UINT64_MAX,
		  "left alone: volcano.sh/quota-burst-time is \"-1\", no microseconds" },
		{ "5ms", "true", false, UINT64_MAX,
		  "left alone: volcano.sh/quota-burst-time is \"5ms\", no microseconds" },
		{ "5000", "yes", false, UINT64_MAX,
		  "left alone: volcano.sh/enable-quota-burst is \"yes\", not \"true\" or "
		  "\"false\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct burst_wish wish;

		burst_read(cases[i].time, cases[i].enable, &wish);
		assert_int_equal(wish.wanted, cases[i].wanted);
		assert_int_equal(wish.usec, cases[i].usec);
		assert_string_equal(wish.why, cases[i].why);
	}
}

struct rig {
	struct fake_agent *fake;
	uint64_t pod, one, two;
};

static struct rig rig_open(void)
{
	struct rig rig = { .fake = fake_agent_new() };

	rig.pod = fake_agent_add(rig.fake, "pod", "shop", "web", QOS_NORMAL);
	rig.one = fake_agent_add_child(rig.fake, rig.pod, "one");
	rig.two = fake_agent_add_child(rig.fake, rig.pod, "two");
	fake_agent_workload(rig.fake, rig.pod)->view.cpu_limit_milli = 1500;
	fake_agent_workload(rig.fake, rig.one)->view.cpu_limit_milli = 500;
	fake_agent_workload(rig.fake, rig.two)->view.cpu_limit_milli = 1000;
	assert_ok(fake_agent_start(rig.fake, &berth_plugin, NULL));
	return rig;
}

static uint64_t burst(const struct rig *rig, uint64_t id)
{
	const struct fake_claim *claim = fake_agent_claim_of(rig->fake, id, KNOB_CPU_BURST_USEC);

	return claim ? claim->number : 0;
}

static void annotate(const struct rig *rig, const char *time)
{
	fake_agent_annotate(rig->fake, rig->pod, "volcano.sh/quota-burst-time", time);
	fake_agent_update(rig->fake, rig->pod);
}

static void test_burst_is_cut_at_the_quota_and_summed(void **state)
{
	struct rig rig = rig_open();

	(void)state;
	assert_int_equal(burst(&rig, rig.one), 0);
	annotate(&rig, "20000");
	assert_int_equal(burst(&rig, rig.one), 20000);
	assert_int_equal(burst(&rig, rig.two), 20000);
	assert_int_equal(burst(&rig, rig.pod), 40000);
	annotate(&rig, "80000");
	assert_int_equal(burst(&rig, rig.one), 50000);
	assert_int_equal(burst(&rig, rig.two), 80000);
	assert_int_equal(burst(&rig, rig.pod), 130000);
	assert_string_equal(fake_agent_description(rig.fake, rig.one, "burst"),
			    "50000 us: not more than the quota, which the kernel refuses");
	/* Resized: it follows. */
	fake_agent_workload(rig.fake, rig.one)->view.cpu_limit_milli = 300;
	fake_agent_update(rig.fake, rig.one);
	assert_int_equal(burst(&rig, rig.one), 30000);
	assert_int_equal(burst(&rig, rig.pod), 110000);
	fake_agent_remove(rig.fake, rig.one);
	assert_int_equal(burst(&rig, rig.pod), 80000);
	annotate(&rig, NULL);
	assert_int_equal(burst(&rig, rig.two), 0);
	assert_int_equal(burst(&rig, rig.pod), 0);
	assert_null(fake_agent_description(rig.fake, rig.two, "burst"));
	fake_agent_free(rig.fake);
}

static void test_burst_needs_a_limit(void **state)
{
	struct rig rig = rig_open();

	(void)state;
	fake_agent_workload(rig.fake, rig.pod)->view.cpu_limit_milli = 0;
	fake_agent_workload(rig.fake, rig.two)->view.cpu_limit_milli = 0;
	annotate(&rig, "20000");
	assert_int_equal(burst(&rig, rig.one), 20000);
	assert_int_equal(burst(&rig, rig.two), 0);
	assert_int_equal(burst(&rig, rig.pod), 0);
	assert_string_equal(fake_agent_description(rig.fake, rig.two, "burst"),
			    "left alone: without a CPU limit there is no burst");
	fake_agent_free(rig.fake);
}

static void test_burst_goes_with_the_service_and_the_kernel(void **state)
{
	struct rig rig = rig_open();

	(void)state;
	annotate(&rig, "20000");
	assert_ok(fake_agent_apply(rig.fake, "{burst: {enabled: false}}"));
	assert_int_equal(burst(&rig, rig.one), 0);
	assert_int_equal(burst(&rig, rig.pod), 0);
	assert_ok(fake_agent_apply(rig.fake, NULL));
	assert_int_equal(burst(&rig, rig.pod), 40000);
	fake_agent_knob(rig.fake, KNOB_CPU_BURST_USEC, false, "this kernel's groups have none");
	fake_agent_capabilities(rig.fake);
	assert_int_equal(burst(&rig, rig.one), 0);
	assert_string_equal(fake_agent_description(rig.fake, rig.one, "burst"),
			    "left alone: this kernel has no CPU burst");
	assert_string_equal(fake_agent_description(rig.fake, 0, "burst"),
			    "none: this kernel's groups have none");
	fake_agent_free(rig.fake);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst_read),
		cmocka_unit_test(test_burst_is_cut_at_the_quota_and_summed),
		cmocka_unit_test(test_burst_needs_a_limit),
		cmocka_unit_test(test_burst_goes_with_the_service_and_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
