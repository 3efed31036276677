/* SPDX-License-Identifier: Apache-2.0 */
/* What readers get: shared, never changed under them, bounded; compressed; and what tables are. */
#include "host/page-world.h"
#include "metrics/gzip.h"
#include "metrics/registry.h"
#include "metrics/serve.h"

static void fill(struct page_world *world)
{
	for (uint64_t id = 1; id <= WORKLOADS; id++) {
		char labels[32];

		know(world, id, SAMPLE_CPU_USAGE_USEC, id);
		know(world, id, SAMPLE_MEMORY_ANON_BYTES, id);
		(void)snprintf(labels, sizeof(labels), "name=\"n%02u\"", (unsigned int)id);
		assert_ok(page_put(world->page, id, labels));
	}
}

/* All values of a pass are its number. */
static void pass(struct page_world *world, uint64_t number)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		world->subjects[i].sample.value[SAMPLE_CPU_USAGE_USEC] = number;
		world->subjects[i].sample.value[SAMPLE_MEMORY_ANON_BYTES] = number;
	}
	world->now_usec += 2 * USEC_PER_SEC;
	world_update(world, EXPOSITION_TEXT_0_0_4);
}

static void test_take_readers_of_one_pass_share(void **state)
{
	struct page_world *world = *state;
	cleanup_blob struct blob *first = NULL, *second = NULL, *packed = NULL, *again = NULL;

	fill(world);
	pass(world, 5);
	first = world_take(world, "# a\n", false);
	second = world_take(world, "# b\n", false);
	assert_ptr_equal(first, second);
	packed = world_take(world, "# c\n", true);
	again = world_take(world, "# d\n", true);
	assert_ptr_equal(packed, again);
}

/* A slow reader's version is whole and of one pass, whatever happens meanwhile. */
static void test_take_slow_reader_keeps_its_version(void **state)
{
	struct page_world *world = *state;
	cleanup_blob struct blob *slow = NULL, *fast = NULL;
	cleanup_free char *before = NULL, *after = NULL, *now = NULL;

	fill(world);
	pass(world, 1111111);
	slow = world_take(world, "# first\n", false);
	before = blob_text(slow);
	pass(world, 2222222);
	fast = world_take(world, "# second\n", false);
	after = blob_text(slow);
	now = blob_text(fast);
	assert_ptr_not_equal(slow, fast);
	assert_string_equal(after, before);
	assert_null(strstr(before, "2222222"));
	assert_null(strstr(now, "1111111"));
	assert_non_null(strstr(now, "# second\n"));
	assert_non_null(strstr(now, "          2222222\n"));
}

static void test_take_many_slow_readers_are_refused_and_others_served(void **state)
{
	struct page_world *world = *state;
	struct blob *held[LIMIT_PAGE_VERSIONS] = { 0 }, *blob = NULL;
	cleanup_free char *text = NULL;

	fill(world);
	for (size_t i = 0; i < LIMIT_PAGE_VERSIONS; i++) {
		pass(world, 1000 + i);
		held[i] = world_take(world, "", false);
	}
	pass(world, 7777777);
	assert_errno(page_take(world->page, "", 0, false, world->now_usec, &blob), EBUSY);
	/* Who takes it compressed does not suffer. */
	blob = world_take(world, "", true);
	text = unpack(blob, 1 << 20);
	assert_non_null(strstr(text, "7777777"));
	blob = blob_unref(blob);
	(void)blob_unref(held[0]);
	blob = world_take(world, "", false);
	(void)blob_unref(blob);
	for (size_t i = 1; i < LIMIT_PAGE_VERSIONS; i++)
		(void)blob_unref(held[i]);
}

