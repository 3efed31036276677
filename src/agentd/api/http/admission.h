/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admission.h - whether a request may be answered, by the web config of its server. One whose
 * password has to be hashed first is suspended: nothing else waits for it.
 */
#pragma once

#include "api/http/server-internal.h"
#include "api/web/web.h"

/* Part of a request's memory, zeroed at its start. */
struct http_admission {
	struct web_wait wait;
	struct list link; /* of the server's that wait */
	struct http_server *server;
	struct MHD_Connection *handle;
	struct connection *connection;
	enum web_verdict verdict; /* WEB_ALLOWED without a web config */
};

/* At WEB_WAITS the connection is suspended until the verdict is there, and the handler called
 * again. */
enum web_verdict admission_begin(struct http_admission *admission, struct http_server *server,
				 struct MHD_Connection *handle);
/* The request is over. */
void admission_done(struct http_admission *admission);
/* Before the server stops: nobody waits any more. */
void admissions_end(struct http_server *server);

/* What every answer carries: the headers of the web config, and those that go with 401. */
enum MHD_Result admission_headers(struct MHD_Connection *handle, unsigned int status,
				  struct MHD_Response *response);
