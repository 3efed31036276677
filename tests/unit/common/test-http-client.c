/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "http-server.h"
#include "http-world.h"

#define SHORT_USEC (60 * USEC_PER_MSEC)

/* "a short text" and 64 KiB of zeros, by gzip. */
static const char gzip_short[] = "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\x4b\x54\x28\xce\xc8\x2f"
				 "\x2a\x51\x28\x49\xad\x28\x01\x00\xe5\x1f\xfa\x8d\x0c\x00\x00\x00";
static const char gzip_zeros[] =
	"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xed\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee"
	"\x08\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
	"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x6a"
	"\xeb\x8e\x97\xd7\x00\x00\x01\x00";

static const char *url_of(const struct server *server, const char *rest)
{
	static char url[128];

	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", server->port, rest);
	return url;
}

/* One call to one server, and what it brought. */
static void get_from(bool (*answer)(struct server *, int), struct http_call_spec spec,
		     struct outcome *outcome)
{
	struct server server;
	struct world world;

	server_start(&server, answer);
	world_open(&world);
	spec.method = spec.method ? spec.method : "GET";
	spec.url = url_of(&server, "/api");
	outcome_get(&world, &spec, outcome);
	assert_int_equal(outcome->dones, 1);
	world_close(&world);
	server_stop(&server);
}

static bool answer_plain(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
			       "Content-Length: 2\r\n\r\n{}");
}

static bool answer_chunked(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "3\r\none\r\n6\r\n two \n\r\n0\r\n\r\n");
}

static bool answer_split(struct server *server, int fd)
{
	const char *text = "HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 3\r\n\r\nabc";

	(void)server;
	for (; *text; text++)
		if (!server_send_bytes(fd, text, 1))
			return false;
	return true;
}

static bool answer_continue(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 100 Continue\r\n\r\n"
			       "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
}

static bool answer_gzip(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			       "Content-Length: 32\r\n\r\n") &&
	       server_send_bytes(fd, gzip_short, sizeof(gzip_short) - 1);
}

static bool answer_gzip_zeros(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			       "Content-Length: 96\r\n\r\n") &&
	       server_send_bytes(fd, gzip_zeros, sizeof(gzip_zeros) - 1);
}

static bool answer_until_close(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nup to the end");
	return false;
}

static void test_http_call_start_kinds_of_body_is_whole(void **state)
{
	const struct {
		bool (*answer)(struct server *, int);
		long status;
		const char *body, *type;
	} cases[] = {
		{ answer_plain, 200, "{}", "application/json" },
		{ answer_chunked, 200, "one two \n", "" },
		{ answer_split, 200, "abc", "a/b" },
		{ answer_continue, 201, "", "" },
		{ answer_gzip, 200, "a short text", "" },
		{ answer_until_close, 200, "up to the end", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome outcome = { 0 };

		get_from(cases[i].answer, (struct http_call_spec){ 0 }, &outcome);
		assert_ok(outcome.result.error);
		assert_string_equal(outcome.result.message, "");
		assert_int_equal(outcome.result.status, cases[i].status);
		assert_int_equal(outcome.status, cases[i].status);
		assert_int_equal(outcome.heads, 1);
		assert_false(outcome.result.truncated);
		assert_string_equal(strbuf_text(&outcome.body), cases[i].body);
		assert_string_equal(outcome.type, cases[i].type);
		strbuf_done(&outcome.body);
	}
}

static void test_http_call_start_request_says_all(void **state)
{
	static const char *const headers[] = { "Accept: application/json", "X-One: 1", NULL };
	struct http_identity identity = { .bearer = "abc.def" };
	struct http_call_spec spec = { .method = "POST",
				       .headers = headers,
				       .body = "{\"a\":1}",
				       .body_size = 7,
				       .identity = &identity };
	struct outcome outcome = { 0 };
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_plain);
	world_open(&world);
	spec.url = url_of(&server, "/api?a=b%3Dc");
	outcome_get(&world, &spec, &outcome);
	world_close(&world);
	server_stop(&server);
	assert_ok(outcome.result.error);
	assert_memory_equal(server.request, "POST /api?a=b%3Dc HTTP/1.1\r\n", 28);
	assert_non_null(strstr(server.request, "\r\nAccept: application/json\r\n"));
	assert_non_null(strstr(server.request, "\r\nX-One: 1\r\n"));
	assert_non_null(strstr(server.request, "\r\nUser-Agent: berth-test/1\r\n"));
	assert_non_null(strstr(server.request, "\r\nAuthorization: Bearer abc.def\r\n"));
	assert_non_null(strstr(server.request, "\r\nAccept-Encoding: gzip\r\n"));
	assert_non_null(strstr(server.request, "\r\n\r\n{\"a\":1}"));
	assert_null(strstr(server.request, "Expect:"));
	strbuf_done(&outcome.body);
}

