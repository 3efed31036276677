/* SPDX-License-Identifier: Apache-2.0 */
/* test-cache.c - classes of cache and bandwidth: who is in which, what the dynamic one gets, and
 * what is left when it is over. */
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "cache/cache.h"
#include "fake-agent.h"
#include "fixture-copy.h"
#include "macro.h"

extern const struct berth_plugin berth_plugin;

#define ON      "cache: {enabled: true"
#define STATIC  ON ", batch: high, scavenger: low"
#define NOTHING 99u

static char top[] = "/tmp/berth-cache.XXXXXX";

static const struct berth_target host = { .kind = TARGET_HOST };

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

static void directory(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void directory_gone(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(rmdir(path), 0);
}

static int unlink_of(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return unlink(path);
}

/* As berthd makes it. */
static void group_ours(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	assert_int_equal(mkdir(path, 01700), 0);
}

static void closids(unsigned int l3, unsigned int mb)
{
	char text[16];

	(void)snprintf(text, sizeof(text), "%u\n", l3);
	put("info/L3/num_closids", text);
	(void)snprintf(text, sizeof(text), "%u\n", mb);
	put("info/MB/num_closids", text);
}

static void traffic(uint64_t bytes)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%llu\n", (unsigned long long)bytes);
	put("mon_data/mon_L3_00/mbm_total_bytes", text);
}

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(top))
		return -1;
	cache_resctrl = top;
	directory("info");
	directory("info/L3");
	directory("info/MB");
	directory("mon_groups");
	directory("mon_data");
	directory("mon_data/mon_L3_00");
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	fixture_remove(top);
	return 0;
}

static struct fake_agent *world_new(const char *settings)
{
	struct fake_agent *fake = fake_agent_new();

	closids(16, 8);
	put("mon_data/mon_L3_00/mbm_total_bytes", "Unavailable\n");
	assert_ok(fake_agent_start(fake, &berth_plugin, settings));
	return fake;
}

static unsigned int class_of(struct fake_agent *fake, uint64_t id)
{
	const struct fake_claim *claim = fake_agent_claim_as(fake, "cache", id, KNOB_CACHE_CLASS);

	return claim ? (unsigned int)claim->number : NOTHING;
}

/* What the class gets; "" nothing is claimed. */
static const char *share_of(struct fake_agent *fake, enum cache_class class)
{
	const struct fake_claim *claim =
		fake_agent_claim(fake, host, (enum knob)(KNOB_CACHE_LOW + class));

	return claim ? claim->text : "";
}

static void test_off_by_default(void **state)
{
	struct fake_agent *fake = world_new(NULL);
	uint64_t id = fake_agent_add(fake, "pod", "ns", "job", QOS_BATCH);

	(void)state;
	assert_int_equal(class_of(fake, id), NOTHING);
	assert_string_equal(fake_agent_description(fake, 0, "cache"), "off");
	(void)fake_agent_free(fake);
}

