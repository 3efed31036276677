/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/server.h - a real server on the loopback for tests of http/client.h: a thread for each
 * connection, that answers as the test's function says, byte by byte where that matters.
 */
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

#include "berth-test.h"

#define SERVER_CONNECTIONS 16

struct server {
	int listen_fd;
	unsigned int port;
	pthread_t acceptor, threads[SERVER_CONNECTIONS];
	struct server_peer {
		struct server *server;
		int fd;
	} peers[SERVER_CONNECTIONS];
	size_t count;
	atomic_uint connections, requests;
	char request[8192]; /* the last one, with its body */
	atomic_bool is_raw; /* answers without a request */
	/* False: the connection is closed. */
	bool (*answer)(struct server *server, int fd);
};

static inline bool server_send_bytes(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static inline bool server_send(int fd, const char *text)
{
	return server_send_bytes(fd, text, strlen(text));
}

/* Until the other side closes. */
static inline void server_wait_closed(int fd)
{
	char bytes[512];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		continue;
}

/* The head and, as Content-Length says, the body. */
static inline bool server_receive(struct server *server, int fd)
{
	size_t length = 0, whole = sizeof(server->request);

	while (length < whole && length < sizeof(server->request) - 1) {
		ssize_t n =
			recv(fd, server->request + length, sizeof(server->request) - 1 - length, 0);
		const char *end, *body;

		if (n <= 0)
			return false;
		length += (size_t)n;
		server->request[length] = '\0';
		end = strstr(server->request, "\r\n\r\n");
		if (!end)
			continue;
		body = strstr(server->request, "Content-Length: ");
		whole = (size_t)(end + 4 - server->request);
		if (body && body < end)
			whole += strtoul(body + strlen("Content-Length: "), NULL, 10);
	}
	return true;
}

static inline void *server_peer_run(void *data)
{
	struct server_peer *peer = data;

	while (peer->server->is_raw || server_receive(peer->server, peer->fd)) {
		atomic_fetch_add(&peer->server->requests, 1);
		if (!peer->server->answer(peer->server, peer->fd))
			break;
	}
	(void)shutdown(peer->fd, SHUT_RDWR);
	return NULL;
}

static inline void *server_accept_run(void *data)
{
	struct server *server = data;

	while (server->count < SERVER_CONNECTIONS) {
		struct server_peer *peer = &server->peers[server->count];

		peer->server = server;
		peer->fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (peer->fd < 0)
			break;
		atomic_fetch_add(&server->connections, 1);
		if (pthread_create(&server->threads[server->count], NULL, server_peer_run, peer)) {
			(void)close(peer->fd);
			break;
		}
		server->count++;
	}
	return NULL;
}

/* A port of the loopback; nobody answers there without listen(). */
static inline int server_bind(unsigned int *ret_port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static inline void server_start(struct server *server, bool (*answer)(struct server *, int))
{
	memset(server, 0, sizeof(*server));
	server->answer = answer;
	server->listen_fd = server_bind(&server->port);
	assert_int_equal(listen(server->listen_fd, SERVER_CONNECTIONS), 0);
	assert_int_equal(pthread_create(&server->acceptor, NULL, server_accept_run, server), 0);
}

/* The client's connections are closed by then, or are now. */
static inline void server_stop(struct server *server)
{
	(void)shutdown(server->listen_fd, SHUT_RDWR);
	(void)pthread_join(server->acceptor, NULL);
	for (size_t i = 0; i < server->count; i++) {
		(void)shutdown(server->peers[i].fd, SHUT_RDWR);
		(void)pthread_join(server->threads[i], NULL);
		(void)close(server->peers[i].fd);
	}
	(void)close(server->listen_fd);
}
