/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "api/control/control.h"
#include "api/web/web.h"
#include "berth-test.h"
#include "host-world.h"
#include "http-client.h"
#include "source/source.h"

#define ANSWER_MAX (256u * 1024)

/* A source that is what the test says it is. */
static const struct source_ops ops_fake = { .name = "fake" };

struct rig {
	struct world *world;
	struct source source;
	struct source *sources[1];
	struct config_errors errors;
	struct control_context context;
	struct http_server *server;
	int listen_fd; /* a duplicate: the server owns the other */
	int reload_result;
	char config_file[64];
	char text[ANSWER_MAX];
};

static int reload_fake(void *data)
{
	struct rig *rig = data;

	if (rig->reload_result == -EINVAL)
		config_errors_add(&rig->errors, NULL, "dry_run", "expected true or false");
	return rig->reload_result;
}

static const struct web_state no_web = { .listen = "", .file = "" };

static int rig_setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd;

	assert_non_null(rig);
	rig->world = world_new();
	world_run(rig->world, WORLD_POLICY);
	(void)snprintf(rig->config_file, sizeof(rig->config_file), "%s/berth.yaml",
		       rig->world->dir);
	rig->source = (struct source){ .ops = &ops_fake, .state = SOURCE_READY };
	rig->sources[0] = &rig->source;
	rig->context = (struct control_context){
		.state = { .root = &rig->world->root,
			   .hierarchy = &rig->world->hierarchy,
			   .registry = &rig->world->registry,
			   .actuator = rig->world->actuator,
			   .host = rig->world->host,
			   .snapshot = &rig->world->snapshot,
			   .sources = rig->sources,
			   .source_count = 1,
			   .config_errors = &rig->errors,
			   .web = &no_web,
			   .start_usec = world_now_usec(),
			   .last_apply_usec = world_now_usec() },
		.metrics = rig->world->metrics,
		.plugins = &rig->world->plugins,
		.settings = &rig->world->settings,
		.config_file = rig->config_file,
		.reload = reload_fake,
		.data = rig,
	};
	fd = http_listen_unix(rig->world->runtime_fd, "control.sock", 0600, (gid_t)-1);
	assert_ok(fd);
	rig->listen_fd = dup(fd);
	assert_ok(rig->listen_fd);
	assert_ok(http_server_new(rig->world->event, fd, control_routes(), &rig->context,
				  &rig->server));
	*state = rig;
	return 0;
}

static int rig_teardown(void **state)
{
	struct rig *rig = *state;

	rig->server = http_server_free(rig->server);
	(void)close(rig->listen_fd);
	config_errors_done(&rig->errors);
	rig->world = world_free(rig->world);
	free(rig);
	return 0;
}

/* The body of the answer, which must have this status. */
static const char *ask(struct rig *rig, const char *method, const char *path, const char *status)
{
	struct client_answer answer = { .text = rig->text, .size = sizeof(rig->text) };
	char request[512], line[64];
	int fd = client_connect(rig->listen_fd);

	(void)snprintf(request, sizeof(request),
		       "%s %s HTTP/1.1\r\nHost: berthd\r\nContent-Length: 0\r\n\r\n", method, path);
	assert_true(client_send(rig->world->event, fd, request));
	client_receive(rig->world->event, fd, 1, &answer);
	(void)close(fd);
	(void)snprintf(line, sizeof(line), "HTTP/1.1 %s", status);
	if (strncmp(rig->text, line, strlen(line)) != 0)
		fail_msg("%s: %.200s", path, rig->text);
	return strstr(rig->text, "\r\n\r\n") + 4;
}

