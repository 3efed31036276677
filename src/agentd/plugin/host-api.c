/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "cleanup.h"
#include "limit.h"
#include "plugin/host-internal.h"

static struct instance *instance_of(struct agent *agent)
{
	return container_of(agent, struct instance, agent);
}

void host_log(const struct host_plugin *plugin, int level, const char *format, va_list arguments)
{
	const struct log_context context = { .plugin = plugin->plugin->table.name };
	char text[512];

	(void)vsnprintf(text, sizeof(text), format, arguments);
	log_full(MAX(level, LOG_ERR), &context, "%s: %s", context.plugin, text);
}

static void api_log(struct agent *agent, int level, const char *format, ...)
{
	struct host_plugin *plugin = instance_of(agent)->plugin;
	va_list arguments;

	if (level > log_level() || !log_limit_pass(&plugin->own_log, level))
		return;
	va_start(arguments, format);
	host_log(plugin, level, format, arguments);
	va_end(arguments);
}

int host_target(const struct host *host, struct berth_target target, char *label, size_t size,
		struct actuator_target *ret)
{
	const struct workload *workload;

	*ret = (struct actuator_target){ .target = target, .label = label };
	switch (target.kind) {
	case TARGET_WORKLOAD:
		workload = registry_get(host->context.registry, target.id);
		if (!workload)
			return -ENOENT;
		(void)snprintf(label, size, "%s%s%s", workload->view.namespace,
			       workload->view.namespace[0] ? "/" : "", workload->view.name);
		ret->group = workload->cgroup;
		return workload->view.flags & WORKLOAD_IGNORED ? -EPERM : 0;
	case TARGET_CPU:
		(void)snprintf(label, size, "cpu %llu", (unsigned long long)target.id);
		return 0;
	case TARGET_DEVICE:
		(void)snprintf(label, size, "device %u:%u", major(target.id), minor(target.id));
		return 0;
	case TARGET_NET:
		(void)snprintf(label, size, "network device %llu", (unsigned long long)target.id);
		return 0;
	case TARGET_HOST:
		(void)snprintf(label, size, "host");
		return target.id == 0 ? 0 : -EINVAL;
	}
	return -EINVAL;
}

int host_original_text(const struct host *host, struct berth_target target, enum knob knob,
		       char *text, size_t size)
{
	struct actuator_target resolved;
	char label[512];
	int r = host_target(host, target, label, sizeof(label), &resolved);

	return r < 0 ? r
		     : actuator_original_text(host->context.actuator, &resolved, knob, text, size);
}

int host_knob_available(const struct host *host, enum knob knob, const char **ret_reason)
{
	const struct capability *capability;

	if ((unsigned int)knob >= KNOB_MAX) {
		if (ret_reason)
			*ret_reason = "this berthd does not know the knob";
		return 0;
	}
	capability = &actuator_capabilities(host->context.actuator)->knobs[knob];
	if (ret_reason)
		*ret_reason = capability->detail;
	return capability->available;
}

static int api_knob_available(struct agent *agent, enum knob knob, const char **ret_reason)
{
	return host_knob_available(instance_of(agent)->plugin->host, knob, ret_reason);
}

struct host_action {
	struct list link;
	struct instance *instance;
	void (*done)(void *self, struct berth_target target, int result);
	enum action kind;
	char reason[LIMIT_REASON];
};

static void action_tell(const struct host_action *action, struct berth_target target, int result)
{
	const struct host_plugin *plugin = action->instance->plugin;
	const struct host_context *context = &plugin->host->context;

	if (context->acted && target.kind == TARGET_WORKLOAD)
		context->acted(context->acted_data, plugin->plugin->table.name, target.id,
			       action->kind, action->reason, result);
}

static void on_action_done(void *data, struct berth_target target, int result)
{
	struct host_action *action = data;
	struct instance *instance = action->instance;
	void (*done)(void *, struct berth_target, int) = action->done;
	struct call call;

	list_unlink(&action->link);
	action_tell(action, target, result);
	free(action);
	if (!done)
		return;
	call = call_begin(instance->plugin, "act");
	done(instance->self, target, result);
	call_end(instance->plugin, "act", &call);
}

static int api_act(struct agent *agent, struct berth_target target, enum action kind,
		   uint64_t argument, const char *reason,
		   void (*done)(void *self, struct berth_target target, int result))
{
	struct instance *instance = instance_of(agent);
	const struct host_plugin *plugin = instance->plugin;
	struct actuator_target resolved;
	struct host_action *action;
	char label[512];
	int r;

	if (instance->ending)
		return -ECANCELED;
	if ((unsigned int)kind >= ACTION_MAX)
		return -EOPNOTSUPP;
	r = host_target(plugin->host, target, label, sizeof(label), &resolved);
	if (r < 0)
		return r;
	action = calloc(1, sizeof(*action));
	if (!action)
		return -ENOMEM;
	action->instance = instance;
	action->done = done;
	action->kind = kind;
	(void)snprintf(action->reason, sizeof(action->reason), "%s", reason ? reason : "");
	list_append(&instance->actions, &action->link);
	r = actuator_act(plugin->host->context.actuator, plugin->plugin->table.name, &resolved,
			 kind, argument, reason ? reason : "", on_action_done, action);
	if (r < 0) {
		list_unlink(&action->link);
		free(action);
	}
	return r;
}

