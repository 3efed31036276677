/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kubeconfig.c - the current context of a kubeconfig, as client-go 1.20 to 1.30 reads it: data
 * counts before a file, a tokenFile before a token, relative paths are from the file's directory.
 * What Berth does not do is refused and not passed over: it would talk as somebody else, or to a
 * server that nobody checked.
 */
#include <stdio.h>
#include <string.h>

#include "base64.h"
#include "config/tree.h"
#include "kube/access-internal.h"
#include "limit.h"
#include "macro.h"

struct reading {
	const char *name;
	struct config_errors errors;
	struct config_node *root;
	struct kube_access *access;
};

static void reading_done(struct reading *reading)
{
	config_errors_done(&reading->errors);
	reading->root = config_node_free(reading->root);
	reading->access = kube_access_free(reading->access);
}

/* The text of a key; NULL: not there. Anything but a text is an error. */
static int text_get(struct reading *reading, const struct config_node *node, const char *key,
		    const struct config_node **ret_node, const char **ret)
{
	const struct config_node *value = config_node_get(node, key);

	*ret = NULL;
	*ret_node = value;
	if (!value || value->kind == CONFIG_NULL)
		return 0;
	if (value->kind != CONFIG_SCALAR) {
		config_errors_add(&reading->errors, value, key, "expected a text");
		return -EINVAL;
	}
	/* kubectl writes empty texts for what is not given. */
	if (value->scalar[0])
		*ret = value->scalar;
	return 0;
}

ANALYZER_LEAK_IGNORE_BEGIN
static int text_copy(struct reading *reading, const struct config_node *node, const char *key,
		     char **slot)
{
	const struct config_node *value;
	const char *text = NULL;
	char *copy;
	int r = text_get(reading, node, key, &value, &text);

	if (r < 0 || !text)
		return r;
	copy = strdup(text);
	if (!copy)
		return -ENOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}
ANALYZER_LEAK_IGNORE_END

/* From the kubeconfig's directory. */
static int path_copy(struct reading *reading, const struct config_node *node, const char *key,
		     char **slot)
{
	const char *slash = strrchr(reading->name, '/');
	int r = text_copy(reading, node, key, slot), n;
	char *whole = NULL;

	if (r < 0 || !*slot || (*slot)[0] == '/' || !slash)
		return r;
	n = asprintf(&whole, "%.*s/%s", (int)(slash - reading->name), reading->name, *slot);
	if (n < 0)
		return -ENOMEM;
	free(*slot);
	*slot = whole;
	return 0;
}

static int pem_decode(struct reading *reading, const struct config_node *value, const char *key,
		      const char *what, char **slot)
{
	size_t size = 0;
	int r;

	free(*slot);
	*slot = NULL;
	r = base64_decode(value->scalar, slot, &size);
	if (r == -EINVAL)
		config_errors_add(&reading->errors, value, key, "this is not base64");
	if (r < 0 || !*slot)
		return r;
	if (strlen(*slot) == size && kube_pem_holds(*slot, what))
		return 0;
	config_errors_add(&reading->errors, value, key,
			  "holds no PEM %s: it is base64 of the text that begins with '-----BEGIN'",
			  strcmp(what, "CERTIFICATE") == 0 ? "certificate" : "private key");
	return -EINVAL;
}

static int pem_copy(struct reading *reading, const struct config_node *node, const char *key,
		    const char *what, char **slot)
{
	const struct config_node *value = NULL;
	const char *text = NULL;
	int r = text_get(reading, node, key, &value, &text);

	return r < 0 || !text ? r : pem_decode(reading, value, key, what, slot);
}

/* KEY-data, or else KEY, a file. */
static int pem_or_file(struct reading *reading, const struct config_node *node, const char *key,
		       const char *what, char **pem, char **path)
{
	char data_key[64];
	int r;

	(void)snprintf(data_key, sizeof(data_key), "%s-data", key);
	r = pem_copy(reading, node, data_key, what, pem);
	if (r < 0 || *pem)
		return r;
	return path_copy(reading, node, key, path);
}

