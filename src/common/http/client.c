/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.c - libcurl's multi handle on the loop. libcurl names the sockets and the time; the
 * loop calls it. Three rules hold it together:
 *
 * - libcurl refuses to be called from inside its own callbacks (CURLM_RECURSIVE_API_CALL), so what
 *   handlers start or free in there is kept until it has returned.
 * - nothing is freed while a handler may run (depth > 0), so lists may be walked across handlers.
 * - a turn's time is used up at most once: then libcurl gets CURL_WRITEFUNC_PAUSE for each piece,
 *   which it keeps, and hands on in the next turn.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "cleanup.h"
#include "http/internal.h"
#include "monotonic.h"

#define CONNECTIONS_KEPT      4L
#define CONNECTIONS_MAX       16L
#define DEADLINE_LATENCY_USEC (100 * USEC_PER_MSEC)

bool http_slice_is_used(const struct http_client *client)
{
	return monotonic_usec() - client->turn_usec >= HTTP_SLICE_USEC;
}

void http_client_resume_later(struct http_client *client)
{
	/* A timer and no defer source: those count as pending since they were made, and come
	 * before everything else of their priority, each time. */
	(void)sd_event_source_set_time(client->resume, monotonic_usec());
	(void)sd_event_source_set_enabled(client->resume, SD_EVENT_ONESHOT);
}

static void source_freep(sd_event_source **source)
{
	if (*source)
		(void)sd_event_source_set_enabled(*source, SD_EVENT_OFF);
	*source = sd_event_source_unref(*source);
}

static void client_destroy(struct http_client *client)
{
	struct http_call *call, *next;

	list_foreach_safe (call, next, &client->calls, link)
		http_call_destroy(call);
	/* Closes the kept connections, and tells of their sockets once more. */
	if (client->multi)
		(void)client->lib->multi_cleanup(client->multi);
	source_freep(&client->timer);
	source_freep(&client->deadline);
	source_freep(&client->resume);
	(void)sd_event_unref(client->event);
	free(client->user_agent);
	free(client);
}

/* libcurl has returned: what could not be done inside is done now. */
static void client_add_waiting(struct http_client *client)
{
	struct http_call *call;

	list_foreach (call, &client->calls, link) {
		if (call->is_added || call->is_finished)
			continue;
		call->is_added = true;
		if (client->lib->multi_add_handle(client->multi, call->easy) != CURLM_OK)
			http_call_finish(call, CURLE_OUT_OF_MEMORY);
	}
}

static void client_reap(struct http_client *client)
{
	struct http_call *call, *next;

	list_foreach_safe (call, next, &client->calls, link)
		if (call->is_finished)
			http_call_destroy(call);
}

/* Calls that libcurl has done with; done() counts as a handler's time too. */
static void client_finish_done(struct http_client *client)
{
	const CURLMsg *message;
	int left = 0;

	while (!http_slice_is_used(client)) {
		char *private = NULL;
		CURLcode code;

		message = client->lib->multi_info_read(client->multi, &left);
		if (!message)
			return;
		if (message->msg != CURLMSG_DONE)
			continue;
		code = message->data.result;
		(void)client->lib->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &private);
		http_call_finish((struct http_call *)(void *)private, code);
	}
	http_client_resume_later(client);
}

static void client_arm_deadline(struct http_client *client)
{
	uint64_t now = monotonic_usec(), first = UINT64_MAX;
	struct http_call *call;

	list_foreach (call, &client->calls, link) {
		uint64_t due = http_call_due(call, now);

		first = MIN(first, due);
	}
	/* An earlier wake-up that is armed already looks again: bytes of a busy body cost no
	 * system call each, and an idle watch one wake-up in its whole time limit. */
	if (first == UINT64_MAX || first >= client->deadline_usec)
		return;
	client->deadline_usec = first;
	(void)sd_event_source_set_time(client->deadline, first);
	(void)sd_event_source_set_enabled(client->deadline, SD_EVENT_ONESHOT);
}

int http_client_add(struct http_client *client, struct http_call *call)
{
	if (client->depth > 0)
		return 0; /* client_leave() does it */
	call->is_added = true;
	if (client->lib->multi_add_handle(client->multi, call->easy) != CURLM_OK)
		return -ENOMEM;
	client_arm_deadline(client);
	return 0;
}

static void client_enter(struct http_client *client)
{
	if (client->depth++ == 0)
		client->turn_usec = monotonic_usec();
}

static void client_leave(struct http_client *client)
{
	uint64_t took;

	if (client->depth > 1) {
		client->depth--;
		return;
	}
	if (!client->is_dead)
		client_finish_done(client);
	if (!client->is_dead)
		client_add_waiting(client);
	client->depth--;
	if (client->is_dead) {
		client_destroy(client);
		return;
	}
	client_reap(client);
	client_arm_deadline(client);
	took = monotonic_usec() - client->turn_usec;
	client->longest_usec = MAX(client->longest_usec, took);
}

