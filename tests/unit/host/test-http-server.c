/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "api/http-server-internal.h"
#include "berth-test.h"
#include "fixture-copy.h"
#include "host/http-client.h"
#include "limits.h"

struct peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
	bool is_local;
};

struct rig {
	sd_event *event;
	struct http_server *server;
	int listen_fd; /* a copy, for its address */
	int directory_fd;
	struct peer peer;
	char directory[32];
	char text[256 * 1024];
};

static void handle_hello(void *data, const struct http_request *request,
			 struct http_response *response)
{
	struct rig *rig = data;

	rig->peer = (struct peer){ request->uid, request->gid, request->pid, request->is_local };
	response->content_type = "text/plain";
	strbuf_add(&response->body, "hello\n");
}

static void handle_path(void *data, const struct http_request *request,
			struct http_response *response)
{
	const char *query = http_query(request, "q");

	(void)data;
	response->status = 202;
	strbuf_addf(&response->body, "%s %s %s", request->path, query ? query : "-",
		    request->accept ? request->accept : "-");
}

static void handle_echo(void *data, const struct http_request *request,
			struct http_response *response)
{
	(void)data;
	assert_int_equal(request->body[request->body_length], '\0');
	strbuf_add_bytes(&response->body, request->body, request->body_length);
}

#define LARGE (200u * 1024)

static void handle_large(void *data, const struct http_request *request,
			 struct http_response *response)
{
	(void)data;
	(void)request;
	for (unsigned int i = 0; i < LARGE / 8; i++)
		strbuf_addf(&response->body, "%08u", i);
}

static const struct http_route routes[] = {
	{ "GET", "/hello", false, handle_hello }, { "POST", "/echo", false, handle_echo },
	{ "GET", "/both", false, handle_hello },  { "POST", "/both", false, handle_echo },
	{ "GET", "/tree/", false, handle_path },  { "GET", "/large", false, handle_large },
	{ "POST", "/root", true, handle_hello },  { NULL, NULL, false, NULL },
};

static const struct http_limits quick = { 4, 1, 2 * USEC_PER_SEC };

static int rig_setup(void **state, bool local, const struct http_limits *limits)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd, dir;

	assert_non_null(rig);
	assert_ok(sd_event_new(&rig->event));
	(void)snprintf(rig->directory, sizeof(rig->directory), "/tmp/berth-test.XXXXXX");
	assert_non_null(mkdtemp(rig->directory));
	if (local) {
		dir = open(rig->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		assert_true(dir >= 0);
		assert_int_equal(fchmod(dir, 0755), 0);
		fd = http_listen_unix(dir, "socket", 0666, (gid_t)-1);
		/* The address goes by way of this fd, so it is kept while the test lives. */
		rig->directory_fd = dir;
	} else {
		fd = http_listen_tcp("127.0.0.1:0");
	}
	assert_ok(fd);
	rig->listen_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (limits)
		assert_ok(
			http_server_new_limited(rig->event, fd, routes, rig, limits, &rig->server));
	else
		assert_ok(http_server_new(rig->event, fd, routes, rig, &rig->server));
	*state = rig;
	return 0;
}

static int tcp_setup(void **state)
{
	return rig_setup(state, false, NULL);
}

static int local_setup(void **state)
{
	return rig_setup(state, true, NULL);
}

static int quick_setup(void **state)
{
	return rig_setup(state, false, &quick);
}

static int rig_teardown(void **state)
{
	struct rig *rig = *state;

	assert_null(http_server_free(rig->server));
	(void)close(rig->listen_fd);
	(void)sd_event_unref(rig->event);
	fixture_remove(rig->directory);
	free(rig);
	return 0;
}

/* One request, one answer, on a connection of its own. */
static const char *ask(struct rig *rig, const char *request)
{
	struct client_answer answer = { .text = rig->text,
					.size = sizeof(rig->text),
					.is_head = strncmp(request, "HEAD", 4) == 0 };
	int fd = client_connect(rig->listen_fd);

	(void)client_send(rig->event, fd, request);
	client_receive(rig->event, fd, 1, &answer);
	assert_int_equal(close(fd), 0);
	return rig->text;
}

static const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#define HOST       " HTTP/1.1\r\nHost: x\r\n"
#define CLOSING(s) "Content-Length: " s "\r\n\r\n"

static void check_status(const char *answer, const char *status)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0)
		fail_msg("expected %s: %.200s", status, answer);
}

static void test_http_get_is_answered(void **state)
{
	const char *answer = ask(*state, "GET /hello" HOST "\r\n");

	check_status(answer, "200");
	assert_non_null(strstr(answer, "Content-Type: text/plain\r\n"));
	assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
	assert_string_equal(body_of(answer), "hello\n");
}

