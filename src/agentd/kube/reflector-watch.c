/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kube/reflector-internal.h"
#include "kube/url.h"
#include "log.h"
#include "monotonic.h"

#define WATCH_SECONDS    300u /* to twice that, at random, so that a thousand nodes spread */
#define WATCH_LIVED_USEC (60 * USEC_PER_SEC)

static int on_silence(sd_event_source *source, uint64_t usec, void *data)
{
	struct reflector *self = data;

	(void)source;
	(void)usec;
	if (self->step != STEP_WATCH || !self->call)
		return 0;
	reflector_call_end(self);
	self->stats.errors++;
	/* Also what a watch from a resource version of the future looks like: it says nothing, and
	 * a list that asks for nothing older would wait for that future as well. */
	self->consistent = true;
	log_info("the watch of %s is silent for %llu s: listing again", self->access->server,
		 (unsigned long long)(self->silence_usec / USEC_PER_SEC));
	reflector_schedule(self, STEP_LIST, 0);
	return 0;
}

static void listen_for_silence(struct reflector *self)
{
	uint64_t accuracy = self->silence_usec / 16;
	int r;

	if (!self->silence) {
		r = sd_event_add_time_relative(self->event, &self->silence, CLOCK_MONOTONIC,
					       self->silence_usec, accuracy, on_silence, self);
	} else {
		r = sd_event_source_set_time_relative(self->silence, self->silence_usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->silence, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		log_error("a dead watch of %s would not be noticed, the timer cannot be set: %s",
			  self->access->server, strerrordesc_np(-r));
}

void reflector_watch(struct reflector *self)
{
	cleanup_strbuf struct strbuf path = { 0 };

	self->stats.watches++;
	self->told = 0;
	strbuf_add(&path, "/api/v1/pods?watch=1&allowWatchBookmarks=true&fieldSelector="
			  "spec.nodeName%3D");
	kube_url_add(&path, self->node);
	strbuf_add(&path, "&resourceVersion=");
	kube_url_add(&path, self->resource_version);
	strbuf_addf(&path, "&timeoutSeconds=%llu",
		    (unsigned long long)(WATCH_SECONDS + kube_random(WATCH_SECONDS)));
	if (strbuf_error(&path) < 0) {
		reflector_fail(self, STEP_WATCH, 0, "%s", strerrordesc_np(ENOMEM));
		return;
	}
	/* The client's own limit counts bytes, which may trickle for ever; ours counts whole
	 * events. */
	reflector_call(self, strbuf_text(&path), POD_STREAM_WATCH, self->silence_usec * 2, 0, 0);
}

void reflector_watch_head(struct reflector *self, bool is_good)
{
	/* A refusal may trickle, too. */
	listen_for_silence(self);
	if (is_good && self->state != REFLECTOR_SYNCED)
		reflector_set_state(self, REFLECTOR_SYNCED, "watching");
}

static void remember_version(struct reflector *self, const char *resource_version)
{
	self->told++;
	listen_for_silence(self);
	if (resource_version && resource_version[0] &&
	    strlen(resource_version) < sizeof(self->resource_version))
		(void)snprintf(self->resource_version, sizeof(self->resource_version), "%s",
			       resource_version);
}

void reflector_watch_pod(struct reflector *self, enum pod_event event, struct kube_pod *pod)
{
	self->stats.events++;
	remember_version(self, pod->resource_version);
	if (event == POD_DELETED) {
		if (self->handlers.gone)
			self->handlers.gone(self->data, pod);
		free(pod);
		return;
	}
	self->handlers.pod(self->data, pod);
	if (self->none) {
		self->none = false;
		reflector_set_state(self, REFLECTOR_SYNCED, "watching");
	}
}

void reflector_watch_bookmark(struct reflector *self, const char *resource_version)
{
	self->stats.bookmarks++;
	log_debug("the watch of %s: bookmark %s", self->access->server, resource_version);
	remember_version(self, resource_version);
}

/* It ended as watches do: after its time, or with the server. */
static void watch_resume(struct reflector *self, bool useful)
{
	uint64_t now = monotonic_usec();

	if (useful) {
		reflector_calm(self);
		self->resumed_already = false;
	}
	if (self->resumed_already) {
		reflector_fail(self, STEP_WATCH, 0, "the watch ends as soon as it begins");
		return;
	}
	self->resumed_already = true;
	/* A server that sends one event and hangs up each time would have us run in circles. */
	reflector_schedule(
		self, STEP_WATCH,
		self->resumed_usec > 0 && now - self->resumed_usec < self->backoff_first_usec
			? self->backoff_first_usec / 2 + kube_random(self->backoff_first_usec)
			: 0);
	self->resumed_usec = now;
}

void reflector_watch_done(struct reflector *self, const struct http_result *result)
{
	const struct reflector_answer *answer = &self->answer;
	bool useful = self->told > 0 || monotonic_usec() - self->began_usec >= WATCH_LIVED_USEC;
	enum reflector_step next;
	char why[480];

	if (self->silence)
		(void)sd_event_source_set_enabled(self->silence, SD_EVENT_OFF);
	/* A connection that was closed, however. A line that was cut is told again: its resource
	 * version was never taken over. */
	if (answer->status == 200 && !answer->refused && answer->feed_error == 0 &&
	    result->error != -ENOMEM) {
		watch_resume(self, useful);
		return;
	}
	reflector_explain(self, result, why, sizeof(why));
	if (answer->status == 410 || (answer->refused && answer->code == 410)) {
		if (useful)
			reflector_calm(self);
		reflector_expire(self, why);
		return;
	}
	/* A server that is away, overloaded, or does not know us yet has not lost our place. */
	switch (answer->status) {
	case 0:
	case 401:
	case 403:
	case 429:
	case 503:
		next = STEP_WATCH;
		break;
	default:
		next = STEP_LIST;
	}
	reflector_fail(self, next, result->retry_after_usec, "%s", why);
}
