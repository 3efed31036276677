/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-config.c - the policy: text to tree to settings, with its overrides applied. */
#include "settings-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void tree_freep(struct config_node **tree)
{
	(void)config_node_free(*tree);
}

static int tree_use(struct config_node *root, struct config_errors *errors)
{
	CLEANUP(settings_clear) struct settings settings = { 0 };
	int r = settings_bind(root, "", settings_also, errors, &settings);

	if (r == 0)
		r = settings_overrides_check(root, errors);
	if (r == 0)
		r = settings_overrides_apply(root, &settings, errors);
	return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(config_errors_done) struct config_errors errors = { 0 };
	CLEANUP(tree_freep) struct config_node *root = NULL;
	struct config_node *over = NULL;
	char line[1024];
	int r = config_tree_parse((const char *)data, size, "fuzz.yaml", &errors, &root);

	if (r == 0 &&
	    config_tree_parse((const char *)data, size, "again.yaml", &errors, &over) == 0)
		r = config_tree_merge(root, over);
	if (r == 0)
		r = tree_use(root, &errors);
	/* A failure that says nothing leaves its user with nothing. */
	if (r == -EINVAL && errors.count == 0)
		abort();
	for (size_t i = 0; i < errors.count; i++)
		config_error_format(&errors.items[i], line, sizeof(line));
	return 0;
}
