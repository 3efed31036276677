/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "plugin/host-internal.h"
#include "settings.h"

struct description {
	struct list link;
	char *value;
	char key[]; /* the value changes, the key does not */
};

struct described {
	uint64_t workload;
	size_t count;
	struct list items;
};

static void description_drop(struct described *described, struct description *item)
{
	list_unlink(&item->link);
	described->count--;
	free(item->value);
	free(item);
}

static struct described *described_get(struct instance *instance, uint64_t workload, bool make)
{
	struct described *described = hashmap_get_u64(&instance->descriptions, workload);

	if (described || !make)
		return described;
	described = calloc(1, sizeof(*described));
	if (!described)
		return NULL;
	described->workload = workload;
	list_init(&described->items);
	if (hashmap_put_u64(&instance->descriptions, workload, described) < 0) {
		free(described);
		return NULL;
	}
	return described;
}

static struct description *description_make(struct described *described, const char *key)
{
	struct description *item;
	size_t size = strlen(key) + 1;

	if (described->count >= LIMIT_DESCRIPTIONS)
		return NULL;
	item = calloc(1, sizeof(*item) + size);
	if (!item)
		return NULL;
	memcpy(item->key, key, size);
	list_append(&described->items, &item->link);
	described->count++;
	return item;
}

/* What does not fit is left out: it is only shown to people. */
void api_describe(struct agent *agent, uint64_t workload, const char *key, const char *value)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct described *described;
	struct description *item, *found = NULL;
	char *copy;

	if (!key || instance->ending)
		return;
	if (workload != 0 && !registry_get(instance->plugin->host->context.registry, workload))
		return;
	described = described_get(instance, workload, value != NULL);
	if (!described)
		return;
	list_foreach (item, &described->items, link)
		if (strcmp(item->key, key) == 0)
			found = item;
	if (!value) {
		if (found)
			description_drop(described, found);
		return;
	}
	if (found && strcmp(found->value, value) == 0)
		return;
	copy = strdup(value);
	if (!copy)
		return;
	if (!found)
		found = description_make(described, key);
	if (!found) {
		free(copy);
		return;
	}
	free(found->value);
	found->value = copy;
}

void instance_drop_described(struct instance *instance, uint64_t workload)
{
	struct described *described = hashmap_remove_u64(&instance->descriptions, workload);
	struct description *item, *following;

	if (!described)
		return;
	list_foreach_safe (item, following, &described->items, link)
		description_drop(described, item);
	free(described);
}

void instance_drop_descriptions(struct instance *instance)
{
	const struct described *described;

	hashmap_foreach (described, &instance->descriptions)
		instance_drop_described(instance, described->workload);
	hashmap_done(&instance->descriptions);
}

void host_each_description(const struct host *host, uint64_t workload,
			   void (*fn)(void *data, const char *plugin, const char *key,
				      const char *value),
			   void *data)
{
	for (size_t i = 0; i < host->count; i++) {
		const struct host_plugin *plugin = &host->plugins[i];
		const struct described *described;
		const struct description *item;

		if (!plugin->running)
			continue;
		described = hashmap_get_u64(&plugin->running->descriptions, workload);
		if (!described)
			continue;
		list_foreach (item, &described->items, link)
			fn(data, plugin->plugin->table.name, item->key, item->value);
	}
}

static bool name_is_counter(const char *name)
{
	size_t length = strlen(name);

	return length > 6 && strcmp(name + length - 6, "_total") == 0;
}

int api_metric(struct agent *agent, const char *name, const char *help, struct agent_metric **ret)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct host_plugin *plugin = instance->plugin;
	struct metrics *metrics = plugin->host->context.metrics;
	cleanup_free struct agent_metric *made = NULL;
	struct agent_metric *metric;
	int r;

	if (instance->ending)
		return -ECANCELED;
	made = calloc(1, sizeof(*made));
	if (!made)
		return -ENOMEM;
	r = snprintf(made->name, sizeof(made->name), "berth_%s_%s", plugin->plugin->table.name,
		     name);
	if (r < 0 || r >= (int)sizeof(made->name))
		return -ENAMETOOLONG;
	list_foreach (metric, &plugin->metrics, link)
		if (strcmp(metric->name, made->name) == 0) {
			/* From the instance before: what it said is not ours to repeat. */
			if (metric->instance != instance)
				metrics_clear_family(metrics, metric->family);
			metric->instance = instance;
			*ret = metric;
			return 0;
		}
	if (plugin->metric_count >= LIMIT_PLUGIN_METRICS)
		return -ENOSPC;
	r = metrics_family(metrics, made->name,
			   name_is_counter(name) ? METRIC_COUNTER : METRIC_GAUGE, help ? help : "",
			   &made->family);
	if (r < 0)
		return r;
	made->instance = instance;
	list_append(&plugin->metrics, &made->link);
	plugin->metric_count++;
	*ret = TAKE_PTR(made);
	return 0;
}

/* What is above a container whose pod is not here yet may be any group. */
static bool is_pod(const struct workload *workload)
{
	return workload && strcmp(workload->kind, "pod") == 0;
}

size_t workload_metric_labels(const struct host *host, const struct berth_workload *view,
			      struct metric_label labels[WORKLOAD_METRIC_LABELS])
{
	const struct workload *parent = registry_get(host->context.registry, view->parent);
	size_t count = 0;

