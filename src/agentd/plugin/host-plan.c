/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/knob/line.h"
#include "actuator/knob/table.h"
#include "cleanup.h"
#include "plugin/host-shadow.h"
#include "workload/annotation.h"

struct plan_workload *plan_workload_get(const struct plan *plan, uint64_t id)
{
	return hashmap_get_u64(&plan->by_id, id);
}

static void plan_done(struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		free(plan->workloads[i].detail);
	free(plan->workloads);
	hashmap_done(&plan->by_id);
}

/* As the registry would see it with these settings. */
static int plan_workload_fill(struct plan_workload *entry, const struct registry *registry,
			      const struct workload *workload, const struct settings *settings)
{
	CLEANUP(qos_decision_done) struct qos_decision decision = {};
	int r = registry_decide(registry, workload, settings, &decision);

	if (r < 0)
		return r;
	entry->workload = workload;
	entry->view = workload->view;
	entry->view.qos = decision.level;
	entry->view.flags = (decision.ignore ? WORKLOAD_IGNORED : 0u) |
			    (decision.explain ? WORKLOAD_EXPLAIN : 0u) |
			    (workload->view.flags & WORKLOAD_ENDING);
	/* A rule speaks only where the source said nothing: then its word of now may go. */
	if (entry->view.cpu_request_milli == workload->decision.cpu_request_milli)
		entry->view.cpu_request_milli = decision.cpu_request_milli;
	if (entry->view.memory_request_bytes == workload->decision.memory_request_bytes)
		entry->view.memory_request_bytes = decision.memory_request_bytes;
	entry->detail = TAKE_PTR(decision.detail);
	return 0;
}

static int plan_fill(struct plan *plan, const struct settings *settings)
{
	const struct registry *registry = plan->host->context.registry;
	const struct workload *workload;
	int r;

	plan->workloads = calloc(registry->count + 1, sizeof(*plan->workloads));
	if (!plan->workloads)
		return -ENOMEM;
	host_foreach_workload(workload, plan->host)
	{
		struct plan_workload *entry = &plan->workloads[plan->count];

		r = plan_workload_fill(entry, registry, workload, settings);
		if (r < 0)
			return r;
		plan->count++;
		r = hashmap_put_u64(&plan->by_id, workload->view.id, entry);
		if (r < 0)
			return r;
	}
	return 0;
}

struct plan_value {
	uint64_t number;
	const char *text; /* of a knob that takes one, else NULL or "" */
};

static void value_format(enum knob knob, const struct plan_value *value, char *text, size_t size)
{
	uint64_t number = value->number;

	if (knob_table[knob].type == KNOB_TYPE_TEXT)
		(void)snprintf(text, size, "%s", value->text ? value->text : "");
	else if (knob_table[knob].type == KNOB_TYPE_S64)
		(void)snprintf(text, size, "%" PRId64, (int64_t)number);
	else if (number == UINT64_MAX)
		(void)snprintf(text, size, "max");
	else
		(void)snprintf(text, size, "%" PRIu64, number);
}

static void plan_levels(const struct plan *plan, struct berth_target target, struct plan_view *view)
{
	struct plan_workload *workload = NULL;

	view->level_now = view->level_then = "";
	if (target.kind == TARGET_WORKLOAD)
		workload = plan_workload_get(plan, target.id);
	if (!workload)
		return;
	view->level_now = qos_name(workload->workload->view.qos);
	view->level_then = qos_name(workload->view.qos);
	workload->reported = true;
}

/* "io.max.rbps 8:0" */
static void knob_title(enum knob knob, uint64_t device, char *text, size_t size)
{
	char name[DEVICE_NAME_BYTES] = "";

	knob_device_name(knob, (uint32_t)device, name);
	(void)snprintf(text, size, "%s%s%s", knob_table[knob].name, name[0] ? " " : "", name);
}

static void plan_report(const struct plan *plan, const char *plugin, const char *label,
			struct berth_target target, const char *name, enum knob knob,
			const struct plan_value *now, const struct plan_value *then,
			const char *reason)
{
	char now_text[256], then_text[256];
	struct plan_view view = {
		.plugin = plugin,
		.label = label,
		.knob = name,
		.reason = reason,
	};

	if (now) {
		value_format(knob, now, now_text, sizeof(now_text));
		view.now = now_text;
	}
	if (then) {
		value_format(knob, then, then_text, sizeof(then_text));
		view.then = then_text;
	}
	plan_levels(plan, target, &view);
	plan->fn(plan->data, &view);
}

struct comparison {
	const struct plan *plan;
	const struct shadow *shadow; /* NULL: it will not run, all its claims go */
	const struct host_plugin *plugin;
	const char *why_not;
};

static struct plan_claim *compare_then(const struct comparison *comparison, unsigned int part,
				       const struct knob_view *view)
{
	const struct berth_target device = { knob_target_kind(view->knob), view->device };

	if (!comparison->shadow)
		return NULL;
	if (knob_table[view->knob].flags & KNOB_ROOT)
		return shadow_claim(comparison->shadow, part, device, 0, view->knob);
	return shadow_claim(comparison->shadow, part, view->target, view->device, view->knob);
}

