/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "pod-json.h"
#include "strbuf.h"

#define MIB (1ULL << 20)

#define HASH "0123456789abcdef0123456789abcdef"
#define UID  "0d9f7c1e-55d5-4b1d-9a53-6a1ac5d4f6aa"

static void test_decode_pod_of_kubelet_has_its_fields(void **state)
{
	cleanup_free struct kube_pod *pod = pod_of_json(fixture_json("pod-running.json"));

	(void)state;
	assert_string_equal(pod->uid, "20be5c7b-55e1-46d6-86e0-b89fb23d5419");
	assert_string_equal(pod->cgroup_uid, pod->uid);
	assert_string_equal(pod->namespace, "default");
	assert_string_equal(pod->name, "p0");
	assert_string_equal(pod->node, "node1");
	assert_string_equal(pod->phase, "Running");
	assert_string_equal(pod->qos_class, "Burstable");
	assert_string_equal(pod->resource_version, "380");
	assert_null(pod->machine);
	assert_false(pod->deleting);
	assert_false(pod->finished);
	assert_true(pod->host_network);
	assert_int_equal(pod->label_count, 1);
	assert_string_equal(label_get(pod->labels, 1, "app"), "demo");
	assert_int_equal(pod->annotation_count, 1);
	assert_int_equal(pod->container_count, 1);
	assert_string_equal(pod->containers[0].id,
			    "f21d9d40957505dd16c9e0a2ebefadd8302b50a63ceb8e913252677ae4395ccf");
	assert_int_equal(pod->cpu_request_milli, 100);
	assert_int_equal(pod->cpu_limit_milli, 200);
	assert_int_equal(pod->memory_request_bytes, 32 * MIB);
	assert_int_equal(pod->memory_limit_bytes, 64 * MIB);
}

static void test_decode_every_kind_of_container_counts_as_the_scheduler(void **state)
{
	static const struct {
		const char *name, *id;
		enum kube_container_kind kind;
	} expected[] = {
		{ "load", "aa00", CONTAINER_INIT },  { "proxy", "bb00", CONTAINER_INIT },
		{ "migrate", NULL, CONTAINER_INIT }, { "main", "dd00", CONTAINER_APP },
		{ "log", "cc00", CONTAINER_APP },    { "debug", "ee00", CONTAINER_EPHEMERAL },
	};
	cleanup_free struct kube_pod *pod = pod_of_json(fixture_json("pod-whole.json"));

	(void)state;
	assert_int_equal(pod->container_count, ARRAY_SIZE(expected));
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		assert_string_equal(pod->containers[i].name, expected[i].name);
		assert_int_equal(pod->containers[i].kind, expected[i].kind);
		if (expected[i].id)
			assert_string_equal(pod->containers[i].id, expected[i].id);
		else
			assert_null(pod->containers[i].id);
	}
	/* The spec's, although status.containerStatuses[].resources says 9. */
	assert_int_equal(pod->containers[3].cpu_request_milli, 1000);
	assert_int_equal(pod->containers[4].cpu_request_milli, 1);
	assert_int_equal(pod->containers[4].memory_request_bytes, 2);
	/* migrate beside proxy needs 2100m, more than main, log and proxy; then the overhead. */
	assert_int_equal(pod->cpu_request_milli, 2100 + 250);
	assert_int_equal(pod->memory_request_bytes, (1024 + 32 + 120) * MIB + 2);
	/* log has none. */
	assert_int_equal(pod->cpu_limit_milli, 0);
	assert_int_equal(pod->memory_limit_bytes, (2048 + 64 + 123 + 120) * MIB);
	assert_true(pod->deleting);
}

