/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-resctrl.c - percents to schemata on trees of what several CPUs show, as plain files. What
 * the kernel refuses is tests/daemon/test-cache.py's.
 */
#include "actuator/resctrl/resctrl.h"
#include "berth-test.h"
#include "cleanup.h"
#include "fixture-copy.h"
#include "group-fixture.h"
#include "macro.h"

struct tree {
	char dir[32];
	int top;
	struct sysroot root;
};

static void tree_directory(const struct tree *tree, const char *name)
{
	assert_int_equal(mkdirat(tree->top, name, 0755), 0);
}

static void tree_put(const struct tree *tree, const char *name, const char *text)
{
	cleanup_close int fd =
		openat(tree->top, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static int setup(void **state)
{
	struct tree *tree = calloc(1, sizeof(*tree));

	assert_non_null(tree);
	(void)snprintf(tree->dir, sizeof(tree->dir), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(tree->dir));
	tree->top = directory_fd(AT_FDCWD, tree->dir);
	tree_directory(tree, "proc");
	tree_directory(tree, "proc/self");
	tree_directory(tree, "sys");
	tree_directory(tree, "sys/fs");
	tree_directory(tree, "sys/fs/resctrl");
	assert_ok(sysroot_open(tree->dir, &tree->root));
	*state = tree;
	return 0;
}

static int teardown(void **state)
{
	struct tree *tree = *state;

	sysroot_done(&tree->root);
	(void)close_keep_errno(tree->top);
	fixture_remove(tree->dir);
	free(tree);
	return 0;
}

static void tree_info(const struct tree *tree, const char *resource, const char *file,
		      const char *text)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "sys/fs/resctrl/info");
	(void)mkdirat(tree->top, path, 0755);
	(void)snprintf(path, sizeof(path), "sys/fs/resctrl/info/%s", resource);
	(void)mkdirat(tree->top, path, 0755);
	(void)snprintf(path, sizeof(path), "sys/fs/resctrl/info/%s/%s", resource, file);
	tree_put(tree, path, text);
}

static void tree_cache(const struct tree *tree, const char *name, const char *mask,
		       const char *least, const char *shared)
{
	tree_info(tree, name, "cbm_mask", mask);
	tree_info(tree, name, "min_cbm_bits", least);
	tree_info(tree, name, "shareable_bits", shared);
	tree_info(tree, name, "num_closids", "16\n");
}

static void tree_bandwidth(const struct tree *tree, const char *least, const char *step,
			   const char *linear)
{
	tree_info(tree, "MB", "min_bandwidth", least);
	tree_info(tree, "MB", "bandwidth_gran", step);
	tree_info(tree, "MB", "delay_linear", linear);
	tree_info(tree, "MB", "num_closids", "8\n");
}

static void tree_schemata(const struct tree *tree, const char *text)
{
	tree_put(tree, "sys/fs/resctrl/schemata", text);
}

static void host_of(const struct tree *tree, struct resctrl_host *ret)
{
	cleanup_close int fd = resctrl_open(&tree->root);

	assert_ok(fd);
	assert_ok(resctrl_host_read(&tree->root, fd, ret));
}

/* What a share is on this host, and that it reads back as itself. */
static const char *format(const struct resctrl_host *host, const char *text)
{
	static char formatted[512];
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_share share;
	char back[512];

	assert_ok(resctrl_share_parse(text, &share));
	assert_ok(resctrl_format(host, &share, formatted, sizeof(formatted)));
	assert_ok(resctrl_expand(host, formatted, &schemata));
	assert_ok(resctrl_summary(host, strbuf_text(&schemata), back, sizeof(back)));
	assert_string_equal(back, formatted);
	return formatted;
}

