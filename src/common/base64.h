/* SPDX-License-Identifier: Apache-2.0 */
/* base64.h - RFC 4648 with padding, as kubeconfig files hold certificates; blanks are skipped. */
#pragma once

#include <stddef.h>

/* *ret is NUL terminated and the caller's; ret_size may be NULL. -EINVAL; -ENOMEM. */
int base64_decode(const char *text, char **ret, size_t *ret_size);
