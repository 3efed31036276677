/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server.h - libmicrohttpd on the daemon's own loop: no thread, its epoll fd is one event
 * source. One server a listening socket, a table of routes, the limits of limit.h.
 */
#pragma once

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "blob.h"
#include "strbuf.h"

struct http_request {
	const char *method, *path; /* path without query, percent-decoded */
	const char *accept;        /* NULL if absent; so is the next */
	const char *accept_encoding;
	const char *body; /* NUL terminated */
	size_t body_length;
	bool is_local; /* over the unix socket: the next three are the peer's */
	uid_t uid;
	gid_t gid;
	pid_t pid;
	void *connection; /* for http_query() */
};

struct http_response {
	unsigned int status;      /* 200 until set */
	const char *content_type; /* static string */
	struct strbuf body;
	/* Instead of body, if not NULL: sent as it is without a copy, one reference taken over. It
	 * must not change before that reference is gone. */
	struct blob *blob;
	const char *encoding; /* of the blob: "gzip", static; NULL: identity */
	const char *vary;     /* headers of the request that chose this form, static; NULL: none */
	const char *retry_after; /* seconds, with a 503, static; NULL: none */
};

/* The value of ?KEY=, or NULL. */
const char *http_query(const struct http_request *request, const char *key);

struct http_route {
	const char *method; /* "GET", "POST"; HEAD is served by GET */
	const char *path;   /* exact, or a prefix if it ends in '/' */
	bool privileged; /* root and berthd's own user; others get 403. If not: whoever may open it
			  */
	void (*handle)(void *data, const struct http_request *request,
		       struct http_response *response);
};

struct http_server;
struct web;

/* fd: a listening socket, taken over also on failure. routes ends with a NULL method and must
 * outlive the server. */
int http_server_new(sd_event *event, int fd, const struct http_route *routes, void *data,
		    struct http_server **ret);
/* Protected as the web config says, which must outlive the server; NULL: not at all. */
int http_server_new_web(sd_event *event, int fd, const struct http_route *routes, void *data,
			struct web *web, struct http_server **ret);
struct http_server *http_server_free(struct http_server *server);

/* Listening sockets, CLOEXEC and non-blocking. "ADDRESS:PORT", "[V6]:PORT", ":PORT" (all
 * addresses). -EINVAL for a malformed one. The unix socket replaces a stale one at the path (not a
 * live one: -EADDRINUSE) with this mode and group (-1: unchanged). */
int http_listen_tcp(const char *text);
int http_listen_unix(int dirfd, const char *name, mode_t mode, gid_t gid);
/* A socket that somebody else made, such as systemd: NULL if it is TCP and listens, and it is made
 * non-blocking and CLOEXEC then; else what it is instead. */
const char *http_listen_problem(int fd);