/* A token must not go there. */
static void test_http_call_start_proxies_of_the_environment_are_not_asked(void **state)
{
	static const char *const names[] = { "http_proxy", "https_proxy", "HTTPS_PROXY",
					     "all_proxy", "ALL_PROXY" };
	struct outcome outcome = { 0 };
	unsigned int port;
	char proxy[64];
	int fd = server_bind(&port);

	(void)state;
	(void)snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_return_code(setenv(names[i], proxy, 1), errno);
	get_from(answer_plain, (struct http_call_spec){ 0 }, &outcome);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_return_code(unsetenv(names[i]), errno);
	(void)close(fd);
	assert_ok(outcome.result.error);
	assert_int_equal(outcome.result.status, 200);
	strbuf_done(&outcome.body);
}

static bool answer_cut_length(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	return false;
}

static bool answer_cut_chunk(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n");
	return false;
}

static bool answer_reset(struct server *server, int fd)
{
	struct linger linger = { .l_onoff = 1 };

	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	return false;
}

static void test_http_call_start_closed_in_the_middle_is_truncated(void **state)
{
	bool (*const answers[])(struct server *, int) = { answer_cut_length, answer_cut_chunk,
							  answer_reset };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct outcome outcome = { 0 };

		get_from(answers[i], (struct http_call_spec){ 0 }, &outcome);
		assert_errno(outcome.result.error, EPROTO);
		assert_true(outcome.result.truncated);
		assert_int_equal(outcome.result.status, 200);
		assert_string_equal(strbuf_text(&outcome.body), "half");
		assert_non_null(strstr(outcome.result.message, "in the middle"));
		strbuf_done(&outcome.body);
	}
}

static bool answer_nothing(struct server *server, int fd)
{
	(void)server;
	(void)fd;
	return false;
}

static bool answer_garbage(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
	return false;
}

static bool answer_bad_gzip(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
			       "Content-Length: 8\r\n\r\nnot gzip");
}

static void test_http_call_start_no_http_is_protocol_error(void **state)
{
	bool (*const answers[])(struct server *, int) = { answer_nothing, answer_garbage,
							  answer_bad_gzip };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct outcome outcome = { 0 };

		get_from(answers[i], (struct http_call_spec){ 0 }, &outcome);
		assert_errno(outcome.result.error, EPROTO);
		assert_non_null(strstr(outcome.result.message, "http://127.0.0.1:"));
		strbuf_done(&outcome.body);
	}
}

static bool answer_frozen(struct server *server, int fd)
{
	(void)server;
	server_wait_closed(fd);
	return false;
}

static bool answer_silent(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
	server_wait_closed(fd);
	return false;
}

static bool answer_half_head(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 200 OK\r\n");
	server_wait_closed(fd);
	return false;
}

