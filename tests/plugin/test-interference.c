/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test-interference.c - the service "interference" over a node that is simulated: a web server
 * whose CPI depends on what batch work uses, and batch work that gets no more CPU than it is left.
 */
#include <stdbool.h>

#include "berth-test.h"
#include "fake-agent.h"
#include "macro.h"

extern const struct berth_plugin berth_plugin;

#define ON     "interference: {enabled: true, signal: cpi}"
#define PART   "interference"
#define EVERY  (60 * USEC_PER_SEC)
#define WINDOW (10 * USEC_PER_SEC)
#define WORLD  8u
/* To learn: more than 60 points that are older than 10 minutes. */
#define LEARN 72u

struct actor {
	uint64_t id;
	double use;   /* cores that it would use */
	double cpi;   /* by itself */
	double harm;  /* of a suspect: CPI that a core of it adds to others, but for what fits in */
	double deaf;  /* 1: nobody adds to its CPI */
	double waits; /* share of time in which it waits for a CPU */
};

struct world {
	struct fake_agent *fake;
	struct actor actors[WORLD];
	size_t count;
	uint64_t generation;
	unsigned int noise;
	size_t others; /* sources of other services */
	bool no_psi;   /* as on cgroup v1 */
};

static struct world *world_new(const char *settings)
{
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->fake = fake_agent_new();
	world->fake->can_count = true;
	world->fake->now_usec = 600 * USEC_PER_SEC;
	assert_ok(fake_agent_start(world->fake, &berth_plugin, NULL));
	world->others = fake_agent_sources(world->fake);
	if (settings)
		assert_ok(fake_agent_apply(world->fake, settings));
	return world;
}

static void world_free(struct world *world)
{
	(void)fake_agent_free(world->fake);
	free(world);
}

static struct actor *actor_add(struct world *world, const char *name, enum qos_level level)
{
	struct actor *actor = &world->actors[world->count++];

	*actor = (struct actor){ .use = 1, .cpi = 1.1, .deaf = 1 };
	actor->id = fake_agent_add(world->fake, "pod", "shop", name, level);
	return actor;
}

static const struct fake_claim *claim_of(const struct world *world, const struct actor *actor)
{
	return fake_agent_claim_as(world->fake, PART, actor->id, KNOB_CPU_QUOTA_USEC);
}

static double use_of(const struct world *world, const struct actor *actor)
{
	const struct fake_claim *claim = claim_of(world, actor);

	return claim ? MIN(actor->use, (double)claim->number / 100000) : actor->use;
}

/* So much time passes for everybody. */
static void live(struct world *world, uint64_t usec)
{
	double harm = 0;

	for (size_t i = 0; i < world->count; i++)
		harm += world->actors[i].harm * MAX(use_of(world, &world->actors[i]) - 0.15, 0.0);
	world->generation++;
	for (size_t i = 0; i < world->count; i++) {
		const struct actor *actor = &world->actors[i];
		struct workload_sample *sample = fake_agent_sample(world->fake, actor->id);
		/* +- 0.05, the same in each run. */
		double noise = (double)(world->noise++ * 7 % 11) / 100 - 0.05;
		double cpi = actor->cpi + noise + (actor->deaf > 0 ? 0 : harm);
		uint64_t used = (uint64_t)(use_of(world, actor) * (double)usec);

		if (!sample)
			continue;
		sample->known[0] = sample->known[1] = ~UINT64_C(0);
		if (world->no_psi)
			sample->known[SAMPLE_PRESSURE_CPU_SOME_USEC / 64] &=
				~(UINT64_C(1) << SAMPLE_PRESSURE_CPU_SOME_USEC % 64);
		sample->generation = world->generation;
		sample->time_usec = world->fake->now_usec + usec;
		sample->value[SAMPLE_CPU_USAGE_USEC] += used;
		sample->value[SAMPLE_PRESSURE_CPU_SOME_USEC] +=
			(uint64_t)((actor->waits + (actor->deaf > 0 ? 0 : harm / 4)) *
				   (double)usec);
		if (!fake_agent_counts(world->fake, actor->id))
			continue;
		sample->value[SAMPLE_CYCLES] += used * 2000;
		sample->value[SAMPLE_INSTRUCTIONS] += (uint64_t)((double)used * 2000 / cpi);
	}
	assert_ok(fake_agent_advance(world->fake, usec));
}

