/* SPDX-License-Identifier: Apache-2.0 */
/*
 * server-internal.h - between http/server.c (the daemon, its sources and timeouts) and
 * http/request.c (from a request to its answer).
 */
#pragma once

#include <microhttpd.h>

#include "api/http/server.h"
#include "list.h"

/* Those of limit.h, except in a test that cannot wait for them. */
struct http_limits {
	unsigned int connections, idle_sec;
	uint64_t request_usec;
};

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_limits limits;
	sd_event_source *io, *timer;
	const struct http_route *routes;
	void *data;
	struct web *web; /* NULL: no protection */
	bool is_local;
	bool has_room;           /* a connection was closed in this run */
	struct list connections; /* by deadline */
	struct list admissions;  /* that wait */
};

/* http_server_new() with other limits. */
int http_server_new_limited(sd_event *event, int fd, const struct http_route *routes, void *data,
			    struct web *web, const struct http_limits *limits,
			    struct http_server **ret);

/* Something was resumed: libmicrohttpd has no event of that on a loop that is not its own. */
void http_server_kick(struct http_server *server);

/* The body of a request while it comes in; libmicrohttpd keeps it between its calls. */
struct upload;

void upload_free(struct upload *upload);

/* MHD_AccessHandlerCallback; data is the server. */
enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
			   const char *method, const char *version, const char *upload_data,
			   size_t *upload_data_size, void **context);