/* The mapping LIST[name: NAME].KIND. */
static int entry_find(struct reading *reading, const char *list, const char *kind, const char *name,
		      const struct config_node *wanted_by, const struct config_node **ret)
{
	const struct config_node *entries = config_node_get(reading->root, list);

	for (size_t i = 0; entries && entries->kind == CONFIG_SEQUENCE && i < entries->count; i++) {
		const struct config_node *entry = entries->children[i];
		const struct config_node *its_name = config_node_get(entry, "name");
		const struct config_node *content = config_node_get(entry, kind);

		if (!its_name || its_name->kind != CONFIG_SCALAR ||
		    strcmp(its_name->scalar, name) != 0)
			continue;
		if (!content || content->kind != CONFIG_MAPPING) {
			config_errors_add(&reading->errors, entry, list, "'%s' has no '%s:'", name,
					  kind);
			return -EINVAL;
		}
		*ret = content;
		return 0;
	}
	config_errors_add(&reading->errors, wanted_by, list, "there is no %s named '%s'", kind,
			  name);
	return -EINVAL;
}

/* Where the key stands, if it holds anything. */
static const struct config_node *given(const struct config_node *node, const char *key)
{
	const struct config_node *value = config_node_get(node, key);

	if (!value || value->kind == CONFIG_NULL)
		return NULL;
	return value->kind == CONFIG_SCALAR && !value->scalar[0] ? NULL : value;
}

static int refuse_given(struct reading *reading, const struct config_node *node,
			const char *const (*keys)[2], size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct config_node *value = given(node, keys[i][0]);

		if (!value)
			continue;
		config_errors_add(&reading->errors, value, keys[i][0], "%s", keys[i][1]);
		return -EINVAL;
	}
	return 0;
}

static int read_cluster(struct reading *reading, const struct config_node *cluster)
{
	static const char *const refused[][2] = {
		{ "proxy-url", "Berth uses no proxies: name a server that it reaches itself" },
	};
	const struct config_node *skip = given(cluster, "insecure-skip-tls-verify");
	const struct config_node *node = NULL;
	struct kube_access *access = reading->access;
	const char *server = NULL, *problem;
	int r = refuse_given(reading, cluster, refused, ARRAY_SIZE(refused));

	if (r == 0)
		r = text_get(reading, cluster, "server", &node, &server);
	if (r < 0)
		return r;
	/* Anything but a clear false. */
	if (skip && (skip->kind != CONFIG_SCALAR || strcmp(skip->scalar, "false") != 0)) {
		config_errors_add(&reading->errors, skip, "insecure-skip-tls-verify",
				  "Berth always verifies the server: give certificate-authority "
				  "instead");
		return -EINVAL;
	}
	problem = server ? kube_server_problem(server) : "missing: expected https://HOST:PORT";
	if (problem) {
		config_errors_add(&reading->errors, node ? node : cluster, "server", "%s", problem);
		return -EINVAL;
	}
	r = text_copy(reading, cluster, "server", &access->server);
	if (r == 0)
		r = text_copy(reading, cluster, "tls-server-name", &access->server_name);
	if (r < 0)
		return r;
	for (size_t i = strlen(access->server); i > 0 && access->server[i - 1] == '/'; i--)
		access->server[i - 1] = '\0';
	return pem_or_file(reading, cluster, "certificate-authority", "CERTIFICATE",
			   &access->ca_pem, &access->ca_file);
}

static int read_token(struct reading *reading, const struct config_node *user)
{
	struct kube_access *access = reading->access;
	const struct config_node *node = NULL;
	const char *token = NULL, *problem;
	int r = path_copy(reading, user, "tokenFile", &access->token_file);

	if (r == 0)
		r = text_get(reading, user, "token", &node, &token);
	if (r < 0 || !token || access->token_file)
		return r;
	problem = kube_token_problem(token);
	if (problem) {
		config_errors_add(&reading->errors, node, "token", "%s", problem);
		return -EINVAL;
	}
	return text_copy(reading, user, "token", &access->token);
}

