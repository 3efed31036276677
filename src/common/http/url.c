/* SPDX-License-Identifier: Apache-2.0 */
#include "http/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "parse.h"

static bool host_is_valid(const struct http_url *url)
{
	if (url->host_length == 0 || url->host_length > HTTP_HOST_MAX)
		return false;
	for (size_t i = 0; i < url->host_length; i++) {
		unsigned char character = (unsigned char)url->host[i];

		if (url->is_v6 ? !isxdigit(character) && character != ':' && character != '.'
			       : !isalnum(character) && !strchr("-._", character))
			return false;
	}
	return true;
}

static int port_parse(const char *text, size_t length, struct http_url *url)
{
	uint64_t port = 0;

	if (parse_u64_span(text, length, &port) < 0 || port == 0 || port > UINT16_MAX)
		return -EINVAL;
	url->port = (unsigned int)port;
	url->has_port = true;
	return 0;
}

int http_url_parse(const char *text, struct http_url *ret)
{
	struct http_url url = { 0 };
	const char *end;
	int r = 0;

	for (const char *at = text; *at; at++)
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7f)
			return -EINVAL;
	url.is_tls = strncasecmp(text, "https://", 8) == 0;
	if (!url.is_tls && strncasecmp(text, "http://", 7) != 0)
		return -EINVAL;
	url.host = text + (url.is_tls ? 8 : 7);
	url.port = url.is_tls ? 443 : 80;
	if (*url.host == '[') {
		url.is_v6 = true;
		url.host++;
		url.host_length = strcspn(url.host, "]");
		if (url.host[url.host_length] != ']')
			return -EINVAL;
		end = url.host + url.host_length + 1;
	} else {
		url.host_length = strcspn(url.host, ":/?#");
		end = url.host + url.host_length;
	}
	if (!host_is_valid(&url))
		return -EINVAL;
	if (*end == ':') {
		size_t length = strcspn(end + 1, "/?#");

		r = port_parse(end + 1, length, &url);
		end += length + 1;
	}
	if (r < 0 || (*end && !strchr("/?", *end)) || strchr(end, '#'))
		return -EINVAL;
	url.rest = end;
	*ret = url;
	return 0;
}

bool http_url_is_loopback(const struct http_url *url)
{
	char host[INET6_ADDRSTRLEN];
	struct in6_addr v6;
	struct in_addr v4;

	if (url->host_length >= sizeof(host))
		return false;
	memcpy(host, url->host, url->host_length);
	host[url->host_length] = '\0';
	if (url->is_v6)
		return inet_pton(AF_INET6, host, &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
	if (inet_pton(AF_INET, host, &v4) == 1)
		return (ntohl(v4.s_addr) >> 24) == 127;
	return strcasecmp(host, "localhost") == 0;
}
