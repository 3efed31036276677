/* SPDX-License-Identifier: Apache-2.0 */
/* url.h - texts as parts of a URL. */
#pragma once

#include "strbuf.h"

/* Percent-encoded as RFC 3986 has it: everything but letters, digits and "-._~". */
void kube_url_add(struct strbuf *url, const char *text);