static void test_level_and_annotation_choose_the_class(void **state)
{
	struct fake_agent *fake = world_new(STATIC "}");
	uint64_t batch = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	uint64_t scavenger = fake_agent_add(fake, "pod", "ns", "scavenger", QOS_SCAVENGER);
	uint64_t online = fake_agent_add(fake, "pod", "ns", "online", QOS_NORMAL);
	uint64_t container = fake_agent_add_child(fake, batch, "main");

	(void)state;
	assert_int_equal(class_of(fake, batch), CACHE_HIGH);
	assert_int_equal(class_of(fake, scavenger), CACHE_LOW);
	assert_int_equal(class_of(fake, online), NOTHING);
	assert_int_equal(class_of(fake, container), NOTHING);
	assert_string_equal(share_of(fake, CACHE_LOW), "l3=20 l2=100 mb=10");
	assert_string_equal(share_of(fake, CACHE_HIGH), "l3=50 l2=100 mb=50");
	assert_string_equal(share_of(fake, CACHE_MIDDLE), "");
	fake_agent_annotate(fake, batch, CACHE_ANNOTATION, "middle");
	fake_agent_update(fake, batch);
	assert_int_equal(class_of(fake, batch), CACHE_MIDDLE);
	assert_string_equal(share_of(fake, CACHE_MIDDLE), "l3=30 l2=100 mb=30");
	assert_non_null(strstr(fake_agent_description(fake, batch, "cache"), CACHE_ANNOTATION));
	fake_agent_annotate(fake, batch, CACHE_ANNOTATION, "max");
	fake_agent_update(fake, batch);
	assert_int_equal(class_of(fake, batch), NOTHING);
	/* One that is none: as if it were not there, and said. */
	fake_agent_annotate(fake, batch, CACHE_ANNOTATION, "hihg");
	fake_agent_update(fake, batch);
	assert_int_equal(class_of(fake, batch), CACHE_HIGH);
	assert_non_null(strstr(fake_agent_description(fake, batch, "cache"), "hihg"));
	fake_agent_annotate(fake, batch, CACHE_ANNOTATION, NULL);
	fake_agent_annotate(fake, online, CACHE_ANNOTATION, "low");
	fake_agent_update(fake, online);
	assert_int_equal(class_of(fake, online), NOTHING);
	fake_agent_set_level(fake, online, QOS_BATCH);
	assert_int_equal(class_of(fake, online), CACHE_LOW);
	fake_agent_set_level(fake, online, QOS_NORMAL);
	assert_int_equal(class_of(fake, online), NOTHING);
	assert_int_equal(class_of(fake, scavenger), CACHE_LOW);
	(void)fake_agent_free(fake);
}

static void test_annotations_may_be_off(void **state)
{
	struct fake_agent *fake = world_new(STATIC ", annotations: false}");
	uint64_t id = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);

	(void)state;
	fake_agent_annotate(fake, id, CACHE_ANNOTATION, "low");
	fake_agent_update(fake, id);
	assert_int_equal(class_of(fake, id), CACHE_HIGH);
	(void)fake_agent_free(fake);
}

static void test_reload_and_capabilities_take_it_all_back(void **state)
{
	struct fake_agent *fake = world_new(ON "}");
	size_t sources = fake_agent_sources(fake);
	uint64_t id = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);

	(void)state;
	assert_int_equal(class_of(fake, id), CACHE_DYNAMIC);
	assert_int_equal(fake_agent_sources(fake), sources + 1);
	fake_agent_knob(fake, KNOB_CACHE_CLASS, false, "not mounted: mount it");
	fake_agent_capabilities(fake);
	assert_int_equal(class_of(fake, id), NOTHING);
	assert_string_equal(share_of(fake, CACHE_DYNAMIC), "");
	assert_string_equal(fake_agent_description(fake, 0, "cache"), "not mounted: mount it");
	assert_int_equal(fake_agent_sources(fake), sources);
	fake_agent_knob(fake, KNOB_CACHE_CLASS, true, NULL);
	fake_agent_capabilities(fake);
	assert_int_equal(class_of(fake, id), CACHE_DYNAMIC);
	assert_ok(fake_agent_apply(fake, STATIC ", l3_percent: {low: 10, high: 60}}"));
	assert_int_equal(class_of(fake, id), CACHE_HIGH);
	assert_string_equal(share_of(fake, CACHE_HIGH), "l3=60 l2=100 mb=50");
	assert_int_equal(fake_agent_sources(fake), sources);
	assert_ok(fake_agent_apply(fake, NULL));
	assert_int_equal(class_of(fake, id), NOTHING);
	for (unsigned int class = 0; class < CACHE_CLASSES; class ++)
		assert_string_equal(share_of(fake, (enum cache_class) class), "");
	/* The threads leave before their group goes. */
	assert_true(fake->unclaimed_at[KNOB_CACHE_CLASS] < fake->unclaimed_at[KNOB_CACHE_HIGH]);
	assert_null(fake_agent_description(fake, id, "cache"));
	(void)fake_agent_free(fake);
}