static void test_intel_counts_in_percent(void **state)
{
	const struct tree *tree = *state;
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_host host;

	tree_cache(tree, "L3", "7ff\n", "1\n", "600\n");
	tree_bandwidth(tree, "10\n", "10\n", "1\n");
	tree_schemata(tree, "    L3:0=7ff;1=7ff\n    MB:0=100;1= 50\n");
	host_of(tree, &host);
	assert_int_equal(host.count, 2);
	assert_int_equal(host.closids, 8);
	assert_string_equal(format(&host, "l3=20 mb=10"), "L3=3 MB=10");
	assert_string_equal(format(&host, "l3=50 mb=35"), "L3=1f MB=30");
	assert_string_equal(format(&host, "mb=1"), "L3=7ff MB=10");
	assert_string_equal(format(&host, ""), "L3=7ff MB=100");
	assert_ok(resctrl_expand(&host, "L3=3 MB=10", &schemata));
	assert_string_equal(strbuf_text(&schemata), "L3:0=3;1=3\nMB:0=10;1=10\n");
}

static void test_haswell_needs_two_bits(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_host host;

	tree_cache(tree, "L3", "fffff\n", "2\n", "c0000\n");
	tree_schemata(tree, "L3:0=fffff;1=fffff\n");
	host_of(tree, &host);
	assert_string_equal(format(&host, "l3=5"), "L3=3");
	assert_string_equal(format(&host, "l3=20"), "L3=f");
	assert_string_equal(format(&host, "l3=100"), "L3=fffff");
}

static void test_code_and_data_are_two_caches(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_host host;

	tree_cache(tree, "L3CODE", "ffff\n", "1\n", "0\n");
	tree_cache(tree, "L3DATA", "ffff\n", "1\n", "0\n");
	tree_cache(tree, "L2", "ff\n", "1\n", "0\n");
	tree_schemata(tree, "L3DATA:0=ffff\nL3CODE:0=ffff\n    L2:0=ff;2=ff;4=ff\n");
	host_of(tree, &host);
	assert_string_equal(format(&host, "l3=30 l2=50"), "L3DATA=f L3CODE=f L2=f");
}

static void test_amd_counts_in_eighths(void **state)
{
	const struct tree *tree = *state;
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_host host;

	tree_put(tree, "proc/cpuinfo", "processor\t: 0\nvendor_id\t: AuthenticAMD\n");
	tree_cache(tree, "L3", "ffff\n", "1\n", "0\n");
	tree_bandwidth(tree, "0\n", "1\n", "0\n");
	tree_schemata(tree, "L3:0=ffff;1=ffff;8=ffff;15=ffff\n"
			    "MB:0=2048;1=2048;8=2048;15=2048\nSMBA:0=2048\n");
	host_of(tree, &host);
	/* 100 % of 25600 MB/s are 200 steps. */
	assert_string_equal(format(&host, "l3=50 mb=10 full_mbps=25600"), "L3=ff MB=20");
	assert_string_equal(format(&host, "l3=50 mb=10"), "L3=ff MB=2048");
	/* Nothing is no limit that the kernel knows. */
	assert_string_equal(format(&host, "mb=10 full_mbps=1"), "L3=ffff MB=1");
	assert_ok(resctrl_expand(&host, "L3=ff MB=20", &schemata));
	assert_string_equal(strbuf_text(&schemata),
			    "L3:0=ff;1=ff;8=ff;15=ff\nMB:0=20;1=20;8=20;15=20\n");
	/* Somebody who has lowered every domain of the default group does not make it Intel's. */
	tree_schemata(tree, "L3:0=ffff\nMB:0=64\n");
	host_of(tree, &host);
	assert_int_equal(host.resources[1].unit, RESCTRL_AMD);
	assert_string_equal(format(&host, ""), "L3=ffff MB=2048");
}

