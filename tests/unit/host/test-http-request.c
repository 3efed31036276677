/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <sys/wait.h>

#include "berth-test.h"
#include "host/http-rig.h"

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

static void test_http_blob_is_shared_and_let_go(void **state)
{
	static const char text[] = "shared bytes";
	struct rig *rig = *state;
	const char *answer;

	rig->blob = blob_new(sizeof(text));
	assert_non_null(rig->blob);
	memcpy(rig->blob->data, text, sizeof(text));
	rig->blob->length = strlen(text);
	answer = ask(rig, "GET /blob" HOST "\r\n");
	check_status(answer, "200");
	assert_null(strstr(answer, "Content-Encoding"));
	assert_string_equal(body_of(answer), text);
	assert_int_equal(rig->blob->references, 1);

	answer = ask(rig, "GET /blob" HOST "Accept-Encoding: gzip\r\n\r\n");
	assert_non_null(strstr(answer, "Content-Encoding: gzip\r\n"));
	answer = ask(rig, "HEAD /blob" HOST "\r\n");
	assert_non_null(strstr(answer, "Content-Length: 12\r\n"));
	assert_string_equal(body_of(answer), "");
	assert_int_equal(rig->blob->references, 1);
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

#define TCP(name)   cmocka_unit_test_setup_teardown(name, tcp_setup, rig_teardown)
#define LOCAL(name) cmocka_unit_test_setup_teardown(name, local_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP(test_http_get_is_answered),
		TCP(test_http_head_has_no_body),
		TCP(test_http_path_is_decoded_and_prefix_matches),
		TCP(test_http_refusals_on_tcp_are_text),
		LOCAL(test_http_refusals_on_the_socket_are_json),
		TCP(test_http_blob_is_shared_and_let_go),
		TCP(test_http_body_comes_whole),
		TCP(test_http_oversize_body_is_413),
		TCP(test_http_pipelined_requests_are_answered_in_order),
		TCP(test_http_large_answer_is_whole),
		TCP(test_http_garbage_is_refused_and_others_go_on),
		LOCAL(test_http_peer_is_who_connected),
		LOCAL(test_http_privileged_route_refuses_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
