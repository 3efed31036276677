/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "api/web/check.h"
#include "ctl.h"
#include "plugin/loader.h"
#include "settings.h"

enum { OPTION_PLUGIN_DIR };

#define DEFAULT_FILE    BERTH_CONF_DIR "/berth.yaml"
#define DEFAULT_DROPINS BERTH_CONF_DIR "/berth.d"

DEFINE_CLEANUP(struct settings *, settings_free);

/* One policy: its file and drop-ins (NULL: none). 0; -EINVAL with errors added; -ENOMEM. */
static int policy_check(const char *file, const char *dropin_dir, bool missing_ok,
			const struct plugin_list *plugins, struct config_errors *errors)
{
	struct settings *settings CLEANUP(settings_freep) = NULL;
	int r = settings_check(file, dropin_dir, missing_ok, errors, &settings), sections, web;

	if (!settings)
		return r;
	/* One run tells all errors. */
	sections = plugin_check_all(plugins, settings, errors);
	web = web_check(settings->metrics_web_config_file, errors);
	return r < 0 ? r : sections < 0 ? sections : web;
}

static int policies_check(const struct ctl *ctl, const struct plugin_list *plugins,
			  struct config_errors *errors)
{
	const struct cli *cli = ctl->cli;
	int result = 0;

	if (cli->argument_count == 0)
		return policy_check(DEFAULT_FILE, DEFAULT_DROPINS, true, plugins, errors);
	for (size_t i = 0; i < cli->argument_count; i++) {
		int r = policy_check(cli->arguments[i], NULL, false, plugins, errors);

		if (r < 0 && result != -ENOMEM)
			result = r;
	}
	return result;
}

static json_t *errors_json(const struct config_errors *errors)
{
	json_t *list = json_array();

	for (size_t i = 0; i < errors->count; i++) {
		const struct config_error *error = &errors->items[i];
		char text[1024];

		config_error_format(error, text, sizeof(text));
		(void)json_array_append_new(
			list, json_pack("{s:s, s:i, s:i, s:s, s:s, s:s}", "file", error->file,
					"line", (int)error->line, "column", (int)error->column,
					"key", error->key, "text", error->text, "message", text));
	}
	return list;
}

static int report_json(const struct config_errors *errors, bool valid)
{
	json_auto_t *answer = json_object();

	(void)json_object_set_new(answer, "valid", json_boolean(valid));
	(void)json_object_set_new(answer, "errors", errors_json(errors));
	(void)json_object_set_new(answer, "errors_dropped",
				  json_integer((json_int_t)errors->dropped));
	return ctl_print_json(answer);
}

static int report(const struct ctl *ctl, const struct config_errors *errors, bool valid)
{
	struct strbuf page cleanup_strbuf = {};
	const struct cli *cli = ctl->cli;

	for (size_t i = 0; i < errors->count; i++) {
		char text[1024];

		config_error_format(&errors->items[i], text, sizeof(text));
		strbuf_addf(&page, "%s\n", text);
	}
	if (errors->dropped)
		strbuf_addf(&page, "and %zu more errors\n", errors->dropped);
	if (valid && cli->argument_count == 0)
		strbuf_addf(&page, "%s with %s/*.yaml: valid%s\n", DEFAULT_FILE, DEFAULT_DROPINS,
			    access(DEFAULT_FILE, F_OK) < 0 ? " (no such file: all defaults)" : "");
	for (size_t i = 0; valid && i < cli->argument_count; i++)
		strbuf_addf(&page, "%s: valid\n", cli->arguments[i]);
	return ctl_print(&page);
}

int run_check(const struct ctl *ctl)
{
	struct config_errors errors CLEANUP(config_errors_done) = {};
	struct plugin_list plugins CLEANUP(plugin_list_done) = {};
	const char *dir = ctl->cli->values[OPTION_PLUGIN_DIR];
	bool valid;
	int r;

	r = plugin_list_load(dir ? dir : BERTH_PLUGIN_DIR, &errors, &plugins);
	if (r < 0) {
		/* Sections of plugins cannot be held to a table that is not there. */
		ctl_error("cannot read the plugins of '%s': %s; say --plugin-dir",
			  dir ? dir : BERTH_PLUGIN_DIR, strerror(-r));
		return 1;
	}
	r = policies_check(ctl, &plugins, &errors);
	if (r < 0 && r != -EINVAL) {
		ctl_error("cannot check the policy: %s", strerror(-r));
		return 1;
	}
	valid = r == 0 && errors.count + errors.dropped == 0;
	r = ctl->json ? report_json(&errors, valid) : report(ctl, &errors, valid);
	return r || !valid;
}
