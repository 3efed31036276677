/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http-server-internal.h - between http-server.c (the daemon, its sources and timeouts) and
 * http-request.c (from a request to its answer).
 */
#pragma once

#include <microhttpd.h>

#include "api/http-server.h"
#include "list.h"

struct http_server {
	struct MHD_Daemon *daemon;
	sd_event_source *io, *timer;
	const struct http_route *routes;
	void *data;
	bool is_local;
	struct list connections; /* by deadline */
};

/* The body of a request while it comes in; libmicrohttpd keeps it between its calls. */
struct upload;

void upload_free(struct upload *upload);

/* MHD_AccessHandlerCallback; data is the server. */
enum MHD_Result on_request(void *data, struct MHD_Connection *connection, const char *url,
			   const char *method, const char *version, const char *upload_data,
			   size_t *upload_data_size, void **context);
