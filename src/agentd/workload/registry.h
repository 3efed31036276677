/* SPDX-License-Identifier: Apache-2.0 */
/*
 * registry.h - all workloads of this node. Sources push what they see; the registry turns it into
 * ADDED, UPDATED and REMOVED for one listener (the plugin host), resolves levels again when the
 * policy changes, and keeps ids unique for the life of the daemon.
 *
 * The cgroup path is the identity between sources, its inode the one over time: a path with a new
 * inode is REMOVED and ADDED under a new id. Where two sources name one path, the one of the lower
 * rank speaks.
 */
#pragma once

#include "hashmap.h"
#include "hierarchy.h"
#include "log.h"
#include "workload/workload.h"

typedef void (*registry_listener)(void *data, enum workload_change change,
				  struct workload *workload);

/* Something that the people of the workload should know; once for each new text. */
enum workload_notice {
	NOTICE_MALFORMED, /* an annotation is not one: decision.malformed */
	NOTICE_CONFLICT,  /* two disagree: decision.conflict */
};
typedef void (*registry_notice)(void *data, enum workload_notice notice,
				const struct workload *workload);

struct registry {
	const struct hierarchy *hierarchy;
	const struct settings *settings; /* borrowed; swapped by registry_reload() */
	struct list workloads;
	size_t count;
	struct hashmap by_path, by_id;
	uint64_t last_id, generation;
	registry_listener listener;
	void *listener_data;
	registry_notice notice; /* set after registry_init(); NULL: nobody; has listener_data */
	uint64_t refused;       /* over LIMIT_WORKLOADS */
	size_t orphans;         /* workloads whose named parent is not here (yet) */
	struct list adrift;     /* these */
	struct hashmap above;   /* paths that have workloads below them: see registry-parent.c */
	struct log_limit warnings;
};

void registry_init(struct registry *registry, const struct hierarchy *hierarchy,
		   const struct settings *settings, registry_listener listener, void *data);
void registry_done(struct registry *registry); /* sends no events */

/* Add or update one. source is a static string, rank its order (0 first). 0; -ENOENT when the
 * cgroup is not there (not an error: it went); -ENOSPC over the limit (logged once); -ENOMEM;
 * -EINVAL for a record with a bad path; -E2BIG for one with labels over LIMIT_LABELS or
 * LIMIT_LABEL_BYTES. */
int registry_put(struct registry *registry, const char *source, unsigned int rank,
		 const struct workload_record *record);
/* The source no longer vouches for it. Another source's word keeps it. */
void registry_drop(struct registry *registry, const char *source, const char *cgroup);

/* A full snapshot: begin, put everything, end; what the source named before and did not now is
 * dropped. Not nestable. */
void registry_snapshot_begin(struct registry *registry, const char *source);
void registry_snapshot_end(struct registry *registry, const char *source);

/* New policy: decide all levels again; UPDATED for those that changed. */
void registry_reload(struct registry *registry, const struct settings *settings);

/* What the level of this one would be with these settings. 0 or -ENOMEM; *ret is the caller's to
 * qos_decision_done(). */
int registry_decide(const struct registry *registry, const struct workload *workload,
		    const struct settings *settings, struct qos_decision *ret);

struct workload *registry_get(const struct registry *registry, uint64_t id);
struct workload *registry_find_path(const struct registry *registry, const char *cgroup);
/* By id, "namespace/name", name, alias (also with its namespace), uid, or cgroup path, as users
 * type it. NULL: none; *ret_many counts the matches when more than one fits (and NULL is returned).
 */
struct workload *registry_find(const struct registry *registry, const char *text, size_t *ret_many);
/* Where nobody has this name: how many have it in theirs, and the first `most` of them. */
size_t registry_near(const struct registry *registry, const char *text, const struct workload **ret,
		     size_t most);
