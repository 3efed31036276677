/* SPDX-License-Identifier: Apache-2.0 */
/* claim.c - who asks for what, and for how long. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actuator/claim/internal.h"
#include "actuator/knob/bwm.h"
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

static int claim_set_text(struct actuator *actuator, struct claim *claim, const char *text)
{
	const char *interned = text ? intern_get(&actuator->strings, text) : NULL;

	if (text && !interned)
		return -ENOMEM;
	intern_put(&actuator->strings, claim->text);
	claim->text = interned;
	return 0;
}

int claim_add(struct actuator *actuator, struct holding *holding, const char *owner,
	      uint64_t number, const char *text, uint64_t expires_usec, const char *reason)
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
	if (!claim->owner || claim_set_reason(actuator, claim, reason) < 0 ||
	    claim_set_text(actuator, claim, text) < 0) {
		intern_put(&actuator->strings, claim->owner);
		intern_put(&actuator->strings, claim->reason);
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
	intern_put(&actuator->strings, claim->text);
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
		.target = target->target,
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

/* One line of printable text that fits a record and a write. */
static bool claim_text_is_valid(enum knob knob, const char *text)
{
	size_t length = text ? strlen(text) : 0;

	if (length == 0 || length >= KNOB_TEXT_MAX / 2)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] > '~')
			return false;
	/* Part of a shell's command line, once it is written. */
	return !(knob_table[knob].flags & KNOB_BWM) || bwm_knob_text(knob, text);
}

/* In one form, so that one list has one number. */
static int claim_normalize_cpus(const struct knob_row *row, const struct knob_value *value,
				struct knob_value *ret, char *text, size_t size)
{
	struct cpulist list;

	*ret = *value;
	if (!(row->flags & KNOB_CPULIST))
		return 0;
	if (cpulist_parse(value->text, &list) < 0 || cpulist_is_empty(&list))
		return -EINVAL;
	if (cpulist_format(&list, text, size) < 0)
		return -ERANGE;
	ret->text = text;
	return 0;
}

/* Which of the device's numbers the holding goes by; -EINVAL: the knob does not fit the target. */
static int claim_device(const struct knob_row *row, struct berth_target target, uint64_t device,
			uint32_t *ret)
{
	bool root = row->flags & KNOB_ROOT, net = row->flags & KNOB_NET;

	if (root != (target.kind == TARGET_DEVICE || target.kind == TARGET_NET) ||
	    net != (target.kind == TARGET_NET) || (root && device != 0))
		return -EINVAL;
	if (root)
		device = target.id;
	if ((device != 0) != ((row->flags & KNOB_DEVICE) != 0))
		return -EINVAL;
	return device_from_dev(device, ret);
}

static int claim_check(struct actuator *actuator, const struct actuator_target *target,
		       enum knob knob, const struct knob_value *value, uint32_t *ret_device)
{
	const struct knob_row *row;
	bool host = target->target.kind == TARGET_HOST;
	uint64_t number = value->number;
	int version, r;

	if ((unsigned int)knob >= KNOB_MAX)
		return -EINVAL;
	row = &knob_table[knob];
	if (target->target.kind == TARGET_CPU)
		return -EOPNOTSUPP;
	if (host != ((row->flags & KNOB_HOST) != 0) ||
	    (row->type == KNOB_TYPE_TEXT && !claim_text_is_valid(knob, value->text)))
		return -EINVAL;
	r = claim_device(row, target->target, target->device, ret_device);
	if (r < 0)
		return r;
	if (row->type == KNOB_TYPE_TEXT)
		number = row->max;
	if (row->type == KNOB_TYPE_S64
		    ? (int64_t)number < (int64_t)row->min || (int64_t)number > (int64_t)row->max
		    : number < row->min || number > row->max)
		return -ERANGE;
	if (actuator->probed && !actuator->capabilities.knobs[knob].available)
		return -EOPNOTSUPP;
	if (row->flags & (KNOB_HOST | KNOB_PROCESSES | KNOB_NET))
		return 0;
	version = knob_place_version(
		&(struct knob_place){ .hierarchy = actuator->context.hierarchy, .knob = knob });
	return version && knob_file(knob, version) ? 0 : -EOPNOTSUPP;
}

