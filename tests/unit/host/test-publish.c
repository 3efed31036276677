/* SPDX-License-Identifier: Apache-2.0 */
/* publish(): whose families are on the page, of which workloads, over reloads and ends. */
#include "host/host-world.h"
#include "metrics/page.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	*state = world_free(*state);
	return 0;
}

static const struct workload_sample *sample_of(void *data, uint64_t id)
{
	const struct world *world = data;

	return snapshot_get(&world->snapshot, id);
}

/* The page of now; good until the next call. */
static const char *page_text(struct world *world)
{
	static char text[16384];
	struct page *page = metrics_page(world->metrics);
	struct blob *blob = NULL;
	struct page_source source = { sample_of, world, 0, 1000 };

	assert_ok(host_fresh(world->host, 0));
	source.generation = world->snapshot.generation;
	assert_ok(page_update(page, EXPOSITION_TEXT_0_0_4, &source));
	assert_ok(page_take(page, "", 0, false, world_now_usec(), &blob));
	(void)snprintf(text, sizeof(text), "%.*s", (int)blob->length, blob_bytes(blob));
	(void)blob_unref(blob);
	return text;
}

static unsigned int *asked(const struct world *world)
{
	unsigned int *counter =
		dlsym(plugin_list_get(&world->plugins, "publisher")->handle, "publisher_asked");

	assert_non_null(counter);
	return counter;
}

#define A "berth_p_memory_bytes{kind=\"cgroup\",name=\"a\",qos=\""

static void test_publish_workloads_come_change_and_go(void **state)
{
	struct world *world = *state;
	const char *text;
	unsigned int before;

	(void)world_add(world, "batch/a");
	world_plugin(world, "publisher");
	world_run(world, WORLD_POLICY);
	assert_non_null(strstr(page_text(world), A "batch\"}              4096\n"));
	assert_int_equal(*asked(world), 1);

	(void)world_add(world, "online");
	text = page_text(world);
	assert_non_null(strstr(text, "name=\"online\",qos=\"normal\""));
	assert_int_equal(*asked(world), 2);
	(void)page_text(world);
	assert_int_equal(*asked(world), 2);

	/* Another level is another label, and the one of before is gone. */
	before = *asked(world);
	world_apply(world, "default_qos: high\n");
	text = page_text(world);
	assert_non_null(strstr(text, A "high\""));
	assert_null(strstr(text, A "batch\""));
	assert_int_equal(*asked(world), before + 2);

	registry_drop(&world->registry, "test", "batch/a");
	text = page_text(world);
	assert_null(strstr(text, "name=\"a\""));
	assert_non_null(strstr(text, "name=\"online\""));
}

static void test_publish_wants_follows_the_workload(void **state)
{
	struct world *world = *state;

	(void)world_add(world, "batch/a");
	(void)world_add(world, "online");
	world_plugin(world, "publisher");
	world_run(world, WORLD_POLICY "plugins: {publisher: {offline: true}}\n");
	assert_non_null(strstr(page_text(world), "name=\"a\""));
	assert_null(strstr(page_text(world), "name=\"online\""));
	world_apply(world, "default_qos: normal\nplugins: {publisher: {offline: true}}\n");
	assert_string_equal(page_text(world), "");
	world_apply(world, "default_qos: batch\nplugins: {publisher: {offline: true}}\n");
	assert_non_null(strstr(page_text(world), "name=\"online\""));
}

/* New settings are a second instance beside the first, whose end must not take the new page away.
 */
static void test_publish_reload_changes_over(void **state)
{
	struct world *world = *state;

	(void)world_add(world, "batch/a");
	world_plugin(world, "publisher");
	world_run(world, WORLD_POLICY);
	assert_non_null(strstr(page_text(world), "berth_p_memory_bytes{"));
	world_apply(world, WORLD_POLICY "plugins: {publisher: {family: cpu}}\n");
	assert_non_null(strstr(page_text(world), "berth_p_cpu_seconds_total{"));
	assert_null(strstr(page_text(world), "berth_p_memory_bytes"));
	world_apply(world, WORLD_POLICY "plugins: {publisher: {enabled: false}}\n");
	assert_string_equal(page_text(world), "");
	world_apply(world, WORLD_POLICY);
	assert_non_null(strstr(page_text(world), "berth_p_memory_bytes{"));
}

static void test_publish_wrong_table_is_refused(void **state)
{
	struct world *world = *state;
	struct metric_family *family = NULL;

	(void)world_add(world, "batch/a");
	world_plugin(world, "publisher");
	world_run(world, WORLD_POLICY "plugins: {publisher: {family: wrong}}\n");
	assert_int_equal(world_view(world, "publisher").state, PLUGIN_QUARANTINED);
	assert_string_equal(page_text(world), "");
	assert_ok(metrics_family(world->metrics, "berth_taken", METRIC_GAUGE, "", &family));
	world_apply(world, WORLD_POLICY "plugins: {publisher: {family: taken}}\n");
	assert_int_equal(world_view(world, "publisher").state, PLUGIN_QUARANTINED);
	assert_string_equal(page_text(world), "");
	world_apply(world, WORLD_POLICY);
	assert_int_equal(world_view(world, "publisher").state, PLUGIN_RUNNING);
	assert_non_null(strstr(page_text(world), "berth_p_memory_bytes{"));
}

static void test_publish_second_plugin_is_busy(void **state)
{
	struct world *world = *state;

	(void)world_add(world, "batch/a");
	world_plugin(world, "publisher");
	world_plugin(world, "republisher");
	world_run(world, WORLD_POLICY "plugins: {republisher: {family: cpu}}\n");
	assert_int_equal(world_view(world, "publisher").state, PLUGIN_RUNNING);
	assert_int_equal(world_view(world, "republisher").state, PLUGIN_QUARANTINED);
	assert_non_null(strstr(page_text(world), "berth_p_memory_bytes{"));
	assert_null(strstr(page_text(world), "berth_p_cpu_seconds_total{"));
}

static void plan_ignore(void *data, const struct plan_view *view)
{
	(void)data;
	(void)view;
}

/* A plan runs the plugin beside itself, and the page does not notice. */
static void test_publish_plan_changes_nothing(void **state)
{
	struct world *world = *state;
	struct settings *settings;

	(void)world_add(world, "batch/a");
	world_plugin(world, "publisher");
	world_run(world, WORLD_POLICY);
	settings = world_settings(world, WORLD_POLICY "plugins: {publisher: {family: cpu}}\n");
	assert_ok(host_plan(world->host, settings, plan_ignore, NULL));
	(void)settings_free(settings);
	assert_non_null(strstr(page_text(world), "berth_p_memory_bytes{"));
	assert_null(strstr(page_text(world), "berth_p_cpu_seconds_total{"));
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_publish_workloads_come_change_and_go),
		TEST(test_publish_wants_follows_the_workload),
		TEST(test_publish_reload_changes_over),
		TEST(test_publish_wrong_table_is_refused),
		TEST(test_publish_second_plugin_is_busy),
		TEST(test_publish_plan_changes_nothing),
	};

	return cmocka_run_group_tests_name("publish", tests, NULL, NULL);
}
