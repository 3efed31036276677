/* SPDX-License-Identifier: Apache-2.0 */
/* call.c - one transfer: its options, its bytes, its time limits. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "http/internal.h"
#include "http/url.h"
#include "monotonic.h"

#define CONNECT_DEFAULT_USEC (10 * USEC_PER_SEC)
#define TIMEOUT_DEFAULT_USEC (30 * USEC_PER_SEC)
#define KEEPALIVE_IDLE_SEC   30L
#define KEEPALIVE_PROBE_SEC  15L
/* libcurl's buffer for each connection; a TLS record is 16 KiB at most. */
#define BUFFER_BYTES (16L * 1024)

/* The first option that fails is what counts; libcurl knows no other reason than memory, once the
 * version was checked. */
#define SET(option, value)                                                                  \
	do {                                                                                \
		if (lib->easy_setopt(call->easy, (option), (value)) == CURLE_OUT_OF_MEMORY) \
			return -ENOMEM;                                                     \
	} while (0)

static bool text_is_clean(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return false;
	return true;
}

static int slist_add(const struct http_lib *lib, struct curl_slist **list, const char *text)
{
	struct curl_slist *longer;

	if (!text_is_clean(text))
		return -EINVAL;
	longer = lib->slist_append(*list, text);
	if (!longer)
		return -ENOMEM;
	*list = longer;
	return 0;
}

__attribute__((format(printf, 3, 4))) static int
slist_addf(const struct http_lib *lib, struct curl_slist **list, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL; /* undefined after a failure */
	va_end(arguments);
	if (!text)
		return -ENOMEM;
	return slist_add(lib, list, text);
}

static size_t on_line(char *line, size_t one, size_t size, void *data)
{
	struct http_call *call = data;
	const struct http_lib *lib = call->client->lib;
	const char *type = NULL;
	long status = 0;
	int r = 0;

	(void)one;
	if (call->is_finished)
		return 0;
	if (!call->has_line)
		call->last_byte_usec = monotonic_usec();
	call->has_line = true;
	/* The empty line ends the head; after it come only trailers. */
	if (call->has_head || (size > 0 && line[0] != '\r' && line[0] != '\n'))
		return size;
	(void)lib->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200) /* 100 Continue: the real one follows */
		return size;
	call->has_head = true;
	(void)lib->easy_getinfo(call->easy, CURLINFO_CONTENT_TYPE, &type);
	if (call->handlers->head)
		r = call->handlers->head(call->data, status, type ? type : "");
	if (call->is_finished)
		return 0;
	if (r < 0)
		call->error = -ECANCELED;
	return r < 0 ? 0 : size;
}

static size_t on_piece(char *bytes, size_t one, size_t size, void *data)
{
	struct http_call *call = data;
	struct http_client *client = call->client;
	size_t refused = size ? 0 : 1; /* any count that is not size ends the transfer */
	int r = 0;

	(void)one;
	if (call->is_finished || call->error)
		return refused;
	if (http_slice_is_used(client)) {
		if (!call->is_paused)
			list_append(&client->paused, &call->paused);
		call->is_paused = true;
		http_client_resume_later(client);
		return CURL_WRITEFUNC_PAUSE;
	}
	call->last_byte_usec = monotonic_usec();
	call->body_size += size;
	if (call->body_limit && call->body_size > call->body_limit) {
		call->error = -EFBIG;
		return refused;
	}
	if (call->handlers->body && size > 0)
		r = call->handlers->body(call->data, bytes, size);
	if (call->is_finished)
		return refused;
	if (r < 0)
		call->error = -ECANCELED;
	return r < 0 ? refused : size;
}

static bool time_is_set(const struct http_call *call, CURLINFO info, uint64_t *ret)
{
	curl_off_t usec = 0;

	(void)call->client->lib->easy_getinfo(call->easy, info, &usec);
	*ret = (uint64_t)usec;
	return usec > 0;
}

uint64_t http_call_due(struct http_call *call, uint64_t now)
{
	uint64_t sent = 0, due;

	if (call->is_finished)
		return UINT64_MAX;
	if (call->has_line)
		due = call->last_byte_usec + call->idle_usec;
	else if (time_is_set(call, CURLINFO_PRETRANSFER_TIME_T, &sent))
		due = call->start_usec + sent + call->answer_usec;
	else
		due = now + call->answer_usec; /* connects: libcurl keeps that time limit */
	return MIN(due, call->due_total_usec);
}

int http_call_is_late(struct http_call *call, uint64_t now)
{
	/* What waits for its turn here is not the server's fault. */
	if (call->is_paused)
		call->last_byte_usec = now;
	return http_call_due(call, now) <= now ? -ETIMEDOUT : 0;
}