static void test_megabytes_where_they_are_mounted(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_host host;

	tree_put(tree, "proc/self/mounts",
		 "resctrl /sys/fs/resctrl resctrl rw,relatime,mba_MBps 0 0\n");
	tree_cache(tree, "L3", "7ff\n", "1\n", "0\n");
	tree_bandwidth(tree, "10\n", "10\n", "1\n");
	tree_schemata(tree, "L3:0=7ff\nMB:0=90000\n");
	host_of(tree, &host);
	assert_string_equal(format(&host, "mb=10 full_mbps=51234"), "L3=7ff MB=5120");
	tree_schemata(tree, "L3:0=7ff\nMB:0=4294967295\n");
	host_of(tree, &host);
	/* Rounded up it would not fit in 32 bits. */
	assert_string_equal(format(&host, "mb=10"), "L3=7ff MB=4294967290");
}

static void test_arm_and_sub_numa_domains_are_whatever_they_are(void **state)
{
	const struct tree *tree = *state;
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_host host;

	tree_cache(tree, "L3", "ffffffff\n", "1\n", "0\n");
	tree_bandwidth(tree, "1\n", "1\n", "1\n");
	/* openEuler's has priorities beside them: left alone. */
	tree_schemata(tree, "L3:1=ffffffff;257=ffffffff\nL3PRI:1=3;257=3\nMB:1=100;257=100\n"
			    "MBHDL:1=1;257=1\n");
	host_of(tree, &host);
	assert_int_equal(host.count, 2);
	assert_string_equal(format(&host, "l3=100 mb=33"), "L3=ffffffff MB=33");
	assert_ok(resctrl_expand(&host, "L3=3f MB=33", &schemata));
	assert_string_equal(strbuf_text(&schemata), "L3:1=3f;257=3f\nMB:1=33;257=33\n");
}

static void test_bandwidth_that_takes_no_value_is_left_alone(void **state)
{
	const struct tree *tree = *state;
	cleanup_strbuf struct strbuf schemata = { 0 };
	struct resctrl_share share;
	struct resctrl_host host;
	char text[64];

	tree_cache(tree, "L3", "f\n", "1\n", "0\n");
	tree_bandwidth(tree, "10\n", "10\n", "0\n");
	tree_schemata(tree, "L3:0=f\nMB:0=100\n");
	host_of(tree, &host);
	assert_ok(resctrl_share_parse("l3=50 mb=20", &share));
	assert_ok(resctrl_format(&host, &share, text, sizeof(text)));
	assert_string_equal(text, "L3=3 MB=100");
	assert_ok(resctrl_expand(&host, text, &schemata));
	assert_string_equal(strbuf_text(&schemata), "L3:0=3\n");
	/* Nor is what no file says the steps of. */
	tree_info(tree, "MB", "bandwidth_gran", "0\n");
	host_of(tree, &host);
	assert_int_equal(host.count, 1);
}

static void test_ways_of_others_are_left_to_them(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_share share;
	struct resctrl_host host;
	char text[64];

	tree_cache(tree, "L3", "ff\n", "1\n", "3\n");
	/* Of one domain the lowest two, of the other the highest: all of them are taken for each.
	 */
	tree_info(tree, "L3", "bit_usage", "0=SSSSSSEE;1=PSSSSSXX\n");
	tree_schemata(tree, "L3:0=fc;1=7f\n");
	host_of(tree, &host);
	assert_int_equal(host.resources[0].taken, 0x83);
	assert_string_equal(format(&host, "l3=25"), "L3=c");
	assert_string_equal(format(&host, "l3=100"), "L3=7c");
	tree_info(tree, "L3", "bit_usage", "0=EEEEEEEE;1=SSSSSSSS\n");
	host_of(tree, &host);
	assert_ok(resctrl_share_parse("l3=50", &share));
	assert_errno(resctrl_format(&host, &share, text, sizeof(text)), ENOSPC);
}

