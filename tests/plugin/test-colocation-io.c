/* SPDX-License-Identifier: Apache-2.0 */
/* test-colocation-io.c - block IO of colocation: annotations, levels, shares, io.cost, and checks.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "fixture-copy.h"
#include "io/io.h"

extern const struct berth_plugin berth_plugin;

#define SDA     0x800u /* makedev(8, 0) */
#define SDB     0x810u
#define NVME    0x10300u /* makedev(259, 0) in the kernel's encoding */
#define NOTHING UINT64_MAX

static char sys[] = "/tmp/berth-disks.XXXXXX";

static void put(const char *name, const char *text)
{
	char path[256];
	FILE *stream;

	(void)snprintf(path, sizeof(path), "%s/%s", sys, name);
	stream = fopen(path, "we");
	assert_non_null(stream);
	(void)fprintf(stream, "%s\n", text);
	assert_int_equal(fclose(stream), 0);
}

static void directory(const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", sys, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static void link_to(const char *target, const char *name)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/%s", sys, name);
	assert_int_equal(symlink(target, path), 0);
}

static void disk(const char *name, const char *device, const char *sectors)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "block/%s", name);
	directory(path);
	(void)snprintf(path, sizeof(path), "block/%s/dev", name);
	put(path, device);
	(void)snprintf(path, sizeof(path), "block/%s/size", name);
	put(path, sectors);
}

static int disks_make(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(sys));
	directory("block");
	directory("class");
	directory("class/block");
	directory("dev");
	directory("dev/block");
	directory("parts");
	directory("parts/sda");
	directory("parts/sda/sda1");
	disk("sda", "8:0", "1000");
	disk("sdb", "8:16", "1000");
	disk("nvme0n1", "259:0", "1000");
	disk("loop0", "7:0", "0"); /* unused */
	directory("block/sda/queue");
	put("block/sda/queue/scheduler", "none [mq-deadline] kyber bfq");
	directory("block/sdb/queue");
	put("block/sdb/queue/scheduler", "none mq-deadline kyber [bfq]");
	put("parts/sda/sda1/partition", "1");
	link_to("../../parts/sda/sda1", "class/block/sda1");
	link_to("../../parts/sda/sda1", "dev/block/8:1");
	disks_sys = sys;
	return 0;
}

static int disks_unmake(void **state)
{
	(void)state;
	fixture_remove(sys);
	return 0;
}

static uint64_t device_claim(struct fake_agent *fake, uint64_t id, uint64_t device, enum knob knob)
{
	const struct fake_claim *claim = fake_agent_claim_of_device(fake, id, device, knob);

	return claim ? claim->number : NOTHING;
}

/* A host of one version with weights, without openEuler's knobs. */
static struct fake_agent *host_new(bool v1)
{
	struct fake_agent *fake = fake_agent_new();

	fake_agent_knob(fake, KNOB_IO_READ_BPS, true,
			v1 ? "/sys/fs/cgroup/blkio/GROUP/blkio.throttle.read_bps_device"
			   : "/sys/fs/cgroup/GROUP/io.max");
	fake_agent_knob(fake, KNOB_MEMORY_WB_BLKIO, false, "no memory.wb_blkio_ino");
	return fake;
}

static void test_annotation_of_two_devices_claims_both(void **state)
{
	struct fake_agent *fake = host_new(false);
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_NORMAL);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), NOTHING);
	fake_agent_annotate(
		fake, pod, IO_ANNOTATION,
		"{\"device_read_bps\": [{\"device\": \"/dev/sda\", \"value\": \"1000\"},"
		"{\"device\": \"8:16\", \"value\": \"2000\"}],"
		"\"device_write_iops\": [{\"device\": \"/dev/sda\", \"value\": \"30\"},"
		"{\"device\": \"/dev/sdb\", \"value\": \"0\"}]}");
	fake_agent_update(fake, pod);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), 1000);
	assert_int_equal(device_claim(fake, pod, SDB, KNOB_IO_READ_BPS), 2000);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_WRITE_IOPS), 30);
	assert_int_equal(device_claim(fake, pod, SDB, KNOB_IO_WRITE_IOPS), NOTHING);
	assert_non_null(strstr(fake_agent_description(fake, pod, "io"), "sdb reads 2000 B/s"));
	/* One is changed, one goes. */
	fake_agent_annotate(fake, pod, IO_ANNOTATION,
			    "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"1500\"}]}");
	fake_agent_update(fake, pod);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), 1500);
	assert_int_equal(device_claim(fake, pod, SDB, KNOB_IO_READ_BPS), NOTHING);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_WRITE_IOPS), NOTHING);
	fake_agent_annotate(fake, pod, IO_ANNOTATION, NULL);
	fake_agent_update(fake, pod);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), NOTHING);
	fake_agent_free(fake);
}