/* A claim of now against what will be. */
static void compare_knob(void *data, const struct knob_view *view)
{
	const struct comparison *comparison = data;
	struct plan_claim *then;
	char name[64];

	/* Only a wish so far: what of it comes is as good as new. */
	if (view->status == KNOB_DRY_RUN || view->status == KNOB_PAUSED)
		return;
	for (size_t i = 0; i < view->claim_count; i++) {
		const struct claim_view *now = &view->claims[i];
		int part = plugin_part_of_owner(comparison->plugin, now->owner);

		if (part < 0)
			continue;
		then = compare_then(comparison, (unsigned int)part, view);
		if (then)
			then->compared = true;
		if (then && then->number == now->number)
			continue;
		const struct plan_value before = { now->number, now->text };
		const struct plan_value after = { then ? then->number : 0, then ? then->text : "" };

		knob_title(view->knob, view->device, name, sizeof(name));
		plan_report(comparison->plan, now->owner, view->label, view->target, name,
			    view->knob, &before, then ? &after : NULL,
			    then ? then->reason : comparison->why_not);
	}
}

static void compare_new_claims(const struct comparison *comparison)
{
	const struct plan_claim *claim;
	struct actuator_target resolved;
	char label[512], name[64];

	list_foreach (claim, &comparison->shadow->claims, link) {
		if (claim->compared)
			continue;
		/* -EPERM of one that is ignored now fills the label as well. */
		if (host_target(comparison->plan->host, claim->target, label, sizeof(label),
				&resolved) == -ENOENT)
			continue;
		const struct plan_value value = { claim->number, claim->text };

		knob_title(claim->knob,
			   knob_table[claim->knob].flags & KNOB_ROOT ? claim->target.id
								     : claim->device,
			   name, sizeof(name));
		plan_report(comparison->plan, plugin_owner(comparison->plugin, claim->part), label,
			    claim->target, name, claim->knob, NULL, &value, claim->reason);
	}
}

static void compare_gone(const struct plan *plan, const struct host_plugin *plugin,
			 const char *why_not)
{
	struct comparison comparison = { plan, NULL, plugin, why_not };

	actuator_each_knob(plan->host->context.actuator, NULL, compare_knob, &comparison);
}

static void plan_failed(const struct plan *plan, const struct host_plugin *plugin, int error)
{
	char reason[128];
	const struct plan_view view = {
		.plugin = plugin->plugin->table.name,
		.label = "",
		.knob = "",
		.reason = reason,
		.level_now = "",
		.level_then = "",
	};

	(void)snprintf(reason, sizeof(reason), "it could not start: %s", strerror(-error));
	plan->fn(plan->data, &view);
}

static void plan_plugin(const struct plan *plan, struct host_plugin *plugin, const void *config)
{
	CLEANUP(shadow_done) struct shadow shadow;
	struct comparison comparison = { plan, &shadow, plugin, "not claimed by this policy" };
	int r = shadow_run(&shadow, plugin, plan, config);

	if (r < 0) {
		plan_failed(plan, plugin, r);
		return;
	}
	actuator_each_knob(plan->host->context.actuator, NULL, compare_knob, &comparison);
	compare_new_claims(&comparison);
}

static void plan_report_levels(const struct plan *plan)
{
	for (size_t i = 0; i < plan->count; i++) {
		struct plan_workload *workload = &plan->workloads[i];
		const struct berth_target target = { TARGET_WORKLOAD, workload->view.id };
		struct actuator_target resolved;
		char label[512];
		struct plan_view view = {
			.plugin = "",
			.label = label,
			.knob = "",
			.reason = workload->detail ? workload->detail : "",
		};

		if (workload->reported || workload->view.qos == workload->workload->view.qos)
			continue;
		(void)host_target(plan->host, target, label, sizeof(label), &resolved);
		plan_levels(plan, target, &view);
		plan->fn(plan->data, &view);
	}
}

int host_plan(struct host *host, const struct settings *settings,
	      void (*fn)(void *data, const struct plan_view *view), void *data)
{
	CLEANUP(config_errors_done) struct config_errors errors = {};
	CLEANUP(plan_done) struct plan plan = { .host = host, .fn = fn, .data = data };
	int r = plan_fill(&plan, settings);

	if (r < 0)
		return r;
	for (size_t i = 0; i < host->count; i++) {
		struct host_plugin *plugin = &host->plugins[i];
		const struct settings_plugin *section =
			settings_plugin(settings, plugin->plugin->table.name);
		char lack[192];
		void *config;

		if (section && !section->enabled) {
			compare_gone(&plan, plugin, "enabled: false");
			continue;
		}
		if (plugin_lacks(plugin, lack, sizeof(lack))) {
			compare_gone(&plan, plugin, lack);
			continue;
		}
		r = plugin_bind(plugin->plugin, settings, &errors, &config);
		if (r < 0)
			return r;
		plan_plugin(&plan, plugin, config);
		plugin_config_free(plugin->plugin, config);
	}
	plan_report_levels(&plan);
	return 0;
}
