/* SPDX-License-Identifier: Apache-2.0 */
/*
 * connection.h - what the server keeps of each connection: how long it may take, whose it is,
 * and who has to go when there are too many.
 */
#pragma once

#include "api/http/server-internal.h"

struct web_credentials;

/* libmicrohttpd's own timeout starts anew with each byte, so a client that sends one now and then
 * could hold a connection, and with LIMIT_HTTP_CONNECTIONS of them all, for ever. This one is of a
 * whole request: from the connection, or the answer before, to the end of the answer. */
struct connection {
	struct list connections;
	struct http_server *server;
	int fd;
	uint64_t deadline_usec;
	unsigned char address[16]; /* of the peer; a network of v6 counts as one */
	bool is_leaving;           /* it was shut down */
	bool is_waiting;           /* for a password to be verified */
	struct web_credentials *credentials;
};

/* MHD_NotifyConnectionCallback and MHD_RequestCompletedCallback; data is the server. */
void on_connection(void *data, struct MHD_Connection *handle, void **context,
		   enum MHD_ConnectionNotificationCode code);
void on_completed(void *data, struct MHD_Connection *handle, void **request,
		  enum MHD_RequestTerminationCode code);

/* The handle's; NULL: there was no memory for one. */
struct connection *connection_of(struct MHD_Connection *handle);

/* Shut down what has had its time. */
void connections_expire(struct http_server *server);
