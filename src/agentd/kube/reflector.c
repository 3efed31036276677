/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/reflector.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kube/reflector-internal.h"
#include "log.h"
#include "monotonic.h"

#define BACKOFF_FIRST_USEC USEC_PER_SEC
#define BACKOFF_STEPS      60u                   /* the longest, in first ones */
#define POKE_USEC          (500 * USEC_PER_MSEC) /* between two polls */
#define POLL_ACCURACY_USEC USEC_PER_SEC
#define BAD_LINES_USEC     (60 * USEC_PER_SEC)
#define BAD_LINES          5u
/* A second 410 this soon after the first (in first steps of the scale) is no accident. */
#define EXPIRE_STEPS 10u

DEFINE_CLEANUP(struct reflector *, reflector_free);

void reflector_set_state(struct reflector *self, enum reflector_state state, const char *format,
			 ...)
{
	char detail[640];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(detail, sizeof(detail), format, arguments);
	va_end(arguments);
	self->state = state;
	if (self->handlers.state)
		self->handlers.state(self->data, state, detail);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct reflector *self = data;

	(void)source;
	(void)usec;
	self->began_usec = monotonic_usec();
	if (self->step == STEP_WATCH)
		reflector_watch(self);
	else
		reflector_list(self);
	return 0;
}

void reflector_schedule(struct reflector *self, enum reflector_step step, uint64_t delay_usec)
{
	/* A poll may join another timer; what somebody waits for must not. */
	uint64_t accuracy = delay_usec == REFLECTOR_POLL_USEC
				    ? POLL_ACCURACY_USEC
				    : MIN(delay_usec / 16 + 1, 250 * USEC_PER_MSEC);
	int r;

	self->step = step;
	if (!self->timer) {
		r = sd_event_add_time_relative(self->event, &self->timer, CLOCK_MONOTONIC,
					       delay_usec, accuracy, on_timer, self);
	} else {
		r = sd_event_source_set_time_accuracy(self->timer, accuracy);
		if (r >= 0)
			r = sd_event_source_set_time_relative(self->timer, delay_usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		log_error("pods of %s are no longer asked for, the timer cannot be set: %s",
			  self->access->server, strerrordesc_np(-r));
}

void reflector_calm(struct reflector *self)
{
	self->backoff_usec = 0;
}

void reflector_fail(struct reflector *self, enum reflector_step step, uint64_t at_least_usec,
		    const char *format, ...)
{
	uint64_t delay;
	bool named;
	char why[512];
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	self->stats.errors++;
	self->backoff_usec =
		self->backoff_usec == 0
			? self->backoff_first_usec
			: MIN(self->backoff_usec * 2, self->backoff_first_usec * BACKOFF_STEPS);
	delay = self->backoff_usec / 2 + kube_random(self->backoff_usec);
	delay = MAX(delay, at_least_usec);
	reflector_schedule(self, step, delay);
	log_debug("pods of %s: %s; next %s in %llu ms", self->access->server, why,
		  step == STEP_WATCH ? "watch" : "list",
		  (unsigned long long)(delay / USEC_PER_MSEC));
	/* The HTTP client's own words name it. */
	named = strstr(why, self->access->server) != NULL;
	reflector_set_state(self, REFLECTOR_FAILED, "%s%s%s; next try in %llu s",
			    named ? "" : self->access->server, named ? "" : ": ", why,
			    (unsigned long long)((delay + USEC_PER_SEC - 1) / USEC_PER_SEC));
}

void reflector_expire(struct reflector *self, const char *why)
{
	uint64_t now = monotonic_usec();

	self->stats.relists_410++;
	self->consistent = true;
	free(TAKE_PTR(self->next_page));
	if (self->expired_usec > 0 &&
	    now - self->expired_usec < self->backoff_first_usec * EXPIRE_STEPS) {
		reflector_fail(self, STEP_LIST, 0, "expired again: %s", why);
		return;
	}
	self->expired_usec = now;
	log_debug("pods of %s are listed again: %s", self->access->server, why);
	reflector_schedule(self, STEP_LIST, 0);
}

void reflector_poke(struct reflector *reflector)
{
	uint64_t since;

	/* After a failure the scale decides: a busy tree must not hammer a kubelet that is down. */
	if (!reflector || reflector->mode != REFLECTOR_KUBELET ||
	    reflector->state == REFLECTOR_FAILED || reflector->state == REFLECTOR_WAITING)
		return;
	if (reflector->call) {
		reflector->poked = true;
		return;
	}
	since = monotonic_usec() - reflector->began_usec;
	reflector_schedule(reflector, STEP_LIST, since >= POKE_USEC ? 0 : POKE_USEC - since);
}

const struct reflector_stats *reflector_stats(const struct reflector *reflector)
{
	return &reflector->stats;
}

struct reflector *reflector_free(struct reflector *reflector)
{
	if (!reflector)
		return NULL;
	reflector_call_end(reflector);
	(void)sd_event_source_disable_unref(reflector->timer);
	(void)sd_event_source_disable_unref(reflector->silence);
	(void)sd_event_unref(reflector->event);
	free(reflector->next_page);
	free(reflector->node);
	free(reflector);
	return NULL;
}

int reflector_new(sd_event *event, struct http_client *client, struct kube_access *access,
		  const struct reflector_options *options,
		  const struct reflector_handlers *handlers, void *data, struct reflector **ret)
{
	CLEANUP(reflector_freep) struct reflector *self = calloc(1, sizeof(*self));
	uint64_t delay;

	if (!self)
		return -ENOMEM;
	self->event = sd_event_ref(event);
	self->client = client;
	self->access = access;
	self->mode = options->mode;
	self->handlers = *handlers;
	self->data = data;
	self->bad_lines = (struct log_limit){ .interval_usec = BAD_LINES_USEC, .burst = BAD_LINES };
	self->backoff_first_usec =
		options->backoff_usec ? options->backoff_usec : BACKOFF_FIRST_USEC;
	self->silence_usec = options->silence_usec ? options->silence_usec : REFLECTOR_SILENCE_USEC;
	self->node = strdup(options->node ? options->node : "");
	if (!self->node)
		return -ENOMEM;
	delay = kube_random(options->first_delay_usec);
	reflector_schedule(self, STEP_LIST, delay);
	if (!self->timer)
		return -ENOMEM;
	*ret = TAKE_PTR(self);
	return 0;
}
