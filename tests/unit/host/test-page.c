/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "host/page-world.h"

static void test_slot_write_table(void **state)
{
	static const struct {
		enum slot_form form;
		uint64_t number;
		const char *text; /* with '.' of a leading blank or zero as '_' */
	} rows[] = {
		{ SLOT_INTEGER, 0, "________________0" },
		{ SLOT_INTEGER, 7, "________________7" },
		{ SLOT_INTEGER, 10, "_______________10" },
		{ SLOT_INTEGER, 4096, "_____________4096" },
		{ SLOT_INTEGER, 100, "______________100" },
		{ SLOT_INTEGER, UINT64_C(99999999999999999), "99999999999999999" },
		{ SLOT_INTEGER, UINT64_C(100000000000000000), "1.00000000000e+17" },
		{ SLOT_INTEGER, UINT64_MAX, "1.84467440737e+19" },
		{ SLOT_SECONDS, 0, "_________0.000000" },
		{ SLOT_SECONDS, 1, "_________0.000001" },
		{ SLOT_SECONDS, 1050010, "_________1.050010" },
		{ SLOT_SECONDS, UINT64_C(9999999999999999), "9999999999.999999" },
		{ SLOT_SECONDS, UINT64_C(10000000000019999), "___10000000000.01" },
		{ SLOT_SECONDS, UINT64_MAX, "18446744073709.55" },
		{ SLOT_RATIO, 0, "___________0.0000" },
		{ SLOT_RATIO, 9, "___________0.0009" },
		{ SLOT_RATIO, 10000, "___________1.0000" },
	};
	static const char pads[] = { ' ', '0' };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t p = 0; p < sizeof(pads); p++) {
			char slot[SLOT_WIDTH + 1] = "", expected[SLOT_WIDTH + 1];

			(void)snprintf(expected, sizeof(expected), "%s", rows[i].text);
			for (char *c = expected; *c == '_'; c++)
				*c = pads[p];
			slot_write(slot, rows[i].form, rows[i].number, pads[p]);
			assert_string_equal(slot, expected);
		}
}

/* Whatever is written reads back as it was. */
static void test_slot_write_random_reads_back(void **state)
{
	(void)state;
	srandom(7);
	for (unsigned int i = 0; i < 200000; i++) {
		uint64_t number =
			((uint64_t)random() << 31 | (uint64_t)random()) >> (random() % 60);
		char slot[SLOT_WIDTH + 1] = "", expected[32];

		if (number >= UINT64_C(10000000000000000))
			continue;
		slot_write(slot, SLOT_SECONDS, number, ' ');
		(void)snprintf(expected, sizeof(expected), "%10" PRIu64 ".%06" PRIu64,
			       number / 1000000, number % 1000000);
		assert_string_equal(slot, expected);
		slot_write(slot, SLOT_INTEGER, number, '0');
		(void)snprintf(expected, sizeof(expected), "%017" PRIu64, number);
		assert_string_equal(slot, expected);
	}
}

static void fill_one(struct page_world *world)
{
	know(world, 1, SAMPLE_CPU_USAGE_USEC, 12345678);
	know(world, 1, SAMPLE_MEMORY_FILE_BYTES, 8192);
	know(world, 1, SAMPLE_PRESSURE_CPU_SOME_USEC, 5);
	world->subjects[0].sample.averages[0][WINDOW_10S] = 250;
	add_device(world, 1, "vda");
	world->subjects[0].devices[0].value[IO_WRITE_BYTES] = 512;
	assert_ok(page_put(world->page, 1, "namespace=\"shop\",pod=\"web\",qos=\"high\""));
}

