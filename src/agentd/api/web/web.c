/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/web.h"

#include <microhttpd.h>
#include <string.h>

#include "cleanup.h"
#include "macro.h"
#include "monotonic.h"

#define YOUNG_USEC    (200 * USEC_PER_MSEC)
#define OUTDATED_USEC USEC_PER_SEC

struct web *web_free(struct web *web)
{
	if (!web)
		return NULL;
	(void)web_auth_free(web->auth);
	(void)web_tls_free(web->tls);
	web_config_done(&web->config);
	free(web->file);
	free(web);
	return NULL;
}
DEFINE_CLEANUP(struct web *, web_free);

static bool marks_look(struct web *web)
{
	const char *const paths[] = { web->file, "", "" };

	return web_marks_look(&web->marks, paths);
}

int web_load(const char *file, struct verifier *verifier, struct config_errors *errors,
	     struct web **ret)
{
	CLEANUP(web_freep) struct web *web = calloc(1, sizeof(*web));
	int r;

	if (!web)
		return -ENOMEM;
	web->file = strdup(file);
	if (!web->file)
		return -ENOMEM;
	/* Before it is read: what is written meanwhile is seen the next time. */
	(void)marks_look(web);
	r = web_config_load(file, errors, &web->config);
	if (r < 0)
		return r;
	if (web->config.has_tls && MHD_is_feature_supported(MHD_FEATURE_TLS) != MHD_YES) {
		config_errors_add(errors, web_config_tls_node(&web->config, ""),
				  "tls_server_config",
				  "this host's libmicrohttpd was built without TLS");
		return -EINVAL;
	}
	if (web->config.has_tls)
		r = web_tls_new(&web->config, errors, &web->tls);
	if (r == 0 && web->config.user_count > 0 && verifier)
		r = web_auth_new(&web->config, verifier, &web->auth);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(web);
	return 0;
}

bool web_is_current(const struct web *web, const char *file)
{
	cleanup_free char *text = NULL;

	return strcmp(web->file, file) == 0 && web_file_read(file, &text, NULL) == 0 &&
	       strcmp(web->config.text, text) == 0;
}

void web_watch(struct web *web, void (*changed)(void *data), void *data)
{
	web->changed = changed;
	web->data = data;
}

bool web_look(struct web *web)
{
	struct web_marks before = web->marks;
	uint64_t now, pause = web->is_outdated ? OUTDATED_USEC : YOUNG_USEC;

	if (!web->changed || (!marks_look(web) && !web->is_outdated))
		return false;
	now = monotonic_usec();
	/* One that was written just now is read again now and then, not at each word of a client:
	 * what is in force may be what it says, and then nobody would be served meanwhile. */
	if (memcmp(before.files, web->marks.files, sizeof(before.files)) == 0 &&
	    now - web->looked_usec < pause)
		return false;
	web->looked_usec = now;
	web->changed(web->data);
	return true;
}

bool web_state_is_valid(const struct web_state *state)
{
	return !state->errors || state->errors->count + state->errors->dropped == 0;
}