/* The same as JSON, the caller's to json_decref(). */
static json_t *ask_json(struct rig *rig, const char *method, const char *path, const char *status)
{
	json_error_t error;
	json_t *answer = json_loads(ask(rig, method, path, status), JSON_REJECT_DUPLICATES, &error);

	if (!json_is_object(answer))
		fail_msg("%s: %s", path, error.text);
	return answer;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_t *item_of(const json_t *answer, const char *list, size_t index)
{
	json_t *item = json_array_get(json_object_get(answer, list), index);

	assert_non_null(item);
	return item;
}

static void claim_idle(const struct rig *rig, uint64_t id, const char *path)
{
	const struct workload *workload = registry_find_path(&rig->world->registry, path);
	const struct actuator_target target = { .target = { TARGET_WORKLOAD, id },
						.group = workload->cgroup,
						.label = path };
	const struct knob_value value = { .number = 1 };

	assert_ok(actuator_claim(rig->world->actuator, "tester", &target, KNOB_CPU_IDLE, &value, 0,
				 "because the test says so"));
	world_settle(rig->world);
}

static void test_control_routes_changes_are_privileged_and_not_on_tcp(void **state)
{
	(void)state;
	for (const struct http_route *route = control_routes(); route->method; route++)
		assert_int_equal(route->privileged, strcmp(route->method, "POST") == 0);
	for (const struct http_route *route = metrics_routes(); route->method; route++) {
		assert_string_equal(route->method, "GET");
		assert_null(strstr(route->path, "/v1"));
		assert_false(route->privileged);
	}
}

static void test_status_a_quiet_host_is_healthy_and_counted(void **state)
{
	struct rig *rig = *state;
	json_t *answer, *levels;

	(void)world_add(rig->world, "batch/a");
	(void)world_add(rig->world, "batch/b");
	(void)world_add(rig->world, "online");
	answer = ask_json(rig, "GET", "/v1/status", "200");
	assert_true(json_is_true(json_object_get(answer, "healthy")));
	assert_true(json_is_true(json_object_get(answer, "ready")));
	assert_true(json_is_false(json_object_get(answer, "dry_run")));
	levels = json_object_get(json_object_get(answer, "workloads"), "levels");
	assert_int_equal(json_integer_value(json_object_get(levels, "batch")), 2);
	assert_int_equal(json_integer_value(json_object_get(levels, "normal")), 1);
	assert_string_equal(text_of(item_of(answer, "sources", 0), "state"), "ready");
	json_decref(answer);
}

static void test_health_each_source_state_answers_as_documented(void **state)
{
	static const struct {
		enum source_state state;
		bool applied;
		const char *healthz, *readyz;
	} cases[] = {
		{ SOURCE_READY, true, "200", "200" },    { SOURCE_OFF, true, "200", "200" },
		{ SOURCE_STARTING, true, "200", "503" }, { SOURCE_DOWN, true, "503", "503" },
		{ SOURCE_READY, false, "200", "503" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig->source.state = cases[i].state;
		rig->context.state.last_apply_usec = cases[i].applied;
		/* An API that is down must not make a liveness probe kill the daemon. */
		json_decref(ask_json(rig, "GET", "/livez", "200"));
		json_decref(ask_json(rig, "GET", "/healthz", cases[i].healthz));
		json_decref(ask_json(rig, "GET", "/readyz", cases[i].readyz));
	}
}

static void test_explain_a_claimed_workload_tells_rule_claim_and_original(void **state)
{
	struct rig *rig = *state;
	json_t *answer, *workload, *knob, *claim;

	claim_idle(rig, world_add(rig->world, "batch/a"), "batch/a");
	answer = ask_json(rig, "GET", "/v1/explain?workload=batch%2Fa", "200");
	workload = json_object_get(answer, "workload");
	assert_string_equal(text_of(workload, "qos"), "batch");
	assert_string_equal(text_of(workload, "origin"), "rule");
	assert_non_null(strstr(text_of(workload, "origin_detail"), "berth.yaml:2"));
	assert_string_equal(text_of(workload, "source"), "test");
	knob = item_of(answer, "knobs", 0);
	assert_string_equal(text_of(knob, "file"), "cpu.idle");
	assert_string_equal(text_of(knob, "original"), "0");
	assert_string_equal(text_of(knob, "written"), "1");
	assert_string_equal(text_of(knob, "status"), "written");
	claim = item_of(knob, "claims", 0);
	assert_string_equal(text_of(claim, "owner"), "tester");
	assert_string_equal(text_of(claim, "value"), "1");
	assert_string_equal(text_of(claim, "reason"), "because the test says so");
	assert_true(json_is_true(json_object_get(claim, "effective")));
	json_decref(answer);
}

static void test_explain_a_container_tells_its_pod_and_where_that_is_from(void **state)
{
	struct rig *rig = *state;
	struct label phase = { (char[]){ "phase" }, (char[]){ "Running" } };
	struct label level = { (char[]){ "berth/qos" }, (char[]){ "critical" } };
	const struct workload_record pod = {
		.kind = "pod",
		.namespace = "ns",
		.name = "web",
		.cgroup = "batch/a",
		.annotations = &level,
		.annotation_count = 1,
		.uid = "81091155-cf2d-465d-b40b-1ee79f213f62",
		.alias = "db",
		.via = "last known good",
		.stale = true,
		.facts = &phase,
		.fact_count = 1,
	};
	const struct workload_record container = {
		.kind = "container",
		.namespace = "ns",
		.name = "web/app",
		.cgroup = "batch/a/c",
		.parent_cgroup = "batch/a",
		.inherits = true,
	};
	json_t *answer, *workload;

	world_group(rig->world, "batch/a/c");
	assert_ok(registry_put(&rig->world->registry, "kubernetes", 0, &pod));
	assert_ok(registry_put(&rig->world->registry, "kubernetes", 0, &container));
	answer = ask_json(rig, "GET", "/v1/explain?workload=db", "200");
	workload = json_object_get(answer, "workload");
	assert_string_equal(text_of(workload, "uid"), pod.uid);
	assert_string_equal(text_of(workload, "alias"), "db");
	assert_string_equal(text_of(workload, "via"), "last known good");
	assert_true(json_is_true(json_object_get(workload, "stale")));
	assert_null(json_object_get(workload, "leader"));
	assert_string_equal(text_of(json_object_get(workload, "facts"), "phase"), "Running");
	json_decref(answer);
	answer = ask_json(rig, "GET", "/v1/explain?workload=ns%2Fweb%2Fapp", "200");
	workload = json_object_get(answer, "workload");
	assert_string_equal(text_of(workload, "qos"), "critical");
	assert_string_equal(text_of(workload, "origin"), "pod");
	assert_string_equal(text_of(workload, "origin_detail"),
			    "pod ns/web: annotation berth/qos=critical");
	assert_true(json_is_false(json_object_get(workload, "stale")));
	assert_int_equal(json_object_size(json_object_get(workload, "facts")), 0);
	json_decref(answer);
}

static void test_explain_a_name_that_names_none_or_two_is_refused(void **state)
{
	struct rig *rig = *state;
	json_t *answer;

	world_group(rig->world, "online/a");
	(void)world_add(rig->world, "batch/a");
	(void)world_add(rig->world, "online/a");
	answer = ask_json(rig, "GET", "/v1/explain?workload=a", "409");
	assert_non_null(strstr(text_of(answer, "error"), "2 workloads"));
	json_decref(answer);
	answer = ask_json(rig, "GET", "/v1/explain?workload=nothing", "404");
	assert_string_equal(text_of(answer, "error"), "no workload 'nothing': `berthctl workloads` "
						      "lists those that berthd knows");
	json_decref(answer);
	/* A part of its name or path. */
	answer = ask_json(rig, "GET", "/v1/explain?workload=line", "404");
	assert_string_equal(text_of(answer, "error"), "no workload 'line'; there is 'a': "
						      "`berthctl workloads` lists all");
	json_decref(answer);
	json_decref(ask_json(rig, "GET", "/v1/knobs?workload=nothing", "404"));
	json_decref(ask_json(rig, "GET", "/v1/explain", "400"));
}

static void test_workloads_a_name_that_is_not_utf8_takes_no_table_away(void **state)
{
	struct rig *rig = *state;
	json_t *answer;

	world_group(rig->world, "odd\xff\x80");
	(void)world_add(rig->world, "odd\xff\x80");
	(void)world_add(rig->world, "online");
	answer = ask_json(rig, "GET", "/v1/workloads", "200");
	assert_string_equal(text_of(item_of(answer, "workloads", 0), "name"), "odd\\xff\\x80");
	assert_string_equal(text_of(item_of(answer, "workloads", 1), "name"), "online");
	json_decref(answer);
}

/* A bug once: the number of the entry was taken for that of the workload. */
static void test_explain_history_and_top_events_are_of_the_workload(void **state)
{
	struct rig *rig = *state;
	json_t *answer, *item, *events;

	claim_idle(rig, world_add(rig->world, "online"), "online");
	claim_idle(rig, world_add(rig->world, "batch/a"), "batch/a");
	actuator_unclaim(rig->world->actuator, "tester",
			 (struct berth_target){
				 TARGET_WORKLOAD,
				 registry_find_path(&rig->world->registry, "batch/a")->view.id },
			 KNOB_CPU_IDLE);
	world_settle(rig->world);
	answer = ask_json(rig, "GET", "/v1/explain?workload=batch%2Fa", "200");
	assert_int_equal(json_array_size(json_object_get(answer, "history")), 1);
	assert_string_equal(text_of(item_of(answer, "history", 0), "what"), "restore cpu.idle");
	json_decref(answer);
	answer = ask_json(rig, "GET", "/v1/explain?workload=online", "200");
	assert_int_equal(json_array_size(json_object_get(answer, "history")), 0);
	json_decref(answer);
	answer = ask_json(rig, "GET", "/v1/top", "200");
	for (size_t i = 0; i < 2; i++) {
		item = item_of(answer, "workloads", i);
		events = json_object_get(item, "events");
		if (strcmp(text_of(item, "name"), "online") == 0) {
			assert_null(events);
			continue;
		}
		assert_int_equal(json_integer_value(json_object_get(events, "count")), 1);
		assert_string_equal(text_of(events, "last"), "restore cpu.idle 0: restored");
	}
	json_decref(answer);
}

static void test_explain_first_look_says_so_and_has_the_sample(void **state)
{
	struct rig *rig = *state;
	json_t *answer, *sample;

	(void)world_add(rig->world, "batch/a");
	answer = ask_json(rig, "GET", "/v1/explain?workload=batch%2Fa", "200");
	sample = json_object_get(answer, "sample");
	assert_true(json_is_false(json_object_get(sample, "averaged")));
	assert_int_equal(json_integer_value(json_object_get(sample, "memory_bytes")), 4096);
	/* What this host does not tell has no key. */
	assert_null(json_object_get(sample, "memory_event_oom_kill"));
	json_decref(answer);
	answer = ask_json(rig, "GET", "/v1/explain?workload=batch%2Fa", "200");
	sample = json_object_get(answer, "sample");
	assert_true(json_is_true(json_object_get(sample, "averaged")));
	json_decref(answer);
}

static void test_top_samples_and_what_was_written(void **state)
{
	struct rig *rig = *state;
	json_t *answer, *item;

	claim_idle(rig, world_add(rig->world, "batch/a"), "batch/a");
	answer = ask_json(rig, "GET", "/v1/top", "200");
	item = item_of(answer, "workloads", 0);
	assert_int_equal(json_integer_value(json_object_get(item, "cpu_usage_usec")), 1000);
	assert_int_equal(json_integer_value(json_object_get(item, "memory_bytes")), 4096);
	assert_string_equal(json_string_value(item_of(item, "written", 0)), "cpu.idle=1");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(answer, "node"),
							    "memory_total_bytes")),
			 1024 * 1024);
	json_decref(answer);
}

