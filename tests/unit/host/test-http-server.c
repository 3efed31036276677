/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "host/http-rig.h"

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
	int fd = client_connect(rig->listen_fd);

	assert_false(timer_is_on(rig));
	/* Its patience is shorter than the limit of a request. */
	client_receive(rig->event, fd, 1, &answer);
	assert_true(answer.is_closed);
	assert_int_equal(close(fd), 0);
	/* Nobody is there: nothing wakes the daemon. */
	assert_false(timer_is_on(rig));
}

/* Never silent for long: only the limit of the whole request ends it. */
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
		assert_true(client_now() - start < CLIENT_PATIENCE_USEC);
	}
	assert_true(client_now() - start >= quick_request.request_usec);
	assert_int_equal(close(fd), 0);
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
}

static void test_http_over_the_connection_limit_the_oldest_goes(void **state)
{
	struct rig *rig = *state;
	char byte;
	int fds[4];

	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = client_connect(rig->listen_fd);
		assert_true(client_send(rig->event, fds[i], "G"));
	}
	check_status(ask(rig, "GET /hello" HOST "\r\n"), "200");
	/* One made room, the others have their time. */
	assert_int_equal(recv(fds[0], &byte, 1, MSG_DONTWAIT), 0);
	for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
		assert_true(recv(fds[i], &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
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

#define TCP(name)          cmocka_unit_test_setup_teardown(name, tcp_setup, rig_teardown)
#define WITH(limits, name) cmocka_unit_test_setup_teardown(name, limits##_setup, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TCP(test_http_endless_body_is_cut_off),
		TCP(test_http_oversize_header_is_refused),
		TCP(test_http_connections_are_kept_beside_each_other),
		WITH(quick_idle, test_http_idle_connection_times_out),
		WITH(quick_request, test_http_slow_request_is_cut_off),
		WITH(few, test_http_over_the_connection_limit_the_oldest_goes),
		TCP(test_http_server_free_with_open_connections),
		cmocka_unit_test(test_http_server_new_failure_takes_the_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
