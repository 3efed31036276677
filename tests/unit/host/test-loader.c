/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "module-dir.h"
#include "plugin/loader.h"

DEFINE_CLEANUP(struct settings *, settings_free);

struct modules {
	char dir[32];
	struct config_errors errors;
	struct plugin_list list;
};

static int modules_setup(void **state)
{
	struct modules *modules = calloc(1, sizeof(*modules));

	assert_non_null(modules);
	(void)snprintf(modules->dir, sizeof(modules->dir), "/tmp/berth-test.XXXXXX");
	assert_non_null(mkdtemp(modules->dir));
	*state = modules;
	return 0;
}

static int modules_teardown(void **state)
{
	struct modules *modules = *state;

	plugin_list_done(&modules->list);
	config_errors_done(&modules->errors);
	fixture_remove(modules->dir);
	free(modules);
	return 0;
}

static void modules_load(struct modules *modules)
{
	assert_ok(plugin_list_load(modules->dir, &modules->errors, &modules->list));
}

static void test_plugin_list_load_good_files_are_sorted_and_filled(void **state)
{
	struct modules *modules = *state;
	const struct plugin *example;

	module_copy(modules->dir, "rival");
	module_copy(modules->dir, "good");
	module_copy(modules->dir, "example");
	module_copy_as(modules->dir, "slow", "README");
	module_copy_as(modules->dir, "slow", ".hidden.so");
	modules_load(modules);
	assert_int_equal(modules->errors.count, 0);
	assert_int_equal(modules->list.count, 3);
	assert_string_equal(modules->list.items[0]->table.name, "example");
	assert_string_equal(modules->list.items[1]->table.name, "good");
	assert_string_equal(modules->list.items[2]->table.name, "rival");
	example = plugin_list_get(&modules->list, "example");
	assert_ptr_equal(example, modules->list.items[0]);
	assert_int_equal(example->table.needs, BERTH_NEEDS_CGROUP);
	assert_null(plugin_list_get(&modules->list, "slow"));
}

static void test_plugin_list_load_bad_files_are_told_and_left_out(void **state)
{
	static const struct {
		const char *module, *text;
	} cases[] = {
		{ "bad_abi", "another abi" },
		{ "bad_fields", "outside its config struct" },
		{ "bad_name", "not that of its file" },
		{ "bad_needs", "does not know" },
		{ "bad_size_large", "wrong size" },
		{ "bad_size_small", "wrong size" },
		{ "bad_start", "no start()" },
		{ "bad_symbol", "no symbol berth_plugin" },
	};
	struct modules *modules = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		module_copy(modules->dir, cases[i].module);
	module_copy(modules->dir, "good");
	modules_load(modules);
	assert_int_equal(modules->list.count, 1);
	assert_string_equal(modules->list.items[0]->table.name, "good");
	assert_int_equal(modules->errors.count, ARRAY_SIZE(cases));
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct config_error *error = &modules->errors.items[i];
		char path[64];

		(void)snprintf(path, sizeof(path), "%s/%s.so", modules->dir, cases[i].module);
		assert_string_equal(error->file, path);
		assert_int_equal(error->line, 0);
		if (!strstr(error->text, cases[i].text))
			fail_msg("%s: '%s' says nothing of '%s'", path, error->text, cases[i].text);
	}
}

static void test_plugin_list_load_other_table_sizes_read_what_is_known(void **state)
{
	struct modules *modules = *state;

	module_copy(modules->dir, "newer");
	module_copy(modules->dir, "older");
	modules_load(modules);
	assert_int_equal(modules->errors.count, 0);
	assert_int_equal(modules->list.count, 2);
	assert_null(plugin_list_get(&modules->list, "older")->table.capabilities);
	assert_string_equal(plugin_list_get(&modules->list, "older")->table.description, "");
}

/* What stands in for a plugin named good; the errors' text. */
static void make_writable_by_others(const char *dir, const char *path)
{
	module_copy(dir, "good");
	assert_ok(chmod(path, 0646));
}

static void make_writable_by_group(const char *dir, const char *path)
{
	module_copy(dir, "good");
	assert_ok(chown(path, 0, 12345));
	assert_ok(chmod(path, 0664));
}

static void make_owned_by_another(const char *dir, const char *path)
{
	module_copy(dir, "good");
	assert_ok(chown(path, 12345, 0));
}

static void make_link(const char *dir, const char *path)
{
	module_copy_as(dir, "good", "elsewhere");
	assert_ok(symlink("elsewhere", path));
}

static void make_fifo(const char *dir, const char *path)
{
	(void)dir;
	assert_ok(mkfifo(path, 0600));
}

static void make_directory(const char *dir, const char *path)
{
	(void)dir;
	assert_ok(mkdir(path, 0700));
}

static void make_text(const char *dir, const char *path)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	(void)dir;
	assert_int_equal(write(fd, "no code\n", 8), 8);
}

