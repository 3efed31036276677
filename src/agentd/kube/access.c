/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/access.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "file.h"
#include "http/url.h"
#include "kube/access-internal.h"
#include "limit.h"
#include "macro.h"

__attribute__((format(printf, 3, 4))) static void explain(char *why, size_t why_size,
							  const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(why, why_size, format, arguments);
	va_end(arguments);
}

/* An expression, so that an analyzer sees which error it is. */
#define FAIL(error, ...) (explain(why, why_size, __VA_ARGS__), (error))

static bool is_set(const char *text)
{
	return text && *text;
}

static int replace(char **slot, const char *text)
{
	char *copy = strdup(text);

	if (!copy)
		return -ENOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

static void drop(char **slot)
{
	free(*slot);
	*slot = NULL;
}

struct kube_access *kube_access_free(struct kube_access *access)
{
	if (!access)
		return NULL;
	free(access->server);
	free(access->origin);
	free(access->ca_pem);
	free(access->ca_file);
	free(access->cert_pem);
	free(access->cert_file);
	free(access->key_pem);
	free(access->key_file);
	free(access->token);
	free(access->token_file);
	free(access->server_name);
	free(access->read_ca);
	free(access->read_cert);
	free(access->read_key);
	free(access->read_token);
	free(access);
	return NULL;
}

const char *kube_server_problem(const char *server)
{
	struct http_url url;

	if (http_url_parse(server, &url) < 0 || strchr(url.rest, '?'))
		return "expected https://HOST:PORT";
	if (!url.is_tls && !http_url_is_loopback(&url))
		return "http:// is only for addresses of this host: use https://";
	return NULL;
}

bool kube_pem_holds(const char *pem, const char *what)
{
	const char *line = strstr(pem, "-----BEGIN ");

	for (; line; line = strstr(line + 1, "-----BEGIN ")) {
		const char *end = strpbrk(line, "\r\n"), *found = strstr(line, what);

		if (end && found && found < end)
			return true;
	}
	return false;
}

const char *kube_token_problem(const char *token)
{
	if (!*token)
		return "is empty";
	for (; *token; token++)
		if ((unsigned char)*token <= ' ' || (unsigned char)*token >= 0x7f)
			return "is no token: it holds blanks, control or other characters";
	return NULL;
}

/* A pod has these two, unless somebody said that it shall not. */
static bool account_is_there(const char *account_dir)
{
	cleanup_free char *path = NULL;

	if (!is_set(getenv("KUBERNETES_SERVICE_HOST")))
		return false;
	if (asprintf(&path, "%s/token", account_dir) < 0) {
		path = NULL; /* undefined after a failure */
		return false;
	}
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

bool kube_access_is_given_at(const struct kube_access_options *options, const char *account_dir)
{
	return is_set(options->kubeconfig) || is_set(options->server) ||
	       is_set(options->token_file) || account_is_there(account_dir);
}

bool kube_access_is_given(const struct kube_access_options *options)
{
	return kube_access_is_given_at(options, KUBE_ACCOUNT_DIR);
}

/* The file's text, at most LIMIT_KUBECONFIG_BYTES. */
static int read_limited(const char *path, const char *what, char *why, size_t why_size, char **ret)
{
	cleanup_free char *text = NULL;
	size_t length = 0;
	int r = file_read_all(AT_FDCWD, path, &text, &length);

	if (r == -EFBIG || (r >= 0 && length > LIMIT_KUBECONFIG_BYTES))
		return FAIL(-EFBIG, "%s '%s' is larger than %u bytes", what, path,
			    LIMIT_KUBECONFIG_BYTES);
	if (r < 0)
		return FAIL(r, "cannot read %s '%s': %s", what, path, strerrordesc_np(-r));
	if (strlen(text) != length)
		return FAIL(-EINVAL, "%s '%s' is no text: it holds a NUL", what, path);
	*ret = TAKE_PTR(text);
	return 0;
}

static int from_kubeconfig(const char *path, char *why, size_t why_size, struct kube_access **ret)
{
	cleanup_free char *text = NULL;
	int r = read_limited(path, "the kubeconfig", why, why_size, &text);

	if (r < 0)
		return r;
	return kubeconfig_parse(path, text, strlen(text), why, why_size, ret);
}

static int account_server(struct kube_access *access, char *why, size_t why_size)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"), *problem;
	const char *port = getenv("KUBERNETES_SERVICE_PORT");
	bool is_v6;

	if (!host)
		return FAIL(-ENOENT, "KUBERNETES_SERVICE_HOST is not set: this is no pod");
	is_v6 = strchr(host, ':') && host[0] != '[';
	if (asprintf(&access->server, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "",
		     is_set(port) ? port : "443") < 0) {
		access->server = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	problem = kube_server_problem(access->server);
	if (problem)
		return FAIL(-EINVAL,
			    "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT make '%s': %s",
			    access->server, problem);
	return 0;
}

static int from_account(const char *account_dir, char *why, size_t why_size,
			struct kube_access **ret)
{
	cleanup_kube_access struct kube_access *access = calloc(1, sizeof(*access));
	int r;

	if (!access)
		return -ENOMEM;
	r = account_server(access, why, why_size);
	if (r < 0)
		return r;
	if (asprintf(&access->token_file, "%s/token", account_dir) < 0) {
		access->token_file = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	if (asprintf(&access->ca_file, "%s/ca.crt", account_dir) < 0) {
		access->ca_file = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	r = replace(&access->origin, "the service account of this pod");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(access);
	return 0;
}

static int from_policy(const struct kube_access_options *options, char *why, size_t why_size,
		       struct kube_access **ret)
{
	cleanup_kube_access struct kube_access *access = NULL;
	int r;

	if (!is_set(options->server))
		return FAIL(-ENOENT,
			    "nothing says where Kubernetes is: set sources.kubernetes.kubeconfig, "
			    "or server and token_file beside it, or run as a pod");
	access = calloc(1, sizeof(*access));
	if (!access)
		return -ENOMEM;
	r = replace(&access->server, options->server);
	if (r == 0)
		r = replace(&access->origin, "the policy");
	if (r < 0)
		return r;
	*ret = TAKE_PTR(access);
	return 0;
}

/* What the policy says counts before what was found. */
static int override(struct kube_access *access, const struct kube_access_options *options,
		    char *why, size_t why_size)
{
	const char *problem;
	size_t length;
	int r = 0;

	if (is_set(options->server)) {
		r = replace(&access->server, options->server);
		/* As kubectl has it: the name was that of the other server. */
		drop(&access->server_name);
	}
	if (r == 0 && is_set(options->token_file)) {
		r = replace(&access->token_file, options->token_file);
		drop(&access->token);
		/* An apiserver looks at a certificate first. */
		drop(&access->cert_pem);
		drop(&access->cert_file);
		drop(&access->key_pem);
		drop(&access->key_file);
	}
	if (r == 0 && is_set(options->ca_file)) {
		r = replace(&access->ca_file, options->ca_file);
		drop(&access->ca_pem);
	}
	if (r < 0)
		return r;
	problem = kube_server_problem(access->server);
	if (problem)
		return FAIL(-EINVAL, "sources.kubernetes.server '%s': %s", access->server, problem);
	length = strlen(access->server);
	while (length > 0 && access->server[length - 1] == '/')
		access->server[--length] = '\0';
	return 0;
}

int kube_access_new_at(const struct kube_access_options *options, const char *account_dir,
		       char *why, size_t why_size, struct kube_access **ret)
{
	cleanup_kube_access struct kube_access *access = NULL;
	int r;

	explain(why, why_size, "out of memory");
	if (is_set(options->kubeconfig))
		r = from_kubeconfig(options->kubeconfig, why, why_size, &access);
	else if (account_is_there(account_dir))
		r = from_account(account_dir, why, why_size, &access);
	else
		r = from_policy(options, why, why_size, &access);
	if (r < 0)
		return r;
	r = override(access, options, why, why_size);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(access);
	return 0;
}

int kube_access_new(const struct kube_access_options *options, char *why, size_t why_size,
		    struct kube_access **ret)
{
	return kube_access_new_at(options, KUBE_ACCOUNT_DIR, why, why_size, ret);
}

/* The file's text into *slot. */
static int pem_read(const char *path, const char *what, const char *kind, char **slot, char *why,
		    size_t why_size)
{
	char *text = NULL;
	int r = read_limited(path, what, why, why_size, &text);

	if (r < 0 || !text)
		return r;
	free(*slot);
	*slot = text;
	if (kube_pem_holds(text, kind))
		return 0;
	return FAIL(-EINVAL, "%s '%s' holds no PEM %s", what, path,
		    strcmp(kind, "CERTIFICATE") == 0 ? "certificate" : "private key");
}

/* What was written in the kubeconfig, or the file's text; NULL in *ret if neither. */
static int identity_pem(const char *pem, const char *path, const char *what, const char *kind,
			char **slot, char *why, size_t why_size, const char **ret)
{
	int r;

	*ret = pem;
	if (pem || !path)
		return 0;
	r = pem_read(path, what, kind, slot, why, why_size);
	*ret = r < 0 ? NULL : *slot;
	return r;
}

static int token_read(struct kube_access *access, char *why, size_t why_size)
{
	const char *problem;
	char *text = NULL;
	size_t length;
	int r = read_limited(access->token_file, "the token file", why, why_size, &text);

	if (r < 0 || !text)
		return r;
	free(access->read_token);
	access->read_token = text;
	length = strlen(text);
	while (length > 0 && strchr(" \t\r\n", text[length - 1]))
		text[--length] = '\0';
	problem = kube_token_problem(text);
	if (!problem)
		return 0;
	return FAIL(-EINVAL, "the token file '%s' %s", access->token_file, problem);
}

static int identity_token(struct kube_access *access, char *why, size_t why_size, const char **ret)
{
	int r;

	*ret = access->token;
	/* As client-go has it: the file counts before the text. */
	if (!access->token_file)
		return 0;
	r = token_read(access, why, why_size);
	*ret = r < 0 ? NULL : access->read_token;
	return r;
}

int kube_access_identity(struct kube_access *access, char *why, size_t why_size,
			 struct http_identity *ret)
{
	struct http_identity identity = { .server_name = access->server_name };
	int r;

	explain(why, why_size, "out of memory");
	r = identity_pem(access->ca_pem, access->ca_file, "the certificate authority",
			 "CERTIFICATE", &access->read_ca, why, why_size, &identity.ca_pem);
	if (r == 0)
		r = identity_pem(access->cert_pem, access->cert_file, "the client certificate",
				 "CERTIFICATE", &access->read_cert, why, why_size,
				 &identity.cert_pem);
	if (r == 0)
		r = identity_pem(access->key_pem, access->key_file, "the client key", "PRIVATE KEY",
				 &access->read_key, why, why_size, &identity.key_pem);
	if (r == 0)
		r = identity_token(access, why, why_size, &identity.bearer);
	if (r < 0)
		return r;
	*ret = identity;
	return 0;
}
