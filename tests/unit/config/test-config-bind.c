/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "config/bind.h"
#include "macro.h"

struct sample {
	uint64_t on;
	uint64_t count;
	int64_t offset;
	uint64_t share;
	uint64_t wait_usec;
	uint64_t size_bytes;
	char *name;
	uint64_t way;
	char **globs;
	uint64_t depth;
};

static const char *const ways[] = { "auto", "vendor", "upstream", NULL };

static const struct config_field fields[] = {
	FIELD_BOOL(struct sample, "on", on, 1, "help"),
	FIELD_U64(struct sample, "count", count, 1, 10, 5, "help"),
	FIELD_S64(struct sample, "offset", offset, -1000, 1000, -5, "help"),
	FIELD_PERCENT(struct sample, "share", share, 20, "help"),
	FIELD_USEC(struct sample, "wait", wait_usec, 10 * USEC_PER_MSEC, 10 * USEC_PER_SEC,
		   250 * USEC_PER_MSEC, "help"),
	FIELD_BYTES(struct sample, "size", size_bytes, 4096, 1ULL << 40, 1ULL << 30, "help"),
	FIELD_STRING(struct sample, "name", name, "berth", "help"),
	FIELD_ENUM(struct sample, "cpu.way", way, ways, 0, "help"),
	FIELD_STRINGS(struct sample, "cpu.globs", globs, "help"),
	FIELD_U64(struct sample, "cpu.cache.depth", depth, 0, UINT64_MAX, 3, "help"),
	FIELD_END,
};

static const char *const also[] = { "extra", "cpu.labels", NULL };

/* NULL: the text is bound without an error. Else all messages, a line each. */
static int bind_text(const char *text, struct config_errors *errors, struct sample *sample)
{
	struct config_node *root = NULL;
	int r;

	assert_ok(config_tree_parse(text, strlen(text), "F", errors, &root));
	r = config_bind(fields, root, "plugins.p.", also, errors, sample);
	(void)config_node_free(root);
	return r;
}

static void assert_defaults(const struct sample *sample)
{
	assert_int_equal(sample->on, 1);
	assert_int_equal(sample->count, 5);
	assert_int_equal(sample->offset, -5);
	assert_int_equal(sample->share, 20);
	assert_int_equal(sample->wait_usec, 250000);
	assert_int_equal(sample->size_bytes, 1ULL << 30);
	assert_string_equal(sample->name, "berth");
	assert_int_equal(sample->way, 0);
	assert_null(sample->globs[0]);
	assert_int_equal(sample->depth, 3);
}

static void test_config_bind_without_a_node_gives_defaults(void **state)
{
	struct config_errors errors = { 0 };
	struct sample sample;

	(void)state;
	/* Garbage in the struct must not be taken for strings. */
	memset(&sample, 0xa5, sizeof(sample));
	assert_ok(config_bind(fields, NULL, NULL, NULL, &errors, &sample));
	assert_defaults(&sample);
	config_bind_done(fields, &sample);
	assert_null(sample.name);
	config_bind_done(fields, &sample);
	assert_ok(bind_text("on:\nname: ~\ncpu:\n", &errors, &sample));
	assert_defaults(&sample);
	config_bind_done(fields, &sample);
	assert_int_equal(errors.count, 0);
}

static void test_config_bind_all_types_are_read(void **state)
{
	struct config_errors errors = { 0 };
	struct sample sample;

	(void)state;
	assert_ok(
		bind_text("on: false\ncount: 10\noffset: -1000\nshare: 85%\nwait: 2s\n"
			  "size: \"64Ki\"\nname: \"\"\nextra: {any: [thing]}\n"
			  "cpu: {way: vendor, globs: [a, 5, \"\"], labels: 3, cache: {depth: 7}}\n",
			  &errors, &sample));
	assert_int_equal(errors.count, 0);
	assert_int_equal(sample.on, 0);
	assert_int_equal(sample.count, 10);
	assert_int_equal(sample.offset, -1000);
	assert_int_equal(sample.share, 85);
	assert_int_equal(sample.wait_usec, 2000000);
	assert_int_equal(sample.size_bytes, 65536);
	assert_string_equal(sample.name, "");
	assert_int_equal(sample.way, 1);
	assert_string_equal(sample.globs[1], "5");
	assert_string_equal(sample.globs[2], "");
	assert_null(sample.globs[3]);
	assert_int_equal(sample.depth, 7);
	config_bind_done(fields, &sample);
}