static int read_user(struct reading *reading, const struct config_node *user)
{
	static const char *const refused[][2] = {
		{ "exec", "Berth runs no programs for credentials: give tokenFile, or a client "
			  "certificate and key" },
		{ "auth-provider", "Berth knows no auth providers: give tokenFile, or a client "
				   "certificate and key" },
		{ "username", "Berth sends no passwords: give tokenFile, or a client certificate "
			      "and key" },
		{ "password", "Berth sends no passwords: give tokenFile, or a client certificate "
			      "and key" },
		{ "as", "Berth impersonates nobody: give it credentials of its own" },
	};
	struct kube_access *access = reading->access;
	bool has_cert, has_key;
	int r = refuse_given(reading, user, refused, ARRAY_SIZE(refused));

	if (r == 0)
		r = pem_or_file(reading, user, "client-certificate", "CERTIFICATE",
				&access->cert_pem, &access->cert_file);
	if (r == 0)
		r = pem_or_file(reading, user, "client-key", "PRIVATE KEY", &access->key_pem,
				&access->key_file);
	if (r < 0)
		return r;
	has_cert = access->cert_pem || access->cert_file;
	has_key = access->key_pem || access->key_file;
	if (has_cert != has_key) {
		config_errors_add(&reading->errors, user,
				  has_cert ? "client-key" : "client-certificate",
				  "missing: a client certificate and its key go together");
		return -EINVAL;
	}
	return read_token(reading, user);
}

static int read_context(struct reading *reading)
{
	const struct config_node *current = NULL, *context = NULL, *cluster = NULL;
	const struct config_node *user = NULL, *at = NULL;
	const char *name = NULL, *cluster_name = NULL, *user_name = NULL;
	int r = text_get(reading, reading->root, "current-context", &current, &name);

	if (r < 0)
		return r;
	if (!name) {
		config_errors_add(&reading->errors, current ? current : reading->root,
				  "current-context",
				  "missing: it names one of 'contexts' (kubectl config "
				  "use-context NAME)");
		return -EINVAL;
	}
	r = entry_find(reading, "contexts", "context", name, current, &context);
	if (r == 0)
		r = text_get(reading, context, "cluster", &at, &cluster_name);
	if (r == 0)
		r = entry_find(reading, "clusters", "cluster", cluster_name ? cluster_name : "",
			       at ? at : context, &cluster);
	if (r == 0)
		r = text_get(reading, context, "user", &at, &user_name);
	if (r == 0)
		r = read_cluster(reading, cluster);
	if (r < 0 || !user_name)
		return r;
	r = entry_find(reading, "users", "user", user_name, at, &user);
	return r == 0 ? read_user(reading, user) : r;
}

static int reading_run(struct reading *reading, const char *text, size_t size)
{
	int r = config_tree_parse(text, size, reading->name, &reading->errors, &reading->root);

	if (r < 0)
		return r;
	reading->access = calloc(1, sizeof(*reading->access));
	if (!reading->access)
		return -ENOMEM;
	if (asprintf(&reading->access->origin, "kubeconfig %s", reading->name) < 0) {
		reading->access->origin = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	return read_context(reading);
}

int kubeconfig_parse(const char *name, const char *text, size_t size, char *why, size_t why_size,
		     struct kube_access **ret)
{
	CLEANUP(reading_done) struct reading reading = { .name = name };
	int r;

	if (size > LIMIT_KUBECONFIG_BYTES) {
		(void)snprintf(why, why_size, "%s: larger than %u bytes", name,
			       LIMIT_KUBECONFIG_BYTES);
		return -EINVAL;
	}
	r = reading_run(&reading, text, size);
	if (r == 0) {
		*ret = TAKE_PTR(reading.access);
		return 0;
	}
	if (reading.errors.count > 0)
		config_error_format(&reading.errors.items[0], why, why_size);
	else
		(void)snprintf(why, why_size, "%s: out of memory", name);
	return r;
}
