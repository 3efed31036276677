/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <time.h>

#include "berth-test.h"
#include "http-script.h"
#include "kube/reflector.h"
#include "macro.h"

#define STEP_MSEC    2
#define SILENCE_MSEC 150
#define PATIENCE_SEC 20

#define POD(name, version)                                                              \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" version "\"},\"spec\":{\"nodeName\":\"node1\","     \
	"\"containers\":[{\"name\":\"main\"}]},\"status\":{\"phase\":\"Running\"}}"
#define LIST(version, items)                                                 \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version \
	"\"},\"items\":[" items "]}"
#define PAGE(version, token, items)                                          \
	"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"" version \
	"\",\"continue\":\"" token "\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version)                                                                \
	"{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\","     \
	"\"metadata\":{\"resourceVersion\":\"" version "\",\"creationTimestamp\":null}," \
	"\"spec\":{\"containers\":null},\"status\":{}}}\n"
#define STATUS(code, reason, message)                                                        \
	"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\"," \
	"\"message\":\"" message "\",\"reason\":\"" reason "\",\"code\":" code "}"
#define EXPIRED STATUS("410", "Expired", "too old resource version: 1 (219)")

#define OK "200 OK"

struct rig {
	sd_event *event;
	struct http_client *client;
	struct kube_access *access;
	struct reflector *reflector;
	struct script *script;
	char directory[64], token_file[96];
	/* What was told, as letters: ( ) of a sync, + a pod, - gone. */
	char told[256];
	char last_pod[64];
	enum reflector_state state;
	char detail[640];
	unsigned int failures; /* how often FAILED was told */
	char failure[640];     /* the first one */
};

static void note(struct rig *rig, char what)
{
	size_t length = strlen(rig->told);

	assert_true(length + 1 < sizeof(rig->told));
	rig->told[length] = what;
}

static void on_begin(void *data)
{
	note(data, '(');
}

static void on_pod(void *data, struct kube_pod *pod)
{
	struct rig *rig = data;

	(void)snprintf(rig->last_pod, sizeof(rig->last_pod), "%s", pod->name);
	free(pod);
	note(rig, '+');
}

static void on_end(void *data)
{
	note(data, ')');
}

static void on_gone(void *data, const struct kube_pod *pod)
{
	struct rig *rig = data;

	(void)snprintf(rig->last_pod, sizeof(rig->last_pod), "%s", pod->name);
	note(rig, '-');
}

static void on_state(void *data, enum reflector_state state, const char *detail)
{
	struct rig *rig = data;

	rig->state = state;
	(void)snprintf(rig->detail, sizeof(rig->detail), "%s", detail);
	if (state == REFLECTOR_FAILED && rig->failures++ == 0)
		(void)snprintf(rig->failure, sizeof(rig->failure), "%s", detail);
}

static void write_token(const struct rig *rig, const char *token)
{
	int fd = open(rig->token_file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, token, strlen(token)), (ssize_t)strlen(token));
	(void)close(fd);
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	assert_ok(sd_event_new(&rig->event));
	assert_ok(http_client_new(rig->event, "berth-test", &rig->client));
	(void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/berth-test-XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	(void)snprintf(rig->token_file, sizeof(rig->token_file), "%s/token", rig->directory);
	write_token(rig, "first");
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	(void)reflector_free(rig->reflector);
	script_stop(rig->script);
	(void)kube_access_free(rig->access);
	(void)http_client_free(rig->client);
	(void)sd_event_unref(rig->event);
	(void)unlink(rig->token_file);
	(void)rmdir(rig->directory);
	free(rig);
	return 0;
}

static void start_mode(struct rig *rig, const struct script_step *steps, enum reflector_mode mode,
		       uint64_t backoff_usec, uint64_t silence_usec)
{
	static const struct reflector_handlers handlers = { on_begin, on_pod, on_end, on_gone,
							    on_state };
	struct reflector_options options = { .mode = mode,
					     .node = "node1",
					     .backoff_usec = backoff_usec,
					     .silence_usec = silence_usec };
	struct kube_access_options where = { .kubeconfig = "", .ca_file = "" };
	char server[64], why[256] = "";
	int r;

	rig->script = script_start(steps);
	(void)snprintf(server, sizeof(server), "http://127.0.0.1:%u", rig->script->port);
	where.server = server;
	where.token_file = rig->token_file;
	r = kube_access_new(&where, why, sizeof(why), &rig->access);
	if (r < 0)
		fail_msg("%s: %s", strerrorname_np(-r), why);
	assert_ok(reflector_new(rig->event, rig->client, rig->access, &options, &handlers, rig,
				&rig->reflector));
}

static void start(struct rig *rig, const struct script_step *steps)
{
	start_mode(rig, steps, REFLECTOR_APISERVER, STEP_MSEC * USEC_PER_MSEC, 0);
}

static uint64_t now_msec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Turn the loop until the condition holds. */
#define run_until(rig, condition)                                                             \
	do {                                                                                  \
		uint64_t end = now_msec() + PATIENCE_SEC * 1000;                              \
		while (!(condition) && now_msec() < end)                                      \
			assert_ok(sd_event_run((rig)->event, 100 * USEC_PER_MSEC));           \
		if (!(condition))                                                             \
			fail_msg("%s does not come: told %s, %s, request %u: %s", #condition, \
				 (rig)->told, (rig)->detail, (rig)->script->asked,            \
				 script_request((rig)->script, (rig)->script->asked - 1));    \
	} while (0)

static void assert_asked(struct rig *rig, unsigned int index, const char *what)
{
	if (!strstr(script_request(rig->script, index), what))
		fail_msg("request %u has no '%s': %s", index, what,
			 script_request(rig->script, index));
}

static void assert_not_asked(struct rig *rig, unsigned int index, const char *what)
{
	if (strstr(script_request(rig->script, index), what))
		fail_msg("request %u has '%s': %s", index, what,
			 script_request(rig->script, index));
}

static void test_reflector_pages_become_one_sync(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, PAGE("7", "a/b=", POD("web", "5") "," POD("db", "6")), END_LENGTH },
		{ OK, NULL, LIST("7", POD("job", "7")), END_CHUNK },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 3);
	assert_string_equal(rig->told, "(+++)");
	assert_asked(rig, 0,
		     "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dnode1&resourceVersion=0"
		     "&limit=250 ");
	assert_asked(rig, 0, "Authorization: Bearer first");
	assert_asked(rig, 0, "application/json");
	assert_asked(rig, 1, "&limit=250&continue=a%2Fb%3D ");
	assert_not_asked(rig, 1, "resourceVersion");
	assert_asked(rig, 2,
		     "watch=1&allowWatchBookmarks=true&fieldSelector=spec.nodeName%3Dnode1"
		     "&resourceVersion=7&timeoutSeconds=");
	assert_int_equal(rig->state, REFLECTOR_SYNCED);
	assert_string_equal(rig->detail, "watching");
	assert_int_equal(reflector_stats(rig->reflector)->lists, 1);
	assert_int_equal(reflector_stats(rig->reflector)->errors, 0);
}

