/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "berth-test.h"
#include "http-script.h"
#include "kube/evict.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"

#define PATIENCE_USEC (20 * USEC_PER_SEC)

#define STATUS(line, message)                                                               \
	{                                                                                   \
		line, NULL, "{\"kind\":\"Status\",\"message\":\"" message "\"}", END_LENGTH \
	}
#define NO_KIND                                                                         \
	STATUS("400 Bad Request", "no kind \\\"Eviction\\\" is registered for version " \
				  "\\\"policy/v1\\\"")
#define END_OF_SCRIPT                        \
	{                                    \
		NULL, NULL, NULL, END_LENGTH \
	}

struct rig {
	sd_event *event;
	struct http_client *client;
	struct kube_access *access;
	struct kube_evictions *evictions;
	struct script *script;
	unsigned int done;
	int result;
	char outcome[256];
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	assert_ok(sd_event_new(&rig->event));
	assert_ok(http_client_new(rig->event, "berth-test", &rig->client));
	assert_ok(kube_evictions_new(&rig->evictions));
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	(void)kube_evictions_free(rig->evictions);
	script_stop(rig->script);
	(void)kube_access_free(rig->access);
	(void)http_client_free(rig->client);
	(void)sd_event_unref(rig->event);
	free(rig);
	return 0;
}

static void reach(struct rig *rig, unsigned int port)
{
	struct kube_access_options where = { .kubeconfig = "", .token_file = "", .ca_file = "" };
	char server[64], why[256] = "";
	int r;

	(void)snprintf(server, sizeof(server), "http://127.0.0.1:%u", port);
	where.server = server;
	r = kube_access_new(&where, why, sizeof(why), &rig->access);
	if (r < 0)
		fail_msg("%s: %s", strerrorname_np(-r), why);
	kube_evictions_connect(rig->evictions, rig->client, rig->access);
}

static void connect_to(struct rig *rig, const struct script_step *steps)
{
	rig->script = script_start(steps);
	reach(rig, rig->script->port);
}

static void on_done(void *data, int result, const char *outcome)
{
	struct rig *rig = data;

	rig->done++;
	rig->result = result;
	(void)snprintf(rig->outcome, sizeof(rig->outcome), "%s", outcome);
}

static int ask(struct rig *rig, char *why, size_t size)
{
	const struct kube_eviction eviction = {
		.namespace = "shop",
		.pod = "job-1",
		.uid = "4711",
		.done = on_done,
		.data = rig,
	};

	return kube_evict(rig->evictions, &eviction, why, size);
}

static int answer(struct rig *rig)
{
	uint64_t end = monotonic_usec() + PATIENCE_USEC;
	unsigned int done = rig->done;
	char why[256] = "";

	assert_ok(ask(rig, why, sizeof(why)));
	assert_int_equal(rig->done, done);
	while (rig->done == done && monotonic_usec() < end)
		assert_ok(sd_event_run(rig->event, 100 * USEC_PER_MSEC));
	assert_int_equal(rig->done, done + 1);
	return rig->result;
}

static json_t *body(struct rig *rig, unsigned int index)
{
	const char *at = strstr(script_request(rig->script, index), "\r\n\r\n");
	json_t *object = at ? json_loads(at + 4, 0, NULL) : NULL;

	if (!object)
		fail_msg("request %u: %s", index, script_request(rig->script, index));
	return object;
}

static void assert_version(struct rig *rig, unsigned int index, const char *version)
{
	json_t *object = body(rig, index);

	assert_string_equal(json_string_value(json_object_get(object, "apiVersion")), version);
	json_decref(object);
}

static void test_kube_evict_asks_in_the_words_of_the_api(void **state)
{
	static const struct script_step steps[] = {
		STATUS("201 Created", ""),
		END_OF_SCRIPT,
	};
	struct rig *rig = *state;
	const char *name, *namespace, *uid, *kind, *version;
	json_t *object;

	connect_to(rig, steps);
	assert_ok(answer(rig));
	assert_string_equal(rig->outcome, "evicted through the API");
	assert_ptr_equal(strstr(script_request(rig->script, 0),
				"POST /api/v1/namespaces/shop/pods/job-1/eviction HTTP/1.1\r\n"),
			 script_request(rig->script, 0));
	object = body(rig, 0);
	assert_int_equal(json_unpack(object, "{ss ss s{ss ss} s{s{ss}}}", "apiVersion", &version,
				     "kind", &kind, "metadata", "name", &name, "namespace",
				     &namespace, "deleteOptions", "preconditions", "uid", &uid),
			 0);
	assert_string_equal(version, "policy/v1");
	assert_string_equal(kind, "Eviction");
	assert_string_equal(name, "job-1");
	assert_string_equal(namespace, "shop");
	assert_string_equal(uid, "4711");
	json_decref(object);
}

