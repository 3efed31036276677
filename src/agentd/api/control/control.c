/* SPDX-License-Identifier: Apache-2.0 */
#include "api/control/control.h"

#include "api/control/internal.h"

static const struct http_route control_table[] = {
	{ "GET", "/v1/status", false, handle_status },
	{ "GET", "/v1/version", false, handle_version },
	{ "GET", "/v1/workloads", false, handle_workloads },
	{ "GET", "/v1/explain", false, handle_explain },
	{ "GET", "/v1/top", false, handle_top },
	{ "GET", "/v1/knobs", false, handle_knobs },
	{ "GET", "/v1/capabilities", false, handle_capabilities },
	{ "GET", "/v1/history", false, handle_history },
	{ "GET", "/v1/plugins", false, handle_plugins },
	{ "GET", "/metrics", false, handle_metrics },
	{ "GET", "/livez", false, handle_livez },
	{ "GET", "/healthz", false, handle_healthz },
	{ "GET", "/readyz", false, handle_readyz },
	{ "POST", "/v1/plan", true, handle_plan },
	{ "POST", "/v1/restore", true, handle_restore },
	{ "POST", "/v1/resume", true, handle_resume },
	{ "POST", "/v1/reload", true, handle_reload },
	{ NULL, NULL, false, NULL },
};

static const struct http_route metrics_table[] = {
	{ "GET", "/metrics", false, handle_metrics },
	{ "GET", "/livez", false, handle_livez },
	{ "GET", "/healthz", false, handle_healthz },
	{ "GET", "/readyz", false, handle_readyz },
	/* A path that ends in '/' takes all below it: the handler answers "/" alone. */
	{ "GET", "/", false, handle_index },
	{ NULL, NULL, false, NULL },
};

const struct http_route *control_routes(void)
{
	return control_table;
}

const struct http_route *metrics_routes(void)
{
	return metrics_table;
}
