/* SPDX-License-Identifier: Apache-2.0 */
#include "placement/tide.h"

#include "macro.h"

#define HUNDREDTHS 100u /* of a percent */

/* A quarter more than what is used is online work's; and one CPU more before it moves again. */
#define USE_MARGIN_PERCENT 25u

static unsigned int part(unsigned int cpus, uint64_t percent)
{
	unsigned int count = (unsigned int)((cpus * percent + 50) / 100);

	return MAX(1u, MIN(count, cpus));
}

unsigned int tide_floor(const struct tide_config *config, unsigned int cpus)
{
	return part(cpus, config->floor_percent);
}

unsigned int tide_share(const struct tide_config *config, unsigned int cpus)
{
	return MAX(part(cpus, config->share_percent), tide_floor(config, cpus));
}

static void set(struct tide *tide, unsigned int allowed, const char *why)
{
	tide->allowed = allowed;
	tide->why = why;
}

static void narrow(struct tide *tide, unsigned int allowed, const char *why)
{
	tide->calm_usec = 0;
	if (allowed < tide->allowed)
		set(tide, allowed, why);
}

/* At most a step after each span of calm, however long the last look is ago. */
static void widen(struct tide *tide, const struct tide_config *config,
		  const struct tide_input *input, unsigned int most)
{
	if (tide->calm_usec == 0)
		tide->calm_usec = input->now_usec;
	if (input->now_usec - tide->calm_usec < config->calm_usec)
		return;
	tide->calm_usec = input->now_usec;
	if (tide->allowed < most)
		set(tide, MIN(most, tide->allowed + part(input->cpus, config->step_percent)),
		    "calm: a step wider");
}

static void by_pressure(struct tide *tide, const struct tide_config *config,
			const struct tide_input *input)
{
	unsigned int floor = tide_floor(config, input->cpus);

	if (input->pressure >= 2 * config->high_percent * HUNDREDTHS)
		narrow(tide, floor, "online work waits much: narrowed to the floor");
	else if (input->pressure >= config->high_percent * HUNDREDTHS)
		narrow(tide, MAX(floor, tide->allowed / 2), "online work waits: halved");
	else if (input->pressure <= config->low_percent * HUNDREDTHS)
		widen(tide, config, input, input->cpus);
	else
		tide->calm_usec = 0;
}

static void by_use(struct tide *tide, const struct tide_config *config,
		   const struct tide_input *input)
{
	unsigned int floor = tide_floor(config, input->cpus);
	uint64_t kept =
		((uint64_t)input->used_milli * (100 + USE_MARGIN_PERCENT) / 100 + 500) / 1000;
	unsigned int room =
		kept >= input->cpus ? floor : MAX(floor, input->cpus - (unsigned int)kept);

	if (room < tide->allowed)
		narrow(tide, room, "online work is busy there");
	else if (room > tide->allowed + 1 || (room > tide->allowed && room == input->cpus))
		widen(tide, config, input, room);
	else
		tide->calm_usec = 0;
}

void tide_step(struct tide *tide, const struct tide_config *config, const struct tide_input *input)
{
	unsigned int floor = tide_floor(config, input->cpus);

	if (tide->cpus == 0) {
		tide->known_usec = input->now_usec;
		set(tide, tide_share(config, input->cpus), "nothing is known yet: the safe share");
	}
	tide->cpus = input->cpus;
	tide->allowed = MAX(floor, MIN(tide->allowed, input->cpus));
	if (input->signal == TIDE_NOTHING) {
		tide->stale = input->now_usec - tide->known_usec >= config->stale_usec;
		/* Calm that nobody looked at is none, but for a look or two that told nothing. */
		if (tide->stale)
			narrow(tide, tide_share(config, input->cpus),
			       "telemetry is stale: the safe share");
		return;
	}
	tide->known_usec = input->now_usec;
	tide->stale = false;
	if (input->signal == TIDE_PRESSURE)
		by_pressure(tide, config, input);
	else
		by_use(tide, config, input);
}
