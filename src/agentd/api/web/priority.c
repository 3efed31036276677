/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/priority.h"

#include <gnutls/gnutls.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"

DEFINE_CLEANUP(gnutls_priority_t, gnutls_priority_deinit);

/* Those that Go has and does not call insecure, with those of TLS 1.2 that it does now but that
 * files from before still name. */
static const struct suite {
	const char *go, *gnutls; /* the whole suite's name, in either */
	const char *exchange;    /* NULL: of TLS 1.3 */
	const char *cipher, *mac;
} suites[] = {
	{ "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS_RSA_AES_128_CBC_SHA1", "RSA", "AES-128-CBC",
	  "SHA1" },
	{ "TLS_RSA_WITH_AES_256_CBC_SHA", "TLS_RSA_AES_256_CBC_SHA1", "RSA", "AES-256-CBC",
	  "SHA1" },
	{ "TLS_RSA_WITH_AES_128_CBC_SHA256", "TLS_RSA_AES_128_CBC_SHA256", "RSA", "AES-128-CBC",
	  "SHA256" },
	{ "TLS_RSA_WITH_AES_128_GCM_SHA256", "TLS_RSA_AES_128_GCM_SHA256", "RSA", "AES-128-GCM",
	  "AEAD" },
	{ "TLS_RSA_WITH_AES_256_GCM_SHA384", "TLS_RSA_AES_256_GCM_SHA384", "RSA", "AES-256-GCM",
	  "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_ECDSA_AES_128_CBC_SHA1", "ECDHE-ECDSA",
	  "AES-128-CBC", "SHA1" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_ECDSA_AES_256_CBC_SHA1", "ECDHE-ECDSA",
	  "AES-256-CBC", "SHA1" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_ECDSA_AES_128_CBC_SHA256",
	  "ECDHE-ECDSA", "AES-128-CBC", "SHA256" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_ECDSA_AES_128_GCM_SHA256",
	  "ECDHE-ECDSA", "AES-128-GCM", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_ECDSA_AES_256_GCM_SHA384",
	  "ECDHE-ECDSA", "AES-256-GCM", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_ECDSA_CHACHA20_POLY1305",
	  "ECDHE-ECDSA", "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_ECDSA_CHACHA20_POLY1305",
	  "ECDHE-ECDSA", "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "TLS_ECDHE_RSA_AES_128_CBC_SHA1", "ECDHE-RSA",
	  "AES-128-CBC", "SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", "TLS_ECDHE_RSA_AES_256_CBC_SHA1", "ECDHE-RSA",
	  "AES-256-CBC", "SHA1" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256", "TLS_ECDHE_RSA_AES_128_CBC_SHA256", "ECDHE-RSA",
	  "AES-128-CBC", "SHA256" },
	{ "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_AES_128_GCM_SHA256", "ECDHE-RSA",
	  "AES-128-GCM", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", "TLS_ECDHE_RSA_AES_256_GCM_SHA384", "ECDHE-RSA",
	  "AES-256-GCM", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", "TLS_ECDHE_RSA_CHACHA20_POLY1305",
	  "ECDHE-RSA", "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305", "TLS_ECDHE_RSA_CHACHA20_POLY1305", "ECDHE-RSA",
	  "CHACHA20-POLY1305", "AEAD" },
	{ "TLS_AES_128_GCM_SHA256", "TLS_AES_128_GCM_SHA256", NULL, "AES-128-GCM", "AEAD" },
	{ "TLS_AES_256_GCM_SHA384", "TLS_AES_256_GCM_SHA384", NULL, "AES-256-GCM", "AEAD" },
	{ "TLS_CHACHA20_POLY1305_SHA256", "TLS_CHACHA20_POLY1305_SHA256", NULL, "CHACHA20-POLY1305",
	  "AEAD" },
};

static const struct {
	const char *go, *group;
	gnutls_group_t id;
} curves[] = {
	{ "CurveP256", "GROUP-SECP256R1", GNUTLS_GROUP_SECP256R1 },
	{ "CurveP384", "GROUP-SECP384R1", GNUTLS_GROUP_SECP384R1 },
	{ "CurveP521", "GROUP-SECP521R1", GNUTLS_GROUP_SECP521R1 },
	{ "X25519", "GROUP-X25519", GNUTLS_GROUP_X25519 },
};

static const char *const versions[] = { "VERS-TLS1.0", "VERS-TLS1.1", "VERS-TLS1.2",
					"VERS-TLS1.3" };
static const gnutls_protocol_t version_ids[] = { GNUTLS_TLS1_0, GNUTLS_TLS1_1, GNUTLS_TLS1_2,
						 GNUTLS_TLS1_3 };

static const struct suite *suite_find(const char *go)
{
	for (size_t i = 0; i < ARRAY_SIZE(suites); i++)
		if (strcmp(suites[i].go, go) == 0)
			return &suites[i];
	return NULL;
}

