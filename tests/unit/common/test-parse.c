/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "parse.h"

#define UNTOUCHED 0x5aa5a55aULL

struct number_case {
	const char *text;
	int error; /* positive; 0: number */
	uint64_t number;
};

static void check_numbers(int (*parse)(const char *text, uint64_t *ret),
			  const struct number_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t number = UNTOUCHED;
		int r = parse(cases[i].text, &number);

		if (r != -cases[i].error)
			fail_msg("'%s': %d, expected %d", cases[i].text, r, -cases[i].error);
		if (number != (cases[i].error ? UNTOUCHED : cases[i].number))
			fail_msg("'%s': %llu", cases[i].text, (unsigned long long)number);
	}
}

static void test_parse_u64_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "0", 0, 0 },
		{ "00017", 0, 17 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551616", ERANGE, 0 },
		{ "99999999999999999999999999", ERANGE, 0 },
		{ "99999999999999999999999999x", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ " 1", EINVAL, 0 },
		{ "1 ", EINVAL, 0 },
		{ "1\n", EINVAL, 0 },
		{ "+1", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
		{ "-0", EINVAL, 0 },
		{ "0x10", EINVAL, 0 },
		{ "1e3", EINVAL, 0 },
		{ "1.0", EINVAL, 0 },
		{ "\xd9\xa1", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_u64, cases, ARRAY_SIZE(cases));
}

static void test_parse_u64_span_stops_at_length(void **state)
{
	uint64_t number = UNTOUCHED;

	(void)state;
	assert_ok(parse_u64_span("12345", 3, &number));
	assert_int_equal(number, 123);
	assert_errno(parse_u64_span("123", 0, &number), EINVAL);
	assert_errno(parse_u64_span("1\0002", 3, &number), EINVAL);
	assert_int_equal(number, 123);
}

static void test_parse_s64_table_matches(void **state)
{
	static const struct {
		const char *text;
		int error;
		int64_t number;
	} cases[] = {
		{ "0", 0, 0 },
		{ "-0", 0, 0 },
		{ "-2", 0, -2 },
		{ "9223372036854775807", 0, INT64_MAX },
		{ "9223372036854775808", ERANGE, 0 },
		{ "-9223372036854775808", 0, INT64_MIN },
		{ "-9223372036854775809", ERANGE, 0 },
		{ "", EINVAL, 0 },
		{ "-", EINVAL, 0 },
		{ "--1", EINVAL, 0 },
		{ "+1", EINVAL, 0 },
		{ "- 1", EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t number = 77;
		int r = parse_s64(cases[i].text, &number);

		if (r != -cases[i].error || number != (cases[i].error ? 77 : cases[i].number))
			fail_msg("'%s': %d, %lld", cases[i].text, r, (long long)number);
	}
}

static void test_parse_u64_hex_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "0", 0, 0 },
		{ "fF", 0, 255 },
		{ "0x1F", 0, 31 },
		{ "0Xa", 0, 10 },
		{ "ffffffffffffffff", 0, UINT64_MAX },
		{ "0000ffffffffffffffff", 0, UINT64_MAX },
		{ "10000000000000000", ERANGE, 0 },
		{ "10000000000000000g", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ "0x", EINVAL, 0 },
		{ "0x0x1", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
		{ "g", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_u64_hex, cases, ARRAY_SIZE(cases));
}

static void test_parse_bool_takes_two_words(void **state)
{
	static const char *const bad[] = { "", "True", "yes", "1", "0", "true ", "truee", "fals" };
	bool value = false;

	(void)state;
	assert_ok(parse_bool("true", &value));
	assert_true(value);
	assert_ok(parse_bool("false", &value));
	assert_false(value);
	value = true;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_errno(parse_bool(bad[i], &value), EINVAL);
	assert_true(value);
}

static void test_parse_bytes_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "512", 0, 512 },
		{ "64k", 0, 64000 },
		{ "64K", 0, 64000 },
		{ "64Ki", 0, 65536 },
		{ "2Gi", 0, 2ULL << 30 },
		{ "1.5G", 0, 1500000000 },
		{ "0.5Ki", 0, 512 },
		{ ".5Ki", 0, 512 },
		{ "1.Ki", 0, 1024 },
		{ "1.5", 0, 2 },
		{ "0.0000000000000000000001", 0, 1 },
		{ "0.0000000000000000000000", 0, 0 },
		{ "1.0000000000000000000001Ki", 0, 1025 },
		{ "0.999999999999999999999Ei", 0, 1ULL << 60 },
		{ "15Ei", 0, 15ULL << 60 },
		{ "16Ei", ERANGE, 0 },
		{ "15.999999999999999999999Ei", ERANGE, 0 },
		{ "18E", 0, 18000000000000000000ULL },
		{ "19E", ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551615.1", ERANGE, 0 },
		{ "18446744073709551616", ERANGE, 0 },
		{ "18446744073709551616Q", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ ".", EINVAL, 0 },
		{ "Ki", EINVAL, 0 },
		{ "1 Ki", EINVAL, 0 },
		{ "1ki", EINVAL, 0 },
		{ "1KiB", EINVAL, 0 },
		{ "1m", EINVAL, 0 },
		{ "1e3", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
		{ "1.2.3", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_bytes, cases, ARRAY_SIZE(cases));
}

static void test_parse_usec_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "0", 0, 0 },
		{ "0s", 0, 0 },
		{ "100us", 0, 100 },
		{ "250ms", 0, 250000 },
		{ "2s", 0, 2000000 },
		{ "5min", 0, 300000000 },
		{ "1h", 0, 3600000000ULL },
		{ "5124095576h", 0, 5124095576ULL * 3600000000ULL },
		{ "5124095577h", ERANGE, 0 },
		{ "18446744073709551616us", ERANGE, 0 },
		{ "2", EINVAL, 0 },
		{ "00", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ "s", EINVAL, 0 },
		{ "2 s", EINVAL, 0 },
		{ "2m", EINVAL, 0 },
		{ "2S", EINVAL, 0 },
		{ "1.5s", EINVAL, 0 },
		{ "-1s", EINVAL, 0 },
		{ "1s1s", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_usec, cases, ARRAY_SIZE(cases));
}

