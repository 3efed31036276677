/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "berth-test.h"
#include "config/tree.h"
#include "file.h"
#include "macro.h"
#include "strbuf.h"

static struct config_node *parse(const char *text)
{
	struct config_errors errors = { 0 };
	struct config_node *root = NULL;

	assert_ok(config_tree_parse(text, strlen(text), "good.yaml", &errors, &root));
	assert_int_equal(errors.count, 0);
	assert_non_null(root);
	return root;
}

/* The first message is `expected`, and nothing is handed out. */
static void assert_refused(const char *text, size_t length, const char *expected)
{
	struct config_errors errors = { 0 };
	struct config_node *root = NULL;
	char line[1024];

	assert_errno(config_tree_parse(text, length, "F", &errors, &root), EINVAL);
	assert_null(root);
	assert_true(errors.count > 0);
	config_error_format(&errors.items[0], line, sizeof(line));
	assert_string_equal(line, expected);
	config_errors_done(&errors);
}

static void test_config_tree_parse_values_keep_place_and_kind(void **state)
{
	struct config_node *root = parse("# prose\n"
					 "name: berth\n"
					 "quoted: \"true\"\n"
					 "empty:\n"
					 "none: ~\n"
					 "section:\n"
					 "  list: [a, 'b']\n");
	const struct config_node *node = config_node_get(root, "name");

	(void)state;
	assert_int_equal(root->kind, CONFIG_MAPPING);
	assert_int_equal(root->count, 5);
	assert_string_equal(node->scalar, "berth");
	assert_string_equal(node->file, "good.yaml");
	assert_int_equal(node->line, 2);
	assert_int_equal(node->column, 7);
	assert_int_equal(node->key_line, 2);
	assert_int_equal(node->key_column, 1);
	assert_false(node->quoted);
	assert_true(config_node_get(root, "quoted")->quoted);
	assert_int_equal(config_node_get(root, "empty")->kind, CONFIG_NULL);
	assert_int_equal(config_node_get(root, "none")->kind, CONFIG_NULL);
	assert_null(config_node_get(root, "list"));
	node = config_node_get(config_node_get(root, "section"), "list");
	assert_int_equal(node->kind, CONFIG_SEQUENCE);
	assert_int_equal(node->count, 2);
	assert_string_equal(node->children[1]->scalar, "b");
	assert_int_equal(node->children[1]->line, 7);
	assert_int_equal(node->children[1]->column, 13);
	assert_null(config_node_get(node, "a"));
	(void)config_node_free(root);
}

static void test_config_tree_parse_nothing_is_null(void **state)
{
	static const char *const texts[] = {
		"", "\n", "# only prose\n", "---\n", "---\n...\n", "~"
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct config_node *root = parse(texts[i]);

		assert_int_equal(root->kind, CONFIG_NULL);
		(void)config_node_free(root);
	}
}

static void test_config_tree_parse_crlf_and_bom_are_fine(void **state)
{
	struct config_node *root = parse("\xef\xbb\xbf"
					 "a: 1\r\nb: 2\r\n");
	const struct config_node *node = config_node_get(root, "b");

	(void)state;
	assert_string_equal(node->scalar, "2");
	assert_int_equal(node->line, 2);
	assert_int_equal(node->column, 4);
	(void)config_node_free(root);
}