struct bad_case {
	const char *json, *says;
};

static const struct bad_case bad_cases[] = {
	{ "", "no JSON" },
	{ "[]", "not a JSON object" },
	{ "{\"device_read_bps\": [", "no JSON" },
	{ "{\"device_read_bps\": 5}", "is not a list" },
	{ "{\"device_reads\": []}", "unknown key 'device_reads'" },
	{ "{\"device_read_bps\": [{\"value\": \"5\"}]}", "without a device" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\"}]}", "not a decimal number" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"5M\"}]}", "'5M' is not" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"-5\"}]}", "'-5' is not" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": -5}]}", "is not a decimal" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"18446744073709551616\"}]}",
	  "is not a decimal" },
	{ "{\"device_read_bps\": [{\"device\": \"/dev/sda1\", \"value\": \"5\"}]}",
	  "/dev/sda1 is a partition" },
	{ "{\"device_read_bps\": [{\"device\": \"8:1\", \"value\": \"5\"}]}",
	  "8:1 is a partition" },
	{ "{\"device_read_bps\": [{\"device\": \"../../etc\", \"value\": \"5\"}]}", "is no disk" },
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"5\"},"
	  "{\"device\": \"8:0\", \"value\": \"6\"}]}",
	  "names 8:0 twice" },
	/* The good half in front of it is not applied. */
	{ "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"5\"}],"
	  "\"device_write_bps\": [{\"device\": \"sda\", \"value\": \"x\"}]}",
	  "'x' is not" },
};

static void test_annotation_that_is_wrong_is_refused_as_a_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_cases) / sizeof(bad_cases[0]); i++) {
		struct fake_agent *fake = host_new(false);
		const char *said;
		uint64_t pod;

		assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
		pod = fake_agent_add(fake, "pod", "shop", "job", QOS_NORMAL);
		fake_agent_annotate(fake, pod, IO_ANNOTATION, bad_cases[i].json);
		fake_agent_update(fake, pod);
		assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), NOTHING);
		assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_WRITE_BPS), NOTHING);
		said = fake_agent_description(fake, pod, "io");
		if (!strstr(said, bad_cases[i].says) || !strstr(said, "refused"))
			fail_msg("'%s': '%s' lacks '%s'", bad_cases[i].json, said,
				 bad_cases[i].says);
		fake_agent_free(fake);
	}
}

static void test_annotation_of_a_disk_that_is_not_here_limits_the_others(void **state)
{
	struct fake_agent *fake = host_new(false);
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_NORMAL);
	fake_agent_annotate(fake, pod, IO_ANNOTATION,
			    "{\"device_read_bps\": [{\"device\": \"/dev/xvdq\", \"value\": \"1\"},"
			    "{\"device\": \"/dev/sda\", \"value\": \"7\"}]}");
	fake_agent_update(fake, pod);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), 7);
	assert_non_null(strstr(fake_agent_description(fake, pod, "io"), "/dev/xvdq is not here"));
	fake_agent_free(fake);
}

static const char limits[] = "io: {limits: {batch: [\"sd* read_bps=1Mi write_iops=50\","
			     " \"nvme0n1 write_bps=2Mi\"], scavenger: [\"sda read_bps=64Ki\"]}}";

