/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what the files of placement share. */
#pragma once

#include "colocation.h"
#include "hashmap.h"
#include "placement/cores.h"
#include "placement/placement.h"
#include "placement/tide.h"
#include "placement/topology.h"

#define PLACEMENT_PART "placement"

/* A workload, or a container of one. */
struct member {
	uint64_t id, pod; /* pod: of a container, else 0 */
	uint64_t parent;
	enum qos_level qos;
	unsigned int cpus; /* of a critical one whose request is of whole CPUs, else 0 */
	bool offline;      /* itself, or something above it */
	bool top_offline;  /* itself, and nothing above it */
	bool ignored, is_container, is_pod;
	bool above_given; /* something below it has cores of its own */
	bool above_offline;
	bool exclusive;          /* of a container: a CPU manager gave it CPUs of its own */
	bool holds;              /* of a workload: one of its containers is such a one */
	bool claimed, described; /* a list of ours; something for explain */
	struct cpulist *given;   /* whole cores of its own; NULL: none */
	struct cpulist *own;     /* of a container that has another list than its pod; NULL: none */
	const char *why_not;     /* it has no cores of its own although it is critical; NULL */
	/* At the last look. */
	bool seen;
	uint64_t time_usec, waited_usec, throttled_usec, used_usec;
};

struct placement {
	struct agent *agent;
	void *self;
	const struct colocation_config *config;
	struct topology topology; /* without cores: it could not be read */
	int version;              /* of the cpuset hierarchy; 0: none */
	struct hashmap members;   /* by id */
	bool may_peek;            /* none of them tells pressure, nor will one */
	/* What the policy and the host allow. */
	bool tidal, preferred, whole_cores;
	char why_tidal[160], why_cores[160]; /* not, or how */
	unsigned int offline_count, wish_count;
	struct agent_source *timer;
	uint64_t timer_usec;
	struct tide tide;
	struct tide_config tide_config;
	struct cpulist offline_cpus;        /* tidal: what offline work has */
	struct cpulist given, exclusive;    /* unions of whole cores, and of a CPU manager's */
	uint64_t now_usec;                  /* of the timer's own time */
	uint64_t host_usec;                 /* when topology and pins were read */
	uint64_t busy_usec, busy_time_usec; /* of the node at the last look */
	struct agent_metric *offline_metric, *given_metric;
	bool in_round; /* between a change of everything and decided() */
};

/* host.c: what is. What cannot be read now is as it was. */
void placement_host_read(struct placement *placement);
bool placement_host_is_current(const struct placement *placement);
/* And what is done there: sets tidal and preferred, or whole_cores, and why. */
void tidal_choose(struct placement *placement);
void cores_choose(struct placement *placement);

/* member.c: who there is. NULL: none, or no memory. */
struct member *member_get(struct placement *placement, uint64_t id);
struct member *member_make(struct placement *placement, const struct berth_workload *workload);
void member_fill(struct member *member, const struct placement *placement,
		 const struct berth_workload *workload, bool below_offline);
void member_drop(struct placement *placement, uint64_t id);
void members_free(struct placement *placement);
/* Who has whom below: of all of them, or of what is above one. */
void members_relate(struct placement *placement);
void member_mark_above(struct placement *placement, const struct member *member);
/* The nearest one above it that wishes for cores of its own, or that has them; NULL: none. */
const struct member *member_wish_above(const struct placement *placement,
				       const struct member *member);
const struct member *member_given_above(const struct placement *placement,
					const struct member *member);
/* Keep a list, or none: takes a copy. False: no memory, none is kept. */
bool member_keep(struct cpulist **kept, const struct cpulist *list);

/* pins.c: whom a CPU manager gave CPUs of their own. */
void pin_read(struct placement *placement, struct member *member);
/* The one that was just read, against all others. */
void pin_judge(struct placement *placement, struct member *member);
/* All of them. Anything else than before? */
bool pins_judge(struct placement *placement);

/* give.c: whole cores for who wishes for them. Anything else than before? */
bool cores_settle(struct placement *placement);

/* look.c: what online work suffers now. */
void placement_look(struct placement *placement, struct tide_input *ret);

/* claims.c */
void member_claim(struct placement *placement, struct member *member);
void placement_claim_all(struct placement *placement);
void placement_tell(struct placement *placement);

/* sysctls.c */
void sysctls_claim(struct agent *agent, const struct placement_config *config);
/* -EINVAL: not five numbers. */
int level_weights_check(const char *text);