static void test_config_tree_parse_bad_text_is_refused_with_its_place(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "a: 1\nb: 2\na: 3\n", "F:3:1: a: duplicate key, first written in line 1" },
		{ "s:\n  k: 1\n  k: 2\n", "F:3:3: s.k: duplicate key, first written in line 2" },
		{ "l: [1, {k: 1, k: 2}]\n",
		  "F:1:15: l[1].k: duplicate key, first written in line 1" },
		{ "a: &x 1\n", "F:1:4: a: anchors ('&x') are not allowed: write the value itself" },
		{ "a: &x [1]\n",
		  "F:1:4: a: anchors ('&x') are not allowed: write the value itself" },
		{ "a: &x {b: 1}\n",
		  "F:1:4: a: anchors ('&x') are not allowed: write the value itself" },
		{ "&x a: 1\n", "F:1:1: a: anchors ('&x') are not allowed: write the value itself" },
		{ "a: *x\n", "F:1:4: a: aliases ('*x') are not allowed: write the value itself" },
		{ "l: [*x]\n",
		  "F:1:5: l[0]: aliases ('*x') are not allowed: write the value itself" },
		{ "a: !!str 1\n", "F:1:4: a: tags ('tag:yaml.org,2002:str') are not allowed: the "
				  "key decides the type" },
		{ "a: !own {}\n",
		  "F:1:4: a: tags ('!own') are not allowed: the key decides the type" },
		{ "%TAG ! tag:x,1:\n---\na: 1\n", "F:1:1: tag directives are not allowed" },
		{ "<<: {a: 1}\n",
		  "F:1:1: <<: merge keys are not allowed: write the keys themselves" },
		{ "a: 1\n---\nb: 2\n", "F:2:1: a second document ('---'): one file holds one" },
		{ "- a\n", "F:1:1: expected 'key: value', not a list" },
		{ "word\n", "F:1:1: expected 'key: value', not a text" },
		{ "\"\": 1\n", "F:1:1: expected a key before the ':'" },
		{ "a: {? b}\n? c\n: d\n? [e]\n",
		  "F:4:3: a key is one word: text in brackets or braces needs quotes" },
		{ "a:\n  {{ .Values.a }}: 1\n",
		  "F:2:3: a: a key is one word: text in brackets or braces needs quotes" },
		{ "[a]: 1\n", "F:1:1: a key is one word: text in brackets or braces needs quotes" },
		{ "a: \"x\\0y\"\n", "F:1:4: a: a text that holds a NUL" },
		{ "\"x\\0y\": 1\n", "F:1:1: x: a key that holds a NUL" },
		{ "a:\n\tb: 1\n", "F:2:1: a: a tab in the indentation: use spaces" },
		{ "a: b: c\n",
		  "F:1:5: a ':' is not expected here: mind the indentation, or put the "
		  "text in quotes" },
		{ "a:\n  b: 1\n c: 2\n", "F:3:2: expected a key here: mind the indentation, or put "
					 "the text above in quotes" },
		{ "a: [1, 2\n", "F:2:1: a[1]: expected ',' or ']'" },
		{ "a: @x\n",
		  "F:1:4: a: a value cannot start with this character: put it in quotes" },
		{ "n: \xff\n", "F:1:4: byte 0xff is not valid UTF-8" },
		{ "\xc3\xa4: \xc0\x80\n", "F:1:4: byte 0xc0 is not valid UTF-8" },
		{ "a: \xed\xa0\x80\n", "F:1:4: byte 0xed is not valid UTF-8" },
		{ "a: \xf4\x90\x80\x80\n", "F:1:4: byte 0xf4 is not valid UTF-8" },
		{ "a: \xc3", "F:1:4: byte 0xc3 is not valid UTF-8" },
		{ "a: 1\nb: \x01\n", "F:2:4: a control character (U+0001)" },
		{ "a: \x7f\n", "F:1:4: a control character (U+007F)" },
		{ "a: b\xe2\x80\xa8",
		  "F:1:5: a Unicode line separator: end lines with a plain newline (U+2028)" },
		{ "a\xef\xbb\xbf: 1\n", "F:1:2: a byte order mark inside the text (U+FEFF)" },
		{ "a: \"\\n\": b\n", "F:1:8: a ':' is not expected here: mind the indentation, or "
				     "put the text in quotes" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_refused(cases[i].text, strlen(cases[i].text), cases[i].error);
	assert_refused("a: \0", 4, "F:1:4: a NUL byte: this is not a text file (U+0000)");
	/* UTF-16, as an editor on another system saves it. */
	assert_refused("\xff\xfe"
		       "a\0",
		       4, "F:1:1: byte 0xff is not valid UTF-8");
}

static void test_config_tree_parse_all_errors_are_told_in_one_run(void **state)
{
	static const char text[] = "a: &x 1\nb: *x\na: 3\nc: !t 1\n";
	struct config_errors errors = { 0 };
	struct config_node *root = NULL;

	(void)state;
	assert_errno(config_tree_parse(text, strlen(text), "F", &errors, &root), EINVAL);
	assert_int_equal(errors.count, 3 + 1);
	assert_int_equal(errors.items[3].line, 4);
	config_errors_done(&errors);
}