static void test_take_many_slow_readers_of_gzip_are_refused(void **state)
{
	struct page_world *world = *state;
	struct blob *held[LIMIT_PAGE_VERSIONS] = { 0 }, *blob = NULL;

	fill(world);
	for (size_t i = 0; i < LIMIT_PAGE_VERSIONS; i++) {
		pass(world, i);
		held[i] = world_take(world, "", true);
	}
	pass(world, 99);
	assert_errno(page_take(world->page, "", 0, true, world->now_usec, &blob), EBUSY);
	(void)blob_unref(held[1]);
	blob = world_take(world, "", true);
	(void)blob_unref(blob);
	for (size_t i = 0; i < LIMIT_PAGE_VERSIONS; i++)
		if (i != 1)
			(void)blob_unref(held[i]);
}

/* One reader for each pass of a storm of them, held for a random while. */
static void test_take_storm_never_torn(void **state)
{
	struct page_world *world = *state;
	struct {
		struct blob *blob;
		uint64_t number;
	} held[3] = { 0 };

	fill(world);
	srandom(3);
	for (uint64_t round = 1; round < 2000; round++) {
		size_t i = (size_t)random() % ARRAY_SIZE(held);

		if (held[i].blob) {
			cleanup_free char *text = blob_text(held[i].blob);
			char value[32];
			size_t count = 0;

			(void)snprintf(value, sizeof(value), "} %17llu\n",
				       (unsigned long long)held[i].number);
			for (const char *at = text; (at = strstr(at, value)); at++)
				count++;
			assert_int_equal(count, WORKLOADS);
			held[i].blob = blob_unref(held[i].blob);
		}
		pass(world, round * 1000003);
		held[i].blob = world_take(world, "", false);
		held[i].number = round * 1000003;
	}
	for (size_t i = 0; i < ARRAY_SIZE(held); i++)
		(void)blob_unref(held[i].blob);
}

static void test_take_head_grows_beyond_its_room(void **state)
{
	struct page_world *world = *state;
	cleanup_free char *head = malloc(300001), *text = NULL;
	cleanup_blob struct blob *blob = NULL;

	memset(head, 'x', 300000);
	head[300000] = '\0';
	fill(world);
	pass(world, 3);
	blob = world_take(world, head, false);
	assert_memory_equal(blob_bytes(blob), head, 300000);
	text = blob_text(blob);
	assert_non_null(strstr(text, "x# HELP berth_w_cpu"));
	blob = blob_unref(blob);
	pass(world, 4);
	blob = world_take(world, "# small\n", false);
	assert_memory_equal(blob_bytes(blob), "# small\n# HELP", 14);
}

static void test_take_gzip_round_trip_of_both_forms(void **state)
{
	struct page_world *world = *state;

	fill(world);
	for (unsigned int form = 0; form < 2; form++) {
		cleanup_blob struct blob *plain = NULL, *packed = NULL;
		cleanup_free char *text = NULL, *unpacked = NULL;

		world->now_usec += 2 * USEC_PER_SEC;
		world_update(world, (enum exposition)form);
		packed = world_take(world, "# head\n", true);
		plain = world_take(world, "# head\n", false);
		text = blob_text(plain);
		unpacked = unpack(packed, 1 << 20);
		assert_string_equal(unpacked, text);
		assert_true(packed->length * 4 < plain->length);
	}
}

/* What does not shrink makes the output grow, and what was made before is used again. */
static void test_gzip_pack_of_random_bytes_grows(void **state)
{
	struct gzip *gzip = NULL;
	struct blob *blob = NULL;
	const struct blob *before;
	unsigned int alive = 0;
	size_t length = 300000;
	char *bytes = malloc(length);

	(void)state;
	srandom(5);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(1 + random() % 255);
	assert_ok(gzip_new(&gzip));
	for (unsigned int i = 0; i < 2; i++) {
		cleanup_free char *text = NULL;

		assert_ok(gzip_pack(gzip, bytes, length, &alive, &blob));
		text = unpack(blob, length);
		assert_memory_equal(text, bytes, length);
		assert_int_equal(alive, 1);
	}
	before = blob;
	assert_ok(gzip_pack(gzip, "", 0, &alive, &blob));
	assert_ptr_equal(blob, before);
	(void)blob_unref(blob);
	assert_int_equal(alive, 0);
	(void)gzip_free(gzip);
	free(bytes);
}

