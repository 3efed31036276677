/* SPDX-License-Identifier: Apache-2.0 */
/* config.c - the file as a whole: its keys, users and headers. */
#include "api/web/config.h"

#include <string.h>

#include "api/web/config-internal.h"
#include "config/bind.h"
#include "limit.h"
#include "macro.h"
#include "parse.h"

#define BCRYPT_LENGTH 60u

static const char *const client_auth_names[] = {
	"NoClientCert",
	"RequestClientCert",
	"RequireAnyClientCert",
	"RequireClientCert",
	"VerifyClientCertIfGiven",
	"RequireAndVerifyClientCert",
	NULL,
};
static const char *const version_names[] = { "TLS10", "TLS11", "TLS12", "TLS13", NULL };

static const struct config_field web_fields[] = {
	FIELD_STRING(struct web_config, "tls_server_config.cert_file", cert_file, "", ""),
	FIELD_STRING(struct web_config, "tls_server_config.key_file", key_file, "", ""),
	FIELD_STRING(struct web_config, "tls_server_config.client_ca_file", client_ca_file, "", ""),
	FIELD_ENUM(struct web_config, "tls_server_config.client_auth_type", client_auth,
		   client_auth_names, WEB_NO_CLIENT_CERT, ""),
	FIELD_STRINGS(struct web_config, "tls_server_config.client_allowed_sans",
		      client_allowed_sans, ""),
	FIELD_ENUM(struct web_config, "tls_server_config.min_version", min_version, version_names,
		   WEB_TLS12, ""),
	FIELD_ENUM(struct web_config, "tls_server_config.max_version", max_version, version_names,
		   WEB_TLS13, ""),
	FIELD_STRINGS(struct web_config, "tls_server_config.cipher_suites", cipher_suites, ""),
	FIELD_BOOL(struct web_config, "tls_server_config.prefer_server_cipher_suites",
		   prefer_server_ciphers, 1, ""),
	FIELD_STRINGS(struct web_config, "tls_server_config.curve_preferences", curves, ""),
	FIELD_BOOL(struct web_config, "http_server_config.http2", http2, 1, ""),
	FIELD_END,
};

/* Keys of newer exporters: known, so that the answer is not "did you mean". */
static const struct {
	const char *section, *key, *why;
} refused[] = {
	{ "tls_server_config", "cert", "PEM text is not read from here: name a file by cert_file" },
	{ "tls_server_config", "key", "PEM text is not read from here: name a file by key_file" },
	{ "tls_server_config", "client_ca",
	  "PEM text is not read from here: name a file by client_ca_file" },
	{ NULL, "rate_limit",
	  "berthd has fixed limits of its own (docs/metrics-web.md): remove it" },
};

static const char *const web_also[] = {
	"tls_server_config.cert",
	"tls_server_config.key",
	"tls_server_config.client_ca",
	"rate_limit",
	"http_server_config.headers",
	"basic_auth_users",
	NULL,
};

static int refused_check(const struct config_node *root, struct config_errors *errors)
{
	int result = 0;

	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		const struct config_node *node = root;
		char key[64];

		if (refused[i].section)
			node = config_node_get(root, refused[i].section);
		node = config_node_get(node, refused[i].key);
		if (!node || node->kind == CONFIG_NULL)
			continue;
		(void)snprintf(key, sizeof(key), "%s%s%s",
			       refused[i].section ? refused[i].section : "",
			       refused[i].section ? "." : "", refused[i].key);
		config_errors_add(errors, node, key, "%s", refused[i].why);
		result = -EINVAL;
	}
	return result;
}

/* NULL: it is fine. */
static const char *hash_problem(const char *hash)
{
	static const char digits[] =
		"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	uint64_t cost = 0;

	/* $2x$ marks hashes of an implementation that was broken. */
	if (strlen(hash) != BCRYPT_LENGTH || hash[0] != '$' || hash[1] != '2' || !hash[2] ||
	    !strchr("aby", hash[2]) || hash[3] != '$' || hash[6] != '$' ||
	    strspn(hash + 7, digits) != BCRYPT_LENGTH - 7 || parse_u64_span(hash + 4, 2, &cost) < 0)
		return "expected a bcrypt hash of 60 characters, $2y$10$... (htpasswd -nBC 10 USER "
		       "makes one)";
	if (cost < 4 || cost > LIMIT_WEB_BCRYPT_COST)
		return "expected a bcrypt cost of 04 to 14: more would keep a CPU busy for seconds";
	return NULL;
}

static const char *user_problem(const struct config_node *node)
{
	/* RFC 7617: the first colon ends the name. */
	if (strchr(node->key, ':'))
		return "no client can send a user's name with a colon in it";
	if (node->kind != CONFIG_SCALAR)
		return "expected a bcrypt hash";
	return hash_problem(node->scalar);
}

static int users_bind(const struct config_node *node, struct config_errors *errors,
		      struct web_config *config)
{
	int result = 0;

	if (!node || node->kind == CONFIG_NULL)
		return 0;
	if (node->kind != CONFIG_MAPPING || node->count > LIMIT_WEB_USERS) {
		config_errors_add(errors, node, "basic_auth_users",
				  "expected at most %u users, 'name: bcrypt hash'",
				  LIMIT_WEB_USERS);
		return -EINVAL;
	}
	config->users = calloc(node->count + 1, sizeof(*config->users));
	if (!config->users)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		const struct config_node *child = node->children[i];
		const char *why = user_problem(child);
		char key[128];

