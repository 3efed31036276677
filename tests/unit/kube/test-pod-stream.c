/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "cleanup.h"
#include "kube/pod-stream.h"
#include "limit.h"
#include "macro.h"
#include "strbuf.h"

#define SLICE ((size_t)16 * 1024)

/* What was told, as one text: "listed default/p0@237 bookmark=251 ..." */
struct told {
	struct strbuf text;
	unsigned int pods, bad;
	int answer; /* of pod() */
};

static int on_pod(void *data, enum pod_event event, struct kube_pod *pod)
{
	static const char *const names[] = {
		[POD_LISTED] = "listed",
		[POD_ADDED] = "added",
		[POD_MODIFIED] = "modified",
		[POD_DELETED] = "deleted",
	};
	struct told *told = data;

	told->pods++;
	strbuf_addf(&told->text, "%s %s/%s@%s ", names[event], pod->namespace, pod->name,
		    pod->resource_version);
	free(pod);
	return told->answer;
}

static void on_bad(void *data, const char *why)
{
	struct told *told = data;

	assert_true(*why != '\0');
	told->bad++;
	strbuf_add(&told->text, "bad ");
}

static void on_bookmark(void *data, const char *resource_version)
{
	struct told *told = data;

	strbuf_addf(&told->text, "bookmark=%s ", resource_version);
}

static void on_failed(void *data, int code, const char *reason, const char *message)
{
	struct told *told = data;

	(void)message;
	strbuf_addf(&told->text, "failed=%d/%s ", code, reason);
}

static const struct pod_stream_handlers handlers = { on_pod, on_bad, on_bookmark, on_failed };

/* Fed in slices of `slice` bytes; the result of the first feed that failed, or of the end. */
static int read_text(enum pod_stream_kind kind, const char *text, size_t size, size_t slice,
		     struct told *told, char *version, char *token)
{
	struct pod_stream *stream = NULL;
	int r = 0;

	assert_ok(pod_stream_new(kind, &handlers, told, &stream));
	assert_string_equal(pod_stream_resource_version(stream), "");
	for (size_t at = 0; at < size && r == 0; at += slice)
		r = pod_stream_feed(stream, text + at, MIN(slice, size - at));
	if (r == 0)
		r = pod_stream_end(stream);
	else
		assert_int_equal(pod_stream_end(stream), r);
	if (version)
		(void)snprintf(version, 64, "%s", pod_stream_resource_version(stream));
	if (token)
		(void)snprintf(token, 256, "%s", pod_stream_continue(stream));
	assert_null(pod_stream_free(stream));
	return r;
}

static char *file_read(const char *name, size_t *ret_size)
{
	char path[512], file[256];
	char *text = malloc(65536);
	FILE *stream;

	(void)snprintf(file, sizeof(file), "kube/%s", name);
	stream = fopen(fixture_path(file, path, sizeof(path)), "re");
	if (!stream || !text)
		fail_msg("%s", path);
	*ret_size = fread(text, 1, 65536, stream);
	(void)fclose(stream);
	return text;
}

struct file_case {
	const char *name;
	enum pod_stream_kind kind;
	const char *told, *version, *token;
};

static const struct file_case file_cases[] = {
	{ "list.json", POD_STREAM_LIST, "listed default/p0@237 ", "238", "" },
	{ "list-indented.json", POD_STREAM_LIST, "listed default/p0@237 ", "238", "" },
	{ "list-continue.json", POD_STREAM_LIST, "listed default/p0@237 ", "238",
	  "eyJ2IjoibWV0YS5rOHMuaW8vdjEiLCJydiI6MjM4LCJzdGFydCI6ImRlZmF1bHQvcDBcdTAwMDAifQ" },
	{ "status-410.json", POD_STREAM_LIST, "failed=410/Expired ", "", "" },
	{ "status-410.json", POD_STREAM_WATCH, "failed=410/Expired ", "", "" },
	{ "watch-410.jsonl", POD_STREAM_WATCH, "failed=410/Expired ", "", "" },
	{ "watch.jsonl", POD_STREAM_WATCH,
	  "added default/p1@239 modified default/p1@241 modified default/p1@243 "
	  "modified default/p1@247 deleted default/p1@249 bookmark=251 ",
	  "", "" },
};