static void test_forget_texts_then_all_is_there_again(void **state)
{
	struct page_world *world = *state;
	cleanup_free char *before = NULL, *after = NULL;
	cleanup_blob struct blob *held = NULL;

	fill(world);
	before = world_text(world, EXPOSITION_TEXT_0_0_4);
	held = world_take(world, "", true);
	page_forget_texts(world->page);
	assert_int_equal(page_series(world->page), 0);
	after = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_string_equal(before, after);
}

static void test_encoding_negotiate_table(void **state)
{
	static const struct {
		const char *accept;
		int result;
		enum encoding encoding;
	} rows[] = {
		{ NULL, 0, ENCODING_IDENTITY },
		{ "", 0, ENCODING_IDENTITY },
		{ "gzip", 0, ENCODING_GZIP },
		{ "GZip", 0, ENCODING_GZIP },
		{ "x-gzip", 0, ENCODING_GZIP },
		{ "deflate, gzip, br", 0, ENCODING_GZIP },
		{ "gzip;q=0", 0, ENCODING_IDENTITY },
		{ "gzip ; q=0.000", 0, ENCODING_IDENTITY },
		{ "gzip;q=0.001", 0, ENCODING_GZIP },
		{ "gzip;q=0.5, identity", 0, ENCODING_IDENTITY },
		{ "gzip;q=0.5, identity;q=0.4", 0, ENCODING_GZIP },
		{ "identity;q=1, *;q=0", 0, ENCODING_IDENTITY },
		{ "br, identity;q=0, gzip;q=0.1", 0, ENCODING_GZIP },
		{ "br", 0, ENCODING_IDENTITY },
		{ "*", 0, ENCODING_GZIP },
		{ "*;q=0, gzip", 0, ENCODING_GZIP },
		{ "gzip, *;q=0", 0, ENCODING_GZIP },
		{ "identity;q=0", -EOPNOTSUPP, ENCODING_IDENTITY },
		{ "*;q=0", -EOPNOTSUPP, ENCODING_IDENTITY },
		{ "gzip;q=0, identity;q=0", -EOPNOTSUPP, ENCODING_IDENTITY },
		{ "br, *;q=0", -EOPNOTSUPP, ENCODING_IDENTITY },
		{ "gzip;q=nonsense", 0, ENCODING_IDENTITY },
		{ "gzip;q=2", 0, ENCODING_IDENTITY },
		{ ",,;;q=1,=", 0, ENCODING_IDENTITY },
		{ "gzipped", 0, ENCODING_IDENTITY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum encoding encoding = ENCODING_IDENTITY;
		int r = encoding_negotiate(rows[i].accept, &encoding);

		if (r != rows[i].result || encoding != rows[i].encoding)
			fail_msg("'%s': %d, %d", rows[i].accept, r, (int)encoding);
	}
}

#define ONE(name, source, divisor, columns)                                                \
	{                                                                                  \
		name, "Help.", METRIC_FROM_##source, divisor, columns, ARRAY_SIZE(columns) \
	}

static void test_check_tables_refuses_table(void **state)
{
	static const struct metric_column plain[] = { { "", 0 } };
	static const struct metric_column beyond[] = { { "", SAMPLE_MAX } };
	static const struct metric_column twice[] = { { "a=\"b\"", 0 }, { "a=\"b\"", 1 } };
	static const struct metric_column taken[] = { { "pod=\"b\"", 0 } };
	static const struct metric_column bare[] = { { "a", 0 } };
	static const struct metric_column unquoted[] = { { "a=b", 0 } };
	static const struct metric_column open_end[] = { { "a=\"b", 0 } };
	static const struct metric_column comma[] = { { "a=\"b\",", 0 } };
	static const struct metric_column same[] = { { "a=\"b\",a=\"c\"", 0 } };
	static const struct metric_column none[] = { { NULL, 0 } };
	static const struct metric_table bad[] = {
		ONE("workload_cpu", VALUE, 1, plain),
		ONE("berth_a-b", VALUE, 1, plain),
		ONE("berth_a", VALUE, 1, beyond),
		ONE("berth_a", VALUE, 1, twice),
		ONE("berth_a", VALUE, 1, taken),
		ONE("berth_a", VALUE, 1, bare),
		ONE("berth_a", VALUE, 1, unquoted),
		ONE("berth_a", VALUE, 1, open_end),
		ONE("berth_a", VALUE, 1, comma),
		ONE("berth_a", VALUE, 1, same),
		ONE("berth_a", VALUE, 1, none),
		ONE("berth_a", VALUE, 0, plain),
		ONE("berth_a", VALUE, 1000, plain),
		ONE("berth_a", DEVICE, 1000000, plain),
		ONE("berth_a_total", AVERAGE, 1, plain),
		ONE("berth_a_total", LATENCY, 1000000, plain),
		ONE("berth_a", LATENCY, 1, twice),
		{ "berth_a", "", METRIC_FROM_VALUE, 1, plain, 1 },
		{ "berth_a", "Help.", (enum metric_source)9, 1, plain, 1 },
		{ "berth_a", "Help.", METRIC_FROM_VALUE, 1, plain, 0 },
		{ NULL, "Help.", METRIC_FROM_VALUE, 1, plain, 1 },
	};
	static const struct metric_table clash[] = {
		ONE("berth_a_total", VALUE, 1, plain),
		ONE("berth_a", VALUE, 1, plain),
	};
	const char *why = NULL;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		why = NULL;
		if (page_check_tables(&bad[i], 1, &why) != -EINVAL || !why)
			fail_msg("row %zu was accepted", i);
	}
	assert_errno(page_check_tables(clash, 2, &why), EINVAL);
	assert_errno(page_check_tables(NULL, 1, &why), EINVAL);
	assert_ok(page_check_tables(world_tables, ARRAY_SIZE(world_tables), &why));
	assert_ok(page_check_tables(NULL, 0, &why));
}

