/* SPDX-License-Identifier: Apache-2.0 */
/* test-colocation-network.c - the network of colocation: the law, settings, devices, who is
 * offline. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "fixture-copy.h"
#include "network/devices.h"
#include "network/pace-law.h"

extern const struct berth_plugin berth_plugin;

#define MSEC 1000000ull
#define SEC  1000000000ull

#define QUIET "cpu: {enabled: false}\nmemory: {enabled: false}\nio: {enabled: false}\n"
#define RATES "water_line: 1000000, low: 100000, high: 800000"

static const struct pace_settings smooth = { 1000000, 100000, 800000, 0 };
static const struct pace_settings step = { 1000000, 100000, 800000, 1 };

/* ---- the law ---- */

static void test_target_is_what_the_water_line_leaves(void **state)
{
	static const struct {
		uint64_t online, smooth, step;
	} cases[] = {
		{ 0, 800000, 800000 },       { 199999, 800000, 800000 },
		{ 300000, 700000, 800000 },  { 899999, 100001, 800000 },
		{ 900000, 100000, 800000 },  { 999999, 100000, 800000 },
		{ 1000000, 100000, 100000 }, { UINT64_MAX, 100000, 100000 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pace_target(&smooth, cases[i].online), cases[i].smooth);
		assert_int_equal(pace_target(&step, cases[i].online), cases[i].step);
	}
}

static void test_look_begins_low_and_waits_for_a_window(void **state)
{
	struct pace_law law = { 0 };

	(void)state;
	pace_look(&law, &smooth, SEC, 5000000);
	assert_int_equal(law.rate, smooth.low);
	pace_look(&law, &smooth, SEC + PACE_WINDOW_NSEC - 1, 9000000);
	assert_int_equal(law.rate, smooth.low);
	assert_int_equal(law.online_bytes, 5000000);
	/* Nobody else sent anything for a second. */
	pace_look(&law, &smooth, 2 * SEC, 5000000);
	assert_int_equal(law.rate, smooth.high);
	assert_int_equal(law.online_rate, 0);
}

/* Online in bursts of one window in four takes what its average is, and not more. */
static void test_look_at_bursts_leaves_what_they_leave(void **state)
{
	struct pace_law law = { 0 };
	uint64_t now = SEC, online = 0, sum = 0;

	(void)state;
	for (unsigned int i = 0; i < 4000; i++) {
		pace_look(&law, &smooth, now, online);
		if (i >= 2000)
			sum += law.rate;
		now += PACE_WINDOW_NSEC;
		/* 400 kB/s on the average. */
		online += i % 4 == 0 ? 16000 : 0;
	}
	assert_in_range(sum / 2000, 570000, 630000);
}

/* Full use by online is answered within a tenth of a second. */
static void test_look_gives_way_soon(void **state)
{
	struct pace_law law = { 0 };
	uint64_t now = SEC;
	unsigned int windows = 0;

	(void)state;
	pace_look(&law, &smooth, now, 0);
	pace_look(&law, &smooth, now += SEC, 0);
	assert_int_equal(law.rate, smooth.high);
	for (uint64_t online = 0; law.rate > smooth.low; windows++) {
		now += PACE_WINDOW_NSEC;
		online += 10000;
		pace_look(&law, &smooth, now, online);
		assert_true(windows < 100);
	}
	assert_true(windows <= 10);
}

static void test_depart_spaces_packets_by_the_rate(void **state)
{
	struct pace_law law = { .rate = 1000000 };
	uint64_t now = SEC;

	(void)state;
	assert_int_equal(pace_depart(&law, now, 10000, PACE_HORIZON_NSEC), now);
	assert_int_equal(pace_depart(&law, now, 10000, PACE_HORIZON_NSEC), now + 10 * MSEC);
	assert_int_equal(pace_depart(&law, now, 10000, PACE_HORIZON_NSEC), now + 20 * MSEC);
	/* Nothing is saved up for who is silent. */
	now += SEC;
	assert_int_equal(pace_depart(&law, now, 10000, PACE_HORIZON_NSEC), now);
}

