/* SPDX-License-Identifier: Apache-2.0 */
/*
 * internal.h - the table behind pods.h: pods.c has the side of the cgroup tree, pods/api.c
 * that of the APIs, pods/publish.c puts both together for the registry, pods/store.c keeps what the
 * API said in a file.
 */
#pragma once

#include "hashmap.h"
#include "kube-cgroup.h"
#include "list.h"
#include "source/pods/pods.h"

#define PODS_VIA_TREE "cgroup tree"
#define PODS_VIA_FILE "last known good"

/* Shared with the thread that writes the file, which only reads it: the loop alone counts. */
struct shared_pod {
	unsigned int references;
	struct kube_pod *pod;
};

/* A pod that an API named. */
struct known_pod {
	struct shared_pod *shared;
	const char *via; /* static */
	bool stale;      /* from the file */
	bool gone;       /* deleted, but groups of it are still there */
	uint64_t seen;   /* pods->list of the API that named it last */
	char *cgroup_uid;
	char uid[];
};

/* A pod that the tree shows: groups that carry one uid. */
struct tree_pod {
	struct list groups; /* of struct tree_group, by link */
	char uid[KUBE_UID_MAX];
};

struct tree_group {
	struct list link;
	struct tree_pod *pod;
	uint64_t seen; /* pods->scan that named it last */
	bool is_pod;   /* else of a container */
	char path[];
};

#define STORE_FILE      "pods.json"
#define STORE_TEMPORARY "pods.json.new"
#define STORE_VERSION   1

/* The thread has it while it writes. */
struct store_job {
	const char *dir;
	char saved[32];
	size_t count, written;
	struct {
		struct shared_pod *shared;
		bool written;
	} pods[];
};

struct pods_store {
	const char *dir; /* NULL: nothing is kept */
	sd_event_source *timer;
	struct worker_pool *pool;
	struct store_job *job; /* that is being written */
	bool armed;
	bool unsaved;    /* something differs from the file */
	bool newer;      /* an API has spoken since: the file's date is not its last word */
	bool failed;     /* and that was logged */
	size_t left_out; /* of the file, which was full; and that was logged */
	char saved[32];
};

struct pods {
	sd_event *event;
	struct registry *registry;
	struct hashmap known;       /* by uid */
	struct hashmap known_group; /* by the uid that cgroup paths have, where that is another */
	struct hashmap tree;        /* struct tree_pod by uid */
	struct hashmap groups;      /* struct tree_group by path */
	uint64_t list, scan;
	uint64_t refused; /* over LIMIT_PODS */
	void (*changed)(void *data);
	void *changed_data;
	struct pods_store store;
};

/* ---- pods/api.c ---- */

/* What an API says of the pod whose groups carry this uid; NULL: nothing. A pod's own uid goes
 * before what its annotations say, while it is there: nobody takes another's groups over by writing
 * its uid there. */
struct known_pod *pods_known(const struct pods *pods, const char *group_uid);
/* From the file. Takes the pod over. */
void pods_recall(struct pods *pods, struct kube_pod *pod);
/* The last group with this uid went. */
void pods_groups_left(struct pods *pods, const char *group_uid);
/* Forget all, and tell nobody. */
void pods_known_done(struct pods *pods);
void shared_pod_unref(struct shared_pod *shared);

/* ---- pods/publish.c ---- */

/* What registry_put() says; see there. */
int pods_publish_group(struct pods *pods, const struct tree_group *group);
/* All groups of it, the pod's before the containers'. */
void pods_publish(struct pods *pods, const struct tree_pod *pod);

/* ---- pods/store.c ---- */

void pods_store_changed(struct pods *pods);
/* The state directory, which is opened when something is read or written: that is seldom. */
int pods_store_open(const char *dir);
/* Write what is not written, now. */
void pods_store_done(struct pods *pods);

/* ---- pods/store-write.c ---- */

/* On a thread: data is a struct store_job. 0 or -errno, with the old file as it was. */
int pods_store_write(void *data);
