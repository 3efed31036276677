/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify.h - bcrypt, which takes 50 to 100 ms at its usual cost of 10: on one thread that is
 * there only while passwords wait, never on the loop. Outlives the web config, so that a reload
 * does not wait for a hash.
 */
#pragma once

#include <systemd/sd-event.h>

struct verifier;
struct verification;

int verifier_new(sd_event *event, struct verifier **ret);
/* Waits for the hash that is being made. */
struct verifier *verifier_free(struct verifier *verifier);

/* Later, from the loop: done(data, 1) if the password is that of the hash, 0 if not, -errno if it
 * cannot be told. Both texts are copied. -EAGAIN: LIMIT_WEB_PASSWORDS wait already. */
int verifier_start(struct verifier *verifier, const char *password, const char *hash,
		   void (*done)(void *data, int result), void *data, struct verification **ret);
/* Its done() is not called any more. Does not wait. */
void verification_forget(struct verification *verification);