static void test_domains_that_differ_are_seen(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_host host;
	char text[96], small[16];

	tree_cache(tree, "L3", "7ff\n", "1\n", "0\n");
	tree_schemata(tree, "L3:0=7ff;1=7ff;8=7ff\n");
	host_of(tree, &host);
	assert_ok(resctrl_summary(&host, "   L3:0=003;1=01f;8=003\n", text, sizeof(text)));
	assert_string_equal(text, "L3=3,1:1f");
	assert_ok(resctrl_summary(&host, "L3:0=3;1=1f;8=7ff\n", small, sizeof(small)));
	assert_string_equal(small, "L3=3,1:1f,8:7ff");
	assert_ok(resctrl_summary(&host, "L3:0=3;1=1f;8=7ff\n", small, 12));
	assert_string_equal(small + 8, "...");
	assert_errno(resctrl_summary(&host, "L3:0=3;1\n", text, sizeof(text)), EINVAL);
	assert_errno(resctrl_summary(&host, "L3:0=x\n", text, sizeof(text)), EINVAL);
	assert_errno(resctrl_summary(&host, "L3:\n", text, sizeof(text)), EINVAL);
	assert_errno(resctrl_summary(&host, "XX:0=1\n", text, sizeof(text)), EINVAL);
}

static void test_texts_that_are_none_are_refused(void **state)
{
	static const char *const shares[] = { "l3",   "l3=",   "l3=101",
					      "l4=5", "l3=-1", "l3=20,mb=5",
					      "=5",   "mb=5x", "full_mbps=99999999999" };
	static const char *const texts[] = { "",     "L3",        "L3=",    "L3=x",
					     "L2=3", "L3=3,1:1f", "absent", "MB=20" };
	const struct tree *tree = *state;
	struct resctrl_share share;
	struct resctrl_host host;

	tree_cache(tree, "L3", "7ff\n", "1\n", "0\n");
	tree_schemata(tree, "L3:0=7ff\n");
	host_of(tree, &host);
	for (size_t i = 0; i < ARRAY_SIZE(shares); i++)
		assert_errno(resctrl_share_parse(shares[i], &share), EINVAL);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		cleanup_strbuf struct strbuf schemata = { 0 };

		assert_errno(resctrl_expand(&host, texts[i], &schemata), EINVAL);
	}
}

static void test_what_is_not_mounted_or_cannot_be_shared_is_told(void **state)
{
	const struct tree *tree = *state;
	struct resctrl_host host;
	cleanup_close int fd = -EBADF;

	assert_errno(resctrl_open(&tree->root), ENODEV);
	tree_schemata(tree, "\n");
	fd = resctrl_open(&tree->root);
	assert_ok(fd);
	assert_errno(resctrl_host_read(&tree->root, fd, &host), EOPNOTSUPP);
	tree_schemata(tree, "L3:0=7ff\n"); /* and no info */
	assert_errno(resctrl_host_read(&tree->root, fd, &host), EOPNOTSUPP);
}

static void test_only_marked_groups_are_ours(void **state)
{
	const struct tree *tree = *state;
	cleanup_close int fd = -EBADF;
	char text[64];

	tree_cache(tree, "L3", "7ff\n", "1\n", "0\n");
	tree_schemata(tree, "L3:0=7ff\n");
	fd = resctrl_open(&tree->root);
	assert_ok(fd);
	assert_errno(resctrl_is_ours(fd, "berth_low"), ENOENT);
	assert_ok(resctrl_read(&tree->root, fd, CACHE_LOW, text, sizeof(text)));
	assert_string_equal(text, RESCTRL_ABSENT);
	/* A plain directory gets no schemata: what cannot be written to is not left behind. */
	assert_errno(resctrl_write(&tree->root, fd, CACHE_LOW, "L3=3"), ENOENT);
	assert_errno(resctrl_is_ours(fd, "berth_low"), ENOENT);
	assert_int_equal(mkdirat(fd, "berth_low", 0700), 0);
	assert_int_equal(resctrl_is_ours(fd, "berth_low"), 0);
	assert_ok(resctrl_read(&tree->root, fd, CACHE_LOW, text, sizeof(text)));
	assert_string_equal(text, RESCTRL_FOREIGN);
	assert_errno(resctrl_write(&tree->root, fd, CACHE_LOW, "L3=3"), EEXIST);
	assert_errno(resctrl_write(&tree->root, fd, CACHE_LOW, RESCTRL_ABSENT), EEXIST);
	resctrl_explain(fd, CACHE_LOW, -EEXIST, text, sizeof(text));
	assert_non_null(strstr(text, "berth_low"));
	assert_int_equal(mkdirat(fd, "berth_high", 01700), 0);
	assert_int_equal(resctrl_is_ours(fd, "berth_high"), 1);
	tree_put(tree, "sys/fs/resctrl/berth_high/schemata", "L3:0=7ff\n");
	assert_ok(resctrl_write(&tree->root, fd, CACHE_HIGH, "L3=1f"));
	assert_int_equal(symlinkat("berth_high", fd, "berth_middle"), 0);
	assert_int_equal(resctrl_is_ours(fd, "berth_middle"), 0);
}

