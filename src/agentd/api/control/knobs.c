/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/actuator.h"
#include "actuator/knob/table.h"
#include "api/control/internal.h"
#include "limit.h"
#include "macro.h"
#include "plugin/host.h"

static const char *target_name(enum target_kind kind)
{
	switch (kind) {
	case TARGET_WORKLOAD:
		return "workload";
	case TARGET_CPU:
		return "cpu";
	case TARGET_DEVICE:
		return "device";
	case TARGET_NET:
		return "net";
	case TARGET_HOST:
		break;
	}
	return "host";
}

/* Text, because a JSON number is a double to most readers and "max" is none. */
static void value_format(enum knob knob, uint64_t number, char *text, size_t size)
{
	if (knob_table[knob].type == KNOB_TYPE_S64)
		(void)snprintf(text, size, "%lld", (long long)number);
	else if (number == UINT64_MAX)
		(void)snprintf(text, size, "max");
	else
		(void)snprintf(text, size, "%llu", (unsigned long long)number);
}

static json_t *claim_json(enum knob knob, const struct claim_view *claim)
{
	json_t *item = json_object();
	char value[32];

	value_format(knob, claim->number, value, sizeof(value));
	json_set_text(item, "owner", claim->owner);
	json_set_text(item, "value", claim->text ? claim->text : value);
	json_set_text(item, "reason", claim->reason);
	json_set_bool(item, "effective", claim->effective);
	if (claim->lease_left_usec)
		json_set_number(item, "lease_left_usec", claim->lease_left_usec);
	return item;
}

static void knob_add(void *data, const struct knob_view *view)
{
	json_t *list = data, *item = json_object(), *claims = json_array();

	json_set_text(item, "target", target_name(view->target.kind));
	json_set_number(item, "id", view->target.id);
	json_set_text(item, "label", view->label);
	json_set_text(item, "path", view->path);
	json_set_text(item, "file", view->file);
	json_set_text(item, "knob", knob_table[view->knob].name);
	json_set_text(item, "status", knob_status_name(view->status));
	json_set_errno(item, "error", view->error);
	json_set_text(item, "original", view->original);
	json_set_text(item, "written", view->written);
	json_set_text(item, "current", view->current);
	json_set_number(item, "writes", view->writes);
	json_set_number(item, "foreign", view->foreign);
	if (view->foreign)
		json_set_number(item, "foreign_ago_usec", view->foreign_ago_usec);
	if (view->retry_left_usec)
		json_set_number(item, "retry_left_usec", view->retry_left_usec);
	json_set_text(item, "unit", view->unit);
	json_set_text(item, "unit_setting", view->unit_setting);
	for (size_t i = 0; i < view->claim_count; i++)
		(void)json_array_append_new(claims, claim_json(view->knob, &view->claims[i]));
	(void)json_object_set_new(item, "claims", claims);
	(void)json_array_append_new(list, item);
}

json_t *knobs_json(const struct actuator *actuator, const struct berth_target *target)
{
	json_t *list = json_array();

	actuator_each_knob(actuator, target, knob_add, list);
	return list;
}

struct history_filter {
	json_t *list;
	uint64_t workload;
	bool failed_only;
	size_t last;
};

static void history_add(void *data, const struct history_view *view)
{
	struct history_filter *filter = data;
	json_t *item;

	if (filter->workload &&
	    (view->target.kind != TARGET_WORKLOAD || view->target.id != filter->workload))
		return;
	if (filter->failed_only && view->result >= 0)
		return;
	item = json_object();
	json_set_time(item, "time", view->time_realtime_usec);
	json_set_number(item, "id", view->id);
	json_set_text(item, "owner", view->owner);
	json_set_text(item, "label", view->label);
	json_set_text(item, "what", view->what);
	json_set_text(item, "argument", view->argument);
	json_set_text(item, "reason", view->reason);
	json_set_text(item, "outcome", view->outcome);
	json_set_errno(item, "error", view->result);
	(void)json_array_append_new(filter->list, item);
	/* Oldest first comes in; the last ones are wanted. */
	if (json_array_size(filter->list) > filter->last)
		(void)json_array_remove(filter->list, 0);
}

json_t *history_json(const struct actuator *actuator, uint64_t workload, bool failed_only,
		     size_t last)
{
	struct history_filter filter = {
		.list = json_array(), .workload = workload, .failed_only = failed_only, .last = last
	};

	actuator_each_history(actuator, history_add, &filter);
	return filter.list;
}

void handle_history(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	json_t *answer = json_object();

	(void)request;
	(void)json_object_set_new(answer, "history",
				  history_json(context->state.actuator, 0, false, LIMIT_HISTORY));
	reply_json(response, 200, answer);
}

static void description_add(void *data, const char *plugin, const char *key, const char *value)
{
	json_t *list = data, *item = json_object();

	json_set_text(item, "plugin", plugin);
	json_set_text(item, "key", key);
	json_set_text(item, "value", value);
	(void)json_array_append_new(list, item);
}

json_t *descriptions_json(const struct host *host, uint64_t workload)
{
	json_t *list = json_array();

	if (host)
		host_each_description(host, workload, description_add, list);
	return list;
}
