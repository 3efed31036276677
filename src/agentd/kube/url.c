/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/url.h"

#include <string.h>

static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";

void kube_url_add(struct strbuf *url, const char *text)
{
	while (*text) {
		size_t length = strspn(text, plain);

		strbuf_add_bytes(url, text, length);
		text += length;
		if (*text)
			strbuf_addf(url, "%%%02X", (unsigned char)*text++);
	}
}