/* libcurl takes the name that a certificate must have from the URL, and CONNECT_TO for where that
 * is. The Host header stays what it was. */
static int call_set_url(struct http_call *call, const char *text, const struct http_url *url,
			const char *server_name)
{
	const struct http_lib *lib = call->client->lib;
	const char *open = url->is_v6 ? "[" : "", *close = url->is_v6 ? "]" : "";
	int host_length = (int)url->host_length, r;
	cleanup_free char *other = NULL;
	bool name_is_v6;

	if (!server_name || !url->is_tls) {
		SET(CURLOPT_URL, text);
		return 0;
	}
	if (!*server_name || strspn(server_name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUV"
						 "WXYZ0123456789.-_:") != strlen(server_name))
		return -EINVAL;
	name_is_v6 = strchr(server_name, ':') != NULL;
	if (asprintf(&other, "https://%s%s%s:%u%s", name_is_v6 ? "[" : "", server_name,
		     name_is_v6 ? "]" : "", url->port, url->rest) < 0) {
		other = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	r = slist_addf(lib, &call->connect_to, "::%s%.*s%s:%u", open, host_length, url->host, close,
		       url->port);
	if (r == 0)
		r = slist_addf(lib, &call->headers, "Host: %s%.*s%s:%u", open, host_length,
			       url->host, close, url->port);
	if (r < 0)
		return r;
	SET(CURLOPT_URL, other);
	SET(CURLOPT_CONNECT_TO, call->connect_to);
	return 0;
}

static int call_set_blob(struct http_call *call, CURLoption option, const char *pem)
{
	struct curl_blob blob = { .flags = CURL_BLOB_COPY };
	CURLcode code;

	if (!pem)
		return 0;
	/* Copied by the flag, and not written to. */
	memcpy(&blob.data, &pem, sizeof(pem));
	blob.len = strlen(pem);
	code = call->client->lib->easy_setopt(call->easy, option, &blob);
	/* A TLS library that cannot must not go on without. */
	return code == CURLE_OK ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

static int call_set_identity(struct http_call *call, const struct http_identity *identity)
{
	const struct http_lib *lib = call->client->lib;
	int r;

	SET(CURLOPT_SSL_VERIFYPEER, 1L);
	SET(CURLOPT_SSL_VERIFYHOST, 2L);
	SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* A store of the system's certificates kept for a day would be 1 MiB for nothing. */
	SET(CURLOPT_CA_CACHE_TIMEOUT, 0L);
#endif
	if (!identity)
		return 0;
	call->has_ca = identity->ca_pem != NULL;
	r = call_set_blob(call, CURLOPT_CAINFO_BLOB, identity->ca_pem);
	/* The directory that libcurl was built with (Debian) has every public authority. */
	if (identity->ca_pem)
		SET(CURLOPT_CAPATH, NULL);
	if (r == 0)
		r = call_set_blob(call, CURLOPT_SSLCERT_BLOB, identity->cert_pem);
	if (r == 0)
		r = call_set_blob(call, CURLOPT_SSLKEY_BLOB, identity->key_pem);
	if (r == 0 && identity->bearer)
		r = slist_addf(lib, &call->headers, "Authorization: Bearer %s", identity->bearer);
	return r;
}

static int call_set_request(struct http_call *call, const struct http_call_spec *spec)
{
	const struct http_lib *lib = call->client->lib;
	int r = 0;

	for (size_t i = 0; spec->headers && spec->headers[i] && r == 0; i++)
		r = slist_add(lib, &call->headers, spec->headers[i]);
	if (r < 0)
		return r;
	if (spec->body || strcmp(spec->method, "POST") == 0) {
		SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)spec->body_size);
		SET(CURLOPT_COPYPOSTFIELDS, spec->body ? spec->body : "");
		/* Else a body over 1 MiB waits a second for "100 Continue". */
		r = slist_add(lib, &call->headers, "Expect:");
	}
	if (strcmp(spec->method, "GET") != 0)
		SET(CURLOPT_CUSTOMREQUEST, spec->method);
	return r;
}