/* A tick, at which the window begins, and the window. */
static void rounds(struct world *world, unsigned int count)
{
	while (count-- > 0) {
		live(world, EVERY - WINDOW);
		live(world, WINDOW);
	}
}

/* The first tick is a whole period away. */
static void settle(struct world *world)
{
	live(world, WINDOW);
}

static const char *says(const struct world *world, const struct actor *actor)
{
	const char *text = fake_agent_description(world->fake, actor ? actor->id : 0, PART);

	return text ? text : "(nothing)";
}

static void assert_says(const struct world *world, const struct actor *actor, const char *part)
{
	if (!strstr(says(world, actor), part))
		fail_msg("no '%s' in: %s", part, says(world, actor));
}

static double counted(const struct world *world, const char *result)
{
	char labels[64];
	double value = -1;

	(void)snprintf(labels, sizeof(labels), "result=\"%s\"", result);
	(void)fake_agent_metric_labels(world->fake, "interference_throttles_total", labels, &value);
	return value;
}

static size_t claims(const struct world *world)
{
	size_t count = 0;

	for (size_t i = 0; i < world->fake->claim_count; i++)
		count += strcmp(world->fake->claims[i].part, PART) == 0;
	return count;
}

/* One web server that suffers from one batch job of two, and has learned without them. */
struct shop {
	struct actor *web, *guilty, *quiet;
};

static struct world *shop_new(const char *settings, struct shop *shop)
{
	struct world *world = world_new(settings);

	*shop = (struct shop){
		.web = actor_add(world, "web", QOS_NORMAL),
		.guilty = actor_add(world, "batch-x", QOS_BATCH),
		.quiet = actor_add(world, "batch-y", QOS_BATCH),
	};
	shop->web->deaf = 0;
	shop->guilty->use = 0;
	settle(world);
	rounds(world, LEARN);
	assert_int_equal(claims(world), 0);
	return world;
}

/* Until it is throttled; how many rounds that took. */
static unsigned int rounds_until(struct world *world, const struct actor *actor, bool throttled,
				 unsigned int most)
{
	unsigned int count = 0;

	while ((claim_of(world, actor) != NULL) != throttled && count < most) {
		rounds(world, 1);
		count++;
	}
	assert_true((claim_of(world, actor) != NULL) == throttled);
	return count;
}

/* ---- off, or nobody there ---- */

static void test_off_and_alone_nothing_wakes_up(void **state)
{
	struct world *world = world_new(NULL);
	struct actor *web, *job;

	(void)state;
	web = actor_add(world, "web", QOS_NORMAL);
	job = actor_add(world, "job", QOS_BATCH);
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	assert_says(world, NULL, "off");
	assert_string_equal(says(world, web), "(nothing)");
	assert_ok(fake_agent_apply(world->fake, ON));
	assert_int_equal(fake_agent_sources(world->fake), world->others + 1);
	assert_says(world, NULL, "on, by CPI; 1 may suffer, 1 may be to blame");
	assert_says(world, web, "may suffer");
	assert_says(world, job, "may be to blame");
	fake_agent_remove(world->fake, job->id);
	world->count--;
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	assert_says(world, NULL, "rests");
	rounds(world, 10);
	assert_int_equal(world->fake->fresh_calls, 0);
	assert_int_equal(world->fake->count_calls, 0);
	job = actor_add(world, "job", QOS_SCAVENGER);
	assert_int_equal(fake_agent_sources(world->fake), world->others + 1);
	/* In the middle of a window. */
	rounds(world, 3);
	live(world, EVERY - WINDOW);
	assert_ok(fake_agent_apply(world->fake, NULL));
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	assert_string_equal(says(world, job), "(nothing)");
	assert_string_equal(says(world, web), "(nothing)");
	world_free(world);
}

static void test_window_counts_only_victims_and_only_for_its_time(void **state)
{
	struct world *world = world_new(ON);
	struct actor *web = actor_add(world, "web", QOS_NORMAL);
	struct actor *job = actor_add(world, "job", QOS_BATCH);

	(void)state;
	settle(world);
	live(world, EVERY - WINDOW);
	assert_true(fake_agent_counts(world->fake, web->id));
	assert_false(fake_agent_counts(world->fake, job->id));
	assert_int_equal(fake_agent_sources(world->fake), world->others + 2);
	live(world, WINDOW);
	assert_false(fake_agent_counts(world->fake, web->id));
	assert_int_equal(fake_agent_sources(world->fake), world->others + 1);
	world_free(world);
}