/* A byte now and then, for ever. */
static bool answer_trickle(struct server *server, int fd)
{
	(void)server;
	if (!server_send(fd, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"))
		return false;
	while (server_send(fd, "x"))
		(void)usleep(2000);
	return false;
}

static void test_http_call_start_late_server_times_out(void **state)
{
	const struct {
		bool (*answer)(struct server *, int);
		struct http_call_spec spec;
		const char *message;
		bool truncated;
	} cases[] = {
		{ answer_frozen, { .answer_timeout_usec = SHORT_USEC }, "does not answer", false },
		{ answer_half_head, { .idle_timeout_usec = SHORT_USEC }, "nothing more", false },
		{ answer_silent, { .idle_timeout_usec = SHORT_USEC }, "nothing more", true },
		{ answer_trickle, { .total_timeout_usec = 2 * SHORT_USEC }, "not done", true },
		{ answer_frozen, { .total_timeout_usec = SHORT_USEC }, "not done", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct http_call_spec spec = cases[i].spec;
		struct outcome outcome = { 0 };

		get_from(cases[i].answer, spec, &outcome);
		/* The server's thread had no CPU in time for what it does send: again, with more
		 * time for all. */
		while (cases[i].truncated && outcome.heads == 0 &&
		       spec.total_timeout_usec < WORLD_PATIENCE_USEC / 5) {
			strbuf_done(&outcome.body);
			outcome = (struct outcome){ 0 };
			spec.total_timeout_usec *= 5;
			get_from(cases[i].answer, spec, &outcome);
		}
		assert_errno(outcome.result.error, ETIMEDOUT);
		assert_non_null(strstr(outcome.result.message, cases[i].message));
		assert_int_equal(outcome.result.truncated, cases[i].truncated);
		strbuf_done(&outcome.body);
	}
}

static void test_http_call_start_nobody_there_is_refused(void **state)
{
	struct http_call_spec spec = { .method = "GET" };
	struct outcome outcome = { 0 };
	struct world world;
	char url[64];
	unsigned int port;
	int fd = server_bind(&port);

	(void)state;
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", port);
	spec.url = url;
	world_open(&world);
	outcome_get(&world, &spec, &outcome);
	world_close(&world);
	(void)close(fd);
	assert_errno(outcome.result.error, ECONNREFUSED);
	assert_int_equal(outcome.result.status, 0);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u: connection refused", port);
	assert_non_null(strstr(outcome.result.message, url));
}

static void test_http_call_start_body_over_limit_is_too_big(void **state)
{
	bool (*const answers[])(struct server *, int) = { answer_trickle, answer_gzip_zeros };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		struct outcome outcome = { 0 };

		get_from(answers[i], (struct http_call_spec){ .body_limit = i ? 65535 : 3 },
			 &outcome);
		assert_errno(outcome.result.error, EFBIG);
		assert_true(outcome.body.length <= (i ? 65535 : 3));
		assert_int_equal(outcome.result.status, 200);
		strbuf_done(&outcome.body);
	}
}

static void test_http_call_start_body_at_limit_is_whole(void **state)
{
	struct outcome outcome = { 0 };

	(void)state;
	get_from(answer_gzip_zeros, (struct http_call_spec){ .body_limit = 65536 }, &outcome);
	assert_ok(outcome.result.error);
	assert_int_equal(outcome.body.length, 65536);
	strbuf_done(&outcome.body);
}

static bool answer_redirect(struct server *server, int fd)
{
	char text[256];

	(void)snprintf(text, sizeof(text),
		       "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%u/other\r\n"
		       "Content-Length: 0\r\n\r\n",
		       server->port);
	return server_send(fd, text);
}

static void test_http_call_start_redirect_is_not_followed(void **state)
{
	struct http_call_spec spec = { .method = "GET" };
	struct outcome outcome = { 0 };
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_redirect);
	world_open(&world);
	spec.url = url_of(&server, "/");
	outcome_get(&world, &spec, &outcome);
	world_close(&world);
	server_stop(&server);
	assert_ok(outcome.result.error);
	assert_int_equal(outcome.result.status, 302);
	assert_non_null(strstr(outcome.result.message, "redirect"));
	assert_int_equal(atomic_load(&server.requests), 1);
}

static bool answer_429(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\n"
			       "Content-Length: 4\r\n\r\nwait");
}

