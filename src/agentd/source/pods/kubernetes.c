/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubernetes.c - what the pods of this node are, from an apiserver or from the node's own kubelet:
 * the reflector tells, pods.h puts it together with the cgroup tree. Also gives Events their way
 * out. Which groups there are is kubepods.c's.
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kube/evict.h"
#include "log.h"
#include "macro.h"
#include "source/pods/kubernetes-internal.h"
#include "source/pods/pods.h"

#define KUBELET_PORT       10250
#define BACKOFF_FIRST_USEC USEC_PER_SEC
#define BACKOFF_MAX_USEC   (60 * USEC_PER_SEC)
#define RECOUNT_USEC       USEC_PER_SEC
/* Where many nodes start together, it is at boot; later a start is one node's, and waits for
 * nothing. */
#define BOOT_SECONDS     300
#define BOOT_SPREAD_USEC (2 * USEC_PER_SEC)

static_assert(offsetof(struct kubernetes, source) == 0, "the source is allocated as its whole");

static struct kubernetes *kubernetes_of(struct source *source)
{
	return container_of(source, struct kubernetes, source);
}

static struct pods *pods_of(const struct kubernetes *self)
{
	return self->source.context->pods;
}

static const char *via_name(const struct kubernetes *self)
{
	return self->via == VIA_KUBELET ? "kubelet" : "apiserver";
}

static size_t count(struct kubernetes *self)
{
	struct pods_stats stats;

	pods_stats(pods_of(self), &stats);
	self->source.workloads = stats.known;
	self->source.errors = self->own_errors;
	if (self->reflector) {
		const struct reflector_stats *told = reflector_stats(self->reflector);

		self->source.errors += told->errors + told->bad_objects;
	}
	return stats.known;
}

static void tell_ready(struct kubernetes *self)
{
	size_t pods = count(self);

	source_set_state(&self->source, SOURCE_READY, "%s %s: %zu pods, %s", via_name(self),
			 self->access->server, pods, self->synced);
}

static int on_recount(sd_event_source *event_source, uint64_t usec, void *data)
{
	struct kubernetes *self = data;

	(void)event_source;
	(void)usec;
	if (self->source.state == SOURCE_READY)
		tell_ready(self);
	return 0;
}

/* How many there are is for people to see as well, but not worth a count at each event. */
static void recount_soon(struct kubernetes *self)
{
	int enabled = SD_EVENT_OFF, r;

	self->source.events++;
	if (self->recount && sd_event_source_get_enabled(self->recount, &enabled) > 0)
		return;
	if (self->recount) {
		r = sd_event_source_set_time_relative(self->recount, RECOUNT_USEC);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->recount, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(self->source.context->event, &self->recount,
					       CLOCK_MONOTONIC, RECOUNT_USEC, RECOUNT_USEC,
					       on_recount, self);
	}
	if (r < 0)
		log_debug("ignoring that pods are not counted: %s", strerrordesc_np(-r));
}

static void on_sync_begin(void *data)
{
	pods_api_begin(pods_of(data));
}

static void on_pod(void *data, struct kube_pod *pod)
{
	struct kubernetes *self = data;

	pods_api_put(pods_of(self), via_name(self), pod);
	recount_soon(self);
}

static void on_sync_end(void *data)
{
	pods_api_end(pods_of(data));
}

static void on_gone(void *data, const struct kube_pod *pod)
{
	struct kubernetes *self = data;

	pods_api_gone(pods_of(self), pod->uid);
	recount_soon(self);
}

static int open_later(struct kubernetes *self, uint64_t usec);

