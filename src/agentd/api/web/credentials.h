/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credentials.h - the certificate, its key and the clients' authorities, as they were when the
 * files were read. Shared: a connection goes on with those that it began with.
 */
#pragma once

#include <gnutls/gnutls.h>
#include <time.h>

#include "api/web/config.h"

struct web_credentials {
	unsigned int references;
	gnutls_certificate_credentials_t x509;
	time_t expires;
};

/* Read and check the files: a whole pair that belongs together, authorities if any are named. 0;
 * -EINVAL with the key of tls_server_config that is to blame and why; -ENOMEM. */
int web_credentials_load(const struct web_config *config, const char **ret_key, char *why,
			 size_t size, struct web_credentials **ret);
/* The same, with the failure as an error at its place in the web config. */
int web_credentials_require(const struct web_config *config, struct config_errors *errors,
			    struct web_credentials **ret);
struct web_credentials *web_credentials_ref(struct web_credentials *credentials);
struct web_credentials *web_credentials_unref(struct web_credentials *credentials);
