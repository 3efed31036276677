/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/client.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <string.h>

#include "log.h"
#include "macro.h"

#define SANS_MAX   64u /* of one certificate that are looked at */
#define NAME_BYTES 512u

/* As the policy writes them: an address in its usual form, the rest as they are. */
static bool san_text(unsigned int type, const char *san, size_t size, char *text)
{
	if (type == GNUTLS_SAN_IPADDRESS)
		return (size == 4 || size == 16) &&
		       inet_ntop(size == 4 ? AF_INET : AF_INET6, san, text, NAME_BYTES);
	if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_RFC822NAME && type != GNUTLS_SAN_URI)
		return false;
	/* A NUL in a name is an old trick: what follows it must not be passed over. */
	if (size >= NAME_BYTES || memchr(san, '\0', size))
		return false;
	memcpy(text, san, size);
	text[size] = '\0';
	return true;
}

static bool san_equals(const char *allowed, const char *text, unsigned int type)
{
	char normal[NAME_BYTES];
	unsigned char address[16];

	if (type != GNUTLS_SAN_IPADDRESS)
		return strcmp(allowed, text) == 0;
	/* "::1" is written in many ways. */
	if (inet_pton(AF_INET6, allowed, address) == 1 &&
	    inet_ntop(AF_INET6, address, normal, sizeof(normal)))
		return strcmp(normal, text) == 0;
	return strcmp(allowed, text) == 0;
}

static bool sans_match(const struct web_config *config, gnutls_x509_crt_t certificate)
{
	for (unsigned int i = 0; i < SANS_MAX; i++) {
		char san[NAME_BYTES], text[NAME_BYTES];
		unsigned int type = 0;
		size_t size = sizeof(san);
		int r = gnutls_x509_crt_get_subject_alt_name2(certificate, i, san, &size, &type,
							      NULL);

		if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return false;
		if (r < 0 || !san_text(type, san, size, text))
			continue;
		for (size_t k = 0; config->client_allowed_sans[k]; k++)
			if (san_equals(config->client_allowed_sans[k], text, type))
				return true;
	}
	return false;
}

static bool san_is_allowed(const struct web_config *config, const gnutls_datum_t *der)
{
	gnutls_x509_crt_t certificate;
	bool allowed = false;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return false;
	if (gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0)
		allowed = sans_match(config, certificate);
	gnutls_x509_crt_deinit(certificate);
	return allowed;
}

int web_client_verify(const struct web_config *config, gnutls_session_t session)
{
	/* As Go: a certificate that is for servers only is none. */
	static unsigned char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st data = { .type = GNUTLS_DT_KEY_PURPOSE_OID, .data = purpose };
	unsigned int count = 0, status = 0;
	const gnutls_datum_t *peers;
	int r;

	if (config->client_auth != WEB_VERIFY_IF_GIVEN &&
	    config->client_auth != WEB_REQUIRE_AND_VERIFY)
		return 0;
	peers = gnutls_certificate_get_peers(session, &count);
	if (!peers || count == 0)
		return config->client_auth == WEB_VERIFY_IF_GIVEN ? 0
								  : GNUTLS_E_CERTIFICATE_REQUIRED;
	r = gnutls_certificate_verify_peers(session, &data, 1, &status);
	if (r < 0 || status != 0) {
		log_debug("a client of /metrics was refused: its certificate is not valid "
			  "(status 0x%x)",
			  status);
		return r < 0 ? r : GNUTLS_E_CERTIFICATE_ERROR;
	}
	if (config->client_allowed_sans[0] && !san_is_allowed(config, &peers[0])) {
		log_debug("a client of /metrics was refused: none of its names is in "
			  "client_allowed_sans");
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}
