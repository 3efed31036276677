/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "cleanup.h"
#include "limit.h"
#include "monotonic.h"
#include "plugin/host-internal.h"

#define TIMER_ACCURACY_USEC (250 * USEC_PER_MSEC)
/* Below it a plugin could keep the daemon busy with nothing but waking up. */
#define TIMER_PERIOD_MIN_USEC (10 * USEC_PER_MSEC)

struct agent_source {
	struct list link;
	struct instance *instance;
	sd_event_source *event;
	uint64_t period_usec, next_usec;
	int (*on_time)(void *self);
	int (*on_event)(void *self, uint32_t epoll_events);
};

static struct agent_source *source_free(struct agent_source *source)
{
	if (!source)
		return NULL;
	sd_event_source_disable_unref(source->event);
	free(source);
	return NULL;
}

uint64_t timer_first_usec(uint64_t now_usec, uint64_t period_usec)
{
	uint64_t first = now_usec + period_usec;

	/* So do those that divide a second, each of their ticks. */
	if (period_usec < USEC_PER_SEC)
		return USEC_PER_SEC % period_usec == 0 ? (now_usec / period_usec + 1) * period_usec
						       : first;
	/* Timers of 2 s all expire in even seconds, whenever they were made. */
	if (period_usec % USEC_PER_SEC == 0)
		return (now_usec / period_usec + 1) * period_usec;
	return (first + USEC_PER_SEC - 1) / USEC_PER_SEC * USEC_PER_SEC;
}

/* Whoever asks for less than a second measures in it. */
static uint64_t timer_accuracy_usec(uint64_t period_usec)
{
	return MIN(TIMER_ACCURACY_USEC,
		   period_usec < USEC_PER_SEC ? period_usec / 10 : period_usec / 4);
}

static int on_timer(sd_event_source *event, uint64_t usec, void *data)
{
	struct agent_source *source = data;
	struct instance *instance = source->instance;
	struct host_plugin *plugin = instance->plugin;
	uint64_t now = monotonic_usec();
	struct call call;
	int r;

	(void)usec;
	source->next_usec += source->period_usec;
	/* After a pause of the whole machine the missed ticks are not made up for. */
	if (source->next_usec <= now)
		source->next_usec +=
			((now - source->next_usec) / source->period_usec + 1) * source->period_usec;
	(void)sd_event_source_set_time(event, source->next_usec);
	(void)sd_event_source_set_enabled(event, SD_EVENT_ONESHOT);
	call = call_begin(plugin, "every");
	r = source->on_time(instance->self);
	call_end(plugin, "every", &call);
	/* The source may be forgotten by now, and with one failure too many the instance is. */
	plugin_result(plugin, "every", r);
	return 0;
}

static int on_event(sd_event_source *event, int fd, uint32_t revents, void *data)
{
	const struct agent_source *source = data;
	struct instance *instance = source->instance;
	struct host_plugin *plugin = instance->plugin;
	struct call call;
	int r;

	(void)event;
	(void)fd;
	call = call_begin(plugin, "watch");
	r = source->on_event(instance->self, revents);
	call_end(plugin, "watch", &call);
	plugin_result(plugin, "watch", r);
	return 0;
}

static struct agent_source *source_new(struct instance *instance)
{
	struct agent_source *source = calloc(1, sizeof(*source));

	if (source)
		source->instance = instance;
	return source;
}

static int source_keep(struct instance *instance, struct agent_source *source, int r,
		       struct agent_source **ret)
{
	if (r < 0) {
		source_free(source);
		return r;
	}
	(void)sd_event_source_set_description(source->event, instance->plugin->plugin->table.name);
	list_append(&instance->sources, &source->link);
	instance->source_count++;
	if (ret)
		*ret = source;
	return 0;
}

static int source_refusal(const struct instance *instance)
{
	if (instance->ending)
		return -ECANCELED;
	return instance->source_count >= LIMIT_PLUGIN_SOURCES ? -ENOSPC : 0;
}

int api_every(struct agent *agent, uint64_t period_usec, int (*fn)(void *self),
	      struct agent_source **ret)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct agent_source *source;
	int r = source_refusal(instance);

	if (r < 0)
		return r;
	if (!fn || period_usec < TIMER_PERIOD_MIN_USEC || period_usec > UINT64_MAX / 4)
		return -EINVAL;
	source = source_new(instance);
	if (!source)
		return -ENOMEM;
	source->on_time = fn;
	source->period_usec = period_usec;
	source->next_usec = timer_first_usec(monotonic_usec(), period_usec);
	r = sd_event_add_time(instance->plugin->host->context.event, &source->event,
			      CLOCK_MONOTONIC, source->next_usec, timer_accuracy_usec(period_usec),
			      on_timer, source);
	return source_keep(instance, source, r, ret);
}

int api_watch(struct agent *agent, int fd, uint32_t epoll_events,
	      int (*fn)(void *self, uint32_t epoll_events), struct agent_source **ret)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	struct agent_source *source;
	int r = source_refusal(instance);

	if (r < 0)
		return r;
	if (!fn || fd < 0)
		return -EINVAL;
	source = source_new(instance);
	if (!source)
		return -ENOMEM;
	source->on_event = fn;
	/* -EPERM for what epoll does not know, such as a regular file. */
	r = sd_event_add_io(instance->plugin->host->context.event, &source->event, fd, epoll_events,
			    on_event, source);
	return source_keep(instance, source, r, ret);
}

void api_forget(struct agent *agent, struct agent_source *source)
{
	struct instance *instance = container_of(agent, struct instance, agent);

	if (!source || source->instance != instance)
		return;
	list_unlink(&source->link);
	instance->source_count--;
	source_free(source);
}

void instance_drop_sources(struct instance *instance)
{
	struct agent_source *source, *following;

	list_foreach_safe (source, following, &instance->sources, link)
		api_forget(&instance->agent, source);
}
