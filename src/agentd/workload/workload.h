/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workload.h - the model: one pod, container, VM, unit or plain cgroup on this node, what sources
 * say of it (a record) and what became of it (a workload with an id and a level).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "berth-plugin.h"
#include "cgroup.h"
#include "list.h"
#include "settings.h"

/* What a source knows. Borrowed pointers: valid for the call that passes it on. */
struct workload_record {
	const char *kind; /* static string: "pod", "container", "vm", "unit", "cgroup" */
	const char *namespace, *name;
	const char *cgroup;        /* path below the hierarchy roots; the identity */
	const char *parent_cgroup; /* of the pod of a container; NULL at the top */
	const struct label *labels, *annotations;
	size_t label_count, annotation_count;
	uint64_t cpu_request_milli, cpu_limit_milli;
	uint64_t memory_request_bytes, memory_limit_bytes;
	const char *uid;   /* of a pod or a machine, as its owner names it; NULL: none */
	const char *alias; /* a second name that finds it: of the VM in a virt-launcher pod; NULL */
	const char *via;   /* static; who told, where a source has several ways: "apiserver",
			      "kubelet", "cgroup tree", "last known good", "machined", "scope name",
			      "command line"; NULL: the source */
	bool stale;        /* from before the daemon started, and nobody confirmed it yet */
	bool ending;       /* a pod: it is being deleted, and has its grace period */
	bool inherits;     /* a container: its level is its parent's, whatever that is */
	pid_t leader;      /* of a machine: the process that it runs in; 0: none */
	const struct label *facts; /* what else explain shows: "phase", "vcpus"; LIMIT_FACTS */
	size_t fact_count;
};

/* How the level came to be; for explain, warnings and metrics. */
enum qos_origin { ORIGIN_DEFAULT, ORIGIN_RULE, ORIGIN_ANNOTATION, ORIGIN_PARENT };

struct qos_decision {
	enum qos_level level;
	enum qos_origin origin;
	char *detail;    /* "annotation berth/qos=batch", "rule /etc/berth/berth.yaml:12" */
	char *conflict;  /* NULL, or "volcano.sh/preemptable=true says batch, ..." */
	char *malformed; /* NULL, or "berth/qos='fast' is not a QoS level" */
	bool ignore, explain;
	uint64_t cpu_request_milli, memory_request_bytes; /* from a rule; 0: none */
};

struct workload {
	struct list link;                    /* in the registry, in order of arrival */
	struct berth_workload view;          /* what plugins see; its strings are the ones below */
	const char *kind, *namespace, *name; /* these and the labels: of the first word */
	struct cgroup *cgroup;               /* owns the path */
	const char *parent_cgroup;           /* NULL at the top */
	const struct label *labels, *annotations;
	size_t label_count, annotation_count;
	struct qos_decision decision;
	const char *uid, *alias, *via; /* as in the record; NULL: none */
	bool stale, inherits;
	pid_t leader;
	const struct label *facts;
	size_t fact_count;
	const char *source; /* name of the source that vouches for it; static */
	struct word *words; /* registry-internal: what each source says, by rank; see word.h */
	struct list below;  /* registry-internal: those whose view.parent this is, by beside */
	struct list beside; /* registry-internal */
	bool orphan; /* registry-internal: counted among those without the parent they name */
	struct list adrift; /* registry-internal: then it is in registry->adrift */
	uint64_t added_usec;
	bool announced; /* ADDED was sent */
};

const char *workload_annotation(const struct workload *workload, const char *key);
