/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/server.h"

#include <fcntl.h>
#include <gnutls/abstract.h>
#include <microhttpd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "api/http/admission.h"
#include "api/http/connection.h"
#include "limit.h"
#include "macro.h"
#include "monotonic.h"

/* libmicrohttpd may have work left after MHD_run(): go on at once, but let other sources of the
 * loop in between. */
#define RUNS_MAX 16

/* libmicrohttpd accepts up to eleven before it cleans up. */
#define CROWD_SLACK 16u

#define FILES_RETRY_USEC (100 * USEC_PER_MSEC)

DEFINE_CLEANUP(struct http_server *, http_server_free);

/* One timer for both kinds of timeout; off while nobody is connected. */
static int timer_arm(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_msec = 0;
	uint64_t now = monotonic_usec(), at = UINT64_MAX;
	int r;

	if (server->has_room)
		at = now;
	else if (MHD_get_timeout(server->daemon, &timeout_msec) == MHD_YES)
		at = now + (uint64_t)timeout_msec * USEC_PER_MSEC;
	if (!list_is_empty(&server->connections)) {
		const struct connection *first =
			list_entry(server->connections.next, struct connection, connections);

		at = MIN(at, first->deadline_usec);
	}
	if (at == UINT64_MAX)
		return sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	r = sd_event_source_set_time(server->timer, at);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

void http_server_kick(struct http_server *server)
{
	server->has_room = true;
	(void)timer_arm(server);
}

/* Without file descriptors the client that waits stays in the backlog and the epoll fd readable:
 * libmicrohttpd would be run for nothing as fast as the CPU can. */
static bool is_out_of_files(const struct http_server *server)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_LISTEN_FD);
	struct pollfd waiting = { .fd = info ? info->listen_fd : -1, .events = POLLIN };
	cleanup_close int fd = -EBADF;

	if (poll(&waiting, 1, 0) <= 0)
		return false;
	fd = eventfd(0, EFD_CLOEXEC);
	return fd < 0;
}

/* At its limit of connections libmicrohttpd stops watching the listening socket, and starts again
 * only in the run after the one that closed a connection: without that run, which no event asks
 * for, nobody would ever be let in again. */
