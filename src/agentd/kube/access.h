/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.h - where the API is and who we are there: a service account in a pod, a kubeconfig, or
 * server, token_file and ca_file of the policy. TLS with verification and nothing else.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "http/client.h"

/* From the policy; "" means not given. */
struct kube_access_options {
	const char *kubeconfig, *server, *token_file, *ca_file;
};

struct kube_access {
	char *server; /* "https://10.96.0.1:443", no slash at the end */
	char *origin; /* for people: "the service account of this pod", "kubeconfig /etc/..." */
	/* Each as a PEM text or token, or as the file that holds it, which is read again for every
	 * connection: tokens and certificates rotate. Both NULL: none. */
	char *ca_pem, *ca_file;
	char *cert_pem, *cert_file;
	char *key_pem, *key_file;
	char *token, *token_file;
	char *server_name; /* tls-server-name; NULL: the server's host */
	/* What kube_access_identity() read last; owned. */
	char *read_ca, *read_cert, *read_key, *read_token;
};

/* Is there anything to go by, so that `enabled: auto` means on? */
bool kube_access_is_given(const struct kube_access_options *options);

/* 0 with *ret; or an error with why: one line for people, what is wrong and what to do (file:line
 * where there is one). -ENOENT: nothing to go by; -EINVAL: wrong; -EACCES...: a file. */
int kube_access_new(const struct kube_access_options *options, char *why, size_t why_size,
		    struct kube_access **ret);
struct kube_access *kube_access_free(struct kube_access *access);

/* Read the files again. *ret borrows from access until the next call. Errors as above. */
int kube_access_identity(struct kube_access *access, char *why, size_t why_size,
			 struct http_identity *ret);

/* kubeconfig.c: the current context of a kubeconfig (YAML or JSON). name: of the file, for messages
 * and for relative paths in it. Refused with a clear text: insecure-skip-tls-verify, exec and
 * auth-provider users, user names with passwords, proxy-url, http:// servers off the loopback. */
int kubeconfig_parse(const char *name, const char *text, size_t size, char *why, size_t why_size,
		     struct kube_access **ret);