static void test_decode_labels_leaves_out_what_is_large_or_no_text(void **state)
{
	cleanup_free struct kube_pod *pod = pod_of_json(fixture_json("pod-whole.json"));

	(void)state;
	assert_int_equal(pod->label_count, 1);
	assert_int_equal(pod->annotation_count, 2);
	assert_string_equal(label_get(pod->annotations, 2, "berth/qos"), "high");
	assert_string_equal(label_get(pod->annotations, 2, "note"),
			    "a \"quote\", a } and a \\ and Stra\xc3\x9f"
			    "e");
}

/* A pod whose annotation KEY has size bytes. */
static int decode_annotation(const char *key, size_t size, size_t *ret_kept)
{
	cleanup_free char *value = malloc(size + 1);
	struct kube_pod *pod = NULL;
	char why[256] = "";
	json_t *object;
	int r;

	assert_non_null(value);
	memset(value, 'x', size);
	value[size] = '\0';
	object = json_pack("{s:{s:s,s:s,s:s,s:{s:s}}}", "metadata", "uid", UID, "name", "n",
			   "namespace", "ns", "annotations", key, value);
	r = kube_pod_decode(object, why, sizeof(why), &pod);
	json_decref(object);
	if (r == 0)
		*ret_kept = pod->annotation_count;
	else
		assert_non_null(strstr(why, "ns/n"));
	free(pod);
	return r;
}

static void test_decode_annotation_over_8_kib_only_of_the_protocol(void **state)
{
	size_t kept = 9;

	(void)state;
	assert_ok(decode_annotation("note", LIMIT_POD_ANNOTATION, &kept));
	assert_int_equal(kept, 1);
	assert_ok(decode_annotation("note", LIMIT_POD_ANNOTATION + 1, &kept));
	assert_int_equal(kept, 0);
	assert_ok(decode_annotation("berth/x", LIMIT_POD_ANNOTATION + 1, &kept));
	assert_int_equal(kept, 1);
	assert_ok(decode_annotation("volcano.sh/preemptable", 10000, &kept));
	assert_int_equal(kept, 1);
	assert_ok(decode_annotation("berth/x", LIMIT_LABEL_BYTES - 7, &kept));
	assert_int_equal(kept, 1);
	assert_ok(decode_annotation("berth/x", LIMIT_LABEL_BYTES - 6, &kept));
	assert_int_equal(kept, 0);
	assert_ok(decode_annotation("note", LIMIT_LABEL_BYTES, &kept));
	assert_int_equal(kept, 0);
}

static json_t *pod_with_many(unsigned int labels, unsigned int containers)
{
	json_t *object = json_pack("{s:{s:s,s:s,s:s,s:{}},s:{s:[]}}", "metadata", "uid", UID,
				   "name", "n", "namespace", "ns", "labels", "spec", "containers");
	json_t *map = json_object_get(json_object_get(object, "metadata"), "labels");
	json_t *list = json_object_get(json_object_get(object, "spec"), "containers");

	for (unsigned int i = 0; i < labels; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "l%u", i);
		assert_ok(json_object_set_new(map, key, json_string("")));
	}
	for (unsigned int i = 0; i < containers; i++)
		assert_ok(json_array_append_new(list, json_pack("{s:s}", "name", "c")));
	return object;
}

static void test_decode_too_many_keeps_what_decides_the_level(void **state)
{
	json_t *object = pod_with_many(LIMIT_LABELS + 1, LIMIT_POD_CONTAINERS + 1), *map;
	struct kube_pod *pod = NULL;
	char why[256] = "";

	(void)state;
	map = json_object();
	assert_ok(json_object_set_new(json_object_get(object, "metadata"), "annotations", map));
	for (unsigned int i = 0; i <= LIMIT_LABELS; i++) {
		char key[16];

		(void)snprintf(key, sizeof(key), "a%u", i);
		assert_ok(json_object_set_new(map, key, json_string("")));
	}
	assert_ok(json_object_set_new(map, "berth/qos", json_string("batch")));
	map = json_object_get(json_object_get(object, "metadata"), "labels");
	assert_ok(json_object_set_new(map, "koordinator.sh/qosClass", json_string("BE")));

	assert_ok(kube_pod_decode(object, why, sizeof(why), &pod));
	assert_int_equal(pod->label_count, LIMIT_LABELS);
	assert_int_equal(pod->annotation_count, LIMIT_LABELS);
	assert_int_equal(pod->container_count, LIMIT_POD_CONTAINERS);
	assert_string_equal(label_get(pod->annotations, pod->annotation_count, "berth/qos"),
			    "batch");
	assert_string_equal(label_get(pod->labels, pod->label_count, "koordinator.sh/qosClass"),
			    "BE");
	free(pod);
	json_decref(object);
}