static void test_feed_recorded_streams_in_any_slices(void **state)
{
	static const size_t slices[] = { 1, 2, 3, 7, 64, 1000, SLICE, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(file_cases); i++) {
		const struct file_case *file = &file_cases[i];
		size_t size = 0;
		cleanup_free char *text = file_read(file->name, &size);

		for (size_t j = 0; j < ARRAY_SIZE(slices); j++) {
			char version[64] = "", token[256] = "";
			struct told told = { 0 };

			assert_ok(read_text(file->kind, text, size, slices[j], &told, version,
					    token));
			assert_string_equal(strbuf_text(&told.text), file->told);
			assert_string_equal(version, file->version);
			assert_string_equal(token, file->token);
			strbuf_done(&told.text);
		}
	}
}

#define POD(name)                                                                                \
	"{\"metadata\":{\"name\":\"" name "\",\"namespace\":\"n\",\"uid\":\"u\",\"annotations\"" \
	":{\"x\":\"}]\\\"{[\\\\\"}}}"
#define LISTED(name) "listed n/" name "@ "

struct text_case {
	const char *text, *told;
	int error;
};

static void check_texts(enum pod_stream_kind kind, const struct text_case *cases, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(cases[i].text);

		/* Every place where it may be cut in two, and 0: byte by byte. */
		for (size_t split = 0; split < MAX(size, (size_t)1); split++) {
			struct told told = { 0 };
			int r = read_text(kind, cases[i].text, size, 1, &told, NULL, NULL);

			if (split > 0) {
				struct pod_stream *stream = NULL;

				strbuf_done(&told.text);
				told = (struct told){ 0 };
				assert_ok(pod_stream_new(kind, &handlers, &told, &stream));
				(void)pod_stream_feed(stream, cases[i].text, split);
				(void)pod_stream_feed(stream, cases[i].text + split, size - split);
				r = pod_stream_end(stream);
				(void)pod_stream_free(stream);
			}
			if (r != -cases[i].error ||
			    strcmp(strbuf_text(&told.text), cases[i].told) != 0)
				fail_msg("%s cut at %zu: %d, '%s'", cases[i].text, split, r,
					 strbuf_text(&told.text));
			strbuf_done(&told.text);
		}
	}
}