static void test_limits_by_level_and_annotation_the_smaller_holds(void **state)
{
	struct fake_agent *fake = host_new(false);
	uint64_t batch, online;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, limits));
	batch = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	online = fake_agent_add(fake, "pod", "shop", "web", QOS_HIGH);
	assert_int_equal(device_claim(fake, batch, SDA, KNOB_IO_READ_BPS), 1 << 20);
	assert_int_equal(device_claim(fake, batch, SDB, KNOB_IO_WRITE_IOPS), 50);
	assert_int_equal(device_claim(fake, batch, NVME, KNOB_IO_WRITE_BPS), 2 << 20);
	assert_int_equal(device_claim(fake, batch, NVME, KNOB_IO_READ_BPS), NOTHING);
	assert_int_equal(device_claim(fake, online, SDA, KNOB_IO_READ_BPS), NOTHING);
	/* Neither lifts the other. */
	fake_agent_annotate(fake, batch, IO_ANNOTATION,
			    "{\"device_read_bps\": [{\"device\": \"sda\", \"value\": \"99999999\"},"
			    "{\"device\": \"sdb\", \"value\": \"500\"}]}");
	fake_agent_update(fake, batch);
	assert_int_equal(device_claim(fake, batch, SDA, KNOB_IO_READ_BPS), 1 << 20);
	assert_int_equal(device_claim(fake, batch, SDB, KNOB_IO_READ_BPS), 500);
	fake_agent_set_level(fake, batch, QOS_SCAVENGER);
	fake_agent_annotate(fake, batch, IO_ANNOTATION, NULL);
	fake_agent_update(fake, batch);
	assert_int_equal(device_claim(fake, batch, SDA, KNOB_IO_READ_BPS), 64 << 10);
	assert_int_equal(device_claim(fake, batch, NVME, KNOB_IO_WRITE_BPS), NOTHING);
	assert_ok(fake_agent_apply(fake, "io: {enabled: false}"));
	assert_int_equal(device_claim(fake, batch, SDA, KNOB_IO_READ_BPS), NOTHING);
	assert_null(fake_agent_claim_of(fake, batch, KNOB_IO_WEIGHT));
	fake_agent_free(fake);
}

/* v2: the pod's group holds for all in it. v1 counts each group for itself. */
static void test_limits_go_where_the_version_counts(void **state)
{
	(void)state;
	for (unsigned int version = 1; version <= 2; version++) {
		struct fake_agent *fake = host_new(version == 1);
		uint64_t pod, container;

		assert_ok(fake_agent_start(fake, &berth_plugin, limits));
		pod = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
		container = fake_agent_add_child(fake, pod, "main");
		fake_agent_set_level(fake, container, QOS_BATCH);
		fake_agent_annotate(
			fake, pod, IO_ANNOTATION,
			"{\"device_write_bps\": [{\"device\": \"sda\", \"value\": \"9\"}]}");
		fake_agent_update(fake, pod);
		assert_int_equal(
			device_claim(fake, version == 1 ? container : pod, SDA, KNOB_IO_WRITE_BPS),
			9);
		assert_int_equal(
			device_claim(fake, version == 1 ? container : pod, SDA, KNOB_IO_READ_BPS),
			1 << 20);
		assert_int_equal(
			device_claim(fake, version == 1 ? pod : container, SDA, KNOB_IO_WRITE_BPS),
			NOTHING);
		assert_int_equal(
			device_claim(fake, version == 1 ? pod : container, SDA, KNOB_IO_READ_BPS),
			NOTHING);
		fake_agent_free(fake);
	}
}

#define MODEL "rbps=1 rseqiops=2 rrandiops=3 wbps=4 wseqiops=5 wrandiops=6"

static void test_shares_follow_the_level(void **state)
{
	static const struct {
		enum qos_level level;
		uint64_t weight, prio;
	} cases[] = {
		{ QOS_CRITICAL, 1000, NOTHING },    { QOS_HIGH, 500, NOTHING },
		{ QOS_NORMAL, NOTHING, NOTHING },   { QOS_BATCH, 10, IO_PRIO_TO_BE },
		{ QOS_SCAVENGER, 1, IO_PRIO_IDLE },
	};
	struct fake_agent *fake = host_new(false);
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "io: {latency: [\"nvme* 5ms\"], "
				   "cost: [\"sda " MODEL "\"]}"));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_NORMAL);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		fake_agent_set_level(fake, pod, cases[i].level);
		assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_WEIGHT), cases[i].weight);
		assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_BFQ_WEIGHT), cases[i].weight);
		assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_PRIO_CLASS), cases[i].prio);
		assert_int_equal(device_claim(fake, pod, NVME, KNOB_IO_LATENCY_USEC),
				 cases[i].level == QOS_CRITICAL ? 5000 : NOTHING);
		assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_LATENCY_USEC), NOTHING);
	}
	/* Under no disk's scheduler, and ruled on none: a weight would say nothing. */
	put("block/sdb/queue/scheduler", "none [mq-deadline] kyber bfq");
	assert_ok(fake_agent_apply(fake, "io: {latency: [\"nvme* 5ms\"]}"));
	assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_WEIGHT), NOTHING);
	assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_BFQ_WEIGHT), NOTHING);
	put("block/sdb/queue/scheduler", "none mq-deadline kyber [bfq]");
	fake_agent_knob(fake, KNOB_IO_WEIGHT, false, "no io.weight");
	fake_agent_knob(fake, KNOB_IO_BFQ_WEIGHT, false, "no bfq");
	fake_agent_capabilities(fake);
	assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_WEIGHT), NOTHING);
	assert_non_null(strstr(fake_agent_description(fake, pod, "io"), "no disk has io.cost"));
	fake_agent_free(fake);
}

