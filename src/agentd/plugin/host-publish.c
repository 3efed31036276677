/* SPDX-License-Identifier: Apache-2.0 */
/* host-publish.c - families of workloads that one plugin publishes at /metrics: which, of whom. */
#include <errno.h>
#include <string.h>

#include "cleanup.h"
#include "metrics/page.h"
#include "plugin/host-internal.h"

static struct page *page_of(const struct host *host)
{
	return metrics_page(host->context.metrics);
}

static bool instance_wants(struct instance *instance, const struct berth_workload *view)
{
	struct call call;
	int wants;

	if (!instance->published.wants)
		return true;
	call = call_begin(instance->plugin, "wants");
	wants = instance->published.wants(instance->self, view);
	call_end(instance->plugin, "wants", &call);
	return wants > 0;
}

static void publish_workload(struct instance *instance, const struct workload *workload)
{
	const struct host *host = instance->plugin->host;
	const struct log_context context = { .plugin = instance->plugin->plugin->table.name };
	cleanup_strbuf struct strbuf text = { 0 };
	struct metric_label labels[WORKLOAD_METRIC_LABELS];
	int r;

	if (!instance_wants(instance, &workload->view)) {
		page_remove(page_of(host), workload->view.id);
		return;
	}
	r = labels_format(labels, workload_metric_labels(host, &workload->view, labels), &text);
	if (r == 0)
		r = page_put(page_of(host), workload->view.id, strbuf_text(&text));
	if (r < 0)
		log_full(LOG_WARNING, &context, "no series of workload '%s': %s",
			 workload->view.name, strerror(-r));
}

void host_publish_workload(struct host *host, enum workload_change change,
			   const struct workload *workload)
{
	const struct workload *child;

	if (!host->publisher)
		return;
	if (change == WORKLOAD_REMOVED) {
		page_remove(page_of(host), workload->view.id);
		return;
	}
	publish_workload(host->publisher, workload);
	/* A container is told by its pod, whose name may have come just now. */
	list_foreach (child, &workload->below, beside)
		if (child->announced && strcmp(child->kind, "container") == 0)
			publish_workload(host->publisher, child);
}

void instance_publish(struct instance *instance)
{
	struct host *host = instance->plugin->host;
	const struct workload *workload;

	if (instance->published.count == 0) {
		instance_unpublish(instance);
		return;
	}
	host->publisher = instance;
	page_set_tables(page_of(host), instance->published.tables, instance->published.count);
	host_foreach_workload(workload, host) publish_workload(instance, workload);
}

void instance_unpublish(struct instance *instance)
{
	struct host *host = instance->plugin->host;

	if (host->publisher != instance)
		return;
	host->publisher = NULL;
	page_set_tables(page_of(host), NULL, 0);
	page_clear(page_of(host));
}

static int tables_check(const struct instance *instance, const struct metric_table *tables,
			size_t count)
{
	const struct host *host = instance->plugin->host;
	const struct log_context context = { .plugin = instance->plugin->plugin->table.name };
	const char *why = "another family has this name";
	size_t i = 0;
	int r = page_check_tables(tables, count, &why);

	for (; r == 0 && i < count; i++)
		if (metrics_has_family(host->context.metrics, tables[i].name))
			r = -EINVAL;
	if (r < 0)
		log_full(LOG_ERR, &context, "plugin '%s' publishes families that are none%s%s: %s",
			 context.plugin, i > 0 ? ", " : "", i > 0 ? tables[i - 1].name : "", why);
	return r;
}

int api_publish(struct agent *agent, const struct metric_table *tables, size_t count,
		int (*wants)(void *self, const struct berth_workload *workload))
{
	struct instance *instance = container_of(agent, struct instance, agent);
	const struct host *host = instance->plugin->host;
	int r;

	if (instance->ending)
		return -ECANCELED;
	if (host->publisher && host->publisher->plugin != instance->plugin)
		return -EBUSY;
	r = tables_check(instance, tables, count);
	if (r < 0)
		return r;
	instance->published = (struct published){ tables, count, wants };
	/* While it starts, the one before still serves: plugin_start() changes over. */
	if (instance->plugin->running == instance)
		instance_publish(instance);
	return 0;
}