/* ---- found, throttled, released ---- */

static void test_guilty_one_is_throttled_with_evidence_and_released(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);
	double value;

	(void)state;
	assert_says(world, shop.web, "against 1.10 +- 0.0");
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	assert_int_equal(rounds_until(world, shop.guilty, true, 10), 3);
	assert_int_equal(claim_of(world, shop.guilty)->number, 10000);
	assert_true(claim_of(world, shop.guilty)->lease_usec >= 300 * USEC_PER_SEC);
	assert_null(claim_of(world, shop.quiet));
	assert_null(claim_of(world, shop.web));
	assert_non_null(strstr(claim_of(world, shop.guilty)->reason, "web: CPI 2."));
	assert_non_null(strstr(claim_of(world, shop.guilty)->reason, "correlation 0.4"));
	assert_says(world, shop.guilty, "throttled to 0.10 CPU for 3");
	assert_says(world, shop.web, "suffers; one is throttled for it");
	assert_true(
		fake_agent_metric(world->fake, "interference_throttled", shop.guilty->id, &value));
	assert_true(value == 1);
	assert_true(fake_agent_metric(world->fake, "interference_suffering", shop.web->id, &value));
	assert_true(value == 1);
	assert_true(counted(world, "begun") == 1);
	assert_int_equal(world->fake->told, 1);
	assert_non_null(
		strstr(world->fake->last_told, "throttled to 0.10 CPU for 360 s: web: CPI"));
	/* Six periods, of which five tell. */
	assert_int_equal(rounds_until(world, shop.guilty, false, 20), 6);
	assert_says(world, shop.guilty, "was throttled, which helped: web: CPI 2.");
	assert_int_equal(world->fake->told, 2);
	assert_non_null(strstr(world->fake->last_told, "was throttled, which helped: web: CPI 2."));
	assert_true(counted(world, "helped") == 1);
	assert_true(
		fake_agent_metric(world->fake, "interference_throttled", shop.guilty->id, &value));
	assert_true(value == 0);
	/* It goes on as before: sooner or later it is to blame again, and for longer. */
	(void)rounds_until(world, shop.guilty, true, 10);
	assert_int_equal(rounds_until(world, shop.guilty, false, 20), 12);
	(void)rounds_until(world, shop.guilty, true, 10);
	assert_int_equal(rounds_until(world, shop.guilty, false, 50), 24);
	assert_null(claim_of(world, shop.quiet));
	/* What it does to the victim has not become usual. */
	assert_says(world, shop.web, "against 1.1");
	world_free(world);
}

static void test_first_step_may_be_gentle(void **state)
{
	struct shop shop;
	struct world *world = shop_new("interference: {enabled: true, signal: cpi, first_percent: "
				       "50, throttle_milli: 50}",
				       &shop);

	(void)state;
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	/* The mean of the last five points, of which three had it: 1.2 cores. */
	assert_int_equal(rounds_until(world, shop.guilty, true, 10), 3);
	assert_in_range(claim_of(world, shop.guilty)->number, 59000, 61000);
	/* 0.6 cores of it still harm: harder, without a gap. */
	rounds(world, 5);
	assert_int_equal(claim_of(world, shop.guilty)->number, 5000);
	assert_says(world, shop.guilty, "throttled harder to 0.05 CPU");
	(void)rounds_until(world, shop.guilty, false, 20);
	assert_true(counted(world, "helped") == 1);
	assert_true(counted(world, "begun") == 1);
	world_free(world);
}

static void test_throttling_that_does_not_help_ends_and_the_victim_is_learned_anew(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);

	(void)state;
	/* Another version of it, say. */
	shop.web->cpi = 2;
	shop.guilty->use = 3;
	assert_int_equal(rounds_until(world, shop.guilty, true, 10), 3);
	assert_int_equal(rounds_until(world, shop.guilty, false, 20), 5);
	assert_says(world, shop.guilty, "which did not help");
	/* The next one, in the same round. */
	assert_non_null(claim_of(world, shop.quiet));
	assert_int_equal(rounds_until(world, shop.quiet, false, 20), 5);
	assert_null(claim_of(world, shop.guilty));
	assert_true(counted(world, "useless") == 2);
	assert_says(world, shop.web, "did not help, so it is learned anew");
	rounds(world, 2 * LEARN);
	assert_int_equal(claims(world), 0);
	assert_says(world, shop.web, "against 2.0");
	assert_true(counted(world, "begun") == 2);
	world_free(world);
}