static void test_a_class_stays_until_its_group_is_needed(void **state)
{
	struct fake_agent *fake = world_new(STATIC "}");
	uint64_t batch = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);

	(void)state;
	closids(3, 8); /* the default group and two */
	fake_agent_set_level(fake, batch, QOS_SCAVENGER);
	assert_string_equal(share_of(fake, CACHE_HIGH), "l3=50 l2=100 mb=50");
	assert_int_equal(class_of(fake, batch), CACHE_LOW);
	fake_agent_annotate(fake, batch, CACHE_ANNOTATION, "middle");
	fake_agent_update(fake, batch);
	assert_int_equal(class_of(fake, batch), CACHE_MIDDLE);
	(void)fake_agent_free(fake);
}

static void test_too_few_groups_are_shared_and_said(void **state)
{
	struct fake_agent *fake = world_new(STATIC "}");
	uint64_t scavenger, batch, other;

	(void)state;
	closids(3, 8);
	directory("theirs");
	group_ours("berth_low");
	scavenger = fake_agent_add(fake, "pod", "ns", "scavenger", QOS_SCAVENGER);
	batch = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_int_equal(class_of(fake, scavenger), CACHE_LOW);
	assert_int_equal(class_of(fake, batch), CACHE_LOW);
	assert_string_equal(share_of(fake, CACHE_HIGH), "");
	assert_non_null(strstr(fake_agent_description(fake, batch, "cache"), "group of low"));
	/* Somebody gives one back: found by the timer, which there is only as long as it is short.
	 */
	directory_gone("theirs");
	group_ours("berth_high"); /* by the claim that the timer is to make */
	closids(4, 8);
	assert_ok(fake_agent_advance(fake, 31 * USEC_PER_SEC));
	assert_int_equal(class_of(fake, batch), CACHE_HIGH);
	other = fake_agent_add(fake, "pod", "ns", "other", QOS_BATCH);
	assert_int_equal(class_of(fake, other), CACHE_HIGH);
	/* None at all. */
	closids(1, 8);
	directory_gone("berth_low");
	directory_gone("berth_high");
	fake_agent_annotate(fake, other, CACHE_ANNOTATION, "middle");
	fake_agent_update(fake, other);
	assert_int_equal(class_of(fake, other), NOTHING);
	assert_int_equal(class_of(fake, batch), NOTHING);
	assert_non_null(strstr(fake_agent_description(fake, other, "cache"), "group of none"));
	(void)fake_agent_free(fake);
}

/* No monitoring id was left, or the name is somebody else's. */
static void test_a_group_that_could_not_be_made_is_done_without(void **state)
{
	struct fake_agent *fake = world_new(STATIC "}");
	uint64_t scavenger = fake_agent_add(fake, "pod", "ns", "scavenger", QOS_SCAVENGER), batch;

	(void)state;
	/* Not even the first: a dry run looks the same, and says what would be. */
	assert_int_equal(class_of(fake, scavenger), CACHE_LOW);
	group_ours("berth_low");
	directory("berth_high");
	batch = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_int_equal(class_of(fake, batch), CACHE_LOW);
	assert_string_equal(share_of(fake, CACHE_HIGH), "l3=50 l2=100 mb=50");
	assert_non_null(strstr(fake_agent_description(fake, batch, "cache"), "berthctl knobs"));
	directory_gone("berth_high");
	group_ours("berth_high");
	assert_ok(fake_agent_advance(fake, 31 * USEC_PER_SEC));
	assert_int_equal(class_of(fake, batch), CACHE_HIGH);
	directory_gone("berth_low");
	directory_gone("berth_high");
	(void)fake_agent_free(fake);
}