static int server_run(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_msec = 0;
	bool has_work = true;

	int r = sd_event_source_set_enabled(server->io, SD_EVENT_ON);

	if (r < 0)
		return r;
	connections_expire(server);
	for (int i = 0; has_work && i < RUNS_MAX; i++) {
		server->has_room = false;
		(void)MHD_run(server->daemon);
		has_work = server->has_room ||
			   (MHD_get_timeout(server->daemon, &timeout_msec) == MHD_YES &&
			    timeout_msec == 0);
	}
	if (!is_out_of_files(server))
		return timer_arm(server);
	r = sd_event_source_set_enabled(server->io, SD_EVENT_OFF);
	if (r < 0)
		return r;
	r = sd_event_source_set_time(server->timer, monotonic_usec() + FILES_RETRY_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct http_server *server = data;

	(void)source;
	(void)fd;
	(void)events;
	/* Another web config: the client that waits is for the server that takes over. */
	if (server->web && web_look(server->web))
		return 0;
	return server_run(server);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	return server_run(data);
}

static int sources_add(struct http_server *server, sd_event *event)
{
	const union MHD_DaemonInfo *info =
		MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	int r;

	if (!info)
		return -EOPNOTSUPP;
	r = sd_event_add_io(event, &server->io, info->epoll_fd, EPOLLIN, on_epoll, server);
	if (r < 0)
		return r;
	r = sd_event_add_time(event, &server->timer, CLOCK_MONOTONIC, 0, USEC_PER_MSEC, on_timer,
			      server);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(server->timer, SD_EVENT_OFF);
	if (r < 0)
		return r;
	(void)sd_event_source_set_description(server->io, "http");
	(void)sd_event_source_set_description(server->timer, "http-timeout");
	return 0;
}

static bool is_same_socket(int fd, const struct stat *st)
{
	struct stat now;

	return fstat(fd, &now) == 0 && now.st_dev == st->st_dev && now.st_ino == st->st_ino;
}

/* Each session is given its credentials by web_tls_begin(); one that was not gets none. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *authorities,
			  int authority_count, const gnutls_pk_algorithm_t *algorithms,
			  int algorithm_count, gnutls_pcert_st **ret, unsigned int *ret_count,
			  gnutls_privkey_t *ret_key)
{
	(void)session;
	(void)authorities;
	(void)authority_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)ret;
	(void)ret_key;
	*ret_count = 0;
	return -1;
}

static unsigned int daemon_flags(const struct http_server *server)
{
	unsigned int flags = MHD_USE_EPOLL;

	if (server->web && server->web->tls)
		flags |= MHD_USE_TLS;
	if (server->web && server->web->auth)
		flags |= MHD_ALLOW_SUSPEND_RESUME;
	return flags;
}

/* Takes fd over, also on failure. */
static int daemon_start(struct http_server *server, int listen_fd)
{
	cleanup_close int fd = listen_fd;
	cleanup_close int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	const struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_CERT_CALLBACK, 0, (void *)no_certificate },
		{ MHD_OPTION_END, 0, NULL },
	};
	const struct MHD_OptionItem *more = &tls[server->web && server->web->tls ? 0 : 1];
	unsigned int connections = server->limits.connections;
	struct stat st;

	if (copy < 0 || fstat(copy, &st) < 0)
		return -errno;
	/* Room for those that wait to be cleaned up after others came in their place. */
	if (!server->is_local)
		connections += CROWD_SLACK;
	server->daemon = MHD_start_daemon(
		daemon_flags(server), 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET,
		copy, MHD_OPTION_CONNECTION_LIMIT, connections, MHD_OPTION_CONNECTION_TIMEOUT,
		server->limits.idle_sec, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)LIMIT_HTTP_HEADER_BYTES, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
		server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_ARRAY, more, MHD_OPTION_END);
	if (!server->daemon) {
		/* Some of its ways to fail close the socket and some do not. */
		if (!is_same_socket(copy, &st))
			(void)TAKE_FD(copy);
		return -ENOMEM;
	}
	/* MHD_stop_daemon() closes it. */
	(void)TAKE_FD(copy);
	return 0;
}

int http_server_new_limited(sd_event *event, int fd, const struct http_route *routes, void *data,
			    struct web *web, const struct http_limits *limits,
			    struct http_server **ret)
{
	CLEANUP(http_server_freep) struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	int r;

	if (server) {
		list_init(&server->connections);
		list_init(&server->admissions);
	}
	if (!server || getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		r = server ? -errno : -ENOMEM;
		(void)close_keep_errno(fd);
		return r;
	}
	/* It was loaded only to be checked. */
	if (web && web->config.user_count > 0 && !web->auth) {
		(void)close_keep_errno(fd);
		return -EINVAL;
	}
	server->web = web;
	server->routes = routes;
	server->data = data;
	server->limits = *limits;
	server->is_local = address.ss_family == AF_UNIX;
	r = daemon_start(server, fd);
	if (r < 0)
		return r;
	r = sources_add(server, event);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(server);
	return 0;
}

int http_server_new_web(sd_event *event, int fd, const struct http_route *routes, void *data,
			struct web *web, struct http_server **ret)
{
	const struct http_limits limits = {
		.connections = LIMIT_HTTP_CONNECTIONS,
		.idle_sec = LIMIT_HTTP_TIMEOUT_SEC,
		.request_usec = LIMIT_HTTP_REQUEST_SEC * USEC_PER_SEC,
	};

	return http_server_new_limited(event, fd, routes, data, web, &limits, ret);
}

int http_server_new(sd_event *event, int fd, const struct http_route *routes, void *data,
		    struct http_server **ret)
{
	return http_server_new_web(event, fd, routes, data, NULL, ret);
}

struct http_server *http_server_free(struct http_server *server)
{
	if (!server)
		return NULL;
	(void)sd_event_source_unref(server->io);
	(void)sd_event_source_unref(server->timer);
	/* libmicrohttpd aborts when it is stopped with a connection suspended. */
	admissions_end(server);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server);
	return NULL;
}