static void test_nothing_correlates_the_largest_user_is_to_blame(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);

	(void)state;
	shop.guilty->use = 0.5;
	shop.quiet->use = 1.5;
	/* Just outside: nobody's share of that is over 15 %. */
	shop.web->cpi = 1.22;
	(void)rounds_until(world, shop.quiet, true, 10);
	assert_null(claim_of(world, shop.guilty));
	assert_non_null(strstr(claim_of(world, shop.quiet)->reason, "the largest user"));
	world_free(world);
}

/* ---- whom never ---- */

static void test_online_and_what_shelters_online_is_never_throttled(void **state)
{
	struct world *world = world_new(ON);
	struct actor *web = actor_add(world, "web", QOS_NORMAL);
	struct actor *loud = actor_add(world, "loud", QOS_HIGH);
	struct actor *slice = actor_add(world, "slice", QOS_BATCH);
	struct actor *job = actor_add(world, "job", QOS_BATCH);
	struct actor *inside = actor_add(world, "inside", QOS_NORMAL);

	(void)state;
	fake_agent_workload(world->fake, slice->id)->strings[0][0] = 'v'; /* no pod */
	fake_agent_workload(world->fake, inside->id)->view.parent = slice->id;
	fake_agent_update(world->fake, inside->id);
	web->deaf = 0;
	loud->use = loud->harm = 0;
	slice->use = 0;
	job->use = 0;
	settle(world);
	rounds(world, LEARN);
	loud->use = 4;
	loud->harm = 0.6;
	slice->use = 3;
	rounds(world, 12);
	assert_int_equal(claims(world), 0);
	assert_says(world, web, "suffers, and no offline workload is to blame");
	/* What is inside goes: now it may be. */
	fake_agent_set_level(world->fake, inside->id, QOS_BATCH);
	rounds(world, 1);
	assert_non_null(claim_of(world, slice));
	assert_int_equal(claims(world), 1);
	world_free(world);
}

static void test_pod_has_the_quota_of_its_containers(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);
	uint64_t container = fake_agent_add_child(world->fake, shop.guilty->id, "main"), later;

	(void)state;
	assert_null(fake_agent_description(world->fake, container, PART));
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	(void)rounds_until(world, shop.guilty, true, 10);
	/* Its own limit gets smaller than what it is left: that holds. */
	fake_agent_workload(world->fake, shop.guilty->id)->original[KNOB_CPU_QUOTA_USEC] = 7000;
	rounds(world, 1);
	assert_int_equal(claim_of(world, shop.guilty)->number, 7000);
	later = fake_agent_add_child(world->fake, shop.guilty->id, "restarted");
	rounds(world, 1);
	assert_int_equal(claims(world), 1);
	assert_null(fake_agent_description(world->fake, later, PART));
	world_free(world);
}

static void test_annotation_is_a_level_for_this_service(void **state)
{
	struct world *world = world_new(ON);
	struct actor *web = actor_add(world, "web", QOS_NORMAL);
	struct actor *job = actor_add(world, "job", QOS_BATCH);

	(void)state;
	fake_agent_annotate(world->fake, job->id, "volcano.sh/cpi", "online");
	fake_agent_update(world->fake, job->id);
	assert_says(world, job, "may suffer");
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	fake_agent_annotate(world->fake, web->id, "volcano.sh/cpi", "offline");
	fake_agent_update(world->fake, web->id);
	assert_says(world, web, "may be to blame");
	assert_int_equal(fake_agent_sources(world->fake), world->others + 1);
	fake_agent_annotate(world->fake, web->id, "volcano.sh/cpi", "Offline");
	fake_agent_update(world->fake, web->id);
	assert_says(world, web, "may suffer; volcano.sh/cpi is neither");
	fake_agent_annotate(world->fake, web->id, "volcano.sh/cpi", NULL);
	fake_agent_annotate(world->fake, job->id, "volcano.sh/cpi", NULL);
	fake_agent_update(world->fake, web->id);
	fake_agent_update(world->fake, job->id);
	assert_says(world, job, "may be to blame");
	assert_string_equal(says(world, web), "may suffer");
	world_free(world);
}

/* ---- undone ---- */