static void test_settings_that_contradict_are_refused(void **state)
{
	static const char *const settings[] = {
		ON ", l3_percent: {low: 40, middle: 30}}",
		ON ", mb_percent: {middle: 60}}",
		ON ", l2_percent: {high: 50}}",
		ON ", l3_percent: {low: 9}}",
		ON ", min_miss: 30}",
		ON ", min_pressure: 20}",
		ON ", min_cpi: 11}",
		ON ", window: 10s}",
		ON ", batch: some}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		struct fake_agent *fake = fake_agent_new();

		assert_errno(fake_agent_start(fake, &berth_plugin, settings[i]), EINVAL);
		assert_true(fake->error[0] != '\0');
		(void)fake_agent_free(fake);
	}
}

/* ---- the class dynamic ---- */

struct online {
	struct fake_agent *fake;
	uint64_t id, batch, bytes;
};

/* A second in which the online workload used half a CPU, waited so long and moved so much. */
static void second(struct online *online, uint64_t waited_usec, uint64_t bytes)
{
	struct workload_sample *sample = fake_agent_sample(online->fake, online->id);

	sample->generation++;
	sample->time_usec += USEC_PER_SEC;
	sample->known[0] = sample->known[1] = UINT64_MAX;
	sample->value[SAMPLE_CPU_USAGE_USEC] += 500000;
	sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] += waited_usec;
	online->bytes += bytes;
	if (bytes)
		traffic(online->bytes);
	assert_ok(fake_agent_advance(online->fake, USEC_PER_SEC));
}

static struct online online_new(void)
{
	struct online online = { .fake = world_new(ON "}") };

	online.batch = fake_agent_add(online.fake, "pod", "ns", "batch", QOS_BATCH);
	online.id = fake_agent_add(online.fake, "pod", "ns", "online", QOS_HIGH);
	return online;
}