static void test_registry_and_page_share_names_and_cap(void **state)
{
	static const char *const parts[] = { "_bucket", "_count", "_sum" };
	struct metric_family *part = NULL;
	struct page_world *world = *state;
	struct metric_label label = { "x", "1" };
	struct metric_family *family = NULL;
	struct metrics *metrics = NULL;
	struct page_source source;

	assert_ok(metrics_new(&metrics));
	page_set_tables(metrics_page(metrics), world_tables, ARRAY_SIZE(world_tables));
	assert_errno(metrics_family(metrics, "berth_w_memory_bytes", METRIC_GAUGE, "", &family),
		     EINVAL);
	assert_errno(
		metrics_family(metrics, "berth_w_latency_seconds_sum", METRIC_GAUGE, "", &family),
		EINVAL);
	assert_ok(metrics_family(metrics, "berth_other", METRIC_GAUGE, "", &family));
	assert_true(metrics_has_family(metrics, "berth_other_total"));
	assert_false(metrics_has_family(metrics, "berth_another"));
	/* As parts of a histogram they would be there twice. */
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		char name[64];

		assert_false(metrics_has_family(metrics, "berth_wait_seconds"));
		(void)snprintf(name, sizeof(name), "berth_wait_seconds%s", parts[i]);
		assert_ok(metrics_family(metrics, name, METRIC_GAUGE, "", &part));
		assert_true(metrics_has_family(metrics, "berth_wait_seconds"));
		assert_false(metrics_has_family(metrics, "berth_wait"));
		metrics_remove_family(metrics, part);
	}

	know(world, 1, SAMPLE_CPU_USAGE_USEC, 1);
	assert_ok(page_put(metrics_page(metrics), 1, "name=\"a\""));
	source = world_source(world);
	assert_ok(page_update(metrics_page(metrics), EXPOSITION_TEXT_0_0_4, &source));
	metrics_set_max(metrics, 2);
	assert_ok(metrics_set(metrics, family, 0, &label, 1, 1));
	label.value = "2";
	assert_ok(metrics_set(metrics, family, 0, &label, 1, 1));
	label.value = "3";
	assert_errno(metrics_set(metrics, family, 0, &label, 1, 1), ENOSPC);
	assert_int_equal(metrics_dropped(metrics), 1);
	(void)metrics_free(metrics);
}

