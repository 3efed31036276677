/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <time.h>

#include "berth-test.h"
#include "http-script.h"
#include "kube/events-internal.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"

#define PATIENCE_SEC   20
#define BACKOFF_USEC   (2 * USEC_PER_MSEC)
#define AGGREGATE_USEC (600 * USEC_PER_SEC)

#define CREATED                                                         \
	{                                                               \
		"201 Created", NULL, "{\"kind\":\"Event\"}", END_LENGTH \
	}

struct rig {
	sd_event *event;
	struct http_client *client;
	struct kube_access *access;
	struct kube_events *events;
	struct script *script;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	assert_ok(sd_event_new(&rig->event));
	assert_ok(http_client_new(rig->event, "berth-test", &rig->client));
	assert_ok(kube_events_new(rig->event, "node1", &rig->events));
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	(void)kube_events_free(rig->events);
	script_stop(rig->script);
	(void)kube_access_free(rig->access);
	(void)http_client_free(rig->client);
	(void)sd_event_unref(rig->event);
	free(rig);
	return 0;
}

static void connect_to(struct rig *rig, const struct script_step *steps, uint64_t aggregate_usec)
{
	struct kube_access_options where = { .kubeconfig = "", .token_file = "", .ca_file = "" };
	char server[64], why[256] = "";
	int r;

	rig->script = script_start(steps);
	(void)snprintf(server, sizeof(server), "http://127.0.0.1:%u", rig->script->port);
	where.server = server;
	r = kube_access_new(&where, why, sizeof(why), &rig->access);
	if (r < 0)
		fail_msg("%s: %s", strerrorname_np(-r), why);
	kube_events_set_times(rig->events, aggregate_usec, BACKOFF_USEC);
	kube_events_connect(rig->events, rig->client, rig->access);
}

static void report(struct rig *rig, const char *uid, const char *message)
{
	struct kube_event event = { .namespace = "shop",
				    .pod = "web-0",
				    .uid = uid,
				    .type = "Warning",
				    .reason = "QosConflict",
				    .message = message };

	kube_events_report(rig->events, &event);
}

static time_t seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Turn the loop until the condition holds. */
#define run_until(rig, condition)                                                        \
	do {                                                                             \
		const struct kube_event_stats *stats = kube_events_stats((rig)->events); \
		time_t end = seconds() + PATIENCE_SEC;                                   \
		while (!(condition) && seconds() < end)                                  \
			assert_ok(sd_event_run((rig)->event, 100 * USEC_PER_MSEC));      \
		if (!(condition))                                                        \
			fail_msg("%s does not come", #condition);                        \
	} while (0)

/* The body of that request; json_decref() it. */
static json_t *body(struct rig *rig, unsigned int index)
{
	const char *at = strstr(script_request(rig->script, index), "\r\n\r\n");
	json_t *object = at ? json_loads(at + 4, 0, NULL) : NULL;

	if (!object)
		fail_msg("request %u: %s", index, script_request(rig->script, index));
	return object;
}

static void assert_text(const json_t *object, const char *key, const char *expected)
{
	const char *text = json_string_value(json_object_get(object, key));

	if (!text)
		fail_msg("no text '%s'", key);
	assert_string_equal(text, expected);
}

static void test_events_one_is_sent_in_the_words_of_the_api(void **state)
{
	static const struct script_step steps[] = { CREATED, { 0 } };
	struct rig *rig = *state;
	const json_t *part;
	json_t *object;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "berth/qos says high, \"volcano\" says BE");
	run_until(rig, stats->sent == 1);
	assert_non_null(strstr(script_request(rig->script, 0),
			       "POST /api/v1/namespaces/shop/events HTTP/"));
	assert_non_null(
		strcasestr(script_request(rig->script, 0), "content-type: application/json"));
	object = body(rig, 0);
	assert_text(object, "kind", "Event");
	assert_text(object, "apiVersion", "v1");
	assert_text(object, "reason", "QosConflict");
	assert_text(object, "type", "Warning");
	assert_text(object, "message", "berth/qos says high, \"volcano\" says BE");
	assert_text(object, "reportingComponent", "berthd");
	assert_int_equal(json_integer_value(json_object_get(object, "count")), 1);
	part = json_object_get(object, "metadata");
	assert_text(part, "namespace", "shop");
	assert_memory_equal(json_string_value(json_object_get(part, "name")), "web-0.", 6);
	part = json_object_get(object, "involvedObject");
	assert_text(part, "kind", "Pod");
	assert_text(part, "apiVersion", "v1");
	assert_text(part, "namespace", "shop");
	assert_text(part, "name", "web-0");
	assert_text(part, "uid", "u-1");
	part = json_object_get(object, "source");
	assert_text(part, "component", "berthd");
	assert_text(part, "host", "node1");
	assert_int_equal(strlen(json_string_value(json_object_get(object, "firstTimestamp"))),
			 strlen("2026-11-20T22:00:00Z"));
	json_decref(object);
}

