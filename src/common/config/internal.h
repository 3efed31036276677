/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - what the config-*.c files share and nobody else includes.
 */
#pragma once

#include <stdarg.h>

#include "config/tree.h"

/* A place that is not a node's. */
void config_errors_addv(struct config_errors *errors, const char *file, unsigned int line,
			unsigned int column, const char *key, const char *format, va_list arguments)
	__attribute__((format(printf, 6, 0)));
void config_errors_add_at(struct config_errors *errors, const char *file, unsigned int line,
			  unsigned int column, const char *key, const char *format, ...)
	__attribute__((format(printf, 6, 7)));

/* Refuse what YAML cannot hold or what editors and YAML 1.1 count as lines differently. 0, or
 * -EINVAL with the first such place added. */
int config_text_check(const char *text, size_t length, const char *file,
		      struct config_errors *errors);

/* The column of a tab in the indentation of a line (from 0), or 0 if there is none. */
size_t config_text_tab(const char *text, size_t length, size_t line);
/* libyaml's message in words for people. */
const char *config_syntax_problem(const char *problem);

/* A file's name, shared by all nodes of its document. They move between trees when these are
 * merged, so each holds a reference. Not atomic: a tree belongs to one thread. */
const char *config_file_new(const char *name);
const char *config_file_unref(const char *file);

struct config_node *config_node_new(const char *file, unsigned int line, unsigned int column);
/* 0 or -ENOMEM, child is still the caller's then. */
int config_node_append(struct config_node *parent, struct config_node *child);

/* Store a pointer into a slot of a config struct. Out of line for gcc's analyzer, which loses what
 * is stored at a computed offset and reports it as leaked. */
void config_slot_set(void *slot, void *pointer);
