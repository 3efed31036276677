/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/events.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kube/clock.h"
#include "kube/events-internal.h"
#include "kube/status.h"
#include "limit.h"
#include "log.h"
#include "monotonic.h"

#define BACKOFF_FIRST_USEC USEC_PER_SEC
#define BACKOFF_MAX_USEC   (300 * USEC_PER_SEC)
#define TOKEN_USEC         (60 * USEC_PER_SEC / KUBE_EVENT_PER_MINUTE)
#define TIMER_ACCURACY     USEC_PER_SEC

/* As people read it. */
static uint64_t wall_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static void incident_free(struct kube_events *self, struct incident *incident)
{
	if (self->sending == incident)
		self->sending = NULL;
	list_unlink(&incident->member);
	self->count--;
	free(incident->namespace);
	free(incident->pod);
	free(incident->uid);
	free(incident->message);
	free(incident);
}

static void arm(struct kube_events *self, uint64_t at_usec, uint64_t accuracy_usec);

/* The bucket holds a minute's worth; an empty one tells when to come back. */
static bool take_token(struct kube_events *self, uint64_t now, uint64_t *ret_at)
{
	uint64_t gained = (now - self->tokens_usec) / TOKEN_USEC;

	if (gained > 0) {
		self->tokens_usec += gained * TOKEN_USEC;
		self->tokens = (unsigned int)MIN(self->tokens + gained, KUBE_EVENT_PER_MINUTE);
	}
	if (self->tokens == 0) {
		*ret_at = self->tokens_usec + TOKEN_USEC;
		return false;
	}
	self->tokens--;
	return true;
}

/* Windows that are over: what happened again is told once more, the rest is forgotten. */
static void close_windows(struct kube_events *self, uint64_t now)
{
	struct incident *incident, *following;

	list_foreach_safe (incident, following, &self->incidents, member) {
		if (incident->until_usec > now || incident == self->sending)
			continue;
		if (incident->waits || incident->last) {
			/* Too late to be news. */
			if (now - incident->until_usec < self->aggregate_usec)
				continue;
			self->stats.failed++;
		} else if (incident->occurred > incident->told) {
			incident->waits = incident->last = true;
			continue;
		}
		incident_free(self, incident);
	}
}

static struct incident *first_waiting(const struct kube_events *self)
{
	struct incident *incident;

	list_foreach (incident, &self->incidents, member) {
		if (incident->waits)
			return incident;
	}
	return NULL;
}

static void forget_all(struct kube_events *self)
{
	struct incident *incident, *following;

	self->call = http_call_free(self->call);
	list_foreach_safe (incident, following, &self->incidents, member) {
		if (incident->waits)
			self->stats.dropped++;
		incident_free(self, incident);
	}
}

static void switch_off(struct kube_events *self, const char *why)
{
	self->refused = true;
	log_warning("no Events about pods: %s: %s; RBAC: create on events: kubectl apply -k "
		    "conf/kubernetes, or see docs/kubernetes.md, then reload",
		    self->access->server, why);
	forget_all(self);
}

static void back_off(struct kube_events *self, uint64_t at_least_usec)
{
	uint64_t delay;

	self->backoff_usec = self->backoff_usec == 0
				     ? self->backoff_first_usec
				     : MIN(self->backoff_usec * 2, BACKOFF_MAX_USEC);
	delay = self->backoff_usec / 2 + kube_random(self->backoff_usec);
	self->quiet_until_usec = monotonic_usec() + MAX(delay, at_least_usec);
}

static void sent(struct kube_events *self, struct incident *incident)
{
	self->stats.sent++;
	self->backoff_usec = 0;
	incident->waits = false;
	incident->told = incident->sending_count;
	if (incident->last)
		incident_free(self, incident);
}

static void given_up(struct kube_events *self, struct incident *incident, const char *why)
{
	self->stats.failed++;
	log_debug("an Event about pod %s/%s is lost: %s", incident->namespace, incident->pod, why);
	incident_free(self, incident);
}

static void on_done(void *data, const struct http_result *result)
{
	struct kube_events *self = data;
	struct incident *incident = TAKE_PTR(self->sending);
	char why[192];

	self->call = NULL;
	if (!incident)
		return;
	kube_status_message(self->text, self->text_size, why, sizeof(why));
	if (result->error == 0 && result->status >= 200 && result->status < 300) {
		sent(self, incident);
	} else if (result->error == 0 && result->status == 403 &&
		   strstr(why, "cannot create resource")) {
		switch_off(self, why);
	} else if (result->error == 0 && result->status >= 400 && result->status < 500 &&
		   result->status != 401 && result->status != 408 && result->status != 429) {
		/* The namespace is gone or on its way (403 as well), or full. */
		given_up(self, incident, why);
	} else {
		log_debug("an Event could not be sent to %s: %s", self->access->server,
			  result->error < 0 ? result->message : why);
		back_off(self, result->retry_after_usec);
	}
	arm(self, monotonic_usec(), 1);
}

static int on_body(void *data, const char *bytes, size_t size)
{
	struct kube_events *self = data;
	size_t room = sizeof(self->text) - 1 - self->text_size, n = MIN(room, size);

	memcpy(self->text + self->text_size, bytes, n);
	self->text_size += n;
	return 0;
}

static void send_one(struct kube_events *self, struct incident *incident)
{
	static const struct http_handlers handlers = { .body = on_body, .done = on_done };
	int r;

	self->text_size = 0;
	incident->sending_count = incident->occurred;
	r = events_post(self, incident, &handlers);
	if (r >= 0)
		self->sending = incident;
	else if (r == -EBADMSG)
		given_up(self, incident, "its message is not UTF-8");
	else
		back_off(self, 0);
}

