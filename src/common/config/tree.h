/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree.h - YAML text to nodes that know where they were written. The subset of YAML 1.1 that
 * cannot surprise: mappings, sequences, scalars; no anchors, aliases, tags, merge keys, multiple
 * documents or duplicate keys. Limits: CONFIG_FILE_MAX bytes, CONFIG_DEPTH_MAX levels,
 * CONFIG_NODES_MAX nodes.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cleanup.h"

#define CONFIG_FILE_MAX  (1u << 20)
#define CONFIG_DEPTH_MAX 16u
#define CONFIG_NODES_MAX 65536u

enum config_kind {
	CONFIG_NULL, /* an empty value: the key is as if it were not there */
	CONFIG_SCALAR,
	CONFIG_MAPPING,
	CONFIG_SEQUENCE,
};

struct config_node {
	enum config_kind kind;
	bool quoted;               /* a scalar written in quotes: "true" is a string then */
	const char *file;          /* as the user named it; owned by the document */
	unsigned int line, column; /* from 1 */
	char *key;                 /* in its mapping, else NULL */
	unsigned int key_line, key_column;
	char *scalar;
	struct config_node **children; /* of a mapping or a sequence, in order */
	size_t count;
};

/* Where and what: "FILE:LINE:COLUMN: KEY: TEXT". line 0: no place in a file. */
struct config_error {
	char file[256];
	unsigned int line, column;
	char key[128];
	char text[320];
};

/* All errors of one run, so that a user mends a file in one go; at most CONFIG_ERRORS_MAX. */
#define CONFIG_ERRORS_MAX 64u
struct config_errors {
	struct config_error *items;
	size_t count;   /* of items */
	size_t dropped; /* over the limit */
};

void config_errors_done(struct config_errors *errors);
/* node may be NULL (no place). Never fails: without memory it only counts. */
void config_errors_add(struct config_errors *errors, const struct config_node *node,
		       const char *key, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* "FILE:LINE:COLUMN: KEY: TEXT" into text. */
void config_error_format(const struct config_error *error, char *text, size_t size);

/* The document's root: a mapping, or CONFIG_NULL if the text holds nothing but comments. 0, or
 * -EINVAL with the errors added, or -ENOMEM. file names the text in messages. */
int config_tree_parse(const char *text, size_t length, const char *file,
		      struct config_errors *errors, struct config_node **ret);
/* Read and parse. A file that cannot be read is an error without a line. */
int config_tree_load(int dirfd, const char *path, struct config_errors *errors,
		     struct config_node **ret);
struct config_node *config_node_free(struct config_node *node);

/* NULL if it is not a mapping or has no such key. */
struct config_node *config_node_get(const struct config_node *node, const char *key);

/* Merge `over` into `base`, key by key: mappings merge, anything else replaces, a null leaves.
 * Takes over's content (it is freed). -ENOMEM leaves base half merged: give it up. */
int config_tree_merge(struct config_node *base, struct config_node *over);
