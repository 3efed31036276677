/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source.h - what every source looks like to daemon.c. A source may be absent, late or down; it
 * says so in its state and the daemon runs with what it has.
 */
#pragma once

#include <systemd/sd-event.h>

#include "hierarchy.h"
#include "settings.h"
#include "sysroot.h"
#include "workload/registry.h"

struct kube_events;
struct kube_evictions;
struct pods;

enum source_state {
	SOURCE_OFF, /* not configured */
	SOURCE_STARTING,
	SOURCE_READY, /* has told the registry all it knows */
	SOURCE_DOWN,  /* tries again by itself; detail says what is wrong */
};

struct source_context {
	sd_event *event;
	const struct sysroot *root;
	const struct hierarchy *hierarchy;
	struct registry *registry;
	struct pods *pods;          /* fed by kubernetes and kubepods; never NULL in the daemon */
	struct kube_events *events; /* connected by kubernetes; may be NULL */
	struct kube_evictions *evictions; /* the same */
	/* A source has taken in all at once what it will only be told changes of now. May be NULL.
	 */
	void (*settled)(void *data);
	void *settled_data;
};

struct source {
	const struct source_ops *ops;
	const struct source_context *context;
	enum source_state state;
	enum source_state told; /* the last one that was logged */
	char told_why[160];     /* and the cause: of detail, what comes before its first ';' */
	char detail[400];       /* for people: "12 globs, 40 groups", "no system bus: ..." */
	uint64_t events, errors;
	size_t workloads; /* that it vouches for now */
};

struct source_ops {
	const char *name;  /* static; "cgroups", "units" */
	unsigned int rank; /* registry_put() */
	int (*new)(const struct source_context *context, struct source **ret);
	/* Start or change; called at start and at every reload. Telling the registry what is there
	 * happens inside, so that READY means seen. A wrong or missing thing is SOURCE_DOWN, not an
	 * error; only want of memory is. */
	int (*apply)(struct source *source, const struct settings *settings);
	struct source *(*free)(struct source *source);
};

const char *source_state_name(enum source_state state);

extern const struct source_ops source_cgroupfs, source_kubepods, source_kubernetes, source_machine,
	source_unit;