/* What can be done now is done; then the timer stands at the next thing there is. */
static void turn(struct kube_events *self)
{
	uint64_t now = monotonic_usec(), next = UINT64_MAX, token;
	struct incident *incident;

	close_windows(self, now);
	incident = first_waiting(self);
	if (incident && !self->call && self->client) {
		if (self->quiet_until_usec > now) {
			next = self->quiet_until_usec;
		} else if (!take_token(self, now, &token)) {
			next = token;
		} else {
			send_one(self, incident);
			/* It failed at once, or is under way and on_done() turns again. */
			next = self->call ? UINT64_MAX : MAX(self->quiet_until_usec, now);
		}
	}
	list_foreach (incident, &self->incidents, member) {
		if (!incident->waits)
			next = MIN(next, incident->until_usec);
	}
	if (next != UINT64_MAX)
		arm(self, next, TIMER_ACCURACY);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	turn(data);
	return 0;
}

static void arm(struct kube_events *self, uint64_t at_usec, uint64_t accuracy_usec)
{
	int r;

	if (!self->timer) {
		r = sd_event_add_time(self->event, &self->timer, CLOCK_MONOTONIC, at_usec,
				      accuracy_usec, on_timer, self);
	} else {
		r = sd_event_source_set_time(self->timer, at_usec);
		if (r >= 0)
			r = sd_event_source_set_time_accuracy(self->timer, accuracy_usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->timer, SD_EVENT_ONESHOT);
	}
	if (r < 0)
		log_error("Events about pods are not sent, their timer cannot be set: %s",
			  strerrordesc_np(-r));
}

static struct incident *incident_find(const struct kube_events *self,
				      const struct kube_event *event)
{
	size_t length = events_message_length(event->message);
	struct incident *incident;

	list_foreach (incident, &self->incidents, member) {
		if (!incident->last && strcmp(incident->reason, event->reason) == 0 &&
		    strcmp(incident->uid, event->uid) == 0 &&
		    strncmp(incident->message, event->message, length) == 0 &&
		    incident->message[length] == '\0')
			return incident;
	}
	return NULL;
}

/* One that only counts gives way: what it would still tell is a number. */
static bool make_room(struct kube_events *self)
{
	struct incident *incident;

	if (self->count < LIMIT_KUBE_EVENTS)
		return true;
	list_foreach (incident, &self->incidents, member) {
		if (incident->waits || incident == self->sending)
			continue;
		incident_free(self, incident);
		return true;
	}
	return false;
}

static struct incident *incident_new(const struct kube_event *event)
{
	struct incident *incident = calloc(1, sizeof(*incident));

	if (!incident)
		return NULL;
	incident->namespace = strdup(event->namespace);
	incident->pod = strdup(event->pod);
	incident->uid = strdup(event->uid);
	incident->message = strndup(event->message, events_message_length(event->message));
	incident->type = event->type;
	incident->reason = event->reason;
	if (incident->namespace && incident->pod && incident->uid && incident->message)
		return incident;
	free(incident->namespace);
	free(incident->pod);
	free(incident->uid);
	free(incident->message);
	free(incident);
	return NULL;
}

void kube_events_report(struct kube_events *events, const struct kube_event *event)
{
	struct incident *incident;

	if (!events)
		return;
	/* A pod that no API has named yet has no namespace for an Event to be in. */
	if (!events->client || events->refused || !event->namespace || !event->namespace[0] ||
	    !event->uid || !event->uid[0]) {
		events->stats.dropped++;
		return;
	}
	incident = incident_find(events, event);
	if (incident) {
		incident->occurred++;
		incident->last_usec = wall_usec();
		events->stats.aggregated++;
		return;
	}
	incident = make_room(events) ? incident_new(event) : NULL;
	if (!incident) {
		events->stats.dropped++;
		return;
	}
	incident->first_usec = incident->last_usec = wall_usec();
	incident->until_usec = monotonic_usec() + events->aggregate_usec;
	incident->occurred = 1;
	incident->waits = true;
	list_append(&events->incidents, &incident->member);
	events->count++;
	if (!events->call)
		arm(events, monotonic_usec(), 1);
}

void kube_events_connect(struct kube_events *events, struct http_client *client,
			 struct kube_access *access)
{
	if (!events)
		return;
	if (client != events->client || access != events->access)
		forget_all(events);
	events->client = client;
	events->access = access;
	events->refused = false;
	events->backoff_usec = events->quiet_until_usec = 0;
}

const struct kube_event_stats *kube_events_stats(const struct kube_events *events)
{
	return &events->stats;
}

struct kube_events *kube_events_free(struct kube_events *events)
{
	if (!events)
		return NULL;
	forget_all(events);
	(void)sd_event_source_disable_unref(events->timer);
	(void)sd_event_unref(events->event);
	free(events->node);
	free(events);
	return NULL;
}

void kube_events_set_times(struct kube_events *events, uint64_t aggregate_usec,
			   uint64_t backoff_usec)
{
	events->aggregate_usec = aggregate_usec;
	events->backoff_first_usec = backoff_usec;
}

int kube_events_new(sd_event *event, const char *node, struct kube_events **ret)
{
	cleanup_free char *copy = strdup(node);
	struct kube_events *self = calloc(1, sizeof(*self));

	if (!self || !copy) {
		free(self);
		return -ENOMEM;
	}
	list_init(&self->incidents);
	self->event = sd_event_ref(event);
	self->node = TAKE_PTR(copy);
	self->aggregate_usec = KUBE_EVENT_AGGREGATE_USEC;
	self->backoff_first_usec = BACKOFF_FIRST_USEC;
	self->tokens = KUBE_EVENT_PER_MINUTE;
	self->tokens_usec = monotonic_usec();
	*ret = self;
	return 0;
}
