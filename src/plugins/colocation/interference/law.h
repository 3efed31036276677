/* SPDX-License-Identifier: Apache-2.0 */
/*
 * law.h - who suffers, and from whom. What a workload suffers is a number, larger is worse: cycles
 * per instruction, or how long its tasks wait. What is usual for it is learned from its own past;
 * it suffers when it is outside of that again and again; whose use of the CPU goes up and down with
 * it is to blame. After CPI2 (Zhang et al., EuroSys 2013) and rubik's cpi. Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAW_POINTS 16u /* that are kept of a workload */
#define LAW_RECENT 5u  /* periods in which a verdict is reached */
#define LAW_WINDOW 10u /* periods over which use is compared; older points become the past */
#define LAW_OUT    3u  /* so many recent points must be outside */

struct law {
	double sigma;         /* standard deviations over the mean that are still usual */
	double correlation;   /* 0 to 1: more is to blame */
	uint64_t learn;       /* points before any verdict */
	double use_least;     /* cores: of a point with less, the number says nothing */
	double least;         /* what is below is never suffering */
	double least_ratio;   /* nor is what is below so many times the mean */
	uint64_t period_usec; /* between two points of a workload */
};

/* What is usual: the past, as count, mean and sum of squares (Welford). */
struct law_spec {
	uint64_t count;
	double mean, squares;
};

struct law_point {
	uint64_t period, time_usec;
	double value, use;  /* use: cores */
	unsigned int looks; /* of a suspect: it is the mean of so many; 0: of one */
};

/* The last points of a workload, the oldest first. */
struct law_series {
	struct law_point points[LAW_POINTS];
	unsigned int count;
};

double law_deviation(const struct law_spec *spec);
/* What is over this is outside of what is usual. */
double law_threshold(const struct law *law, const struct law_spec *spec);

/* One point more of the past; not one that says nothing, or, of one that has learned, one outside.
 */
void law_fold(const struct law *law, struct law_spec *spec, const struct law_point *point);
/* A new point of a victim; those that are too old for the window are folded into the past. Points
 * that are no numbers are left out. */
void law_add(const struct law *law, struct law_series *series, struct law_spec *spec,
	     const struct law_point *point);
/* The same of a suspect, which has no past: what it used. Several of one period are one point. */
void law_add_use(struct law_series *series, const struct law_point *point);

bool law_has_learned(const struct law *law, const struct law_spec *spec);
/* How many of the points of the last LAW_RECENT periods, and after since_usec, are outside. */
unsigned int law_count_outside(const struct law *law, const struct law_series *series,
			       const struct law_spec *spec, uint64_t now_usec, uint64_t since_usec);
/* How many points after since_usec say something, in or out. */
unsigned int law_count_since(const struct law *law, const struct law_series *series,
			     uint64_t since_usec);
/* Outside in LAW_OUT of them. */
bool law_suffers(const struct law *law, const struct law_series *series,
		 const struct law_spec *spec, uint64_t now_usec, uint64_t since_usec);

/* -1 to 1: does the use of one go with what the other suffers, over the window? */
double law_correlation(const struct law *law, const struct law_series *victim,
		       const struct law_spec *spec, const struct law_series *suspect,
		       uint64_t now_usec);
/* Cores that it used on average in the last LAW_RECENT periods; 0: nothing is known. */
double law_recent_use(const struct law *law, const struct law_series *series, uint64_t now_usec);

struct law_suspect {
	uint64_t id;
	double correlation, use;
};

/* The one to blame: of those whose correlation is over the line the one with most of it, else the
 * one that used most. use_least: who uses less gains nobody anything. -1: nobody; else the index,
 * and *ret_correlates tells which of both it is. */
int law_blame(const struct law *law, const struct law_suspect *suspects, size_t count,
	      double use_least, bool *ret_correlates);
