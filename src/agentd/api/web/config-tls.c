/* SPDX-License-Identifier: Apache-2.0 */
/* config-tls.c - tls_server_config. */
#include <libgen.h>
#include <string.h>

#include "api/web/config-internal.h"
#include "api/web/priority.h"
#include "macro.h"

const struct config_node *web_config_tls_node(const struct web_config *config, const char *key)
{
	const struct config_node *section = config_node_get(config->tree, "tls_server_config");
	const struct config_node *node = config_node_get(section, key);

	return node ? node : section;
}

/* Relative ones start where the web config is. */
static int path_complete(char **path, const char *file)
{
	cleanup_free char *copy = NULL;
	char *whole = NULL;

	if ((*path)[0] == '\0' || (*path)[0] == '/')
		return 0;
	copy = strdup(file);
	if (!copy || asprintf(&whole, "%s/%s", dirname(copy), *path) < 0)
		return -ENOMEM;
	free(*path);
	*path = whole;
	return 0;
}

static bool is_verified(const struct web_config *config)
{
	return config->client_auth == WEB_VERIFY_IF_GIVEN ||
	       config->client_auth == WEB_REQUIRE_AND_VERIFY;
}

static int clients_check(const struct web_config *config, struct config_errors *errors)
{
	if (is_verified(config) && !config->client_ca_file[0]) {
		config_errors_add(errors, web_config_tls_node(config, "client_auth_type"),
				  "tls_server_config.client_auth_type",
				  "this needs client_ca_file: the authorities that the clients' "
				  "certificates must lead to");
		return -EINVAL;
	}
	if (config->client_auth == WEB_NO_CLIENT_CERT && config->client_ca_file[0]) {
		config_errors_add(errors, web_config_tls_node(config, "client_ca_file"),
				  "tls_server_config.client_ca_file",
				  "nobody is asked for a certificate: set client_auth_type to "
				  "RequireAndVerifyClientCert, or remove this");
		return -EINVAL;
	}
	if (config->client_allowed_sans[0] && !is_verified(config)) {
		config_errors_add(errors, web_config_tls_node(config, "client_allowed_sans"),
				  "tls_server_config.client_allowed_sans",
				  "a certificate that is not verified can hold any name: set "
				  "client_auth_type to RequireAndVerifyClientCert");
		return -EINVAL;
	}
	return 0;
}

static int pair_check(const struct web_config *config, struct config_errors *errors)
{
	const struct config_node *section = web_config_tls_node(config, "");

	if (!config->cert_file[0])
		config_errors_add(errors, section, "tls_server_config.cert_file",
				  "it is missing: a PEM file with the certificate and its chain");
	if (!config->key_file[0])
		config_errors_add(errors, section, "tls_server_config.key_file",
				  "it is missing: a PEM file with the certificate's key");
	return config->cert_file[0] && config->key_file[0] ? 0 : -EINVAL;
}

int web_config_bind_tls(struct web_config *config, const char *file, struct config_errors *errors)
{
	const struct config_node *section = config_node_get(config->tree, "tls_server_config");
	int r;

	if (!section || section->kind != CONFIG_MAPPING || section->count == 0)
		return 0;
	config->has_tls = true;
	r = path_complete(&config->cert_file, file);
	if (r == 0)
		r = path_complete(&config->key_file, file);
	if (r == 0)
		r = path_complete(&config->client_ca_file, file);
	if (r < 0)
		return r;
	r = pair_check(config, errors);
	r = MIN(r, clients_check(config, errors));
	return MIN(r, web_priority_make(config, errors));
}