static void test_http_head_has_no_body(void **state)
{
	const char *answer = ask(*state, "HEAD /hello" HOST "\r\n");

	check_status(answer, "200");
	assert_non_null(strstr(answer, "Content-Length: 6\r\n"));
	assert_string_equal(body_of(answer), "");
}

static void test_http_path_is_decoded_and_prefix_matches(void **state)
{
	struct rig *rig = *state;

	assert_string_equal(
		body_of(ask(rig, "GET /tree/a%20b?q=1%2F2&r=3" HOST "Accept: x/y\r\n\r\n")),
		"/tree/a b 1/2 x/y");
	check_status(rig->text, "202");
	assert_string_equal(body_of(ask(rig, "GET /tree/" HOST "\r\n")), "/tree/ - -");
	check_status(ask(rig, "GET /tree" HOST "\r\n"), "404");
	check_status(ask(rig, "GET /hello/x" HOST "\r\n"), "404");
	check_status(ask(rig, "GET /" HOST "\r\n"), "404");
}

static void test_http_refusals_on_tcp_are_text(void **state)
{
	struct rig *rig = *state;
	const char *answer = ask(rig, "GET /none" HOST "\r\n");

	check_status(answer, "404");
	assert_string_equal(body_of(answer), "Not Found\n");
	answer = ask(rig, "POST /hello" HOST CLOSING("0"));
	check_status(answer, "405");
	assert_non_null(strstr(answer, "Allow: GET, HEAD\r\n"));
	answer = ask(rig, "GET /echo" HOST "\r\n");
	check_status(answer, "405");
	assert_non_null(strstr(answer, "Allow: POST\r\n"));
	answer = ask(rig, "DELETE /both" HOST "\r\n");
	check_status(answer, "405");
	assert_non_null(strstr(answer, "Allow: GET, HEAD, POST\r\n"));
	/* Nobody is root over TCP. */
	check_status(ask(rig, "POST /root" HOST CLOSING("0")), "403");
}

static void test_http_refusals_on_the_socket_are_json(void **state)
{
	struct rig *rig = *state;
	const char *answer = ask(rig, "GET /none" HOST "\r\n");

	check_status(answer, "404");
	assert_non_null(strstr(answer, "Content-Type: application/json\r\n"));
	assert_string_equal(body_of(answer), "{\"error\":\"Not Found\"}\n");
}