/* ":+WORD", once. */
static void word_add(struct web_config *config, const char *word)
{
	size_t length = strlen(config->priority);
	char added[64];
	const char *found;

	(void)snprintf(added, sizeof(added), ":+%s", word);
	found = strstr(config->priority, added);
	if (found && (found[strlen(added)] == ':' || found[strlen(added)] == '\0'))
		return;
	(void)snprintf(config->priority + length, sizeof(config->priority) - length, "%s", added);
}

static void text_add(struct web_config *config, const char *text)
{
	size_t length = strlen(config->priority);

	(void)snprintf(config->priority + length, sizeof(config->priority) - length, "%s", text);
}

/* In Go the list is about TLS 1.2 and older. Those of 1.3 in it change nothing there, and here
 * they count only if there is no other: what they are made of would add suites to 1.2. */
static bool suite_counts(const struct suite *suite, bool has_old)
{
	return !has_old || suite->exchange;
}

static int suites_add(struct web_config *config, struct config_errors *errors, bool *ret_has_old)
{
	const struct config_node *node = web_config_tls_node(config, "cipher_suites");
	int result = 0;

	*ret_has_old = false;
	for (size_t i = 0; config->cipher_suites[i]; i++) {
		const struct suite *suite = suite_find(config->cipher_suites[i]);
		char key[64];

		if (suite) {
			*ret_has_old |= suite->exchange != NULL;
			continue;
		}
		(void)snprintf(key, sizeof(key), "tls_server_config.cipher_suites[%zu]", i);
		config_errors_add(errors, node && i < node->count ? node->children[i] : node, key,
				  "unknown cipher suite '%.64s': expected a name of Go's, such as "
				  "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
				  config->cipher_suites[i]);
		result = -EINVAL;
	}
	if (result < 0 || !config->cipher_suites[0])
		return result;
	text_add(config, ":-KX-ALL:-CIPHER-ALL:-MAC-ALL");
	for (size_t i = 0; config->cipher_suites[i]; i++) {
		const struct suite *suite = suite_find(config->cipher_suites[i]);

		if (!suite || !suite_counts(suite, *ret_has_old))
			continue;
		if (suite->exchange)
			word_add(config, suite->exchange);
		word_add(config, suite->cipher);
		word_add(config, suite->mac);
	}
	return 0;
}

static int curves_add(struct web_config *config, struct config_errors *errors)
{
	const struct config_node *node = web_config_tls_node(config, "curve_preferences");
	int result = 0;

	if (config->curves[0])
		text_add(config, ":-GROUP-ALL");
	for (size_t i = 0; config->curves[i]; i++) {
		size_t index = 0;
		char key[64];

		while (index < ARRAY_SIZE(curves) &&
		       strcmp(curves[index].go, config->curves[i]) != 0)
			index++;
		if (index < ARRAY_SIZE(curves)) {
			word_add(config, curves[index].group);
			continue;
		}
		(void)snprintf(key, sizeof(key), "tls_server_config.curve_preferences[%zu]", i);
		config_errors_add(errors, node && i < node->count ? node->children[i] : node, key,
				  "expected CurveP256, CurveP384, CurveP521 or X25519, not '%.64s'",
				  config->curves[i]);
		result = -EINVAL;
	}
	return result;
}

static bool suite_was_asked(const struct web_config *config, const char *gnutls)
{
	for (size_t i = 0; config->cipher_suites[i]; i++) {
		const struct suite *suite = suite_find(config->cipher_suites[i]);

		if (suite && strcmp(suite->gnutls, gnutls) == 0)
			return true;
	}
	return false;
}

/* What the string really allows, against what was asked for. Bits of old: which of the suites that
 * were asked for are there. */
static int suites_compare(const struct web_config *config, gnutls_priority_t priority,
			  struct config_errors *errors, uint64_t *ret_found, bool *ret_has_13)
{
	const struct config_node *node = web_config_tls_node(config, "cipher_suites");
	unsigned int id = 0;
	int result = 0, r;

	for (unsigned int i = 0;; i++) {
		unsigned char bytes[2];
		gnutls_protocol_t since = 0;
		const char *name;

		r = gnutls_priority_get_cipher_suite_index(priority, i, &id);
		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return result;
		if (r == GNUTLS_E_UNKNOWN_CIPHER_SUITE)
			continue;
		name = gnutls_cipher_suite_info(id, bytes, NULL, NULL, NULL, &since);
		if (r < 0 || !name)
			continue;
		*ret_has_13 |= since == GNUTLS_TLS1_3;
		for (size_t k = 0; k < ARRAY_SIZE(suites); k++)
			if (strcmp(suites[k].gnutls, name) == 0)
				*ret_found |= (uint64_t)1 << k;
		if (since == GNUTLS_TLS1_3 || suite_was_asked(config, name))
			continue;
		config_errors_add(errors, node, "tls_server_config.cipher_suites",
				  "GnuTLS cannot allow these without %s as well: add that (with "
				  "WITH in its name), or remove those that share its parts",
				  name);
		result = -EINVAL;
	}
}