static void on_state(void *data, enum reflector_state state, const char *detail)
{
	struct kubernetes *self = data;
	const struct source_context *context = self->source.context;

	switch (state) {
	case REFLECTOR_WAITING:
	case REFLECTOR_LISTING:
		/* A retry is no news before it has an end. */
		if (self->source.state != SOURCE_DOWN)
			source_set_state(&self->source, SOURCE_STARTING, "%s %s", via_name(self),
					 detail);
		break;
	case REFLECTOR_SYNCED:
		(void)snprintf(self->synced, sizeof(self->synced), "%s", detail);
		if (self->source.state != SOURCE_READY && context->settled)
			context->settled(context->settled_data);
		tell_ready(self);
		break;
	case REFLECTOR_FAILED:
		/* Either the server comes first, or a sentence that names it. */
		source_set_state(&self->source, SOURCE_DOWN, "%s%s %s; %zu pods known",
				 via_name(self), strncmp(detail, "http", 4) == 0 ? "" : ":", detail,
				 count(self));
		/* Tokens and certificates in files are read again for each call; those in the
		 * kubeconfig, and the server, only with it. */
		if (kubernetes_config_changed(self) && open_later(self, 0) < 0)
			log_error("the new kubeconfig '%s' is not read before a reload: %s",
				  self->kubeconfig, strerrordesc_np(ENOMEM));
		break;
	}
}

static void on_tree_change(void *data)
{
	struct kubernetes *self = data;

	reflector_poke(self->reflector);
}

static void kubernetes_close(struct kubernetes *self)
{
	pods_on_change(pods_of(self), NULL, NULL);
	kube_events_connect(self->source.context->events, NULL, NULL);
	kube_evictions_connect(self->source.context->evictions, NULL, NULL);
	self->retry = sd_event_source_disable_unref(self->retry);
	self->recount = sd_event_source_disable_unref(self->recount);
	self->reflector = reflector_free(self->reflector);
	self->access = kube_access_free(self->access);
	self->client = http_client_free(self->client);
}

static uint64_t first_delay(struct kubernetes *self)
{
	struct timespec up;
	bool first = !self->started;

	self->started = true;
	if (!first || self->via != VIA_APISERVER || clock_gettime(CLOCK_BOOTTIME, &up) < 0)
		return 0;
	return up.tv_sec < BOOT_SECONDS ? BOOT_SPREAD_USEC : 0;
}

/* 0; -ENOMEM; or any other error with why for people. */
static int open_access(struct kubernetes *self, char *why, size_t size)
{
	char kubelet[300];
	struct kube_access_options options = {
		.kubeconfig = self->kubeconfig,
		.server = self->server,
		.token_file = self->token_file,
		.ca_file = self->ca_file,
	};
	int r;

	/* Before the one of a kubeconfig or a service account, which is the apiserver's. */
	if (self->via == VIA_KUBELET && !self->server[0]) {
		(void)snprintf(kubelet, sizeof(kubelet), "https://%s:%d", self->node, KUBELET_PORT);
		options.server = kubelet;
	}
	r = kube_access_new(&options, why, size, &self->access);
	if (r < 0)
		return r;
	r = http_client_new(self->source.context->event, "berthd/" BERTH_VERSION, &self->client);
	if (r == -ENOPKG)
		(void)snprintf(why, size, "libcurl cannot be loaded: install libcurl4");
	return r;
}

static int open_reflector(struct kubernetes *self)
{
	static const struct reflector_handlers handlers = {
		.sync_begin = on_sync_begin,
		.pod = on_pod,
		.sync_end = on_sync_end,
		.gone = on_gone,
		.state = on_state,
	};
	struct reflector_options options = {
		.mode = self->via == VIA_KUBELET ? REFLECTOR_KUBELET : REFLECTOR_APISERVER,
		.node = self->node,
		.first_delay_usec = first_delay(self),
	};
	int r = reflector_new(self->source.context->event, self->client, self->access, &options,
			      &handlers, self, &self->reflector);

	if (r < 0)
		return r;
	if (self->via == VIA_KUBELET)
		pods_on_change(pods_of(self), on_tree_change, self);
	source_set_state(&self->source, SOURCE_STARTING, "%s %s: by %s", via_name(self),
			 self->access->server, self->access->origin);
	return 0;
}

/* A kubelet has no API for them. To connect anew forgives an RBAC that said no. */
static void connect_events(struct kubernetes *self)
{
	bool there = self->reflector && self->via == VIA_APISERVER, on = there && self->events;

	kube_events_connect(self->source.context->events, on ? self->client : NULL,
			    on ? self->access : NULL);
	kube_evictions_connect(self->source.context->evictions, there ? self->client : NULL,
			       there ? self->access : NULL);
}

