/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind.h - a field table (berth-plugin.h) and a node to a struct: types, ranges, defaults,
 * unknown keys with the nearest known one. The same tables write the shipped berth.yaml's comments
 * and the man page's list, and a test holds the three together.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"
#include "config/tree.h"

/* Fill config from node (NULL or CONFIG_NULL: all defaults). `prefix` goes before keys in messages
 * ("plugins.colocation."). Keys in `also` (NULL terminated, may be NULL) are known to the caller
 * and passed over. 0; -EINVAL with errors added: the struct is still filled with valid values and
 * owned by the caller; -ENOMEM. Strings are allocated: config_bind_done(). */
int config_bind(const struct config_field *fields, const struct config_node *node,
		const char *prefix, const char *const *also, struct config_errors *errors,
		void *config);

/* Free the strings of a struct that config_bind() filled, or that is all zero. */
void config_bind_done(const struct config_field *fields, void *config);

/* -EINVAL also for values of the wrong kind. One scalar for one field, as config_bind() does it. */
int config_bind_scalar(const struct config_field *field, const struct config_node *node,
		       const char *prefix, struct config_errors *errors, void *config);

/* The known key nearest to the given one by edit distance, or NULL if none is near. */
const char *config_nearest(const char *key, const char *const *known);

/* Add the error for an unknown key: what it is, and the nearest known one. */
void config_unknown_key(struct config_errors *errors, const struct config_node *node,
			const char *prefix, const char *const *known);

/* The fallback and the type with its range as users write them: "250ms", "time, 10ms to 10s". */
void config_field_default(const struct config_field *field, char *text, size_t size);
void config_field_type(const struct config_field *field, char *text, size_t size);

/* Are two filled structs equal, field by field? For "did this section change?". */
bool config_equal(const struct config_field *fields, const void *a, const void *b);

/* One row a line. */
#define FIELD_BOOL(type, key, member, fallback, help)                                      \
	{                                                                                  \
		key, CONFIG_BOOL, offsetof(type, member), 0, 1, fallback, NULL, NULL, help \
	}
#define FIELD_U64(type, key, member, min, max, fallback, help)                                \
	{                                                                                     \
		key, CONFIG_U64, offsetof(type, member), min, max, fallback, NULL, NULL, help \
	}
#define FIELD_S64(type, key, member, min, max, fallback, help)                                    \
	{                                                                                         \
		key, CONFIG_S64, offsetof(type, member), (uint64_t)(int64_t)(min),                \
			(uint64_t)(int64_t)(max), (uint64_t)(int64_t)(fallback), NULL, NULL, help \
	}
#define FIELD_PERCENT(type, key, member, fallback, help)                                        \
	{                                                                                       \
		key, CONFIG_PERCENT, offsetof(type, member), 0, 100, fallback, NULL, NULL, help \
	}
#define FIELD_USEC(type, key, member, min, max, fallback, help)                                \
	{                                                                                      \
		key, CONFIG_USEC, offsetof(type, member), min, max, fallback, NULL, NULL, help \
	}
#define FIELD_BYTES(type, key, member, min, max, fallback, help)                                \
	{                                                                                       \
		key, CONFIG_BYTES, offsetof(type, member), min, max, fallback, NULL, NULL, help \
	}
#define FIELD_STRING(type, key, member, fallback, help)                                   \
	{                                                                                 \
		key, CONFIG_STRING, offsetof(type, member), 0, 0, 0, fallback, NULL, help \
	}
#define FIELD_ENUM(type, key, member, names, fallback, help)                                \
	{                                                                                   \
		key, CONFIG_ENUM, offsetof(type, member), 0, 0, fallback, NULL, names, help \
	}
#define FIELD_STRINGS(type, key, member, help)                                         \
	{                                                                              \
		key, CONFIG_STRINGS, offsetof(type, member), 0, 0, 0, NULL, NULL, help \
	}
#define FIELD_END                  \
	{                          \
		.type = CONFIG_END \
	}
