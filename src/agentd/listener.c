/* SPDX-License-Identifier: Apache-2.0 */
#include "listener.h"

#include <fcntl.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "api/http/server.h"
#include "cleanup.h"
#include "hashmap.h"
#include "limit.h"
#include "log.h"
#include "macro.h"

#define SOCKET_NAME "metrics" /* FileDescriptorName= of berthd.socket */

/* A port that is in use, by the instance that this one replaces for example, or no memory: nobody
 * tells when that is over. */
#define BACKOFF_FIRST_USEC    USEC_PER_SEC
#define BACKOFF_MAX_USEC      (60 * USEC_PER_SEC)
#define BACKOFF_ACCURACY_USEC (100 * USEC_PER_MSEC)

struct listener {
	sd_event *event;
	struct control_context *control;
	sd_event_source *again; /* the web config has changed */
	sd_event_source *retry;
	uint64_t backoff_usec; /* 0: it listens, or is not to */
	struct verifier *verifier;
	char *listen, *web_file; /* as they were applied last */
	int fds[LIMIT_METRICS_SOCKETS];
	size_t fd_count;
	struct http_server *servers[LIMIT_METRICS_SOCKETS];
	size_t server_count;
	struct config_errors errors;
	uint64_t told; /* a hash of the errors that were logged last */
	struct web_state state;
};

static const char *listener_name(const struct listener *listener)
{
	return listener->state.by_systemd ? "berthd.socket" : listener->listen;
}

static void servers_close(struct listener *listener)
{
	for (size_t i = 0; i < listener->server_count; i++)
		listener->servers[i] = http_server_free(listener->servers[i]);
	listener->server_count = 0;
	listener->state.is_open = false;
}

static void sockets_close(struct listener *listener)
{
	servers_close(listener);
	for (size_t i = 0; i < listener->fd_count; i++)
		(void)close_keep_errno(listener->fds[i]);
	listener->fd_count = 0;
}

static void strings_freep(char ***strings)
{
	for (size_t i = 0; *strings && (*strings)[i]; i++)
		free((*strings)[i]);
	free(*strings);
}

static void socket_take(struct listener *listener, int fd, const char *name)
{
	const char *why = NULL;

	if (strcmp(name, SOCKET_NAME) != 0) {
		log_error("systemd passed a socket named '%s', which berthd has no use for: set "
			  "FileDescriptorName=" SOCKET_NAME " in its unit",
			  name);
		(void)close_keep_errno(fd);
		return;
	}
	listener->state.by_systemd = true;
	why = http_listen_problem(fd);
	if (!why && listener->fd_count == LIMIT_METRICS_SOCKETS)
		why = "one too many";
	if (why) {
		log_error("systemd passed file descriptor %d as '%s', and it is %s: set "
			  "ListenStream=ADDRESS:PORT in berthd.socket",
			  fd, name, why);
		(void)close_keep_errno(fd);
		return;
	}
	listener->fds[listener->fd_count++] = fd;
}

static int sockets_take(struct listener *listener)
{
	CLEANUP(strings_freep) char **names = NULL;
	int count = sd_listen_fds_with_names(true, &names);

	if (count < 0)
		return count;
	for (int i = 0; i < count; i++)
		socket_take(listener, SD_LISTEN_FDS_START + i, names[i]);
	if (listener->fd_count > 0)
		log_info("/metrics is served on %zu sockets of systemd; metrics.listen is not used",
			 listener->fd_count);
	return 0;
}

struct listener *listener_free(struct listener *listener)
{
	if (!listener)
		return NULL;
	sockets_close(listener);
	(void)web_free(listener->state.web);
	(void)verifier_free(listener->verifier);
	(void)sd_event_source_disable_unref(listener->again);
	(void)sd_event_source_disable_unref(listener->retry);
	config_errors_done(&listener->errors);
	free(listener->listen);
	free(listener->web_file);
	free(listener);
	return NULL;
}
DEFINE_CLEANUP(struct listener *, listener_free);

