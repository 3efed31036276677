/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/evict.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kube/status.h"
#include "kube/url.h"
#include "limit.h"
#include "list.h"
#include "log.h"
#include "macro.h"

/* Whoever evicts waits for memory or CPU: an API that is slower than this is none. */
#define CONNECT_USEC (5 * USEC_PER_SEC)
#define ANSWER_USEC  (10 * USEC_PER_SEC)
#define TOTAL_USEC   (15 * USEC_PER_SEC)
#define ANSWER_BYTES (256u * 1024)

struct kube_evictions {
	struct http_client *client; /* NULL: nowhere to */
	struct kube_access *access;
	bool beta; /* the version that the server took last is policy/v1beta1 */
	struct list calls;
	size_t count;
};

struct eviction_call {
	struct list link;
	struct kube_evictions *owner;
	char *namespace, *pod, *uid;
	void (*done)(void *data, int result, const char *outcome);
	void *data;
	struct http_call *call;
	bool beta, again; /* the version asked with; both were tried */
	char text[1024];  /* the beginning of the answer */
	size_t text_size;
};

static struct eviction_call *call_free(struct eviction_call *call)
{
	if (!call)
		return NULL;
	list_unlink(&call->link);
	(void)http_call_free(call->call);
	free(call->namespace);
	free(call->pod);
	free(call->uid);
	free(call);
	return NULL;
}

DEFINE_CLEANUP(struct eviction_call *, call_free);

static void call_end(struct eviction_call *call, int result, const char *outcome)
{
	void (*done)(void *data, int result, const char *outcome) = call->done;
	void *data = call->data;

	call->owner->count--;
	(void)call_free(call);
	if (done)
		done(data, result, outcome);
}

static char *body_text(const struct eviction_call *call)
{
	json_auto_t *object =
		json_pack("{ss ss s{ss ss} s{s{ss}}}", "apiVersion",
			  call->beta ? "policy/v1beta1" : "policy/v1", "kind", "Eviction",
			  "metadata", "name", call->pod, "namespace", call->namespace,
			  "deleteOptions", "preconditions", "uid", call->uid);

	return object ? json_dumps(object, JSON_COMPACT) : NULL;
}

/* What an answer means to who asked; outcome is for people. */
static int answer_result(const struct eviction_call *call, const struct http_result *result,
			 char *outcome, size_t size)
{
	char said[120];

	kube_status_message(call->text, call->text_size, said, sizeof(said));
	if (result->error < 0) {
		(void)snprintf(outcome, size, "no answer of the API: %.130s", result->message);
		return -EHOSTDOWN;
	}
	if (result->status >= 200 && result->status < 300) {
		(void)snprintf(outcome, size, "evicted through the API");
		return 0;
	}
	(void)snprintf(outcome, size, "%ld: %s", result->status, said);
	switch (result->status) {
	case 401:
	case 403:
		return -EACCES;
	case 404:
		return -ENOENT;
	case 409:
		return -ESTALE;
	case 429:
		/* Also the answer of a server that is busy, which is no word on this pod. */
		return strstr(said, "disruption budget") ? -EBUSY : -EIO;
	default:
		return -EIO;
	}
}

static int call_start(struct eviction_call *call, char *why, size_t why_size);

static void on_done(void *data, const struct http_result *result)
{
	struct eviction_call *call = data;
	char outcome[160];
	int r;

	call->call = NULL;
	/* "no kind "Eviction" is registered for version ...": the other one, once. */
	if (result->error == 0 && result->status == 400 && !call->again) {
		call->again = true;
		call->beta = !call->beta;
		r = call_start(call, outcome, sizeof(outcome));
		if (r < 0)
			call_end(call, r, outcome);
		return;
	}
	if (result->error == 0 && result->status != 400)
		call->owner->beta = call->beta;
	r = answer_result(call, result, outcome, sizeof(outcome));
	call_end(call, r, outcome);
}

static int on_body(void *data, const char *bytes, size_t size)
{
	struct eviction_call *call = data;
	size_t n = MIN(sizeof(call->text) - 1 - call->text_size, size);

	memcpy(call->text + call->text_size, bytes, n);
	call->text_size += n;
	return 0;
}

