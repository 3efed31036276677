/* SPDX-License-Identifier: Apache-2.0 */
/*
 * url.h - the parts of "https://HOST:PORT/PATH?QUERY", strict: no user names, no blanks, no
 * control characters. Needs no libcurl.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define HTTP_HOST_MAX 253u

struct http_url {
	bool is_tls, is_v6;
	const char *host; /* into the text; without the brackets of an IPv6 address */
	size_t host_length;
	unsigned int port; /* 443 and 80 where the text names none */
	bool has_port;
	const char *rest; /* "/path?query", "" if none */
};

/* -EINVAL: not such a URL. */
int http_url_parse(const char *text, struct http_url *ret);
/* 127.0.0.0/8, ::1, and localhost, which libcurl never looks up. */
bool http_url_is_loopback(const struct http_url *url);
