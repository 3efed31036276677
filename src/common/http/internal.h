/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what http/load.c (libcurl by dlopen), http/client.c (the multi handle on the
 * loop), http/call.c (one transfer) and http/result.c (what came of it) share.
 */
#pragma once

#include <curl/curl.h>

#include "http/client.h"
#include "list.h"

/* The types are those of the header, the functions those of the library that is found. */
struct http_lib {
	__typeof__(&curl_global_init) global_init;
	__typeof__(&curl_version_info) version_info;
	__typeof__(&curl_slist_append) slist_append;
	__typeof__(&curl_slist_free_all) slist_free_all;
	__typeof__(&curl_easy_init) easy_init;
	__typeof__(&curl_easy_cleanup) easy_cleanup;
	__typeof__(&curl_easy_setopt) easy_setopt;
	__typeof__(&curl_easy_getinfo) easy_getinfo;
	__typeof__(&curl_easy_pause) easy_pause;
	__typeof__(&curl_easy_strerror) easy_strerror;
	__typeof__(&curl_multi_init) multi_init;
	__typeof__(&curl_multi_cleanup) multi_cleanup;
	__typeof__(&curl_multi_setopt) multi_setopt;
	__typeof__(&curl_multi_add_handle) multi_add_handle;
	__typeof__(&curl_multi_remove_handle) multi_remove_handle;
	__typeof__(&curl_multi_assign) multi_assign;
	__typeof__(&curl_multi_socket_action) multi_socket_action;
	__typeof__(&curl_multi_info_read) multi_info_read;
};

/* 0 with the table, which lives for ever; -ENOPKG. */
int http_lib_load(const struct http_lib **ret);

struct http_client {
	const struct http_lib *lib;
	sd_event *event;
	CURLM *multi;
	char *user_agent;
	sd_event_source *timer;    /* when libcurl wants to be called */
	sd_event_source *deadline; /* when the first call may be overdue */
	sd_event_source *resume;   /* in the next turn: paused calls, calls that are done */
	uint64_t deadline_usec;    /* what the timer is armed for; UINT64_MAX: it is not */
	struct list calls;
	struct list paused;
	unsigned int depth; /* of calls from the loop into us: >0 while handlers may run */
	bool is_dead;       /* freed by one of its own handlers */
	uint64_t turn_usec; /* when this turn began */
	uint64_t longest_usec;
};

struct http_call {
	struct list link;
	struct list paused;
	struct http_client *client;
	const struct http_handlers *handlers;
	void *data;
	CURL *easy;
	struct curl_slist *headers, *connect_to;
	char *origin;                                  /* "https://host:port", for messages */
	uint64_t connect_usec, answer_usec, idle_usec; /* time limits */
	uint64_t start_usec, last_byte_usec, due_total_usec;
	uint64_t body_limit, body_size;
	int error;   /* why we ended it; 0: we did not */
	bool has_ca; /* the identity gave one */
	bool is_added, is_paused;
	bool has_line; /* of the answer's head */
	bool has_head;
	bool is_finished; /* freed, or its done() was called: waits for http_client_leave() */
	char curl_text[CURL_ERROR_SIZE];
};

/* Have the handlers of this turn had their time? */
bool http_slice_is_used(const struct http_client *client);
/* Look again in the next turn. */
void http_client_resume_later(struct http_client *client);

/* Give it to libcurl, at once or when that has returned. 0 or -ENOMEM. */
int http_client_add(struct http_client *client, struct http_call *call);

/* When it is next to be looked at for being late: UINT64_MAX: never. */
uint64_t http_call_due(struct http_call *call, uint64_t now);
/* -ETIMEDOUT when it is overdue, else 0. */
int http_call_is_late(struct http_call *call, uint64_t now);
/* Tells done(). Not from inside libcurl. */
void http_call_finish(struct http_call *call, CURLcode code);
void http_call_destroy(struct http_call *call);

void http_result_fill(struct http_call *call, CURLcode code, struct http_result *result);