/* ---- threads ---- */

struct threads {
	struct hierarchy hierarchy;
	struct cgroup group;
	char path[8];
};

/* A group of control with these threads, on v2. */
static void threads_make(const struct tree *tree, struct threads *threads, const char *tids)
{
	struct stat st;
	int fd;

	memset(threads, 0, sizeof(*threads));
	tree_directory(tree, "cgroup");
	tree_directory(tree, "cgroup/job");
	tree_put(tree, "cgroup/job/cgroup.threads", tids);
	fd = directory_fd(tree->top, "cgroup");
	assert_int_equal(fstatat(fd, "job", &st, 0), 0);
	threads->hierarchy.mounts[CONTROLLER_CPU].fd = fd;
	threads->hierarchy.mounts[CONTROLLER_CPU].version = 2;
	(void)snprintf(threads->path, sizeof(threads->path), "job");
	threads->group.path = threads->path;
	threads->group.inode[CONTROLLER_CPU] = st.st_ino;
	tree_put(tree, "sys/fs/resctrl/schemata", "L3:0=7ff\n");
	tree_put(tree, "sys/fs/resctrl/tasks", "");
	assert_int_equal(mkdirat(tree->top, "sys/fs/resctrl/berth_low", 01700), 0);
	tree_put(tree, "sys/fs/resctrl/berth_low/tasks", "");
}

static void threads_done(struct threads *threads)
{
	(void)close(threads->hierarchy.mounts[CONTROLLER_CPU].fd);
}

static const char *tree_text(const struct tree *tree, const char *name)
{
	static char text[256];
	cleanup_close int fd = openat(tree->top, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, sizeof(text) - 1);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

/* What cannot be read may have any of them: nobody is moved. */
static void test_threads_stay_when_groups_of_others_cannot_be_read(void **state)
{
	const struct tree *tree = *state;
	struct threads threads;

	threads_make(tree, &threads, "11\n12\n");
	tree_directory(tree, "sys/fs/resctrl/theirs");
	tree_directory(tree, "sys/fs/resctrl/theirs/tasks"); /* EISDIR, as EMFILE may be */
	assert_errno(resctrl_tasks_join(&tree->root, &threads.hierarchy, &threads.group, CACHE_LOW),
		     EISDIR);
	assert_string_equal(tree_text(tree, "sys/fs/resctrl/berth_low/tasks"), "");
	/* One that has gone since has none. */
	assert_int_equal(unlinkat(tree->top, "sys/fs/resctrl/theirs/tasks", AT_REMOVEDIR), 0);
	assert_true(resctrl_tasks_join(&tree->root, &threads.hierarchy, &threads.group, CACHE_LOW) >
		    0);
	assert_string_not_equal(tree_text(tree, "sys/fs/resctrl/berth_low/tasks"), "");
	threads_done(&threads);
}

/* Any width, any bits of others: one run of bits, enough of them, none of the taken ones, and never
 * more than was asked for but for the least that the hardware takes. */
static void test_masks_hold_what_the_kernel_asks_for(void **state)
{
	uint64_t random = 88172645463325252ULL;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		struct resctrl_resource cache = { .kind = RESCTRL_L3 };
		unsigned int width, count;
		uint64_t percent, mask, run;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		width = 1 + (unsigned int)(random % 32);
		percent = (random >> 8) % 101;
		cache.bits = (1ULL << width) - 1;
		cache.bits_min = 1 + (random >> 16) % MIN(width, 3u);
		cache.shared = (random >> 20) & cache.bits;
		cache.taken = (random >> 50) % 3 == 0 ? (random >> 24) & cache.bits : 0;
		mask = resctrl_mask(&cache, percent);
		if (mask == 0) {
			assert_int_not_equal(cache.taken, 0);
			continue;
		}
		run = mask >> __builtin_ctzll(mask);
		count = (unsigned int)__builtin_popcountll(mask);
		assert_int_equal(run & (run + 1), 0);
		assert_int_equal(mask & ~cache.bits, 0);
		assert_int_equal(mask & cache.taken, 0);
		assert_true(count >= cache.bits_min);
		assert_true(count <= MAX(cache.bits_min, width * percent / 100) || count == 1);
		if (cache.taken == 0)
			assert_int_equal(count,
					 MAX(MAX(1u, cache.bits_min), width * percent / 100));
		/* No other run of as many shares less with devices. */
		for (unsigned int start = 0; cache.taken == 0 && start + count <= width; start++)
			assert_true(__builtin_popcountll((run << start) & cache.shared) >=
				    __builtin_popcountll(mask & cache.shared));
	}
}