static size_t series_with(const char *text, const char *word)
{
	size_t count = 0;

	for (const char *at = text; (at = strstr(at, word)); at++)
		count++;
	return count;
}

/* What berthd says of itself is filled anew before each page: a cap that is reached, or lowered, is
 * at the cost of workloads, and at no time of that. */
static void test_serve_at_the_cap_keeps_families_that_are_set(void **state)
{
	enum { OWN = 10 };
	struct page_world *world = *state;
	struct metric_family *family = NULL;
	struct metrics *metrics = NULL;

	assert_ok(metrics_new(&metrics));
	page_set_tables(metrics_page(metrics), world_tables, ARRAY_SIZE(world_tables));
	assert_ok(metrics_family(metrics, "berth_own", METRIC_GAUGE, "", &family));
	for (uint64_t id = 1; id <= WORKLOADS; id++) {
		char name[32];

		know(world, id, SAMPLE_CPU_USAGE_USEC, id);
		(void)snprintf(name, sizeof(name), "name=\"n%02u\"", (unsigned int)id);
		assert_ok(page_put(metrics_page(metrics), id, name));
	}
	for (unsigned int scrape = 0; scrape < 4; scrape++) {
		unsigned int own = scrape < 3 ? OWN : OWN + 2;
		struct metrics_query query = { .source = world_source(world) };
		cleanup_blob struct blob *blob = NULL;
		cleanup_free char *text = NULL;

		query.source.generation = scrape + 1;
		if (scrape == 1)
			metrics_set_max(metrics, OWN + 5);
		metrics_clear_family(metrics, family);
		for (unsigned int i = 0; i < own; i++) {
			char value[16];
			struct metric_label label = { "x", value };

			(void)snprintf(value, sizeof(value), "%u", i);
			assert_ok(metrics_set(metrics, family, 0, &label, 1, i));
		}
		assert_ok(metrics_serve(metrics, &query, &blob));
		text = blob_text(blob);
		assert_int_equal(series_with(text, "\nberth_own{"), own);
		assert_int_equal(series_with(text, "\nberth_w_cpu_seconds_total{"),
				 scrape == 0 ? WORKLOADS : OWN + 5 - own);
	}
	(void)metrics_free(metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(test_take_readers_of_one_pass_share),
		PAGE_TEST(test_take_slow_reader_keeps_its_version),
		PAGE_TEST(test_take_many_slow_readers_are_refused_and_others_served),
		PAGE_TEST(test_take_many_slow_readers_of_gzip_are_refused),
		PAGE_TEST(test_take_storm_never_torn),
		PAGE_TEST(test_take_head_grows_beyond_its_room),
		PAGE_TEST(test_take_gzip_round_trip_of_both_forms),
		cmocka_unit_test(test_gzip_pack_of_random_bytes_grows),
		PAGE_TEST(test_forget_texts_then_all_is_there_again),
		cmocka_unit_test(test_encoding_negotiate_table),
		cmocka_unit_test(test_check_tables_refuses_table),
		PAGE_TEST(test_registry_and_page_share_names_and_cap),
		PAGE_TEST(test_serve_at_the_cap_keeps_families_that_are_set),
	};

	return cmocka_run_group_tests_name("page-take", tests, NULL, NULL);
}
