/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/tls.h"

#include <gnutls/x509.h>
#include <string.h>

#include "api/web/client.h"
#include "cleanup.h"
#include "log.h"
#include "macro.h"

struct web_tls {
	const struct web_config *config;
	gnutls_priority_t priority;
	struct web_credentials *credentials;
	struct web_marks marks;
	bool expiry_told;
	char problem[256]; /* with what is on disk; "": that is in force */
	char told[256];    /* the last one that was logged */
};

static bool files_may_differ(struct web_tls *tls)
{
	const struct web_config *config = tls->config;
	const char *const paths[] = { config->cert_file, config->key_file, config->client_ca_file };

	return web_marks_look(&tls->marks, paths);
}

static void expiry_check(struct web_tls *tls)
{
	time_t expires = tls->credentials->expires;

	if (expires == (time_t)-1 || expires > time(NULL)) {
		tls->expiry_told = false;
		return;
	}
	if (!tls->expiry_told)
		log_warning("the certificate in '%s' has expired: clients that check it cannot "
			    "read /metrics; put a new one in its place",
			    tls->config->cert_file);
	tls->expiry_told = true;
}

static void files_take(struct web_tls *tls)
{
	struct web_credentials *fresh = NULL;
	const char *key = "cert_file";
	char why[sizeof(tls->problem)] = "";
	int r = web_credentials_load(tls->config, &key, why, sizeof(why), &fresh);

	if (r == 0) {
		(void)web_credentials_unref(tls->credentials);
		tls->credentials = fresh;
		tls->problem[0] = '\0';
		if (tls->told[0])
			log_notice("the certificate in '%s' is in force", tls->config->cert_file);
		tls->told[0] = '\0';
		return;
	}
	(void)snprintf(tls->problem, sizeof(tls->problem), "%s", why[0] ? why : strerror(-r));
	if (strcmp(tls->problem, tls->told) == 0)
		return;
	(void)snprintf(tls->told, sizeof(tls->told), "%s", tls->problem);
	log_error("the new files of tls_server_config cannot be used: %s; the ones before stay in "
		  "force",
		  tls->problem);
}

/* One stat(2) a file; more only if one has changed. */
static void files_look(struct web_tls *tls)
{
	/* Before they are read: what is written meanwhile is seen the next time. */
	if (files_may_differ(tls))
		files_take(tls);
	expiry_check(tls);
}

struct web_tls *web_tls_free(struct web_tls *tls)
{
	if (!tls)
		return NULL;
	(void)web_credentials_unref(tls->credentials);
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	free(tls);
	return NULL;
}
DEFINE_CLEANUP(struct web_tls *, web_tls_free);

int web_tls_new(const struct web_config *config, struct config_errors *errors, struct web_tls **ret)
{
	CLEANUP(web_tls_freep) struct web_tls *tls = calloc(1, sizeof(*tls));
	int r;

	if (!tls)
		return -ENOMEM;
	tls->config = config;
	(void)files_may_differ(tls);
	r = web_credentials_require(config, errors, &tls->credentials);
	if (r < 0)
		return r;
	/* It was tried when the file was read: only memory can be short. */
	if (gnutls_priority_init(&tls->priority, config->priority, NULL) < 0)
		return -ENOMEM;
	*ret = TAKE_PTR(tls);
	return 0;
}

static int client_verify(gnutls_session_t session)
{
	const struct web_tls *tls = gnutls_session_get_ptr(session);

	return web_client_verify(tls->config, session);
}

int web_tls_begin(struct web_tls *tls, gnutls_session_t session,
		  struct web_credentials **ret_credentials)
{
	static const gnutls_certificate_request_t requests[] = {
		[WEB_NO_CLIENT_CERT] = GNUTLS_CERT_IGNORE,
		[WEB_REQUEST_CLIENT_CERT] = GNUTLS_CERT_REQUEST,
		[WEB_REQUIRE_ANY_CLIENT_CERT] = GNUTLS_CERT_REQUIRE,
		[WEB_REQUIRE_CLIENT_CERT] = GNUTLS_CERT_REQUIRE,
		[WEB_VERIFY_IF_GIVEN] = GNUTLS_CERT_REQUEST,
		[WEB_REQUIRE_AND_VERIFY] = GNUTLS_CERT_REQUIRE,
	};
	int r;

	files_look(tls);
	r = gnutls_priority_set(session, tls->priority);
	if (r >= 0)
		r = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials->x509);
	if (r < 0)
		return r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EINVAL;
	gnutls_session_set_ptr(session, tls);
	gnutls_certificate_server_set_request(session, requests[tls->config->client_auth]);
	gnutls_session_set_verify_function(session, client_verify);
	*ret_credentials = web_credentials_ref(tls->credentials);
	return 0;
}

time_t web_tls_expires(const struct web_tls *tls)
{
	return tls->credentials->expires;
}

const char *web_tls_problem(struct web_tls *tls)
{
	files_look(tls);
	if (tls->problem[0])
		return tls->problem;
	return tls->expiry_told ? "the certificate has expired" : NULL;
}
