/* SPDX-License-Identifier: Apache-2.0 */
/*
 * annotation.h - the protocol of docs/policy.md: which annotation or label says which level, in
 * which order, what a conflict is and what a malformed value does. Pure.
 */
#pragma once

#include "workload/workload.h"

/* Fill level, origin, detail, conflict, malformed, ignore, explain of *decision, which the caller
 * zeroed; level and origin stay untouched when nothing says a level. 1: a level was said; 0: not;
 * -ENOMEM. A malformed value says nothing and the next key in order is asked; a key of lower order
 * that says another level is the conflict, and the first one wins. */
int annotation_resolve(const struct label *annotations, size_t annotation_count,
		       const struct label *labels, size_t label_count,
		       struct qos_decision *decision);
void qos_decision_done(struct qos_decision *decision);
