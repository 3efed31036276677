/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-authorization.c - the Authorization header of anybody. */
#include <stdint.h>
#include <string.h>

#include "api/web/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(web_basic_done) struct web_basic basic = { 0 };
	/* As libmicrohttpd hands it out: a string. */
	cleanup_free char *header = strndup((const char *)data, size);
	int r;

	if (!header)
		return 0;
	r = web_basic_parse(header, &basic);
	if (r < 0) {
		if (basic.text)
			abort();
		return 0;
	}
	if (strchr(basic.user, ':') ||
	    strlen(basic.user) + 1 + strlen(basic.password) != basic.size ||
	    basic.password != basic.user + strlen(basic.user) + 1)
		abort();
	return 0;
}
