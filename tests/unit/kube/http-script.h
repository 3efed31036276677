/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-script.h - an API server that does what a script says: one request, one step, in order. It
 * is a thread of its own on a port of the loopback, so that nothing of the code under test can be
 * what makes it move.
 */
#pragma once

#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#define SCRIPT_REQUESTS     32u
#define SCRIPT_REQUEST_SIZE 4096u

enum script_end {
	END_LENGTH, /* Content-Length, and the connection is closed after it */
	END_CHUNK,  /* chunked, with its last chunk */
	END_CUT,    /* chunked, without: as an apiserver that was killed */
	END_HOLD,   /* chunked, and open until the client hangs up or the script is over */
};

struct script_step {
	const char *status;  /* "200 OK" */
	const char *headers; /* each with its \r\n; NULL: JSON */
	const char *body;
	enum script_end end;
};

struct script {
	const struct script_step *steps; /* ends with a NULL status */
	int fd, stop[2];
	unsigned int port;
	pthread_t thread;
	atomic_uint asked; /* requests that have come in whole */
	char requests[SCRIPT_REQUESTS][SCRIPT_REQUEST_SIZE];
};

static inline void script_send(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		bytes += n;
		size -= (size_t)n;
	}
}

/* Head and body, NUL terminated. False: it hung up. */
static inline bool script_receive(int fd, char *text)
{
	size_t size = 0, wanted = 0;

	while (size + 1 < SCRIPT_REQUEST_SIZE) {
		ssize_t n = recv(fd, text + size, SCRIPT_REQUEST_SIZE - 1 - size, 0);
		const char *end, *length;

		if (n <= 0)
			return false;
		size += (size_t)n;
		text[size] = '\0';
		end = strstr(text, "\r\n\r\n");
		if (!end)
			continue;
		length = strcasestr(text, "\r\ncontent-length: ");
		if (wanted == 0)
			wanted = (size_t)(end + 4 - text) +
				 (length ? strtoul(length + 18, NULL, 10) : 0);
		if (size >= wanted)
			return true;
	}
	return false;
}

static inline void script_answer(const struct script *script, int fd,
				 const struct script_step *step)
{
	char head[1024];
	size_t size = strlen(step->body);
	int n;

	n = snprintf(head, sizeof(head), "HTTP/1.1 %s\r\n%sConnection: close\r\n", step->status,
		     step->headers ? step->headers : "Content-Type: application/json\r\n");
	if (step->end == END_LENGTH)
		n += snprintf(head + n, sizeof(head) - (size_t)n, "Content-Length: %zu\r\n\r\n",
			      size);
	else
		n += snprintf(head + n, sizeof(head) - (size_t)n,
			      "Transfer-Encoding: chunked\r\n\r\n");
	script_send(fd, head, (size_t)n);
	if (step->end == END_LENGTH) {
		script_send(fd, step->body, size);
		return;
	}
	if (size > 0) {
		n = snprintf(head, sizeof(head), "%zx\r\n", size);
		script_send(fd, head, (size_t)n);
		script_send(fd, step->body, size);
		script_send(fd, "\r\n", 2);
	}
	if (step->end == END_CHUNK)
		script_send(fd, "0\r\n\r\n", 5);
	if (step->end == END_HOLD) {
		struct pollfd wait[] = { { .fd = fd, .events = POLLIN },
					 { .fd = script->stop[0], .events = POLLIN } };

		(void)poll(wait, 2, -1);
	}
}

static inline void *script_run(void *data)
{
	struct script *script = data;

	for (const struct script_step *step = script->steps; step->status;) {
		struct pollfd wait[] = { { .fd = script->fd, .events = POLLIN },
					 { .fd = script->stop[0], .events = POLLIN } };
		unsigned int asked = atomic_load(&script->asked);
		int fd;

		if (poll(wait, 2, -1) < 0 || wait[1].revents || asked == SCRIPT_REQUESTS)
			break;
		fd = accept4(script->fd, NULL, NULL, SOCK_CLOEXEC);
		/* A client may connect and think better of it. */
		if (fd >= 0 && script_receive(fd, script->requests[asked])) {
			atomic_store(&script->asked, asked + 1);
			script_answer(script, fd, step++);
		}
		if (fd >= 0)
			(void)close(fd);
	}
	/* Refused from here on. */
	(void)close(script->fd);
	return NULL;
}

static inline struct script *script_start(const struct script_step *steps)
{
	struct script *script = calloc(1, sizeof(*script));
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);

	assert_non_null(script);
	script->steps = steps;
	script->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(script->fd >= 0);
	assert_return_code(bind(script->fd, (struct sockaddr *)&address, size), errno);
	assert_return_code(getsockname(script->fd, (struct sockaddr *)&address, &size), errno);
	assert_return_code(listen(script->fd, 8), errno);
	assert_return_code(pipe(script->stop), errno);
	script->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&script->thread, NULL, script_run, script), 0);
	return script;
}

static inline void script_stop(struct script *script)
{
	if (!script)
		return;
	(void)close(script->stop[1]);
	(void)pthread_join(script->thread, NULL);
	(void)close(script->stop[0]);
	free(script);
}

/* "": that request has not come. */
static inline const char *script_request(struct script *script, unsigned int index)
{
	return atomic_load(&script->asked) > index ? script->requests[index] : "";
}
