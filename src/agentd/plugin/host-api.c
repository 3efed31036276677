/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "plugin/host-internal.h"

_Static_assert(KNOB_MAX <= 64, "struct claimed holds a bit for each knob");

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
		(void)snprintf(label, size, "device %llu", (unsigned long long)target.id);
		return 0;
	case TARGET_HOST:
		(void)snprintf(label, size, "host");
		return target.id == 0 ? 0 : -EINVAL;
	}
	return -EINVAL;
}

/* Ids are counted up and device numbers have 44 bits: two bits are to spare. */
static uint64_t claim_key(struct berth_target target)
{
	return target.id << 2 | (uint64_t)target.kind;
}

static struct claimed *claimed_get(const struct instance *instance, struct berth_target target)
{
	return hashmap_get_u64(&instance->claims, claim_key(target));
}

static struct claimed *claimed_make(struct instance *instance, struct berth_target target)
{
	struct claimed *claimed = claimed_get(instance, target);

	if (claimed)
		return claimed;
	claimed = calloc(1, sizeof(*claimed));
	if (!claimed)
		return NULL;
	claimed->target = target;
	if (hashmap_put_u64(&instance->claims, claim_key(target), claimed) < 0) {
		free(claimed);
		return NULL;
	}
	return claimed;
}

static bool claimed_has(const struct instance *instance, struct berth_target target, enum knob knob)
{
	const struct claimed *claimed = instance ? claimed_get(instance, target) : NULL;

	return claimed && (claimed->knobs & UINT64_C(1) << knob);
}

/* Without it a plugin that claims what is refused, target after target, would fill the memory. */
static void claimed_forget_empty(struct instance *instance, struct claimed *claimed)
{
	if (claimed->knobs != 0)
		return;
	hashmap_remove_u64(&instance->claims, claim_key(claimed->target));
	free(claimed);
}

static bool knob_is_known(enum knob knob)
{
	return (unsigned int)knob < KNOB_MAX;
}

static int api_claim(struct agent *agent, struct berth_target target, enum knob knob,
		     const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	struct instance *instance = instance_of(agent);
	const struct host_plugin *plugin = instance->plugin;
	struct actuator_target resolved;
	struct claimed *claimed;
	char label[512];
	int r;

	if (instance->ending)
		return -ECANCELED;
	if (!value || target.id > UINT64_MAX >> 2)
		return -EINVAL;
	if (!knob_is_known(knob))
		return -EOPNOTSUPP;
	r = host_target(plugin->host, target, label, sizeof(label), &resolved);
	if (r < 0)
		return r;
	claimed = claimed_make(instance, target);
	if (!claimed)
		return -ENOMEM;
	r = actuator_claim(plugin->host->context.actuator, plugin->plugin->table.name, &resolved,
			   knob, value, lease_usec, reason ? reason : "");
	if (r >= 0)
		claimed->knobs |= UINT64_C(1) << knob;
	claimed_forget_empty(instance, claimed);
	return r;
}

static void api_unclaim(struct agent *agent, struct berth_target target, enum knob knob)
{
	struct instance *instance = instance_of(agent);
	const struct host_plugin *plugin = instance->plugin;
	struct claimed *claimed;

	if (!knob_is_known(knob) || !claimed_has(instance, target, knob))
		return;
	claimed = claimed_get(instance, target);
	claimed->knobs &= ~(UINT64_C(1) << knob);
	claimed_forget_empty(instance, claimed);
	/* In its stop() beside its successor, which holds the same claim now. */
	if (plugin->running != instance && claimed_has(plugin->running, target, knob))
		return;
	actuator_unclaim(plugin->host->context.actuator, plugin->plugin->table.name, target, knob);
}

static void claimed_drop(const struct instance *instance, const struct claimed *claimed,
			 const struct instance *successor)
{
	const struct host_plugin *plugin = instance->plugin;

	for (unsigned int knob = 0; knob < KNOB_MAX; knob++)
		if ((claimed->knobs & UINT64_C(1) << knob) &&
		    !claimed_has(successor, claimed->target, (enum knob)knob))
			actuator_unclaim(plugin->host->context.actuator, plugin->plugin->table.name,
					 claimed->target, (enum knob)knob);
}

void instance_drop_claims(struct instance *instance, const struct instance *successor)
{
	struct claimed *claimed;

	hashmap_foreach (claimed, &instance->claims) {
		if (successor)
			claimed_drop(instance, claimed, successor);
		free(claimed);
	}
	hashmap_done(&instance->claims);
	if (!successor)
		actuator_drop_owner(instance->plugin->host->context.actuator,
				    instance->plugin->plugin->table.name);
}

void instance_unclaim_workload(struct instance *instance, uint64_t id)
{
	struct claimed *claimed =
		claimed_get(instance, (struct berth_target){ TARGET_WORKLOAD, id });

	if (claimed)
		claimed_drop(instance, claimed, NULL);
	instance_forget_workload(instance, id);
}

void instance_forget_workload(struct instance *instance, uint64_t id)
{
	free(hashmap_remove_u64(&instance->claims,
				claim_key((struct berth_target){ TARGET_WORKLOAD, id })));
}

int host_knob_available(const struct host *host, enum knob knob, const char **ret_reason)
{
	const struct capability *capability;

	if (!knob_is_known(knob)) {
		if (ret_reason)
			*ret_reason = "this berthd does not know the knob";
		return 0;
	}
	capability = &actuator_capabilities(host->context.actuator)->knobs[knob];
	if (capability->available)
		return 1;
	if (ret_reason)
		*ret_reason = capability->detail;
	return 0;
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

static int api_fresh(struct agent *agent, uint64_t max_age_usec)
{
	return host_fresh(instance_of(agent)->plugin->host, max_age_usec);
}

const struct agent_api host_api = {
	.size = sizeof(struct agent_api),
	.log = api_log,
	.every = api_every,
	.watch = api_watch,
	.forget = api_forget,
	.work = api_work,
	.claim = api_claim,
	.unclaim = api_unclaim,
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
};
