/* SPDX-License-Identifier: Apache-2.0 */
/* host-claims.c - what each instance has claimed, so that nothing of it outlives the instance. */
#include <errno.h>
#include <stdlib.h>

#include "plugin/host-internal.h"

_Static_assert(KNOB_MAX <= 64, "struct claimed holds a bit for each knob");
_Static_assert(TARGET_NET >> TARGET_BITS == 0, "the last kind of target fits its bits");

/* Ids are counted up and device numbers have 44 bits: the bits are to spare. */
static uint64_t claim_key(struct berth_target target)
{
	return target.id << TARGET_BITS | (uint64_t)target.kind;
}

static struct claimed *claimed_get(const struct instance *instance, unsigned int part,
				   struct berth_target target, uint64_t device)
{
	struct claimed *claimed = hashmap_get_u64(&instance->claims, claim_key(target));

	while (claimed && (claimed->device != device || claimed->part != part))
		claimed = claimed->next;
	return claimed;
}

static struct claimed *claimed_make(struct instance *instance, unsigned int part,
				    struct berth_target target, uint64_t device)
{
	struct claimed *claimed = claimed_get(instance, part, target, device);
	struct claimed *first = hashmap_get_u64(&instance->claims, claim_key(target));

	if (claimed)
		return claimed;
	claimed = calloc(1, sizeof(*claimed));
	if (!claimed)
		return NULL;
	claimed->target = target;
	claimed->device = device;
	claimed->part = part;
	if (first) {
		claimed->next = first->next;
		first->next = claimed;
		return claimed;
	}
	if (hashmap_put_u64(&instance->claims, claim_key(target), claimed) < 0) {
		free(claimed);
		return NULL;
	}
	return claimed;
}

static bool claimed_has(const struct instance *instance, unsigned int part,
			struct berth_target target, uint64_t device, enum knob knob)
{
	const struct claimed *claimed =
		instance ? claimed_get(instance, part, target, device) : NULL;

	return claimed && (claimed->knobs & UINT64_C(1) << knob);
}

/* Without it a plugin that claims what is refused, target after target, would fill the memory. */
static void claimed_forget_empty(struct instance *instance, struct claimed *claimed)
{
	struct claimed *before = hashmap_get_u64(&instance->claims, claim_key(claimed->target));

	if (claimed->knobs != 0)
		return;
	if (before != claimed) {
		while (before->next != claimed)
			before = before->next;
		before->next = claimed->next;
		free(claimed);
		return;
	}
	/* The map holds the first: the next one, if any, takes the place. */
	hashmap_remove_u64(&instance->claims, claim_key(claimed->target));
	if (claimed->next)
		(void)hashmap_put_u64(&instance->claims, claim_key(claimed->target), claimed->next);
	free(claimed);
}

static void claimed_free(struct claimed *claimed)
{
	while (claimed) {
		struct claimed *next = claimed->next;

		free(claimed);
		claimed = next;
	}
}

static bool knob_is_known(enum knob knob)
{
	return (unsigned int)knob < KNOB_MAX;
}

static int part_claim(struct instance *instance, unsigned int part, struct berth_target target,
		      uint64_t device, enum knob knob, const struct knob_value *value,
		      uint64_t lease_usec, const char *reason)
{
	const struct host_plugin *plugin = instance->plugin;
	struct actuator_target resolved;
	struct claimed *claimed;
	char label[512];
	int r;

	if (instance->ending)
		return -ECANCELED;
	if (!value || target.id > UINT64_MAX >> TARGET_BITS)
		return -EINVAL;
	if (!knob_is_known(knob))
		return -EOPNOTSUPP;
	r = host_target(plugin->host, target, label, sizeof(label), &resolved);
	if (r < 0)
		return r;
	claimed = claimed_make(instance, part, target, device);
	if (!claimed)
		return -ENOMEM;
	resolved.device = device;
	r = actuator_claim(plugin->host->context.actuator, plugin_owner(plugin, part), &resolved,
			   knob, value, lease_usec, reason ? reason : "");
	if (r >= 0)
		claimed->knobs |= UINT64_C(1) << knob;
	claimed_forget_empty(instance, claimed);
	return r;
}