static void test_page_text_form_is_as_documented(void **state)
{
	cleanup_free char *text = NULL;

	fill_one(*state);
	text = world_text(*state, EXPOSITION_TEXT_0_0_4);
	assert_string_equal(
		text,
		"# HELP berth_w_cpu_seconds_total CPU time.\n"
		"# TYPE berth_w_cpu_seconds_total counter\n"
		"berth_w_cpu_seconds_total{namespace=\"shop\",pod=\"web\",qos=\"high\"}         "
		"12.345678\n"
		"# HELP berth_w_memory_bytes Memory.\n"
		"# TYPE berth_w_memory_bytes gauge\n"
		"berth_w_memory_bytes{namespace=\"shop\",pod=\"web\",qos=\"high\",stat=\"file\"} "
		"             8192\n"
		"# HELP berth_w_pressure_ratio Share.\n"
		"# TYPE berth_w_pressure_ratio gauge\n"
		"berth_w_pressure_ratio{namespace=\"shop\",pod=\"web\",qos=\"high\",window="
		"\"10s\"}            0.0250\n"
		"berth_w_pressure_ratio{namespace=\"shop\",pod=\"web\",qos=\"high\",window="
		"\"60s\"}            0.0000\n"
		"# HELP berth_w_io_bytes_total IO.\n"
		"# TYPE berth_w_io_bytes_total counter\n"
		"berth_w_io_bytes_total{namespace=\"shop\",pod=\"web\",qos=\"high\",device=\"vda\","
		"operation=\"read\"}                 0\n"
		"berth_w_io_bytes_total{namespace=\"shop\",pod=\"web\",qos=\"high\",device=\"vda\","
		"operation=\"write\"}               512\n");
}

static void test_page_openmetrics_form_is_as_its_grammar(void **state)
{
	cleanup_free char *text = NULL;

	fill_one(*state);
	text = world_text(*state, EXPOSITION_OPENMETRICS_1_0_0);
	assert_non_null(strstr(text, "# TYPE berth_w_cpu_seconds counter\n"));
	assert_non_null(strstr(text, "\nberth_w_cpu_seconds_total{namespace=\"shop\",pod=\"web\","
				     "qos=\"high\"} 0000000012.345678\n"));
	assert_non_null(strstr(text, "stat=\"file\"} 00000000000008192\n"));
	assert_null(strstr(text, "  "));
	assert_string_equal(text + strlen(text) - strlen("\n# EOF\n"), "\n# EOF\n");
}

static void test_page_histogram_is_cumulative(void **state)
{
	struct page_world *world = *state;
	struct subject *subject = &world->subjects[0];
	cleanup_free char *text = NULL;

	subject->sampled = true;
	subject->sample.latency = &subject->latency;
	subject->latency.count[0] = 3;
	subject->latency.count[2] = 4;
	subject->latency.count[SAMPLE_LATENCY_BUCKETS - 1] = 1;
	subject->latency.sum_usec = 400123;
	assert_ok(page_put(world->page, 1, "kind=\"unit\",name=\"a\",qos=\"normal\""));
	text = world_text(world, EXPOSITION_TEXT_0_0_4);
#define LINE "berth_w_latency_seconds%s{kind=\"unit\",name=\"a\",qos=\"normal\"%s} %17s\n"
	static const struct {
		const char *suffix, *bound, *value;
	} rows[] = {
		{ "_bucket", ",le=\"0.000008\"", "3" },
		{ "_bucket", ",le=\"0.000016\"", "3" },
		{ "_bucket", ",le=\"0.000032\"", "7" },
		{ "_bucket", ",le=\"0.262144\"", "7" },
		{ "_bucket", ",le=\"+Inf\"", "8" },
		{ "_count", "", "8" },
		{ "_sum", "", "0.400123" },
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char line[256];

		(void)snprintf(line, sizeof(line), LINE, rows[i].suffix, rows[i].bound,
			       rows[i].value);
		if (!strstr(text, line))
			fail_msg("no line %s in\n%s", line, text);
	}
	assert_non_null(strstr(text, "# TYPE berth_w_latency_seconds histogram\n"));
}

/* What a kernel or a device node could be called does not break the page. */
static void test_page_hostile_device_name_is_one_label(void **state)
{
	cleanup_free char *text = NULL;

	add_device(*state, 1, "a\"\\\n\x80z");
	assert_ok(page_put(((struct page_world *)*state)->page, 1, "name=\"x\""));
	text = world_text(*state, EXPOSITION_TEXT_0_0_4);
	assert_non_null(strstr(text, "device=\"a?\?\?\?z\",operation=\"read\"}"));
}

static uint64_t any(uint64_t end)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % end;
}

