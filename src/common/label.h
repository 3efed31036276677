/* SPDX-License-Identifier: Apache-2.0 */
/*
 * label.h - names with values: labels and annotations of pods, node labels, facts that explain
 * shows.
 */
#pragma once

#include <stddef.h>

struct label {
	char *key, *value;
};

/* The value, or NULL. The first one wins. */
const char *label_get(const struct label *labels, size_t count, const char *key);