static void test_feed_list_every_split_gives_the_same(void **state)
{
	static const struct text_case cases[] = {
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a") "," POD("b") "]}",
		  LISTED("a") LISTED("b"), 0 },
		{ " {\"items\" :\n[ " POD("a") "\t,\r\n" POD(
			  "b") " ] , \"kind\" : \"PodList\" } \n",
		  LISTED("a") LISTED("b"), 0 },
		{ "{\"kind\":\"PodList\",\"items\":null}", "", 0 },
		{ "{\"kind\":\"PodList\",\"items\":[ ]}", "", 0 },
		/* "items" elsewhere, and a value that looks like the key. */
		{ "{\"kind\":\"PodList\",\"x\":{\"items\":[1]},\"y\":\"items\",\"z\":[\"items\"],"
		  "\"items\":[" POD("a") "]}",
		  LISTED("a"), 0 },
		{ "{\"kind\":\"PodList\",\"items\":[{}," POD("a") "]}", "bad " LISTED("a"), 0 },
		{ "{\"kind\":\"PodList\",\"items\":[{\"x\":\"\\u0000\"}," POD("a") "]}",
		  "bad " LISTED("a"), 0 },
		{ "{\"kind\":\"PodList\",\"items\":[{\"x\":\"\xff\"}," POD("a") "]}",
		  "bad " LISTED("a"), 0 },
		{ "{\"kind\":\"Status\",\"code\":403,\"reason\":\"Forbidden\"}",
		  "failed=403/Forbidden ", 0 },
		{ "{\"kind\":\"Status\",\"code\":-1}", "failed=0/ ", 0 },
		/* No list of pods; without items it would say that the node is empty. */
		{ "{}", "", EBADMSG },
		{ "{\"kind\":\"PodList\"}", "", EBADMSG },
		{ "{\"items\":[" POD("a") "]}", LISTED("a"), EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":{}}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"\\u0069tems\":[" POD("a") "]}", "", EBADMSG },
		{ "{\"kind\":\"SecretList\",\"items\":[]}", "", EBADMSG },
		{ "[]", "", EBADMSG },
		{ "Too many requests, please try again later.\n", "", EBADMSG },
		{ "", "", EBADMSG },
		{ " \n", "", EBADMSG },
		/* Not JSON. */
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a"), LISTED("a"), EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a") "]", LISTED("a"), EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a") POD("b") "]}", LISTED("a"),
		  EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a") ",]}", LISTED("a"), EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[," POD("a") "]}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[null]}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[[" POD("a") "]]}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[" POD("a") "}}", LISTED("a"), EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[{\"a\":[}]}]}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[]}}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[]}{}", "", EBADMSG },
		{ "{\"kind\":\"PodList\" \"items\":[]}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[]]", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[{\"x\":\"cut\n", "", EBADMSG },
	};

	(void)state;
	check_texts(POD_STREAM_LIST, cases, ARRAY_SIZE(cases));
}

#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}"

static void test_feed_watch_every_split_gives_the_same(void **state)
{
	static const struct text_case cases[] = {
		{ "", "", 0 },
		{ "\n\n", "", 0 },
		{ EVENT("ADDED", POD("a")) "\n" EVENT("MODIFIED", POD("a")) "\n",
		  "added n/a@ modified n/a@ ", 0 },
		{ EVENT("ADDED", POD("a")) EVENT("DELETED", POD("a")), "added n/a@ deleted n/a@ ",
		  0 },
		{ "{\n \"object\" : " POD("a") ",\n \"type\":\"ADDED\" }\n", "added n/a@ ", 0 },
		{ EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"7\"}}"), "bookmark=7 ",
		  0 },
		{ EVENT("BOOKMARK", "{\"metadata\":{}}"), "bad ", 0 },
		{ EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410,\"reason\":\"Gone\"}"),
		  "failed=410/Gone ", 0 },
		{ EVENT("ERROR", "{}"), "failed=0/ ", 0 },
		{ EVENT("RENAMED", POD("a")) EVENT("ADDED", POD("b")), "bad added n/b@ ", 0 },
		{ EVENT("ADDED", "{\"kind\":\"Status\"}") EVENT("ADDED", POD("b")),
		  "bad added n/b@ ", 0 },
		{ EVENT("ADDED", "{\"x\":\"\\u0000\"}") EVENT("ADDED", POD("b")), "bad added n/b@ ",
		  0 },
		{ EVENT("ADDED", "{\"x\":1e999}") EVENT("ADDED", POD("b")), "bad added n/b@ ", 0 },
		{ "{}", "", EBADMSG },
		{ "{\"type\":\"ADDED\"}", "", EBADMSG },
		{ EVENT("ADDED", "[]"), "", EBADMSG },
		{ "{\"type\":3,\"object\":{}}", "", EBADMSG },
		{ "{\"kind\":\"PodList\",\"items\":[]}", "", EBADMSG },
		{ "null", "", EBADMSG },
		{ "[" EVENT("ADDED", POD("a")) "]", "", EBADMSG },
		{ EVENT("ADDED", POD("a")) ",", "added n/a@ ", EBADMSG },
		{ EVENT("ADDED", POD("a")) "}", "added n/a@ ", EBADMSG },
		/* Cut in the middle of a line, and the next line after it. */
		{ EVENT("ADDED", POD("a")) "\n{\"type\":\"MODIF", "added n/a@ ", EBADMSG },
		{ "{\"type\":\"MODIF\n" EVENT("ADDED", POD("a")), "", EBADMSG },
		{ "{\"type\":\"ADDED\",\n\"object\":" POD("a") "}\n", "", EBADMSG },
		{ EVENT("ADDED", POD("a")) "\n{\"type\":\"ADDED\",\"object\":\n", "added n/a@ ",
		  EBADMSG },
	};

	(void)state;
	check_texts(POD_STREAM_WATCH, cases, ARRAY_SIZE(cases));
}

static void test_feed_receiver_refuses_ends_with_its_error(void **state)
{
	static const char text[] = EVENT("ADDED", POD("a")) EVENT("ADDED", POD("b"));
	struct told told = { .answer = -ENOSPC };

	(void)state;
	assert_errno(
		read_text(POD_STREAM_WATCH, text, strlen(text), sizeof(text), &told, NULL, NULL),
		ENOSPC);
	assert_int_equal(told.pods, 1);
	strbuf_done(&told.text);
	told = (struct told){ .answer = 1 };
	assert_ok(read_text(POD_STREAM_WATCH, text, strlen(text), sizeof(text), &told, NULL, NULL));
	assert_int_equal(told.pods, 2);
	strbuf_done(&told.text);
}

static void test_feed_depth_is_limited(void **state)
{
	(void)state;
	for (unsigned int depth = LIMIT_POD_DEPTH - 1; depth <= LIMIT_POD_DEPTH; depth++) {
		struct told told = { 0 };
		struct strbuf text = { 0 };
		int r;

		strbuf_add(&text, "{\"type\":\"X\",\"x\":");
		for (unsigned int i = 0; i < depth; i++)
			strbuf_add_char(&text, '[');
		for (unsigned int i = 0; i < depth; i++)
			strbuf_add_char(&text, ']');
		strbuf_add(&text, ",\"object\":{}}");
		r = read_text(POD_STREAM_WATCH, text.text, text.length, SLICE, &told, NULL, NULL);
		assert_int_equal(r, depth < LIMIT_POD_DEPTH ? 0 : -EBADMSG);
		assert_int_equal(told.bad, depth < LIMIT_POD_DEPTH);
		strbuf_done(&text);
		strbuf_done(&told.text);
	}
}

