/* SPDX-License-Identifier: Apache-2.0 */
/* claim.c - who asks for what, and for how long. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/actuator-internal.h"
#include "kube-cgroup.h"
#include "limit.h"

struct claim *claim_find(const struct holding *holding, const char *owner)
{
	struct claim *claim;

	list_foreach (claim, &holding->claims, list)
		if (strcmp(claim->owner, owner) == 0)
			return claim;
	return NULL;
}

/* Cut where a character begins. */
static void reason_bound(const char *reason, char *text, size_t size)
{
	size_t length = strlen(reason);

	if (length >= size) {
		length = size - 1;
		while (length > 0 && ((unsigned char)reason[length] & 0xc0u) == 0x80u)
			length--;
	}
	memcpy(text, reason, length);
	text[length] = '\0';
}

static int claim_set_reason(struct actuator *actuator, struct claim *claim, const char *reason)
{
	char text[LIMIT_REASON];
	const char *interned;

	reason_bound(reason ? reason : "", text, sizeof(text));
	if (claim->reason && strcmp(claim->reason, text) == 0)
		return 0;
	interned = intern_get(&actuator->strings, text);
	if (!interned)
		return -ENOMEM;
	intern_put(&actuator->strings, claim->reason);
	claim->reason = interned;
	return 0;
}

int claim_add(struct actuator *actuator, struct holding *holding, const char *owner,
	      uint64_t number, uint64_t expires_usec, const char *reason)
{
	struct claim *claim;

	if (actuator->stats.claims >= LIMIT_CLAIMS) {
		actuator->stats.limit_hits++;
		return -ENOSPC;
	}
	claim = calloc(1, sizeof(*claim));
	if (!claim)
		return -ENOMEM;
	claim->owner = intern_get(&actuator->strings, owner);
	if (!claim->owner || claim_set_reason(actuator, claim, reason) < 0) {
		intern_put(&actuator->strings, claim->owner);
		free(claim);
		return -ENOMEM;
	}
	claim->number = number;
	claim->expires_usec = expires_usec;
	list_append(&holding->claims, &claim->list);
	actuator->stats.claims++;
	if (expires_usec)
		due_at(actuator, expires_usec);
	return 0;
}

void claim_free(struct actuator *actuator, struct claim *claim)
{
	list_unlink(&claim->list);
	intern_put(&actuator->strings, claim->owner);
	intern_put(&actuator->strings, claim->reason);
	free(claim);
	actuator->stats.claims--;
}

/* The last line, whatever a plugin thinks: while cpu.idle is set the kernel refuses the weight, and
 * a kubelet that cannot write the weights of its root and its QoS classes does not start. */
static bool claim_harms_kubelet(struct actuator *actuator, const char *owner,
				const struct actuator_target *target, enum knob knob)
{
	struct kube_cgroup kube;
	struct history_view view = {
		.owner = owner,
		.what = "refuse",
		.argument = knob_table[knob].name,
		.reason = "the kubelet writes this group and fails under it",
		.outcome = "refused",
		.result = -EPERM,
	};

	if (knob_table[knob].locks < 0 || !target->group || !target->group->path)
		return false;
	kube_cgroup_parse(target->group->path, &kube);
	if (kube.kind != KUBE_ROOT && kube.kind != KUBE_CLASS)
		return false;
	view.label = target->group->path;
	/* A plugin may ask at every tick. */
	if (log_limit_pass(&actuator->refuse_limit, LOG_WARNING)) {
		(void)history_add(actuator->history, &view);
		log_warning("%s of '%s' is refused to %s: the kubelet writes this group and fails "
			    "under it",
			    knob_table[knob].name, target->group->path, owner);
	}
	return true;
}

static int claim_check(struct actuator *actuator, const struct actuator_target *target,
		       enum knob knob, uint64_t number)
{
	const struct knob_row *row;
	bool host = target->target.kind == TARGET_HOST;
	int version;

	if ((unsigned int)knob >= KNOB_MAX)
		return -EINVAL;
	row = &knob_table[knob];
	if (!host && target->target.kind != TARGET_WORKLOAD)
		return -EOPNOTSUPP;
	if (host != ((row->flags & KNOB_HOST) != 0) || row->type == KNOB_TYPE_TEXT)
		return -EINVAL;
	if (row->type == KNOB_TYPE_S64
		    ? (int64_t)number < (int64_t)row->min || (int64_t)number > (int64_t)row->max
		    : number < row->min || number > row->max)
		return -ERANGE;
	if (actuator->probed && !actuator->capabilities.knobs[knob].available)
		return -EOPNOTSUPP;
	if (row->flags & (KNOB_HOST | KNOB_PROCESSES))
		return 0;
	version = actuator->context.hierarchy->mounts[row->controller].version;
	return version && knob_file(knob, version) ? 0 : -EOPNOTSUPP;
}