int host_claim_device(struct agent *agent, struct berth_target target, uint64_t device,
		      enum knob knob, const struct knob_value *value, uint64_t lease_usec,
		      const char *reason)
{
	struct instance *instance = container_of(agent, struct instance, agent);

	return part_claim(instance, 0, target, device, knob, value, lease_usec, reason);
}

int host_claim_as(struct agent *agent, const char *part, struct berth_target target, enum knob knob,
		  const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	int number = plugin_part(instance->plugin, part, true);

	return number < 0 ? number
			  : part_claim(instance, (unsigned int)number, target, 0, knob, value,
				       lease_usec, reason);
}

int host_claim(struct agent *agent, struct berth_target target, enum knob knob,
	       const struct knob_value *value, uint64_t lease_usec, const char *reason)
{
	return host_claim_device(agent, target, 0, knob, value, lease_usec, reason);
}

static void part_unclaim(struct instance *instance, unsigned int part, struct berth_target target,
			 uint64_t device, enum knob knob)
{
	const struct host_plugin *plugin = instance->plugin;
	struct claimed *claimed;

	if (!knob_is_known(knob) || !claimed_has(instance, part, target, device, knob))
		return;
	claimed = claimed_get(instance, part, target, device);
	claimed->knobs &= ~(UINT64_C(1) << knob);
	claimed_forget_empty(instance, claimed);
	/* In its stop() beside its successor, which holds the same claim now. */
	if (plugin->running != instance && claimed_has(plugin->running, part, target, device, knob))
		return;
	actuator_unclaim_device(plugin->host->context.actuator, plugin_owner(plugin, part), target,
				device, knob);
}

void host_unclaim_device(struct agent *agent, struct berth_target target, uint64_t device,
			 enum knob knob)
{
	part_unclaim(container_of(agent, struct instance, agent), 0, target, device, knob);
}

void host_unclaim_as(struct agent *agent, const char *part, struct berth_target target,
		     enum knob knob)
{
	struct instance *instance = container_of(agent, struct instance, agent);
	int number = plugin_part(instance->plugin, part, false);

	if (number >= 0)
		part_unclaim(instance, (unsigned int)number, target, 0, knob);
}

void host_unclaim(struct agent *agent, struct berth_target target, enum knob knob)
{
	host_unclaim_device(agent, target, 0, knob);
}

/* All devices of one target. */
static void claimed_drop(const struct instance *instance, const struct claimed *claimed,
			 const struct instance *successor)
{
	const struct host_plugin *plugin = instance->plugin;

	for (; claimed; claimed = claimed->next)
		for (unsigned int knob = 0; knob < KNOB_MAX; knob++)
			if ((claimed->knobs & UINT64_C(1) << knob) &&
			    !claimed_has(successor, claimed->part, claimed->target, claimed->device,
					 (enum knob)knob))
				actuator_unclaim_device(plugin->host->context.actuator,
							plugin_owner(plugin, claimed->part),
							claimed->target, claimed->device,
							(enum knob)knob);
}

void instance_drop_claims(struct instance *instance, const struct instance *successor)
{
	struct claimed *claimed;

	hashmap_foreach (claimed, &instance->claims) {
		if (successor)
			claimed_drop(instance, claimed, successor);
		claimed_free(claimed);
	}
	hashmap_done(&instance->claims);
	for (unsigned int part = 0; !successor && part < LIMIT_PLUGIN_PARTS; part++)
		if (plugin_owner(instance->plugin, part))
			actuator_drop_owner(instance->plugin->host->context.actuator,
					    plugin_owner(instance->plugin, part));
}

void instance_unclaim_workload(struct instance *instance, uint64_t id)
{
	claimed_drop(instance,
		     hashmap_get_u64(&instance->claims,
				     claim_key((struct berth_target){ TARGET_WORKLOAD, id })),
		     NULL);
	instance_forget_workload(instance, id);
}

void instance_forget_workload(struct instance *instance, uint64_t id)
{
	claimed_free(hashmap_remove_u64(&instance->claims,
					claim_key((struct berth_target){ TARGET_WORKLOAD, id })));
}
