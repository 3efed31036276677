/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nodes.h - values for some nodes, by a Kubernetes label selector, as Koordinator and
 * Volcano have them: an override of the policy.
 */
#pragma once

#include "import/import.h"

/* The override for what `selector` of `entry` matches. NULL with an error added, or, when it has
 * parts that an override cannot say, with a remark: nothing is taken of it then. */
struct import_node *import_nodes_override(const struct import_section *entry, const char *selector);
/* The entry's keys over those of the cluster (NULL: none), which it then stands for, without
 * remarks again. The caller's to free when it is done with the entry; NULL: no memory, which is
 * noted. */
json_t *import_nodes_merge(struct import_section *entry, const json_t *cluster);
/* Told once: where Berth's labels come from, and that two overrides must not meet. at: the list. */
void import_nodes_remark(const struct import_section *section, const char *key, size_t count,
			 const char *which_wins);
