/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config.h - metrics.web_config_file: a file in the form of the web.config.file of Prometheus'
 * exporters, which says how the TCP listener of /metrics is protected. What cannot be done as it
 * says is an error with a place, never passed over.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "config/tree.h"

enum web_client_auth {
	WEB_NO_CLIENT_CERT,
	WEB_REQUEST_CLIENT_CERT,
	WEB_REQUIRE_ANY_CLIENT_CERT,
	WEB_REQUIRE_CLIENT_CERT, /* an older name of the one above */
	WEB_VERIFY_IF_GIVEN,
	WEB_REQUIRE_AND_VERIFY,
};

enum web_tls_version { WEB_TLS10, WEB_TLS11, WEB_TLS12, WEB_TLS13 };

struct web_user {
	const char *name, *hash; /* the hash: 60 characters of bcrypt */
};

struct web_header {
	const char *name, *value;
};

#define WEB_HEADERS 5u

struct web_config {
	/* Bound by the field table; slots are 8 bytes wide. */
	char *cert_file, *key_file, *client_ca_file; /* whole paths; "" if not given */
	uint64_t client_auth;                        /* enum web_client_auth */
	uint64_t min_version, max_version;           /* enum web_tls_version */
	uint64_t prefer_server_ciphers;
	uint64_t http2; /* HTTP/1.1 is spoken all the same, which every client of HTTP/2 can */
	char **cipher_suites, **curves, **client_allowed_sans;
	/* Read by hand. */
	bool has_tls;
	char priority[1024]; /* what GnuTLS is told of versions, ciphers and curves */
	struct web_user *users;
	size_t user_count;
	struct web_header headers[WEB_HEADERS];
	size_t header_count;
	/* Owned: what strings above may point into, and the file's bytes. */
	struct config_node *tree;
	char *text;
};

/* A file's text. file names it in messages, and relative paths in it start at its directory. 0;
 * -EINVAL with errors added; -ENOMEM. */
int web_config_parse(const char *text, size_t length, const char *file,
		     struct config_errors *errors, struct web_config *ret);
/* Read and parse. */
int web_config_load(const char *file, struct config_errors *errors, struct web_config *ret);
/* Also of one that is all zero. */
void web_config_done(struct web_config *config);

/* The node of tls_server_config.KEY, else that of the section: for errors that are found later. */
const struct config_node *web_config_tls_node(const struct web_config *config, const char *key);

/* What stat(2) says of up to three files: enough to know one that was written or replaced. */
struct web_marks {
	struct {
		dev_t device;
		ino_t inode;
		off_t size;
		struct timespec modified, changed;
	} files[3];
	bool is_young; /* one was written just now, and may be again with the same times */
};

/* Look again: have they changed, or may they have? paths: three, "" for none. */
bool web_marks_look(struct web_marks *marks, const char *const *paths);

/* A regular file of at most LIMIT_WEB_FILE_BYTES, NUL terminated; never waits for a FIFO. 0 or
 * -errno: -EFBIG, -ENOTSUP if it is no regular file. ret_length may be NULL. */
int web_file_read(const char *path, char **ret, size_t *ret_length);