static int call_start(struct eviction_call *call, char *why, size_t why_size)
{
	static const struct http_handlers handlers = { .body = on_body, .done = on_done };
	static const char *const headers[] = { "Content-Type: application/json",
					       "Accept: application/json", NULL };
	struct kube_evictions *owner = call->owner;
	cleanup_free char *body = body_text(call);
	cleanup_strbuf struct strbuf url = { 0 };
	struct http_identity identity;
	struct http_call_spec spec = {
		.method = "POST",
		.headers = headers,
		.body = body,
		.identity = &identity,
		.connect_timeout_usec = CONNECT_USEC,
		.answer_timeout_usec = ANSWER_USEC,
		.total_timeout_usec = TOTAL_USEC,
		.body_limit = ANSWER_BYTES,
	};
	int r;

	call->text_size = 0;
	strbuf_addf(&url, "%s/api/v1/namespaces/", owner->access->server);
	kube_url_add(&url, call->namespace);
	strbuf_add(&url, "/pods/");
	kube_url_add(&url, call->pod);
	strbuf_add(&url, "/eviction");
	r = body ? strbuf_error(&url) : -ENOMEM;
	if (r >= 0)
		r = kube_access_identity(owner->access, why, why_size, &identity);
	else
		(void)snprintf(why, why_size, "%s", strerrordesc_np(-r));
	if (r < 0)
		return r == -ENOMEM ? r : -EACCES;
	spec.url = strbuf_text(&url);
	spec.body_size = strlen(body);
	r = http_call_start(owner->client, &spec, &handlers, call, &call->call);
	if (r < 0)
		(void)snprintf(why, why_size, "the API cannot be asked: %s", strerrordesc_np(-r));
	return r < 0 ? -EIO : 0;
}

int kube_evict(struct kube_evictions *evictions, const struct kube_eviction *eviction, char *why,
	       size_t why_size)
{
	CLEANUP(call_freep) struct eviction_call *call = NULL;
	int r;

	if (!evictions->client) {
		(void)snprintf(why, why_size, "no apiserver is configured or reached");
		return -EHOSTDOWN;
	}
	if (evictions->count >= LIMIT_KUBE_EVICTIONS) {
		(void)snprintf(why, why_size, "%zu evictions are under way", evictions->count);
		return -ENOSPC;
	}
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	list_init(&call->link);
	call->owner = evictions;
	call->beta = evictions->beta;
	call->done = eviction->done;
	call->data = eviction->data;
	call->namespace = strdup(eviction->namespace);
	call->pod = strdup(eviction->pod);
	call->uid = strdup(eviction->uid);
	if (!call->namespace || !call->pod || !call->uid)
		return -ENOMEM;
	r = call_start(call, why, why_size);
	if (r < 0)
		return r;
	evictions->count++;
	list_append(&evictions->calls, &TAKE_PTR(call)->link);
	return 0;
}

void kube_evict_forget(struct kube_evictions *evictions, const void *data)
{
	struct eviction_call *call;

	list_foreach (call, &evictions->calls, link)
		if (call->data == data)
			call->done = NULL;
}

void kube_evictions_connect(struct kube_evictions *evictions, struct http_client *client,
			    struct kube_access *access)
{
	struct eviction_call *call, *following;

	if (!evictions)
		return;
	if (client != evictions->client || access != evictions->access) {
		evictions->client = client;
		evictions->access = access;
		evictions->beta = false;
		list_foreach_safe (call, following, &evictions->calls, link)
			call_end(call, -ECANCELED, "the connection was given up before an answer");
	}
}

int kube_evictions_new(struct kube_evictions **ret)
{
	struct kube_evictions *evictions = calloc(1, sizeof(*evictions));

	if (!evictions)
		return -ENOMEM;
	list_init(&evictions->calls);
	*ret = evictions;
	return 0;
}

struct kube_evictions *kube_evictions_free(struct kube_evictions *evictions)
{
	struct eviction_call *call, *following;

	if (!evictions)
		return NULL;
	list_foreach_safe (call, following, &evictions->calls, link)
		(void)call_free(call);
	free(evictions);
	return NULL;
}