static int kubernetes_open(struct kubernetes *self);

static int on_retry(sd_event_source *event_source, uint64_t usec, void *data)
{
	struct kubernetes *self = data;

	(void)event_source;
	(void)usec;
	kubernetes_close(self);
	if (kubernetes_open(self) < 0)
		log_error("source kubernetes stays down: %s", strerrordesc_np(ENOMEM));
	return 0;
}

static int open_later(struct kubernetes *self, uint64_t usec)
{
	int r;

	if (self->retry) {
		r = sd_event_source_set_time_relative(self->retry, usec);
		return r < 0 ? r : sd_event_source_set_enabled(self->retry, SD_EVENT_ONESHOT);
	}
	return sd_event_add_time_relative(self->source.context->event, &self->retry,
					  CLOCK_MONOTONIC, usec, 0, on_retry, self);
}

/* A kubeconfig may be written after us, by the kubelet's bootstrap for one. */
static int kubernetes_open(struct kubernetes *self)
{
	char why[300] = "";
	int r;

	kubernetes_config_remember(self);
	r = open_access(self, why, sizeof(why));
	if (r >= 0)
		r = open_reflector(self);
	if (r >= 0) {
		self->retry = sd_event_source_disable_unref(self->retry);
		self->backoff_usec = 0;
		connect_events(self);
		return 0;
	}
	self->access = kube_access_free(self->access);
	self->client = http_client_free(self->client);
	self->own_errors++;
	source_set_state(&self->source, SOURCE_DOWN, "%s; %zu pods known",
			 why[0] ? why : strerrordesc_np(-r), count(self));
	self->backoff_usec = self->backoff_usec == 0
				     ? BACKOFF_FIRST_USEC
				     : MIN(self->backoff_usec * 2, BACKOFF_MAX_USEC);
	return open_later(self, self->backoff_usec);
}

static int kubernetes_off(struct kubernetes *self, const struct settings *settings, const char *why)
{
	kubernetes_close(self);
	kubernetes_options_free(self);
	/* Not when nothing tells where an API is (any more): what is known goes on to hold. */
	if (settings->kubernetes_enabled == SWITCH_FALSE || settings->kubernetes_via == VIA_CGROUP)
		pods_api_forget(pods_of(self));
	self->source.workloads = 0;
	source_set_state(&self->source, SOURCE_OFF, "%s", why);
	return 0;
}

static int kubernetes_apply(struct source *source, const struct settings *settings)
{
	struct kubernetes *self = kubernetes_of(source);
	const char *off = kubernetes_off_reason(settings);
	int r;

	if (off)
		return kubernetes_off(self, settings, off);
	if (!kubernetes_options_same(self, settings) || kubernetes_config_changed(self) ||
	    !self->reflector) {
		kubernetes_close(self);
		self->backoff_usec = 0;
		r = kubernetes_options_copy(self, settings);
		if (r >= 0)
			r = kubernetes_open(self);
		if (r < 0)
			return r;
	}
	self->events = settings->kubernetes_events != 0;
	connect_events(self);
	return 0;
}

static struct source *kubernetes_free(struct source *source)
{
	struct kubernetes *self;

	if (!source)
		return NULL;
	self = kubernetes_of(source);
	kubernetes_close(self);
	kubernetes_options_free(self);
	free(self);
	return NULL;
}

static int kubernetes_new(const struct source_context *context, struct source **ret)
{
	struct source *source = calloc(1, sizeof(struct kubernetes));

	if (!source)
		return -ENOMEM;
	source->ops = &source_kubernetes;
	source->context = context;
	*ret = source;
	return 0;
}

const struct source_ops source_kubernetes = {
	.name = "kubernetes",
	.rank = PODS_RANK,
	.new = kubernetes_new,
	.apply = kubernetes_apply,
	.free = kubernetes_free,
};
