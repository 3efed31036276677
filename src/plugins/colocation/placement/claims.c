/* SPDX-License-Identifier: Apache-2.0 */
/*
 * claims.c - lists of CPUs to claims. On v2 a pod's own group is narrowed, and its containers
 * follow. On v1 the containers' groups are, and the pod's is left wide: runtimes write a list into
 * each new container's group, and one that is not within the pod's fails the start.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "placement/state.h"

#define LIST_BYTES 2048u

struct choice {
	struct cpulist list;
	char why[160];
};

static void choose_whole_cores(const struct placement *placement, const struct member *owner,
			       struct choice *choice)
{
	if (owner->given) {
		choice->list = *owner->given;
		(void)snprintf(choice->why, sizeof(choice->why), "%u CPUs of its own: whole cores",
			       cpulist_count(owner->given));
		return;
	}
	if (cpulist_is_empty(&placement->given))
		return;
	cpulist_subtract(&choice->list, &placement->given);
	(void)snprintf(choice->why, sizeof(choice->why),
		       "critical workloads have %u CPUs to themselves",
		       cpulist_count(&placement->given));
}

static void choose_tide(const struct placement *placement, struct choice *choice)
{
	struct cpulist both = choice->list;

	cpulist_intersect(&both, &placement->offline_cpus);
	if (cpulist_is_empty(&both) || cpulist_equals(&both, &choice->list))
		return;
	choice->list = both;
	(void)snprintf(choice->why, sizeof(choice->why), "offline work has %u of %u CPUs: %s",
		       cpulist_count(&placement->offline_cpus), placement->topology.cpus,
		       placement->tide.why ? placement->tide.why : "");
}

/* owner: the pod of a container, else the member itself. False: it has all CPUs of the group above.
 */
static bool choose(const struct placement *placement, const struct member *owner,
		   struct choice *choice)
{
	const struct member *above = member_given_above(placement, owner);
	const struct cpulist *all = above ? above->given : &placement->topology.online;

	choice->list = *all;
	choice->why[0] = '\0';
	if (owner->ignored || owner->holds || owner->above_given)
		return false;
	/* What is in whole cores is in no others. */
	if (!above)
		choose_whole_cores(placement, owner, choice);
	if (placement->tidal && !placement->preferred && owner->offline)
		choose_tide(placement, choice);
	return !cpulist_equals(&choice->list, all);
}

/* What each prefers: offline work its share, online work the rest. */
static bool choose_preferred(const struct placement *placement, const struct member *owner,
			     struct choice *choice)
{
	if (!placement->tidal || !placement->preferred || placement->offline_count == 0 ||
	    owner->ignored || owner->holds)
		return false;
	choice->list = placement->topology.online;
	if (owner->offline)
		choice->list = placement->offline_cpus;
	else
		cpulist_subtract(&choice->list, &placement->offline_cpus);
	if (owner->given || member_given_above(placement, owner) || cpulist_is_empty(&choice->list))
		return false;
	(void)snprintf(choice->why, sizeof(choice->why), "%s work prefers %u of %u CPUs",
		       owner->offline ? "offline" : "online", cpulist_count(&choice->list),
		       placement->topology.cpus);
	return true;
}

/* Is it this group that gets the list? */
static bool is_place(const struct placement *placement, const struct member *member)
{
	if (placement->version == 1)
		return member->is_container || !member->is_pod;
	return !member->is_container;
}

static int claim_list(struct placement *placement, struct member *member, enum knob knob,
		      const struct choice *choice)
{
	const struct berth_target target = { .kind = TARGET_WORKLOAD, .id = member->id };
	struct agent *agent = placement->agent;
	char text[LIST_BYTES];
	const struct knob_value value = { .text = text };

	if (!choice) {
		if (member->claimed)
			agent->api->unclaim_as(agent, PLACEMENT_PART, target, knob);
		return 0;
	}
	if (cpulist_format(&choice->list, text, sizeof(text)) <= 0)
		return -ERANGE;
	return agent->api->claim_as(agent, PLACEMENT_PART, target, knob, &value, 0, choice->why);
}

