/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <sys/resource.h>

#include "berth-test.h"
#include "file.h"
#include "limit.h"
#include "log.h"
#include "pods-world.h"

static char *file_text(const struct world *world, const char *name)
{
	char *text = NULL;

	(void)file_read_all(world->state_fd, name, &text, NULL);
	return text;
}

static void file_make(const struct world *world, const char *text)
{
	int fd = openat(world->state_fd, "pods.json", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
			0600);

	assert_ok(fd);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	assert_ok(close(fd));
}

static bool there(const struct world *world, const char *name)
{
	return faccessat(world->state_fd, name, F_OK, 0) == 0;
}

static void test_store_pods_outlive_a_restart(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	world_put(world, UID_B, "db", CRITICAL);
	(void)world_group(world, POD_A);
	(void)world_group(world, POD_A "/" ID_1);
	world_restart(world);
	assert_true(there(world, "pods.json"));
	assert_false(there(world, "pods.json.new"));
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 2);
	assert_int_equal(stats.stale, 2);
	assert_true(pods_group(world->pods, POD_A));
	assert_true(pods_group(world->pods, POD_A "/" ID_1));
	assert_string_equal(tree_said(world->tree), "+web +web/111111111111");
	assert_int_equal(world_at(world, POD_A "/" ID_1)->view.qos, QOS_BATCH);
	assert_true(world_at(world, POD_A)->stale);
	assert_true(world_at(world, POD_A "/" ID_1)->stale);
	assert_string_equal(world_at(world, POD_A)->via, "last known good");
	assert_int_equal(strlen(world_fact(world, POD_A, "last known good")),
			 strlen("2026-11-20T22:10:00Z"));
	/* An API names it: nothing changes but that it is no longer stale. */
	world_put(world, UID_A, "web", BATCH);
	assert_string_equal(tree_said(world->tree), "");
	assert_false(world_at(world, POD_A)->stale);
	assert_false(world_at(world, POD_A "/" ID_1)->stale);
	assert_string_equal(world_fact(world, POD_A, "last known good"), "");
}

static void test_store_stale_pods_end_with_the_first_list(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	world_put(world, UID_B, "db", CRITICAL);
	(void)world_group(world, POD_A);
	world_restart(world);
	(void)pods_group(world->pods, POD_A);
	pods_api_begin(world->pods);
	pods_api_end(world->pods);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.stale, 0);
	assert_int_equal(stats.known, 1);
	assert_int_equal(world_at(world, POD_A)->view.qos, QOS_BATCH);
}

/* No API was there in between: the file is the one of before, with its date. */
static void test_store_unconfirmed_file_stays_as_it_is(void **state)
{
	struct world *world = *state;
	struct stat before, after;

	world_put(world, UID_A, "web", BATCH);
	world_restart(world);
	assert_ok(fstatat(world->state_fd, "pods.json", &before, 0));
	world_restart(world);
	assert_ok(fstatat(world->state_fd, "pods.json", &after, 0));
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(world->pods->known.count, 1);
}

static void run_until_written(struct world *world)
{
	while (world->pods->store.armed || world->pods->store.job)
		assert_ok(sd_event_run(world->event, 20 * USEC_PER_SEC));
}

static void test_store_changes_are_written_together_a_while_later(void **state)
{
	struct world *world = *state;
	json_error_t error;
	json_t *document;
	char *text;

	world_put(world, UID_A, "web", BATCH);
	world_put(world, UID_B, "db", CRITICAL);
	assert_true(world->pods->store.armed);
	assert_false(there(world, "pods.json"));
	run_until_written(world);
	assert_false(world->pods->store.unsaved);
	text = file_text(world, "pods.json");
	assert_non_null(text);
	document = json_loads(text, 0, &error);
	assert_non_null(document);
	assert_int_equal(json_array_size(json_object_get(document, "pods")), 2);
	json_decref(document);
	free(text);
	/* Nothing is armed when nothing changes. */
	world_put(world, UID_A, "web", BATCH);
	assert_false(world->pods->store.armed);
	pods_api_gone(world->pods, UID_B);
	assert_true(world->pods->store.armed);
}

static void test_store_free_while_it_is_written_saves_the_last(void **state)
{
	struct world *world = *state;
	struct pods_stats stats;

	world_put(world, UID_A, "web", BATCH);
	while (!world->pods->store.job)
		assert_ok(sd_event_run(world->event, 20 * USEC_PER_SEC));
	world_put(world, UID_B, "db", CRITICAL);
	assert_true(world->pods->store.unsaved);
	world_restart(world);
	pods_stats(world->pods, &stats);
	assert_int_equal(stats.known, 2);
}

