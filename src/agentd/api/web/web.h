/* SPDX-License-Identifier: Apache-2.0 */
/*
 * web.h - one web config in force: what protects a listener. An http_server asks it; listener.c
 * loads and replaces it.
 */
#pragma once

#include "api/web/auth.h"
#include "api/web/tls.h"

struct web {
	char *file;
	struct web_config config;
	struct web_tls *tls;   /* NULL: plain HTTP */
	struct web_auth *auth; /* NULL: everybody may read */
	struct web_marks marks;
	bool is_outdated;            /* a newer one was refused: what mends it may be any file */
	uint64_t looked_usec;        /* when changed() was called last */
	void (*changed)(void *data); /* web_watch() */
	void *data;
};

/* The file, and all that it names. The verifier must outlive it. 0;
 * -EINVAL with errors added; -ENOMEM; -EIO. */
int web_load(const char *file, struct verifier *verifier, struct config_errors *errors,
	     struct web **ret);
struct web *web_free(struct web *web);
/* Is it of this file, and does that still say the same, byte for byte? */
bool web_is_current(const struct web *web, const char *file);
/* Call changed() when the file may have changed; that is found out at each web_look(), which an
 * http_server does when a client comes or says something: no watch, no timer. True: it was called
 * just now, and whoever waits should be served by what comes of it. */
void web_watch(struct web *web, void (*changed)(void *data), void *data);
bool web_look(struct web *web);

/* The listener of /metrics, for status and metrics; kept by listener.c. */
struct web_state {
	const char *listen; /* "" : off */
	bool is_wanted;     /* off is a wish, not a failure */
	bool is_open;
	bool by_systemd;   /* on sockets that systemd passed */
	char problem[128]; /* why it cannot listen, "" if it can */
	const char *file;  /* metrics.web_config_file, "" if there is none */
	/* Of the file, as it was read last; count 0: what it says is in force. */
	const struct config_errors *errors;
	struct web *web; /* in force; NULL: no protection */
};

bool web_state_is_valid(const struct web_state *state);