static void test_config_tree_parse_key_with_newline_forges_no_line(void **state)
{
	(void)state;
	assert_refused("\"k\\n<3>fake\": 1\n\"k\\n<3>fake\": 2\n", 30 + 1,
		       "F:2:1: k?<3>fake: duplicate key, first written in line 1");
}

static void add_nested(struct strbuf *text, size_t levels)
{
	for (size_t i = 0; i < levels; i++)
		strbuf_add(text, i ? "[" : "a: ");
	for (size_t i = 1; i < levels; i++)
		strbuf_add_char(text, ']');
}

static void test_config_tree_parse_depth_is_limited(void **state)
{
	struct strbuf good = { 0 }, bad = { 0 };
	struct config_node *root;

	(void)state;
	add_nested(&good, CONFIG_DEPTH_MAX);
	root = parse(strbuf_text(&good));
	(void)config_node_free(root);
	add_nested(&bad, CONFIG_DEPTH_MAX + 1);
	assert_refused(strbuf_text(&bad), bad.length,
		       "F:1:19: a[0][0][0][0][0][0][0][0][0][0][0][0][0][0][0]: more than 16 "
		       "levels deep");
	strbuf_done(&good);
	strbuf_done(&bad);
}

static void test_config_tree_parse_size_and_count_are_limited(void **state)
{
	struct strbuf text = { 0 };

	(void)state;
	strbuf_add(&text, "a: [");
	for (unsigned int i = 0; i < CONFIG_NODES_MAX; i++)
		strbuf_add(&text, "1,");
	strbuf_add(&text, "1]\n");
	/* The root, the key and its list count, too. */
	assert_refused(strbuf_text(&text), text.length,
		       "F:1:131071: a[65532]: more than 65536 values in one file");
	strbuf_clear(&text);
	strbuf_add(&text, "a: ");
	while (text.length <= CONFIG_FILE_MAX)
		strbuf_add(&text, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx");
	assert_refused(strbuf_text(&text), text.length, "F: larger than 1048576 bytes");
	strbuf_done(&text);
}

static void test_config_tree_load_missing_file_is_told_by_name(void **state)
{
	struct config_errors errors = { 0 };
	struct config_node *root = NULL;
	char line[512];

	(void)state;
	assert_errno(config_tree_load(AT_FDCWD, "/nonexistent/x.yaml", &errors, &root), EINVAL);
	config_error_format(&errors.items[0], line, sizeof(line));
	assert_string_equal(line, "/nonexistent/x.yaml: cannot be read: No such file or directory");
	config_errors_done(&errors);
}

static void test_config_tree_merge_goes_key_by_key(void **state)
{
	struct config_node *base = parse("a: 1\ns: {x: 1, y: [1, 2]}\nkept: k\nnull_base:\n");
	struct config_node *over =
		parse("\na: 2\ns: {y: [3], z: 4}\nkept:\nnew: {n: 1}\nnull_base: {m: 1}\n");
	const struct config_node *section;

	(void)state;
	assert_ok(config_tree_merge(base, over));
	assert_int_equal(base->count, 5);
	assert_string_equal(config_node_get(base, "a")->scalar, "2");
	assert_int_equal(config_node_get(base, "a")->line, 2);
	assert_string_equal(config_node_get(base, "kept")->scalar, "k");
	section = config_node_get(base, "s");
	assert_int_equal(section->count, 3);
	assert_string_equal(config_node_get(section, "x")->scalar, "1");
	assert_int_equal(config_node_get(section, "y")->count, 1);
	assert_string_equal(config_node_get(section, "z")->scalar, "4");
	assert_int_equal(config_node_get(config_node_get(base, "new"), "n")->line, 5);
	assert_string_equal(config_node_get(config_node_get(base, "null_base"), "m")->scalar, "1");
	/* Names of files live as long as the nodes that were written in them. */
	assert_string_equal(config_node_get(base, "a")->file, "good.yaml");
	(void)config_node_free(base);
}

static void test_config_tree_merge_other_kinds_replace(void **state)
{
	struct config_node *base = parse("");

	(void)state;
	assert_ok(config_tree_merge(base, parse("a: {b: 1}\n")));
	assert_int_equal(base->kind, CONFIG_MAPPING);
	assert_ok(config_tree_merge(base, parse("# nothing\n")));
	assert_ok(config_tree_merge(base, parse("a: [1]\n")));
	assert_int_equal(base->count, 1);
	assert_int_equal(config_node_get(base, "a")->kind, CONFIG_SEQUENCE);
	(void)config_node_free(base);
}

static void test_config_errors_add_sorts_by_place_within_a_file(void **state)
{
	static const struct config_node places[] = {
		{ .file = "a", .line = 5, .column = 3 }, { .file = "a", .line = 3, .column = 5 },
		{ .file = "a", .line = 3, .column = 5 }, { .file = "a", .line = 3, .column = 1 },
		{ .file = "b", .line = 1, .column = 1 }, { .file = "b" },
	};
	static const unsigned int order[] = { 3, 1, 2, 0, 5, 4 };
	struct config_errors errors CLEANUP(config_errors_done) = {};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		config_errors_add(&errors, &places[i], NULL, "%zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		assert_int_equal(errors.items[i].text[0] - '0', order[i]);
}

static void test_config_errors_add_over_the_limit_only_counts(void **state)
{
	struct config_errors errors = { 0 };

	(void)state;
	for (unsigned int i = 0; i < CONFIG_ERRORS_MAX + 3; i++)
		config_errors_add(&errors, NULL, "key", "error %u", i);
	assert_int_equal(errors.count, CONFIG_ERRORS_MAX);
	assert_int_equal(errors.dropped, 3);
	assert_string_equal(errors.items[CONFIG_ERRORS_MAX - 1].text, "error 63");
	config_errors_done(&errors);
	assert_int_equal(errors.count, 0);
}

static void test_config_errors_add_cut_text_stays_utf8(void **state)
{
	struct config_errors errors = { 0 };
	char text[400];

	(void)state;
	/* Two bytes each after one: the cut at 319 falls into a character. */
	memset(text, 0, sizeof(text));
	for (size_t i = 0; i + 1 < sizeof(text) - 1; i += 2)
		memcpy(text + i, "\xc3\xa4", 2);
	config_errors_add(&errors, NULL, NULL, "%s", text);
	assert_int_equal(strlen(errors.items[0].text), 318);
	config_errors_done(&errors);
}

static void test_config_error_format_leaves_out_what_is_unknown(void **state)
{
	struct config_error error = { .text = "text" };
	char line[128];

	(void)state;
	config_error_format(&error, line, sizeof(line));
	assert_string_equal(line, "text");
	(void)snprintf(error.key, sizeof(error.key), "key");
	config_error_format(&error, line, sizeof(line));
	assert_string_equal(line, "key: text");
	(void)snprintf(error.file, sizeof(error.file), "file");
	config_error_format(&error, line, sizeof(line));
	assert_string_equal(line, "file: key: text");
	error.line = 3;
	error.column = 4;
	config_error_format(&error, line, sizeof(line));
	assert_string_equal(line, "file:3:4: key: text");
	config_error_format(&error, line, 8);
	assert_string_equal(line, "file:3:");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_tree_parse_values_keep_place_and_kind),
		cmocka_unit_test(test_config_tree_parse_nothing_is_null),
		cmocka_unit_test(test_config_tree_parse_crlf_and_bom_are_fine),
		cmocka_unit_test(test_config_tree_parse_bad_text_is_refused_with_its_place),
		cmocka_unit_test(test_config_tree_parse_all_errors_are_told_in_one_run),
		cmocka_unit_test(test_config_tree_parse_key_with_newline_forges_no_line),
		cmocka_unit_test(test_config_tree_parse_depth_is_limited),
		cmocka_unit_test(test_config_tree_parse_size_and_count_are_limited),
		cmocka_unit_test(test_config_tree_load_missing_file_is_told_by_name),
		cmocka_unit_test(test_config_tree_merge_goes_key_by_key),
		cmocka_unit_test(test_config_tree_merge_other_kinds_replace),
		cmocka_unit_test(test_config_errors_add_sorts_by_place_within_a_file),
		cmocka_unit_test(test_config_errors_add_over_the_limit_only_counts),
		cmocka_unit_test(test_config_errors_add_cut_text_stays_utf8),
		cmocka_unit_test(test_config_error_format_leaves_out_what_is_unknown),
	};

	return cmocka_run_group_tests_name("config-tree", tests, NULL, NULL);
}
