/* SPDX-License-Identifier: Apache-2.0 */
#include "api/http/connection.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "api/web/web.h"
#include "cleanup.h"
#include "macro.h"
#include "monotonic.h"

/* How many bytes of a v6 address name a network: what one host commonly has all of. */
#define V6_NETWORK_BYTES 8u

struct connection *connection_of(struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void connection_renew(struct http_server *server, struct connection *connection)
{
	connection->deadline_usec = monotonic_usec() + server->limits.request_usec;
	/* All have the same term, so appending keeps the list sorted. */
	list_unlink(&connection->connections);
	list_append(&server->connections, &connection->connections);
}

/* libmicrohttpd sees the end of the stream at its next run and cleans up. It comes up again in a
 * second if that was not enough. */
static void connection_shut(struct connection *connection)
{
	(void)shutdown(connection->fd, SHUT_RDWR);
	connection->deadline_usec = monotonic_usec() + USEC_PER_SEC;
	connection->is_leaving = true;
}

static void address_read(struct MHD_Connection *handle, struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr_in6 *v6 = info ? (const void *)info->client_addr : NULL;
	const struct sockaddr_in *v4 = info ? (const void *)info->client_addr : NULL;

	if (!v6)
		return;
	if (v4->sin_family == AF_INET)
		memcpy(connection->address + 12, &v4->sin_addr, sizeof(v4->sin_addr));
	else if (v6->sin6_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr))
		memcpy(connection->address + 12, v6->sin6_addr.s6_addr + 12, 4);
	else if (v6->sin6_family == AF_INET6)
		memcpy(connection->address, v6->sin6_addr.s6_addr, V6_NETWORK_BYTES);
}

static bool counts(const struct connection *connection)
{
	return !connection->is_leaving && !connection->is_waiting;
}

static size_t count_of(const struct http_server *server, const unsigned char *address)
{
	const struct connection *connection;
	size_t count = 0;

	list_foreach (connection, &server->connections, connections)
		count += counts(connection) &&
			 memcmp(connection->address, address, sizeof(connection->address)) == 0;
	return count;
}

/* A full server is no reason to keep the next one out: of the peer that has most connections, the
 * one goes that was idle, or has had a request under way, for longest. Clients that hold their
 * connections open, however many, so push out each other; who comes for a page gets it. */
static void crowd_thin(struct http_server *server, const struct connection *newest)
{
	struct connection *connection, *victim = NULL;
	size_t live = 0, most = 0;

	list_foreach (connection, &server->connections, connections)
		live += !connection->is_leaving;
	if (live <= server->limits.connections)
		return;
	list_foreach (connection, &server->connections, connections) {
		size_t count;

		if (connection == newest || !counts(connection))
			continue;
		count = count_of(server, connection->address);
		if (count <= most)
			continue;
		most = count;
		victim = connection;
	}
	if (victim)
		connection_shut(victim);
}

/* With TLS a session that could not be given its credentials must not go on. */
static int session_begin(struct http_server *server, struct MHD_Connection *handle,
			 struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(handle, MHD_CONNECTION_INFO_GNUTLS_SESSION);

	if (!server->web || !server->web->tls)
		return 0;
	if (!info || !info->tls_session)
		return -EPROTO;
	return web_tls_begin(server->web->tls, (gnutls_session_t)info->tls_session,
			     &connection->credentials);
}

static void connection_start(struct http_server *server, struct MHD_Connection *handle,
			     void **context)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = calloc(1, sizeof(*connection));
	int fd = info ? info->connect_fd : -EBADF;

	if (!connection) {
		/* No deadline, no credentials: better no connection. */
		(void)shutdown(fd, SHUT_RDWR);
		return;
	}
	list_init(&connection->connections);
	connection->server = server;
	connection->fd = fd;
	address_read(handle, connection);
	connection_renew(server, connection);
	*context = connection;
	if (session_begin(server, handle, connection) < 0)
		connection_shut(connection);
	if (!server->is_local)
		crowd_thin(server, connection);
}

void on_connection(void *data, struct MHD_Connection *handle, void **context,
		   enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = data;
	struct connection *connection = *context;

	if (code != MHD_CONNECTION_NOTIFY_CLOSED) {
		connection_start(server, handle, context);
		return;
	}
	/* The TLS session is gone already. */
	if (connection) {
		list_unlink(&connection->connections);
		(void)web_credentials_unref(connection->credentials);
	}
	free(connection);
	server->has_room = true;
	*context = NULL;
}

void on_completed(void *data, struct MHD_Connection *handle, void **request,
		  enum MHD_RequestTerminationCode code)
{
	struct http_server *server = data;
	struct connection *connection = connection_of(handle);

	(void)code;
	upload_free(*request);
	*request = NULL;
	if (connection && !connection->is_leaving)
		connection_renew(server, connection);
}

void connections_expire(struct http_server *server)
{
	struct connection *connection, *following;
	uint64_t now = monotonic_usec();

	list_foreach_safe (connection, following, &server->connections, connections) {
		/* Those that leave stand among the others with a deadline that is out of order. */
		if (connection->deadline_usec > now && !connection->is_leaving)
			break;
		if (connection->deadline_usec <= now)
			connection_shut(connection);
	}
}
