/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-rig.h - an http_server with routes of every kind on a loop, and one call to ask it
 * something.
 */
#pragma once

#include <fcntl.h>
#include <sys/stat.h>

#include "api/http/server-internal.h"
#include "berth-test.h"
#include "fixture-copy.h"
#include "host/http-client.h"
#include "limit.h"

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
	struct blob *blob; /* what /blob gives; NULL: none */
	char directory[32];
	char text[256 * 1024];
};

static inline void handle_hello(void *data, const struct http_request *request,
				struct http_response *response)
{
	struct rig *rig = data;

	rig->peer = (struct peer){ request->uid, request->gid, request->pid, request->is_local };
	response->content_type = "text/plain";
	strbuf_add(&response->body, "hello\n");
}

static inline void handle_path(void *data, const struct http_request *request,
			       struct http_response *response)
{
	const char *query = http_query(request, "q");

	(void)data;
	response->status = 202;
	strbuf_addf(&response->body, "%s %s %s", request->path, query ? query : "-",
		    request->accept ? request->accept : "-");
}

static inline void handle_echo(void *data, const struct http_request *request,
			       struct http_response *response)
{
	(void)data;
	assert_int_equal(request->body[request->body_length], '\0');
	strbuf_add_bytes(&response->body, request->body, request->body_length);
}

#define LARGE (200u * 1024)

static inline void handle_large(void *data, const struct http_request *request,
				struct http_response *response)
{
	(void)data;
	(void)request;
	for (unsigned int i = 0; i < LARGE / 8; i++)
		strbuf_addf(&response->body, "%08u", i);
}

static inline void handle_blob(void *data, const struct http_request *request,
			       struct http_response *response)
{
	const struct rig *rig = data;

	response->content_type = "text/plain";
	/* A blob goes before a body. */
	strbuf_add(&response->body, "not this");
	response->blob = blob_ref(rig->blob);
	response->encoding = request->accept_encoding ? "gzip" : NULL;
}

static const struct http_route routes[] = {
	{ "GET", "/hello", false, handle_hello },
	{ "POST", "/echo", false, handle_echo },
	{ "GET", "/both", false, handle_hello },
	{ "POST", "/both", false, handle_echo },
	{ "GET", "/tree/", false, handle_path },
	{ "GET", "/large", false, handle_large },
	{ "POST", "/root", true, handle_hello },
	{ "GET", "/blob", false, handle_blob },
	{ NULL, NULL, false, NULL },
};

/* Silence is soon over; a request is; and only the number of connections is small. */
static const struct http_limits quick_idle = { 4, 1, 60 * USEC_PER_SEC };
static const struct http_limits quick_request = { 4, 10, 2 * USEC_PER_SEC };
static const struct http_limits few = { 4, 60, 60 * USEC_PER_SEC };

static inline int rig_setup(void **state, bool local, const struct http_limits *limits)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int fd, dir;

	assert_non_null(rig);
	assert_ok(sd_event_new(&rig->event));
	rig->directory_fd = -EBADF;
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
		assert_ok(http_server_new_limited(rig->event, fd, routes, rig, NULL, limits,
						  &rig->server));
	else
		assert_ok(http_server_new(rig->event, fd, routes, rig, &rig->server));
	*state = rig;
	return 0;
}

static inline int tcp_setup(void **state)
{
	return rig_setup(state, false, NULL);
}

static inline int local_setup(void **state)
{
	return rig_setup(state, true, NULL);
}

static inline int quick_idle_setup(void **state)
{
	return rig_setup(state, false, &quick_idle);
}

static inline int quick_request_setup(void **state)
{
	return rig_setup(state, false, &quick_request);
}

static inline int few_setup(void **state)
{
	return rig_setup(state, false, &few);
}

static inline int rig_teardown(void **state)
{
	struct rig *rig = *state;

	assert_null(http_server_free(rig->server));
	(void)close(rig->listen_fd);
	(void)close_keep_errno(rig->directory_fd);
	(void)sd_event_unref(rig->event);
	fixture_remove(rig->directory);
	(void)blob_unref(rig->blob);
	free(rig);
	return 0;
}

/* One request, one answer, on a connection of its own. */
static inline const char *ask(struct rig *rig, const char *request)
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

static inline const char *body_of(const char *answer)
{
	const char *end = strstr(answer, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

#define HOST       " HTTP/1.1\r\nHost: x\r\n"
#define CLOSING(s) "Content-Length: " s "\r\n\r\n"

static inline void check_status(const char *answer, const char *status)
{
	if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0)
		fail_msg("expected %s: %.200s", status, answer);
}
