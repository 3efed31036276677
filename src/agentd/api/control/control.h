/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control.h - the control API (HTTP and JSON on the unix socket) and the pages of the TCP listener:
 * what berthctl, Prometheus and curl see. Reading is for whoever may open the socket (mode 0660,
 * group berth), changing for root: the http-server decides that by each route's `privileged`.
 *
 * Every answer is a JSON object; a failure is {"error": "what, and what to do"} with a 4xx or 5xx.
 */
#pragma once

#include "api/http/server.h"
#include "api/self/self.h"

struct plugin_list;
struct settings;

struct control_context {
	struct self_state state;
	struct metrics *metrics;
	const struct plugin_list *plugins;
	struct settings *const *settings; /* where the running policy is; swapped by a reload */
	const char *config_file, *dropin_dir, *plugin_dir;
	/* Read the files again and apply them. 0; -EINVAL: nothing changed and
	 * state.config_errors says why; other -errno. */
	int (*reload)(void *data);
	void (*scraped)(void *data); /* /metrics was asked for; NULL: nobody wants to know */
	void *data;                  /* of these two */
};

/* For http_server_new() with `data` a struct control_context that outlives the server. Static. */
const struct http_route *control_routes(void); /* unix socket: /v1/..., /metrics, /healthz, … */
const struct http_route *
metrics_routes(void); /* TCP: /metrics, /livez, /healthz, /readyz and / only */