static bool answer_503(struct server *server, int fd)
{
	(void)server;
	return server_send(fd, "HTTP/1.1 503 No\r\nRetry-After: Fri, 01 Jan 2100 00:00:00 GMT\r\n"
			       "Content-Length: 0\r\n\r\n");
}

static void test_http_call_start_retry_after_is_told(void **state)
{
	struct outcome seconds = { 0 }, date = { 0 };

	(void)state;
	get_from(answer_429, (struct http_call_spec){ 0 }, &seconds);
	get_from(answer_503, (struct http_call_spec){ 0 }, &date);
	assert_ok(seconds.result.error);
	assert_int_equal(seconds.result.status, 429);
	assert_int_equal(seconds.result.retry_after_usec, 7 * USEC_PER_SEC);
	assert_int_equal(date.result.retry_after_usec, 600 * USEC_PER_SEC);
	strbuf_done(&seconds.body);
}

static void get_tls_from_plain(bool (*answer)(struct server *, int), uint64_t timeout_usec,
			       struct outcome *outcome)
{
	struct http_call_spec spec = { .method = "GET", .connect_timeout_usec = timeout_usec };
	struct server server;
	struct world world;
	char url[64];

	server_start(&server, answer);
	server.is_raw = true; /* a TLS hello is no request */
	world_open(&world);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%u/", server.port);
	spec.url = url;
	outcome_get(&world, &spec, outcome);
	world_close(&world);
	server_stop(&server);
}

static bool answer_400(struct server *server, int fd)
{
	(void)server;
	(void)server_send(fd, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
	server_wait_closed(fd);
	return false;
}

static void test_http_call_start_tls_to_plain_server_says_so(void **state)
{
	struct outcome plain = { 0 }, frozen = { 0 }, closed = { 0 };

	(void)state;
	get_tls_from_plain(answer_400, WORLD_PATIENCE_USEC, &plain);
	get_tls_from_plain(answer_frozen, SHORT_USEC, &frozen);
	get_tls_from_plain(answer_nothing, WORLD_PATIENCE_USEC, &closed);
	assert_errno(plain.result.error, EPROTO);
	assert_non_null(strstr(plain.result.message, "does not speak TLS"));
	assert_errno(frozen.result.error, ETIMEDOUT);
	assert_non_null(strstr(frozen.result.message, "no connection within 0.06 s"));
	assert_errno(closed.result.error, EPROTO);
	assert_non_null(strstr(closed.result.message, "no TLS connection"));
}

static void test_http_call_start_bad_spec_is_invalid(void **state)
{
	static const char *const bad_header[] = { "A: b\r\nC: d", NULL };
	struct http_identity bad_bearer = { .bearer = "a\nb" };
	struct http_identity bad_name = { .server_name = "a/b" };
	const struct http_call_spec specs[] = {
		{ .url = "http://10.0.0.1/" },
		{ .url = "http://example.com/" },
		{ .url = "http://127.0.0.1.example.com/" },
		{ .url = "http://user:word@127.0.0.1/" },
		{ .url = "ftp://127.0.0.1/" },
		{ .url = "https://127.0.0.1:0/" },
		{ .url = "https://127.0.0.1:70000/" },
		{ .url = "https:///" },
		{ .url = "https://[::1/" },
		{ .url = "https://a b/" },
		{ .url = "127.0.0.1:6443" },
		{ .url = "" },
		{ .url = "https://127.0.0.1/", .headers = bad_header },
		{ .url = "https://127.0.0.1/", .identity = &bad_bearer },
		{ .url = "https://127.0.0.1/", .identity = &bad_name },
	};
	struct world world;

	(void)state;
	world_open(&world);
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct http_call_spec spec = specs[i];
		struct http_call *call = NULL;

		spec.method = "GET";
		assert_errno(http_call_start(world.client, &spec, &outcome_handlers, NULL, &call),
			     EINVAL);
		assert_null(call);
	}
	world_close(&world);
}

