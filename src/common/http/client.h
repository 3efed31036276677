/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - HTTP calls on an sd-event loop, through libcurl's multi interface. Nothing blocks
 * but the name lookup of a host that is no IP address, which libcurl does on a thread of its own.
 *
 * libcurl and what it needs (some 40 libraries, 5 MiB resident) are loaded with dlopen(3) by the
 * first client: a host without Kubernetes never pays for them.
 *
 * A body is handed on as it arrives. Callbacks of one turn of the loop get at most HTTP_SLICE_USEC
 * together: then the transfers are paused until the next turn, so that a long answer stalls nothing
 * else.
 *
 * Redirects are never followed: a bearer token must not go where the policy did not name. For the
 * same reason proxies in the environment, ~/.netrc and $SSLKEYLOGFILE are not looked at.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#define HTTP_SLICE_USEC 5000u

struct http_client;
struct http_call;

/* Whom to trust and who we are. Borrowed for http_call_start(), which copies. PEM texts. */
struct http_identity {
	const char *ca_pem;   /* the only ones to be trusted; NULL: what the system trusts */
	const char *cert_pem; /* client certificate, with key_pem; NULL: none */
	const char *key_pem;
	const char *bearer;      /* token; NULL: none */
	const char *server_name; /* that the certificate must have; NULL: the URL's host */
};

struct http_call_spec {
	const char *method;         /* "GET", "POST" */
	const char *url;            /* http:// only for addresses of the loopback, else -EINVAL */
	const char *const *headers; /* "Name: value", NULL terminated; may be NULL */
	const void *body;
	size_t body_size;                     /* copied */
	const struct http_identity *identity; /* may be NULL */
	uint64_t connect_timeout_usec;        /* until TLS is up; 0: 10 s */
	uint64_t answer_timeout_usec;         /* until the first byte of the answer; 0: 30 s */
	uint64_t idle_timeout_usec;           /* without a byte of the body; 0: 30 s */
	uint64_t total_timeout_usec;          /* 0: none (a watch) */
	uint64_t body_limit; /* bytes after decompression; over it the call ends with -EFBIG; 0:
				none */
};

struct http_result {
	int error;      /* 0: an answer with a status, whole; -ECANCELED: a callback ended it;
			   -ETIMEDOUT, -ECONNREFUSED, -EHOSTUNREACH (also a name that does not
			   resolve), -EKEYREJECTED (TLS: not trusted, wrong name, expired, or our own
			   certificate refused), -EPROTO (not HTTP, cut off in the middle: see
			   truncated), -EFBIG, -ENOMEM, -EIO */
	long status;    /* of the answer, 0 when there was none; also set with truncated */
	bool truncated; /* the body ended without its end: a connection that was closed */
	uint64_t retry_after_usec; /* from Retry-After; 0: none. At most 10 min. */
	char message[256]; /* for people: what is wrong and, where it is known, what to do */
};

struct http_handlers {
	/* Head of the answer, status and Content-Type ("" if none). A negative return ends the
	 * call. May be NULL. */
	int (*head)(void *data, long status, const char *content_type);
	/* A piece of the body, decompressed. A negative return ends the call. May be NULL. */
	int (*body)(void *data, const char *bytes, size_t size);
	/* Once, at the end, unless the call was freed before. The call is no more: the pointer
	 * that http_call_start() gave is void from here on. */
	void (*done)(void *data, const struct http_result *result);
};

/* -ENOPKG when libcurl cannot be loaded (said once in the log); -ENOMEM. */
int http_client_new(sd_event *event, const char *user_agent, struct http_client **ret);
struct http_client *http_client_free(struct http_client *client); /* frees its calls */

/* Handlers are never called from inside. 0; -EINVAL; -ENOMEM. handlers is borrowed. */
int http_call_start(struct http_client *client, const struct http_call_spec *spec,
		    const struct http_handlers *handlers, void *data, struct http_call **ret);
/* End it; done() is not called, and no later call takes its connection. May be called from within
 * its own callbacks. NULL is fine. */
struct http_call *http_call_free(struct http_call *call);

/* Loop time that callbacks and libcurl took in the longest turn so far, for tests and metrics. */
uint64_t http_client_longest_usec(const struct http_client *client);
