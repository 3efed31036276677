/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubernetes-internal.h - the source's two halves: kubernetes.c runs it, kubernetes-options.c knows
 * what of the policy it runs with.
 */
#pragma once

#include <sys/stat.h>

#include "kube/events.h"
#include "kube/reflector.h"
#include "source/source-internal.h"

struct kubernetes {
	struct source source; /* first */
	/* What is open, or is tried again and again; as the policy had it. */
	enum kubernetes_via via;
	char *kubeconfig, *server, *token_file, *ca_file, *node;
	bool wanted; /* the above is valid */
	/* Of the kubeconfig, as it was read. */
	struct stat config;
	bool started;
	struct http_client *client;
	struct kube_access *access;
	struct reflector *reflector;
	sd_event_source *retry, *recount;
	uint64_t backoff_usec, own_errors;
	bool events;      /* are to be sent */
	char synced[256]; /* the reflector's word on being so */
};

int kubernetes_options_copy(struct kubernetes *self, const struct settings *settings);
void kubernetes_options_free(struct kubernetes *self);
/* A kubeconfig that was written anew since it was read. */
void kubernetes_config_remember(struct kubernetes *self);
bool kubernetes_config_changed(const struct kubernetes *self);
bool kubernetes_options_same(const struct kubernetes *self, const struct settings *settings);
/* Why it has nothing to do; NULL: it has. */
const char *kubernetes_off_reason(const struct settings *settings);
