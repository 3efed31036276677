/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shares.h - memory.high of offline workloads, by what is available on the node. The parts: law.c
 * how much (pure), fssr.c rubik's way (pure), swap.c what there is swap for, explain.c texts,
 * shares.c does it. Off unless the policy says otherwise; off, or with no offline workload, there
 * is no timer.
 */
#pragma once

#include "berth-plugin.h"
#include "hierarchy.h"
#include "shares/law.h"
#include "sysroot.h"

struct colocation_config;

enum shares_kind { SHARES_BY_LAW, SHARES_FSSR };
enum shares_by { SHARES_BY_REQUEST, SHARES_EQUAL };

struct shares_config {
	uint64_t enabled;
	uint64_t law; /* enum shares_kind */
	uint64_t by;  /* enum shares_by */
	uint64_t reserve_percent, release_percent, step_percent;
	uint64_t async_ratio;
};

/* 0, or -EINVAL with what contradicts what. */
int shares_check(const struct colocation_config *config, struct berth_error *reterr);

/* ---- swap.c ---- */

/* The host's cgroups, to read from. Tests set the root to a directory of theirs. */
extern const char *shares_root;

struct shares_host {
	struct sysroot root;
	struct hierarchy hierarchy;
};

int shares_host_open(struct shares_host *ret);
void shares_host_done(struct shares_host *host);
/* Bytes of anonymous memory of the group that can still go to swap, by its own limits and those of
 * the groups above it; the node's swap is not looked at. UINT64_MAX: no limit. */
uint64_t shares_swap_room(const struct shares_host *host, const char *group);

/* ---- explain.c ---- */

#define SHARES_TEXT 192u

/* What one workload gets, and why. */
void shares_explain(const struct shares_member *member, uint64_t budget, size_t count, char *text,
		    size_t size);
void shares_explain_fssr(const struct shares_member *member, uint64_t high, char *text,
			 size_t size);
/* The service as a whole. */
void shares_explain_node(const struct shares_law *law, bool limits, uint64_t available,
			 uint64_t budget, size_t count, size_t refused, char *text, size_t size);

/* ---- shares.c, the service: see service.h ---- */

int shares_start(struct agent *agent, void *self, const struct colocation_config *config,
		 void **ret_state);
int shares_apply(void *state, const struct colocation_config *config);
void shares_probe(void *state);
void shares_workload(void *state, const struct workload_event *event);
void shares_decide_one(void *state, const struct berth_workload *workload, bool below_offline);
void shares_stop(void *state);