static void test_bandwidths_hold_what_the_kernel_asks_for(void **state)
{
	uint64_t random = 362436069362436069ULL;

	(void)state;
	for (unsigned int i = 0; i < 200000; i++) {
		static const uint64_t all[] = { 100, UINT32_MAX, 2048 };
		struct resctrl_resource memory = { .kind = RESCTRL_MB };
		struct resctrl_share share = { .percent = { 100, 100, 100 } };
		uint64_t value, asked;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		memory.unit = (enum resctrl_unit)(random % 3);
		memory.highest = all[memory.unit];
		memory.step = 1 + (random >> 8) % 20;
		memory.lowest = (random >> 16) % 21;
		share.percent[RESCTRL_MB] = (random >> 24) % 101;
		share.full_mbps = (random >> 32) % 500000;
		value = resctrl_bandwidth(&memory, &share);
		assert_int_equal(value % memory.step, 0);
		assert_true(value > 0 && value >= MIN(memory.lowest, memory.highest));
		assert_true(value <= memory.highest);
		if (share.percent[RESCTRL_MB] == 100 ||
		    (memory.unit != RESCTRL_PERCENT && share.full_mbps == 0))
			continue;
		asked = memory.unit == RESCTRL_PERCENT
				? share.percent[RESCTRL_MB]
				: share.full_mbps * share.percent[RESCTRL_MB] / 100 /
					  (memory.unit == RESCTRL_AMD ? 128 : 1);
		assert_true(value <= MAX(asked, memory.lowest + memory.step));
	}
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_intel_counts_in_percent),
		TEST(test_haswell_needs_two_bits),
		TEST(test_code_and_data_are_two_caches),
		TEST(test_amd_counts_in_eighths),
		TEST(test_megabytes_where_they_are_mounted),
		TEST(test_arm_and_sub_numa_domains_are_whatever_they_are),
		TEST(test_bandwidth_that_takes_no_value_is_left_alone),
		TEST(test_ways_of_others_are_left_to_them),
		TEST(test_domains_that_differ_are_seen),
		TEST(test_texts_that_are_none_are_refused),
		TEST(test_what_is_not_mounted_or_cannot_be_shared_is_told),
		TEST(test_only_marked_groups_are_ours),
		TEST(test_threads_stay_when_groups_of_others_cannot_be_read),
		cmocka_unit_test(test_masks_hold_what_the_kernel_asks_for),
		cmocka_unit_test(test_bandwidths_hold_what_the_kernel_asks_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
