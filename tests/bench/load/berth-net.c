/* SPDX-License-Identifier: Apache-2.0 */
/*
 * berth-net - flows of the benchmark `net` and the scenario `network`.
 *
 *   berth-net serve PORT                           takes TCP and UDP, and counts
 *   berth-net send ADDRESS PORT KIND RATE MSEC     KIND: tcp, udp (connected), udp-to (not)
 *
 * send prints one JSON line: bytes that the other side got, and in how many milliseconds. RATE is
 * in bytes a second, 0 for as many as get through.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "macro.h"
#include "monotonic.h"
#include "parse.h"

#define CONNECTIONS 64u
#define CHUNK       65536u
#define DATAGRAM    1400u
#define ASK         "how many?"
#define ANSWER_MSEC 200
#define ANSWERS     25

static char buffer[CHUNK];

static int fail(const char *what)
{
	(void)fprintf(stderr, "berth-net: %s: %s\n", what, strerror(errno));
	return EXIT_FAILURE;
}

/* ---- the other side ---- */

static uint64_t totals[CONNECTIONS + 2];

/* The peer has shut its side down: it is told what came. */
static void stream_end(struct pollfd *poll_fd, uint64_t *total)
{
	(void)!send(poll_fd->fd, total, sizeof(*total), MSG_NOSIGNAL);
	(void)close(poll_fd->fd);
	poll_fd->fd = -1;
	*total = 0;
}

static void stream_accept(int listener, struct pollfd *fds)
{
	int fd = accept(listener, NULL, NULL);

	for (unsigned int i = 2; fd >= 0 && i < CONNECTIONS + 2; i++) {
		if (fds[i].fd >= 0)
			continue;
		fds[i] = (struct pollfd){ .fd = fd, .events = POLLIN };
		return;
	}
	if (fd >= 0)
		(void)close(fd);
}

static void datagram_read(int fd)
{
	struct sockaddr_in from;
	socklen_t length = sizeof(from);
	ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &length);

	if (n != (ssize_t)strlen(ASK)) {
		totals[1] += n > 0 ? (uint64_t)n : 0;
		return;
	}
	(void)!sendto(fd, &totals[1], sizeof(totals[1]), 0, (struct sockaddr *)&from, length);
}

static int serve(uint16_t port)
{
	const struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct pollfd fds[CONNECTIONS + 2];
	static const int yes = 1;

	for (unsigned int i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = (struct pollfd){ .fd = -1, .events = POLLIN };
	fds[0].fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	fds[1].fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	(void)setsockopt(fds[0].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	for (unsigned int i = 0; i < 2; i++)
		if (bind(fds[i].fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
			return fail("bind");
	if (listen(fds[0].fd, 16) < 0)
		return fail("listen");
	while (poll(fds, ARRAY_SIZE(fds), -1) > 0) {
		if (fds[0].revents)
			stream_accept(fds[0].fd, fds);
		if (fds[1].revents)
			datagram_read(fds[1].fd);
		for (unsigned int i = 2; i < ARRAY_SIZE(fds); i++) {
			ssize_t n = fds[i].revents ? recv(fds[i].fd, buffer, sizeof(buffer), 0) : 1;

			if (n <= 0)
				stream_end(&fds[i], &totals[i]);
			else if (fds[i].revents)
				totals[i] += (uint64_t)n;
		}
	}
	return fail("poll");
}

/* ---- the sender ---- */

static void rest_until(uint64_t usec)
{
	uint64_t now = monotonic_usec();

	if (now < usec)
		(void)usleep((useconds_t)(usec - now));
}

/* Sends for that long; returns the bytes that the kernel took. */
static uint64_t flow(int fd, const struct sockaddr_in *to, size_t chunk, uint64_t rate,
		     uint64_t end)
{
	uint64_t begin = monotonic_usec(), sent = 0;

	while (monotonic_usec() < end) {
		size_t size = rate && rate / 100 < chunk ? MAX(rate / 100, (uint64_t)1) : chunk;
		ssize_t n = to ? sendto(fd, buffer, size, MSG_NOSIGNAL, (const struct sockaddr *)to,
					sizeof(*to))
			       : send(fd, buffer, size, MSG_NOSIGNAL);

		/* A full queue, or a packet that was dropped right here. */
		if (n < 0 && errno != ENOBUFS && errno != EPERM && errno != EAGAIN &&
		    errno != ECONNREFUSED)
			break;
		sent += n > 0 ? (uint64_t)n : 0;
		if (rate)
			rest_until(begin + sent * 1000000 / rate);
	}
	return sent;
}

/* What the other side got of a stream; that of the last bytes comes when they have. */
static uint64_t stream_total(int fd)
{
	uint64_t total = 0;

	(void)shutdown(fd, SHUT_WR);
	if (recv(fd, &total, sizeof(total), MSG_WAITALL) != (ssize_t)sizeof(total))
		return 0;
	return total;
}

/* Datagrams may be lost, the question too. */
static uint64_t datagram_total(int fd, const struct sockaddr_in *to)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	uint64_t total = 0;

	for (unsigned int i = 0; i < ANSWERS; i++) {
		(void)!sendto(fd, ASK, strlen(ASK), 0, (const struct sockaddr *)to,
			      to ? sizeof(*to) : 0);
		if (poll(&poll_fd, 1, ANSWER_MSEC) > 0 &&
		    recv(fd, &total, sizeof(total), 0) == (ssize_t)sizeof(total))
			return total;
	}
	return 0;
}

static int send_flow(const struct sockaddr_in *to, const char *kind, uint64_t rate, uint64_t msec)
{
	bool stream = strcmp(kind, "tcp") == 0;
	bool connected = strcmp(kind, "udp-to") != 0;
	/* A short queue of its own: what is counted at the end is what was sent in time. */
	static const int queue = 262144;
	int fd = socket(AF_INET, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
	uint64_t begin, before = 0, total;

	(void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &queue, sizeof(queue));
	if (fd < 0 || (connected && connect(fd, (const struct sockaddr *)to, sizeof(*to)) < 0))
		return fail("connect");
	to = connected ? NULL : to;
	if (!stream)
		before = datagram_total(fd, to);
	begin = monotonic_usec();
	(void)flow(fd, to, stream ? CHUNK : DATAGRAM, rate, begin + msec * 1000);
	total = stream ? stream_total(fd) : datagram_total(fd, to) - before;
	printf("{\"kind\": \"%s\", \"bytes\": %" PRIu64 ", \"msec\": %" PRIu64 "}\n", kind, total,
	       (monotonic_usec() - begin) / 1000);
	(void)close(fd);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct sockaddr_in to = { .sin_family = AF_INET };
	uint64_t port = 0, rate, msec;

	if (argc == 3 && strcmp(argv[1], "serve") == 0 && parse_u64(argv[2], &port) == 0 &&
	    port > 0 && port <= UINT16_MAX)
		return serve((uint16_t)port);
	if (argc == 7 && strcmp(argv[1], "send") == 0 &&
	    inet_pton(AF_INET, argv[2], &to.sin_addr) == 1 && parse_u64(argv[3], &port) == 0 &&
	    port <= UINT16_MAX && parse_u64(argv[5], &rate) == 0 &&
	    parse_u64(argv[6], &msec) == 0) {
		to.sin_port = htons((uint16_t)port);
		return send_flow(&to, argv[4], rate, msec);
	}
	(void)fprintf(stderr, "usage: berth-net serve PORT\n"
			      "       berth-net send ADDRESS PORT tcp|udp|udp-to RATE MSEC\n");
	return EXIT_FAILURE;
}
