/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access-internal.h - what access.c and kubeconfig.c share, and where tests say that the service
 * account is mounted elsewhere.
 */
#pragma once

#include <stdarg.h>

#include "cleanup.h"
#include "kube/access.h"

#define KUBE_ACCOUNT_DIR "/var/run/secrets/kubernetes.io/serviceaccount"

bool kube_access_is_given_at(const struct kube_access_options *options, const char *account_dir);
int kube_access_new_at(const struct kube_access_options *options, const char *account_dir,
		       char *why, size_t why_size, struct kube_access **ret);

DEFINE_CLEANUP(struct kube_access *, kube_access_free);
#define cleanup_kube_access CLEANUP(kube_access_freep)

/* NULL, or what is wrong with it as the server of an API. */
const char *kube_server_problem(const char *server);
/* Is this a PEM text with such a thing ("CERTIFICATE", "PRIVATE KEY")? */
bool kube_pem_holds(const char *pem, const char *what);
/* NULL, or what is wrong with it as a bearer token. */
const char *kube_token_problem(const char *token);
