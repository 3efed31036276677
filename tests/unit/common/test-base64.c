/* SPDX-License-Identifier: Apache-2.0 */
#include "base64.h"
#include "berth-test.h"
#include "macro.h"

static void test_base64_decode_valid_gives_bytes(void **state)
{
	/* RFC 4648, section 10, and what kubectl writes. */
	const struct {
		const char *text, *bytes;
		size_t size;
	} cases[] = {
		{ "", "", 0 },
		{ "Zg==", "f", 1 },
		{ "Zm8=", "fo", 2 },
		{ "Zm9v", "foo", 3 },
		{ "Zm9vYg==", "foob", 4 },
		{ "Zm9vYmE=", "fooba", 5 },
		{ "Zm9vYmFy", "foobar", 6 },
		{ " Zm9v\n\tYm\r\nFy \n", "foobar", 6 },
		{ "AAAA", "\0\0\0", 3 },
		{ "//79+w==", "\xff\xfe\xfd\xfb", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *bytes = NULL;
		size_t size = 99;

		assert_ok(base64_decode(cases[i].text, &bytes, &size));
		assert_int_equal(size, cases[i].size);
		assert_memory_equal(bytes, cases[i].bytes, size + 1);
		free(bytes);
	}
}

static void test_base64_decode_bad_is_invalid(void **state)
{
	static const char *const texts[] = { "Z",    "Zg",   "Zg=",        "Zm9",  "====",
					     "=",    "A===", "Zg==Zg==",   "Zm=v", "Zm9v-_==",
					     "Zh==", "Zm9=", "Zm\xc3\xa4", "Z.==", "Zg===" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		char *bytes = NULL;

		assert_errno(base64_decode(texts[i], &bytes, NULL), EINVAL);
		assert_null(bytes);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_decode_valid_gives_bytes),
		cmocka_unit_test(test_base64_decode_bad_is_invalid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