static void test_config_bind_bad_values_are_told_and_default(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "on: yes", "F:1:5: plugins.p.on: expected true or false, not 'yes'" },
		{ "on: \"true\"", "F:1:5: plugins.p.on: expected true or false without quotes" },
		{ "on: [true]", "F:1:5: plugins.p.on: expected true or false, not a list" },
		{ "count: 0", "F:1:8: plugins.p.count: expected number, 1 to 10, not '0'" },
		{ "count: 11", "F:1:8: plugins.p.count: expected number, 1 to 10, not '11'" },
		{ "count: -1", "F:1:8: plugins.p.count: expected number, 1 to 10, not '-1'" },
		{ "count: 1x", "F:1:8: plugins.p.count: expected number, 1 to 10, not '1x'" },
		{ "count: \"5\"",
		  "F:1:8: plugins.p.count: expected number, 1 to 10 without quotes" },
		{ "count: 99999999999999999999",
		  "F:1:8: plugins.p.count: expected number, 1 to 10, not '99999999999999999999'" },
		{ "count: {a: 1}",
		  "F:1:8: plugins.p.count: expected number, 1 to 10, not a section" },
		{ "offset: -1001",
		  "F:1:9: plugins.p.offset: expected number, -1000 to 1000, not '-1001'" },
		{ "offset: 1001",
		  "F:1:9: plugins.p.offset: expected number, -1000 to 1000, not '1001'" },
		{ "share: 101", "F:1:8: plugins.p.share: expected percent, 0 to 100, not '101'" },
		{ "wait: 1ms", "F:1:7: plugins.p.wait: expected time, 10ms to 10s, not '1ms'" },
		{ "wait: 250", "F:1:7: plugins.p.wait: expected time, 10ms to 10s, not '250': a "
			       "whole number with us, ms, s, min or h" },
		{ "wait: 5m", "F:1:7: plugins.p.wait: expected time, 10ms to 10s, not '5m': a "
			      "whole number with us, ms, s, min or h" },
		{ "size: 4GB", "F:1:7: plugins.p.size: expected size, 4Ki to 1Ti, not '4GB': a "
			       "number of bytes, or with k, M, G, T, Ki, Mi, Gi or Ti" },
		{ "size: 1", "F:1:7: plugins.p.size: expected size, 4Ki to 1Ti, not '1'" },
		{ "name: \"a\\nb\"", "F:1:7: plugins.p.name: expected one line of text, without "
				     "control characters" },
		{ "name: [a]", "F:1:7: plugins.p.name: expected text, not a list" },
		{ "cpu: {way: fast}", "F:1:12: plugins.p.cpu.way: expected one of: auto, vendor, "
				      "upstream, not 'fast'" },
		{ "cpu: {globs: a}",
		  "F:1:14: plugins.p.cpu.globs: expected a list of texts, not one text" },
		{ "cpu: {globs: [a, {}]}",
		  "F:1:18: plugins.p.cpu.globs[1]: expected text, not a section" },
		{ "cpu: {globs: [a, ~]}",
		  "F:1:18: plugins.p.cpu.globs[1]: expected text, not nothing" },
		{ "cpu: 3",
		  "F:1:6: plugins.p.cpu: expected a section (keys below it), not one value" },
		{ "cpu: {cache: [1]}",
		  "F:1:14: plugins.p.cpu.cache: expected a section (keys below it), not a list" },
		{ "cpu: {cache: {depht: 1}}",
		  "F:1:15: plugins.p.cpu.cache.depht: unknown key; did you mean 'depth'?" },
		{ "cuont: 1", "F:1:1: plugins.p.cuont: unknown key; did you mean 'count'?" },
		{ "Count: 1", "F:1:1: plugins.p.Count: unknown key; did you mean 'count'?" },
		{ "zebra: 1", "F:1:1: plugins.p.zebra: unknown key; known here: on, count, offset, "
			      "share, wait, size, name, cpu, extra" },
		{ "cpu.way: auto", "F:1:1: plugins.p.cpu.way: unknown key; known here: on, count, "
				   "offset, share, wait, size, name, cpu, extra" },
		{ "cpu: {zebra: 1}", "F:1:7: plugins.p.cpu.zebra: unknown key; known here: way, "
				     "globs, cache, labels" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct config_errors errors = { 0 };
		struct sample sample;
		char line[1024];

		assert_errno(bind_text(cases[i].text, &errors, &sample), EINVAL);
		assert_int_equal(errors.count, 1);
		config_error_format(&errors.items[0], line, sizeof(line));
		assert_string_equal(line, cases[i].error);
		assert_defaults(&sample);
		config_bind_done(fields, &sample);
		config_errors_done(&errors);
	}
}