static void test_writeback_is_bound_where_something_counts(void **state)
{
	struct fake_agent *fake = host_new(true);
	uint64_t batch, normal;

	(void)state;
	fake_agent_knob(fake, KNOB_MEMORY_WB_BLKIO, true, "memory.wb_blkio_ino");
	assert_ok(fake_agent_start(fake, &berth_plugin, NULL));
	batch = fake_agent_add(fake, "unit", "", "job.service", QOS_BATCH);
	normal = fake_agent_add(fake, "unit", "", "web.service", QOS_NORMAL);
	assert_int_equal(device_claim(fake, batch, 0, KNOB_MEMORY_WB_BLKIO), 1);
	assert_int_equal(device_claim(fake, normal, 0, KNOB_MEMORY_WB_BLKIO), NOTHING);
	assert_ok(fake_agent_apply(fake, "io: {writeback: false}"));
	assert_int_equal(device_claim(fake, batch, 0, KNOB_MEMORY_WB_BLKIO), NOTHING);
	fake_agent_free(fake);
}

static const char *cost_text(struct fake_agent *fake, uint64_t device, enum knob knob)
{
	const struct fake_claim *claim =
		fake_agent_claim(fake, (struct berth_target){ TARGET_DEVICE, device }, knob);

	return claim ? claim->text : "";
}

static void test_io_cost_is_claimed_and_given_back(void **state)
{
	struct fake_agent *fake = host_new(false);

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "io: {cost: [\"sda " MODEL
				   " rpct=95 rlat=5000\", \"sd* rpct=90\"]}"));
	assert_string_equal(cost_text(fake, SDA, KNOB_DEVICE_COST_MODEL), "ctrl=user " MODEL);
	assert_string_equal(cost_text(fake, SDA, KNOB_DEVICE_COST_QOS),
			    "enable=1 ctrl=user rpct=95 rlat=5000");
	/* The first item that matches; without a model the kernel's own. */
	assert_string_equal(cost_text(fake, SDB, KNOB_DEVICE_COST_QOS),
			    "enable=1 ctrl=user rpct=90");
	assert_string_equal(cost_text(fake, SDB, KNOB_DEVICE_COST_MODEL), "");
	assert_string_equal(cost_text(fake, NVME, KNOB_DEVICE_COST_QOS), "");
	assert_ok(fake_agent_apply(fake, "io: {cost: [\"sdb " MODEL "\"]}"));
	assert_string_equal(cost_text(fake, SDA, KNOB_DEVICE_COST_QOS), "");
	assert_string_equal(cost_text(fake, SDA, KNOB_DEVICE_COST_MODEL), "");
	assert_string_equal(cost_text(fake, SDB, KNOB_DEVICE_COST_QOS),
			    "enable=1 ctrl=user min=100.00 max=100.00");
	/* The same disk without a model: the claim on it goes. */
	assert_ok(fake_agent_apply(fake, "io: {cost: [\"sdb rpct=50\"]}"));
	assert_string_equal(cost_text(fake, SDB, KNOB_DEVICE_COST_MODEL), "");
	assert_ok(fake_agent_apply(fake, NULL));
	assert_string_equal(cost_text(fake, SDB, KNOB_DEVICE_COST_QOS), "");
	fake_agent_free(fake);
}

static void test_disks_that_come_and_go_are_followed(void **state)
{
	struct fake_agent *fake = host_new(false);
	char path[256];
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "io: {limits: {batch: [\"vd* read_bps=1Mi\"]},"
				   " cost: [\"vd* rpct=95\"]}"));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	assert_int_equal(device_claim(fake, pod, 0xfc00, KNOB_IO_READ_BPS), NOTHING);
	disk("vda", "252:0", "8");
	fake_agent_capabilities(fake);
	assert_int_equal(device_claim(fake, pod, 0xfc00, KNOB_IO_READ_BPS), 1 << 20);
	assert_string_equal(cost_text(fake, 0xfc00, KNOB_DEVICE_COST_QOS),
			    "enable=1 ctrl=user rpct=95");
	(void)snprintf(path, sizeof(path), "%s/block/vda", sys);
	fixture_remove(path);
	fake_agent_capabilities(fake);
	assert_int_equal(device_claim(fake, pod, 0xfc00, KNOB_IO_READ_BPS), NOTHING);
	assert_string_equal(cost_text(fake, 0xfc00, KNOB_DEVICE_COST_QOS), "");
	fake_agent_free(fake);
}