static void on_done_start_next(struct outcome *outcome)
{
	struct outcome *next = outcome + 1;
	struct http_call_spec spec = { .method = "GET" };

	spec.url = next->type; /* the test put it there */
	outcome_start(outcome->world, &spec, next);
}

static void test_http_call_start_from_done_reuses_connection(void **state)
{
	struct outcome outcomes[4] = { { 0 } };
	struct http_call_spec spec = { .method = "GET" };
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_plain);
	world_open(&world);
	spec.url = url_of(&server, "/");
	for (size_t i = 0; i < 3; i++) {
		(void)snprintf(outcomes[i + 1].type, sizeof(outcomes[i + 1].type), "%s", spec.url);
		outcomes[i].on_done = on_done_start_next;
	}
	outcome_start(&world, &spec, &outcomes[0]);
	world_run_until(&world, &outcomes[3].dones, 1);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(outcomes[i].result.error);
		assert_string_equal(strbuf_text(&outcomes[i].body), "{}");
		strbuf_done(&outcomes[i].body);
	}
	world_close(&world);
	server_stop(&server);
	assert_int_equal(atomic_load(&server.connections), 1);
	assert_int_equal(atomic_load(&server.requests), 4);
}

static void test_http_call_start_from_body_is_made_after(void **state)
{
	struct outcome outcomes[2] = { { 0 } };
	struct http_call_spec spec = { .method = "GET" };
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_plain);
	world_open(&world);
	spec.url = url_of(&server, "/");
	(void)snprintf(outcomes[1].type, sizeof(outcomes[1].type), "%s", spec.url);
	outcomes[0].on_body = on_done_start_next;
	outcome_start(&world, &spec, &outcomes[0]);
	world_run_until(&world, &outcomes[1].dones, 1);
	world_run_until(&world, &outcomes[0].dones, 1);
	assert_ok(outcomes[0].result.error);
	assert_ok(outcomes[1].result.error);
	world_close(&world);
	server_stop(&server);
	strbuf_done(&outcomes[0].body);
	strbuf_done(&outcomes[1].body);
}

static void free_call(struct outcome *outcome)
{
	outcome->call = http_call_free(outcome->call);
}

static void free_client(struct outcome *outcome)
{
	outcome->world->client = http_client_free(outcome->world->client);
}

static void test_http_call_free_in_own_handlers_ends_it(void **state)
{
	const struct {
		struct outcome outcome;
		unsigned int heads, pieces, dones;
	} cases[] = {
		{ { .on_head = free_call }, 1, 0, 0 },   { { .on_body = free_call }, 1, 1, 0 },
		{ { .on_done = free_call }, 1, 1, 1 },   { { .on_head = free_client }, 1, 0, 0 },
		{ { .on_body = free_client }, 1, 1, 0 }, { { .on_done = free_client }, 1, 1, 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct outcome outcome = cases[i].outcome;
		struct http_call_spec spec = { .method = "GET" };
		struct server server;
		struct world world;

		server_start(&server, answer_plain);
		world_open(&world);
		spec.url = url_of(&server, "/");
		outcome_start(&world, &spec, &outcome);
		world_run_until(&world,
				cases[i].dones    ? &outcome.dones
				: cases[i].pieces ? &outcome.pieces
						  : &outcome.heads,
				1);
		/* What would still come, comes now. */
		for (unsigned int turn = 0; turn < 20; turn++)
			assert_ok(sd_event_run(world.event, 1000));
		assert_int_equal(outcome.heads, cases[i].heads);
		assert_int_equal(outcome.pieces, cases[i].pieces);
		assert_int_equal(outcome.dones, cases[i].dones);
		world_close(&world);
		server_stop(&server);
		strbuf_done(&outcome.body);
	}
}

static void test_http_call_free_before_it_began_tells_nothing(void **state)
{
	struct http_call_spec spec = { .method = "GET" };
	struct outcome outcome = { 0 };
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_plain);
	world_open(&world);
	spec.url = url_of(&server, "/");
	outcome_start(&world, &spec, &outcome);
	assert_int_equal(outcome.heads + outcome.pieces + outcome.dones, 0);
	assert_null(http_call_free(outcome.call));
	assert_null(http_call_free(NULL));
	for (unsigned int turn = 0; turn < 5; turn++)
		assert_ok(sd_event_run(world.event, 1000));
	assert_int_equal(outcome.heads + outcome.pieces + outcome.dones, 0);
	world_close(&world);
	server_stop(&server);
}

