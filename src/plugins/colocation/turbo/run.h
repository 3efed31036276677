/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run.h - the state of quota turbo, between turbo.c (who takes part, life), tick.c (one tick),
 * count.c and item.c (one container: what its counters say, what is claimed of it) and node.c (what
 * is known of the node).
 */
#pragma once

#include <stdbool.h>

#include "hashmap.h"
#include "turbo/law.h"
#include "turbo/turbo.h"

#define TURBO_PART         "turbo"
#define TURBO_UNIT         100000.0 /* the knob's number for one CPU */
#define TURBO_SAMPLES      60u      /* of the window of rubik's law */
#define TURBO_NODE_SAMPLES 640u     /* a minute of ticks of 100 ms, and some */
#define TURBO_PEERS        256u     /* online containers that are asked how long they wait */
/* Between two looks at one that is neither throttled nor raised: such a look is all that there is
 * while nobody is, and else a part of them has its turn in each tick. */
#define TURBO_COLD_USEC 500000u
#define TURBO_REST_USEC 1000000u /* the same when nobody was for a while */

/* Counters of a container. Those of a cold one first: on v1 what was used is in a file of its own.
 */
enum {
	TURBO_PERIODS,
	TURBO_THROTTLED,
	TURBO_THROTTLED_USEC,
	TURBO_COLD_VALUES,
	TURBO_USED = TURBO_COLD_VALUES,
	TURBO_VALUES,
};

enum turbo_state {
	TURBO_LOOKS, /* its group has no quota yet, or is left alone for now: look_usec */
	TURBO_RUNS,
};

struct turbo_sample {
	uint64_t usec, use_usec;
};

/* A container that takes part. */
struct turbo_item {
	uint64_t id;
	size_t at; /* in items */
	uint64_t limit_milli;
	enum turbo_state state;
	uint64_t look_usec; /* when its original is looked at next */
	uint64_t original;  /* of the knob */
	uint64_t claimed;   /* 0: nothing */
	double period_usec; /* of its group, as far as its counters tell */
	bool counted;       /* the three below are known */
	uint64_t throttled, throttled_usec, counted_usec;
	uint64_t use_usec, used_usec;   /* what it had used, and when; 0: not known */
	uint64_t hot_usec;              /* when it was throttled or raised last */
	uint64_t periods, periods_usec; /* at the start of the time that the period is told by */
	uint64_t quiet_usec;            /* since when */
	struct turbo_sample window[TURBO_SAMPLES];
	unsigned int first, samples;
	uint64_t told_usec, told; /* when the description was made, of which value */
};

struct turbo_peer {
	uint64_t id;
	size_t at;
	bool counted;
	uint64_t waited_usec, use_usec, throttled_usec;
};

struct turbo_use {
	uint64_t usec;
	double percent; /* since the one before */
};

/* What is known of the node. */
struct turbo_past {
	uint64_t usec, total_usec, busy_usec; /* of the last tick; 0: none */
	struct turbo_use uses[TURBO_NODE_SAMPLES];
	unsigned int first, count;
	uint64_t pressure_usec; /* when peers were asked last; 0: never */
	double pressure;
};

struct turbo {
	struct agent *agent;
	const struct turbo_config *config;
	bool available; /* the knob */
	struct agent_source *timer;
	uint64_t timer_usec; /* its period; 0: none */
	struct hashmap by_id, peers_by_id;
	struct turbo_item **items;
	struct turbo_peer **peers;
	size_t count, capacity, peer_count, peer_capacity;
	struct turbo_past past;
	uint64_t now_usec;    /* of the last tick */
	uint64_t active_usec; /* when somebody was throttled or raised last */
	uint64_t blind_usec;  /* so long nothing could be read, as far as ticks tell */
	uint64_t ticks, changes;
	struct agent_metric *raised_metric, *lent_metric, *changes_metric;
	double raised, lent; /* as shown */
	void *scratch;       /* of a tick */
	size_t scratch_count;
};

/* node.c: the node of this tick. False: it cannot be told, or it is the first one. */
bool turbo_node_read(struct turbo *turbo, struct turbo_node *ret);
/* Ask the peers how long they waited, if that is a second ago. */
void turbo_node_ask(struct turbo *turbo);

/* tick.c: the timer's. */
int turbo_tick(void *self);
/* The metrics, as it is now. */
void turbo_show(struct turbo *turbo);

/* count.c: since the tick before. True: the law is to be asked about it. */
bool turbo_item_count(struct turbo *turbo, struct turbo_item *item, const uint64_t *values,
		      struct turbo_container *ret);

/* item.c */
static inline double turbo_cpus(uint64_t number)
{
	return (double)number / TURBO_UNIT;
}
/* Has its group a quota, and which? */
void turbo_item_look(struct turbo *turbo, struct turbo_item *item);
/* What the law said of it. */
void turbo_item_apply(struct turbo *turbo, struct turbo_item *item,
		      const struct turbo_container *container);
/* Back to its original, if it is raised. */
void turbo_return(struct turbo *turbo, struct turbo_item *item);
/* The same, and why: it cannot be watched any more. */
void turbo_item_give_up(struct turbo *turbo, struct turbo_item *item, const char *why);

/* turbo.c: the timer as it is to be now. */
void turbo_arm(struct turbo *turbo);
