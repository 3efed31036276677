/* SPDX-License-Identifier: Apache-2.0 */
/*
 * import.h - the configuration of another agent to a policy of Berth. Each agent has a table of its
 * keys (struct import_field): range, default, what Berth calls it, or why it has no equal. What a
 * table cannot say is code beside it. Nothing is guessed in silence: each difference is a remark, a
 * comment in the policy and a line for stderr.
 *
 * A file is the configuration itself (JSON), or a ConfigMap around it, YAML or JSON, also one of
 * several documents or of a List.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"
#include "strbuf.h"

#define IMPORT_KEYS_MAX 4u /* of one ConfigMap that one agent reads */

/* One JSON text and where it stands. text is NULL when the ConfigMap has no such key. */
struct import_document {
	char *text;
	json_t *root;
	char *file;                /* before LINE:COLUMN in messages */
	unsigned int line, column; /* in front of its first line, and of each line */
};

struct import_file {
	struct import_document documents[IMPORT_KEYS_MAX]; /* by place in `keys` */
};

struct import_note {
	bool is_error;
	const struct import_document *document;
	unsigned int line, column; /* 0: no place */
	char *key, *text;
};

struct import_notes {
	struct import_note *items;
	size_t count, errors, dropped;
};

/* A key of the policy, a section, or an item of a list. */
struct import_node {
	char *name; /* NULL: the root or an item */
	char *value;
	struct strbuf before; /* comments above it, one a line */
	struct strbuf behind; /* the comment on its line */
	struct import_node **children;
	size_t count;
};

struct import {
	struct import_file file;
	struct import_notes notes;
	struct import_node policy;
	int error; /* -ENOMEM, once */
};

struct import_agent {
	const char *name, *title;
	const char *keys[IMPORT_KEYS_MAX]; /* of its ConfigMap; ends with NULL */
	bool is_bare;                      /* the first of them is also a file of its own */
	int (*read)(struct import *import);
};

/* --- import.c --- */

/* Sorted; ends with a NULL name. */
extern const struct import_agent import_agents[];

/* From text (NUL terminated) to import->policy. name: the file's, for messages. 0; -EINVAL with
 * notes that are errors; -ENOMEM. */
int import_run(struct import *import, const struct import_agent *agent, const char *name,
	       const char *text, size_t length);
void import_done(struct import *import);

/* --- import/file.c --- */

/* Find the documents. keys end with NULL. is_bare: without a ConfigMap the text is keys[0]. 0;
 * -EINVAL with an error added; -ENOMEM. */
int import_file_parse(struct import *import, const char *name, const char *text, size_t length,
		      const char *const *keys, bool is_bare);
void import_file_done(struct import_file *file);

/* --- import/place.c --- */

/* Where the key at path ("ioCost[0].config") begins, or the last part of it that is there. Case of
 * letters is passed over, as rubik does it. */
void import_place_find(const struct import_document *document, const char *path,
		       unsigned int *ret_line, unsigned int *ret_column);

/* --- import/note.c --- */

void import_notes_done(struct import_notes *notes);
/* key: as import_place_find() takes it; "" for the whole. Returns -EINVAL. */
int import_error(struct import *import, const struct import_document *document, const char *key,
		 const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Also a comment above the key `at` of the policy, which need not have a value. */
void import_remark(struct import *import, const struct import_document *document, const char *key,
		   struct import_node *policy, const char *at, const char *format, ...)
	__attribute__((format(printf, 6, 7)));
/* "FILE:LINE:COLUMN: KEY: TEXT". */
void import_note_print(const struct import_note *note, struct strbuf *page);

/* --- import/policy.c: paths are "plugins.colocation.turbo.enabled" --- */

void import_node_done(struct import_node *node);
/* Made where it is missing. NULL without memory, which import->error remembers. */
struct import_node *import_policy_at(struct import *import, struct import_node *policy,
				     const char *path);
/* The value as YAML has it; of two the last one holds. from: the comment behind it, or NULL. */
void import_policy_set(struct import *import, struct import_node *policy, const char *path,
		       const char *from, const char *format, ...)
	__attribute__((format(printf, 5, 6)));
/* One more item of the list at path, a quoted string. */
void import_policy_item(struct import *import, struct import_node *policy, const char *path,
			const char *text);
/* One more item of `overrides`; match is its match as YAML has it. NULL without memory. */
struct import_node *import_policy_override(struct import *import, const char *match);
/* In double quotes, with what YAML needs escaped. */
void import_quote(struct strbuf *page, const char *text);
void import_policy_print(const struct import_node *policy, struct strbuf *page);

/* --- import/bind.c --- */

enum import_kind { IMPORT_INT, IMPORT_NUMBER, IMPORT_BOOL, IMPORT_WORD, IMPORT_TEXT, IMPORT_ANY };

/* How a value is written in the policy. */
enum import_how {
	IMPORT_AS_IT_IS,
	IMPORT_AS_MSEC,
	IMPORT_AS_SEC,
	IMPORT_AS_MEBI,
	IMPORT_AS_REST, /* 100 - value: used memory against available memory */
};

#define IMPORT_NONE INT64_MIN /* of a fallback: there is none */

/* One key. A table ends with from = NULL. */
struct import_field {
	const char *from; /* below the section: "l3Percent.low" */
	enum import_kind kind;
	int64_t min, max, fallback; /* of numbers; a flag has 0 or 1 */
	const char *words; /* "debug warn=warning": what may stand there, and what Berth says */
	const char *to;    /* below `prefix` of the section; NULL: nothing, or code does it */
	enum import_how how;
	const char *remark; /* told where the key is given */
};

/* One object of a document that a table describes. */
struct import_section {
	struct import *import;
	const struct import_document *document;
	json_t *object;
	const char *path;           /* of the object: "quotaTurbo"; "" is the root */
	struct import_node *policy; /* the root, or an override */
	const char *prefix;         /* before each `to`: "plugins.colocation." */
	const char *at;             /* where remarks of keys stand that have no `to` */
	bool folds_case;            /* Go's JSON takes highwatermark for highWaterMark */
	bool is_silent;             /* it was checked before: no notes */
};

/* Types, ranges, unknown keys. 0 or -EINVAL with errors added. */
int import_check(const struct import_section *section, const struct import_field *fields);
/* What was checked into the policy: given values, else fallbacks. */
void import_apply(const struct import_section *section, const struct import_field *fields);
/* The value at "l3Percent.low" below the section, NULL if there is none or it is null. */
json_t *import_value(const struct import_section *section, const char *key);
int64_t import_int(const struct import_section *section, const char *key, int64_t fallback);
bool import_flag(const struct import_section *section, const char *key, bool fallback);
/* The word of words that is nearest to a mistyped one, as "; did you mean 'x'?", or "". */
void import_nearest(const char *word, const char *const *known, char *text, size_t size);

/* --- the agents --- */

/* Read what import->file holds into import->policy. 0 or -EINVAL with errors added. */
int import_rubik(struct import *import);
int import_koordinator(struct import *import);
int import_volcano(struct import *import);