static void test_http_handlers_that_refuse_cancel(void **state)
{
	struct outcome in_head = { .head_returns = -EBADMSG };
	struct outcome in_body = { .body_returns = -EBADMSG };

	(void)state;
	get_from(answer_plain, (struct http_call_spec){ 0 }, &in_head);
	get_from(answer_plain, (struct http_call_spec){ 0 }, &in_body);
	assert_errno(in_head.result.error, ECANCELED);
	assert_int_equal(in_head.pieces, 0);
	assert_errno(in_body.result.error, ECANCELED);
	assert_int_equal(in_body.result.status, 200);
	strbuf_done(&in_body.body);
}

/* Longer than a turn gets: what follows is kept by libcurl, and handed on in the next turn. */
static void head_takes_long(struct outcome *outcome)
{
	uint64_t until = world_now() + 2ull * HTTP_SLICE_USEC;

	(void)outcome;
	while (world_now() < until)
		;
}

static void test_http_handlers_that_refuse_a_later_turn_cancel(void **state)
{
	struct outcome outcome = { .body_returns = -EBADMSG, .on_head = head_takes_long };
	uint64_t began = world_now();

	(void)state;
	/* This server sends a piece and then nothing: only the refusal can end it. */
	get_from(answer_silent, (struct http_call_spec){ 0 }, &outcome);
	assert_errno(outcome.result.error, ECANCELED);
	assert_int_equal(outcome.pieces, 1);
	assert_true(world_now() - began < 20 * USEC_PER_SEC);
	strbuf_done(&outcome.body);
}

#define BIG_BYTES (4u << 20)

static bool answer_big(struct server *server, int fd)
{
	static char block[65536];
	char head[128];

	(void)server;
	memset(block, 'b', sizeof(block));
	(void)snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %u\r\n\r\n",
		       BIG_BYTES);
	if (!server_send(fd, head))
		return false;
	for (size_t sent = 0; sent < BIG_BYTES; sent += sizeof(block))
		if (!server_send_bytes(fd, block, sizeof(block)))
			return false;
	return true;
}

struct neighbour {
	const struct outcome *outcomes;
	unsigned int seen, most, turns;
};

/* Takes a fifth of a slice, so that not more than five fit in. */
static void on_body_slow(struct outcome *outcome)
{
	uint64_t until = world_now() + HTTP_SLICE_USEC / 5;

	(void)outcome;
	while (world_now() < until)
		continue;
}

/* Always wants to run: how many pieces were handed on since it did? */
static int on_neighbour(sd_event_source *source, uint64_t usec, void *data)
{
	struct neighbour *neighbour = data;
	unsigned int pieces = neighbour->outcomes[0].pieces + neighbour->outcomes[1].pieces;

	(void)usec;
	neighbour->most = MAX(neighbour->most, pieces - neighbour->seen);
	neighbour->seen = pieces;
	neighbour->turns++;
	return sd_event_source_set_time(source, world_now());
}

