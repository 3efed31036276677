/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colocation.c - offline work keeps out of the way of online work. What it does is done by services
 * (services.c); here they are started, asked about every workload, and stopped. Level triggered: a
 * decision looks at what is, not at what changed.
 */
#include "colocation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "macro.h"
#include "service.h"

#define DEPTH_MAX 64 /* far beyond any nesting of cgroups */

struct colocation {
	struct agent *agent;
	void *states[SERVICES]; /* NULL: it could not start */
	int depth; /* below the workload that changed, while those below it are decided again */
	enum service_id asked; /* the one that colocation_decide_service() is about */
};

#define foreach_service(service, state, self)          \
	for (unsigned int i_ = 0; i_ < SERVICES; i_++) \
		if ((service = &colocation_services[i_], state = (self)->states[i_]) != NULL)

void *service_state(void *self, enum service_id id)
{
	return ((struct colocation *)self)->states[id];
}

/* Is a workload above this one offline? Vendor kernels pass levels down and refuse the
 * child. */
static bool parent_is_offline(const struct colocation *self, const struct berth_workload *workload)
{
	uint64_t id = workload->parent;

	for (int depth = 0; id != 0 && depth < DEPTH_MAX; depth++) {
		const struct berth_workload *parent = self->agent->api->workload(self->agent, id);

		if (!parent)
			return false;
		if (parent->qos < QOS_NORMAL && !(parent->flags & WORKLOAD_IGNORED))
			return true;
		id = parent->parent;
	}
	return false;
}

static bool is_below_offline(const struct colocation *self, const struct berth_workload *workload)
{
	return !(workload->flags & WORKLOAD_IGNORED) && parent_is_offline(self, workload);
}

static void colocation_decide(struct colocation *self, const struct berth_workload *workload)
{
	bool below_offline = is_below_offline(self, workload);
	const struct service *service;
	void *state;

	foreach_service(service, state, self) if (service->decide)
		service->decide(state, workload, below_offline);
}

static void colocation_decide_each(void *self, const struct berth_workload *workload)
{
	colocation_decide(self, workload);
}

static void colocation_decide_all(struct colocation *self)
{
	const struct service *service;
	void *state;

	self->agent->api->each_workload(self->agent, colocation_decide_each);
	foreach_service(service, state, self) if (service->decided) service->decided(state);
}

static void service_decide_each(void *self, const struct berth_workload *workload)
{
	const struct colocation *colocation = self;
	enum service_id id = colocation->asked;

	colocation_services[id].decide(colocation->states[id], workload,
				       is_below_offline(colocation, workload));
}

void colocation_decide_service(void *self, enum service_id id)
{
	struct colocation *colocation = self;

	if (!colocation->states[id] || !colocation_services[id].decide)
		return;
	colocation->asked = id;
	colocation->agent->api->each_workload(colocation->agent, service_decide_each);
	if (colocation_services[id].decided)
		colocation_services[id].decided(colocation->states[id]);
}

static int colocation_check(const void *config, struct berth_error *reterr)
{
	int r = 0;

	for (size_t i = 0; i < SERVICES && r >= 0; i++)
		if (colocation_services[i].check)
			r = colocation_services[i].check(config, reterr);
	return r;
}

/* The rest of the plugin goes on without it. */
static void service_failed(struct colocation *self, const struct service *service, bool runs,
			   int error)
{
	char text[160];

	(void)snprintf(text, sizeof(text), "%s: %s",
		       runs ? "not as the policy says" : "off: it could not start",
		       strerror(-error));
	self->agent->api->describe(self->agent, 0, service->name, text);
	self->agent->api->log(self->agent, LOG_ERR, "%s is %s", service->name, text);
}

static int colocation_start(struct agent *agent, const void *config, void **ret_self)
{
	struct colocation *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->agent = agent;
	for (size_t i = 0; i < SERVICES; i++) {
		const struct service *service = &colocation_services[i];
		int r = service->start(agent, self, config, &self->states[i]);

		if (r < 0)
			service_failed(self, service, self->states[i] != NULL, r);
	}
	*ret_self = self;
	return 0;
}

/* One that could not start before gets another chance. */
static int colocation_apply(void *data, const void *config)
{
	struct colocation *self = data;

	for (size_t i = 0; i < SERVICES; i++) {
		const struct service *service = &colocation_services[i];
		int r = 0;

		if (!self->states[i])
			r = service->start(self->agent, self, config, &self->states[i]);
		else if (service->apply)
			r = service->apply(self->states[i], config);
		if (r < 0)
			service_failed(self, service, self->states[i] != NULL, r);
	}
	colocation_decide_all(self);
	return 0;
}

static void colocation_capabilities(void *data)
{
	struct colocation *self = data;
	const struct service *service;
	void *state;

	foreach_service(service, state, self) if (service->probe) service->probe(state);
	colocation_decide_all(self);
}

/* Below the one that changed, however deep: the kernel passes a level on to all of them, and
 * containers go by what their pod is. */
static void colocation_decide_below(void *data, const struct berth_workload *workload)
{
	struct colocation *self = data;

	colocation_decide(self, workload);
	/* Two that name each other as parents would go on for ever. */
	if (self->depth >= DEPTH_MAX)
		return;
	self->depth++;
	self->agent->api->each_child(self->agent, workload->id, colocation_decide_below);
	self->depth--;
}

static void colocation_workload(void *data, const struct workload_event *event)
{
	struct colocation *self = data;
	const struct service *service;
	void *state;

	if (event->change == WORKLOAD_REMOVED) {
		/* The host drops claims and descriptions of one that is gone. */
		foreach_service(service, state, self) if (service->workload)
			service->workload(state, event);
		return;
	}
	colocation_decide(self, event->workload);
	if (event->change == WORKLOAD_UPDATED)
		self->agent->api->each_child(self->agent, event->workload->id,
					     colocation_decide_below);
}

static void colocation_stop(void *data)
{
	struct colocation *self = data;

	for (size_t i = SERVICES; i-- > 0;)
		if (self->states[i] && colocation_services[i].stop)
			colocation_services[i].stop(self->states[i]);
	free(self);
}

BERTH_PLUGIN_EXPORT extern const struct berth_plugin berth_plugin;
BERTH_PLUGIN_EXPORT const struct berth_plugin berth_plugin = {
	.abi = BERTH_PLUGIN_ABI,
	.size = sizeof(struct berth_plugin),
	.name = "colocation",
	.description = "offline work keeps out of the way of online work",
	.needs = BERTH_NEEDS_CGROUP,
	.fields = colocation_fields,
	.config_size = sizeof(struct colocation_config),
	.check = colocation_check,
	.start = colocation_start,
	.apply = colocation_apply,
	.workload = colocation_workload,
	.stop = colocation_stop,
	.capabilities = colocation_capabilities,
};