/* A stream of one string that never ends. */
static void check_endless(enum pod_stream_kind kind, const char *start)
{
	struct pod_stream *stream = NULL;
	struct told told = { 0 };
	char chunk[SLICE];
	size_t fed = 0;
	int r;

	memset(chunk, 'x', sizeof(chunk));
	assert_ok(pod_stream_new(kind, &handlers, &told, &stream));
	r = pod_stream_feed(stream, start, strlen(start));
	while (r == 0 && fed < (size_t)2 * LIMIT_POD_BYTES) {
		r = pod_stream_feed(stream, chunk, sizeof(chunk));
		fed += sizeof(chunk);
	}
	assert_errno(r, EMSGSIZE);
	assert_errno(pod_stream_feed(stream, "\"}", 2), EMSGSIZE);
	assert_true(fed <= LIMIT_POD_BYTES);
	(void)pod_stream_free(stream);
	strbuf_done(&told.text);
}

static void test_feed_object_over_the_limit_is_refused(void **state)
{
	(void)state;
	check_endless(POD_STREAM_WATCH, "{\"type\":\"");
	check_endless(POD_STREAM_LIST, "{\"kind\":\"PodList\",\"items\":[{\"x\":\"");
	check_endless(POD_STREAM_LIST, "{\"kind\":\"");
}

static void test_feed_pod_just_under_the_limit_is_taken_byte_by_byte(void **state)
{
	static const char head[] = "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\","
				   "\"namespace\":\"n\",\"uid\":\"u\",\"annotations\":{\"x\":\"";
	static const char tail[] = "\"}}}}";
	struct strbuf text = { 0 };
	struct told told = { 0 };

	(void)state;
	strbuf_add(&text, head);
	while (text.length + strlen(tail) < LIMIT_POD_BYTES)
		strbuf_add_char(&text, 'x');
	strbuf_add(&text, tail);
	assert_int_equal(text.length, LIMIT_POD_BYTES);
	assert_ok(read_text(POD_STREAM_WATCH, text.text, text.length, 1, &told, NULL, NULL));
	assert_string_equal(strbuf_text(&told.text), "added n/a@ ");
	strbuf_done(&told.text);
	/* One byte more. */
	strbuf_clear(&text);
	strbuf_add(&text, head);
	while (text.length + strlen(tail) <= LIMIT_POD_BYTES)
		strbuf_add_char(&text, 'x');
	strbuf_add(&text, tail);
	told = (struct told){ 0 };
	assert_errno(read_text(POD_STREAM_WATCH, text.text, text.length, SLICE, &told, NULL, NULL),
		     EMSGSIZE);
	strbuf_done(&told.text);
	strbuf_done(&text);
}

static void test_feed_thousand_pods_are_all_told(void **state)
{
	size_t size = 0;
	cleanup_free char *one = file_read("list.json", &size);
	const char *items = strstr(one, "\"items\":[") + strlen("\"items\":[");
	struct strbuf text = { 0 };
	struct told told = { 0 };

	(void)state;
	strbuf_add_bytes(&text, one, (size_t)(items - one));
	for (int i = 0; i < 1000; i++) {
		if (i > 0)
			strbuf_add_char(&text, ',');
		strbuf_add_bytes(&text, items, size - (size_t)(items - one) - strlen("]}\n"));
	}
	strbuf_add(&text, "]}");
	assert_ok(read_text(POD_STREAM_LIST, text.text, text.length, SLICE, &told, NULL, NULL));
	assert_int_equal(told.pods, 1000);
	assert_int_equal(told.bad, 0);
	strbuf_done(&told.text);
	strbuf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feed_recorded_streams_in_any_slices),
		cmocka_unit_test(test_feed_list_every_split_gives_the_same),
		cmocka_unit_test(test_feed_watch_every_split_gives_the_same),
		cmocka_unit_test(test_feed_receiver_refuses_ends_with_its_error),
		cmocka_unit_test(test_feed_depth_is_limited),
		cmocka_unit_test(test_feed_object_over_the_limit_is_refused),
		cmocka_unit_test(test_feed_pod_just_under_the_limit_is_taken_byte_by_byte),
		cmocka_unit_test(test_feed_thousand_pods_are_all_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
