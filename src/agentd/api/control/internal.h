/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - the handlers behind control.h's tables and how they make JSON.
 *
 * Without memory jansson gives NULL and the setters below leave the key out; the answer itself is
 * then NULL and becomes a 500, so no handler checks each of fifty keys.
 */
#pragma once

#include <jansson.h>

#include "api/control/control.h"

struct actuator;
struct berth_target;
struct host;
struct workload;

/* Takes `answer`. */
void reply_json(struct http_response *response, unsigned int status, json_t *answer);
void reply_error(struct http_response *response, unsigned int status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
/* 422 with the error and all places in the files. */
void reply_config_errors(struct http_response *response, const char *what,
			 const struct config_errors *errors);

/* A JSON string of any bytes: what is not UTF-8 becomes \xNN, so one odd cgroup name does not take
 * a whole table away. NULL text is "". */
json_t *json_text(const char *text);
void json_set_text(json_t *object, const char *key, const char *text);
void json_set_number(json_t *object, const char *key, uint64_t number);
void json_set_bool(json_t *object, const char *key, bool value);
/* "2026-11-20T19:04:28Z" */
void json_set_time(json_t *object, const char *key, uint64_t realtime_usec);
/* "EBUSY" and its sentence under `key` and `key`_text; result >= 0 sets neither. */
void json_set_errno(json_t *object, const char *key, int result);

/* Parts that several answers share. */
json_t *knobs_json(const struct actuator *actuator, const struct berth_target *target);
json_t *history_json(const struct actuator *actuator, uint64_t workload, bool failed_only,
		     size_t last);
json_t *descriptions_json(const struct host *host, uint64_t workload);
json_t *sources_json(const struct self_state *state);
json_t *listener_json(const struct web_state *state);
json_t *config_errors_json(const struct config_errors *errors);
bool state_is_healthy(const struct self_state *state);
bool state_is_ready(const struct self_state *state);

typedef void(http_handler)(void *data, const struct http_request *request,
			   struct http_response *response);

http_handler handle_status, handle_version, handle_plugins, handle_capabilities;
http_handler handle_workloads, handle_top, handle_explain;
http_handler handle_knobs, handle_history;
http_handler handle_plan, handle_restore, handle_resume, handle_reload;
http_handler handle_metrics, handle_livez, handle_healthz, handle_readyz, handle_index;