static void test_throttle_goes_with_its_reason(void **state)
{
	static const char *const ways[] = { "off",         "online",       "annotation", "ignored",
					    "victim goes", "suspect goes", "stop" };

	(void)state;
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		struct shop shop;
		struct world *world = shop_new(ON, &shop);
		struct fake_agent *fake = world->fake;
		unsigned int unclaims;

		shop.guilty->use = 2;
		shop.guilty->harm = 0.6;
		(void)rounds_until(world, shop.guilty, true, 10);
		unclaims = fake->unclaim_calls;
		switch (way) {
		case 0:
			/* rubik rewrites the quota of everybody when it ends. */
			assert_ok(fake_agent_apply(fake,
						   "{cpu: {enabled: false}, memory: {enabled: "
						   "false}, io: {enabled: false}}"));
			assert_true(fake->unclaim_calls > unclaims);
			break;
		case 1:
			fake_agent_set_level(fake, shop.guilty->id, QOS_NORMAL);
			break;
		case 2:
			fake_agent_annotate(fake, shop.guilty->id, "volcano.sh/cpi", "online");
			fake_agent_update(fake, shop.guilty->id);
			break;
		case 3:
			fake_agent_workload(fake, shop.guilty->id)->view.flags = WORKLOAD_IGNORED;
			fake_agent_update(fake, shop.guilty->id);
			assert_null(fake_agent_description(fake, shop.guilty->id, PART));
			break;
		case 4:
			fake_agent_remove(fake, shop.web->id);
			(void)actor_add(world, "other", QOS_NORMAL);
			rounds(world, 1);
			break;
		case 5:
			fake_agent_remove(fake, shop.guilty->id);
			rounds(world, 8);
			assert_true(counted(world, "ended") == 1);
			break;
		default:
			fake_agent_stop(fake);
			break;
		}
		if (claims(world) != 0)
			fail_msg("%s: a claim is left", ways[way]);
		world_free(world);
	}
}

/* No online workload is left: nobody looks, so nobody would ever end it. */
static void test_last_victim_goes_and_the_throttle_with_it(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);

	(void)state;
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	(void)rounds_until(world, shop.guilty, true, 10);
	fake_agent_remove(world->fake, shop.web->id);
	assert_int_equal(claims(world), 0);
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	world_free(world);
}

/* ---- what the host lacks ---- */

static void test_without_pmu_auto_goes_by_pressure_and_cpi_is_off(void **state)
{
	struct world *world = world_new(NULL);
	struct actor *web = actor_add(world, "web", QOS_NORMAL);
	struct actor *job = actor_add(world, "job", QOS_BATCH);

	(void)state;
	world->fake->can_count = false;
	assert_ok(fake_agent_apply(world->fake, ON));
	assert_int_equal(fake_agent_sources(world->fake), world->others);
	assert_says(world, NULL, "off: no CPI: the fake has no PMU");
	assert_ok(fake_agent_apply(world->fake, "interference: {enabled: true, learn: 10}"));
	assert_says(world, NULL, "by CPU pressure");
	web->deaf = 0;
	job->use = 0;
	settle(world);
	rounds(world, 25);
	assert_int_equal(world->fake->count_calls, 0);
	/* A point costs one pass and no window. */
	assert_int_equal(world->fake->fresh_calls, 25);
	job->use = 1;
	job->harm = 2;
	(void)rounds_until(world, job, true, 6);
	assert_non_null(strstr(claim_of(world, job)->reason, "CPU pressure 42.5 % against 0.0 %"));
	/* A PMU comes, by a reload: what was learned of pressure is no CPI. */
	world->fake->can_count = true;
	rounds(world, 3);
	assert_says(world, NULL, "by CPI");
	assert_says(world, web, "learns what is usual, 0 of 11");
	world_free(world);
}

static void test_signal_that_the_host_does_not_tell_is_said(void **state)
{
	struct world *world = world_new(NULL);

	(void)state;
	(void)actor_add(world, "web", QOS_NORMAL);
	(void)actor_add(world, "job", QOS_BATCH);
	world->fake->can_count = false;
	world->no_psi = true;
	assert_ok(fake_agent_apply(world->fake, "interference: {enabled: true}"));
	settle(world);
	rounds(world, 2);
	assert_says(world, NULL, "this host tells CPU pressure of no online workload");
	world->no_psi = false;
	rounds(world, 2);
	assert_says(world, NULL, "on, by CPU pressure; 1 may suffer");
	world_free(world);
}