static void web_tell(const struct web *web)
{
	if (!web->tls && web->auth)
		log_warning("%s: users without tls_server_config: their passwords cross the "
			    "network in clear",
			    web->file);
	if (!web->tls && !web->auth)
		log_notice("%s: neither TLS nor users: /metrics is open to all", web->file);
	if (web->tls && web->config.http2)
		log_debug("%s: http2 is on, as it is unless it is set; HTTP/1.1 is spoken",
			  web->file);
}

static uint64_t errors_hash(const struct config_errors *errors)
{
	uint64_t hash = 1;
	char text[768];

	for (size_t i = 0; i < errors->count; i++) {
		config_error_format(&errors->items[i], text, sizeof(text));
		hash = hash * 31 + hash_bytes(text, strlen(text));
	}
	return hash;
}

static void web_refuse(struct listener *listener, int error)
{
	char text[768];
	uint64_t hash = errors_hash(&listener->errors);

	/* A file that is wrong is looked at again as clients come. */
	if (hash == listener->told)
		return;
	listener->told = hash;
	for (size_t i = 0; i < listener->errors.count; i++) {
		config_error_format(&listener->errors.items[i], text, sizeof(text));
		log_error("%s", text);
	}
	if (error != -EINVAL)
		log_error("%s: %s", listener->web_file, strerror(-error));
	if (listener->state.web)
		log_error("the web config was not taken: the one before stays in force");
	else
		log_error("/metrics is not served on TCP: it would be without the protection that "
			  "%s asks for; mend the file and reload (berthctl check says when it is "
			  "right)",
			  listener->web_file);
}

/* From inside a server, which may have to go: not now. */
static void on_web_change(void *data)
{
	struct listener *listener = data;

	(void)sd_event_source_set_enabled(listener->again, SD_EVENT_ONESHOT);
}

/* 1: another one is in force; 0: nothing changes; -errno: there is none and there has to be. */
static int web_apply(struct listener *listener)
{
	struct web *fresh = NULL, *old = listener->state.web;
	int r;

	config_errors_done(&listener->errors);
	if (!listener->web_file[0]) {
		if (!old)
			return 0;
		servers_close(listener);
		listener->state.web = web_free(old);
		return 1;
	}
	if (old)
		old->is_outdated = !web_is_current(old, listener->web_file);
	if (old && !old->is_outdated)
		return 0;
	r = listener->verifier ? 0 : verifier_new(listener->event, &listener->verifier);
	if (r == 0)
		r = web_load(listener->web_file, listener->verifier, &listener->errors, &fresh);
	if (!fresh) {
		web_refuse(listener, r);
		return old ? 0 : r;
	}
	listener->told = 0;
	servers_close(listener);
	(void)web_free(old);
	web_watch(fresh, on_web_change, listener);
	listener->state.web = fresh;
	web_tell(fresh);
	return 1;
}

static void problem_set(struct listener *listener, int error)
{
	(void)snprintf(listener->state.problem, sizeof(listener->state.problem), "%s",
		       strerrordesc_np(error));
}

static void sockets_open(struct listener *listener)
{
	int fd = http_listen_tcp(listener->listen);

	if (fd >= 0) {
		listener->fds[listener->fd_count++] = fd;
		return;
	}
	problem_set(listener, -fd);
	/* One that repeats is told once. */
	log_full(listener->backoff_usec ? LOG_DEBUG : LOG_ERR, NULL,
		 "cannot listen on '%s' (metrics.listen): %s; it is tried again, and the rest goes "
		 "on without /metrics there",
		 listener->listen, strerror(-fd));
}

static void servers_open(struct listener *listener)
{
	for (size_t i = 0; i < listener->fd_count; i++) {
		int fd = fcntl(listener->fds[i], F_DUPFD_CLOEXEC, 3);
		int r = fd < 0 ? -errno : 0;

		if (r == 0)
			r = http_server_new_web(listener->event, fd, metrics_routes(),
						listener->control, listener->state.web,
						&listener->servers[listener->server_count]);
		if (r >= 0) {
			listener->server_count++;
			continue;
		}
		problem_set(listener, -r);
		log_full(listener->backoff_usec ? LOG_DEBUG : LOG_ERR, NULL,
			 "cannot serve on '%s': %s; it is tried again", listener_name(listener),
			 strerror(-r));
	}
	listener->state.is_open = listener->server_count > 0;
}