		if (!why) {
			config->users[config->user_count++] =
				(struct web_user){ child->key, child->scalar };
			continue;
		}
		/* Never the value: somebody may have written the password itself. */
		(void)snprintf(key, sizeof(key), "basic_auth_users.%.64s", child->key);
		config_errors_add(errors, child, key, "%s", why);
		result = -EINVAL;
	}
	return result;
}

static const struct {
	const char *name;
	const char *values[3]; /* NULL: any text */
} header_table[WEB_HEADERS] = {
	{ "Content-Security-Policy", { NULL } },
	{ "Strict-Transport-Security", { NULL } },
	{ "X-Content-Type-Options", { "nosniff" } },
	{ "X-Frame-Options", { "deny", "sameorigin" } },
	{ "X-XSS-Protection", { NULL } },
};

static bool header_value_is_valid(size_t index, const char *value)
{
	const char *const *values = header_table[index].values;

	/* RFC 9110: a line break in it would be a header of its own. */
	for (const char *c = value; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			return false;
	if (!values[0])
		return true;
	for (size_t i = 0; values[i]; i++)
		if (strcasecmp(values[i], value) == 0)
			return true;
	return false;
}

static int header_bind(const struct config_node *node, struct config_errors *errors,
		       struct web_config *config)
{
	char key[128];
	size_t index = 0;

	(void)snprintf(key, sizeof(key), "http_server_config.headers.%.64s", node->key);
	while (index < WEB_HEADERS && strcasecmp(header_table[index].name, node->key) != 0)
		index++;
	if (index == WEB_HEADERS) {
		config_errors_add(errors, node, key,
				  "only Content-Security-Policy, Strict-Transport-Security, "
				  "X-Content-Type-Options, X-Frame-Options and X-XSS-Protection "
				  "can be set");
		return -EINVAL;
	}
	if (node->kind == CONFIG_NULL || (node->kind == CONFIG_SCALAR && !node->scalar[0]))
		return 0;
	if (node->kind != CONFIG_SCALAR || !header_value_is_valid(index, node->scalar)) {
		const char *const *values = header_table[index].values;

		config_errors_add(errors, node, key, "expected %s%s%s",
				  values[0] ? values[0] : "one line of text",
				  values[0] && values[1] ? " or " : "",
				  values[0] && values[1] ? values[1] : "");
		return -EINVAL;
	}
	for (size_t i = 0; i < config->header_count; i++) {
		if (strcmp(config->headers[i].name, header_table[index].name) != 0)
			continue;
		config_errors_add(errors, node, key, "it is there already, in other letters");
		return -EINVAL;
	}
	config->headers[config->header_count++] =
		(struct web_header){ header_table[index].name, node->scalar };
	return 0;
}

static int headers_bind(const struct config_node *node, struct config_errors *errors,
			struct web_config *config)
{
	int result = 0;

	if (!node || node->kind == CONFIG_NULL)
		return 0;
	if (node->kind != CONFIG_MAPPING) {
		config_errors_add(errors, node, "http_server_config.headers",
				  "expected 'name: value' below it");
		return -EINVAL;
	}
	for (size_t i = 0; i < node->count; i++)
		if (header_bind(node->children[i], errors, config) < 0)
			result = -EINVAL;
	return result;
}

void web_config_done(struct web_config *config)
{
	config_bind_done(web_fields, config);
	free(config->users);
	(void)config_node_free(config->tree);
	free(config->text);
	*config = (struct web_config){ 0 };
}

static int worse(int a, int b)
{
	return a == -ENOMEM || b == -ENOMEM ? -ENOMEM : MIN(a, b);
}

int web_config_parse(const char *text, size_t length, const char *file,
		     struct config_errors *errors, struct web_config *ret)
{
	CLEANUP(web_config_done) struct web_config config = { 0 };
	const struct config_node *http, *users;
	int r = config_tree_parse(text, length, file, errors, &config.tree);

	if (r < 0)
		return r;
	r = config_bind(web_fields, config.tree, "", web_also, errors, &config);
	if (r == -ENOMEM)
		return r;
	r = worse(r, refused_check(config.tree, errors));
	r = worse(r, web_config_bind_tls(&config, file, errors));
	http = config_node_get(config.tree, "http_server_config");
	r = worse(r, headers_bind(config_node_get(http, "headers"), errors, &config));
	users = config_node_get(config.tree, "basic_auth_users");
	r = worse(r, users_bind(users, errors, &config));
	if (r < 0)
		return r;
	config.text = strndup(text, length);
	if (!config.text)
		return -ENOMEM;
	*ret = config;
	config = (struct web_config){ 0 };
	return 0;
}

static const char *read_problem(int error, char *text, size_t size)
{
	if (error == -EFBIG)
		(void)snprintf(text, size, "it is larger than %u bytes", LIMIT_WEB_FILE_BYTES);
	else if (error == -ENOTSUP)
		(void)snprintf(text, size, "it is no regular file");
	else
		(void)snprintf(text, size, "%s", strerror(-error));
	return text;
}

int web_config_load(const char *file, struct config_errors *errors, struct web_config *ret)
{
	struct config_node place = { .file = file };
	cleanup_free char *text = NULL;
	size_t length = 0;
	char why[64];
	int r = web_file_read(file, &text, &length);

	if (r == -ENOMEM)
		return r;
	if (r < 0) {
		config_errors_add(errors, &place, "",
				  "cannot read the web config: %s; see metrics.web_config_file "
				  "in berth.yaml(5)",
				  read_problem(r, why, sizeof(why)));
		return -EINVAL;
	}
	return web_config_parse(text, length, file, errors, ret);
}