static void test_config_bind_root_of_another_kind_is_refused(void **state)
{
	static char text[] = "word";
	const struct config_node node = {
		.kind = CONFIG_SCALAR, .file = "F", .line = 1, .column = 2, .scalar = text
	};
	struct config_errors errors = { 0 };
	struct sample sample;
	char line[256];

	(void)state;
	assert_errno(config_bind(fields, &node, "plugins.p.", NULL, &errors, &sample), EINVAL);
	config_error_format(&errors.items[0], line, sizeof(line));
	assert_string_equal(line,
			    "F:1:2: plugins.p: expected a section (keys below it), not one value");
	config_bind_done(fields, &sample);
	config_errors_done(&errors);
}

static void test_config_bind_scalar_replaces_the_old_string(void **state)
{
	static char text[] = "other";
	const struct config_node node = { .kind = CONFIG_SCALAR, .file = "F", .scalar = text };
	struct config_errors errors = { 0 };
	struct sample sample;

	(void)state;
	assert_ok(config_bind(fields, NULL, NULL, NULL, &errors, &sample));
	assert_ok(config_bind_scalar(&fields[6], &node, "", &errors, &sample));
	assert_string_equal(sample.name, "other");
	config_bind_done(fields, &sample);
}

static void test_config_nearest_finds_slips_only(void **state)
{
	static const char *const known[] = { "qos",         "dry_run",
					     "default_qos", "reconcile_interval",
					     "rules",       NULL };
	static const struct {
		const char *key, *nearest;
	} cases[] = {
		{ "qso", "qos" },
		{ "q", NULL },
		{ "dryrun", "dry_run" },
		{ "DRY-RUN", "dry_run" },
		{ "rule", "rules" },
		{ "reconcile", "reconcile_interval" },
		{ "zebra", NULL },
		{ "default_qso", "default_qos" },
		{ "", NULL },
		{ "a_key_that_nobody_would_ever_write_by_mistake_in_a_policy_"
		  "of_berth",
		  NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *nearest = config_nearest(cases[i].key, known);

		if (cases[i].nearest)
			assert_string_equal(nearest ? nearest : "(none)", cases[i].nearest);
		else
			assert_null(nearest);
	}
	assert_null(config_nearest("qos", NULL));
}

static void test_config_field_text_is_as_users_write_it(void **state)
{
	static const struct {
		const char *type, *fallback;
	} expected[] = {
		{ "true or false", "true" },       { "number, 1 to 10", "5" },
		{ "number, -1000 to 1000", "-5" }, { "percent, 0 to 100", "20" },
		{ "time, 10ms to 10s", "250ms" },  { "size, 4Ki to 1Ti", "1Gi" },
		{ "text", "\"berth\"" },           { "one of: auto, vendor, upstream", "auto" },
		{ "list of texts", "[]" },         { "number, 0 or more", "3" },
	};
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		config_field_type(&fields[i], text, sizeof(text));
		assert_string_equal(text, expected[i].type);
		config_field_default(&fields[i], text, sizeof(text));
		assert_string_equal(text, expected[i].fallback);
	}
	config_field_type(&fields[7], text, 10);
	assert_string_equal(text, "one of: a");
}

static void test_config_equal_sees_every_field(void **state)
{
	static const char *const changes[] = { "on: false",         "count: 6",
					       "offset: 5",         "share: 21",
					       "wait: 1s",          "size: 4Ki",
					       "name: x",           "cpu: {way: vendor}",
					       "cpu: {globs: [a]}", "cpu: {cache: {depth: 4}}" };
	struct config_errors errors = { 0 };
	struct sample a, b;

	(void)state;
	assert_ok(bind_text("", &errors, &a));
	assert_ok(bind_text("count: 5\nname: berth\ncpu: {globs: []}", &errors, &b));
	assert_true(config_equal(fields, &a, &b));
	config_bind_done(fields, &b);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		assert_ok(bind_text(changes[i], &errors, &b));
		assert_false(config_equal(fields, &a, &b));
		assert_false(config_equal(fields, &b, &a));
		assert_true(config_equal(fields, &b, &b));
		config_bind_done(fields, &b);
	}
	config_bind_done(fields, &a);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_bind_without_a_node_gives_defaults),
		cmocka_unit_test(test_config_bind_all_types_are_read),
		cmocka_unit_test(test_config_bind_bad_values_are_told_and_default),
		cmocka_unit_test(test_config_bind_root_of_another_kind_is_refused),
		cmocka_unit_test(test_config_bind_scalar_replaces_the_old_string),
		cmocka_unit_test(test_config_nearest_finds_slips_only),
		cmocka_unit_test(test_config_field_text_is_as_users_write_it),
		cmocka_unit_test(test_config_equal_sees_every_field),
	};

	return cmocka_run_group_tests_name("config-bind", tests, NULL, NULL);
}
