/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tls.h - TLS of the listener. At each handshake the files are looked at (stat(2), no timer
 * and no watch): a new pair is for new connections; one that is broken or half written leaves the
 * old one in force and is logged once.
 */
#pragma once

#include "api/web/credentials.h"

struct web_tls;

/* config must outlive it. 0; -EINVAL with errors added; -ENOMEM. */
int web_tls_new(const struct web_config *config, struct config_errors *errors,
		struct web_tls **ret);
struct web_tls *web_tls_free(struct web_tls *tls);

/* A session that is about to shake hands: with the files as they are now. tls must outlive it;
 * *ret_credentials is the caller's to unref once the session is gone. 0 or -errno: the session
 * must not be used. */
int web_tls_begin(struct web_tls *tls, gnutls_session_t session,
		  struct web_credentials **ret_credentials);

/* When the certificate in force expires, in Unix time; -1: unknown. */
time_t web_tls_expires(const struct web_tls *tls);
/* Why the files on disk are not those in force, or that the certificate has expired; NULL: all is
 * well. Looks at the files. */
const char *web_tls_problem(struct web_tls *tls);