static void test_reflector_watch_tells_changes_and_resumes_after_them(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("1", ""), END_LENGTH },
		{ OK, NULL,
		  EVENT("ADDED", POD("web", "2")) EVENT("MODIFIED", POD("web", "3"))
			  EVENT("DELETED", POD("web", "4")) BOOKMARK("99"),
		  END_CHUNK },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 3);
	assert_string_equal(rig->told, "()++-");
	assert_asked(rig, 1, "resourceVersion=1&");
	assert_asked(rig, 2, "resourceVersion=99&");
	assert_int_equal(reflector_stats(rig->reflector)->events, 3);
	assert_int_equal(reflector_stats(rig->reflector)->bookmarks, 1);
	assert_int_equal(reflector_stats(rig->reflector)->lists, 1);
	/* The regular end of a watch is no failure. */
	assert_int_equal(rig->failures, 0);
	assert_int_equal(reflector_stats(rig->reflector)->errors, 0);
}

static void test_reflector_empty_node_names_it_until_a_pod_comes(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("1", ""), END_LENGTH },
		{ OK, NULL, EVENT("ADDED", POD("web", "2")), END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->state == REFLECTOR_SYNCED);
	assert_non_null(strstr(rig->detail, "watching node 'node1': if that is wrong, set "
					    "node.name or $NODE_NAME"));
	run_until(rig, strcmp(rig->told, "()+") == 0);
	assert_string_equal(rig->detail, "watching");
}