static void claim_tell_conflict(struct actuator *actuator, const struct holding *holding,
				const char *owner, uint64_t number)
{
	const struct claim *effective = holding_effective_claim(holding);
	char text[96];

	if (knob_table[holding->knob].merge != MERGE_EXCLUSIVE || !effective ||
	    effective->number == number)
		return;
	(void)snprintf(text, sizeof(text), "%s is refused, %s holds it", owner, effective->owner);
	actuator_tell(actuator, holding, "conflict", "", text, -EBUSY);
}

static int claim_renew(struct actuator *actuator, struct holding *holding, struct claim *claim,
		       uint64_t number, uint64_t expires_usec, const char *reason)
{
	bool changed = claim->number != number;
	int r = claim_set_reason(actuator, claim, reason);

	if (r < 0)
		return r;
	claim->number = number;
	claim->expires_usec = expires_usec;
	if (expires_usec)
		due_at(actuator, expires_usec);
	/* What costs nothing when nothing changed is what lets plugins renew at every tick. */
	if (changed)
		holding_settle(actuator, holding);
	return 0;
}

int actuator_claim(struct actuator *actuator, const char *owner,
		   const struct actuator_target *target, enum knob knob,
		   const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	uint64_t expires = lease_usec ? actuator_now(actuator) + lease_usec : 0;
	struct holding *holding;
	struct claim *claim, *previous;
	struct group *group;
	int r = claim_check(actuator, target, knob, value->number);

	if (r == 0 && value->number != 0 && claim_harms_kubelet(actuator, owner, target, knob))
		r = -EPERM;
	if (r == 0)
		r = group_for_target(actuator, target, &group);
	if (r == 0)
		r = holding_get(actuator, group, knob, &holding);
	if (r == 0) {
		claim = claim_find(holding, owner);
		if (claim) {
			r = claim_renew(actuator, holding, claim, value->number, expires, reason);
			actuator_sweep(actuator);
			return r;
		}
		previous = claim_find(holding, OWNER_PREVIOUS);
		if (!previous)
			claim_tell_conflict(actuator, holding, owner, value->number);
		r = claim_add(actuator, holding, owner, value->number, expires, reason);
		/* Whoever claims again takes over from the run before. */
		if (r == 0 && previous)
			claim_free(actuator, previous);
		holding_settle(actuator, holding);
	}
	actuator_sweep(actuator);
	return r;
}

void actuator_unclaim(struct actuator *actuator, const char *owner, struct berth_target target,
		      enum knob knob)
{
	struct group *group = group_find_target(actuator, target);
	struct holding *holding = group ? holding_find(group, knob) : NULL;
	struct claim *claim = holding ? claim_find(holding, owner) : NULL;

	if (!claim)
		return;
	claim_free(actuator, claim);
	holding_settle(actuator, holding);
	actuator_sweep(actuator);
}

void actuator_drop_owner(struct actuator *actuator, const char *owner)
{
	/* The caller's text may be a claim's own, which ends with the last of them. */
	const char *name = intern_get(&actuator->strings, owner);
	struct holding *holding;

	list_foreach (holding, &actuator->holdings, list) {
		struct claim *claim = claim_find(holding, name ? name : owner);

		if (!claim)
			continue;
		claim_free(actuator, claim);
		holding_settle(actuator, holding);
	}
	intern_put(&actuator->strings, name);
	actuator_sweep(actuator);
}

void actuator_target_gone(struct actuator *actuator, struct berth_target target)
{
	struct group *group = group_find_target(actuator, target);
	struct holding *holding;

	if (!group || target.kind != TARGET_WORKLOAD)
		return;
	group_unbind(actuator, group, target.id);
	/* A second name of a group that lives on under its first. */
	if (group->targets == 0) {
		list_foreach (holding, &group->holdings, in_group) {
			holding_kill(actuator, holding);
			holding_settle_above(actuator, holding);
		}
	}
	actuator_sweep(actuator);
}

void actuator_target_changed(struct actuator *actuator, const struct actuator_target *target)
{
	struct group *group = group_find_target(actuator, target->target);
	struct holding *holding;

	if (!group || !target->group || group_for_target(actuator, target, &group) < 0)
		return;
	list_foreach (holding, &group->holdings, in_group) {
		if (holding->processes) {
			(void)process_knob_set_group(holding->processes, &group->cgroup);
			/* They are looked up in the first hierarchy that the group is in, which may
			 * be another one now. */
			drift_unwatch(actuator, holding);
		}
		if (holding->status != KNOB_PENDING && holding->status != KNOB_FAILED &&
		    !holding->processes)
			continue;
		holding_unsettle(holding);
		holding_settle(actuator, holding);
	}
	actuator_sweep(actuator);
}
