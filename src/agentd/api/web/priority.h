/* SPDX-License-Identifier: Apache-2.0 */
/*
 * priority.h - the names that Go has for TLS versions, cipher suites and curves to a priority
 * string of GnuTLS, which knows no suites but what they are made of. The result is held to what
 * was asked for: a suite more or one less is an error.
 */
#pragma once

#include "api/web/config.h"

/* Fills config->priority. 0, or -EINVAL with errors added. */
int web_priority_make(struct web_config *config, struct config_errors *errors);
