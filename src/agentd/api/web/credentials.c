/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/credentials.h"

#include <gnutls/x509.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"

struct pem {
	char *text;
	size_t length;
};

/* It may be a key. */
static void pem_done(struct pem *pem)
{
	if (pem->text)
		gnutls_memset(pem->text, 0, pem->length);
	free(pem->text);
}

struct web_credentials *web_credentials_ref(struct web_credentials *credentials)
{
	credentials->references++;
	return credentials;
}

struct web_credentials *web_credentials_unref(struct web_credentials *credentials)
{
	if (!credentials || --credentials->references > 0)
		return NULL;
	if (credentials->x509)
		gnutls_certificate_free_credentials(credentials->x509);
	free(credentials);
	return NULL;
}
DEFINE_CLEANUP(struct web_credentials *, web_credentials_unref);

static int pem_read(const char *path, struct pem *pem, char *why, size_t size)
{
	int r = web_file_read(path, &pem->text, &pem->length);

	if (r == -EFBIG)
		(void)snprintf(why, size, "'%s' is larger than %u bytes", path,
			       LIMIT_WEB_FILE_BYTES);
	else if (r == -ENOTSUP)
		(void)snprintf(why, size, "'%s' is no regular file", path);
	else if (r < 0)
		(void)snprintf(why, size, "cannot read '%s': %s", path, strerror(-r));
	return r;
}

static gnutls_datum_t datum(const struct pem *pem)
{
	return (gnutls_datum_t){ .data = (unsigned char *)pem->text,
				 .size = (unsigned int)pem->length };
}

static time_t expiry_of(gnutls_certificate_credentials_t x509)
{
	gnutls_x509_crt_t certificate;
	gnutls_datum_t der = { 0 };
	time_t expires = (time_t)-1;

	if (gnutls_certificate_get_crt_raw(x509, 0, 0, &der) < 0 ||
	    gnutls_x509_crt_init(&certificate) < 0)
		return (time_t)-1;
	if (gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER) >= 0)
		expires = gnutls_x509_crt_get_expiration_time(certificate);
	gnutls_x509_crt_deinit(certificate);
	return expires;
}

static int pair_load(const struct web_config *config, struct web_credentials *credentials,
		     const char **ret_key, char *why, size_t size)
{
	CLEANUP(pem_done) struct pem certificate = { 0 };
	CLEANUP(pem_done) struct pem key = { 0 };
	gnutls_datum_t certificate_datum, key_datum;
	int r;

	*ret_key = "cert_file";
	r = pem_read(config->cert_file, &certificate, why, size);
	if (r < 0)
		return r;
	*ret_key = "key_file";
	r = pem_read(config->key_file, &key, why, size);
	if (r < 0)
		return r;
	certificate_datum = datum(&certificate);
	key_datum = datum(&key);
	r = gnutls_certificate_set_x509_key_mem2(credentials->x509, &certificate_datum, &key_datum,
						 GNUTLS_X509_FMT_PEM, NULL, 0);
	if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
		(void)snprintf(why, size, "'%s' is not the key of the certificate in '%s'",
			       config->key_file, config->cert_file);
	else if (r < 0)
		(void)snprintf(why, size, "'%s' and '%s' are no certificate and key in PEM: %s",
			       config->cert_file, config->key_file, gnutls_strerror(r));
	if (r < 0)
		return -EINVAL;
	credentials->expires = expiry_of(credentials->x509);
	return 0;
}

static int authorities_load(const struct web_config *config, struct web_credentials *credentials,
			    char *why, size_t size)
{
	CLEANUP(pem_done) struct pem authorities = { 0 };
	gnutls_datum_t authorities_datum;
	int r = pem_read(config->client_ca_file, &authorities, why, size);

	if (r < 0)
		return r;
	authorities_datum = datum(&authorities);
	r = gnutls_certificate_set_x509_trust_mem(credentials->x509, &authorities_datum,
						  GNUTLS_X509_FMT_PEM);
	if (r > 0)
		return 0;
	(void)snprintf(why, size, "'%s' holds no certificate in PEM%s%s", config->client_ca_file,
		       r < 0 ? ": " : "", r < 0 ? gnutls_strerror(r) : "");
	return -EINVAL;
}

int web_credentials_load(const struct web_config *config, const char **ret_key, char *why,
			 size_t size, struct web_credentials **ret)
{
	CLEANUP(web_credentials_unrefp)
	struct web_credentials *credentials = calloc(1, sizeof(*credentials));
	int r;

	if (!credentials)
		return -ENOMEM;
	credentials->references = 1;
	if (gnutls_certificate_allocate_credentials(&credentials->x509) < 0)
		return -ENOMEM;
	r = pair_load(config, credentials, ret_key, why, size);
	if (r == 0 && config->client_ca_file[0]) {
		*ret_key = "client_ca_file";
		r = authorities_load(config, credentials, why, size);
	}
	if (r < 0)
		return r == -ENOMEM ? r : -EINVAL;
	*ret = TAKE_PTR(credentials);
	return 0;
}

int web_credentials_require(const struct web_config *config, struct config_errors *errors,
			    struct web_credentials **ret)
{
	const char *key = "cert_file";
	char name[64], why[256] = "";
	int r = web_credentials_load(config, &key, why, sizeof(why), ret);

	if (r != -EINVAL)
		return r;
	(void)snprintf(name, sizeof(name), "tls_server_config.%s", key);
	config_errors_add(errors, web_config_tls_node(config, key), name, "%s", why);
	return r;
}
