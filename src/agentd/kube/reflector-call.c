/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kube/reflector-internal.h"
#include "kube/status.h"
#include "log.h"

#define RBAC_APISERVER                                                       \
	"get, list and watch on pods: kubectl apply -k conf/kubernetes, or " \
	"see docs/kubernetes.md"
#define RBAC_KUBELET                                                                      \
	"get on nodes/proxy: kubectl apply -f conf/kubernetes/rbac-kubelet.yaml, or see " \
	"docs/kubernetes.md"

static void on_bad(void *data, const char *why)
{
	struct reflector *self = data;

	self->stats.bad_objects++;
	if (log_limit_pass(&self->bad_lines, LOG_WARNING))
		log_warning("ignoring a pod of %s: %s", self->access->server, why);
}

/* The fieldSelector has asked for no others, but something between us and the apiserver may not
 * care. Of a kubelet all pods are its node's, whatever name ours goes by. */
static bool pod_is_elsewhere(const struct reflector *self, const struct kube_pod *pod)
{
	return self->mode == REFLECTOR_APISERVER && strcmp(pod->node, self->node) != 0;
}

static int on_pod(void *data, enum pod_event event, struct kube_pod *pod)
{
	struct reflector *self = data;

	if (pod_is_elsewhere(self, pod)) {
		char why[256];

		(void)snprintf(why, sizeof(why), "pod %s/%s is of node '%s'", pod->namespace,
			       pod->name, pod->node);
		on_bad(self, why);
		free(pod);
		return 0;
	}
	if (self->step == STEP_WATCH)
		reflector_watch_pod(self, event, pod);
	else
		reflector_list_pod(self, pod);
	return 0;
}

static void on_bookmark(void *data, const char *resource_version)
{
	reflector_watch_bookmark(data, resource_version);
}

static void on_failed(void *data, int code, const char *reason, const char *message)
{
	struct reflector *self = data;

	self->answer.refused = true;
	self->answer.code = code;
	(void)snprintf(self->answer.message, sizeof(self->answer.message), "%s%s%s", reason,
		       reason[0] && message[0] ? ": " : "", message);
}

static int on_head(void *data, long status, const char *content_type)
{
	struct reflector *self = data;

	self->answer.status = status;
	(void)snprintf(self->answer.content_type, sizeof(self->answer.content_type), "%s",
		       content_type);
	if (self->step == STEP_WATCH)
		reflector_watch_head(self, status == 200);
	else if (status == 200)
		reflector_list_head(self);
	return 0;
}

static int on_body(void *data, const char *bytes, size_t size)
{
	struct reflector *self = data;
	struct reflector_answer *answer = &self->answer;

	if (answer->text_size < sizeof(answer->text) - 1) {
		size_t room = sizeof(answer->text) - 1 - answer->text_size, n = MIN(room, size);

		memcpy(answer->text + answer->text_size, bytes, n);
		answer->text_size += n;
	}
	/* A refusal that does not end is as good as one that does. */
	if (answer->status != 200)
		return answer->text_size == sizeof(answer->text) - 1 ? -ECANCELED : 0;
	if (self->step == STEP_LIST)
		self->list_bytes += size;
	answer->feed_error = pod_stream_feed(self->stream, bytes, size);
	/* What comes after a Status object is nothing that was asked for. */
	return answer->feed_error < 0 || answer->refused ? -ECANCELED : 0;
}

static void on_done(void *data, const struct http_result *result)
{
	struct reflector *self = data;

	self->call = NULL;
	if (self->answer.status == 0)
		self->answer.status = result->status;
	if (self->step == STEP_WATCH)
		reflector_watch_done(self, result);
	else
		reflector_list_done(self, result);
	/* The next step has its own; a list must not keep its parser while nothing goes on. */
	self->stream = pod_stream_free(self->stream);
}

void reflector_call_end(struct reflector *self)
{
	self->call = http_call_free(self->call);
	self->stream = pod_stream_free(self->stream);
	self->answer = (struct reflector_answer){ 0 };
}

void reflector_call(struct reflector *self, const char *path, enum pod_stream_kind kind,
		    uint64_t idle_usec, uint64_t total_usec, uint64_t limit)
{
	static const struct pod_stream_handlers stream_handlers = { on_pod, on_bad, on_bookmark,
								    on_failed };
	static const struct http_handlers handlers = { on_head, on_body, on_done };
	static const char *const headers[] = { "Accept: application/json", NULL };
	cleanup_free char *url = NULL;
	struct http_identity identity;
	struct http_call_spec spec = {
		.method = "GET",
		.headers = headers,
		.identity = &identity,
		.idle_timeout_usec = idle_usec,
		.total_timeout_usec = total_usec,
		.body_limit = limit,
	};
	char why[256] = "";
	int r;

	reflector_call_end(self);
	r = kube_access_identity(self->access, why, sizeof(why), &identity);
	if (r < 0) {
		reflector_fail(self, self->step, 0, "%s", why[0] ? why : strerrordesc_np(-r));
		return;
	}
	if (asprintf(&url, "%s%s", self->access->server, path) < 0) {
		url = NULL;
		reflector_fail(self, self->step, 0, "%s", strerrordesc_np(ENOMEM));
		return;
	}
	spec.url = url;
	r = pod_stream_new(kind, &stream_handlers, self, &self->stream);
	if (r >= 0)
		r = http_call_start(self->client, &spec, &handlers, self, &self->call);
	if (r == -EINVAL)
		reflector_fail(self, self->step, 0,
			       "not a server's address; https://NAME:PORT is one, http:// only on "
			       "the loopback");
	else if (r < 0)
		reflector_fail(self, self->step, 0, "%s", strerrordesc_np(-r));
}