static void test_depart_drops_what_would_wait_too_long(void **state)
{
	struct pace_law law = { .rate = 1000000 };
	struct pace_law fast = { .rate = 1ull << 40 };
	uint64_t now = SEC, passed = 0;

	(void)state;
	while (pace_depart(&law, now, 10000, PACE_HORIZON_NSEC))
		passed++;
	/* 50 ms of 10 ms each, and the one that may wait for exactly that. */
	assert_int_equal(passed, 6);
	assert_int_equal(law.next_nsec, now + 60 * MSEC);
	for (passed = 0; pace_depart(&fast, now, 60, PACE_HORIZON_NSEC); passed++)
		assert_true(passed < 40000);
	/* However small and however fast: fq has room for them. */
	assert_true(passed > 0);
}

/* Whatever comes, offline gets no more than the high rate over any second, and never stalls. */
static void test_law_keeps_its_bounds_under_random_traffic(void **state)
{
	uint32_t seed = 12345;
	struct pace_law law = { 0 };
	uint64_t now = SEC, online = 0, sent = 0, begin = now;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t bytes, when;

		seed = seed * 1664525u + 1013904223u;
		now += seed >> 16 << 5; /* up to 2 ms */
		online += seed % 3 ? (seed >> 8) % 4000 : 0;
		bytes = 60 + (seed >> 4) % 60000;
		pace_look(&law, &smooth, now, online);
		when = pace_depart(&law, now, bytes, PACE_HORIZON_NSEC);
		assert_in_range(law.rate, smooth.low, smooth.high);
		assert_true(when == 0 || (when >= now && when <= now + PACE_HORIZON_NSEC));
		sent += when ? bytes : 0;
	}
	assert_true(sent <= (now - begin) / 1000 * smooth.high / 1000000 + 120000);
	assert_true(sent >= (now - begin) / 1000 * smooth.low / 1000000);
}

static void test_law_survives_any_numbers(void **state)
{
	const struct pace_settings wide = { 1ull << 44, 65536, 1ull << 44, 0 };
	struct pace_law law = { 0 };

	(void)state;
	pace_look(&law, &wide, 1, 0);
	pace_look(&law, &wide, 365 * 86400 * SEC, 1ull << 43);
	assert_in_range(law.rate, wide.low, wide.high);
	/* 512 KiB, the largest that the kernel makes, at the lowest rate: 8 s. */
	law.rate = wide.low;
	assert_int_equal(pace_depart(&law, SEC, 524288, PACE_HORIZON_NSEC), SEC);
	assert_int_equal(law.next_nsec, 9 * SEC);
	law.rate = 0;
	assert_true(pace_depart(&law, 20 * SEC, 1, PACE_HORIZON_NSEC) >= 20 * SEC);
	assert_int_equal(pace_batch(&wide), PACE_BATCH);
	assert_int_equal(pace_batch(&smooth), 1000);
}

/* Offline was silent for a day, in which online sent 10 Gbit/s: more than fits when multiplied. */
static void test_look_after_a_day_knows_what_online_took(void **state)
{
	const uint64_t rate = 1250000000;
	const struct pace_settings wide = { 2 * rate, 1000000, 2 * rate, 0 };
	struct pace_law law = { 0 };

	(void)state;
	pace_look(&law, &wide, SEC, 0);
	pace_look(&law, &wide, 86401 * SEC, 86400 * rate);
	assert_in_range(law.online_rate, rate / 100 * 99, rate);
	assert_in_range(law.rate, rate, rate / 100 * 101);
}

/* Two CPUs, of which one read the total before the other and looked after it. */
static void test_look_at_an_older_total_sees_nothing(void **state)
{
	struct pace_law law = { 0 };

	(void)state;
	pace_look(&law, &smooth, SEC, 50000);
	pace_look(&law, &smooth, SEC + 20 * MSEC, 49000);
	assert_int_equal(law.online_rate, 0);
	assert_int_equal(law.rate, smooth.high);
	/* What is counted once is not counted twice. */
	assert_int_equal(law.online_bytes, 50000);
}

/* ---- settings ---- */