static void test_http_body_comes_whole(void **state)
{
	static char request[LIMIT_HTTP_BODY_BYTES + 256];
	struct rig *rig = *state;
	size_t head = (size_t)snprintf(request, sizeof(request),
				       "POST /echo" HOST "Content-Length: %u\r\n\r\n",
				       LIMIT_HTTP_BODY_BYTES);

	memset(request + head, 'x', LIMIT_HTTP_BODY_BYTES);
	check_status(ask(rig, request), "200");
	assert_string_equal(body_of(rig->text), request + head);
	assert_string_equal(body_of(ask(rig, "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n"
					     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")),
			    "abcde");
	assert_string_equal(body_of(ask(rig, "POST /echo" HOST CLOSING("0"))), "");
}

static void test_http_oversize_body_is_413(void **state)
{
	static char request[2 * LIMIT_HTTP_BODY_BYTES + 256];
	struct rig *rig = *state;
	size_t length;

	(void)snprintf(request, sizeof(request), "POST /echo" HOST "Content-Length: %u\r\n\r\n",
		       LIMIT_HTTP_BODY_BYTES + 1);
	check_status(ask(rig, request), "413");
	check_status(ask(rig, "POST /echo" HOST CLOSING("18446744073709551615")), "413");
	/* Nobody said how long it will be. */
	length = (size_t)snprintf(request, sizeof(request),
				  "POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n%x\r\n",
				  LIMIT_HTTP_BODY_BYTES + 1);
	memset(request + length, 'x', LIMIT_HTTP_BODY_BYTES + 1);
	(void)strcat(request, "\r\n0\r\n\r\n");
	check_status(ask(rig, request), "413");
}

static void test_http_endless_body_is_cut_off(void **state)
{
	static char chunk[16 * 1024 + 16];
	struct rig *rig = *state;
	int fd = client_connect(rig->listen_fd);
	unsigned int sent = 0;

	(void)snprintf(chunk, sizeof(chunk), "4000\r\n");
	memset(chunk + 6, 'x', 0x4000);
	(void)strcat(chunk, "\r\n");
	assert_true(client_send(rig->event, fd,
				"POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n"));
	while (sent < 1000 && client_send(rig->event, fd, chunk))
		sent++;
	assert_true(sent < 1000);
	assert_int_equal(close(fd), 0);
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
}

static void test_http_oversize_header_is_refused(void **state)
{
	static char request[4 * LIMIT_HTTP_HEADER_BYTES];
	struct rig *rig = *state;
	size_t length = (size_t)snprintf(request, sizeof(request), "GET /hello" HOST "X: ");

	memset(request + length, 'x', sizeof(request) - length - 8);
	(void)strcat(request, "\r\n\r\n");
	rig->text[0] = '\0';
	(void)ask(rig, request);
	assert_null(strstr(rig->text, "hello"));
	if (*rig->text)
		check_status(rig->text, "431");
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
}

static void test_http_pipelined_requests_are_answered_in_order(void **state)
{
	struct rig *rig = *state;
	struct client_answer answer = { .text = rig->text, .size = sizeof(rig->text) };
	int fd = client_connect(rig->listen_fd);
	const char *second, *third;

	assert_true(client_send(rig->event, fd,
				"GET /tree/1" HOST
				"\r\nPOST /echo" HOST CLOSING("2") "22"
								   "GET /tree/3" HOST "\r\n"));
	client_receive(rig->event, fd, 3, &answer);
	second = strstr(rig->text, "/tree/1 - -");
	assert_non_null(second);
	third = strstr(second, "\r\n\r\n22");
	assert_non_null(third);
	assert_non_null(strstr(third, "/tree/3 - -"));
	assert_false(answer.is_closed);
	assert_int_equal(close(fd), 0);
}

/* Several scrapers that each keep their connection. */
static void test_http_connections_are_kept_beside_each_other(void **state)
{
	struct rig *rig = *state;
	int fds[LIMIT_HTTP_CONNECTIONS];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = client_connect(rig->listen_fd);
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
			struct client_answer answer = { .text = rig->text,
							.size = sizeof(rig->text) };

			assert_true(client_send(rig->event, fds[i], "GET /hello" HOST "\r\n"));
			client_receive(rig->event, fds[i], 1, &answer);
			check_status(rig->text, "200");
			assert_false(answer.is_closed);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		assert_int_equal(close(fds[i]), 0);
}

static void test_http_large_answer_is_whole(void **state)
{
	struct rig *rig = *state;
	const char *body = body_of(ask(rig, "GET /large" HOST "\r\n"));

	assert_int_equal(strlen(body), LARGE);
	assert_memory_equal(body, "0000000000000001", 16);
	assert_memory_equal(body + LARGE - 8, "00025599", 8);
}

static void test_http_garbage_is_refused_and_others_go_on(void **state)
{
	static const char *const garbage[] = {
		"\r\n\r\n\r\n",
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 tls\r\n\r\n",
		"GET\r\n\r\n",
		"GET /hello\r\n\r\n",
		"GET /hello HTTP/9.9\r\n\r\n",
		"POST /echo" HOST "Content-Length: -1\r\n\r\n",
		"POST /echo" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
		"POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\nzz\r\n",
		"GET /tree/%00%ff%zz" HOST "\r\n",
	};
	struct rig *rig = *state;

	for (size_t i = 0; i < ARRAY_SIZE(garbage); i++) {
		int fd = client_connect(rig->listen_fd);

		(void)client_send(rig->event, fd, garbage[i]);
		(void)shutdown(fd, SHUT_WR);
		assert_ok(sd_event_run(rig->event, 1000));
		assert_int_equal(close(fd), 0);
		check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
	}
}

static void test_http_peer_is_who_connected(void **state)
{
	struct rig *rig = *state;

	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
	assert_true(rig->peer.is_local);
	assert_int_equal(rig->peer.uid, geteuid());
	assert_int_equal(rig->peer.gid, getegid());
	assert_int_equal(rig->peer.pid, getpid());
	check_status(ask(rig, "POST /root" HOST CLOSING("0")), geteuid() == 0 ? "200" : "403");
}

/* The exit status is the first digit of the answer's status. */
static void be_nobody(const struct rig *rig)
{
	static const char request[] = "POST /root" HOST CLOSING("0");
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char text[512] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", rig->directory);
	if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0 ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    write(fd, request, strlen(request)) < 0 || read(fd, text, sizeof(text) - 1) < 12)
		_exit(0);
	_exit(strncmp(text, "HTTP/1.1 403", 12) == 0 ? 43 : 1);
}

static void test_http_privileged_route_refuses_nobody(void **state)
{
	struct rig *rig = *state;
	int status = 0;
	pid_t pid;

	if (geteuid() != 0)
		skip();
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		be_nobody(rig);
	while (waitpid(pid, &status, WNOHANG) == 0)
		assert_ok(sd_event_run(rig->event, 1000));
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 43);
}

