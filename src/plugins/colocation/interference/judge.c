/* SPDX-License-Identifier: Apache-2.0 */
/*
 * judge.c - victims that suffer accuse, the one to blame is throttled for a time, and what that
 * did to the victim says whether it was right: if the victim is well, the time runs out and the
 * next one is longer; if not, the throttle gets harder or ends, and another one is to blame.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "interference/run.h"
#include "macro.h"

#define SERVICE             "interference"
#define QUOTA_USEC_OF_MILLI 100u /* a thousandth of a core in 100 ms */
#define DEPTH_MAX           64

/* ---- counts ---- */

static void show_count(struct interference *service, enum throttle_result result)
{
	static const char *const labels[THROTTLE_RESULTS] = {
		[THROTTLE_BEGUN] = "result=\"begun\"",     [THROTTLE_HELPED] = "result=\"helped\"",
		[THROTTLE_USELESS] = "result=\"useless\"", [THROTTLE_ENDED] = "result=\"ended\"",
		[THROTTLE_REFUSED] = "result=\"refused\"",
	};

	service->agent->api->metric_set_labels(service->agent, service->throttles, labels[result],
					       (double)service->results[result]);
}

void judge_show_counts(struct interference *service)
{
	for (int i = 0; i < THROTTLE_RESULTS; i++)
		show_count(service, (enum throttle_result)i);
}

static void count_result(struct interference *service, enum throttle_result result)
{
	service->results[result]++;
	show_count(service, result);
}

/* ---- throttling ---- */

static struct berth_target target_of(const struct track *track)
{
	return (struct berth_target){ .kind = TARGET_WORKLOAD, .id = track->id };
}

void throttle_end(struct interference *service, struct track *suspect, enum throttle_result result)
{
	static const char *const what[THROTTLE_RESULTS] = {
		[THROTTLE_HELPED] = "was throttled, which helped",
		[THROTTLE_USELESS] = "was throttled, which did not help",
		[THROTTLE_ENDED] = "was throttled, which is over",
	};
	const struct agent_api *api = service->agent->api;

	if (!suspect->until_usec)
		return;
	api->unclaim_as(service->agent, SERVICE, target_of(suspect), KNOB_CPU_QUOTA_USEC);
	suspect->until_usec = 0;
	suspect->ended_usec = service->now_usec;
	count_result(service, result);
	evidence_describe_suspect(service, suspect, what[result]);
	api->metric_set(service->agent, service->throttled, suspect->id, 0);
	api->tell(service->agent, SERVICE, suspect->id, what[result], suspect->reason);
}

void throttle_gone(struct interference *service, const struct track *suspect)
{
	if (suspect->until_usec)
		count_result(service, THROTTLE_ENDED);
}

/* How long, by how often it was to blame; long enough to see whether it helps. */
static uint64_t throttle_usec(const struct interference *service, const struct track *suspect)
{
	uint64_t usec = MAX(service->config->throttle_usec,
			    INTERFERENCE_POINTS_TO * service->law.period_usec);

	return usec << suspect->repeats;
}

/* Claim, or claim again: what is asked for is kept until a round has judged it; the lease is for
 * the case that there is none. */
static int throttle_claim(struct interference *service, struct track *suspect)
{
	const struct agent_api *api = service->agent->api;
	struct knob_value value = { .number = suspect->quota_usec };
	uint64_t left = suspect->until_usec - service->now_usec, own;

	/* Never more than it has by itself, which may have become less since. */
	if (api->knob_value(service->agent, target_of(suspect), KNOB_CPU_QUOTA_USEC, &own, NULL) >=
	    0)
		value.number = MIN(value.number, own);
	return api->claim_as(service->agent, SERVICE, target_of(suspect), KNOB_CPU_QUOTA_USEC,
			     &value, left + 2 * service->config->every_usec, suspect->reason);
}

static void throttle_tell(struct interference *service, const struct track *suspect)
{
	char what[96];

	(void)snprintf(
		what, sizeof(what), "throttled to %.2f CPU for %llu s",
		(double)suspect->quota_usec / 100000,
		(unsigned long long)((suspect->until_usec - suspect->since_usec) / USEC_PER_SEC));
	service->agent->api->tell(service->agent, SERVICE, suspect->id, what, suspect->reason);
}

static uint64_t quota_of(const struct interference *service, const struct law_suspect *facts,
			 bool hard)
{
	uint64_t least = service->config->throttle_milli;
	uint64_t first = (uint64_t)(facts->use * 10 * (double)service->config->first_percent);

	return (hard ? least : MAX(first, least)) * QUOTA_USEC_OF_MILLI;
}

