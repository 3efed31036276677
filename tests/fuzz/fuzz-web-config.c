/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-web-config.c - a web config: users, headers, and Go's names to a priority string. */
#include <gnutls/gnutls.h>
#include <string.h>

#include "api/web/config.h"
#include "limit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(web_config_done) struct web_config config = { 0 };
	gnutls_priority_t priority;
	int r = web_config_parse((const char *)data, size, "/dir/fuzz.yaml", &errors, &config);

	/* A failure that says nothing leaves its user with nothing. */
	if (r == -EINVAL && errors.count == 0)
		abort();
	if (r < 0)
		return 0;
	if (config.user_count > LIMIT_WEB_USERS || config.header_count > WEB_HEADERS)
		abort();
	for (size_t i = 0; i < config.user_count; i++)
		if (strlen(config.users[i].hash) != 60 || strchr(config.users[i].name, ':'))
			abort();
	/* A line break in a header's value would be an answer of somebody else's. */
	for (size_t i = 0; i < config.header_count; i++)
		if (strpbrk(config.headers[i].value, "\r\n"))
			abort();
	if (!config.has_tls)
		return 0;
	if (config.cert_file[0] != '/' || config.key_file[0] != '/')
		abort();
	if (gnutls_priority_init(&priority, config.priority, NULL) < 0)
		abort();
	gnutls_priority_deinit(priority);
	return 0;
}