static void test_check_names_what_is_wrong(void **state)
{
	static const struct {
		const char *network, *error; /* NULL: fine */
	} cases[] = {
		{ "{enabled: false}", NULL },
		{ "{enabled: true, " RATES "}", NULL },
		{ "{enabled: true}", "network.water_line" },
		{ "{enabled: true, water_line: 1000000, low: 100, high: 800000}", "network.low" },
		{ "{enabled: true, water_line: 1000000, low: 100000}", "network.high" },
		{ "{enabled: true, water_line: 1000000, low: 100000, high: 100000}", "more than" },
		{ "{enabled: true, water_line: 1000000, low: 100000, high: 17Ti}", "network.high" },
		{ "{enabled: true, " RATES ", law: cubic}", "law" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_agent *fake = fake_agent_new();
		char text[256];
		int r;

		(void)snprintf(text, sizeof(text), QUIET "network: %s\n", cases[i].network);
		r = fake_agent_start(fake, &berth_plugin, text);
		if (cases[i].error) {
			assert_errno(r, EINVAL);
			if (!strstr(fake->error, cases[i].error))
				fail_msg("'%s' is not in '%s'", cases[i].error, fake->error);
		} else {
			assert_ok(r);
		}
		(void)fake_agent_free(fake);
	}
}

/* ---- devices ---- */

static void routes_write(const char *dir, const char *file, const char *text)
{
	char path[256];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/net/%s", dir, file);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fputs(text, stream);
	assert_int_equal(fclose(stream), 0);
}

/* if_nametoindex() knows none but lo in the test's namespace for sure, and lo is never one: what is
 * counted here is that nothing wrong is taken for a device, and that nothing breaks. */
static void test_devices_by_routes_takes_default_routes_only(void **state)
{
	char dir[] = "/tmp/berth-net.XXXXXX", path[64];
	struct net_devices devices;

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/net", dir);
	assert_int_equal(mkdir(path, 0755), 0);
	net_devices_proc = dir;
	/* No IPv6, and no IPv4 either. */
	assert_ok(net_devices_find(NULL, &devices));
	assert_int_equal(devices.count, 0);
	routes_write(dir, "route",
		     "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow"
		     "\tIRTT\n"
		     "lo\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
		     "nosuchdevice0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
		     "broken\n\n");
	routes_write(dir, "ipv6_route",
		     "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
		     "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200 lo\n");
	assert_ok(net_devices_find(NULL, &devices));
	assert_int_equal(devices.count, 0);
	net_devices_proc = "/proc";
	fixture_remove(dir);
}

static void test_devices_by_globs_leaves_lo_out(void **state)
{
	char *const all[] = { (char[]){ "*" }, (char[]){ "l*" }, NULL };
	char *const none[] = { (char[]){ "nosuchdevice*" }, NULL };
	struct net_devices devices;

	(void)state;
	assert_ok(net_devices_find(all, &devices));
	for (size_t i = 0; i < devices.count; i++) {
		assert_string_not_equal(devices.items[i].name, "lo");
		assert_true(i == 0 || devices.items[i].ifindex > devices.items[i - 1].ifindex);
	}
	assert_ok(net_devices_find(none, &devices));
	assert_int_equal(devices.count, 0);
}

/* ---- the service ---- */

#define NOWHERE QUIET "network: {enabled: true, " RATES ", devices: [nosuchdevice*]}\n"

static void describes(const struct fake_agent *fake, uint64_t id, const char *part)
{
	const char *text = fake_agent_description(fake, id, "network");

	if (!part) {
		assert_null(text);
		return;
	}
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text ? text : "(nothing)");
}

static void test_nothing_is_loaded_before_an_offline_workload(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	uint64_t pod;

	(void)state;
	pod = fake_agent_add(fake, "pod", "ns", "online", QOS_HIGH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NOWHERE));
	assert_int_equal(fake->job_count, 0);
	describes(fake, 0, "no offline workload yet");
	describes(fake, pod, NULL);
	fake_agent_set_level(fake, pod, QOS_BATCH);
	assert_int_equal(fake->job_count, 1);
	describes(fake, 0, "being loaded");
	/* Not twice. */
	(void)fake_agent_add(fake, "pod", "ns", "another", QOS_SCAVENGER);
	assert_int_equal(fake->job_count, 1);
	(void)fake_agent_free(fake);
}

