/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "kube/access-internal.h"
#include "macro.h"
#include "strbuf.h"

#define CERT "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define KEY  "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"
#define CERT_B64                                                                       \
	"LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBQUEKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0t" \
	"LQo="
#define KEY_B64                                                                        \
	"LS0tLS1CRUdJTiBFQyBQUklWQVRFIEtFWS0tLS0tCkFBQUEKLS0tLS1FTkQgRUMgUFJJVkFURSBL" \
	"RVktLS0tLQo="

#define HEAD "apiVersion: v1\nkind: Config\nclusters:\n- name: other\n- name: c\n  cluster:\n"
#define MIDDLE                                                                         \
	"contexts:\n- name: a\n  context: {cluster: c, user: u}\ncurrent-context: a\n" \
	"users:\n- name: u\n  user:\n"
#define SERVER "    server: https://10.0.0.1:6443/\n"
#define TOKEN  "    token: abc\n"

static int parse(const char *name, const char *text, char *why, size_t size,
		 struct kube_access **ret)
{
	why[0] = '\0';
	return kubeconfig_parse(name, text, strlen(text), why, size, ret);
}

static void test_kubeconfig_parse_data_is_decoded(void **state)
{
	static const char text[] = HEAD SERVER "    certificate-authority-data: " CERT_B64
					       "\n    certificate-authority: passed/over\n"
					       "    insecure-skip-tls-verify: false\n"
					       "    tls-server-name: api.example\n" MIDDLE
					       "    client-certificate-data: " CERT_B64
					       "\n    client-key-data: " KEY_B64 "\n";
	cleanup_kube_access struct kube_access *access = NULL;
	char why[300];

	(void)state;
	assert_ok(parse("/etc/berth/kubeconfig", text, why, sizeof(why), &access));
	assert_string_equal(access->server, "https://10.0.0.1:6443");
	assert_string_equal(access->origin, "kubeconfig /etc/berth/kubeconfig");
	assert_string_equal(access->ca_pem, CERT);
	assert_string_equal(access->cert_pem, CERT);
	assert_string_equal(access->key_pem, KEY);
	assert_string_equal(access->server_name, "api.example");
	assert_null(access->ca_file);
	assert_null(access->token);
}

static void test_kubeconfig_parse_block_scalar_is_decoded(void **state)
{
	cleanup_strbuf struct strbuf text = { 0 };
	cleanup_kube_access struct kube_access *access = NULL;
	char why[300];

	(void)state;
	strbuf_add(&text, HEAD SERVER "    certificate-authority-data: |\n");
	for (size_t i = 0; i < strlen(CERT_B64); i += 16)
		strbuf_addf(&text, "      %.16s\n", CERT_B64 + i);
	strbuf_add(&text, MIDDLE TOKEN);
	assert_ok(parse("k", strbuf_text(&text), why, sizeof(why), &access));
	assert_string_equal(access->ca_pem, CERT);
}

static void test_kubeconfig_parse_paths_are_relative_to_it(void **state)
{
	static const char text[] = HEAD SERVER "    certificate-authority: pki/ca.crt\n" MIDDLE
					       "    client-certificate: /abs/cert\n"
					       "    client-key: ../key\n    tokenFile: token\n"
					       "    token: passed-over\n";
	cleanup_kube_access struct kube_access *here = NULL, *there = NULL;
	char why[300];

	(void)state;
	assert_ok(parse("/etc/berth/kubeconfig", text, why, sizeof(why), &there));
	assert_string_equal(there->ca_file, "/etc/berth/pki/ca.crt");
	assert_string_equal(there->cert_file, "/abs/cert");
	assert_string_equal(there->key_file, "/etc/berth/../key");
	assert_string_equal(there->token_file, "/etc/berth/token");
	assert_null(there->token);
	assert_ok(parse("kubeconfig", text, why, sizeof(why), &here));
	assert_string_equal(here->ca_file, "pki/ca.crt");
}

static void test_kubeconfig_parse_json_is_taken(void **state)
{
	static const char text[] =
		"{\"kind\": \"Config\", \"current-context\": \"a\",\n"
		" \"clusters\": [{\"name\": \"c\", \"cluster\": {\"server\": "
		"\"https://[fd00::1]:6443\"}}],\n"
		" \"contexts\": [{\"name\": \"a\", \"context\": {\"cluster\": \"c\", \"user\": "
		"\"u\", \"namespace\": \"\"}}],\n"
		" \"users\": [{\"name\": \"u\", \"user\": {\"token\": \"t\", \"username\": \"\", "
		"\"exec\": null}}], \"preferences\": {}}\n";
	cleanup_kube_access struct kube_access *access = NULL;
	char why[300];

	(void)state;
	assert_ok(parse("k.json", text, why, sizeof(why), &access));
	assert_string_equal(access->server, "https://[fd00::1]:6443");
	assert_string_equal(access->token, "t");
}

