/* SPDX-License-Identifier: Apache-2.0 */
/* header.h - the Authorization header: anybody's bytes. */
#pragma once

#include <stddef.h>

#include "cleanup.h"

struct web_basic {
	char *text; /* owned: "user", NUL, "password", NUL */
	size_t size;
	const char *user, *password;
};

/* "Basic BASE64(user:password)", RFC 7617. 0; -EINVAL: it is something else, or too long, or has a
 * NUL in it; -ENOMEM. */
int web_basic_parse(const char *header, struct web_basic *ret);
/* Leaves no password in memory. Also of one that is all zero. */
void web_basic_done(struct web_basic *basic);
