/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kube/reflector-internal.h"
#include "kube/url.h"
#include "limit.h"
#include "log.h"

#define PAGE_PODS       250
#define LIST_IDLE_USEC  (30 * USEC_PER_SEC)
#define LIST_TOTAL_USEC (300 * USEC_PER_SEC)

static void list_path(const struct reflector *self, struct strbuf *path)
{
	strbuf_add(path, "/api/v1/pods?fieldSelector=spec.nodeName%3D");
	kube_url_add(path, self->node);
	if (self->next_page) {
		/* A resource version beside a continue token is refused with 400. */
		strbuf_addf(path, "&limit=%d&continue=", PAGE_PODS);
		kube_url_add(path, self->next_page);
	} else if (self->consistent) {
		if (!self->unpaged)
			strbuf_addf(path, "&limit=%d", PAGE_PODS);
	} else if (self->resource_version[0]) {
		/* With a limit the apiserver would go to etcd for it (cacher.go), without one the
		 * watch cache answers. */
		strbuf_add(path, "&resourceVersion=");
		kube_url_add(path, self->resource_version);
	} else {
		strbuf_addf(path, "&resourceVersion=0&limit=%d", PAGE_PODS);
	}
}

void reflector_list(struct reflector *self)
{
	cleanup_strbuf struct strbuf path = { 0 };

	if (!self->next_page) {
		self->stats.lists++;
		self->pages = 0;
		self->list_bytes = 0;
		self->listed = 0;
		self->begun = false;
	}
	self->poked = false;
	if (self->mode == REFLECTOR_KUBELET)
		strbuf_add(&path, "/pods");
	else
		list_path(self, &path);
	if (strbuf_error(&path) < 0) {
		reflector_fail(self, STEP_LIST, 0, "%s", strerrordesc_np(ENOMEM));
		return;
	}
	if (self->state != REFLECTOR_SYNCED)
		reflector_set_state(self, REFLECTOR_LISTING, "%s: listing pods",
				    self->access->server);
	reflector_call(self, strbuf_text(&path), POD_STREAM_LIST, LIST_IDLE_USEC, LIST_TOTAL_USEC,
		       self->list_bytes < LIMIT_POD_LIST_BYTES
			       ? LIMIT_POD_LIST_BYTES - self->list_bytes
			       : 1);
}

void reflector_list_head(struct reflector *self)
{
	if (self->begun)
		return;
	self->begun = true;
	if (self->handlers.sync_begin)
		self->handlers.sync_begin(self->data);
}

void reflector_list_pod(struct reflector *self, struct kube_pod *pod)
{
	self->listed++;
	self->handlers.pod(self->data, pod);
}

static void list_complete(struct reflector *self)
{
	const char *version = pod_stream_resource_version(self->stream);

	if (self->mode == REFLECTOR_APISERVER &&
	    (!version[0] || strlen(version) >= sizeof(self->resource_version))) {
		reflector_fail(self, STEP_LIST, 0,
			       "a list without a resource version; is this the apiserver's "
			       "address?");
		return;
	}
	(void)snprintf(self->resource_version, sizeof(self->resource_version), "%s", version);
	self->consistent = self->unpaged = false;
	self->begun = false;
	self->none = self->listed == 0;
	if (self->handlers.sync_end)
		self->handlers.sync_end(self->data);
	/* Whether a node of that name exists is not ours to see. */
	if (self->mode == REFLECTOR_KUBELET)
		reflector_set_state(self, REFLECTOR_SYNCED, "asked each 10 s");
	else if (self->none)
		reflector_set_state(self, REFLECTOR_SYNCED,
				    "watching node '%s': if that is wrong, set node.name or "
				    "$NODE_NAME",
				    self->node);
	else
		reflector_set_state(self, REFLECTOR_SYNCED, "watching");
	if (self->mode == REFLECTOR_APISERVER) {
		reflector_schedule(self, STEP_WATCH, 0);
		return;
	}
	reflector_calm(self);
	reflector_schedule(self, STEP_LIST, REFLECTOR_POLL_USEC);
	if (self->poked)
		reflector_poke(self);
}

static void list_next_page(struct reflector *self, const char *token)
{
	char *copy;

	if (++self->pages >= LIMIT_POD_PAGES) {
		reflector_fail(self, STEP_LIST, 0, "a list without an end: over %u pages",
			       LIMIT_POD_PAGES);
		return;
	}
	copy = strdup(token);
	if (!copy) {
		reflector_fail(self, STEP_LIST, 0, "%s", strerrordesc_np(ENOMEM));
		return;
	}
	self->next_page = copy;
	reflector_schedule(self, STEP_LIST, 0);
}

void reflector_list_done(struct reflector *self, const struct http_result *result)
{
	const struct reflector_answer *answer = &self->answer;
	bool paged = self->next_page != NULL;
	char why[480];

	free(TAKE_PTR(self->next_page));
	if (reflector_call_is_good(self, result)) {
		const char *token = pod_stream_continue(self->stream);

		if (token[0] && self->mode == REFLECTOR_APISERVER)
			list_next_page(self, token);
		else
			list_complete(self);
		return;
	}
	reflector_explain(self, result, why, sizeof(why));
	if (answer->status == 410 || (answer->refused && answer->code == 410)) {
		self->unpaged = paged;
		reflector_expire(self, why);
		return;
	}
	/* ResourceVersionTooLarge: etcd was restored from a backup, or this apiserver lags. Also
	 * whatever else is wrong with the version that was asked for. */
	if (answer->status == 504 || answer->status == 400 || answer->status == 500)
		self->consistent = true;
	if (result->error == -EFBIG)
		(void)snprintf(why, sizeof(why), "a list of over %u MiB of pods",
			       LIMIT_POD_LIST_BYTES >> 20);
	reflector_fail(self, STEP_LIST, result->retry_after_usec, "%s", why);
}
