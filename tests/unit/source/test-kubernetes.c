/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "berth-test.h"
#include "kube/events.h"
#include "kube/http-script.h"
#include "source/pods/pods.h"
#include "source/source.h"
#include "workload/tree.h"

#define PATIENCE_MSEC 20000

#define UID       "54e0ce23-4bb5-4564-a65b-60c2fd6c6247"
#define OTHER_UID "64e0ce23-4bb5-4564-a65b-60c2fd6c6247"
#define POD(uid, name, annotations)                                                  \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"" uid \
	"\",\"resourceVersion\":\"7\",\"annotations\":{" annotations "}},\"spec\":{" \
	"\"nodeName\":\"node1\",\"containers\":[{\"name\":\"main\"}]},\"status\":{"  \
	"\"phase\":\"Running\"}}"
#define WEB POD(UID, "web", "\"berth/qos\":\"high\"")
#define JOB POD(OTHER_UID, "job", "")
#define LIST(items) \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[" items "]}"

static const struct script_step one_pod[] = {
	{ "200 OK", NULL, LIST(WEB), END_LENGTH },
	{ "200 OK", NULL, "", END_HOLD },
	{ 0 },
};

static char empty[] = "", node[] = "NODE1";

struct rig {
	sd_event *event;
	struct tree *tree;
	struct pods *pods;
	struct kube_events *events;
	struct source_context context;
	struct source *source;
	struct script *scripts[2];
	char server[64], path[96];
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	/* A test that runs in a pod is not about that pod's API. */
	(void)unsetenv("KUBERNETES_SERVICE_HOST");
	rig->tree = tree_new(1);
	rig->tree->settings.node_name = node;
	rig->tree->settings.kubernetes_kubeconfig = rig->tree->settings.kubernetes_server = empty;
	rig->tree->settings.kubernetes_token_file = rig->tree->settings.kubernetes_ca_file = empty;
	rig->tree->settings.kubernetes_events = 1;
	assert_ok(sd_event_new(&rig->event));
	assert_ok(pods_new(rig->event, &rig->tree->registry, NULL, &rig->pods));
	assert_ok(kube_events_new(rig->event, "node1", &rig->events));
	rig->context = (struct source_context){
		.event = rig->event,
		.hierarchy = &rig->tree->hierarchy,
		.registry = &rig->tree->registry,
		.pods = rig->pods,
		.events = rig->events,
	};
	assert_ok(source_kubernetes.new(&rig->context, &rig->source));
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	(void)source_kubernetes.free(rig->source);
	for (size_t i = 0; i < ARRAY_SIZE(rig->scripts); i++)
		script_stop(rig->scripts[i]);
	(void)kube_events_free(rig->events);
	(void)pods_free(rig->pods);
	(void)sd_event_unref(rig->event);
	tree_free(rig->tree);
	free(rig);
	return 0;
}

static void apply(struct rig *rig)
{
	assert_ok(source_kubernetes.apply(rig->source, &rig->tree->settings));
}