static void rename_in_sys(const char *from, const char *to)
{
	char before[256], after[256];

	(void)snprintf(before, sizeof(before), "%s/%s", sys, from);
	(void)snprintf(after, sizeof(after), "%s/%s", sys, to);
	assert_int_equal(rename(before, after), 0);
}

static int watched_fd(const struct fake_agent *fake)
{
	for (size_t i = 0; i < FAKE_SOURCES; i++)
		if (fake->sources[i].used && fake->sources[i].on_event)
			return fake->sources[i].fd;
	return -1;
}

static void test_disks_are_followed_by_the_watch_alone(void **state)
{
	struct fake_agent *fake = host_new(false);
	char path[256];
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "io: {limits: {batch: [\"* read_bps=1Mi\"]}}"));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	/* Out under one number and in again under another. */
	disk("vda", "252:0", "8");
	assert_ok(fake_agent_event(fake, watched_fd(fake), EPOLLIN));
	assert_int_equal(device_claim(fake, pod, 0xfc00, KNOB_IO_READ_BPS), 1 << 20);
	put("block/vda/dev", "252:16");
	assert_ok(fake_agent_event(fake, watched_fd(fake), EPOLLIN));
	assert_int_equal(device_claim(fake, pod, 0xfc00, KNOB_IO_READ_BPS), NOTHING);
	assert_int_equal(device_claim(fake, pod, 0xfc10, KNOB_IO_READ_BPS), 1 << 20);
	/* Too many open files: no disk has gone. */
	rename_in_sys("block", "block.away");
	assert_ok(fake_agent_event(fake, watched_fd(fake), EPOLLIN));
	rename_in_sys("block.away", "block");
	assert_int_equal(device_claim(fake, pod, 0xfc10, KNOB_IO_READ_BPS), 1 << 20);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_READ_BPS), 1 << 20);
	(void)snprintf(path, sizeof(path), "%s/block/vda", sys);
	fixture_remove(path);
	fake_agent_free(fake);
}

static void many_disks(size_t count, bool here)
{
	for (size_t i = 0; i < count; i++) {
		char name[128], device[16];

		(void)snprintf(name, sizeof(name), "xvd%02zu", i);
		(void)snprintf(device, sizeof(device), "202:%zu", i * 16);
		if (here) {
			disk(name, device, "8");
			continue;
		}
		(void)snprintf(name, sizeof(name), "%s/block/xvd%02zu", sys, i);
		fixture_remove(name);
	}
}

static size_t claims_of(const struct fake_agent *fake, enum knob knob)
{
	size_t count = 0;

	for (size_t i = 0; i < fake->claim_count; i++)
		count += fake->claims[i].knob == knob;
	return count;
}

/* A node with forty disks: the last one is held as the first one, and shares are not forgotten. */
static void test_many_disks_are_all_looked_after(void **state)
{
	struct fake_agent *fake = host_new(false);
	uint64_t pod;

	(void)state;
	many_disks(40, true);
	assert_ok(fake_agent_start(fake, &berth_plugin,
				   "io: {limits: {batch: [\"xvd* read_bps=1Mi write_bps=1Mi "
				   "read_iops=100 write_iops=100\"]}, cost: [\"xvd* rpct=95\"]}"));
	pod = fake_agent_add(fake, "pod", "shop", "job", QOS_BATCH);
	many_disks(40, false);
	assert_int_equal(claims_of(fake, KNOB_IO_READ_BPS), 40);
	assert_int_equal(claims_of(fake, KNOB_IO_WRITE_IOPS), 40);
	assert_int_equal(device_claim(fake, pod, 0, KNOB_IO_WEIGHT), 10);
	assert_int_equal(claims_of(fake, KNOB_DEVICE_COST_QOS), 40);
	fake_agent_capabilities(fake);
	assert_int_equal(claims_of(fake, KNOB_IO_READ_BPS), 0);
	assert_int_equal(claims_of(fake, KNOB_DEVICE_COST_QOS), 0);
	fake_agent_free(fake);
}

