/* SPDX-License-Identifier: Apache-2.0 */
/*
 * listener.h - the TCP listener of /metrics: on the sockets that systemd passed, else where the
 * policy says, and protected as the web config says. It is never open without the protection that
 * was asked for; whatever happens to it, the daemon's other work goes on.
 */
#pragma once

#include "api/control/control.h"
#include "api/web/web.h"

struct listener;

/* Takes the sockets of $LISTEN_FDS. control must outlive it. 0 or -errno. */
int listener_new(sd_event *event, struct control_context *control, struct listener **ret);
struct listener *listener_free(struct listener *listener);

/* Listen at `listen` ("": off) with `web_file` ("": no protection). What cannot be had is logged
 * and tried again, after 1, 2, 4 ... 60 s; a web config that is wrong leaves the one before in
 * force. */
void listener_apply(struct listener *listener, const char *listen, const char *web_file);

const struct web_state *listener_state(const struct listener *listener);