static int suites_check(const struct web_config *config, gnutls_priority_t priority, bool has_old,
			struct config_errors *errors)
{
	const struct config_node *node = web_config_tls_node(config, "cipher_suites");
	bool has_13 = false;
	uint64_t found = 0;
	int r;

	if (!config->cipher_suites[0])
		return 0;
	if (!has_old && config->max_version < WEB_TLS13) {
		config_errors_add(errors, node, "tls_server_config.cipher_suites",
				  "these are of TLS 1.3, which max_version excludes");
		return -EINVAL;
	}
	r = suites_compare(config, priority, errors, &found, &has_13);
	for (size_t i = 0; config->cipher_suites[i]; i++) {
		const struct suite *suite = suite_find(config->cipher_suites[i]);

		if (!suite || !suite_counts(suite, has_old) ||
		    found & (uint64_t)1 << (suite - suites))
			continue;
		config_errors_add(
			errors, node ? node->children[i] : NULL, "tls_server_config.cipher_suites",
			"the GnuTLS of this host does not offer %s: remove it", suite->go);
		r = -EINVAL;
	}
	if (r == 0 && !has_13 && config->max_version == WEB_TLS13) {
		config_errors_add(errors, node, "tls_server_config.cipher_suites",
				  "no cipher of these is one of TLS 1.3: add one with GCM or "
				  "CHACHA20, or set max_version: TLS12");
		return -EINVAL;
	}
	return r;
}

/* The policy of the system may take versions away again. */
static int versions_check(const struct web_config *config, gnutls_priority_t priority,
			  struct config_errors *errors)
{
	const unsigned int *list = NULL;
	int count = gnutls_priority_protocol_list(priority, &list);

	for (uint64_t v = config->min_version; v <= config->max_version; v++) {
		bool there = false;

		for (int i = 0; i < count; i++)
			there |= list[i] == version_ids[v];
		if (there)
			continue;
		config_errors_add(errors, web_config_tls_node(config, "min_version"),
				  "tls_server_config.min_version",
				  "the GnuTLS of this host does not offer %s (see its system-wide "
				  "policy)",
				  versions[v] + strlen("VERS-"));
		return -EINVAL;
	}
	return 0;
}

static int groups_check(const struct web_config *config, gnutls_priority_t priority,
			struct config_errors *errors)
{
	const unsigned int *list = NULL;
	int count = gnutls_priority_group_list(priority, &list);
	const struct config_node *node = web_config_tls_node(config, "curve_preferences");

	for (size_t i = 0; config->curves[i]; i++) {
		bool there = false;

		for (size_t k = 0; k < ARRAY_SIZE(curves); k++)
			for (int n = 0; n < count; n++)
				there |= strcmp(curves[k].go, config->curves[i]) == 0 &&
					 list[n] == curves[k].id;
		if (there)
			continue;
		config_errors_add(errors, node ? node->children[i] : NULL,
				  "tls_server_config.curve_preferences",
				  "the GnuTLS of this host does not offer %.64s: remove it",
				  config->curves[i]);
		return -EINVAL;
	}
	return 0;
}

int web_priority_make(struct web_config *config, struct config_errors *errors)
{
	CLEANUP(gnutls_priority_deinitp) gnutls_priority_t priority = NULL;
	bool has_old = false;
	int r, curves_result;

	if (config->max_version < config->min_version) {
		config_errors_add(errors, web_config_tls_node(config, "max_version"),
				  "tls_server_config.max_version", "expected at least min_version");
		return -EINVAL;
	}
	(void)snprintf(config->priority, sizeof(config->priority), "NORMAL:-VERS-ALL");
	for (uint64_t v = config->min_version; v <= config->max_version; v++)
		word_add(config, versions[v]);
	r = suites_add(config, errors, &has_old);
	curves_result = curves_add(config, errors);
	r = MIN(r, curves_result);
	if (r < 0)
		return r;
	if (config->prefer_server_ciphers)
		text_add(config, ":%SERVER_PRECEDENCE");
	r = gnutls_priority_init(&priority, config->priority, NULL);
	if (r < 0) {
		config_errors_add(errors, web_config_tls_node(config, "cipher_suites"),
				  "tls_server_config", "GnuTLS takes no '%s': %s", config->priority,
				  gnutls_strerror(r));
		return -EINVAL;
	}
	r = suites_check(config, priority, has_old, errors);
	r = MIN(r, versions_check(config, priority, errors));
	return MIN(r, groups_check(config, priority, errors));
}