static void describe(struct placement *placement, struct member *member,
		     const struct choice *choice, int error)
{
	const char *why_not = member->why_not ? member->why_not : "";
	char text[400], list[LIST_BYTES];
	bool has = choice && choice->why[0];

	if (member->is_container || (!has && !member->why_not && !member->described))
		return;
	member->described = has || member->why_not;
	if (!member->described) {
		placement->agent->api->describe(placement->agent, member->id, "placement", NULL);
		return;
	}
	if (has && cpulist_format(&choice->list, list, sizeof(list)) > 0)
		(void)snprintf(text, sizeof(text), "%.64s%s: %.150s%s%.32s%s%.100s", list,
			       strlen(list) > 64 ? "..." : "", choice->why,
			       error ? "; refused: " : "", error ? strerror(-error) : "",
			       why_not[0] ? "; no cores of its own: " : "", why_not);
	else
		(void)snprintf(text, sizeof(text), "no cores of its own: %.150s", why_not);
	placement->agent->api->describe(placement->agent, member->id, "placement", text);
}

void member_claim(struct placement *placement, struct member *member)
{
	const struct member *owner =
		member->is_container ? member_get(placement, member->pod) : member;
	bool place = is_place(placement, member);
	struct choice hard, soft;
	bool has_hard, has_soft;
	int r = 0, s = 0;

	if (!owner)
		return;
	has_hard = choose(placement, owner, &hard);
	has_soft = choose_preferred(placement, owner, &soft);
	/* The wider list first: preferred CPUs are some of those that are allowed. */
	s = claim_list(placement, member, KNOB_CPUSET_PREFERRED, place && has_soft ? &soft : NULL);
	r = claim_list(placement, member, KNOB_CPUSET_CPUS, place && has_hard ? &hard : NULL);
	member->claimed = place && (has_hard || has_soft);
	/* It went in the meantime, or its group is still to appear. */
	r = r == -ENOENT ? 0 : r;
	s = s == -ENOENT ? 0 : s;
	describe(placement, member, has_hard ? &hard : has_soft ? &soft : NULL, r ? r : s);
}

void placement_claim_all(struct placement *placement)
{
	struct member *member;

	hashmap_foreach (member, &placement->members)
		member_claim(placement, member);
}

static void tell_tidal(const struct placement *placement, char *text, size_t size)
{
	char list[LIST_BYTES];

	if (!placement->tidal || placement->offline_count == 0 ||
	    cpulist_format(&placement->offline_cpus, list, sizeof(list)) < 0) {
		(void)snprintf(text, size, "%.150s%s", placement->why_tidal,
			       placement->tidal ? "; no offline work" : "");
		return;
	}
	(void)snprintf(text, size, "%.80s: offline work %s %u of %u CPUs (%.40s%s)%s%s",
		       placement->why_tidal, placement->preferred ? "prefers" : "has",
		       cpulist_count(&placement->offline_cpus), placement->topology.cpus, list,
		       strlen(list) > 40 ? "..." : "", placement->preferred ? "" : "; ",
		       placement->preferred || !placement->tide.why ? "" : placement->tide.why);
}

void placement_tell(struct placement *placement)
{
	struct agent *agent = placement->agent;
	unsigned int given = cpulist_count(&placement->given);
	char text[320];

	tell_tidal(placement, text, sizeof(text));
	agent->api->describe(agent, 0, "tidal", text);
	if (placement->whole_cores)
		(void)snprintf(text, sizeof(text), "%.120s: %u CPUs are critical workloads' own",
			       placement->why_cores, given);
	else
		(void)snprintf(text, sizeof(text), "%.150s", placement->why_cores);
	agent->api->describe(agent, 0, "smt", text);
	if (placement->offline_metric)
		agent->api->metric_set(agent, placement->offline_metric, 0,
				       placement->tidal && placement->offline_count > 0
					       ? cpulist_count(&placement->offline_cpus)
					       : placement->topology.cpus - given);
	if (placement->given_metric)
		agent->api->metric_set(agent, placement->given_metric, 0, given);
}