static void test_http_call_long_body_leaves_turns_to_others(void **state)
{
	struct outcome outcomes[2] = { { .on_body = on_body_slow }, { .on_body = on_body_slow } };
	struct neighbour neighbour = { .outcomes = outcomes };
	struct http_call_spec spec = { .method = "GET" };
	sd_event_source *source = NULL;
	struct server server;
	struct world world;

	(void)state;
	server_start(&server, answer_big);
	world_open(&world);
	assert_ok(sd_event_add_time(world.event, &source, CLOCK_MONOTONIC, world_now(), 1,
				    on_neighbour, &neighbour));
	assert_ok(sd_event_source_set_enabled(source, SD_EVENT_ON));
	spec.url = url_of(&server, "/");
	outcome_start(&world, &spec, &outcomes[0]);
	outcome_start(&world, &spec, &outcomes[1]);
	world_run_until(&world, &outcomes[0].dones, 1);
	world_run_until(&world, &outcomes[1].dones, 1);
	for (size_t i = 0; i < 2; i++) {
		assert_ok(outcomes[i].result.error);
		assert_int_equal(outcomes[i].body.length, BIG_BYTES);
		assert_null(memchr(outcomes[i].body.text, 'b' + 1, BIG_BYTES));
		strbuf_done(&outcomes[i].body);
	}
	assert_true(http_client_longest_usec(world.client) >= HTTP_SLICE_USEC / 5);
	sd_event_source_unref(source);
	world_close(&world);
	server_stop(&server);
	/* Two dispatches of ours may come before its next one, not more. */
	assert_in_range(neighbour.most, 1, 12);
	assert_true(neighbour.turns > 2 * BIG_BYTES / 16384 / 12);
}

static void test_http_call_idle_watch_wakes_nobody(void **state)
{
	struct http_call_spec spec = { .method = "GET" };
	struct outcome outcome = { 0 };
	struct server server;
	struct world world;
	unsigned int woken = 0;
	uint64_t until;

	(void)state;
	server_start(&server, answer_silent);
	world_open(&world);
	spec.url = url_of(&server, "/");
	outcome_start(&world, &spec, &outcome);
	world_run_until(&world, &outcome.pieces, 1);
	until = world_now() + 1500 * USEC_PER_MSEC;
	while (world_now() < until) {
		int r = sd_event_run(world.event, until - world_now());

		assert_ok(r);
		woken += r > 0;
	}
	assert_true(woken <= 1);
	assert_int_equal(outcome.dones, 0);
	world_close(&world);
	server_stop(&server);
	strbuf_done(&outcome.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_call_start_kinds_of_body_is_whole),
		cmocka_unit_test(test_http_call_start_request_says_all),
		cmocka_unit_test(test_http_call_start_proxies_of_the_environment_are_not_asked),
		cmocka_unit_test(test_http_call_start_closed_in_the_middle_is_truncated),
		cmocka_unit_test(test_http_call_start_no_http_is_protocol_error),
		cmocka_unit_test(test_http_call_start_late_server_times_out),
		cmocka_unit_test(test_http_call_start_nobody_there_is_refused),
		cmocka_unit_test(test_http_call_start_body_over_limit_is_too_big),
		cmocka_unit_test(test_http_call_start_body_at_limit_is_whole),
		cmocka_unit_test(test_http_call_start_redirect_is_not_followed),
		cmocka_unit_test(test_http_call_start_retry_after_is_told),
		cmocka_unit_test(test_http_call_start_tls_to_plain_server_says_so),
		cmocka_unit_test(test_http_call_start_bad_spec_is_invalid),
		cmocka_unit_test(test_http_call_start_from_done_reuses_connection),
		cmocka_unit_test(test_http_call_start_from_body_is_made_after),
		cmocka_unit_test(test_http_call_free_in_own_handlers_ends_it),
		cmocka_unit_test(test_http_call_free_before_it_began_tells_nothing),
		cmocka_unit_test(test_http_handlers_that_refuse_cancel),
		cmocka_unit_test(test_http_handlers_that_refuse_a_later_turn_cancel),
		cmocka_unit_test(test_http_call_long_body_leaves_turns_to_others),
		cmocka_unit_test(test_http_call_idle_watch_wakes_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