static void test_events_the_same_one_is_counted_and_told_at_the_end(void **state)
{
	static const struct script_step steps[] = { CREATED, CREATED, CREATED, { 0 } };
	struct rig *rig = *state;
	struct incident *incident;
	json_t *object;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "one");
	report(rig, "u-2", "one");
	/* The second is under way: its answer is what sets the timer. */
	run_until(rig, stats->sent == 1 && rig->events->sending);
	report(rig, "u-1", "one");
	report(rig, "u-1", "one");
	assert_int_equal(kube_events_stats(rig->events)->aggregated, 2);
	/* So that the windows end soon, and not before. */
	list_foreach (incident, &rig->events->incidents, member)
		incident->until_usec = monotonic_usec() + 100 * USEC_PER_MSEC;
	run_until(rig, stats->sent == 3);
	object = body(rig, 2);
	assert_int_equal(json_integer_value(json_object_get(object, "count")), 3);
	assert_text(json_object_get(object, "involvedObject"), "uid", "u-1");
	json_decref(object);
	/* Over and told: nothing is left that would wake anybody. */
	run_until(rig, stats->sent == 3 && rig->events->count == 0);
	assert_int_equal(rig->script->asked, 3);
}

static void test_events_another_message_is_another_event(void **state)
{
	static const struct script_step steps[] = { CREATED, CREATED, { 0 } };
	struct rig *rig = *state;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "one");
	report(rig, "u-1", "two");
	run_until(rig, stats->sent == 2);
	assert_int_equal(kube_events_stats(rig->events)->aggregated, 0);
}

static void test_events_rbac_refusal_ends_them_until_connected_anew(void **state)
{
	static const struct script_step steps[] = {
		{ "403 Forbidden", NULL,
		  "{\"kind\":\"Status\",\"message\":\"events is forbidden: User \\\"x\\\" cannot "
		  "create resource \\\"events\\\"\",\"code\":403}",
		  END_LENGTH },
		CREATED,
		{ 0 },
	};
	struct rig *rig = *state;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "one");
	report(rig, "u-2", "one");
	run_until(rig, stats->dropped == 2);
	report(rig, "u-3", "one");
	assert_int_equal(kube_events_stats(rig->events)->dropped, 3);
	assert_int_equal(rig->script->asked, 1);
	kube_events_connect(rig->events, rig->client, rig->access);
	report(rig, "u-1", "one");
	run_until(rig, stats->sent == 1);
}

static void test_events_namespace_that_ends_costs_one_event(void **state)
{
	static const struct script_step steps[] = {
		{ "403 Forbidden", NULL,
		  "{\"kind\":\"Status\",\"message\":\"events \\\"x\\\" is forbidden: unable to "
		  "create "
		  "new content in namespace shop because it is being terminated\",\"code\":403}",
		  END_LENGTH },
		CREATED,
		{ 0 },
	};
	struct rig *rig = *state;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "one");
	report(rig, "u-2", "one");
	run_until(rig, stats->sent == 1);
	assert_int_equal(kube_events_stats(rig->events)->failed, 1);
	assert_int_equal(kube_events_stats(rig->events)->dropped, 0);
}