/* What is being written may be replaced and deleted meanwhile. */
static void test_store_changes_during_a_write_are_written_after_it(void **state)
{
	struct world *world = *state;
	char *text;

	world_put(world, UID_A, "web", BATCH);
	world_put(world, UID_B, "db", CRITICAL);
	while (!world->pods->store.job)
		assert_ok(sd_event_run(world->event, 20 * USEC_PER_SEC));
	world_put(world, UID_A, "web", CRITICAL);
	pods_api_gone(world->pods, UID_B);
	assert_false(world->pods->store.armed);
	run_until_written(world);
	text = file_text(world, "pods.json");
	assert_non_null(text);
	assert_null(strstr(text, UID_B));
	assert_null(strstr(text, "batch"));
	assert_non_null(strstr(text, UID_A));
	free(text);
}

#define HEAD      "{\"version\":1,\"saved\":\"2026-11-20T22:10:00Z\",\"pods\":[\n"
#define LINE(uid) "{\"metadata\":{\"uid\":\"" uid "\",\"name\":\"n\",\"namespace\":\"s\"}}"

static void test_store_load_damaged_file_is_set_aside(void **state)
{
	static const struct {
		const char *text;
		size_t known;
	} rows[] = {
		{ "", 0 },
		{ "\n", 0 },
		{ "nonsense", 0 },
		{ "[]", 0 },
		{ "{\"version\":2,\"saved\":\"2026-11-20T22:10:00Z\",\"pods\":[\n]}\n", 0 },
		{ "{\"version\":1,\"pods\":[\n]}\n", 0 },
		{ "{\"version\":1,\"saved\":\"2026-11-20T22:10:00Z\\u001b[2J\",\"pods\":[\n]}\n",
		  0 },
		{ "{\"version\":1,\"saved\":\"\\u001b[2J\",\"pods\":[\n]}\n", 0 },
		{ HEAD, 0 },
		{ HEAD LINE("a") ",\n", 1 },
		{ HEAD LINE("a") ",\n" LINE("b") "\n{\"metadata\":{\"uid\":", 2 },
		{ HEAD LINE("a") ",\n{\"metadata\":{}},\n" LINE("b") "\n]}\n", 2 },
		{ HEAD LINE("a") "\n]}\nmore\n", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *world = world_new(1);
		char *kept;

		file_make(world, rows[i].text);
		world_restart(world);
		if (world->pods->known.count != rows[i].known)
			fail_msg("row %zu: %zu pods", i, world->pods->known.count);
		assert_false(there(world, "pods.json"));
		kept = file_text(world, "pods.json.damaged");
		assert_non_null(kept);
		assert_string_equal(kept, rows[i].text);
		free(kept);
		world_free(world);
	}
	(void)state;
}

static void test_store_load_good_files_stay(void **state)
{
	static const struct {
		const char *text;
		size_t known;
	} rows[] = {
		{ HEAD "]}\n", 0 },
		{ HEAD LINE("a") "\n]}", 1 },
		/* One pod twice is one pod. */
		{ HEAD LINE("a") ",\n" LINE("a") "\n]}\n", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *world = world_new(1);

		file_make(world, rows[i].text);
		world_restart(world);
		assert_int_equal(world->pods->known.count, rows[i].known);
		assert_true(there(world, "pods.json"));
		assert_string_equal(world->pods->store.saved, "2026-11-20T22:10:00Z");
		world_free(world);
	}
	(void)state;
}

static void test_store_load_what_is_no_such_file_is_set_aside(void **state)
{
	struct world *world = *state;
	int fd;

	assert_ok(mkdirat(world->state_fd, "pods.json", 0700));
	world_restart(world);
	assert_true(there(world, "pods.json.damaged"));
	assert_ok(unlinkat(world->state_fd, "pods.json.damaged", AT_REMOVEDIR));
	file_make(world, HEAD "]}\n");
	fd = openat(world->state_fd, "pods.json", O_WRONLY | O_CLOEXEC);
	assert_ok(fd);
	assert_ok(ftruncate(fd, (off_t)LIMIT_STATE_BYTES + 1));
	assert_ok(close(fd));
	world_restart(world);
	assert_true(there(world, "pods.json.damaged"));
	/* Not followed, whoever made it. */
	assert_ok(symlinkat("/dev/zero", world->state_fd, "pods.json"));
	world_restart(world);
	assert_int_equal(world->pods->known.count, 0);
}

static void test_store_full_disk_keeps_the_old_file_and_tries_again(void **state)
{
	struct world *world = *state;
	struct rlimit before, none;
	uint64_t warnings;
	char *text;

	world_put(world, UID_A, "web", BATCH);
	run_until_written(world);
	warnings = log_count_warnings();
	assert_ok(getrlimit(RLIMIT_FSIZE, &before));
	none = before;
	none.rlim_cur = 16;
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_ok(setrlimit(RLIMIT_FSIZE, &none));
	world_put(world, UID_B, "db", CRITICAL);
	run_until_written(world);
	world_put(world, "c", "other", NULL);
	run_until_written(world);
	assert_ok(setrlimit(RLIMIT_FSIZE, &before));
	(void)signal(SIGXFSZ, SIG_DFL);
	/* Said once; nothing armed; the old one is whole. */
	assert_true(world->pods->store.unsaved);
	assert_true(world->pods->store.failed);
	assert_int_equal(log_count_warnings(), warnings + 1);
	assert_false(there(world, "pods.json.new"));
	text = file_text(world, "pods.json");
	assert_non_null(strstr(text, UID_A));
	assert_null(strstr(text, UID_B));
	free(text);
	world_put(world, "d", "another", NULL);
	run_until_written(world);
	assert_false(world->pods->store.failed);
	text = file_text(world, "pods.json");
	assert_non_null(strstr(text, UID_B));
	free(text);
}

/* A pod as large as Kubernetes lets it be, six times as large in JSON. */
static struct kube_pod *pod_huge(unsigned int number)
{
	char key[] = "berth/x", uid[32];
	struct label annotation = { key, malloc(LIMIT_LABEL_BYTES) };
	struct kube_pod *pod = NULL;
	const struct kube_pod model = {
		.uid = uid,
		.cgroup_uid = uid,
		.namespace = "ns",
		.name = "huge",
		.node = "",
		.phase = "",
		.resource_version = "",
		.qos_class = "",
		.annotations = &annotation,
		.annotation_count = 1,
	};
	json_t *object;

	(void)snprintf(uid, sizeof(uid), "huge-%u", number);
	assert_non_null(annotation.value);
	memset(annotation.value, 1, LIMIT_LABEL_BYTES);
	annotation.value[LIMIT_LABEL_BYTES - sizeof(key)] = '\0';
	object = kube_pod_encode(&model);
	assert_non_null(object);
	assert_ok(kube_pod_decode(object, uid, sizeof(uid), &pod));
	json_decref(object);
	free(annotation.value);
	return pod;
}

/* One tenant's annotations do not push what is known of the others out of the file. */
static void test_store_more_than_the_file_may_have_leaves_the_largest_out(void **state)
{
	struct world *world = *state;
	uint64_t warnings = log_count_warnings();
	struct stat st;

	world_put(world, UID_A, "web", BATCH);
	for (unsigned int i = 0; i < 24; i++)
		pods_api_put(world->pods, "apiserver", pod_huge(i));
	world_put(world, UID_B, "db", CRITICAL);
	run_until_written(world);
	assert_ok(fstatat(world->state_fd, "pods.json", &st, 0));
	assert_true(st.st_size <= (off_t)LIMIT_STATE_BYTES);
	assert_int_equal(log_count_warnings(), warnings + 1);
	world_restart(world);
	assert_false(there(world, "pods.json.damaged"));
	assert_non_null(hashmap_get(&world->pods->known, UID_A));
	assert_non_null(hashmap_get(&world->pods->known, UID_B));
	assert_in_range(world->pods->known.count, 2 + 20, 2 + 23);
}

static void test_store_forget_is_written_too(void **state)
{
	struct world *world = *state;

	world_put(world, UID_A, "web", BATCH);
	world_restart(world);
	assert_int_equal(world->pods->known.count, 1);
	pods_api_forget(world->pods);
	world_restart(world);
	assert_int_equal(world->pods->known.count, 0);
	assert_true(there(world, "pods.json"));
}

static void test_store_without_a_directory_keeps_nothing(void **state)
{
	struct world *world = *state;
	struct pods *pods;

	assert_ok(pods_new(world->event, &world->tree->registry, NULL, &pods));
	assert_ok(pods_load(pods));
	pods_api_put(pods, "kubelet", pod_make(&(struct pod_text){ .uid = UID_A, .name = "web" }));
	assert_false(pods->store.armed);
	assert_null(pods_free(pods));
	assert_null(pods_free(NULL));
	assert_false(there(world, "pods.json"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
		TEST(test_store_pods_outlive_a_restart),
		TEST(test_store_stale_pods_end_with_the_first_list),
		TEST(test_store_unconfirmed_file_stays_as_it_is),
		TEST(test_store_changes_are_written_together_a_while_later),
		TEST(test_store_free_while_it_is_written_saves_the_last),
		TEST(test_store_changes_during_a_write_are_written_after_it),
		cmocka_unit_test(test_store_load_damaged_file_is_set_aside),
		cmocka_unit_test(test_store_load_good_files_stay),
		TEST(test_store_load_what_is_no_such_file_is_set_aside),
		TEST(test_store_full_disk_keeps_the_old_file_and_tries_again),
		TEST(test_store_more_than_the_file_may_have_leaves_the_largest_out),
		TEST(test_store_forget_is_written_too),
		TEST(test_store_without_a_directory_keeps_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
