/* SPDX-License-Identifier: Apache-2.0 */
/*
 * incident.h - what the people of a pod should know, as Kubernetes Events: annotations that
 * disagree or are none, and what was done to the pod.
 */
#pragma once

#include "kube/events.h"
#include "workload/registry.h"

void incident_notice(struct kube_events *events, enum workload_notice notice,
		     const struct workload *workload);
void incident_told(struct kube_events *events, const struct workload *workload, const char *owner,
		   const char *what, const char *reason);
void incident_action(struct kube_events *events, const struct workload *workload,
		     const char *plugin, enum action kind, const char *reason, int result);
