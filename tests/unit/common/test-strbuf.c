/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "strbuf.h"

static void test_strbuf_zeroed_is_empty_text(void **state)
{
	struct strbuf buffer = { 0 };

	(void)state;
	assert_string_equal(strbuf_text(&buffer), "");
	assert_ok(strbuf_error(&buffer));
	strbuf_clear(&buffer);
	strbuf_done(&buffer);
	strbuf_done(NULL);
}

static void test_strbuf_add_forms_append(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };

	(void)state;
	strbuf_add(&buffer, "a");
	strbuf_add_char(&buffer, 'b');
	strbuf_add_bytes(&buffer, "cdXX", 2);
	strbuf_add_bytes(&buffer, "", 0);
	strbuf_addf(&buffer, "%s-%d", "e", 7);
	assert_string_equal(strbuf_text(&buffer), "abcde-7");
	assert_int_equal(buffer.length, 7);
}

static void test_strbuf_growth_keeps_the_text(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };

	(void)state;
	for (int i = 0; i < 20000; i++)
		strbuf_addf(&buffer, "%05d", i);
	assert_ok(strbuf_error(&buffer));
	assert_int_equal(buffer.length, 100000);
	assert_int_equal(strlen(strbuf_text(&buffer)), 100000);
	for (int i = 0; i < 20000; i += 997) {
		char expected[16];

		(void)snprintf(expected, sizeof(expected), "%05d", i);
		assert_memory_equal(strbuf_text(&buffer) + 5 * i, expected, 5);
	}
}

static void test_strbuf_addf_longer_than_the_buffer_is_whole(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	char text[500];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	strbuf_addf(&buffer, "<%s>", text);
	assert_int_equal(buffer.length, sizeof(text) + 1);
	assert_int_equal(strbuf_text(&buffer)[buffer.length - 1], '>');
}

static void test_strbuf_addf_errno_is_printed(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };

	(void)state;
	errno = ENOENT;
	strbuf_addf(&buffer, "%m");
	assert_string_equal(strbuf_text(&buffer), strerror(ENOENT));
}

static void test_strbuf_take_leaves_an_empty_buffer(void **state)
{
	struct strbuf buffer = { 0 };
	char *text;

	(void)state;
	strbuf_add(&buffer, "mine");
	text = strbuf_take(&buffer);
	assert_string_equal(text, "mine");
	free(text);
	assert_int_equal(buffer.length, 0);
	assert_null(buffer.text);
	text = strbuf_take(&buffer);
	assert_string_equal(text, "");
	free(text);
}

static void test_strbuf_clear_keeps_the_memory(void **state)
{
	cleanup_strbuf struct strbuf buffer = { 0 };
	size_t capacity;

	(void)state;
	strbuf_add(&buffer, "something");
	capacity = buffer.capacity;
	strbuf_clear(&buffer);
	assert_string_equal(strbuf_text(&buffer), "");
	assert_int_equal(buffer.capacity, capacity);
	strbuf_add(&buffer, "x");
	assert_string_equal(strbuf_text(&buffer), "x");
}

static void test_strbuf_too_large_is_remembered(void **state)
{
	struct strbuf buffer = { 0 };

	(void)state;
	strbuf_add(&buffer, "kept");
	/* Refused before a byte of it is read. */
	strbuf_add_bytes(&buffer, "x", SIZE_MAX / 2);
	assert_errno(strbuf_error(&buffer), ENOMEM);
	strbuf_add(&buffer, "ignored");
	assert_string_equal(strbuf_text(&buffer), "kept");
	assert_null(strbuf_take(&buffer));
	assert_ok(strbuf_error(&buffer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strbuf_zeroed_is_empty_text),
		cmocka_unit_test(test_strbuf_add_forms_append),
		cmocka_unit_test(test_strbuf_growth_keeps_the_text),
		cmocka_unit_test(test_strbuf_addf_longer_than_the_buffer_is_whole),
		cmocka_unit_test(test_strbuf_addf_errno_is_printed),
		cmocka_unit_test(test_strbuf_take_leaves_an_empty_buffer),
		cmocka_unit_test(test_strbuf_clear_keeps_the_memory),
		cmocka_unit_test(test_strbuf_too_large_is_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
