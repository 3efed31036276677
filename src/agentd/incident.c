/* SPDX-License-Identifier: Apache-2.0 */
#include "incident.h"

#include <errno.h>
#include <string.h>

#include "strbuf.h"

static bool is_named_pod(const struct workload *workload)
{
	return workload->uid && strcmp(workload->kind, "pod") == 0 && workload->namespace[0];
}

static void incident_report(struct kube_events *events, const struct workload *workload,
			    const char *type, const char *reason, struct strbuf *message)
{
	const struct kube_event event = {
		.namespace = workload->namespace,
		.pod = workload->name,
		.uid = workload->uid,
		.type = type,
		.reason = reason,
		.message = strbuf_text(message),
	};

	/* Without memory there is no Event; the log has it. */
	if (strbuf_error(message) == 0)
		kube_events_report(events, &event);
}

void incident_notice(struct kube_events *events, enum workload_notice notice,
		     const struct workload *workload)
{
	const struct qos_decision *decision = &workload->decision;
	bool malformed = notice == NOTICE_MALFORMED;
	cleanup_strbuf struct strbuf message = { 0 };

	if (!is_named_pod(workload))
		return;
	if (malformed)
		strbuf_addf(&message, "Ignoring a value: %s; the QoS level is %s, by %s",
			    decision->malformed, qos_name(decision->level), decision->detail);
	else
		strbuf_addf(&message, "The QoS level is %s, by %s, although %s",
			    qos_name(decision->level), decision->detail, decision->conflict);
	incident_report(events, workload, "Warning",
			malformed ? "BerthAnnotationMalformed" : "BerthAnnotationConflict",
			&message);
}

void incident_action(struct kube_events *events, const struct workload *workload,
		     const char *plugin, enum action kind, const char *reason, int result)
{
	static const char *const names[ACTION_MAX] = {
		[ACTION_RECLAIM] = "reclaimed memory of this pod",
		[ACTION_KILL] = "killed the processes of this pod",
		[ACTION_EVICT] = "evicted this pod",
	};
	static const char *const tried[ACTION_MAX] = {
		[ACTION_RECLAIM] = "could not reclaim memory of this pod",
		[ACTION_KILL] = "could not kill the processes of this pod",
		[ACTION_EVICT] = "could not evict this pod",
	};
	cleanup_strbuf struct strbuf message = { 0 };

	if (!is_named_pod(workload))
		return;
	if (result == ACTION_DRY_RUN)
		strbuf_addf(&message, "%s would have %s, but for a dry run: %s", plugin,
			    names[kind], reason);
	else
		strbuf_addf(&message, "%s %s: %s", plugin, result < 0 ? tried[kind] : names[kind],
			    reason);
	if (result == -EBUSY && kind == ACTION_EVICT)
		strbuf_add(&message, " (a PodDisruptionBudget does not allow it now)");
	else if (result < 0)
		strbuf_addf(&message, " (%s)", strerror(-result));
	incident_report(events, workload, kind == ACTION_RECLAIM ? "Normal" : "Warning",
			"BerthAction", &message);
}

void incident_told(struct kube_events *events, const struct workload *workload, const char *owner,
		   const char *what, const char *reason)
{
	cleanup_strbuf struct strbuf message = { 0 };

	if (!is_named_pod(workload))
		return;
	strbuf_addf(&message, "%s: %s: %s", owner, what, reason);
	incident_report(events, workload, "Normal", "BerthNotice", &message);
}
