/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of the service, between interference.c (life, who takes part), round.c
 * (measures), judge.c (acts) and evidence.c (texts).
 */
#pragma once

#include "hashmap.h"
#include "interference/interference.h"
#include "interference/law.h"
#include "interference/signal.h"

#define INTERFERENCE_TRACKS    4096u /* workloads that take part; more are left alone */
#define INTERFERENCE_REASON    192u  /* LIMIT_REASON of berthd */
#define INTERFERENCE_REPEATS   3u    /* doublings of the time */
#define INTERFERENCE_FORGIVEN  12u   /* times throttle_time, after which it is a first offence */
#define INTERFERENCE_POINTS_TO (LAW_RECENT + 1u) /* points by which a throttle is judged */

#define INTERFERENCE_CLEARED 8u /* that are remembered of a victim */
#define INTERFERENCE_TRIES   3u /* throttles of no use, and it is nobody else's doing */

enum role { ROLE_NONE, ROLE_VICTIM, ROLE_SUSPECT };

/* How throttling ended; a label of interference_throttles_total. */
enum throttle_result {
	THROTTLE_BEGUN,
	THROTTLE_HELPED,
	THROTTLE_USELESS,
	THROTTLE_ENDED, /* the victim went, or the one to blame is not offline any more */
	THROTTLE_REFUSED,
	THROTTLE_RESULTS,
};

struct track {
	uint64_t id;
	enum role role;
	bool counted;                 /* the CPUs count it in this window */
	bool noted;                   /* something is wrong with its annotation, and was told */
	struct signal_reading before; /* at the begin of the window */
	struct law_series series;
	struct law_spec spec; /* of a victim: what is usual */
	bool suffers;
	/* Whom throttling was of no use to this victim, or cannot be throttled: they are not blamed
	 * again until then. useless: how many in a row. */
	struct {
		uint64_t suspect, until_usec;
	} cleared[INTERFERENCE_CLEARED];
	unsigned int cleared_next, useless;

	/* Of a suspect that is throttled; until_usec 0: it is not. */
	uint64_t victim, since_usec, until_usec, quota_usec;
	bool hard, correlates;
	unsigned int repeats;
	uint64_t ended_usec; /* the last time; 0: never was */
	char reason[INTERFERENCE_REASON];
};

struct interference {
	struct agent *agent;
	void *self; /* what callbacks are handed */
	const struct interference_config *config;
	struct hashmap tracks; /* struct track by workload id */
	size_t roles[ROLE_SUSPECT + 1];
	enum interference_signal signal; /* that is measured; SIGNAL_AUTO: none yet */
	struct agent_source *timer;      /* NULL: nobody to look at */
	struct agent_source *window;     /* while CPUs count */
	uint64_t timer_usec;
	uint64_t now_usec; /* of the last round that ended */
	uint64_t period;   /* counts up with every so many rounds as it takes to count everybody */
	unsigned int in_period; /* rounds of it so far */
	bool measuring;         /* tracks have the readings of a begin */
	bool untold;            /* of no victim the last reading had the signal */
	unsigned int turns;     /* rounds until everybody was counted once */
	uint64_t last_counted;  /* the id, for the turns */
	struct law law;
	struct agent_metric *throttles, *throttled, *suffering;
	uint64_t results[THROTTLE_RESULTS];
	/* While shelters() walks. */
	bool found;
	int depth;
};

/* What callbacks are handed is the plugin's self. NULL: not running. */
struct interference *interference_of(void *self);
struct track *track_get(const struct interference *service, uint64_t id);
void interference_say(struct interference *service, const char *text);

/* ---- round.c ---- */

/* Choose the signal; another one than before forgets what was learned of the other. False: this
 * host has none, and it was said. */
bool round_choose_signal(struct interference *service);
/* Readings at the begin of a window; CPI: the CPUs count from now on. */
void round_begin(struct interference *service);
/* Its end: points, then judge(). */
void round_end(struct interference *service);

/* ---- judge.c ---- */

void judge(struct interference *service);
/* Give it its CPU back. */
void throttle_end(struct interference *service, struct track *suspect, enum throttle_result result);
/* It went, and what was claimed of it with it. */
void throttle_gone(struct interference *service, const struct track *suspect);
void judge_show_counts(struct interference *service);

/* ---- evidence.c ---- */

/* Why this suspect: into suspect->reason. */
void evidence_reason(struct interference *service, struct track *suspect,
		     const struct track *victim, const struct law_suspect *facts);
void evidence_describe_victim(struct interference *service, const struct track *victim,
			      const char *what);
/* what: "throttled", ...; reason follows. */
void evidence_describe_suspect(struct interference *service, const struct track *suspect,
			       const char *what);