static void test_kube_evict_falls_back_to_v1beta1_and_remembers(void **state)
{
	static const struct script_step steps[] = {
		NO_KIND,
		STATUS("201 Created", ""),
		STATUS("201 Created", ""),
		/* It was upgraded past v1beta1. */
		STATUS("400 Bad Request", "no such version"),
		STATUS("201 Created", ""),
		/* Neither: an answer, and no third request. */
		STATUS("400 Bad Request", "neither"),
		STATUS("400 Bad Request", "nor"),
		END_OF_SCRIPT,
	};
	struct rig *rig = *state;

	connect_to(rig, steps);
	assert_ok(answer(rig));
	assert_version(rig, 0, "policy/v1");
	assert_version(rig, 1, "policy/v1beta1");
	assert_ok(answer(rig));
	assert_version(rig, 2, "policy/v1beta1");
	assert_ok(answer(rig));
	assert_version(rig, 4, "policy/v1");
	assert_errno(answer(rig), EIO);
	assert_string_equal(rig->outcome, "400: nor");
}

static void test_kube_evict_tells_refusals_apart(void **state)
{
	static const struct script_step steps[] = {
		STATUS("429 Too Many Requests",
		       "Cannot evict pod as it would violate the pod's disruption budget."),
		{ "429 Too Many Requests", "Content-Type: text/plain\r\nRetry-After: 1\r\n",
		  "Too many requests, please try again later.", END_LENGTH },
		STATUS("403 Forbidden", "may not"),
		STATUS("401 Unauthorized", "who"),
		STATUS("404 Not Found", "pods not found"),
		STATUS("409 Conflict", "the UID in the precondition does not match"),
		STATUS("500 Internal Server Error", "more than one PodDisruptionBudget"),
		STATUS("503 Service Unavailable", "etcd"),
		END_OF_SCRIPT,
	};
	static const int expected[] = { EBUSY, EIO, EACCES, EACCES, ENOENT, ESTALE, EIO, EIO };
	struct rig *rig = *state;

	connect_to(rig, steps);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_errno(answer(rig), expected[i]);
		if (i == 0)
			assert_non_null(strstr(rig->outcome, "429: Cannot evict pod"));
	}
}

static void test_kube_evict_without_a_server_is_ehostdown(void **state)
{
	struct rig *rig = *state;
	char why[256] = "";

	assert_errno(ask(rig, why, sizeof(why)), EHOSTDOWN);
	assert_non_null(strstr(why, "no apiserver"));
	reach(rig, 1); /* nobody listens on tcpmux */
	assert_errno(answer(rig), EHOSTDOWN);
	assert_non_null(strstr(rig->outcome, "no answer"));
}

static void test_kube_evict_too_many_and_ends(void **state)
{
	static const struct script_step steps[] = {
		{ "200 OK", NULL, "", END_HOLD },
		END_OF_SCRIPT,
	};
	struct rig *rig = *state;
	char why[256] = "";

	connect_to(rig, steps);
	for (unsigned int i = 0; i < LIMIT_KUBE_EVICTIONS; i++)
		assert_ok(ask(rig, why, sizeof(why)));
	assert_errno(ask(rig, why, sizeof(why)), ENOSPC);
	/* The source lets go of its server. */
	kube_evictions_connect(rig->evictions, NULL, NULL);
	assert_int_equal(rig->done, LIMIT_KUBE_EVICTIONS);
	assert_errno(rig->result, ECANCELED);
	kube_evictions_connect(rig->evictions, rig->client, rig->access);
	assert_ok(ask(rig, why, sizeof(why)));
	assert_ok(ask(rig, why, sizeof(why)));
	kube_evict_forget(rig->evictions, rig);
	kube_evictions_connect(rig->evictions, NULL, NULL);
	assert_int_equal(rig->done, LIMIT_KUBE_EVICTIONS); /* unheard */
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_kube_evict_asks_in_the_words_of_the_api),
		TEST(test_kube_evict_falls_back_to_v1beta1_and_remembers),
		TEST(test_kube_evict_tells_refusals_apart),
		TEST(test_kube_evict_without_a_server_is_ehostdown),
		TEST(test_kube_evict_too_many_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