bool reflector_call_is_good(const struct reflector *self, const struct http_result *result)
{
	return result->error == 0 && result->status == 200 && !self->answer.refused &&
	       self->answer.feed_error == 0 && pod_stream_end(self->stream) == 0;
}

static bool is_anonymous(const struct kube_access *access)
{
	return !access->token && !access->token_file && !access->cert_pem && !access->cert_file;
}

static void explain_status(const struct reflector *self, long status, char *text, size_t size)
{
	bool kubelet = self->mode == REFLECTOR_KUBELET;
	const char *origin = self->access->origin;
	char message[200];

	kube_status_message(self->answer.text, self->answer.text_size, message, sizeof(message));
	/* RBAC is not what is to be changed: everybody would be let in. */
	if ((status == 401 || status == 403) && is_anonymous(self->access))
		(void)snprintf(text, size,
			       "%ld: nothing says who we are: %s gives neither a token nor a "
			       "client certificate",
			       status, origin);
	else if (status == 401)
		(void)snprintf(
			text, size,
			"401 Unauthorized: the token or certificate of %s is not accepted: is "
			"it expired, or of another cluster?",
			origin);
	else if (status == 403)
		(void)snprintf(text, size, "403 Forbidden (%s): %s; RBAC: it needs %s", origin,
			       message, kubelet ? RBAC_KUBELET : RBAC_APISERVER);
	else if (status == 404)
		(void)snprintf(text, size, "404 Not Found: %s; is this the %s's address?", message,
			       kubelet ? "kubelet" : "apiserver");
	else if (status >= 300 && status < 400)
		(void)snprintf(text, size,
			       "%ld: it sends us elsewhere, and a token does not go there; is this "
			       "the %s's address?",
			       status, kubelet ? "kubelet" : "apiserver");
	else if (status == 429)
		(void)snprintf(text, size, "429 Too Many Requests: it is overloaded");
	else
		(void)snprintf(text, size, "HTTP status %ld: %s", status, message);
}

static void explain_error(const struct reflector *self, const struct http_result *result,
			  char *text, size_t size)
{
	const struct kube_access *access = self->access;
	const char *said = result->message[0] ? result->message : strerrordesc_np(-result->error);

	if (result->error == -EKEYREJECTED && strstr(said, "no certificate authority is given"))
		(void)snprintf(text, size, "%s: set ca_file", said);
	else if (result->error != -EKEYREJECTED || !strstr(said, "is not trusted"))
		(void)snprintf(text, size, "%s", said);
	else if (access->ca_pem || access->ca_file)
		(void)snprintf(text, size, "%s; is the one of %s another cluster's?", said,
			       access->ca_file ? access->ca_file : access->origin);
	else
		(void)snprintf(text, size, "%s; %s gives none, so it is this host's: set ca_file",
			       said, access->origin);
}

void reflector_explain(const struct reflector *self, const struct http_result *result, char *text,
		       size_t size)
{
	const struct reflector_answer *answer = &self->answer;
	const char *what = self->step == STEP_WATCH ? "watch" : "list";

	if (answer->refused)
		(void)snprintf(text, size, "the %s was refused: %d %s", what, answer->code,
			       answer->message);
	else if (answer->feed_error == -EMSGSIZE)
		(void)snprintf(text, size, "a pod in the %s is too large to be one", what);
	else if (answer->feed_error == -EBADMSG && strstr(answer->content_type, "json"))
		(void)snprintf(text, size, "the %s is broken: not the JSON of pods", what);
	else if (answer->feed_error == -EBADMSG)
		(void)snprintf(text, size,
			       "the answer is not the API's (Content-Type \"%s\"); is this the "
			       "right address?",
			       answer->content_type);
	else if (answer->feed_error < 0)
		(void)snprintf(text, size, "the %s cannot be read: %s", what,
			       strerrordesc_np(-answer->feed_error));
	else if (answer->status != 0 && answer->status != 200)
		explain_status(self, answer->status, text, size);
	else if (result->error < 0)
		explain_error(self, result, text, size);
	else
		(void)snprintf(text, size, "the %s ends in the middle of something", what);
}