static bool timer_is_on(const struct rig *rig)
{
	int on = SD_EVENT_ON;

	assert_ok(sd_event_source_get_enabled(rig->server->timer, &on));
	return on != SD_EVENT_OFF;
}

static void test_http_idle_connection_times_out(void **state)
{
	struct rig *rig = *state;
	struct client_answer answer = { .text = rig->text, .size = sizeof(rig->text) };
	uint64_t start = client_now();
	int fd = client_connect(rig->listen_fd);

	assert_false(timer_is_on(rig));
	client_receive(rig->event, fd, 1, &answer);
	assert_true(answer.is_closed);
	assert_true(client_now() - start < 4 * USEC_PER_SEC);
	assert_int_equal(close(fd), 0);
	/* Nobody is there: nothing wakes the daemon. */
	assert_false(timer_is_on(rig));
}

/* Always one byte short of silence: only the limit of the whole request ends it. */
static void test_http_slow_request_is_cut_off(void **state)
{
	struct rig *rig = *state;
	struct client_answer answer = { .text = rig->text, .size = sizeof(rig->text) };
	uint64_t start = client_now(), next = start;
	int fd = client_connect(rig->listen_fd);

	assert_true(client_send(rig->event, fd, "GET /hello" HOST "X: "));
	while (!answer.is_closed) {
		if (client_now() >= next) {
			(void)send(fd, "x", 1, MSG_NOSIGNAL);
			next += USEC_PER_SEC / 5;
		}
		client_step(rig->event, fd, &answer);
		assert_true(client_now() - start < 10 * USEC_PER_SEC);
	}
	assert_true(client_now() - start >= quick.request_usec);
	assert_int_equal(close(fd), 0);
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
}

static void test_http_over_the_connection_limit_waits(void **state)
{
	struct rig *rig = *state;
	int fds[4];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client_connect(rig->listen_fd);
		assert_true(client_send(rig->event, fds[i], "G"));
	}
	/* The silent ones time out, and then it is the turn of this one. */
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		assert_int_equal(close(fds[i]), 0);
}

static void test_http_server_free_with_open_connections(void **state)
{
	struct rig *rig = *state;
	struct client_answer answer = { .text = rig->text, .size = sizeof(rig->text) };
	int fd = client_connect(rig->listen_fd);

	assert_true(client_send(rig->event, fd, "POST /echo" HOST CLOSING("100") "half"));
	rig->server = http_server_free(rig->server);
	client_receive(rig->event, fd, 1, &answer);
	assert_true(answer.is_closed);
	assert_int_equal(answer.length, 0);
	assert_int_equal(close(fd), 0);
}

static void test_http_server_new_failure_takes_the_fd(void **state)
{
	struct http_server *server = NULL;
	sd_event *event = NULL;
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_ok(sd_event_new(&event));
	assert_errno(http_server_new(event, fd, routes, NULL, &server), ENOTSOCK);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	assert_null(server);
	(void)sd_event_unref(event);
}

#define TCP(name)   cmocka_unit_test_setup_teardown(name, tcp_setup, rig_teardown)
#define LOCAL(name) cmocka_unit_test_setup_teardown(name, local_setup, rig_teardown)
#define QUICK(name) cmocka_unit_test_setup_teardown(name, quick_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP(test_http_get_is_answered),
		TCP(test_http_head_has_no_body),
		TCP(test_http_path_is_decoded_and_prefix_matches),
		TCP(test_http_refusals_on_tcp_are_text),
		LOCAL(test_http_refusals_on_the_socket_are_json),
		TCP(test_http_body_comes_whole),
		TCP(test_http_oversize_body_is_413),
		TCP(test_http_endless_body_is_cut_off),
		TCP(test_http_oversize_header_is_refused),
		TCP(test_http_pipelined_requests_are_answered_in_order),
		TCP(test_http_connections_are_kept_beside_each_other),
		TCP(test_http_large_answer_is_whole),
		TCP(test_http_garbage_is_refused_and_others_go_on),
		LOCAL(test_http_peer_is_who_connected),
		LOCAL(test_http_privileged_route_refuses_nobody),
		QUICK(test_http_idle_connection_times_out),
		QUICK(test_http_slow_request_is_cut_off),
		QUICK(test_http_over_the_connection_limit_waits),
		TCP(test_http_server_free_with_open_connections),
		cmocka_unit_test(test_http_server_new_failure_takes_the_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
