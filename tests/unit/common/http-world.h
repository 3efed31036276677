/* SPDX-License-Identifier: Apache-2.0 */
/* http-world.h - a client on a loop, and what a call brought, for tests of http/client.h. */
#pragma once

#include "berth-test.h"
#include "http/client.h"
#include "macro.h"
#include "strbuf.h"

#define WORLD_PATIENCE_USEC (30 * USEC_PER_SEC)

struct world {
	sd_event *event;
	struct http_client *client;
};

/* Of one call. */
struct outcome {
	struct world *world;
	struct http_call *call;
	struct http_result result;
	struct strbuf body;
	char type[128];
	long status;
	unsigned int heads, pieces, dones;
	int head_returns, body_returns;
	/* What else a handler does; may be NULL. */
	void (*on_head)(struct outcome *outcome);
	void (*on_body)(struct outcome *outcome);
	void (*on_done)(struct outcome *outcome);
};

static inline int outcome_head(void *data, long status, const char *type)
{
	struct outcome *outcome = data;

	outcome->heads++;
	outcome->status = status;
	(void)snprintf(outcome->type, sizeof(outcome->type), "%s", type);
	if (outcome->on_head)
		outcome->on_head(outcome);
	return outcome->head_returns;
}

static inline int outcome_body(void *data, const char *bytes, size_t size)
{
	struct outcome *outcome = data;

	outcome->pieces++;
	strbuf_add_bytes(&outcome->body, bytes, size);
	if (outcome->on_body)
		outcome->on_body(outcome);
	return outcome->body_returns;
}

static inline void outcome_done(void *data, const struct http_result *result)
{
	struct outcome *outcome = data;

	outcome->dones++;
	outcome->result = *result;
	if (outcome->on_done)
		outcome->on_done(outcome);
}

static const struct http_handlers outcome_handlers = { outcome_head, outcome_body, outcome_done };

static inline void world_open(struct world *world)
{
	assert_ok(sd_event_new(&world->event));
	assert_ok(http_client_new(world->event, "berth-test/1", &world->client));
}

static inline void world_close(struct world *world)
{
	world->client = http_client_free(world->client);
	world->event = sd_event_unref(world->event);
}

static inline uint64_t world_now(void)
{
	struct timespec now;

	assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static inline void outcome_start(struct world *world, const struct http_call_spec *spec,
				 struct outcome *outcome)
{
	outcome->world = world;
	assert_ok(http_call_start(world->client, spec, &outcome_handlers, outcome, &outcome->call));
}

/* Until the number that is counted by *count is reached. */
static inline void world_run_until(struct world *world, const unsigned int *count,
				   unsigned int reached)
{
	uint64_t until = world_now() + WORLD_PATIENCE_USEC;

	while (*count < reached) {
		assert_ok(sd_event_run(world->event, 100 * USEC_PER_MSEC));
		assert_true(world_now() < until);
	}
}

static inline void outcome_get(struct world *world, const struct http_call_spec *spec,
			       struct outcome *outcome)
{
	outcome_start(world, spec, outcome);
	world_run_until(world, &outcome->dones, 1);
}