void instance_drop_actions(struct instance *instance)
{
	struct host_action *action, *following;

	list_foreach_safe (action, following, &instance->actions, link) {
		actuator_forget_actions(instance->plugin->host->context.actuator, action);
		list_unlink(&action->link);
		free(action);
	}
}

static const struct berth_workload *api_workload(struct agent *agent, uint64_t id)
{
	const struct workload *workload =
		registry_get(instance_of(agent)->plugin->host->context.registry, id);

	return workload ? &workload->view : NULL;
}

static void api_each_workload(struct agent *agent,
			      void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct instance *instance = instance_of(agent);
	const struct workload *workload;

	host_foreach_workload(workload, instance->plugin->host) fn(instance->self, &workload->view);
}

static void api_each_child(struct agent *agent, uint64_t id,
			   void (*fn)(void *self, const struct berth_workload *workload))
{
	const struct instance *instance = instance_of(agent);
	const struct workload *parent = registry_get(instance->plugin->host->context.registry, id);
	const struct workload *child;

	if (!parent)
		return;
	list_foreach (child, &parent->below, beside)
		fn(instance->self, &child->view);
}

static const char *api_annotation(struct agent *agent, uint64_t id, const char *key)
{
	const struct workload *workload =
		registry_get(instance_of(agent)->plugin->host->context.registry, id);

	return workload && key ? workload_annotation(workload, key) : NULL;
}

static const struct workload_sample *api_sample(struct agent *agent, uint64_t id)
{
	return snapshot_get(instance_of(agent)->plugin->host->context.snapshot, id);
}

int host_peek(const struct host *host, const uint64_t *workloads, size_t count,
	      const enum sample_value *values, size_t value_count, uint64_t *ret)
{
	cleanup_free struct snapshot_peek *peeks = NULL;

	if (count == 0)
		return 0;
	peeks = calloc(count, sizeof(*peeks));
	if (!peeks)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		const struct workload *workload =
			registry_get(host->context.registry, workloads[i]);

		peeks[i].id = workloads[i];
		peeks[i].group = workload ? workload->cgroup : NULL;
	}
	return snapshot_peek(host->context.snapshot, peeks, count, values, value_count, ret);
}

static int api_peek(struct agent *agent, const uint64_t *workloads, size_t count,
		    const enum sample_value *values, size_t value_count, uint64_t *ret)
{
	return host_peek(instance_of(agent)->plugin->host, workloads, count, values, value_count,
			 ret);
}

int host_knob_value(const struct host *host, struct berth_target target, enum knob knob,
		    uint64_t *ret_original, uint64_t *ret_now)
{
	struct actuator_target resolved;
	char label[512];
	int r = host_target(host, target, label, sizeof(label), &resolved);

	return r < 0 ? r
		     : actuator_knob_value(host->context.actuator, &resolved, knob, ret_original,
					   ret_now);
}

static int api_knob_value(struct agent *agent, struct berth_target target, enum knob knob,
			  uint64_t *ret_original, uint64_t *ret_now)
{
	return host_knob_value(instance_of(agent)->plugin->host, target, knob, ret_original,
			       ret_now);
}

static int api_fresh(struct agent *agent, uint64_t max_age_usec)
{
	return host_fresh(instance_of(agent)->plugin->host, max_age_usec);
}

static int api_original_text(struct agent *agent, struct berth_target target, enum knob knob,
			     char *text, size_t size)
{
	return host_original_text(instance_of(agent)->plugin->host, target, knob, text, size);
}

const struct agent_api host_api = {
	.size = sizeof(struct agent_api),
	.log = api_log,
	.every = api_every,
	.watch = api_watch,
	.forget = api_forget,
	.work = api_work,
	.claim = host_claim,
	.unclaim = host_unclaim,
	.knob_available = api_knob_available,
	.act = api_act,
	.workload = api_workload,
	.each_workload = api_each_workload,
	.annotation = api_annotation,
	.sample = api_sample,
	.fresh = api_fresh,
	.describe = api_describe,
	.metric = api_metric,
	.metric_set = api_metric_set,
	.each_child = api_each_child,
	.publish = api_publish,
	.claim_device = host_claim_device,
	.unclaim_device = host_unclaim_device,
	.node = api_node,
	.metric_set_labels = api_metric_set_labels,
	.claim_as = host_claim_as,
	.unclaim_as = host_unclaim_as,
	.original_text = api_original_text,
	.peek = api_peek,
	.knob_value = api_knob_value,
	.count = api_count,
	.can_count = api_can_count,
	.tell = api_tell,
};