static void test_off_while_programs_are_loaded_frees_them(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	uint64_t pod;

	(void)state;
	pod = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NOWHERE));
	assert_int_equal(fake->job_count, 1);
	assert_ok(fake_agent_apply(fake, QUIET));
	describes(fake, 0, "off");
	(void)fake_agent_run_jobs(fake);
	describes(fake, 0, "off");
	describes(fake, pod, NULL);
	assert_int_equal(fake_agent_sources(fake), 1); /* of the io service: /dev */
	(void)fake_agent_free(fake);
}

static void test_loaded_or_not_it_says_what_it_waits_for(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	uint64_t pod, container;

	(void)state;
	pod = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NOWHERE));
	container = fake_agent_add_child(fake, pod, "main");
	(void)fake_agent_run_jobs(fake);
	/* Here the kernel decides: root may load, others may not; a build may be without BPF. */
	if (strstr(fake_agent_description(fake, 0, "network"), "off:")) {
		assert_int_equal(fake->log_lines[4], 1);
		fake_agent_capabilities(fake);
		assert_int_equal(fake->job_count, 1);
	} else {
		describes(fake, 0, "no device matches network.devices");
		describes(fake, pod, "no device is");
	}
	/* The pod's program sees the container's packets. */
	describes(fake, container, NULL);
	fake_agent_workload(fake, pod)->view.flags |= WORKLOAD_IGNORED;
	fake_agent_update(fake, pod);
	describes(fake, pod, NULL);
	fake_agent_remove(fake, pod);
	assert_ok(fake_agent_advance(fake, 60 * 1000000ull));
	(void)fake_agent_free(fake);
}

static void test_full_queue_of_workers_is_tried_again(void **state)
{
	struct fake_agent *fake = fake_agent_new();

	(void)state;
	fake->work_error = -EAGAIN;
	(void)fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NOWHERE));
	assert_int_equal(fake->job_count, 0);
	fake->work_error = 0;
	/* By itself: nothing may change for days. */
	assert_ok(fake_agent_advance(fake, 10 * 1000000ull));
	assert_int_equal(fake->job_count, 1);
	assert_ok(fake_agent_advance(fake, 60 * 1000000ull));
	assert_int_equal(fake->job_count, 1);
	(void)fake_agent_free(fake);
}

static unsigned int fds_open(void)
{
	DIR *directory = opendir("/proc/self/fd");
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static void test_a_watch_that_is_refused_costs_nothing(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	unsigned int before;

	(void)state;
	(void)fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, NOWHERE));
	fake->watch_error = -ENOSPC;
	(void)fake_agent_run_jobs(fake);
	before = fds_open();
	for (unsigned int i = 0; i < 5; i++)
		(void)fake_agent_add(fake, "pod", "ns", "more", QOS_BATCH);
	assert_int_equal(fds_open(), before);
	if (!strstr(fake_agent_description(fake, 0, "network"), "off:"))
		assert_int_equal(fake->log_lines[LOG_NOTICE], 1);
	(void)fake_agent_free(fake);
}

/* In a child with a network namespace of its own, where devices can be had. 77: not here. */
static int rename_in_namespace(void)
{
	struct fake_agent *fake = fake_agent_new();

	net_devices_proc = "/nowhere"; /* or it would not be the host's namespace */
	if (unshare(CLONE_NEWNET) < 0 ||
	    system("ip link add berthv0 type veth peer name other0 2>/dev/null") != 0)
		return 77;
	(void)fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	if (fake_agent_start(fake, &berth_plugin,
			     QUIET "network: {enabled: true, " RATES ", devices: [berthv*]}\n") < 0)
		return 1;
	(void)fake_agent_run_jobs(fake);
	if (strstr(fake_agent_description(fake, 0, "network"), "off:"))
		return 77; /* no programs */
	if (!fake_agent_description(fake, 0, "network berthv0"))
		return 2;
	if (system("ip link set berthv0 down && ip link set berthv0 name berthv9") != 0)
		return 77;
	(void)fake_agent_advance(fake, 10 * 1000000ull);
	if (fake_agent_description(fake, 0, "network berthv0"))
		return 3;
	if (!fake_agent_description(fake, 0, "network berthv9"))
		return 4;
	(void)fake_agent_free(fake);
	return 0;
}

