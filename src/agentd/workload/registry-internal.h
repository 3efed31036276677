/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry-internal.h - from what sources say to what plugins see. Private to the registry.
 */
#pragma once

#include "workload/registry.h"

/* ---- registry-parent.c: who is above whom ---- */

/* The workload that parent_cgroup names, else the nearest one above the path; NULL: none. The level
 * of a group holds for everything below it, whether or not a source knows of pods. */
struct workload *registry_parent(const struct registry *registry, const char *cgroup,
				 const char *parent_cgroup);
/* It may be the parent of child: registry_parent() will tell. Cheap. */
bool workload_may_adopt(const struct workload *workload, const struct workload *child);
/* Count it among the children of this one (NULL: of none), where it counts for none yet; and take
 * it out again. */
void workload_link_parent(struct registry *registry, struct workload *workload,
			  const struct workload *parent);
void workload_unlink_parent(struct registry *registry, struct workload *workload);
/* Note for each path above this workload that one more is below it; -ENOMEM with nothing noted. */
int registry_note_above(struct registry *registry, const struct workload *workload);
void registry_forget_above(struct registry *registry, const struct workload *workload);
/* Is any workload below this one's path? */
bool registry_has_below(const struct registry *registry, const struct workload *workload);
void registry_above_done(struct registry *registry);

/* ---- registry-decide.c ---- */

static inline void registry_tell(struct registry *registry, enum workload_change change,
				 struct workload *workload)
{
	if (registry->listener)
		registry->listener(registry->listener_data, change, workload);
}

/* Take over what the first word says. What it said before must still be in memory: it is compared.
 * 1 if what plugins see changed, 0 if not, -ENOMEM with nothing changed. */
int workload_decide(struct registry *registry, struct workload *workload);
/* And tell of it, if it changed or `anyway`; the same for those that inherit its level. */
int workload_decide_again(struct registry *registry, struct workload *workload, bool anyway);
/* Log what people should know of its decision and was not so `before`, and give notice of it. */
void workload_note(struct registry *registry, const struct workload *workload,
		   const struct qos_decision *before);
