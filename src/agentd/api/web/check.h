/* SPDX-License-Identifier: Apache-2.0 */
/* check.h - a web config is read and all that it names, and nothing is served: for
 * `berthctl check` and `berthd --check-config`, which so need no HTTP server. */
#pragma once

#include "config/tree.h"

/* 0: berthd would take it; "" is none. -EINVAL with errors added; -ENOMEM. A file that this user
 * may not read is no error: berthd may. */
int web_check(const char *file, struct config_errors *errors);
