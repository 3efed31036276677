/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "macro.h"
#include "source/pods/kubernetes-internal.h"

void kubernetes_options_free(struct kubernetes *self)
{
	self->wanted = false;
	free(TAKE_PTR(self->kubeconfig));
	free(TAKE_PTR(self->server));
	free(TAKE_PTR(self->token_file));
	free(TAKE_PTR(self->ca_file));
	free(TAKE_PTR(self->node));
}

static const char *text_or_empty(const char *text)
{
	return text ? text : "";
}

/* Names of nodes are lower case: the kubelet makes its host's so (util/node/node.go). */
static char *node_name(const char *name)
{
	char *copy = strdup(text_or_empty(name));

	for (char *at = copy; at && *at; at++)
		*at = (char)tolower((unsigned char)*at);
	return copy;
}

int kubernetes_options_copy(struct kubernetes *self, const struct settings *settings)
{
	kubernetes_options_free(self);
	self->via = (enum kubernetes_via)settings->kubernetes_via;
	self->kubeconfig = strdup(text_or_empty(settings->kubernetes_kubeconfig));
	self->server = strdup(text_or_empty(settings->kubernetes_server));
	self->token_file = strdup(text_or_empty(settings->kubernetes_token_file));
	self->ca_file = strdup(text_or_empty(settings->kubernetes_ca_file));
	self->node = node_name(settings->node_name);
	self->wanted =
		self->kubeconfig && self->server && self->token_file && self->ca_file && self->node;
	return self->wanted ? 0 : -ENOMEM;
}

void kubernetes_config_remember(struct kubernetes *self)
{
	if (!self->kubeconfig[0] || fstatat(AT_FDCWD, self->kubeconfig, &self->config, 0) < 0)
		self->config = (struct stat){ 0 };
}

bool kubernetes_config_changed(const struct kubernetes *self)
{
	const struct stat *old = &self->config;
	struct stat now;

	/* Gone is no news: what was read goes on to hold. */
	if (!self->wanted || !self->kubeconfig[0] ||
	    fstatat(AT_FDCWD, self->kubeconfig, &now, 0) < 0)
		return false;
	return now.st_ino != old->st_ino || now.st_dev != old->st_dev ||
	       now.st_size != old->st_size || now.st_mtim.tv_sec != old->st_mtim.tv_sec ||
	       now.st_mtim.tv_nsec != old->st_mtim.tv_nsec;
}

bool kubernetes_options_same(const struct kubernetes *self, const struct settings *settings)
{
	return self->wanted && self->via == (enum kubernetes_via)settings->kubernetes_via &&
	       strcmp(self->kubeconfig, text_or_empty(settings->kubernetes_kubeconfig)) == 0 &&
	       strcmp(self->server, text_or_empty(settings->kubernetes_server)) == 0 &&
	       strcmp(self->token_file, text_or_empty(settings->kubernetes_token_file)) == 0 &&
	       strcmp(self->ca_file, text_or_empty(settings->kubernetes_ca_file)) == 0 &&
	       strcasecmp(self->node, text_or_empty(settings->node_name)) == 0;
}

const char *kubernetes_off_reason(const struct settings *settings)
{
	/* Without a default server, which alone is no reason to ask it. */
	struct kube_access_options options = {
		.kubeconfig = text_or_empty(settings->kubernetes_kubeconfig),
		.server = text_or_empty(settings->kubernetes_server),
		.token_file = text_or_empty(settings->kubernetes_token_file),
		.ca_file = text_or_empty(settings->kubernetes_ca_file),
	};

	if (settings->kubernetes_enabled == SWITCH_FALSE)
		return "sources.kubernetes.enabled is false";
	if (settings->kubernetes_via == VIA_CGROUP)
		return "sources.kubernetes.via is cgroup: the cgroup tree alone";
	if (settings->kubernetes_enabled == SWITCH_AUTO && !kube_access_is_given(&options))
		return "no service account, kubeconfig or server";
	return NULL;
}
