/* SPDX-License-Identifier: Apache-2.0 */
/*
 * selector.h - does a rule match a workload? And the whole way to a level: annotation, then the
 * first rule that matches, then default_qos. Pure.
 */
#pragma once

#include "workload/workload.h"

bool selector_matches(const struct rule_match *match, const struct workload_record *record);

/* 0 or -ENOMEM; *ret is the caller's to qos_decision_done(). */
int selector_decide(const struct settings *settings, const struct workload_record *record,
		    struct qos_decision *ret);
