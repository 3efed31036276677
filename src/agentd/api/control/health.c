/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "api/control/internal.h"
#include "macro.h"
#include "metrics/serve.h"
#include "monotonic.h"
#include "plugin/host.h"
#include "source/source.h"
#include "telemetry/snapshot.h"

/* A scrape right after another one, or after a plugin's own pass, reads the same records. */
#define SCRAPE_AGE_USEC USEC_PER_SEC

json_t *sources_json(const struct self_state *state)
{
	json_t *list = json_array();

	for (size_t i = 0; i < state->source_count; i++) {
		const struct source *source = state->sources[i];
		json_t *item;

		if (!source)
			continue;
		item = json_object();
		json_set_text(item, "name", source->ops->name);
		json_set_text(item, "state", source_state_name(source->state));
		json_set_text(item, "detail", source->detail);
		json_set_number(item, "workloads", source->workloads);
		json_set_number(item, "events", source->events);
		json_set_number(item, "errors", source->errors);
		(void)json_array_append_new(list, item);
	}
	return list;
}

/* That this runs at all is the loop's part of the answer. */
bool state_is_healthy(const struct self_state *state)
{
	for (size_t i = 0; i < state->source_count; i++)
		if (state->sources[i] && state->sources[i]->state == SOURCE_DOWN)
			return false;
	return true;
}

bool state_is_ready(const struct self_state *state)
{
	if (!state->last_apply_usec)
		return false;
	for (size_t i = 0; i < state->source_count; i++)
		if (state->sources[i] && state->sources[i]->state != SOURCE_READY &&
		    state->sources[i]->state != SOURCE_OFF)
			return false;
	return true;
}

/* Nothing that a restart of berthd would not mend: an API that is down is no reason to kill it. */
void handle_livez(void *data, const struct http_request *request, struct http_response *response)
{
	json_t *answer = json_object();

	(void)data;
	(void)request;
	json_set_bool(answer, "alive", true);
	reply_json(response, 200, answer);
}

void handle_healthz(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	bool healthy = state_is_healthy(&context->state);
	json_t *answer = json_object();

	(void)request;
	json_set_bool(answer, "healthy", healthy);
	(void)json_object_set_new(answer, "sources", sources_json(&context->state));
	reply_json(response, healthy ? 200 : 503, answer);
}

void handle_readyz(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	bool ready = state_is_ready(&context->state);
	json_t *answer = json_object();

	(void)request;
	json_set_bool(answer, "ready", ready);
	json_set_bool(answer, "policy_applied", context->state.last_apply_usec != 0);
	(void)json_object_set_new(answer, "sources", sources_json(&context->state));
	reply_json(response, ready ? 200 : 503, answer);
}

static const struct workload_sample *sample_of(void *data, uint64_t id)
{
	const struct control_context *context = data;

	return context->state.snapshot ? snapshot_get(context->state.snapshot, id) : NULL;
}

void handle_metrics(void *data, const struct http_request *request, struct http_response *response)
{
	struct control_context *context = data;
	const struct snapshot *snapshot = context->state.snapshot;
	struct metrics_query query = {
		.exposition = exposition_negotiate(request->accept),
		.source = { .sample = sample_of, .data = context },
	};
	int r = encoding_negotiate(request->accept_encoding, &query.encoding);

	response->vary = "Accept, Accept-Encoding";
	if (r < 0) {
		reply_error(response, 406,
			    "this page comes as gzip or as identity, and Accept-Encoding refuses "
			    "both");
		return;
	}
	/* Without a new pass the page still tells what was true a moment ago. */
	if (context->state.host)
		(void)host_fresh(context->state.host, SCRAPE_AGE_USEC);
	query.source.generation = snapshot ? snapshot->generation : 0;
	query.now_usec = monotonic_usec();
	if (context->scraped)
		context->scraped(context->data);
	r = self_metrics_fill(context->metrics, &context->state);
	if (r == 0)
		r = metrics_serve(context->metrics, &query, &response->blob);
	if (r == -EBUSY) {
		response->retry_after = "1";
		reply_error(
			response, 503,
			"slow clients are still reading pages of before: try again in a second");
		return;
	}
	if (r < 0) {
		reply_error(response, 500, "cannot make the page of metrics: %s", strerror(-r));
		return;
	}
	response->content_type = exposition_content_type(query.exposition);
	response->encoding = query.encoding == ENCODING_GZIP ? "gzip" : NULL;
}

void handle_index(void *data, const struct http_request *request, struct http_response *response)
{
	(void)data;
	if (strcmp(request->path, "/") != 0) {
		reply_error(response, 404,
			    "there is no such page: try /metrics, /livez, /healthz or /readyz");
		return;
	}
	response->content_type = "text/html; charset=utf-8";
	strbuf_add(&response->body,
		   "<!DOCTYPE html><html lang=\"en\"><head><title>berthd</title></head><body>"
		   "<h1>berthd " BERTH_VERSION "</h1><ul>"
		   "<li><a href=\"/metrics\">/metrics</a></li>"
		   "<li><a href=\"/livez\">/livez</a></li>"
		   "<li><a href=\"/healthz\">/healthz</a></li>"
		   "<li><a href=\"/readyz\">/readyz</a></li></ul></body></html>\n");
}