static void test_restore_pauses_until_resumed(void **state)
{
	struct rig *rig = *state;
	json_t *answer;

	if (geteuid() != 0)
		skip();
	claim_idle(rig, world_add(rig->world, "batch/a"), "batch/a");
	assert_knob(rig->world, "batch/a", "cpu.idle", "1");
	answer = ask_json(rig, "POST", "/v1/restore?pause=true", "200");
	assert_int_equal(json_integer_value(json_object_get(answer, "failed")), 0);
	assert_true(json_is_true(json_object_get(answer, "paused")));
	json_decref(answer);
	world_settle(rig->world);
	assert_knob(rig->world, "batch/a", "cpu.idle", "0");

	answer = ask_json(rig, "POST", "/v1/resume", "200");
	assert_true(json_is_true(json_object_get(answer, "was_paused")));
	json_decref(answer);
	world_settle(rig->world);
	assert_knob(rig->world, "batch/a", "cpu.idle", "1");
	json_decref(ask_json(rig, "POST", "/v1/restore?pause=maybe", "400"));
}

static void test_reload_a_bad_policy_is_told_with_its_errors(void **state)
{
	struct rig *rig = *state;
	json_t *answer;

	if (geteuid() != 0)
		skip();
	json_decref(ask_json(rig, "POST", "/v1/reload", "200"));
	rig->reload_result = -EINVAL;
	answer = ask_json(rig, "POST", "/v1/reload", "422");
	assert_string_equal(text_of(item_of(answer, "errors", 0), "key"), "dry_run");
	json_decref(answer);
	assert_non_null(strstr(ask(rig, "GET", "/metrics", "200"), "\nberth_config_valid 0\n"));
	rig->reload_result = -ENOMEM;
	json_decref(ask_json(rig, "POST", "/v1/reload", "500"));
}

