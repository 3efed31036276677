/* SPDX-License-Identifier: Apache-2.0 */
/* listener.c - the TCP listener of /metrics in the status. */
#include "api/control/internal.h"
#include "api/web/web.h"
#include "macro.h"

static void protection_add(json_t *answer, struct web *web)
{
	const char *problem = web && web->tls ? web_tls_problem(web->tls) : NULL;

	json_set_bool(answer, "tls", web && web->tls);
	json_set_number(answer, "users", web ? web->config.user_count : 0);
	if (!web || !web->tls)
		return;
	if (web_tls_expires(web->tls) >= 0)
		json_set_time(answer, "certificate_expires",
			      (uint64_t)web_tls_expires(web->tls) * USEC_PER_SEC);
	if (problem)
		json_set_text(answer, "certificate_problem", problem);
}

json_t *listener_json(const struct web_state *state)
{
	json_t *answer = json_object();

	if (!state)
		return answer;
	json_set_text(answer, "listen", state->by_systemd ? "berthd.socket" : state->listen);
	json_set_bool(answer, "wanted", state->is_wanted);
	json_set_bool(answer, "open", state->is_open);
	json_set_text(answer, "problem", state->problem);
	json_set_text(answer, "web_config_file", state->file);
	json_set_bool(answer, "valid", web_state_is_valid(state));
	protection_add(answer, state->web);
	(void)json_object_set_new(answer, "errors", config_errors_json(state->errors));
	return answer;
}