static void test_parse_percent_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "85%", 0, 85 },
		{ "85", 0, 85 },
		{ "0", 0, 0 },
		{ "100%", 0, 100 },
		{ "101", ERANGE, 0 },
		{ "101%", ERANGE, 0 },
		{ "99999999999999999999", ERANGE, 0 },
		{ "", EINVAL, 0 },
		{ "%", EINVAL, 0 },
		{ "8 %", EINVAL, 0 },
		{ "85%%", EINVAL, 0 },
		{ "8.5%", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_percent, cases, ARRAY_SIZE(cases));
}

static void test_parse_cpu_milli_table_matches(void **state)
{
	static const struct number_case cases[] = {
		{ "2", 0, 2000 },
		{ "1.5", 0, 1500 },
		{ "500m", 0, 500 },
		{ "0.5m", 0, 1 },
		{ "0.0001", 0, 1 },
		{ "0", 0, 0 },
		{ "18446744073709551.615", 0, UINT64_MAX },
		{ "18446744073709551.616", ERANGE, 0 },
		{ "18446744073709552", ERANGE, 0 },
		{ "18446744073709551615m", 0, UINT64_MAX },
		{ "m", EINVAL, 0 },
		{ "", EINVAL, 0 },
		{ "1k", EINVAL, 0 },
		{ "1M", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
		{ "1 m", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_cpu_milli, cases, ARRAY_SIZE(cases));
}

static int parse_memory(const char *text, uint64_t *ret)
{
	return parse_quantity(text, 1, ret);
}

static int parse_cpu(const char *text, uint64_t *ret)
{
	return parse_quantity(text, 1000, ret);
}

static void test_parse_quantity_of_bytes_takes_every_form(void **state)
{
	static const struct number_case cases[] = {
		{ "128974848", 0, 128974848 },
		{ "129e6", 0, 129000000 },
		{ "129E6", 0, 129000000 },
		{ "129e+6", 0, 129000000 },
		{ "129M", 0, 129000000 },
		{ "123Mi", 0, 123ULL << 20 },
		{ "128974848000m", 0, 128974848 },
		{ "1500m", 0, 2 },
		{ "1u", 0, 1 },
		{ "1n", 0, 1 },
		{ "1000000001n", 0, 2 },
		{ "1E", 0, 1000000000000000000ULL },
		{ "1e18", 0, 1000000000000000000ULL },
		{ "18E", 0, 18000000000000000000ULL },
		{ "19E", ERANGE, 0 },
		{ "1.5Gi", 0, 3ULL << 29 },
		{ "15Ei", 0, 15ULL << 60 },
		{ "16Ei", ERANGE, 0 },
		{ "18446744073709551615", 0, UINT64_MAX },
		{ "18446744073709551615.1", ERANGE, 0 },
		{ "18446744073709551615e-19", 0, 2 },
		{ "18446744073709551615e-20", 0, 1 },
		{ "18446744073709551615e-99999999999999999999", 0, 1 },
		{ "0e99999999999999999999", 0, 0 },
		{ "1e99999999999999999999", ERANGE, 0 },
		{ "0.000000000000000001e18", 0, 1 },
		{ "", EINVAL, 0 },
		{ ".", EINVAL, 0 },
		{ "m", EINVAL, 0 },
		{ "1K", EINVAL, 0 },
		{ "1e", EINVAL, 0 },
		{ "1e-", EINVAL, 0 },
		{ "1e+-1", EINVAL, 0 },
		{ "1e3Mi", EINVAL, 0 },
		{ "1e1.5", EINVAL, 0 },
		{ "1 Mi", EINVAL, 0 },
		{ "-1", EINVAL, 0 },
	};

	(void)state;
	check_numbers(parse_memory, cases, ARRAY_SIZE(cases));
}

static void test_parse_quantity_of_cpus_takes_every_form(void **state)
{
	static const struct number_case cases[] = {
		{ "100m", 0, 100 },
		{ "0.5", 0, 500 },
		{ "2", 0, 2000 },
		{ "1e3", 0, 1000000 },
		{ "1e-3", 0, 1 },
		{ "1e-4", 0, 1 },
		{ "1k", 0, 1000000 },
		{ "1Ki", 0, 1024000 },
		{ "100u", 0, 1 },
		{ "1001u", 0, 2 },
		{ "100n", 0, 1 },
		{ "0n", 0, 0 },
		{ "18446744073709551615m", 0, UINT64_MAX },
		{ "18446744073709551616m", ERANGE, 0 },
		{ "18446744073709552", ERANGE, 0 },
		{ "15Ei", ERANGE, 0 },
	};

	(void)state;
	check_numbers(parse_cpu, cases, ARRAY_SIZE(cases));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_u64_table_matches),
		cmocka_unit_test(test_parse_u64_span_stops_at_length),
		cmocka_unit_test(test_parse_s64_table_matches),
		cmocka_unit_test(test_parse_u64_hex_table_matches),
		cmocka_unit_test(test_parse_bool_takes_two_words),
		cmocka_unit_test(test_parse_bytes_table_matches),
		cmocka_unit_test(test_parse_usec_table_matches),
		cmocka_unit_test(test_parse_percent_table_matches),
		cmocka_unit_test(test_parse_cpu_milli_table_matches),
		cmocka_unit_test(test_parse_quantity_of_bytes_takes_every_form),
		cmocka_unit_test(test_parse_quantity_of_cpus_takes_every_form),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