static void test_events_overloaded_server_gets_it_again(void **state)
{
	static const struct script_step steps[] = {
		{ "500 Internal Server Error", NULL, "no", END_LENGTH },
		{ "401 Unauthorized", NULL, "no", END_LENGTH },
		CREATED,
		{ 0 },
	};
	struct rig *rig = *state;

	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", "one");
	run_until(rig, stats->sent == 1);
	assert_int_equal(rig->script->asked, 3);
	assert_int_equal(kube_events_stats(rig->events)->failed, 0);
}

static void test_events_nowhere_to_send_drops_them(void **state)
{
	struct rig *rig = *state;

	report(rig, "u-1", "one");
	assert_int_equal(kube_events_stats(rig->events)->dropped, 1);
	assert_int_equal(rig->events->count, 0);
}

static void test_events_queue_and_rate_are_limited(void **state)
{
	static const struct script_step steps[] = { { 0 } };
	struct rig *rig = *state;
	char uid[32];

	connect_to(rig, steps, AGGREGATE_USEC);
	for (unsigned int i = 0; i < LIMIT_KUBE_EVENTS + 5; i++) {
		(void)snprintf(uid, sizeof(uid), "u-%u", i);
		report(rig, uid, "one");
	}
	assert_int_equal(kube_events_stats(rig->events)->dropped, 5);
	assert_int_equal(rig->events->count, LIMIT_KUBE_EVENTS);
	/* Disconnected, what waits is lost, and counted. */
	kube_events_connect(rig->events, NULL, NULL);
	assert_int_equal(kube_events_stats(rig->events)->dropped, 5 + LIMIT_KUBE_EVENTS);
}

static void test_events_a_minute_has_so_many(void **state)
{
	static struct script_step steps[KUBE_EVENT_PER_MINUTE + 2];
	struct rig *rig = *state;
	char uid[32];

	for (unsigned int i = 0; i < KUBE_EVENT_PER_MINUTE + 1; i++)
		steps[i] = (struct script_step)CREATED;
	connect_to(rig, steps, AGGREGATE_USEC);
	for (unsigned int i = 0; i < KUBE_EVENT_PER_MINUTE + 10; i++) {
		(void)snprintf(uid, sizeof(uid), "u-%u", i);
		report(rig, uid, "one");
	}
	run_until(rig, stats->sent >= KUBE_EVENT_PER_MINUTE);
	/* A token grows in 2 s; on a slow machine one may have by now. */
	assert_in_range(kube_events_stats(rig->events)->sent, KUBE_EVENT_PER_MINUTE,
			KUBE_EVENT_PER_MINUTE + 1);
	run_until(rig, stats->sent == KUBE_EVENT_PER_MINUTE + 1);
}

static void test_events_long_message_is_cut_between_characters(void **state)
{
	static const struct script_step steps[] = { CREATED, { 0 } };
	struct rig *rig = *state;
	char message[KUBE_EVENT_MESSAGE_MAX + 32];
	json_t *object;

	memset(message, 'x', KUBE_EVENT_MESSAGE_MAX - 1);
	(void)snprintf(message + KUBE_EVENT_MESSAGE_MAX - 1, 16, "\xc3\xa4\xc3\xa4");
	connect_to(rig, steps, AGGREGATE_USEC);
	report(rig, "u-1", message);
	/* Also the same incident when it comes whole again. */
	report(rig, "u-1", message);
	run_until(rig, stats->sent == 1);
	object = body(rig, 0);
	assert_int_equal(json_string_length(json_object_get(object, "message")),
			 KUBE_EVENT_MESSAGE_MAX - 1);
	json_decref(object);
	assert_int_equal(kube_events_stats(rig->events)->aggregated, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_events_one_is_sent_in_the_words_of_the_api),
		T(test_events_the_same_one_is_counted_and_told_at_the_end),
		T(test_events_another_message_is_another_event),
		T(test_events_rbac_refusal_ends_them_until_connected_anew),
		T(test_events_namespace_that_ends_costs_one_event),
		T(test_events_overloaded_server_gets_it_again),
		T(test_events_nowhere_to_send_drops_them),
		T(test_events_queue_and_rate_are_limited),
		T(test_events_a_minute_has_so_many),
		T(test_events_long_message_is_cut_between_characters),
#undef T
	};

	return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
