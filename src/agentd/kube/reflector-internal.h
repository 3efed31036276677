/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reflector-internal.h - the reflector's parts: reflector.c is the clock (what comes next and when,
 * and what people are told), reflector-call.c one HTTP call, reflector-list.c and reflector-watch.c
 * what is asked and what its end means.
 */
#pragma once

#include "kube/clock.h"
#include "kube/pod-stream.h"
#include "kube/reflector.h"
#include "log.h"
#include "macro.h"

enum reflector_step { STEP_LIST, STEP_WATCH };

/* What is known of the call that runs. */
struct reflector_answer {
	long status;
	char content_type[64];
	char text[2048]; /* the beginning of a body that is no answer */
	size_t text_size;
	int feed_error; /* of pod_stream_feed() */
	bool refused;   /* a Status object in a list, an ERROR in a watch */
	int code;       /* of it */
	char message[256];
};

struct reflector {
	sd_event *event;
	struct http_client *client;
	struct kube_access *access;
	enum reflector_mode mode;
	char *node;
	struct reflector_handlers handlers;
	void *data;
	struct reflector_stats stats;
	struct log_limit bad_lines;

	enum reflector_state state;
	enum reflector_step step; /* that runs, or that the timer will begin */
	sd_event_source *timer;   /* the next step */
	sd_event_source *silence; /* of the watch */
	struct http_call *call;
	struct pod_stream *stream;
	struct reflector_answer answer;

	uint64_t backoff_first_usec, backoff_usec, silence_usec;
	uint64_t expired_usec; /* when a 410 was last answered at once; 0: never */
	uint64_t resumed_usec; /* when a watch was last resumed at once; 0: never */

	char resource_version[64]; /* "" none yet */
	bool consistent;           /* the next list has to be one from etcd */
	bool unpaged;              /* pages expire sooner than they are read: all at once */
	char *next_page;           /* the continue token; NULL: the first page */
	unsigned int pages;
	uint64_t list_bytes;
	size_t listed; /* pods of the list so far */
	bool begun;    /* sync_begin() was called and sync_end() not yet */
	bool none;     /* the node has no pods, as far as is known */

	uint64_t began_usec;  /* the step that runs */
	uint64_t told;        /* events and bookmarks of this watch */
	bool resumed_already; /* the watch before this one was of no use */
	bool poked;           /* while a poll was under way */
};

void reflector_set_state(struct reflector *self, enum reflector_state state, const char *format,
			 ...) __attribute__((format(printf, 3, 4)));
/* Begin step after that time; the call before has ended. */
void reflector_schedule(struct reflector *self, enum reflector_step step, uint64_t delay_usec);
/* Wait as the scale says, but not less than at_least_usec, then step. */
void reflector_fail(struct reflector *self, enum reflector_step step, uint64_t at_least_usec,
		    const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The scale begins anew. */
void reflector_calm(struct reflector *self);
/* The resource version is too old (or nothing a server has heard of): list again, at once unless
 * that was tried just now. */
void reflector_expire(struct reflector *self, const char *why);

/* reflector-call.c */

/* GET path (below the server). idle_usec: longest time without a byte. limit: of the body. On a
 * failure the next try is scheduled. */
void reflector_call(struct reflector *self, const char *path, enum pod_stream_kind kind,
		    uint64_t idle_usec, uint64_t total_usec, uint64_t limit);
/* Ends what runs; nothing is scheduled. */
void reflector_call_end(struct reflector *self);
/* Was the answer one of pods, from its beginning to its end? */
bool reflector_call_is_good(const struct reflector *self, const struct http_result *result);
/* What went wrong, for people, and what to do. */
void reflector_explain(const struct reflector *self, const struct http_result *result, char *text,
		       size_t size);

/* reflector-list.c: a step, and what comes in during it. */
void reflector_list(struct reflector *self);
void reflector_list_head(struct reflector *self);
void reflector_list_pod(struct reflector *self, struct kube_pod *pod);
void reflector_list_done(struct reflector *self, const struct http_result *result);

/* reflector-watch.c */
void reflector_watch(struct reflector *self);
/* is_good: it is a watch, and not a refusal. */
void reflector_watch_head(struct reflector *self, bool is_good);
void reflector_watch_pod(struct reflector *self, enum pod_event event, struct kube_pod *pod);
void reflector_watch_bookmark(struct reflector *self, const char *resource_version);
void reflector_watch_done(struct reflector *self, const struct http_result *result);