static void test_decode_what_is_no_pod_is_refused(void **state)
{
	static const char *const texts[] = {
		"{}",
		"[]",
		"{\"metadata\":null}",
		"{\"metadata\":{\"uid\":\"u\",\"name\":\"n\"}}",
		"{\"metadata\":{\"uid\":\"u\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"name\":\"u\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"uid\":1,\"name\":\"u\",\"namespace\":\"n\"}}",
		"{\"metadata\":{\"uid\":\"\",\"name\":\"u\",\"namespace\":\"n\"}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *object = json_of_text(texts[i]);
		struct kube_pod *pod = NULL;
		char why[256] = "";

		assert_errno(kube_pod_decode(object, why, sizeof(why), &pod), EBADMSG);
		assert_null(pod);
		assert_non_null(strstr(why, "no uid, name or namespace"));
		json_decref(object);
	}
}

static void test_decode_fields_of_a_wrong_type_are_as_missing(void **state)
{
	cleanup_free struct kube_pod *pod = pod_of_text(
		"{\"metadata\":{\"uid\":\"u\",\"name\":\"n\",\"namespace\":\"ns\","
		"\"labels\":[],\"annotations\":\"x\",\"deletionTimestamp\":null},"
		"\"spec\":{\"containers\":[null,{\"name\":7,\"resources\":{\"requests\":"
		"{\"cpu\":\"-1\",\"memory\":\"much\"},\"limits\":{\"cpu\":\"9e99\"}}}],"
		"\"initContainers\":{},\"nodeName\":3,\"hostNetwork\":\"true\"},"
		"\"status\":{\"containerStatuses\":[3,{\"name\":\"\",\"containerID\":\"x://\"}]}}");

	(void)state;
	assert_string_equal(pod->node, "");
	assert_string_equal(pod->phase, "");
	assert_int_equal(pod->label_count + pod->annotation_count, 0);
	assert_false(pod->host_network || pod->deleting || pod->finished);
	assert_int_equal(pod->container_count, 2);
	assert_null(pod->containers[1].id);
	assert_int_equal(pod->containers[1].cpu_request_milli, 0);
	assert_true(pod->containers[1].cpu_limit_milli == UINT64_MAX);
	assert_int_equal(pod->cpu_limit_milli, 0);
}

static struct kube_pod *pod_with(const char *labels, const char *annotations, const char *rest)
{
	struct strbuf text = { 0 };
	struct kube_pod *pod;

	strbuf_addf(&text,
		    "{\"metadata\":{\"uid\":\"" UID "\",\"name\":\"n\",\"namespace\":\"ns\","
		    "\"labels\":{%s},\"annotations\":{%s}}%s}",
		    labels, annotations, rest);
	pod = pod_of_text(strbuf_text(&text));
	strbuf_done(&text);
	return pod;
}