/* Not to be blamed for what this one suffers, for a while. */
static void victim_clear(const struct interference *service, struct track *victim,
			 const struct track *suspect)
{
	unsigned int i = victim->cleared_next++ % INTERFERENCE_CLEARED;

	victim->cleared[i].suspect = suspect->id;
	victim->cleared[i].until_usec =
		service->now_usec + INTERFERENCE_FORGIVEN * service->config->throttle_usec;
}

static bool is_cleared(const struct interference *service, const struct track *victim,
		       const struct track *suspect)
{
	for (size_t i = 0; i < INTERFERENCE_CLEARED; i++)
		if (victim->cleared[i].suspect == suspect->id &&
		    service->now_usec < victim->cleared[i].until_usec)
			return true;
	return false;
}

/* It is not asked for again and again. */
static void throttle_refused(struct interference *service, struct track *suspect,
			     struct track *victim, int error)
{
	char text[96];

	suspect->until_usec = 0;
	victim_clear(service, victim, suspect);
	count_result(service, THROTTLE_REFUSED);
	(void)snprintf(text, sizeof(text), "cannot be throttled (%s)", strerror(-error));
	evidence_describe_suspect(service, suspect, text);
}

static void throttle_begin(struct interference *service, struct track *suspect,
			   struct track *victim, const struct law_suspect *facts, bool correlates)
{
	const struct agent_api *api = service->agent->api;
	bool again = suspect->ended_usec != 0 &&
		     service->now_usec - suspect->ended_usec <
			     INTERFERENCE_FORGIVEN * service->config->throttle_usec;
	int r;

	suspect->repeats = again ? MIN(suspect->repeats + 1, INTERFERENCE_REPEATS) : 0;
	suspect->victim = victim->id;
	suspect->correlates = correlates;
	suspect->hard = service->config->first_percent == 0;
	suspect->quota_usec = quota_of(service, facts, suspect->hard);
	suspect->since_usec = service->now_usec;
	suspect->until_usec = service->now_usec + throttle_usec(service, suspect);
	evidence_reason(service, suspect, victim, facts);
	r = throttle_claim(service, suspect);
	if (r < 0) {
		throttle_refused(service, suspect, victim, r);
		return;
	}
	count_result(service, THROTTLE_BEGUN);
	evidence_describe_suspect(service, suspect, "throttled");
	api->metric_set(service->agent, service->throttled, suspect->id, 1);
	throttle_tell(service, suspect);
}

/* ---- what became of it ---- */

static void throttle_harden(struct interference *service, struct track *suspect,
			    struct track *victim)
{
	int r;

	suspect->hard = true;
	suspect->quota_usec = service->config->throttle_milli * QUOTA_USEC_OF_MILLI;
	suspect->since_usec = service->now_usec;
	suspect->until_usec = service->now_usec + throttle_usec(service, suspect);
	r = throttle_claim(service, suspect);
	if (r < 0) {
		throttle_refused(service, suspect, victim, r);
		return;
	}
	evidence_describe_suspect(service, suspect, "throttled harder");
	throttle_tell(service, suspect);
}

/* It was not to blame: not for this victim, nor for others that suffer all the same. */
static void throttle_clear(struct interference *service, struct track *suspect)
{
	struct track *victim;

	hashmap_foreach (victim, &service->tracks) {
		if (victim->role != ROLE_VICTIM ||
		    !law_suffers(&service->law, &victim->series, &victim->spec, service->now_usec,
				 suspect->since_usec))
			continue;
		victim_clear(service, victim, suspect);
		victim->useless++;
	}
	throttle_end(service, suspect, THROTTLE_USELESS);
	/* So it is no repeat. */
	suspect->repeats = 0;
	suspect->ended_usec = 0;
}

/* Did the victim tell how it is, since then, as often as makes a verdict? It may have gone idle, or
 * what was learned of it be another signal's. */
static bool was_watched(const struct interference *service, const struct track *suspect,
			const struct track *victim)
{
	return law_has_learned(&service->law, &victim->spec) &&
	       law_count_since(&service->law, &victim->series, suspect->since_usec) >= LAW_OUT;
}

static void throttle_settle(struct interference *service, struct track *suspect)
{
	struct track *victim = track_get(service, suspect->victim);
	uint64_t now = service->now_usec;
	bool suffers;

	if (!victim || victim->role != ROLE_VICTIM) {
		throttle_end(service, suspect, THROTTLE_ENDED);
		return;
	}
	suffers = law_suffers(&service->law, &victim->series, &victim->spec, now,
			      suspect->since_usec);
	if (suffers && now - suspect->since_usec >= LAW_RECENT * service->law.period_usec) {
		if (suspect->hard)
			throttle_clear(service, suspect);
		else
			throttle_harden(service, suspect, victim);
		return;
	}
	if (now >= suspect->until_usec && !was_watched(service, suspect, victim)) {
		throttle_end(service, suspect, THROTTLE_ENDED);
		return;
	}
	if (now >= suspect->until_usec) {
		victim->useless = 0;
		throttle_end(service, suspect, THROTTLE_HELPED);
		return;
	}
	(void)throttle_claim(service, suspect);
	evidence_describe_suspect(service, suspect, "throttled");
}

