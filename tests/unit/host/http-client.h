/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/client.h - the other end of an http_server, on the loop of the test: bytes out, bytes in,
 * and the loop runs in between until the answer is there.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "berth-test.h"
#include "macro.h"

#define CLIENT_PATIENCE_USEC (20 * USEC_PER_SEC)

static inline uint64_t client_now(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* To whatever the listening socket is bound to. */
static inline int client_connect(int listen_fd)
{
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	int fd;

	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &length), 0);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

/* Runs the loop while the server cannot take more. False: it closed the connection. */
static inline bool client_send_bytes(sd_event *event, int fd, const char *bytes, size_t size)
{
	uint64_t until = client_now() + CLIENT_PATIENCE_USEC;

	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno != EAGAIN)
			return false;
		if (n > 0) {
			bytes += n;
			size -= (size_t)n;
		}
		assert_ok(sd_event_run(event, 1000));
		assert_true(client_now() < until);
	}
	return true;
}

static inline bool client_send(sd_event *event, int fd, const char *text)
{
	return client_send_bytes(event, fd, text, strlen(text));
}

/* Bytes of a whole answer at text; 0 while some are missing. */
static inline size_t client_answer_length(const char *text, bool is_head)
{
	const char *end = strstr(text, "\r\n\r\n");
	const char *length = strstr(text, "Content-Length: ");
	size_t whole;

	if (!end)
		return 0;
	/* Every answer of this server says how long it is. */
	assert_non_null(length);
	assert_true(length < end);
	whole = (size_t)(end - text) + 4;
	if (!is_head)
		whole += strtoul(length + strlen("Content-Length: "), NULL, 10);
	return strlen(text) >= whole ? whole : 0;
}

struct client_answer {
	char *text; /* of size bytes */
	size_t size, length;
	bool is_head, is_closed;
};

/* One pass of the loop, and what came. */
static inline void client_step(sd_event *event, int fd, struct client_answer *answer)
{
	ssize_t n;

	assert_ok(sd_event_run(event, 1000));
	assert_true(answer->length < answer->size - 1);
	n = recv(fd, answer->text + answer->length, answer->size - 1 - answer->length,
		 MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		answer->is_closed = true;
	if (n > 0)
		answer->length += (size_t)n;
	answer->text[answer->length] = '\0';
}

/* Until `count` answers are there, or the connection is closed. */
static inline void client_receive(sd_event *event, int fd, unsigned int count,
				  struct client_answer *answer)
{
	uint64_t until = client_now() + CLIENT_PATIENCE_USEC;
	size_t done = 0;

	while (count > 0 && !answer->is_closed) {
		size_t length;

		client_step(event, fd, answer);
		while (count > 0 &&
		       (length = client_answer_length(answer->text + done, answer->is_head)) > 0) {
			done += length;
			count--;
		}
		assert_true(client_now() < until);
	}
}