static void test_dynamic_begins_low_and_grows_while_nobody_suffers(void **state)
{
	struct online online = online_new();
	double ratio;

	(void)state;
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	second(&online, 0, 0); /* the first look has nothing to compare with */
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	second(&online, 0, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=25 l2=100 mb=15");
	for (unsigned int i = 0; i < 20; i++)
		second(&online, 10000, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	assert_true(fake_agent_metric_labels(online.fake, "cache_dynamic_ratio", "resource=\"l3\"",
					     &ratio));
	assert_true(ratio == 0.5);
	/* 6 %: no more, no less. 12 %: down at once. */
	second(&online, 60000, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	second(&online, 120000, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	assert_non_null(strstr(fake_agent_description(online.fake, 0, "cache"), "12.00 %"));
	/* No telemetry: the safe share. */
	second(&online, 0, 0);
	online.fake->fresh_error = -EIO;
	second(&online, 0, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	(void)fake_agent_free(online.fake);
}

static void test_dynamic_goes_by_traffic_and_pressure_together(void **state)
{
	struct online online = online_new();

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		second(&online, 0, 1000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	/* Half more traffic for the same CPU time, and nobody waits: it does not grow, nor shrink.
	 */
	second(&online, 0, 1500000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	second(&online, 120000, 1000000); /* it waits, not for memory */
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	second(&online, 60000, 1500000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	assert_non_null(strstr(fake_agent_description(online.fake, 0, "cache"), "50.00 % up"));
	/* Counters that begin anew, as after a mount, say nothing. */
	online.bytes = 0;
	second(&online, 0, 1000);
	assert_non_null(strstr(fake_agent_description(online.fake, 0, "cache"), "not measured"));
	(void)fake_agent_free(online.fake);
}

/* On cgroup v1, where traffic alone decides. */
static void second_v1(struct online *online, uint64_t cpu_usec, uint64_t bytes)
{
	struct workload_sample *sample = fake_agent_sample(online->fake, online->id);

	sample->generation++;
	sample->time_usec += USEC_PER_SEC;
	sample->known[0] = sample->known[1] = UINT64_MAX;
	sample->known[SAMPLE_PRESSURE_CPU_SOME_USEC / 64] &=
		~(1ULL << SAMPLE_PRESSURE_CPU_SOME_USEC % 64);
	sample->value[SAMPLE_CPU_USAGE_USEC] += cpu_usec;
	online->bytes += bytes;
	traffic(online->bytes);
	assert_ok(fake_agent_advance(online->fake, USEC_PER_SEC));
}

/* Nobody suffers, and what the host moves meanwhile is not theirs when they go on. */
static void test_dynamic_outlives_a_rest_of_online_workloads(void **state)
{
	struct online online = online_new();

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		second_v1(&online, 500000, 1000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	for (unsigned int i = 0; i < 5; i++) {
		second_v1(&online, 1000, 5000000);
		assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	}
	for (unsigned int i = 0; i < 5; i++) {
		second_v1(&online, 500000, 1000000);
		assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	}
	second_v1(&online, 500000, 2000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	(void)fake_agent_free(online.fake);
}

/* Of a domain that goes offline the bytes go as well, and that is no time of little traffic. */
static void test_traffic_of_other_domains_is_not_compared(void **state)
{
	struct online online = online_new();

	(void)state;
	directory("mon_data/mon_L3_01");
	put("mon_data/mon_L3_01/mbm_total_bytes", "900000\n");
	for (unsigned int i = 0; i < 20; i++)
		second_v1(&online, 500000, 1000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	assert_int_equal(unlink_of("mon_data/mon_L3_01/mbm_total_bytes"), 0);
	directory_gone("mon_data/mon_L3_01");
	for (unsigned int i = 0; i < 3; i++)
		second_v1(&online, 500000, 1000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	/* It comes with what it has counted before. */
	directory("mon_data/mon_L3_01");
	put("mon_data/mon_L3_01/mbm_total_bytes", "900000000\n");
	for (unsigned int i = 0; i < 3; i++)
		second_v1(&online, 500000, 1000000);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	assert_int_equal(unlink_of("mon_data/mon_L3_01/mbm_total_bytes"), 0);
	directory_gone("mon_data/mon_L3_01");
	(void)fake_agent_free(online.fake);
}

/* A timer that was late is followed at once by one that is not: the pass is the same. */
static void test_dynamic_stays_when_there_is_nothing_new(void **state)
{
	struct online online = online_new();

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		second(&online, 0, 0);
	assert_ok(fake_agent_advance(online.fake, USEC_PER_SEC));
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	assert_non_null(strstr(fake_agent_description(online.fake, 0, "cache"), "grows"));
	second(&online, 200000, 0);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	(void)fake_agent_free(online.fake);
}

/* Another section was changed, or one of our own settings. */
static void test_reload_keeps_what_dynamic_has_unless_its_lines_change(void **state)
{
	struct online online = online_new();

	(void)state;
	for (unsigned int i = 0; i < 20; i++)
		second(&online, 0, 0);
	assert_ok(fake_agent_apply(online.fake, ON "}\nio: {enabled: false}"));
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	fake_agent_capabilities(online.fake);
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=50 l2=100 mb=50");
	assert_ok(fake_agent_apply(online.fake, ON ", l3_percent: {high: 40}}"));
	assert_string_equal(share_of(online.fake, CACHE_DYNAMIC), "l3=20 l2=100 mb=10");
	(void)fake_agent_free(online.fake);
}

static void test_dynamic_has_a_timer_only_while_somebody_is_in_it(void **state)
{
	struct online online = online_new();
	size_t sources = fake_agent_sources(online.fake);
	unsigned int calls;

	(void)state;
	fake_agent_annotate(online.fake, online.batch, CACHE_ANNOTATION, "low");
	fake_agent_update(online.fake, online.batch);
	assert_int_equal(fake_agent_sources(online.fake), sources - 1);
	fake_agent_annotate(online.fake, online.batch, CACHE_ANNOTATION, NULL);
	fake_agent_update(online.fake, online.batch);
	assert_int_equal(fake_agent_sources(online.fake), sources);
	fake_agent_remove(online.fake, online.batch);
	assert_int_equal(fake_agent_sources(online.fake), sources - 1);
	calls = online.fake->fresh_calls;
	assert_ok(fake_agent_advance(online.fake, 60 * USEC_PER_SEC));
	assert_int_equal(online.fake->fresh_calls, calls);
	(void)fake_agent_free(online.fake);
}

/* ---- laws ---- */

static const struct cache_config defaults = {
	.percent = { [CACHE_L3] = { 20, 30, 50 },
		     [CACHE_L2] = { 100, 100, 100 },
		     [CACHE_BANDWIDTH] = { 10, 30, 50 } },
	.max_miss = 20,
	.min_miss = 10,
	.max_cpi = 10,
	.min_cpi = 5,
	.max_pressure = 10,
	.min_pressure = 5,
};

/* rubik's own: 20 % and more of misses take 50 away, less than 10 % give 5 more, within low and
 * high. */
static void test_law_without_pressure_is_rubiks(void **state)
{
	static const struct {
		uint32_t miss;
		uint64_t l3, l3_next, mb, mb_next;
	} steps[] = {
		{ 2000, 50, 20, 50, 10 }, { 2000, 20, 20, 10, 10 },  { 1999, 35, 35, 30, 30 },
		{ 1000, 35, 35, 30, 30 }, { 999, 35, 40, 30, 35 },   { 0, 48, 50, 48, 50 },
		{ 0, 50, 50, 50, 50 },    { 10000, 21, 20, 11, 10 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct cache_reading reading = { .has_miss = true, .miss = steps[i].miss };
		uint64_t percent[CACHE_KINDS] = { steps[i].l3, 100, steps[i].mb };

		cache_move(&defaults, cache_judge(&defaults, &reading), percent);
		assert_int_equal(percent[CACHE_L3], steps[i].l3_next);
		assert_int_equal(percent[CACHE_BANDWIDTH], steps[i].mb_next);
		assert_int_equal(percent[CACHE_L2], 100);
	}
}

static uint64_t random_next(uint64_t *random)
{
	*random ^= *random << 13;
	*random ^= *random >> 7;
	*random ^= *random << 17;
	return *random;
}

static void test_law_stays_within_its_lines_and_never_rewards_suffering(void **state)
{
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		struct cache_config config = defaults;
		struct cache_reading reading = {
			.has_miss = random_next(&random) % 4 != 0,
			.has_cpi = random_next(&random) % 4 != 0,
			.has_pressure = random_next(&random) % 4 != 0,
			.miss = (uint32_t)(random_next(&random) % 4000),
			.cpi = (uint32_t)(random_next(&random) % 2000),
			.pressure = (uint32_t)(random_next(&random) % 2000),
		};
		struct cache_reading worse = reading;
		uint64_t low = 10 + random_next(&random) % 91;
		uint64_t high = low + random_next(&random) % (101 - low);
		uint64_t now = low + random_next(&random) % (high - low + 1);
		uint64_t next[CACHE_KINDS] = { now, now, now }, then[CACHE_KINDS];

		for (size_t kind = 0; kind < CACHE_KINDS; kind++) {
			config.percent[kind][CACHE_LOW] = low;
			config.percent[kind][CACHE_MIDDLE] = low;
			config.percent[kind][CACHE_HIGH] = high;
		}
		memcpy(then, next, sizeof(then));
		cache_move(&config, cache_judge(&config, &reading), next);
		assert_in_range(next[CACHE_L3], low, high);
		assert_true(next[CACHE_L3] <= now + 5);
		/* Who suffers more, in whichever way, does not leave more to others. */
		worse.miss += (uint32_t)(random_next(&random) % 1000);
		worse.cpi += (uint32_t)(random_next(&random) % 1000);
		worse.pressure += (uint32_t)(random_next(&random) % 1000);
		cache_move(&config, cache_judge(&config, &worse), then);
		assert_true(then[CACHE_L3] <= next[CACHE_L3]);
	}
}

static void test_plan_is_sound_for_any_number_of_groups(void **state)
{
	(void)state;
	for (unsigned int wanted = 0; wanted < 1u << CACHE_CLASSES; wanted++) {
		for (unsigned int slots = 0; slots <= CACHE_CLASSES + 1; slots++) {
			struct cache_plan plan;
			unsigned int made = 0, rank[CACHE_CLASSES];

			cache_plan(wanted, slots, &plan);
			for (unsigned int i = 0; i < CACHE_CLASSES; i++) {
				rank[cache_order[i]] = i;
				made += (plan.made >> i) & 1;
			}
			assert_true(made <= slots);
			assert_int_equal(plan.made & ~wanted, 0);
			assert_int_equal(made,
					 MIN(slots, (unsigned int)__builtin_popcount(wanted)));
			for (unsigned int class = 0; class < CACHE_CLASSES; class ++) {
				unsigned int group = plan.group[class];

				if (!(wanted & (1u << class)))
					continue;
				if (plan.made & (1u << class)) {
					assert_int_equal(group, class);
				} else if (slots == 0) {
					assert_int_equal(group, CACHE_MAX);
				} else {
					assert_true(plan.made & (1u << group));
					assert_true(rank[group] < rank[class]);
				}
			}
		}
	}
}

static void test_traffic_is_measured_against_the_lowest(void **state)
{
	struct cache_traffic traffic = { .begun = false };
	uint64_t bytes = 1000, cpu = 1000;
	uint32_t growth = 0;

	(void)state;
	assert_false(cache_traffic_step(&traffic, bytes, cpu, &growth));
	assert_false(cache_traffic_step(&traffic, bytes + 5, cpu, &growth)); /* no CPU time */
	assert_true(cache_traffic_step(&traffic, bytes += 1000, cpu += 1000, &growth));
	assert_int_equal(growth, 0);
	assert_true(cache_traffic_step(&traffic, bytes += 1250, cpu += 1000, &growth));
	assert_in_range(growth, 2500, 2570); /* the 5 bytes before count to the lowest */
	assert_true(cache_traffic_step(&traffic, bytes += 1000000, cpu += 1000, &growth));
	assert_int_equal(growth, CACHE_WHOLE);
	/* What is usual for a minute is the new lowest. */
	for (unsigned int i = 0; i <= CACHE_TRAFFICS; i++)
		assert_true(cache_traffic_step(&traffic, bytes += 5000, cpu += 1000, &growth));
	assert_int_equal(growth, 0);
	assert_true(cache_traffic_step(&traffic, UINT64_MAX, cpu += 1, &growth));
	assert_int_equal(growth, CACHE_WHOLE);
	assert_false(cache_traffic_step(&traffic, 0, cpu += 1000, &growth));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_by_default),
		cmocka_unit_test(test_level_and_annotation_choose_the_class),
		cmocka_unit_test(test_annotations_may_be_off),
		cmocka_unit_test(test_reload_and_capabilities_take_it_all_back),
		cmocka_unit_test(test_a_class_stays_until_its_group_is_needed),
		cmocka_unit_test(test_too_few_groups_are_shared_and_said),
		cmocka_unit_test(test_a_group_that_could_not_be_made_is_done_without),
		cmocka_unit_test(test_settings_that_contradict_are_refused),
		cmocka_unit_test(test_dynamic_begins_low_and_grows_while_nobody_suffers),
		cmocka_unit_test(test_dynamic_goes_by_traffic_and_pressure_together),
		cmocka_unit_test(test_dynamic_outlives_a_rest_of_online_workloads),
		cmocka_unit_test(test_traffic_of_other_domains_is_not_compared),
		cmocka_unit_test(test_dynamic_stays_when_there_is_nothing_new),
		cmocka_unit_test(test_reload_keeps_what_dynamic_has_unless_its_lines_change),
		cmocka_unit_test(test_dynamic_has_a_timer_only_while_somebody_is_in_it),
		cmocka_unit_test(test_law_without_pressure_is_rubiks),
		cmocka_unit_test(test_law_stays_within_its_lines_and_never_rewards_suffering),
		cmocka_unit_test(test_plan_is_sound_for_any_number_of_groups),
		cmocka_unit_test(test_traffic_is_measured_against_the_lowest),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