static void client_act(struct http_client *client, curl_socket_t fd, int what)
{
	int running = 0;

	client_enter(client);
	(void)client->lib->multi_socket_action(client->multi, fd, what, &running);
	client_leave(client);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	int what = 0;

	(void)source;
	if (revents & (EPOLLIN | EPOLLHUP | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (revents & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (revents & EPOLLERR)
		what |= CURL_CSELECT_ERR;
	client_act(data, fd, what);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	client_act(data, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

static int on_resume(sd_event_source *source, uint64_t usec, void *data)
{
	struct http_client *client = data;

	(void)source;
	(void)usec;
	client_enter(client);
	/* The first one always gets something, so that there is progress; those that do not get
	 * their turn now are first in the next one. */
	while (!list_is_empty(&client->paused) && !client->is_dead) {
		struct http_call *call = list_entry(client->paused.next, struct http_call, paused);
		CURLcode code;

		list_unlink(&call->paused);
		call->is_paused = false;
		if (call->is_finished)
			continue;
		/* Delivers what it kept from inside this very call. Whoever takes no more of it
		 * ends the transfer, which libcurl only says here, and then never looks at it
		 * again. */
		code = client->lib->easy_pause(call->easy, CURLPAUSE_CONT);
		if (code != CURLE_OK && !call->is_finished && !client->is_dead)
			http_call_finish(call, code);
		if (http_slice_is_used(client))
			break;
	}
	if (!list_is_empty(&client->paused))
		http_client_resume_later(client);
	client_leave(client);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct http_client *client = data;
	uint64_t now = monotonic_usec();
	struct http_call *call;

	(void)source;
	(void)usec;
	client->deadline_usec = UINT64_MAX;
	client_enter(client);
	list_foreach (call, &client->calls, link) {
		if (call->is_finished || http_call_is_late(call, now) == 0)
			continue;
		call->error = -ETIMEDOUT;
		http_call_finish(call, CURLE_OPERATION_TIMEDOUT);
	}
	client_leave(client);
	return 0;
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *data, void *socket_data)
{
	struct http_client *client = data;
	sd_event_source *source = socket_data;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		source_freep(&source);
		(void)client->lib->multi_assign(client->multi, fd, NULL);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(client->event, &source, fd, events, on_socket, client) < 0)
		return -1;
	(void)client->lib->multi_assign(client->multi, fd, source);
	return 0;
}

static int timer_changed(CURLM *multi, long timeout_ms, void *data)
{
	struct http_client *client = data;
	uint64_t due;

	(void)multi;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(client->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	due = monotonic_usec() + (uint64_t)timeout_ms * USEC_PER_MSEC;
	if (sd_event_source_set_time(client->timer, due) < 0)
		return -1;
	return sd_event_source_set_enabled(client->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static int client_add_sources(struct http_client *client)
{
	int r = sd_event_add_time(client->event, &client->timer, CLOCK_MONOTONIC, UINT64_MAX,
				  USEC_PER_MSEC, on_timer, client);

	if (r >= 0)
		r = sd_event_add_time(client->event, &client->deadline, CLOCK_MONOTONIC, UINT64_MAX,
				      DEADLINE_LATENCY_USEC, on_deadline, client);
	if (r >= 0)
		r = sd_event_add_time(client->event, &client->resume, CLOCK_MONOTONIC, UINT64_MAX,
				      1, on_resume, client);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->deadline, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_source_set_enabled(client->resume, SD_EVENT_OFF);
	return MIN(r, 0);
}

static int client_prepare(struct http_client *client)
{
	const struct http_lib *lib = client->lib;
	bool ok;

	client->multi = lib->multi_init();
	if (!client->multi)
		return -ENOMEM;
	ok = lib->multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) ==
		     CURLM_OK &&
	     lib->multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client) == CURLM_OK &&
	     lib->multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
	     lib->multi_setopt(client->multi, CURLMOPT_TIMERDATA, client) == CURLM_OK &&
	     lib->multi_setopt(client->multi, CURLMOPT_MAXCONNECTS, CONNECTIONS_KEPT) == CURLM_OK &&
	     lib->multi_setopt(client->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, CONNECTIONS_MAX) ==
		     CURLM_OK;
	return ok ? client_add_sources(client) : -ENOMEM;
}

int http_client_new(sd_event *event, const char *user_agent, struct http_client **ret)
{
	const struct http_lib *lib = NULL;
	struct http_client *client;
	int r = http_lib_load(&lib);

	if (r < 0)
		return r;
	client = calloc(1, sizeof(*client));
	if (!client)
		return -ENOMEM;
	client->lib = lib;
	client->event = sd_event_ref(event);
	client->deadline_usec = UINT64_MAX;
	list_init(&client->calls);
	list_init(&client->paused);
	client->user_agent = strdup(user_agent);
	r = client->user_agent ? client_prepare(client) : -ENOMEM;
	if (r < 0) {
		client_destroy(client);
		return r;
	}
	*ret = client;
	return 0;
}

struct http_client *http_client_free(struct http_client *client)
{
	struct http_call *call;

	if (!client)
		return NULL;
	if (client->depth == 0) {
		client_destroy(client);
		return NULL;
	}
	client->is_dead = true;
	list_foreach (call, &client->calls, link)
		call->is_finished = true;
	return NULL;
}

uint64_t http_client_longest_usec(const struct http_client *client)
{
	return client->longest_usec;
}
