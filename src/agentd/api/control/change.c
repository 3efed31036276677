/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>

#include "actuator/actuator.h"
#include "api/control/internal.h"
#include "log.h"
#include "parse.h"
#include "plugin/host.h"
#include "plugin/loader.h"
#include "settings.h"

DEFINE_CLEANUP(struct settings *, settings_free);

static void change_add(void *data, const struct plan_view *view)
{
	json_t *list = data, *item = json_object();

	json_set_text(item, "plugin", view->plugin);
	json_set_text(item, "label", view->label);
	json_set_text(item, "knob", view->knob);
	/* null is "none": a claim that is new or goes. */
	(void)json_object_set_new(item, "now", view->now ? json_text(view->now) : json_null());
	(void)json_object_set_new(item, "then", view->then ? json_text(view->then) : json_null());
	json_set_text(item, "level_now", view->level_now);
	json_set_text(item, "level_then", view->level_then);
	json_set_text(item, "reason", view->reason);
	(void)json_array_append_new(list, item);
}

void handle_plan(void *data, const struct http_request *request, struct http_response *response)
{
	const struct control_context *context = data;
	struct config_errors errors CLEANUP(config_errors_done) = {};
	struct settings *settings CLEANUP(settings_freep) = NULL;
	const char *other = http_query(request, "file");
	const char *file = other ? other : context->config_file;
	json_t *answer, *list;
	int r;

	if (file[0] != '/') {
		reply_error(response, 400, "file=%s: say an absolute path", file);
		return;
	}
	r = settings_load(file, context->dropin_dir, !other, &errors, &settings);
	if (r == 0)
		r = plugin_check_all(context->plugins, settings, &errors);
	if (r == -EINVAL) {
		reply_config_errors(response, "the policy is not valid, nothing to plan", &errors);
		return;
	}
	list = json_array();
	if (r == 0)
		r = host_plan(context->state.host, settings, change_add, list);
	if (r < 0) {
		json_decref(list);
		reply_error(response, 500, "cannot plan: %s", strerror(-r));
		return;
	}
	answer = json_object();
	json_set_text(answer, "file", file);
	json_set_bool(answer, "dry_run", settings->dry_run);
	json_set_bool(answer, "dry_run_now", (*context->settings)->dry_run);
	json_set_bool(answer, "paused", actuator_is_paused(context->state.actuator));
	(void)json_object_set_new(answer, "changes", list);
	reply_json(response, 200, answer);
}

void handle_restore(void *data, const struct http_request *request, struct http_response *response)
{
	struct control_context *context = data;
	const char *text = http_query(request, "pause");
	json_t *answer;
	bool pause = false;
	int failed;

	if (text && parse_bool(text, &pause) < 0) {
		reply_error(response, 400, "pause=%s: say true or false", text);
		return;
	}
	log_notice("Putting every original back%s, as uid %u asked", pause ? " and pausing" : "",
		   (unsigned int)request->uid);
	failed = actuator_restore_all(context->state.actuator, pause);
	if (failed < 0) {
		reply_error(response, 500, "cannot restore: %s", strerror(-failed));
		return;
	}
	answer = json_object();
	json_set_number(answer, "failed", (uint64_t)failed);
	json_set_bool(answer, "paused", actuator_is_paused(context->state.actuator));
	reply_json(response, 200, answer);
}

void handle_resume(void *data, const struct http_request *request, struct http_response *response)
{
	struct control_context *context = data;
	bool was = actuator_is_paused(context->state.actuator);
	json_t *answer = json_object();

	log_notice("Resuming, as uid %u asked", (unsigned int)request->uid);
	actuator_resume(context->state.actuator);
	json_set_bool(answer, "was_paused", was);
	json_set_bool(answer, "paused", actuator_is_paused(context->state.actuator));
	reply_json(response, 200, answer);
}

void handle_reload(void *data, const struct http_request *request, struct http_response *response)
{
	struct control_context *context = data;
	json_t *answer;
	int r = context->reload(context->data);

	(void)request;
	if (r == -EINVAL) {
		reply_config_errors(response,
				    "the policy on disk is not valid: the running one stays",
				    context->state.config_errors);
		return;
	}
	if (r < 0) {
		reply_error(response, 500, "cannot reload: %s", strerror(-r));
		return;
	}
	answer = json_object();
	json_set_bool(answer, "reloaded", true);
	reply_json(response, 200, answer);
}