static void test_plan_reads_the_policy_on_disk(void **state)
{
	struct rig *rig = *state;
	json_t *answer;

	if (geteuid() != 0)
		skip();
	(void)world_add(rig->world, "batch/a");
	answer = ask_json(rig, "POST", "/v1/plan", "200");
	assert_true(json_is_array(json_object_get(answer, "changes")));
	json_decref(answer);
	world_write(rig->world, "berth.yaml", "rules:\n  - {qos: fast}\n");
	answer = ask_json(rig, "POST", "/v1/plan", "422");
	assert_int_equal(json_integer_value(json_object_get(item_of(answer, "errors", 0), "line")),
			 2);
	json_decref(answer);
}

static void test_metrics_every_family_and_the_levels_of_now(void **state)
{
	struct rig *rig = *state;
	const struct self_metric *metric;
	const char *page;
	uint64_t id;

	id = world_add(rig->world, "batch/a");
	claim_idle(rig, id, "batch/a");
	(void)world_add(rig->world, "online");
	page = ask(rig, "GET", "/metrics", "200");
	assert_non_null(strstr(page, "\nberth_workload_knob{knob=\"cpu.idle\",kind=\"cgroup\","
				     "name=\"a\",qos=\"batch\"} 1\n"));
	assert_null(strstr(page, "kind=\"cgroup\",name=\"online\""));
	assert_non_null(strstr(page, "\nberth_workloads{kind=\"cgroup\",qos=\"batch\"} 1\n"));
	assert_non_null(strstr(page, "\nberth_workloads{kind=\"cgroup\",qos=\"normal\"} 1\n"));
	assert_non_null(strstr(page, "\nberth_source_up{source=\"fake\"} 1\n"));
	assert_non_null(strstr(page, "\nberth_config_valid 1\n"));
	assert_non_null(strstr(page, "berth_kernel_feature{name=\"cpu.idle\"} 1\n"));

	/* What is there is not made again; what changed is. */
	page = ask(rig, "GET", "/metrics", "200");
	assert_non_null(strstr(page, "name=\"a\",qos=\"batch\"} 1\n"));
	actuator_unclaim(rig->world->actuator, "tester",
			 (struct berth_target){ TARGET_WORKLOAD, id }, KNOB_CPU_IDLE);
	world_settle(rig->world);
	assert_null(strstr(ask(rig, "GET", "/metrics", "200"), "berth_workload_knob{"));
	claim_idle(rig, id, "batch/a");
	assert_non_null(
		strstr(ask(rig, "GET", "/metrics", "200"), "name=\"a\",qos=\"batch\"} 1\n"));

	/* A level that is left and a source that is off have no series any more. */
	rig->source.state = SOURCE_OFF;
	world_apply(rig->world, "default_qos: high\n");
	page = ask(rig, "GET", "/metrics", "200");
	assert_null(strstr(page, "qos=\"batch\""));
	assert_null(strstr(page, "berth_source_up{"));
	assert_non_null(strstr(page, "\nberth_workload_knob{knob=\"cpu.idle\",kind=\"cgroup\","
				     "name=\"a\",qos=\"high\"} 1\n"));
	assert_non_null(strstr(page, "\nberth_workloads{kind=\"cgroup\",qos=\"high\"} 2\n"));
	for (size_t i = 0; (metric = self_metric_at(i)); i++)
		if (!*metric->labels && !strstr(metric->name, "_process_") &&
		    !strstr(metric->name, "_web_certificate_") && !strstr(page, metric->name))
			fail_msg("%s is not on the page", metric->name);
}

#define RIG_TEST(test) cmocka_unit_test_setup_teardown(test, rig_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_routes_changes_are_privileged_and_not_on_tcp),
		RIG_TEST(test_status_a_quiet_host_is_healthy_and_counted),
		RIG_TEST(test_health_each_source_state_answers_as_documented),
		RIG_TEST(test_explain_a_claimed_workload_tells_rule_claim_and_original),
		RIG_TEST(test_explain_a_container_tells_its_pod_and_where_that_is_from),
		RIG_TEST(test_explain_a_name_that_names_none_or_two_is_refused),
		RIG_TEST(test_workloads_a_name_that_is_not_utf8_takes_no_table_away),
		RIG_TEST(test_explain_history_and_top_events_are_of_the_workload),
		RIG_TEST(test_explain_first_look_says_so_and_has_the_sample),
		RIG_TEST(test_top_samples_and_what_was_written),
		RIG_TEST(test_restore_pauses_until_resumed),
		RIG_TEST(test_reload_a_bad_policy_is_told_with_its_errors),
		RIG_TEST(test_plan_reads_the_policy_on_disk),
		RIG_TEST(test_metrics_every_family_and_the_levels_of_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
