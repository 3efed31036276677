/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http-server.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>

#include "api/http-server-internal.h"
#include "limit.h"
#include "macro.h"

/* libmicrohttpd may have work left after MHD_run(): go on at once, but let other sources of the
 * loop in between. */
#define RUNS_MAX 16

#define FILES_RETRY_USEC (100 * USEC_PER_MSEC)

DEFINE_CLEANUP(struct http_server *, http_server_free);

static uint64_t now_usec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

/* libmicrohttpd's own timeout starts anew with each byte, so a client that sends one now and then
 * could hold a connection, and with LIMIT_HTTP_CONNECTIONS of them all, for ever. This one is of a
 * whole request: from the connection, or the answer before, to the end of the answer. */
struct connection {
	struct list connections;
	int fd;
	uint64_t deadline_usec;
};

static void connection_renew(struct http_server *server, struct connection *connection)
{
	connection->deadline_usec = now_usec() + server->limits.request_usec;
	/* All have the same term, so appending keeps the list sorted. */
	list_unlink(&connection->connections);
	list_append(&server->connections, &connection->connections);
}

static void on_connection(void *data, struct MHD_Connection *handle, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	const union MHD_ConnectionInfo *info;
	struct http_server *server = data;
	struct connection *connection = *context;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (connection)
			list_unlink(&connection->connections);
		free(connection);
		server->has_room = true;
		*context = NULL;
		return;
	}
	info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
	connection = calloc(1, sizeof(*connection));
	/* Without memory the connection has libmicrohttpd's timeout only. */
	if (!connection)
		return;
	list_init(&connection->connections);
	connection->fd = info ? info->connect_fd : -EBADF;
	connection_renew(server, connection);
	*context = connection;
}

static void on_completed(void *data, struct MHD_Connection *handle, void **request,
			 enum MHD_RequestTerminationCode code)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct http_server *server = data;

	(void)code;
	upload_free(*request);
	*request = NULL;
	if (info && info->socket_context)
		connection_renew(server, info->socket_context);
}

static void connections_expire(struct http_server *server)
{
	struct connection *connection, *following;
	uint64_t now = now_usec();

	list_foreach_safe (connection, following, &server->connections, connections) {
		if (connection->deadline_usec > now)
			break;
		/* libmicrohttpd sees the end of the stream at its next run and cleans up. It comes
		 * up again in a second if that was not enough. */
		(void)shutdown(connection->fd, SHUT_RDWR);
		connection->deadline_usec = now + USEC_PER_SEC;
	}
}

/* One timer for both kinds of timeout; off while nobody is connected. */
static int timer_arm(struct http_server *server)
{
	MHD_UNSIGNED_LONG_LONG timeout_msec = 0;
	uint64_t now = now_usec(), at = UINT64_MAX;
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
	r = sd_event_source_set_time(server->timer, now_usec() + FILES_RETRY_USEC);
	return r < 0 ? r : sd_event_source_set_enabled(server->timer, SD_EVENT_ONESHOT);
}

static int on_epoll(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	return server_run(data);
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

/* Takes fd over, also on failure. */
static int daemon_start(struct http_server *server, int listen_fd)
{
	cleanup_close int fd = listen_fd;
	cleanup_close int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	struct stat st;

	if (copy < 0 || fstat(copy, &st) < 0)
		return -errno;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, server, MHD_OPTION_LISTEN_SOCKET, copy,
		MHD_OPTION_CONNECTION_LIMIT, server->limits.connections,
		MHD_OPTION_CONNECTION_TIMEOUT, server->limits.idle_sec,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)LIMIT_HTTP_HEADER_BYTES,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_NOTIFY_COMPLETED,
		on_completed, server, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
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
			    const struct http_limits *limits, struct http_server **ret)
{
	CLEANUP(http_server_freep) struct http_server *server = calloc(1, sizeof(*server));
	struct sockaddr_storage address = { 0 };
	socklen_t length = sizeof(address);
	int r;

	if (!server || getsockname(fd, (struct sockaddr *)&address, &length) < 0) {
		r = server ? -errno : -ENOMEM;
		(void)close_keep_errno(fd);
		return r;
	}
	list_init(&server->connections);
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

int http_server_new(sd_event *event, int fd, const struct http_route *routes, void *data,
		    struct http_server **ret)
{
	const struct http_limits limits = {
		.connections = LIMIT_HTTP_CONNECTIONS,
		.idle_sec = LIMIT_HTTP_TIMEOUT_SEC,
		.request_usec = LIMIT_HTTP_REQUEST_SEC * USEC_PER_SEC,
	};

	return http_server_new_limited(event, fd, routes, data, &limits, ret);
}

struct http_server *http_server_free(struct http_server *server)
{
	if (!server)
		return NULL;
	(void)sd_event_source_unref(server->io);
	(void)sd_event_source_unref(server->timer);
	if (server->daemon)
		MHD_stop_daemon(server->daemon);
	free(server);
	return NULL;
}
