/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/check.h"

#include "api/web/credentials.h"
#include "cleanup.h"

static bool is_for_root(const char *file)
{
	return geteuid() != 0 && access(file, R_OK) < 0 && errno == EACCES;
}

int web_check(const char *file, struct config_errors *errors)
{
	CLEANUP(web_config_done) struct web_config config = { 0 };
	struct web_credentials *credentials = NULL;
	int r;

	if (!file[0] || is_for_root(file))
		return 0;
	r = web_config_load(file, errors, &config);
	/* A key is root's alone on most hosts. */
	if (r < 0 || !config.has_tls || is_for_root(config.key_file))
		return r;
	r = web_credentials_require(&config, errors, &credentials);
	(void)web_credentials_unref(credentials);
	return r;
}