static void test_kubeconfig_parse_context_without_user_is_anonymous(void **state)
{
	static const char text[] = HEAD "    server: http://127.0.0.1:8001\n"
					"contexts:\n- name: a\n  context: {cluster: c}\n"
					"current-context: a\n";
	cleanup_kube_access struct kube_access *access = NULL;
	char why[300];

	(void)state;
	assert_ok(parse("k", text, why, sizeof(why), &access));
	assert_null(access->token);
	assert_null(access->cert_pem);
}

static void test_kubeconfig_parse_what_berth_does_not_do_is_refused(void **state)
{
	const struct {
		const char *text, *why;
	} cases[] = {
		{ HEAD SERVER "    insecure-skip-tls-verify: true\n" MIDDLE TOKEN,
		  "k:8:31: insecure-skip-tls-verify: Berth always verifies" },
		{ HEAD SERVER "    insecure-skip-tls-verify: yes\n" MIDDLE TOKEN, "verifies" },
		{ HEAD SERVER "    proxy-url: http://p:3128\n" MIDDLE TOKEN, "k:8:16: proxy-url" },
		{ HEAD SERVER MIDDLE "    exec:\n      command: aws\n",
		  "k:16:7: exec: Berth runs no" },
		{ HEAD SERVER MIDDLE "    auth-provider: {name: gcp}\n", "auth-provider: " },
		{ HEAD SERVER MIDDLE "    username: a\n    password: b\n", "k:15:15: username" },
		{ HEAD SERVER MIDDLE TOKEN "    as: somebody\n", "as: Berth impersonates" },
		{ HEAD "    server: http://10.0.0.1:8080\n" MIDDLE TOKEN,
		  "k:7:13: server: http://" },
		{ HEAD "    server: 10.0.0.1:8080\n" MIDDLE TOKEN, "expected https://HOST:PORT" },
		{ HEAD "    server: https://h/?a=b\n" MIDDLE TOKEN, "expected https://HOST:PORT" },
		{ HEAD "    server: [https://h]\n" MIDDLE TOKEN, "server: expected a text" },
		{ HEAD "    certificate-authority: x\n" MIDDLE TOKEN, "server: missing" },
		{ HEAD SERVER SERVER MIDDLE TOKEN, "k:8:5: clusters[1].cluster.server: duplicate" },
		{ HEAD SERVER "    certificate-authority-data: A===\n" MIDDLE TOKEN, "not base64" },
		{ HEAD SERVER "    certificate-authority-data: AAAA\n" MIDDLE TOKEN, "no PEM" },
		{ HEAD SERVER "    certificate-authority-data: " KEY_B64 "\n" MIDDLE TOKEN,
		  "holds no PEM certificate" },
		{ HEAD SERVER MIDDLE "    client-certificate: a\n", "client-key: missing" },
		{ HEAD SERVER MIDDLE "    client-key: a\n", "client-certificate: missing" },
		{ HEAD SERVER MIDDLE "    token: \"a\\nb\"\n", "k:15:12: token: is no token" },
		{ HEAD SERVER MIDDLE "    token: \"a b\"\n", "token: is no token" },
		{ "kind: Config\n", "current-context: missing" },
		{ "", "current-context: missing" },
		{ "current-context: \"\"\n", "k:1:18: current-context: missing" },
		{ "current-context: b\ncontexts: []\n", "contexts: there is no context named 'b'" },
		{ "current-context: b\ncontexts: b\n", "there is no context named 'b'" },
		{ "current-context: b\ncontexts:\n- name: b\n",
		  "k:3:3: contexts: 'b' has no 'context" },
		{ "current-context: b\ncontexts:\n- {name: b, context: {cluster: q}}\n",
		  "k:3:32: clusters: there is no cluster named 'q'" },
		{ HEAD SERVER "contexts:\n- {name: a, context: {cluster: c, user: x}}\n"
			      "current-context: a\n",
		  "users: there is no user named 'x'" },
		{ "- a\n", "k:1:1: " },
		{ "a: [\n", "k:2:1: " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kube_access *access = NULL;
		char why[300];

		assert_errno(parse("k", cases[i].text, why, sizeof(why), &access), EINVAL);
		assert_null(access);
		if (strncmp(why, "k:", 2) != 0 || !strstr(why, cases[i].why))
			fail_msg("'%s' is not '%s'", why, cases[i].why);
		assert_null(strchr(why, '\n'));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kubeconfig_parse_data_is_decoded),
		cmocka_unit_test(test_kubeconfig_parse_block_scalar_is_decoded),
		cmocka_unit_test(test_kubeconfig_parse_paths_are_relative_to_it),
		cmocka_unit_test(test_kubeconfig_parse_json_is_taken),
		cmocka_unit_test(test_kubeconfig_parse_context_without_user_is_anonymous),
		cmocka_unit_test(test_kubeconfig_parse_what_berth_does_not_do_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