static void test_latency_where_it_is_measured(void **state)
{
	struct world *world = world_new("interference: {enabled: true}");
	struct actor *web = actor_add(world, "web", QOS_NORMAL);
	struct sample_latency latency = { 0 };

	(void)state;
	world->fake->can_count = false;
	(void)actor_add(world, "job", QOS_BATCH);
	fake_agent_sample(world->fake, web->id)->latency = &latency;
	settle(world);
	for (unsigned int i = 0; i < 4; i++) {
		latency.count[3] += 1000;
		rounds(world, 1);
	}
	assert_says(world, NULL, "by run-queue p99");
	assert_says(world, web, "learns what is usual");
	world_free(world);
}

static void test_room_for_few_they_take_turns(void **state)
{
	struct world *world = world_new(
		"interference: {enabled: true, signal: cpi, learn: 5, throttle_milli: 50}");
	struct actor *webs[5], *job;
	bool was[5] = { false };

	(void)state;
	world->fake->count_room = 2;
	for (size_t i = 0; i < ARRAY_SIZE(webs); i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "web-%zu", i);
		webs[i] = actor_add(world, name, QOS_NORMAL);
		webs[i]->deaf = 0;
	}
	job = actor_add(world, "job", QOS_BATCH);
	job->use = 0;
	settle(world);
	for (unsigned int round = 0; round < 3; round++) {
		unsigned int now = 0;

		live(world, EVERY - WINDOW);
		for (size_t i = 0; i < ARRAY_SIZE(webs); i++) {
			bool is = fake_agent_counts(world->fake, webs[i]->id);

			now += is;
			was[i] |= is;
		}
		assert_int_equal(now, 2);
		live(world, WINDOW);
	}
	for (size_t i = 0; i < ARRAY_SIZE(webs); i++)
		assert_true(was[i]);
	/* Three rounds are one period now: it takes longer, and works. */
	rounds(world, 3 * 20);
	job->use = 2;
	job->harm = 0.6;
	assert_in_range(rounds_until(world, job, true, 20), 4, 9);
	assert_in_range(rounds_until(world, job, false, 60), 15, 30);
	assert_true(counted(world, "helped") == 1);
	world_free(world);
}

/* Five rounds are a period, and ten of these are compared: who worked in all of them goes with
 * nothing. The guilty one has less than it would be left. */
static void test_taking_turns_the_whole_window_is_compared(void **state)
{
	struct world *world = world_new(
		"interference: {enabled: true, signal: cpi, learn: 5, throttle_milli: 250}");
	struct actor *steady, *guilty, *webs[5];

	(void)state;
	world->fake->count_room = 1;
	for (size_t i = 0; i < ARRAY_SIZE(webs); i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "web-%zu", i);
		webs[i] = actor_add(world, name, QOS_NORMAL);
		/* One suffers, so that one accuses. */
		webs[i]->deaf = i > 0;
	}
	steady = actor_add(world, "steady", QOS_BATCH);
	guilty = actor_add(world, "guilty", QOS_BATCH);
	steady->use = 4;
	guilty->use = 0;
	settle(world);
	rounds(world, 5 * 25);
	guilty->use = 0.24;
	guilty->harm = 12;
	(void)rounds_until(world, steady, true, 5 * 5);
	assert_says(world, steady, "the largest user (correlation 0.1");
	world_free(world);
}

static void test_refused_claim_is_told_and_not_asked_again_and_again(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);
	unsigned int calls;

	(void)state;
	shop.quiet->use = 0;
	rounds(world, 6);
	world->fake->claim_error[KNOB_CPU_QUOTA_USEC] = -EOPNOTSUPP;
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	rounds(world, 3);
	assert_says(world, shop.guilty, "cannot be throttled (Operation not supported)");
	assert_true(counted(world, "refused") == 1);
	calls = world->fake->claim_calls;
	rounds(world, 2);
	assert_int_equal(world->fake->claim_calls, calls);
	assert_int_equal(claims(world), 0);
	assert_says(world, shop.web, "suffers, and no offline workload is to blame");
	world_free(world);
}

