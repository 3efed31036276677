/* SPDX-License-Identifier: Apache-2.0 */
/* result.c - what came of a call, as an errno and in words for people. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "http/internal.h"
#include "monotonic.h"

#define RETRY_AFTER_MAX_USEC (600 * USEC_PER_SEC)

/* OpenSSL's x509_vfy.h, whose headers are not needed to build. */
enum {
	VERIFY_NOT_YET_VALID = 9,
	VERIFY_EXPIRED = 10,
	VERIFY_SELF_SIGNED = 18,
	VERIFY_SELF_SIGNED_CHAIN = 19,
	VERIFY_NO_ISSUER = 20,
	VERIFY_NO_LEAF_SIGNATURE = 21,
};

__attribute__((format(printf, 3, 4))) static void result_set(struct http_result *result, int error,
							     const char *format, ...)
{
	va_list arguments;

	result->error = error;
	va_start(arguments, format);
	(void)vsnprintf(result->message, sizeof(result->message), format, arguments);
	va_end(arguments);
}

static const char *curl_says(const struct http_call *call, CURLcode code)
{
	return call->curl_text[0] ? call->curl_text : call->client->lib->easy_strerror(code);
}

static bool says(const struct http_call *call, const char *words)
{
	return strcasestr(call->curl_text, words) != NULL;
}

static void refused_fill(const struct http_call *call, CURLcode code, struct http_result *result)
{
	long error = 0;

	(void)call->client->lib->easy_getinfo(call->easy, CURLINFO_OS_ERRNO, &error);
	switch (error) {
	case 0:
		result_set(result, -ECONNREFUSED, "cannot connect to %s: %s", call->origin,
			   curl_says(call, code));
		return;
	case ECONNREFUSED:
		result_set(result, -ECONNREFUSED,
			   "cannot connect to %s: connection refused: is the server running there?",
			   call->origin);
		return;
	case EHOSTUNREACH:
	case ENETUNREACH:
		result_set(result, -EHOSTUNREACH, "cannot connect to %s: %s", call->origin,
			   strerrordesc_np((int)error));
		return;
	case ETIMEDOUT:
		result_set(result, -ETIMEDOUT, "cannot connect to %s: no answer to a connection",
			   call->origin);
		return;
	default:
		result_set(result, -ECONNREFUSED, "cannot connect to %s: %s", call->origin,
			   strerrordesc_np((int)error));
	}
}

static void verify_fill(const struct http_call *call, CURLcode code, struct http_result *result)
{
	const char *words;
	long verify = 0;

	(void)call->client->lib->easy_getinfo(call->easy, CURLINFO_SSL_VERIFYRESULT, &verify);
	switch (verify) {
	case VERIFY_NOT_YET_VALID:
		words = "is not valid yet: is this host's clock right?";
		break;
	case VERIFY_EXPIRED:
		words = "has expired: renew it there, or set this host's clock right";
		break;
	case VERIFY_SELF_SIGNED:
	case VERIFY_SELF_SIGNED_CHAIN:
	case VERIFY_NO_ISSUER:
	case VERIFY_NO_LEAF_SIGNATURE:
		words = "is not trusted: it is not signed by the certificate authority that is "
			"given";
		break;
	default:
		/* The name is looked at before the chain's result is kept. libcurl speaks of a
		 * "target host name", or from 8.0 on of a "target ipv4 address". */
		words = says(call, "subject name") || says(call, "host name") ||
					says(call, "hostname")
				? "is for another name"
				: "is not trusted";
	}
	result_set(result, -EKEYREJECTED, "the certificate of %s %s (%.100s)", call->origin, words,
		   curl_says(call, code));
}

static bool alert_is_about_us(const struct http_call *call)
{
	return says(call, "alert") && (says(call, "certificate") || says(call, "unknown ca") ||
				       says(call, "access denied"));
}

static void tls_fill(const struct http_call *call, CURLcode code, struct http_result *result)
{
	if (says(call, "wrong version number") || says(call, "packet length too long"))
		result_set(result, -EPROTO, "%s does not speak TLS: is it a plain http:// server?",
			   call->origin);
	else if (alert_is_about_us(call))
		result_set(result, -EKEYREJECTED, "%s refuses our client certificate: %.120s",
			   call->origin, curl_says(call, code));
	else if (says(call, "SSL_ERROR_SYSCALL") || says(call, "unexpected eof"))
		result_set(result, -EPROTO,
			   "no TLS connection with %s: it hangs up: is it an https:// server?",
			   call->origin);
	else
		result_set(result, -EPROTO, "no TLS connection with %s: %.120s", call->origin,
			   curl_says(call, code));
}