static void claim_tell_disjoint(struct actuator *actuator, const struct holding *holding,
				const char *owner, const char *list)
{
	struct cpulist left, asked;
	char text[96];

	if (!holding_cpus(actuator, holding, &left) || cpulist_parse(list, &asked) < 0)
		return;
	cpulist_intersect(&asked, &left);
	if (!cpulist_is_empty(&asked))
		return;
	(void)snprintf(text, sizeof(text), "%s is passed over: none of its CPUs is left", owner);
	actuator_tell(actuator, holding, "conflict", list, text, -EBUSY);
}

/* list: of CPUs, else NULL. */
static void claim_tell_conflict(struct actuator *actuator, const struct holding *holding,
				const char *owner, uint64_t number, const char *list)
{
	const struct claim *effective = holding_effective_claim(holding);
	char text[96];

	if (knob_table[holding->knob].merge == MERGE_INTERSECT) {
		claim_tell_disjoint(actuator, holding, owner, list);
		return;
	}
	if (knob_table[holding->knob].merge != MERGE_EXCLUSIVE || !effective ||
	    effective->number == number)
		return;
	(void)snprintf(text, sizeof(text), "%s is refused, %s holds it", owner, effective->owner);
	actuator_tell(actuator, holding, "conflict", "", text, -EBUSY);
}

static int claim_renew(struct actuator *actuator, struct holding *holding, struct claim *claim,
		       uint64_t number, const char *text, uint64_t expires_usec, const char *reason)
{
	bool changed = claim->number != number;
	int r = claim_set_reason(actuator, claim, reason);

	if (r == 0 && changed)
		r = claim_set_text(actuator, claim, text);

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

/* A claim of its own, or again. */
static int claim_make(struct actuator *actuator, struct holding *holding, const char *owner,
		      const struct knob_value *value, uint64_t expires_usec, const char *reason)
{
	bool is_text = knob_table[holding->knob].type == KNOB_TYPE_TEXT;
	const char *text = is_text ? value->text : NULL;
	uint64_t number = is_text ? hash_bytes(text, strlen(text)) : value->number;
	struct claim *claim = claim_find(holding, owner), *previous;
	int r;

	if (claim)
		return claim_renew(actuator, holding, claim, number, text, expires_usec, reason);
	previous = claim_find(holding, OWNER_PREVIOUS);
	if (!previous)
		claim_tell_conflict(actuator, holding, owner, number, text);
	r = claim_add(actuator, holding, owner, number, text, expires_usec, reason);
	/* Whoever claims again takes over from the run before. */
	if (r == 0 && previous)
		claim_free(actuator, previous);
	holding_settle(actuator, holding);
	return r;
}

int actuator_claim(struct actuator *actuator, const char *owner,
		   const struct actuator_target *target, enum knob knob,
		   const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	uint64_t expires = lease_usec ? actuator_now(actuator) + lease_usec : 0;
	char text[KNOB_TEXT_MAX];
	struct knob_value normal;
	struct holding *holding;
	struct group *group;
	uint32_t device = 0;
	int r = claim_check(actuator, target, knob, value, &device);

	if (r == 0)
		r = claim_normalize_cpus(&knob_table[knob], value, &normal, text, sizeof(text));

	if (r == 0 && value->number != 0 && claim_harms_kubelet(actuator, owner, target, knob))
		r = -EPERM;
	if (r == 0)
		r = group_for_target(actuator, target, &group);
	if (r == 0)
		r = holding_get_device(actuator, group, knob, device, &holding);
	if (r == 0)
		r = claim_make(actuator, holding, owner, &normal, expires, reason);
	actuator_sweep(actuator);
	return r;
}

void actuator_unclaim_device(struct actuator *actuator, const char *owner,
			     struct berth_target target, uint64_t device, enum knob knob)
{
	struct group *group = group_find_target(actuator, target);
	uint32_t number = 0;
	struct holding *holding = NULL;
	struct claim *claim;

	if (target.kind == TARGET_DEVICE || target.kind == TARGET_NET)
		device = target.id;
	if (group && device_from_dev(device, &number) == 0)
		holding = holding_find_device(group, knob, number);
	claim = holding ? claim_find(holding, owner) : NULL;
	if (!claim)
		return;
	claim_free(actuator, claim);
	holding_settle(actuator, holding);
	actuator_sweep(actuator);
}

void actuator_unclaim(struct actuator *actuator, const char *owner, struct berth_target target,
		      enum knob knob)
{
	actuator_unclaim_device(actuator, owner, target, 0, knob);
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