	if (strcmp(view->kind, "pod") == 0) {
		labels[count++] = (struct metric_label){ "namespace", view->namespace };
		labels[count++] = (struct metric_label){ "pod", view->name };
	} else if (strcmp(view->kind, "container") == 0) {
		labels[count++] = (struct metric_label){ "namespace", view->namespace };
		labels[count++] =
			(struct metric_label){ "pod", is_pod(parent) ? parent->name : "" };
		labels[count++] = (struct metric_label){ "container", view->name };
	} else {
		labels[count++] = (struct metric_label){ "kind", view->kind };
		labels[count++] = (struct metric_label){ "name", view->name };
	}
	labels[count++] = (struct metric_label){ "qos", qos_name(view->qos) };
	return count;
}

/* Remember which level its series carry; small numbers in the place of pointers. */
static void level_remember(struct host *host, const struct berth_workload *view)
{
	uintptr_t level = (uintptr_t)(1 + (int)view->qos - QOS_SCAVENGER);

	if ((uintptr_t)hashmap_get_u64(&host->metric_levels, view->id) == level)
		return;
	hashmap_remove_u64(&host->metric_levels, view->id);
	/* Without memory an old series stays beside the new one until the workload goes. */
	(void)hashmap_put_u64(&host->metric_levels, view->id, (void *)level);
}

void host_metrics_changed(struct host *host, const struct berth_workload *view, bool gone)
{
	uintptr_t now = (uintptr_t)(1 + (int)view->qos - QOS_SCAVENGER);
	uintptr_t before = (uintptr_t)hashmap_get_u64(&host->metric_levels, view->id);

	if (gone || (before && before != now)) {
		metrics_drop_scope(host->context.metrics, view->id);
		hashmap_remove_u64(&host->metric_levels, view->id);
	}
}

void api_metric_set(struct agent *agent, struct agent_metric *metric, uint64_t workload,
		    double value)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct host *host = instance->plugin->host;
	const struct workload *found = NULL;
	struct metric_label labels[WORKLOAD_METRIC_LABELS];
	size_t count = 0;

	if (!metric || metric->instance != instance)
		return;
	if (workload != 0) {
		found = registry_get(host->context.registry, workload);
		if (!found)
			return;
		count = workload_metric_labels(host, &found->view, labels);
		level_remember(host, &found->view);
	}
	/* What is refused is counted by the registry. */
	(void)metrics_set(host->context.metrics, metric->family, workload, labels, count, value);
}

/* The text `a="b",c="d"` in place: names and values become strings of their own. How many; -EINVAL.
 */
static int labels_split(char *text, struct metric_label labels[4])
{
	size_t count = 0;

	while (*text) {
		char *equals = strchr(text, '='), *end;

		if (count == 4 || !equals || equals[1] != '"')
			return -EINVAL;
		end = strchr(equals + 2, '"');
		if (!end || (end[1] != ',' && end[1] != '\0'))
			return -EINVAL;
		*equals = *end = '\0';
		labels[count++] = (struct metric_label){ text, equals + 2 };
		text = end[1] == ',' ? end + 2 : end + 1;
	}
	return (int)count;
}

void api_metric_set_labels(struct agent *agent, struct agent_metric *metric, const char *labels,
			   double value)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	cleanup_free char *text = strdup(labels ? labels : "");
	struct metric_label split[4];
	int count;

	if (!metric || metric->instance != instance || !text)
		return;
	count = labels_split(text, split);
	if (count < 0)
		return;
	(void)metrics_set(instance->plugin->host->context.metrics, metric->family, 0, split,
			  (size_t)count, value);
}

void instance_drop_metrics(struct instance *instance, struct instance *heir)
{
	struct host_plugin *plugin = instance->plugin;
	struct agent_metric *metric, *following;

	list_foreach_safe (metric, following, &plugin->metrics, link) {
		if (metric->instance != instance)
			continue;
		if (heir) {
			metric->instance = heir;
			continue;
		}
		metrics_remove_family(plugin->host->context.metrics, metric->family);
		list_unlink(&metric->link);
		plugin->metric_count--;
		free(metric);
	}
}

void api_tell(struct agent *agent, const char *part, uint64_t id, const char *what,
	      const char *reason)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct host_plugin *plugin = instance->plugin;
	const struct host_context *context = &plugin->host->context;
	const struct berth_target target = { TARGET_WORKLOAD, id };
	struct actuator_target resolved;
	char label[512];
	int index = part ? plugin_part(plugin, part, true) : 0;
	const char *owner;

	/* What is ignored is not changed, so that there is nothing to tell. */
	if (instance->ending || index < 0 || !what ||
	    host_target(plugin->host, target, label, sizeof(label), &resolved) < 0)
		return;
	owner = plugin_owner(plugin, (unsigned int)index);
	if (!reason)
		reason = "";
	/* In a dry run nothing happened to it. */
	if (!actuator_note(context->actuator, owner, &resolved, what, reason))
		return;
	if (log_limit_pass(&plugin->own_log, LOG_NOTICE))
		log_notice("%s: %s: %s: %s", owner, label, what, reason);
	if (context->told)
		context->told(context->acted_data, owner, id, what, reason);
}