static int call_set_transport(struct http_call *call)
{
	const struct http_lib *lib = call->client->lib;

	SET(CURLOPT_NOSIGNAL, 1L);
	SET(CURLOPT_PROXY, ""); /* not what the environment says */
	SET(CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	SET(CURLOPT_PROTOCOLS_STR, "http,https");
#endif
	SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	SET(CURLOPT_PIPEWAIT, 1L);
	SET(CURLOPT_ACCEPT_ENCODING, "gzip");
	SET(CURLOPT_TCP_KEEPALIVE, 1L);
	SET(CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_SEC);
	SET(CURLOPT_TCP_KEEPINTVL, KEEPALIVE_PROBE_SEC);
	SET(CURLOPT_BUFFERSIZE, BUFFER_BYTES);
	SET(CURLOPT_SSL_SESSIONID_CACHE, 0L);
	SET(CURLOPT_CONNECTTIMEOUT_MS, (long)((call->connect_usec + 999) / USEC_PER_MSEC));
	SET(CURLOPT_USERAGENT, call->client->user_agent);
	SET(CURLOPT_ERRORBUFFER, call->curl_text);
	SET(CURLOPT_HEADERFUNCTION, on_line);
	SET(CURLOPT_HEADERDATA, call);
	SET(CURLOPT_WRITEFUNCTION, on_piece);
	SET(CURLOPT_WRITEDATA, call);
	SET(CURLOPT_PRIVATE, call);
	return 0;
}

static int call_prepare(struct http_call *call, const struct http_call_spec *spec,
			const struct http_url *url)
{
	const struct http_lib *lib = call->client->lib;
	const struct http_identity *identity = spec->identity;
	int r = asprintf(&call->origin, "%s://%s%.*s%s:%u", url->is_tls ? "https" : "http",
			 url->is_v6 ? "[" : "", (int)url->host_length, url->host,
			 url->is_v6 ? "]" : "", url->port);

	if (r < 0) {
		call->origin = NULL; /* undefined after a failure */
		return -ENOMEM;
	}
	call->easy = lib->easy_init();
	if (!call->easy)
		return -ENOMEM;
	r = call_set_transport(call);
	if (r == 0)
		r = call_set_url(call, spec->url, url, identity ? identity->server_name : NULL);
	if (r == 0)
		r = call_set_identity(call, identity);
	if (r == 0)
		r = call_set_request(call, spec);
	if (r == 0 && call->headers)
		SET(CURLOPT_HTTPHEADER, call->headers);
	return r;
}

static uint64_t or_default(uint64_t usec, uint64_t fallback)
{
	return usec ? usec : fallback;
}

int http_call_start(struct http_client *client, const struct http_call_spec *spec,
		    const struct http_handlers *handlers, void *data, struct http_call **ret)
{
	struct http_call *call;
	struct http_url url;
	int r = http_url_parse(spec->url, &url);

	if (r < 0)
		return r;
	if ((!url.is_tls && !http_url_is_loopback(&url)) || client->is_dead)
		return -EINVAL;
	call = calloc(1, sizeof(*call));
	if (!call)
		return -ENOMEM;
	call->client = client;
	call->handlers = handlers;
	call->data = data;
	call->connect_usec = or_default(spec->connect_timeout_usec, CONNECT_DEFAULT_USEC);
	call->answer_usec = or_default(spec->answer_timeout_usec, TIMEOUT_DEFAULT_USEC);
	call->idle_usec = or_default(spec->idle_timeout_usec, TIMEOUT_DEFAULT_USEC);
	call->body_limit = spec->body_limit;
	call->start_usec = monotonic_usec();
	call->due_total_usec =
		spec->total_timeout_usec ? call->start_usec + spec->total_timeout_usec : UINT64_MAX;
	list_append(&client->calls, &call->link);
	r = call_prepare(call, spec, &url);
	if (r == 0)
		r = http_client_add(client, call);
	if (r < 0) {
		http_call_destroy(call);
		return r;
	}
	*ret = call;
	return 0;
}

void http_call_finish(struct http_call *call, CURLcode code)
{
	const struct http_lib *lib = call->client->lib;
	struct http_result result = { 0 };

	if (call->is_finished)
		return;
	http_result_fill(call, code, &result);
	/* A connection that went dead would be given to the next call: HTTP/2 keeps it when only
	 * one stream is given up. */
	if (result.error == -ETIMEDOUT)
		(void)lib->easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
	(void)lib->multi_remove_handle(call->client->multi, call->easy);
	call->is_finished = true;
	call->handlers->done(call->data, &result);
}

void http_call_destroy(struct http_call *call)
{
	const struct http_lib *lib = call->client->lib;

	list_unlink(&call->link);
	list_unlink(&call->paused);
	if (call->easy) {
		/* As above: what is given up is often dead. */
		(void)lib->easy_setopt(call->easy, CURLOPT_FORBID_REUSE, 1L);
		(void)lib->multi_remove_handle(call->client->multi, call->easy);
		lib->easy_cleanup(call->easy);
	}
	lib->slist_free_all(call->headers);
	lib->slist_free_all(call->connect_to);
	free(call->origin);
	free(call);
}

struct http_call *http_call_free(struct http_call *call)
{
	if (!call)
		return NULL;
	if (call->client->depth > 0)
		call->is_finished = true; /* http_client_leave() frees it */
	else
		http_call_destroy(call);
	return NULL;
}