static void test_a_device_with_another_name_is_called_by_it(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(rename_in_namespace());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- by bwm ---- */

#define BWM                                                                     \
	QUIET "network: {enabled: true, water_line: 110Mi, low: 4500Ki, high: " \
	      "100Mi, devices: [nosuchdevice*]"
#define OFFLINE_CLASS UINT32_MAX

static const char *limit_of(struct fake_agent *fake, enum knob knob)
{
	const struct fake_claim *claim =
		fake_agent_claim(fake, (struct berth_target){ TARGET_HOST, 0 }, knob);

	return claim ? claim->text : "none";
}

static bool has_class(struct fake_agent *fake, uint64_t id)
{
	const struct fake_claim *claim = fake_agent_claim_of(fake, id, KNOB_NET_CLASSID);

	return claim && claim->number == OFFLINE_CLASS;
}

static void by_says(const struct fake_agent *fake, const char *part)
{
	const char *text = fake_agent_description(fake, 0, "network by");

	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in '%s'", part, text ? text : "(nothing)");
}

static void test_bwm_has_limits_and_classes_while_somebody_is_offline(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	uint64_t pod, container, theirs;

	(void)state;
	pod = fake_agent_add(fake, "pod", "ns", "batch", QOS_NORMAL);
	assert_ok(fake_agent_start(fake, &berth_plugin, BWM "}\n"));
	by_says(fake, "bwm, openEuler");
	assert_string_equal(limit_of(fake, KNOB_BWM_BANDWIDTH), "none");
	container = fake_agent_add_child(fake, pod, "main");
	fake_agent_set_level(fake, container, QOS_BATCH);
	fake_agent_set_level(fake, pod, QOS_BATCH);
	/* Nothing is loaded for it; 4500Ki are 4 whole MiB. */
	assert_int_equal(fake->job_count, 0);
	assert_string_equal(limit_of(fake, KNOB_BWM_BANDWIDTH), "4mb,100mb");
	assert_string_equal(limit_of(fake, KNOB_BWM_WATERLINE), "110mb");
	assert_true(has_class(fake, pod));
	assert_true(has_class(fake, container));
	describes(fake, 0, "on: 2 offline groups");
	theirs = fake_agent_add(fake, "pod", "ns", "theirs", QOS_NORMAL);
	fake_agent_workload(fake, theirs)->original[KNOB_NET_CLASSID] = 0x10001;
	fake_agent_set_level(fake, theirs, QOS_BATCH);
	assert_false(has_class(fake, theirs));
	describes(fake, theirs, "somebody's class");
	fake_agent_remove(fake, theirs);
	fake_agent_set_level(fake, pod, QOS_HIGH);
	assert_false(has_class(fake, pod));
	assert_true(has_class(fake, container));
	fake_agent_remove(fake, container);
	assert_string_equal(limit_of(fake, KNOB_BWM_BANDWIDTH), "none");
	assert_string_equal(limit_of(fake, KNOB_BWM_WATERLINE), "none");
	(void)fake_agent_free(fake);
}

static void test_bwm_and_bpf_take_turns_and_leave_nothing(void **state)
{
	struct fake_agent *fake = fake_agent_new();
	uint64_t pod;

	(void)state;
	pod = fake_agent_add(fake, "pod", "ns", "batch", QOS_BATCH);
	assert_ok(fake_agent_start(fake, &berth_plugin, BWM ", by: bpf}\n"));
	by_says(fake, "BPF: the policy says so");
	assert_int_equal(fake->job_count, 1);
	/* While the programs are loaded. */
	assert_ok(fake_agent_apply(fake, BWM ", by: bwm}\n"));
	assert_true(has_class(fake, pod));
	(void)fake_agent_run_jobs(fake);
	describes(fake, 0, "on: 1 offline groups");
	assert_true(has_class(fake, pod));
	/* What was loaded in the end is for nobody, and looks for no devices. */
	fake_agent_update(fake, pod);
	(void)fake_agent_add(fake, "pod", "ns", "another", QOS_BATCH);
	assert_int_equal(fake_agent_sources(fake), 1); /* of the io service: /dev */
	/* The module goes: what it was told is nobody's claim any more. */
	fake_agent_knob(fake, KNOB_BWM_WATERLINE, false, "bwm is not loaded");
	fake_agent_capabilities(fake);
	describes(fake, 0, "off: bwm is not loaded");
	describes(fake, pod, "bwm cannot be used");
	assert_false(has_class(fake, pod));
	assert_string_equal(limit_of(fake, KNOB_BWM_BANDWIDTH), "none");
	assert_ok(fake_agent_apply(fake, BWM "}\n"));
	by_says(fake, "BPF: bwm is not loaded");
	assert_int_equal(fake->job_count, 1);
	fake_agent_knob(fake, KNOB_BWM_WATERLINE, true, NULL);
	fake_agent_capabilities(fake);
	assert_true(has_class(fake, pod));
	assert_ok(fake_agent_apply(fake, QUIET));
	describes(fake, 0, "off");
	assert_null(fake_agent_description(fake, 0, "network by"));
	assert_false(has_class(fake, pod));
	assert_string_equal(limit_of(fake, KNOB_BWM_WATERLINE), "none");
	(void)fake_agent_run_jobs(fake);
	(void)fake_agent_free(fake);
}

static void test_bwm_is_held_to_its_range(void **state)
{
	static const struct {
		const char *network, *error; /* NULL: fine */
	} cases[] = {
		{ "water_line: 20Mi, low: 1Mi, high: 9999Gi", NULL },
		{ "water_line: 20971519, low: 1Mi, high: 30Mi", "network.water_line" },
		{ "water_line: 20Mi, low: 1048575, high: 30Mi", "network.low" },
		{ "water_line: 20Mi, low: 1Mi, high: 10Ti", "network.high" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_agent *fake = fake_agent_new();
		char text[256];

		(void)snprintf(text, sizeof(text), QUIET "network: {enabled: true, by: bwm, %s}\n",
			       cases[i].network);
		if (cases[i].error) {
			assert_errno(fake_agent_start(fake, &berth_plugin, text), EINVAL);
			assert_non_null(strstr(fake->error, cases[i].error));
		} else {
			assert_ok(fake_agent_start(fake, &berth_plugin, text));
		}
		(void)fake_agent_free(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_target_is_what_the_water_line_leaves),
		cmocka_unit_test(test_look_begins_low_and_waits_for_a_window),
		cmocka_unit_test(test_look_at_bursts_leaves_what_they_leave),
		cmocka_unit_test(test_look_gives_way_soon),
		cmocka_unit_test(test_depart_spaces_packets_by_the_rate),
		cmocka_unit_test(test_depart_drops_what_would_wait_too_long),
		cmocka_unit_test(test_law_keeps_its_bounds_under_random_traffic),
		cmocka_unit_test(test_law_survives_any_numbers),
		cmocka_unit_test(test_look_after_a_day_knows_what_online_took),
		cmocka_unit_test(test_look_at_an_older_total_sees_nothing),
		cmocka_unit_test(test_check_names_what_is_wrong),
		cmocka_unit_test(test_devices_by_routes_takes_default_routes_only),
		cmocka_unit_test(test_devices_by_globs_leaves_lo_out),
		cmocka_unit_test(test_nothing_is_loaded_before_an_offline_workload),
		cmocka_unit_test(test_off_while_programs_are_loaded_frees_them),
		cmocka_unit_test(test_loaded_or_not_it_says_what_it_waits_for),
		cmocka_unit_test(test_full_queue_of_workers_is_tried_again),
		cmocka_unit_test(test_a_watch_that_is_refused_costs_nothing),
		cmocka_unit_test(test_a_device_with_another_name_is_called_by_it),
		cmocka_unit_test(test_bwm_has_limits_and_classes_while_somebody_is_offline),
		cmocka_unit_test(test_bwm_and_bpf_take_turns_and_leave_nothing),
		cmocka_unit_test(test_bwm_is_held_to_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
