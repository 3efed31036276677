/* SPDX-License-Identifier: Apache-2.0 */
/* client.h - whether a client's certificate is one that may come in. */
#pragma once

#include <gnutls/gnutls.h>

#include "api/web/config.h"

/* For gnutls_session_set_verify_function(): 0, or a GNUTLS_E_ that ends the handshake. */
int web_client_verify(const struct web_config *config, gnutls_session_t session);