/* Whatever hangs below "/dev/.." would hold up the daemon. */
static void test_a_path_out_of_dev_is_no_disk(void **state)
{
	static const char *const paths[] = { "/dev/../dev/null", "/dev/..",
					     "/dev/disk/../../mnt/x" };
	struct disks disks = { 0 };
	const struct disk *found;
	char error[128];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		assert_errno(disks_find(&disks, paths[i], &found, error, sizeof(error)), EINVAL);
		assert_non_null(strstr(error, "is no disk"));
	}
	assert_errno(disks_find(&disks, "/dev/disk/by-id/a..b", &found, error, sizeof(error)),
		     ENOENT);
}

static void test_a_latency_target_is_not_explained_by_limits(void **state)
{
	struct fake_agent *fake = host_new(false);
	uint64_t pod;

	(void)state;
	assert_ok(fake_agent_start(fake, &berth_plugin, "io: {latency: [\"sda 10ms\"]}"));
	pod = fake_agent_add(fake, "pod", "shop", "db", QOS_CRITICAL);
	assert_int_equal(device_claim(fake, pod, SDA, KNOB_IO_LATENCY_USEC), 10000);
	assert_string_equal(
		fake_agent_claim_of_device(fake, pod, SDA, KNOB_IO_LATENCY_USEC)->reason,
		"io.latency");
	fake_agent_free(fake);
}

static const struct bad_case bad_settings[] = {
	{ "io: {limits: {batch: [\"read_bps=1\"]}}", "does not begin with a device" },
	{ "io: {limits: {batch: [\"sda\"]}}", "limits nothing" },
	{ "io: {limits: {batch: [\"sda read=1\"]}}", "unknown 'read'" },
	{ "io: {limits: {scavenger: [\"sda read_bps=fast\"]}}", "is not a size" },
	{ "io: {limits: {scavenger: [\"sda read_iops=0\"]}}", "is not a number above 0" },
	{ "io: {latency: [\"sda\"]}", "is not a time" },
	{ "io: {latency: [\"sda 2min\"]}", "is not a time" },
	{ "io: {cost: [\"sda rbps=1\"]}", "a model is all six" },
	{ "io: {cost: [\"sda rpct=101\"]}", "out of range" },
	{ "io: {cost: [\"sda rpct=95 rpct=95\"]}", "twice" },
	{ "io: {cost: [\"sda min=90 max=50\"]}", "min is above max" },
	{ "io: {cost: [\"sda speed=90\"]}", "unknown 'speed'" },
	{ "io: {latency: [\"nvme* 5ms\"], cost: [\"nvme0n1 rpct=95\"]}", "exclude each other" },
};

static void test_check_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_settings) / sizeof(bad_settings[0]); i++) {
		struct fake_agent *fake = host_new(false);

		assert_errno(fake_agent_start(fake, &berth_plugin, bad_settings[i].json), EINVAL);
		if (!strstr(fake->error, bad_settings[i].says))
			fail_msg("'%s': '%s' lacks '%s'", bad_settings[i].json, fake->error,
				 bad_settings[i].says);
		fake_agent_free(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_annotation_of_two_devices_claims_both),
		cmocka_unit_test(test_annotation_that_is_wrong_is_refused_as_a_whole),
		cmocka_unit_test(test_annotation_of_a_disk_that_is_not_here_limits_the_others),
		cmocka_unit_test(test_limits_by_level_and_annotation_the_smaller_holds),
		cmocka_unit_test(test_limits_go_where_the_version_counts),
		cmocka_unit_test(test_shares_follow_the_level),
		cmocka_unit_test(test_writeback_is_bound_where_something_counts),
		cmocka_unit_test(test_io_cost_is_claimed_and_given_back),
		cmocka_unit_test(test_disks_that_come_and_go_are_followed),
		cmocka_unit_test(test_disks_are_followed_by_the_watch_alone),
		cmocka_unit_test(test_many_disks_are_all_looked_after),
		cmocka_unit_test(test_a_path_out_of_dev_is_no_disk),
		cmocka_unit_test(test_a_latency_target_is_not_explained_by_limits),
		cmocka_unit_test(test_check_refuses),
	};

	return cmocka_run_group_tests(tests, disks_make, disks_unmake);
}
