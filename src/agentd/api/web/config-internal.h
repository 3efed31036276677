/* SPDX-License-Identifier: Apache-2.0 */
/* config-internal.h - between web/config.c and web/config-tls.c. */
#pragma once

#include "api/web/config.h"

/* tls_server_config: paths made whole, what does not go together refused, the priority string
 * made. 0; -EINVAL with errors added; -ENOMEM. */
int web_config_bind_tls(struct web_config *config, const char *file, struct config_errors *errors);