/* The policy names the server of that script; not applied yet. */
static void serve(struct rig *rig, unsigned int index, const struct script_step *steps)
{
	rig->scripts[index] = script_start(steps);
	(void)snprintf(rig->server, sizeof(rig->server), "http://127.0.0.1:%u",
		       rig->scripts[index]->port);
	rig->tree->settings.kubernetes_server = rig->server;
}

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turn the loop until the condition holds. */
#define run_until(rig, condition)                                                            \
	do {                                                                                 \
		uint64_t end = now_msec() + PATIENCE_MSEC;                                   \
		while (!(condition) && now_msec() < end)                                     \
			assert_ok(sd_event_run((rig)->event, 100 * USEC_PER_MSEC));          \
		if (!(condition))                                                            \
			fail_msg("%s does not come: %s", #condition, (rig)->source->detail); \
	} while (0)

static void assert_detail(const struct rig *rig, enum source_state state, const char *text)
{
	if (rig->source->state != state || !strstr(rig->source->detail, text))
		fail_msg("%s, expected %s: '%s', expected '%s'",
			 source_state_name(rig->source->state), source_state_name(state),
			 rig->source->detail, text);
}

static void test_kubernetes_off_says_why(void **state)
{
	static const struct {
		enum auto_switch enabled;
		enum kubernetes_via via;
		const char *detail;
	} cases[] = {
		{ SWITCH_FALSE, VIA_APISERVER, "sources.kubernetes.enabled is false" },
		{ SWITCH_AUTO, VIA_APISERVER, "no service account, kubeconfig or server" },
		{ SWITCH_AUTO, VIA_KUBELET, "no service account, kubeconfig or server" },
		{ SWITCH_TRUE, VIA_CGROUP, "the cgroup tree alone" },
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		rig->tree->settings.kubernetes_enabled = cases[i].enabled;
		rig->tree->settings.kubernetes_via = cases[i].via;
		apply(rig);
		assert_detail(rig, SOURCE_OFF, cases[i].detail);
	}
}

static void test_kubernetes_true_without_anything_says_what_to_set(void **state)
{
	struct rig *rig = *state;

	rig->tree->settings.kubernetes_enabled = SWITCH_TRUE;
	apply(rig);
	assert_detail(rig, SOURCE_DOWN, "sources.kubernetes.kubeconfig");
	assert_int_equal(rig->source->errors, 1);
}

static void test_kubernetes_apiserver_makes_workloads(void **state)
{
	struct rig *rig = *state;
	struct workload *workload;
	char text[128];

	tree_mkdir(rig->tree, 0, "kubepods");
	tree_mkdir(rig->tree, 0, "kubepods/pod" UID);
	assert_true(pods_group(rig->pods, "kubepods/pod" UID));
	serve(rig, 0, one_pod);
	apply(rig);
	assert_detail(rig, SOURCE_STARTING, "apiserver http://127.0.0.1:");
	run_until(rig, rig->source->state == SOURCE_READY);
	(void)snprintf(text, sizeof(text), "apiserver %s: 1 pods, watching", rig->server);
	assert_string_equal(rig->source->detail, text);
	assert_int_equal(rig->source->workloads, 1);
	assert_int_equal(rig->source->events, 1);
	/* The kubelet makes its host's name lower case. */
	assert_non_null(strstr(script_request(rig->scripts[0], 0), "nodeName%3Dnode1&"));
	workload = registry_find_path(&rig->tree->registry, "kubepods/pod" UID);
	assert_non_null(workload);
	assert_string_equal(workload->view.name, "web");
	assert_int_equal(workload->view.qos, 1);
}

static void test_kubernetes_count_follows_the_watch(void **state)
{
	static const struct script_step steps[] = {
		{ "200 OK", NULL, LIST(WEB), END_LENGTH },
		{ "200 OK", NULL, "{\"type\":\"ADDED\",\"object\":" JOB "}\n", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	serve(rig, 0, steps);
	apply(rig);
	run_until(rig, strstr(rig->source->detail, ": 2 pods, watching"));
	assert_int_equal(rig->source->workloads, 2);
	assert_int_equal(rig->source->events, 2);
}

static void test_kubernetes_reload_keeps_what_did_not_change(void **state)
{
	struct rig *rig = *state;
	char first[64];

	serve(rig, 0, one_pod);
	apply(rig);
	run_until(rig, rig->scripts[0]->asked == 2);
	(void)snprintf(first, sizeof(first), "%s", rig->server);
	rig->tree->settings.default_qos = 1;
	rig->tree->settings.kubernetes_server = first; /* another text of the same */
	apply(rig);
	assert_detail(rig, SOURCE_READY, "1 pods, watching");
	serve(rig, 1, one_pod);
	apply(rig);
	assert_detail(rig, SOURCE_STARTING, rig->server);
	run_until(rig, rig->scripts[1]->asked == 2 && rig->source->state == SOURCE_READY);
	assert_int_equal(rig->scripts[0]->asked, 2);
}

static void test_kubernetes_switched_off_forgets(void **state)
{
	struct rig *rig = *state;
	struct workload *workload;

	tree_mkdir(rig->tree, 0, "kubepods");
	tree_mkdir(rig->tree, 0, "kubepods/pod" UID);
	assert_true(pods_group(rig->pods, "kubepods/pod" UID));
	serve(rig, 0, one_pod);
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	rig->tree->settings.kubernetes_enabled = SWITCH_FALSE;
	apply(rig);
	assert_detail(rig, SOURCE_OFF, "sources.kubernetes.enabled is false");
	assert_int_equal(rig->source->workloads, 0);
	workload = registry_find_path(&rig->tree->registry, "kubepods/pod" UID);
	assert_non_null(workload);
	assert_int_equal(workload->view.qos, 0);
}

static void test_kubernetes_nobody_names_an_api_keeps_what_is_known(void **state)
{
	char none[] = "";
	struct rig *rig = *state;
	struct pods_stats stats;

	serve(rig, 0, one_pod);
	rig->tree->settings.kubernetes_enabled = SWITCH_AUTO;
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	/* A kubeconfig that is mounted late, or not yet again. */
	rig->tree->settings.kubernetes_server = none;
	apply(rig);
	assert_int_equal(rig->source->state, SOURCE_OFF);
	pods_stats(rig->pods, &stats);
	assert_int_equal(stats.known, 1);
}

static void test_kubernetes_failure_keeps_what_is_known(void **state)
{
	static const struct script_step steps[] = {
		{ "200 OK", NULL, LIST(WEB), END_LENGTH },
		{ "403 Forbidden", NULL,
		  "{\"kind\":\"Status\",\"message\":\"pods is forbidden: cannot watch\"}",
		  END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;
	FILE *file;

	serve(rig, 0, steps);
	(void)snprintf(rig->path, sizeof(rig->path), "%s/token", rig->tree->path);
	file = fopen(rig->path, "we");
	assert_non_null(file);
	(void)fprintf(file, "abc");
	assert_int_equal(fclose(file), 0);
	rig->tree->settings.kubernetes_token_file = rig->path;
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_DOWN);
	assert_detail(rig, SOURCE_DOWN, "pods is forbidden: cannot watch");
	assert_detail(rig, SOURCE_DOWN, "get, list and watch on pods");
	assert_detail(rig, SOURCE_DOWN, "1 pods known");
	assert_int_equal(rig->source->workloads, 1);
	assert_true(rig->source->errors >= 1);
}

/* Where even system:anonymous is told about RBAC. */
static void test_kubernetes_without_credentials_says_so(void **state)
{
	static const struct script_step steps[] = {
		{ "403 Forbidden", NULL,
		  "{\"kind\":\"Status\",\"message\":\"User \\\"system:anonymous\\\"\"}",
		  END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;

	serve(rig, 0, steps);
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_DOWN);
	assert_detail(rig, SOURCE_DOWN,
		      "403: nothing says who we are: the policy gives neither a token nor a client "
		      "certificate");
}

static void write_kubeconfig(const struct rig *rig)
{
	FILE *file = fopen(rig->path, "we");

	assert_non_null(file);
	(void)fprintf(file,
		      "apiVersion: v1\nkind: Config\ncurrent-context: c\n"
		      "clusters: [{name: k, cluster: {server: \"%s\"}}]\n"
		      "users: [{name: u, user: {token: abc}}]\n"
		      "contexts: [{name: c, context: {cluster: k, user: u}}]\n",
		      rig->server);
	assert_int_equal(fclose(file), 0);
}

static void test_kubernetes_kubeconfig_may_come_later(void **state)
{
	struct rig *rig = *state;

	serve(rig, 0, one_pod);
	rig->tree->settings.kubernetes_server = empty;
	(void)snprintf(rig->path, sizeof(rig->path), "%s/kubeconfig", rig->tree->path);
	rig->tree->settings.kubernetes_kubeconfig = rig->path;
	apply(rig);
	assert_detail(rig, SOURCE_DOWN, rig->path);
	write_kubeconfig(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	assert_non_null(strstr(script_request(rig->scripts[0], 0), "Bearer abc"));
}

/* Somebody mends it, and waits. */
static void test_kubernetes_kubeconfig_written_anew_is_read(void **state)
{
	static const struct script_step steps[] = {
		{ "401 Unauthorized", NULL, "{}", END_LENGTH },
		{ "401 Unauthorized", NULL, "{}", END_LENGTH },
		{ "401 Unauthorized", NULL, "{}", END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;

	serve(rig, 0, steps);
	rig->tree->settings.kubernetes_server = empty;
	(void)snprintf(rig->path, sizeof(rig->path), "%s/kubeconfig", rig->tree->path);
	write_kubeconfig(rig);
	rig->tree->settings.kubernetes_kubeconfig = rig->path;
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_DOWN);
	assert_detail(rig, SOURCE_DOWN, "401 Unauthorized");
	serve(rig, 1, one_pod);
	rig->tree->settings.kubernetes_server = empty;
	write_kubeconfig(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	assert_detail(rig, SOURCE_READY, rig->server);
	/* One that is well is looked at only where somebody asks for it. */
	run_until(rig, rig->scripts[1]->asked == 2);
	apply(rig);
	assert_detail(rig, SOURCE_READY, "1 pods");
	write_kubeconfig(rig);
	apply(rig);
	assert_detail(rig, SOURCE_STARTING, rig->server);
}

static void test_kubernetes_kubelet_is_asked_when_the_tree_changes(void **state)
{
	static const struct script_step steps[] = {
		{ "200 OK", NULL, LIST(""), END_LENGTH },
		{ "200 OK", NULL, LIST(WEB), END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;
	struct workload *workload;

	serve(rig, 0, steps);
	rig->tree->settings.kubernetes_via = VIA_KUBELET;
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	assert_detail(rig, SOURCE_READY, "kubelet http://127.0.0.1:");
	assert_detail(rig, SOURCE_READY, "0 pods");
	assert_non_null(strstr(script_request(rig->scripts[0], 0), "GET /pods "));
	tree_mkdir(rig->tree, 0, "kubepods");
	tree_mkdir(rig->tree, 0, "kubepods/pod" UID);
	assert_true(pods_group(rig->pods, "kubepods/pod" UID));
	run_until(rig, rig->source->workloads == 1);
	workload = registry_find_path(&rig->tree->registry, "kubepods/pod" UID);
	assert_non_null(workload);
	assert_int_equal(workload->view.qos, 1);
}

static void test_kubernetes_kubelet_without_a_server_is_on_this_node(void **state)
{
	struct rig *rig = *state;

	rig->tree->settings.kubernetes_enabled = SWITCH_TRUE;
	rig->tree->settings.kubernetes_via = VIA_KUBELET;
	apply(rig);
	assert_detail(rig, SOURCE_STARTING, "https://node1:10250");
	/* A kubeconfig tells who we are; where it leads is the apiserver. */
	serve(rig, 0, one_pod);
	rig->tree->settings.kubernetes_server = empty;
	(void)snprintf(rig->path, sizeof(rig->path), "%s/kubeconfig", rig->tree->path);
	write_kubeconfig(rig);
	rig->tree->settings.kubernetes_kubeconfig = rig->path;
	apply(rig);
	assert_detail(rig, SOURCE_STARTING, "https://node1:10250: by kubeconfig");
}

static void report(struct rig *rig)
{
	struct kube_event event = { "shop", "web", UID, "Warning", "QosConflict", "two disagree" };

	kube_events_report(rig->events, &event);
}

static void test_kubernetes_events_go_where_the_policy_says(void **state)
{
	struct rig *rig = *state;

	serve(rig, 0, one_pod);
	apply(rig);
	run_until(rig, rig->source->state == SOURCE_READY);
	report(rig);
	assert_int_equal(kube_events_stats(rig->events)->dropped, 0);
	rig->tree->settings.kubernetes_events = 0;
	apply(rig);
	assert_detail(rig, SOURCE_READY, "1 pods");
	/* What waited, and what comes. */
	assert_int_equal(kube_events_stats(rig->events)->dropped, 1);
	report(rig);
	assert_int_equal(kube_events_stats(rig->events)->dropped, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_kubernetes_off_says_why),
		T(test_kubernetes_true_without_anything_says_what_to_set),
		T(test_kubernetes_apiserver_makes_workloads),
		T(test_kubernetes_count_follows_the_watch),
		T(test_kubernetes_reload_keeps_what_did_not_change),
		T(test_kubernetes_switched_off_forgets),
		T(test_kubernetes_nobody_names_an_api_keeps_what_is_known),
		T(test_kubernetes_failure_keeps_what_is_known),
		T(test_kubernetes_without_credentials_says_so),
		T(test_kubernetes_kubeconfig_may_come_later),
		T(test_kubernetes_kubeconfig_written_anew_is_read),
		T(test_kubernetes_kubelet_is_asked_when_the_tree_changes),
		T(test_kubernetes_kubelet_without_a_server_is_on_this_node),
		T(test_kubernetes_events_go_where_the_policy_says),
#undef T
	};

	return cmocka_run_group_tests_name("kubernetes", tests, NULL, NULL);
}