static void test_failing_passes_and_pauses_are_no_points(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);

	(void)state;
	world->fake->fresh_error = -EIO;
	rounds(world, 5);
	world->fake->fresh_error = 0;
	/* The machine slept for an hour, in a window. */
	live(world, EVERY - WINDOW);
	for (size_t i = 0; i < world->count; i++)
		fake_agent_sample(world->fake, world->actors[i].id)->time_usec +=
			3600 * USEC_PER_SEC;
	world->fake->now_usec += 3600 * USEC_PER_SEC;
	live(world, WINDOW);
	rounds(world, 3);
	assert_int_equal(claims(world), 0);
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	assert_in_range(rounds_until(world, shop.guilty, true, 10), 3, 4);
	world_free(world);
}

/* The victim tells nothing any more: it hardly runs, or what was learned of it is another signal's.
 */
static void test_throttle_that_nobody_could_judge_did_not_help(void **state)
{
	(void)state;
	for (int way = 0; way < 2; way++) {
		struct shop shop;
		struct world *world = shop_new(ON, &shop);

		shop.guilty->use = 2;
		shop.guilty->harm = 0.6;
		(void)rounds_until(world, shop.guilty, true, 10);
		if (way == 0)
			shop.web->use = 0;
		else
			assert_ok(fake_agent_apply(
				world->fake, "interference: {enabled: true, signal: pressure}"));
		(void)rounds_until(world, shop.guilty, false, 8);
		assert_says(world, shop.guilty, "was throttled, which is over");
		assert_true(counted(world, "helped") == 0);
		assert_true(counted(world, "ended") == 1);
		world_free(world);
	}
}

/* Passes are made, and tell of nobody: what was claimed is not asked for over and over. */
static void test_no_news_of_anybody_renew_nothing(void **state)
{
	struct shop shop;
	struct world *world = shop_new(ON, &shop);
	unsigned int claims_before;

	(void)state;
	shop.guilty->use = 2;
	shop.guilty->harm = 0.6;
	(void)rounds_until(world, shop.guilty, true, 10);
	claims_before = world->fake->claim_calls;
	for (size_t i = 0; i < 20; i++) {
		for (size_t j = 0; j < world->count; j++)
			*fake_agent_sample(world->fake, world->actors[j].id) =
				(struct workload_sample){ 0 };
		assert_ok(fake_agent_advance(world->fake, EVERY / 2));
	}
	assert_int_equal(world->fake->claim_calls, claims_before);
	world_free(world);
}

static void test_settings_that_contradict_are_refused(void **state)
{
	static const char *const rows[] = {
		"interference: {enabled: true, window: 20s, every: 10s}",
		"interference: {signal: magic}",
		"interference: {throttle_milli: 0}",
		"interference: {correlation_percent: 101}",
		"interference: {threshold_sigma: 0}",
		"interference: {learn: 1}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake_agent *fake = fake_agent_new();

		assert_true(fake_agent_start(fake, &berth_plugin, rows[i]) < 0);
		assert_non_null(strstr(fake->error, "interference."));
		(void)fake_agent_free(fake);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_and_alone_nothing_wakes_up),
		cmocka_unit_test(test_window_counts_only_victims_and_only_for_its_time),
		cmocka_unit_test(test_guilty_one_is_throttled_with_evidence_and_released),
		cmocka_unit_test(test_first_step_may_be_gentle),
		cmocka_unit_test(
			test_throttling_that_does_not_help_ends_and_the_victim_is_learned_anew),
		cmocka_unit_test(test_nothing_correlates_the_largest_user_is_to_blame),
		cmocka_unit_test(test_online_and_what_shelters_online_is_never_throttled),
		cmocka_unit_test(test_pod_has_the_quota_of_its_containers),
		cmocka_unit_test(test_annotation_is_a_level_for_this_service),
		cmocka_unit_test(test_throttle_goes_with_its_reason),
		cmocka_unit_test(test_last_victim_goes_and_the_throttle_with_it),
		cmocka_unit_test(test_without_pmu_auto_goes_by_pressure_and_cpi_is_off),
		cmocka_unit_test(test_signal_that_the_host_does_not_tell_is_said),
		cmocka_unit_test(test_latency_where_it_is_measured),
		cmocka_unit_test(test_room_for_few_they_take_turns),
		cmocka_unit_test(test_taking_turns_the_whole_window_is_compared),
		cmocka_unit_test(test_refused_claim_is_told_and_not_asked_again_and_again),
		cmocka_unit_test(test_failing_passes_and_pauses_are_no_points),
		cmocka_unit_test(test_throttle_that_nobody_could_judge_did_not_help),
		cmocka_unit_test(test_no_news_of_anybody_renew_nothing),
		cmocka_unit_test(test_settings_that_contradict_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