static void test_plugin_list_load_untrusted_files_are_refused(void **state)
{
	static const struct {
		void (*make)(const char *dir, const char *path);
		const char *text;
		bool as_root;
	} cases[] = {
		{ make_writable_by_others, "writable by others" },
		{ make_writable_by_group, "writable by its group", true },
		{ make_owned_by_another, "not owned by root", true },
		{ make_link, "symbolic link" },
		{ make_fifo, "not a regular file" },
		{ make_directory, "not a regular file" },
		{ make_text, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct modules *modules;
		void *inner;
		char path[64];

		if (cases[i].as_root && geteuid() != 0)
			continue;
		modules_setup(&inner);
		modules = inner;
		(void)snprintf(path, sizeof(path), "%s/good.so", modules->dir);
		cases[i].make(modules->dir, path);
		modules_load(modules);
		if (modules->list.count != 0 || modules->errors.count != 1)
			fail_msg("case %zu was loaded", i);
		if (!strstr(modules->errors.items[0].text, cases[i].text))
			fail_msg("case %zu: '%s'", i, modules->errors.items[0].text);
		modules_teardown(&inner);
	}
}

static void test_plugin_list_load_directories(void **state)
{
	struct modules *modules = *state;

	assert_errno(plugin_list_load("/nonexistent", &modules->errors, &modules->list), ENOENT);
	assert_ok(plugin_list_load(modules->dir, &modules->errors, &modules->list));
	assert_int_equal(modules->list.count, 0);
	plugin_list_done(&modules->list);
	/* Who can write there can put another file in the place of a good one. */
	assert_ok(chmod(modules->dir, 0777));
	assert_errno(plugin_list_load(modules->dir, &modules->errors, &modules->list), EPERM);
	assert_int_equal(modules->errors.count, 1);
}

static struct settings *settings_of(const struct modules *modules, const char *text)
{
	struct config_errors errors = {};
	struct settings *settings = NULL;
	char path[64];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/berth.yaml", modules->dir);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_ok(settings_load(path, NULL, false, &errors, &settings));
	return settings;
}

/* Every case is one error at this place that holds this text. */
static void test_plugin_check_all_errors_have_their_place(void **state)
{
	static const struct {
		const char *yaml;
		unsigned int line, column;
		const char *text;
	} cases[] = {
		{ "plugins:\n  exampel: {}\n", 2, 3, "example" },
		{ "plugins:\n  example:\n    weight: 1000\n", 3, 13, "100" },
		{ "plugins:\n  example:\n    weigth: 10\n", 3, 5, "weight" },
		{ "plugins:\n  good:\n    refuse: true\n", 3, 13, "must be false" },
		{ "plugins:\n  good:\n    enabled: false\n    refuse: true\n", 4, 13,
		  "must be false" },
	};
	struct modules *modules = *state;

	module_copy(modules->dir, "example");
	module_copy(modules->dir, "good");
	modules_load(modules);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(settings_freep)
		struct settings *settings = settings_of(modules, cases[i].yaml);
		struct config_errors errors = {};

		assert_errno(plugin_check_all(&modules->list, settings, &errors), EINVAL);
		assert_int_equal(errors.count, 1);
		if (errors.items[0].line != cases[i].line ||
		    errors.items[0].column != cases[i].column ||
		    !strstr(errors.items[0].text, cases[i].text))
			fail_msg("case %zu: %u:%u: %s: %s", i, errors.items[0].line,
				 errors.items[0].column, errors.items[0].key, errors.items[0].text);
		config_errors_done(&errors);
	}
}

struct example_config {
	uint64_t weight;
};

static void test_plugin_bind_sections_fill_the_struct(void **state)
{
	struct modules *modules = *state;
	CLEANUP(settings_freep) struct settings *with = NULL, *without = NULL;
	const struct plugin *plugin;
	struct example_config *config;
	void *bound = NULL;

	module_copy(modules->dir, "example");
	modules_load(modules);
	plugin = plugin_list_get(&modules->list, "example");
	with = settings_of(modules, "plugins:\n  example: {enabled: true, weight: 42}\n");
	without = settings_of(modules, "dry_run: false\n");
	assert_ok(plugin_bind(plugin, with, &modules->errors, &bound));
	config = bound;
	assert_int_equal(config->weight, 42);
	plugin_config_free(plugin, bound);
	assert_ok(plugin_bind(plugin, without, &modules->errors, &bound));
	config = bound;
	assert_int_equal(config->weight, 10);
	plugin_config_free(plugin, bound);
	assert_ok(plugin_check_all(&modules->list, with, &modules->errors));
	assert_int_equal(modules->errors.count, 0);
}

#define MODULES_TEST(test) cmocka_unit_test_setup_teardown(test, modules_setup, modules_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		MODULES_TEST(test_plugin_list_load_good_files_are_sorted_and_filled),
		MODULES_TEST(test_plugin_list_load_bad_files_are_told_and_left_out),
		MODULES_TEST(test_plugin_list_load_other_table_sizes_read_what_is_known),
		cmocka_unit_test(test_plugin_list_load_untrusted_files_are_refused),
		MODULES_TEST(test_plugin_list_load_directories),
		MODULES_TEST(test_plugin_check_all_errors_have_their_place),
		MODULES_TEST(test_plugin_bind_sections_fill_the_struct),
	};

	return cmocka_run_group_tests_name("loader", tests, NULL, NULL);
}