static void test_reflector_410_event_lists_again_from_etcd(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ OK, NULL, EVENT("ERROR", EXPIRED), END_CHUNK },
		{ OK, NULL, LIST("9", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, USEC_PER_SEC, 0);
	run_until(rig, rig->script->asked == 4);
	assert_string_equal(rig->told, "(+)(+)");
	assert_not_asked(rig, 2, "resourceVersion");
	assert_asked(rig, 2, "&limit=250");
	assert_asked(rig, 3, "resourceVersion=9&");
	assert_int_equal(reflector_stats(rig->reflector)->relists_410, 1);
	/* It is what every restart of an apiserver looks like: at once, and nobody is told. */
	assert_int_equal(rig->failures, 0);
}

static void test_reflector_410_status_of_a_page_lists_all_at_once(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, PAGE("5", "old", POD("web", "5")), END_LENGTH },
		{ "410 Gone", NULL, EXPIRED, END_LENGTH },
		{ OK, NULL, LIST("9", POD("web", "5") "," POD("db", "6")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, USEC_PER_SEC, 0);
	run_until(rig, rig->script->asked == 4);
	assert_string_equal(rig->told, "(+(++)");
	assert_not_asked(rig, 2, "limit");
	assert_not_asked(rig, 2, "continue");
	assert_not_asked(rig, 2, "resourceVersion");
	assert_int_equal(rig->failures, 0);
}