/* The end of a connection, before or within the answer. */
static void cut_fill(const struct http_call *call, CURLcode code, struct http_result *result)
{
	/* With TLS 1.3 a server looks at the client's certificate after the client is done. */
	if (!call->has_line && alert_is_about_us(call)) {
		tls_fill(call, code, result);
		return;
	}
	result->truncated = call->has_head;
	if (call->has_head)
		result_set(result, -EPROTO, "%s closed the connection in the middle of its answer",
			   call->origin);
	else
		result_set(result, -EPROTO, "%s closed the connection without an answer (%.120s)",
			   call->origin, curl_says(call, code));
}

static void late_fill(const struct http_call *call, struct http_result *result)
{
	uint64_t now = monotonic_usec();
	curl_off_t sent = 0;
	const char *what;
	uint64_t limit;

	(void)call->client->lib->easy_getinfo(call->easy, CURLINFO_PRETRANSFER_TIME_T, &sent);
	if (now >= call->due_total_usec) {
		what = "is not done with its answer";
		limit = call->due_total_usec - call->start_usec;
	} else if (call->has_line) {
		what = "has sent nothing more";
		limit = call->idle_usec;
	} else if (sent > 0) {
		what = "does not answer: it took the request and has said nothing";
		limit = call->answer_usec;
	} else {
		what = "cannot be reached: no connection";
		limit = call->connect_usec;
	}
	result->truncated = call->has_head;
	result_set(result, -ETIMEDOUT, "%s %s within %g s", call->origin, what,
		   (double)limit / USEC_PER_SEC);
}

static void own_fill(const struct http_call *call, struct http_result *result)
{
	if (call->error == -EFBIG)
		result_set(result, -EFBIG, "the answer of %s is larger than %llu bytes",
			   call->origin, (unsigned long long)call->body_limit);
	else
		result_set(result, call->error, "the answer of %s was given up", call->origin);
}

static void error_fill(const struct http_call *call, CURLcode code, struct http_result *result)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
		result_set(result, -EHOSTUNREACH, "cannot connect to %s: its name does not resolve",
			   call->origin);
		return;
	case CURLE_COULDNT_CONNECT:
		refused_fill(call, code, result);
		return;
	case CURLE_OPERATION_TIMEDOUT:
		late_fill(call, result);
		return;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
		verify_fill(call, code, result);
		return;
	case CURLE_SSL_CACERT_BADFILE:
		if (call->has_ca)
			result_set(result, -EKEYREJECTED,
				   "the certificate authority that is given for %s is no PEM "
				   "certificate",
				   call->origin);
		else
			result_set(result, -EKEYREJECTED,
				   "no certificate authority is given for %s, and this system has "
				   "none (its package ca-certificates)",
				   call->origin);
		return;
	case CURLE_SSL_CERTPROBLEM:
		/* libcurl's words are about a "memory blob". */
		result_set(result, -EKEYREJECTED, "the client %s for %s cannot be used: it is %s",
			   says(call, "private key") ? "key" : "certificate", call->origin,
			   says(call, "private key")
				   ? "broken, encrypted, or not that of the client certificate"
				   : "broken");
		return;
	case CURLE_SSL_CONNECT_ERROR:
		tls_fill(call, code, result);
		return;
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_GOT_NOTHING:
	case CURLE_HTTP2:
	case CURLE_HTTP2_STREAM:
		cut_fill(call, code, result);
		return;
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
		result_set(result, -EPROTO, "%s does not answer with HTTP: %.100s", call->origin,
			   curl_says(call, code));
		return;
	case CURLE_OUT_OF_MEMORY:
		result_set(result, -ENOMEM, "out of memory");
		return;
	default:
		result_set(result, -EIO, "no answer from %s: %.120s", call->origin,
			   curl_says(call, code));
	}
}

void http_result_fill(struct http_call *call, CURLcode code, struct http_result *result)
{
	const struct http_lib *lib = call->client->lib;
	curl_off_t seconds = 0;

	if (call->has_head)
		(void)lib->easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &result->status);
	if (lib->easy_getinfo(call->easy, CURLINFO_RETRY_AFTER, &seconds) == CURLE_OK &&
	    seconds > 0)
		result->retry_after_usec = (uint64_t)seconds >= RETRY_AFTER_MAX_USEC / USEC_PER_SEC
						   ? RETRY_AFTER_MAX_USEC
						   : (uint64_t)seconds * USEC_PER_SEC;
	if (call->error == -ECANCELED || call->error == -EFBIG)
		own_fill(call, result);
	else if (code != CURLE_OK)
		error_fill(call, code, result);
	else if (!call->has_head)
		cut_fill(call, CURLE_GOT_NOTHING, result);
	else if (result->status >= 300 && result->status < 400)
		result_set(result, 0, "%s answers with a redirect, which is not followed",
			   call->origin);
}