static void test_decode_cgroup_uid_is_of_mirror_pods_only(void **state)
{
	static const struct {
		const char *annotations, *expected;
	} cases[] = {
		{ "", UID },
		{ "\"kubernetes.io/config.mirror\":\"" HASH
		  "\",\"kubernetes.io/config.hash\":\"" HASH "\"",
		  HASH },
		/* Anybody may write these. */
		{ "\"kubernetes.io/config.hash\":\"" HASH "\"", UID },
		{ "\"kubernetes.io/config.mirror\":\"5af1e8b0-55d5-4b1d-9a53-6a1ac5d4f6aa\"", UID },
		{ "\"kubernetes.io/config.mirror\":\"\"", UID },
		{ "\"kubernetes.io/config.mirror\":\"../../../system.slice/ssh.service\"", UID },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free struct kube_pod *pod = pod_with("", cases[i].annotations, "");

		assert_string_equal(pod->cgroup_uid, cases[i].expected);
		assert_string_equal(pod->uid, UID);
	}
}

static void test_decode_machine_is_of_virt_launcher_only(void **state)
{
	static const struct {
		const char *labels, *annotations, *expected;
	} cases[] = {
		{ "", "\"kubevirt.io/domain\":\"vm\"", NULL },
		{ "\"vm.kubevirt.io/name\":\"vm\"", "", NULL },
		{ "\"kubevirt.io\":\"virt-handler\",\"vm.kubevirt.io/name\":\"vm\"", "", NULL },
		{ "\"kubevirt.io\":\"virt-launcher\"", "", NULL },
		{ "\"kubevirt.io\":\"virt-launcher\",\"vm.kubevirt.io/name\":\"a\"", "", "a" },
		{ "\"kubevirt.io\":\"virt-launcher\",\"kubevirt.io/domain\":\"b\"", "", "b" },
		{ "\"kubevirt.io\":\"virt-launcher\",\"kubevirt.io/domain\":\"b\"",
		  "\"kubevirt.io/domain\":\"c\"", "c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free struct kube_pod *pod =
			pod_with(cases[i].labels, cases[i].annotations, "");

		if (cases[i].expected)
			assert_string_equal(pod->machine, cases[i].expected);
		else
			assert_null(pod->machine);
	}
}

static void test_decode_phase_says_what_is_finished(void **state)
{
	static const struct {
		const char *rest;
		bool finished;
	} cases[] = {
		{ "", false },
		{ ",\"status\":{\"phase\":\"Pending\"}", false },
		{ ",\"status\":{\"phase\":\"Unknown\"}", false },
		{ ",\"status\":{\"phase\":\"Succeeded\"}", true },
		{ ",\"status\":{\"phase\":\"Failed\"}", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_free struct kube_pod *pod = pod_with("", "", cases[i].rest);

		assert_int_equal(pod->finished, cases[i].finished);
	}
}

static void test_decode_resources_of_the_pod_stand_for_the_sum(void **state)
{
	cleanup_free struct kube_pod *pod = pod_with(
		"", "",
		",\"spec\":{\"resources\":{\"requests\":{\"cpu\":\"3\"},\"limits\":{\"cpu\":\"4\"}}"
		","
		"\"overhead\":{\"cpu\":\"1m\"},\"containers\":[{\"name\":\"a\",\"resources\":"
		"{\"requests\":{\"cpu\":\"1\",\"memory\":\"1Mi\"}}}]}");

	(void)state;
	assert_int_equal(pod->cpu_request_milli, 3001);
	assert_int_equal(pod->cpu_limit_milli, 4001);
	assert_int_equal(pod->memory_request_bytes, MIB);
	assert_int_equal(pod->memory_limit_bytes, 0);
}

static void check_round_trip(json_t *object)
{
	cleanup_free struct kube_pod *pod = pod_of_json(object);
	json_t *encoded = kube_pod_encode(pod);
	cleanup_free char *text = json_dumps(encoded, JSON_COMPACT);
	cleanup_free struct kube_pod *again = NULL;

	json_decref(encoded);
	assert_non_null(text);
	/* As it comes back from a file. */
	again = pod_of_text(text);
	assert_true(kube_pod_equal(pod, again));
	assert_string_equal(pod->resource_version, again->resource_version);
}

static void test_encode_decodes_to_an_equal_pod(void **state)
{
	(void)state;
	check_round_trip(fixture_json("pod-running.json"));
	check_round_trip(fixture_json("pod-whole.json"));
	check_round_trip(
		json_of_text("{\"metadata\":{\"uid\":\"u\",\"name\":\"n\",\"namespace\":\"ns\"}}"));
	/* A sidecar without a limit: the pod has none, although its containers have. */
	check_round_trip(json_of_text(
		"{\"metadata\":{\"uid\":\"u\",\"name\":\"n\",\"namespace\":\"ns\"},\"spec\":"
		"{\"initContainers\":[{\"name\":\"s\",\"restartPolicy\":\"Always\"}],"
		"\"containers\":"
		"[{\"name\":\"a\",\"resources\":{\"limits\":{\"cpu\":\"1\"}}}]}}"));
}

static void test_equal_every_difference_but_the_version_counts(void **state)
{
	static const char *const changes[][2] = {
		{ "shop", "shoq" },           { "6d4b75cb6d", "6d4b75cb6e" },
		{ "0d9f7c1e", "1d9f7c1e" },   { "node1", "node2" },
		{ "Running", "Failed" },      { "Burstable", "Guaranteed" },
		{ "\"high\"", "\"batch\"" },  { "berth/qos", "berth/qot" },
		{ "deletionTimestamp", "x" }, { "hostNetwork", "x" },
		{ "dd00", "dd01" },           { "1500m", "2500m" },
		{ "\"proxy\"", "\"pr0xy\"" }, { "ephemeralContainers", "x" },
		{ "120Mi", "121Mi" },
	};
	char path[512];
	FILE *file = fopen(fixture_path("kube/pod-whole.json", path, sizeof(path)), "re");
	cleanup_free struct kube_pod *pod = NULL, *newer = NULL;
	char text[8192] = "";

	(void)state;
	assert_non_null(file);
	assert_in_range(fread(text, 1, sizeof(text) - 1, file), 100, sizeof(text) - 2);
	(void)fclose(file);
	pod = pod_of_text(text);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		cleanup_free struct kube_pod *changed = NULL;
		const char *at = strstr(text, changes[i][0]);
		struct strbuf other = { 0 };

		assert_non_null(at);
		strbuf_add_bytes(&other, text, (size_t)(at - text));
		strbuf_add(&other, changes[i][1]);
		strbuf_add(&other, at + strlen(changes[i][0]));
		changed = pod_of_text(strbuf_text(&other));
		strbuf_done(&other);
		if (kube_pod_equal(pod, changed))
			fail_msg("'%s' for '%s' makes no difference", changes[i][1], changes[i][0]);
	}
	memcpy(strstr(text, "4711"), "4712", 4);
	newer = pod_of_text(text);
	assert_string_equal(newer->resource_version, "4712");
	assert_true(kube_pod_equal(pod, newer));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decode_pod_of_kubelet_has_its_fields),
		cmocka_unit_test(test_decode_every_kind_of_container_counts_as_the_scheduler),
		cmocka_unit_test(test_decode_labels_leaves_out_what_is_large_or_no_text),
		cmocka_unit_test(test_decode_annotation_over_8_kib_only_of_the_protocol),
		cmocka_unit_test(test_decode_too_many_keeps_what_decides_the_level),
		cmocka_unit_test(test_decode_what_is_no_pod_is_refused),
		cmocka_unit_test(test_decode_fields_of_a_wrong_type_are_as_missing),
		cmocka_unit_test(test_decode_cgroup_uid_is_of_mirror_pods_only),
		cmocka_unit_test(test_decode_machine_is_of_virt_launcher_only),
		cmocka_unit_test(test_decode_phase_says_what_is_finished),
		cmocka_unit_test(test_decode_resources_of_the_pod_stand_for_the_sum),
		cmocka_unit_test(test_encode_decodes_to_an_equal_pod),
		cmocka_unit_test(test_equal_every_difference_but_the_version_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