static void change_values(struct page_world *world)
{
	for (size_t i = 0; i < WORKLOADS; i++) {
		struct subject *subject = &world->subjects[i];

		for (unsigned int value = 0; value < SAMPLE_MAX; value++)
			if (any(2))
				subject->sample.value[value] += any(1u << any(31));
		for (unsigned int row = 0; row < SAMPLE_PRESSURE_COUNT; row++)
			subject->sample.averages[row][any(SAMPLE_WINDOWS)] = (uint32_t)any(10001);
		for (uint32_t d = 0; d < subject->sample.device_count; d++)
			subject->devices[d].value[any(SAMPLE_IO_MAX)] += any(1u << 30);
		subject->latency.count[any(SAMPLE_LATENCY_BUCKETS)] += any(1000);
		subject->latency.sum_usec += any(100000);
	}
}

static void change_shape(struct page_world *world)
{
	uint64_t id = 1 + any(WORKLOADS);
	struct subject *subject = &world->subjects[id - 1];
	char text[32];

	switch (any(7)) {
	case 0:
		subject->sample.known[0] ^= UINT64_C(1) << any(64);
		break;
	case 1:
		subject->sampled = !subject->sampled;
		break;
	case 2:
		if (subject->sample.device_count < SAMPLE_DEVICES) {
			(void)snprintf(text, sizeof(text), "vd%u", (unsigned int)any(26));
			add_device(world, id, text);
		} else {
			subject->sample.device_count = 0;
		}
		break;
	case 3:
		subject->sample.latency = subject->sample.latency ? NULL : &subject->latency;
		break;
	case 4:
		page_remove(world->page, id);
		*world->names[id - 1] = '\0';
		break;
	case 5:
		world->max_series = any(4) ? LIMIT_SERIES : any(400);
		break;
	default:
		/* Few names, so that two have the same at times. */
		(void)snprintf(world->names[id - 1], sizeof(world->names[0]), "name=\"%c\"",
			       (char)('a' + any(16)));
		assert_ok(page_put(world->page, id, world->names[id - 1]));
		break;
	}
}

/* The page of the same workloads, laid out from nothing. */
static char *fresh_text(struct page_world *world, enum exposition exposition)
{
	struct page *page = NULL, *kept = world->page;
	struct page_source source = world_source(world);
	struct blob *blob = NULL;
	char *text;

	assert_ok(page_new(&page));
	page_set_tables(page, world_tables, ARRAY_SIZE(world_tables));
	for (uint64_t id = 1; id <= WORKLOADS; id++)
		if (*world->names[id - 1])
			assert_ok(page_put(page, id, world->names[id - 1]));
	assert_ok(page_update(page, exposition, &source));
	world->page = page;
	blob = world_take(world, "# head\n", false);
	world->page = kept;
	text = blob_text(blob);
	(void)blob_unref(blob);
	assert_int_equal(page_series(page), page_series(kept));
	assert_int_equal(page_dropped(page), page_dropped(kept));
	(void)page_free(page);
	return text;
}

/* Whatever happens between scrapes, the patched text is the one that a new page would have. */
static void test_page_patch_equals_fresh_layout(void **state)
{
	struct page_world *world = *state;
	enum exposition exposition = EXPOSITION_TEXT_0_0_4;
	size_t lines = 0;

	srandom(11);
	for (unsigned int round = 0; round < 1500; round++) {
		cleanup_free char *patched = NULL, *fresh = NULL;
		cleanup_blob struct blob *blob = NULL;

		change_values(world);
		/* Two of three passes find the same series. */
		for (uint64_t n = any(3) ? 0 : 1 + any(4); n > 0; n--)
			change_shape(world);
		if (any(8) == 0)
			exposition = exposition == EXPOSITION_TEXT_0_0_4
					     ? EXPOSITION_OPENMETRICS_1_0_0
					     : EXPOSITION_TEXT_0_0_4;
		world_update(world, exposition);
		blob = world_take(world, "# head\n", false);
		patched = blob_text(blob);
		fresh = fresh_text(world, exposition);
		assert_string_equal(patched, fresh);
		lines += page_series(world->page);
	}
	/* It was about something. */
	assert_true(lines > 50000);
}