static int names_take(struct listener *listener, const char *listen, const char *web_file)
{
	char *listen_copy = strdup(listen), *web_copy = strdup(web_file);

	if (!listen_copy || !web_copy) {
		free(listen_copy);
		free(web_copy);
		return -ENOMEM;
	}
	free(listener->listen);
	free(listener->web_file);
	listener->listen = listen_copy;
	listener->web_file = web_copy;
	listener->state.listen = listen_copy;
	listener->state.file = web_copy;
	listener->state.is_wanted = listen[0] || listener->state.by_systemd;
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data);

static void retry_later(struct listener *listener)
{
	int r;

	if (listener->state.is_open || !listener->state.problem[0]) {
		if (listener->state.is_open && listener->backoff_usec)
			log_notice("/metrics is served on '%s' now", listener_name(listener));
		listener->backoff_usec = 0;
		listener->retry = sd_event_source_disable_unref(listener->retry);
		return;
	}
	listener->backoff_usec = listener->backoff_usec == 0
					 ? BACKOFF_FIRST_USEC
					 : MIN(listener->backoff_usec * 2, BACKOFF_MAX_USEC);
	listener->retry = sd_event_source_disable_unref(listener->retry);
	r = sd_event_add_time_relative(listener->event, &listener->retry, CLOCK_MONOTONIC,
				       listener->backoff_usec, BACKOFF_ACCURACY_USEC, on_retry,
				       listener);
	if (r < 0)
		log_error("cannot try again to listen, but at a reload: %s", strerror(-r));
}

static void listeners_apply(struct listener *listener)
{
	listener->state.problem[0] = '\0';
	if (web_apply(listener) < 0) {
		servers_close(listener);
		/* What systemd passed comes only once; its clients wait in the backlog. */
		if (!listener->state.by_systemd)
			sockets_close(listener);
		retry_later(listener);
		return;
	}
	if (listener->fd_count == 0 && listener->listen[0] && !listener->state.by_systemd)
		sockets_open(listener);
	if (listener->server_count == 0)
		servers_open(listener);
	retry_later(listener);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	listeners_apply(data);
	return 0;
}

static int on_again(sd_event_source *source, void *data)
{
	(void)source;
	listeners_apply(data);
	return 0;
}

void listener_apply(struct listener *listener, const char *listen, const char *web_file)
{
	bool moves = !listener->listen || strcmp(listener->listen, listen) != 0;

	if (names_take(listener, listen, web_file) < 0) {
		log_error("cannot serve on '%s': %s", listen, strerror(ENOMEM));
		return;
	}
	if (!listener->state.by_systemd && moves)
		sockets_close(listener);
	/* Whoever asks for a reload is told what is wrong, even if it was told before. */
	listener->told = 0;
	listener->backoff_usec = 0;
	listeners_apply(listener);
}

int listener_new(sd_event *event, struct control_context *control, struct listener **ret)
{
	CLEANUP(listener_freep) struct listener *listener = calloc(1, sizeof(*listener));
	int r;

	if (!listener)
		return -ENOMEM;
	listener->event = event;
	listener->control = control;
	listener->state.listen = listener->state.file = "";
	listener->state.errors = &listener->errors;
	r = sd_event_add_defer(event, &listener->again, on_again, listener);
	if (r < 0)
		return r;
	r = sd_event_source_set_enabled(listener->again, SD_EVENT_OFF);
	/* Before the server is asked again. */
	if (r >= 0)
		r = sd_event_source_set_priority(listener->again, SD_EVENT_PRIORITY_IMPORTANT);
	if (r < 0)
		return r;
	r = sockets_take(listener);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(listener);
	return 0;
}

const struct web_state *listener_state(const struct listener *listener)
{
	return &listener->state;
}