/* ---- accusing ---- */

static void shelters_each(void *self, const struct berth_workload *below)
{
	struct interference *service = interference_of(self);
	const struct track *track = track_get(service, below->id);

	if (below->qos >= QOS_NORMAL || (track && track->role == ROLE_VICTIM))
		service->found = true;
	if (service->found || service->depth >= DEPTH_MAX)
		return;
	service->depth++;
	service->agent->api->each_child(service->agent, below->id, shelters_each);
	service->depth--;
}

/* Is something online below it, that would be throttled as well? */
static bool shelters(struct interference *service, uint64_t id)
{
	service->found = false;
	service->depth = 0;
	service->agent->api->each_child(service->agent, id, shelters_each);
	return service->found;
}

/* Who may be blamed. */
static size_t suspects_gather(struct interference *service, const struct track *victim,
			      struct law_suspect *ret)
{
	struct track *suspect;
	size_t count = 0;

	hashmap_foreach (suspect, &service->tracks) {
		if (suspect->role != ROLE_SUSPECT || suspect->until_usec ||
		    is_cleared(service, victim, suspect) || shelters(service, suspect->id))
			continue;
		ret[count++] = (struct law_suspect){
			.id = suspect->id,
			.correlation =
				law_correlation(&service->law, &victim->series, &victim->spec,
						&suspect->series, service->now_usec),
			.use = law_recent_use(&service->law, &suspect->series, service->now_usec),
		};
	}
	return count;
}

/* One is throttled for this victim, or for another one and is to blame here as well, unless it is
 * seen by now that this is of no use here. */
static bool is_being_helped(struct interference *service, const struct track *victim)
{
	const struct law *law = &service->law;
	const struct track *suspect;

	hashmap_foreach (suspect, &service->tracks) {
		if (suspect->role != ROLE_SUSPECT || !suspect->until_usec)
			continue;
		if (suspect->victim == victim->id)
			return true;
		if (law_correlation(law, &victim->series, &victim->spec, &suspect->series,
				    service->now_usec) > law->correlation &&
		    !law_suffers(law, &victim->series, &victim->spec, service->now_usec,
				 suspect->since_usec))
			return true;
	}
	return false;
}

/* Nobody's doing: it is another workload than the one that was learned. */
static void victim_learn_anew(struct interference *service, struct track *victim)
{
	victim->spec = (struct law_spec){ 0 };
	victim->series.count = 0;
	victim->useless = 0;
	evidence_describe_victim(service, victim,
				 "throttling others did not help, so it is learned anew");
}

static void accuse(struct interference *service, struct track *victim)
{
	cleanup_free struct law_suspect *suspects =
		calloc(service->roles[ROLE_SUSPECT] + 1, sizeof(*suspects));
	const char *what = "suffers; one is throttled for it";
	bool correlates;
	int blamed;

	/* Without memory: in the next round. */
	if (!suspects)
		return;
	if (is_being_helped(service, victim)) {
		evidence_describe_victim(service, victim, what);
		return;
	}
	blamed = victim->useless >= INTERFERENCE_TRIES
			 ? -1
			 : law_blame(&service->law, suspects,
				     suspects_gather(service, victim, suspects),
				     (double)service->config->throttle_milli / 1000, &correlates);
	if (blamed < 0 && victim->useless > 0) {
		victim_learn_anew(service, victim);
		return;
	}
	if (blamed >= 0)
		throttle_begin(service, track_get(service, suspects[blamed].id), victim,
			       &suspects[blamed], correlates);
	else
		what = "suffers, and no offline workload is to blame";
	evidence_describe_victim(service, victim, what);
}

void judge(struct interference *service)
{
	struct track *track;

	hashmap_foreach (track, &service->tracks)
		if (track->role == ROLE_SUSPECT && track->until_usec)
			throttle_settle(service, track);
	hashmap_foreach (track, &service->tracks) {
		if (track->role != ROLE_VICTIM)
			continue;
		track->suffers = law_suffers(&service->law, &track->series, &track->spec,
					     service->now_usec, 0);
		service->agent->api->metric_set(service->agent, service->suffering, track->id,
						track->suffers);
		if (track->suffers)
			accuse(service, track);
		else
			evidence_describe_victim(service, track, "");
	}
}