static void test_page_two_with_same_labels_newer_is_shown(void **state)
{
	struct page_world *world = *state;
	const char *labels = "namespace=\"shop\",pod=\"web-0\",qos=\"high\"";
	cleanup_free char *both = NULL, *young = NULL, *old = NULL;

	know(world, 1, SAMPLE_CPU_USAGE_USEC, 111000000);
	assert_ok(page_put(world->page, 1, labels));
	assert_ok(page_put(world->page, 2, labels));
	/* The successor has no sample yet: the one that ends is still shown. */
	young = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_non_null(strstr(young, "111.000000"));
	know(world, 2, SAMPLE_CPU_USAGE_USEC, 222000000);
	both = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_non_null(strstr(both, "222.000000"));
	assert_null(strstr(both, "111.000000"));
	assert_int_equal(page_series(world->page), 1);
	page_remove(world->page, 2);
	old = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_non_null(strstr(old, "111.000000"));
	assert_null(strstr(old, "222.000000"));
}

static void test_page_removed_workload_leaves_no_series(void **state)
{
	struct page_world *world = *state;
	cleanup_free char *text = NULL, *empty = NULL;

	for (uint64_t id = 1; id <= 3; id++) {
		char labels[32];

		know(world, id, SAMPLE_CPU_USAGE_USEC, id);
		(void)snprintf(labels, sizeof(labels), "name=\"n%u\"", (unsigned int)id);
		assert_ok(page_put(world->page, id, labels));
	}
	world_update(world, EXPOSITION_TEXT_0_0_4);
	page_remove(world->page, 2);
	text = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_null(strstr(text, "n2"));
	assert_non_null(strstr(text, "n3"));
	page_clear(world->page);
	empty = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_string_equal(empty, "");
}

static void test_page_cap_leaves_whole_workloads_out(void **state)
{
	struct page_world *world = *state;
	cleanup_free char *text = NULL;

	for (uint64_t id = 1; id <= 10; id++) {
		char labels[32];

		know(world, id, SAMPLE_CPU_USAGE_USEC, id);
		know(world, id, SAMPLE_MEMORY_ANON_BYTES, id);
		know(world, id, SAMPLE_MEMORY_FILE_BYTES, id);
		(void)snprintf(labels, sizeof(labels), "name=\"n%02u\"", (unsigned int)id);
		assert_ok(page_put(world->page, id, labels));
	}
	world->max_series = 20;
	text = world_text(world, EXPOSITION_TEXT_0_0_4);
	assert_int_equal(page_series(world->page), 18);
	assert_int_equal(page_dropped(world->page), 12);
	for (uint64_t id = 1; id <= 10; id++) {
		char name[16];
		size_t count = 0;

		(void)snprintf(name, sizeof(name), "\"n%02u\"", (unsigned int)id);
		for (const char *at = text; (at = strstr(at, name)); at++)
			count++;
		assert_int_equal(count, id <= 6 ? 3 : 0);
	}
	/* One that has fewer series than before fits under it now. */
	world->subjects[6].sample.known[0] &= ~(UINT64_C(1) << SAMPLE_MEMORY_FILE_BYTES);
	world_update(world, EXPOSITION_TEXT_0_0_4);
	assert_int_equal(page_series(world->page), 20);
	assert_int_equal(page_dropped(world->page), 9);
	know(world, 7, SAMPLE_MEMORY_FILE_BYTES, 7);
	world->max_series = 30;
	world_update(world, EXPOSITION_TEXT_0_0_4);
	assert_int_equal(page_series(world->page), 30);
	assert_int_equal(page_dropped(world->page), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slot_write_table),
		cmocka_unit_test(test_slot_write_random_reads_back),
		PAGE_TEST(test_page_text_form_is_as_documented),
		PAGE_TEST(test_page_openmetrics_form_is_as_its_grammar),
		PAGE_TEST(test_page_histogram_is_cumulative),
		PAGE_TEST(test_page_hostile_device_name_is_one_label),
		PAGE_TEST(test_page_patch_equals_fresh_layout),
		PAGE_TEST(test_page_two_with_same_labels_newer_is_shown),
		PAGE_TEST(test_page_removed_workload_leaves_no_series),
		PAGE_TEST(test_page_cap_leaves_whole_workloads_out),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