static void test_reflector_410_for_ever_waits_in_between(void **state)
{
	static const struct script_step steps[] = {
		{ "410 Gone", NULL, EXPIRED, END_LENGTH },
		{ "410 Gone", NULL, EXPIRED, END_LENGTH },
		{ "410 Gone", NULL, EXPIRED, END_LENGTH },
		{ OK, NULL, LIST("9", ""), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	/* A second 410 within ten of these steps is no accident any more. */
	start_mode(rig, steps, REFLECTOR_APISERVER, 100 * USEC_PER_MSEC, 0);
	run_until(rig, rig->script->asked == 5);
	assert_int_equal(reflector_stats(rig->reflector)->relists_410, 3);
	assert_true(rig->failures >= 1);
	assert_non_null(strstr(rig->failure, "expired again: "));
}

static void test_reflector_cut_line_resumes_where_it_was(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("1", ""), END_LENGTH },
		{ OK, NULL,
		  EVENT("ADDED", POD("web", "2")) "{\"type\":\"MODIFIED\",\"object\":{\"meta",
		  END_CUT },
		{ OK, NULL, EVENT("MODIFIED", POD("web", "3")), END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, USEC_PER_SEC, 0);
	run_until(rig, strcmp(rig->told, "()++") == 0);
	assert_asked(rig, 2, "resourceVersion=2&");
	assert_int_equal(rig->failures, 0);
	assert_int_equal(reflector_stats(rig->reflector)->lists, 1);
}

static void test_reflector_401_takes_the_new_token(void **state)
{
	static const struct script_step steps[] = {
		{ "401 Unauthorized", NULL, STATUS("401", "Unauthorized", "Unauthorized"),
		  END_LENGTH },
		{ OK, NULL, LIST("1", POD("web", "1")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, 100 * USEC_PER_MSEC, 0);
	run_until(rig, rig->state == REFLECTOR_FAILED);
	assert_non_null(strstr(rig->detail, "401 Unauthorized"));
	assert_non_null(strstr(rig->detail, rig->access->origin));
	assert_non_null(strstr(rig->detail, "next try in 1 s"));
	write_token(rig, "second");
	run_until(rig, rig->state == REFLECTOR_SYNCED);
	assert_asked(rig, 0, "Bearer first");
	assert_asked(rig, 1, "Bearer second");
}

static void test_reflector_403_says_what_is_missing(void **state)
{
	static const struct script_step steps[] = {
		{ "403 Forbidden", NULL,
		  STATUS("403", "Forbidden", "pods is forbidden: User \\\"system:anonymous\\\""),
		  END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->state == REFLECTOR_FAILED);
	assert_non_null(strstr(rig->failure, "pods is forbidden: User \"system:anonymous\""));
	assert_non_null(strstr(rig->failure, "get, list and watch on pods"));
	assert_non_null(strstr(rig->failure, "kubectl apply -k conf/kubernetes"));
	assert_string_equal(rig->told, "");
}

static void test_reflector_429_waits_as_long_as_it_is_told(void **state)
{
	static const struct script_step steps[] = {
		{ "429 Too Many Requests", "Content-Type: text/plain\r\nRetry-After: 1\r\n",
		  "Too many requests, please try again later.", END_LENGTH },
		{ OK, NULL, LIST("1", ""), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;
	uint64_t before = now_msec();

	start(rig, steps);
	run_until(rig, rig->state == REFLECTOR_FAILED);
	assert_non_null(strstr(rig->detail, "429 Too Many Requests"));
	assert_non_null(strstr(rig->detail, "next try in 1 s"));
	run_until(rig, rig->state == REFLECTOR_SYNCED);
	/* Not before, however short the scale's own step is. */
	assert_true(now_msec() - before >= 900);
}

static void test_reflector_5xx_waits_longer_each_time(void **state)
{
	static const struct script_step steps[] = {
		{ "500 Internal Server Error", NULL, STATUS("500", "InternalError", "etcd"),
		  END_LENGTH },
		{ "500 Internal Server Error", NULL, STATUS("500", "InternalError", "etcd"),
		  END_LENGTH },
		{ "503 Service Unavailable", "Content-Type: text/plain\r\n", "upstream\nfailed",
		  END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;
	uint64_t first;

	start_mode(rig, steps, REFLECTOR_APISERVER, 20 * USEC_PER_MSEC, 0);
	run_until(rig, rig->failures == 1);
	first = now_msec();
	/* After the script the port refuses, which is one more of the same. */
	run_until(rig, rig->failures == 6);
	/* 20 + 40 + 80 + 160 + 320 ms and at the least half of that; five times the first step
	 * would be 150 ms at most. */
	assert_true(now_msec() - first >= 300);
	assert_non_null(strstr(rig->failure, "HTTP status 500: etcd"));
	/* A list that an error 500 met is asked of etcd: it may be about the version. */
	assert_asked(rig, 0, "resourceVersion=0");
	assert_not_asked(rig, 1, "resourceVersion");
	assert_int_equal(rig->script->asked, 3);
	assert_int_equal(reflector_stats(rig->reflector)->errors, 6);
}

static void test_reflector_future_version_lists_from_etcd(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("500", POD("web", "5")), END_LENGTH },
		{ OK, NULL, EVENT("ERROR", STATUS("500", "InternalError", "lost")), END_CHUNK },
		{ "504 Gateway Timeout", NULL,
		  STATUS("504", "Timeout",
			 "Timeout: Too large resource version: 500, current: 251"),
		  END_LENGTH },
		{ OK, NULL, LIST("251", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 5);
	/* No limit: with one it would be etcd's to answer. */
	assert_asked(rig, 2, "resourceVersion=500 ");
	assert_not_asked(rig, 3, "resourceVersion");
	assert_asked(rig, 4, "resourceVersion=251&");
}

static void test_reflector_silent_watch_is_listed_again(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ OK, NULL, LIST("6", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "{\"type\":\"ADDED\",", END_HOLD },
		{ OK, NULL, LIST("7", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, USEC_PER_SEC, SILENCE_MSEC * USEC_PER_MSEC);
	run_until(rig, rig->script->asked == 6);
	assert_string_equal(rig->told, "(+)(+)(+)");
	assert_not_asked(rig, 2, "resourceVersion");
	assert_int_equal(rig->failures, 0);
	assert_int_equal(reflector_stats(rig->reflector)->errors, 2);
}

static void test_reflector_garbage_is_not_believed(void **state)
{
	static const struct script_step steps[] = {
		{ OK, "Content-Type: text/html\r\n", "<html>Please log in</html>", END_LENGTH },
		{ OK, NULL, LIST("5", POD("web", "5")) "{", END_LENGTH },
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ OK, NULL, EVENT("ADDED", POD("db", "6")) "}]nonsense\n", END_CHUNK },
		{ OK, NULL, LIST("8", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 6);
	assert_non_null(strstr(rig->failure, "Content-Type \"text/html\""));
	/* After a broken watch nothing but a list tells what is so. */
	assert_asked(rig, 4, "resourceVersion=6 ");
	assert_asked(rig, 5, "resourceVersion=8&");
	assert_true(reflector_stats(rig->reflector)->errors >= 2);
}

/* The rest of such a line never comes, and what follows is not to be waited for either. */
static void test_reflector_half_a_line_is_an_end(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "{\"type\":\"ADDED\",\"object\":{\"metadata\":\n", END_HOLD },
		{ OK, NULL, LIST("6", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 4);
	assert_non_null(strstr(rig->failure, "the watch is broken"));
}

#define LINE   "no pods today, no pods today, no pods today, no pods today, no pods today, ...\n"
#define LINES8 LINE LINE LINE LINE LINE LINE LINE LINE

static void test_reflector_refusal_without_an_end_is_not_listened_to(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ "503 Service Unavailable", NULL, LINES8 LINES8 LINES8 LINES8, END_HOLD },
		{ "503 Service Unavailable", NULL, LINE, END_HOLD },
		{ OK, NULL, LIST("6", POD("web", "5")), END_LENGTH },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start_mode(rig, steps, REFLECTOR_APISERVER, STEP_MSEC * USEC_PER_MSEC,
		   SILENCE_MSEC * USEC_PER_MSEC);
	run_until(rig, rig->script->asked == 5);
	assert_non_null(strstr(rig->failure, "503: no pods today"));
	assert_asked(rig, 2, "watch=1");
	assert_asked(rig, 3, "GET /api/v1/pods?fieldSelector=");
}

#define POD_ELSEWHERE(name, version)                                                    \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"shop\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" version "\"},\"spec\":{\"nodeName\":\"node2\"}}"

static void test_reflector_pods_of_another_node_are_left_out(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD_ELSEWHERE("far", "4") "," POD("web", "5")), END_LENGTH },
		{ OK, NULL,
		  EVENT("ADDED", POD_ELSEWHERE("far", "6")) EVENT(
			  "DELETED", POD_ELSEWHERE("far", "7")) EVENT("ADDED", POD("db", "8")),
		  END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, strcmp(rig->last_pod, "db") == 0);
	assert_string_equal(rig->told, "(+)+");
	assert_int_equal(reflector_stats(rig->reflector)->bad_objects, 3);
}

static void test_reflector_bad_object_is_left_out(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", "{\"metadata\":{\"name\":\"x\"}}," POD("web", "5")),
		  END_LENGTH },
		{ OK, NULL, EVENT("ADDED", "{\"metadata\":{}}") EVENT("ADDED", POD("db", "6")),
		  END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, strcmp(rig->told, "(+)+") == 0);
	assert_string_equal(rig->last_pod, "db");
	assert_int_equal(reflector_stats(rig->reflector)->bad_objects, 2);
	assert_int_equal(rig->failures, 0);
}

static void test_reflector_useless_watch_is_not_run_in_circles(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", ""), END_LENGTH },
		{ OK, NULL, "", END_CHUNK },
		{ OK, NULL, "", END_CHUNK },
		{ OK, NULL, "", END_HOLD },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->script->asked == 4);
	assert_non_null(strstr(rig->failure, "the watch ends as soon as it begins"));
	run_until(rig, rig->state == REFLECTOR_SYNCED);
	assert_int_equal(reflector_stats(rig->reflector)->lists, 1);
}

static void test_reflector_down_server_is_tried_again(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL, LIST("5", POD("web", "5")), END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;

	start(rig, steps);
	run_until(rig, rig->failures >= 3);
	assert_string_equal(rig->told, "(+)");
	assert_int_equal(rig->state, REFLECTOR_FAILED);
	assert_non_null(strstr(rig->failure, rig->access->server));
	assert_int_equal(reflector_stats(rig->reflector)->lists, 1);
}

static void test_reflector_kubelet_polls_when_poked(void **state)
{
	static const struct script_step steps[] = {
		{ OK, NULL,
		  "{\"kind\":\"PodList\",\"metadata\":{},\"items\":[" POD("web", "1") "]}",
		  END_LENGTH },
		{ OK, NULL, "{\"kind\":\"PodList\",\"metadata\":{},\"items\":null}", END_LENGTH },
		{ 0 },
	};
	struct rig *rig = *state;
	uint64_t before = now_msec();

	start_mode(rig, steps, REFLECTOR_KUBELET, 0, 0);
	run_until(rig, rig->state == REFLECTOR_SYNCED);
	assert_string_equal(rig->told, "(+)");
	assert_asked(rig, 0, "GET /pods ");
	for (unsigned int i = 0; i < 100; i++)
		reflector_poke(rig->reflector);
	run_until(rig, strcmp(rig->told, "(+)()") == 0);
	/* A hundred changes of the tree are one poll, and no two within half a second. */
	assert_true(now_msec() - before >= 450);
	assert_int_equal(reflector_stats(rig->reflector)->lists, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(test_reflector_pages_become_one_sync),
		T(test_reflector_watch_tells_changes_and_resumes_after_them),
		T(test_reflector_empty_node_names_it_until_a_pod_comes),
		T(test_reflector_410_event_lists_again_from_etcd),
		T(test_reflector_410_status_of_a_page_lists_all_at_once),
		T(test_reflector_410_for_ever_waits_in_between),
		T(test_reflector_cut_line_resumes_where_it_was),
		T(test_reflector_401_takes_the_new_token),
		T(test_reflector_403_says_what_is_missing),
		T(test_reflector_429_waits_as_long_as_it_is_told),
		T(test_reflector_5xx_waits_longer_each_time),
		T(test_reflector_future_version_lists_from_etcd),
		T(test_reflector_silent_watch_is_listed_again),
		T(test_reflector_garbage_is_not_believed),
		T(test_reflector_bad_object_is_left_out),
		T(test_reflector_half_a_line_is_an_end),
		T(test_reflector_refusal_without_an_end_is_not_listened_to),
		T(test_reflector_pods_of_another_node_are_left_out),
		T(test_reflector_useless_watch_is_not_run_in_circles),
		T(test_reflector_down_server_is_tried_again),
		T(test_reflector_kubelet_polls_when_poked),
#undef T
	};

	return cmocka_run_group_tests_name("reflector", tests, NULL, NULL);
}
