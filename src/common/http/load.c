/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load.c - libcurl with dlopen(3), once. It is never closed: OpenSSL's exit handlers would
 * point into nothing.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/internal.h"
#include "log.h"

#define LIB_NAME        "libcurl.so.4"
#define LIB_VERSION_MIN 0x074d00u /* 7.77: CURLOPT_CAINFO_BLOB; localhost is never looked up */

static int lib_resolve(void *library, struct http_lib *lib)
{
	const struct {
		const char *name;
		void *slot;
	} functions[] = {
		{ "curl_global_init", &lib->global_init },
		{ "curl_version_info", &lib->version_info },
		{ "curl_slist_append", &lib->slist_append },
		{ "curl_slist_free_all", &lib->slist_free_all },
		{ "curl_easy_init", &lib->easy_init },
		{ "curl_easy_cleanup", &lib->easy_cleanup },
		{ "curl_easy_setopt", &lib->easy_setopt },
		{ "curl_easy_getinfo", &lib->easy_getinfo },
		{ "curl_easy_pause", &lib->easy_pause },
		{ "curl_easy_strerror", &lib->easy_strerror },
		{ "curl_multi_init", &lib->multi_init },
		{ "curl_multi_cleanup", &lib->multi_cleanup },
		{ "curl_multi_setopt", &lib->multi_setopt },
		{ "curl_multi_add_handle", &lib->multi_add_handle },
		{ "curl_multi_remove_handle", &lib->multi_remove_handle },
		{ "curl_multi_assign", &lib->multi_assign },
		{ "curl_multi_socket_action", &lib->multi_socket_action },
		{ "curl_multi_info_read", &lib->multi_info_read },
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++) {
		void *symbol = dlsym(library, functions[i].name);

		if (!symbol) {
			log_error("cannot use " LIB_NAME ": it has no %s()", functions[i].name);
			return -ENOPKG;
		}
		memcpy(functions[i].slot, &symbol, sizeof(symbol));
	}
	return 0;
}

/* Debian's libcurl brings GnuTLS along for RTMP, which nobody uses here. Its constructor tests
 * itself and fills 120 KiB, unless it is told to wait until somebody calls it. */
static void *lib_dlopen(void)
{
	static const char name[] = "GNUTLS_NO_IMPLICIT_INIT";
	bool was_set = getenv(name) != NULL;
	void *library;

	if (!was_set)
		(void)setenv(name, "1", 0);
	library = dlopen(LIB_NAME, RTLD_NOW | RTLD_LOCAL);
	if (!was_set)
		(void)unsetenv(name);
	return library;
}

/* 50 KiB of words for errors of OpenSSL's inside. Those of TLS itself, which people get to read,
 * are separate and stay. */
static void lib_skip_words(void *library)
{
	/* The flag is part of OpenSSL's interface since 1.1.0; its headers are not needed to build.
	 * libcurl may use another TLS library: then there is no such function. */
	const uint64_t no_load_crypto_strings = 1;
	int (*init)(uint64_t options, const void *settings) = NULL;
	void *symbol = dlsym(library, "OPENSSL_init_crypto");

	if (!symbol)
		return;
	memcpy(&init, &symbol, sizeof(symbol));
	(void)init(no_load_crypto_strings, NULL);
}

static int lib_open(struct http_lib *lib)
{
	void *library = lib_dlopen();
	const curl_version_info_data *version;
	int r;

	if (!library) {
		log_error("cannot load libcurl, which talks to Kubernetes (install libcurl4 or "
			  "libcurl): %s",
			  dlerror());
		return -ENOPKG;
	}
	r = lib_resolve(library, lib);
	if (r < 0)
		return r;
	version = lib->version_info(CURLVERSION_NOW);
	if (version->version_num < LIB_VERSION_MIN || !(version->features & CURL_VERSION_SSL)) {
		log_error("cannot use " LIB_NAME " %s: 7.77 or newer with TLS is needed",
			  version->version);
		return -ENOPKG;
	}
	lib_skip_words(library);
	/* It would have libcurl, and OpenSSL from 3.5 on where it is built so, write the keys of
	 * each connection there: whoever reads both has the token. */
	(void)unsetenv("SSLKEYLOGFILE");
	return lib->global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? 0 : -ENOPKG;
}

int http_lib_load(const struct http_lib **ret)
{
	static struct http_lib lib;
	static int result = 1;

	if (result > 0)
		result = lib_open(&lib);
	if (result < 0)
		return result;
	*ret = &lib;
	return 0;
}
