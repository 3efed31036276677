/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/config.h"
#include "berth-test.h"
#include "limit.h"
#include "macro.h"

#define TLS  "tls_server_config:\n  cert_file: a.crt\n  key_file: /b/a.key\n"
#define HASH "$2y$10$dKOXG32WdPfwJjMcGdrvrOECTGmUvNtCclwKvrVUsg7XFJw32hIaK"

static int parse(const char *text, struct config_errors *errors, struct web_config *ret)
{
	return web_config_parse(text, strlen(text), "/dir/web.yaml", errors, ret);
}

static void accepted(const char *text, struct web_config *ret)
{
	struct config_errors errors = { 0 };
	char line[1024] = "";
	int r = parse(text, &errors, ret);

	if (errors.count > 0)
		config_error_format(&errors.items[0], line, sizeof(line));
	if (r < 0)
		fail_msg("refused: %s\n%s", text, line);
	config_errors_done(&errors);
}

/* expected: part of the first error's line, its place included. */
static void refused(const char *text, const char *expected)
{
	struct config_errors errors = { 0 };
	struct web_config config;
	char line[1024];

	assert_errno(parse(text, &errors, &config), EINVAL);
	assert_true(errors.count > 0);
	config_error_format(&errors.items[0], line, sizeof(line));
	if (!strstr(line, expected))
		fail_msg("%s\ngave '%s', not '%s'", text, line, expected);
	config_errors_done(&errors);
}

static void test_web_config_empty_protects_nothing(void **state)
{
	static const char *const texts[] = { "", "# nothing\n", "tls_server_config:\n",
					     "tls_server_config: {}\nbasic_auth_users:\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct web_config config;

		accepted(texts[i], &config);
		assert_false(config.has_tls);
		assert_int_equal(config.user_count, 0);
		web_config_done(&config);
	}
}

static void test_web_config_whole_file_is_read(void **state)
{
	struct web_config config;

	(void)state;
	accepted(TLS "  client_auth_type: RequireAndVerifyClientCert\n"
		     "  client_ca_file: sub/ca.crt\n"
		     "  client_allowed_sans: [a.example, 10.0.0.1]\n"
		     "  min_version: TLS13\n  max_version: TLS13\n"
		     "  prefer_server_cipher_suites: false\n"
		     "http_server_config:\n  http2: true\n"
		     "  headers:\n    X-Frame-Options: deny\n"
		     "    strict-transport-security: max-age=31536000\n"
		     "basic_auth_users:\n  alice: " HASH "\n  bob: '" HASH "'\n",
		 &config);
	assert_true(config.has_tls);
	assert_string_equal(config.cert_file, "/dir/a.crt");
	assert_string_equal(config.key_file, "/b/a.key");
	assert_string_equal(config.client_ca_file, "/dir/sub/ca.crt");
	assert_int_equal(config.client_auth, WEB_REQUIRE_AND_VERIFY);
	assert_string_equal(config.client_allowed_sans[1], "10.0.0.1");
	assert_string_equal(config.priority, "NORMAL:-VERS-ALL:+VERS-TLS1.3");
	assert_int_equal(config.user_count, 2);
	assert_string_equal(config.users[1].name, "bob");
	assert_string_equal(config.users[1].hash, HASH);
	assert_int_equal(config.header_count, 2);
	assert_string_equal(config.headers[1].name, "Strict-Transport-Security");
	assert_string_equal(config.headers[1].value, "max-age=31536000");
	web_config_done(&config);
}

static void test_web_config_go_names_become_a_priority(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "", "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:%SERVER_PRECEDENCE" },
		{ "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
		  "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-KX-ALL:-CIPHER-ALL:-MAC-ALL:"
		  "+ECDHE-RSA:+AES-128-GCM:+AEAD:%SERVER_PRECEDENCE" },
		/* Those of 1.3 beside others change nothing, as in Go. */
		{ "  cipher_suites: [TLS_AES_256_GCM_SHA384, "
		  "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]\n",
		  "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-KX-ALL:-CIPHER-ALL:-MAC-ALL:"
		  "+ECDHE-ECDSA:+AES-128-GCM:+AEAD:%SERVER_PRECEDENCE" },
		{ "  cipher_suites: [TLS_CHACHA20_POLY1305_SHA256]\n  min_version: TLS13\n",
		  "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:-CIPHER-ALL:-MAC-ALL:"
		  "+CHACHA20-POLY1305:+AEAD:%SERVER_PRECEDENCE" },
		{ "  curve_preferences: [X25519, CurveP256]\n",
		  "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3:-GROUP-ALL:+GROUP-X25519:"
		  "+GROUP-SECP256R1:%SERVER_PRECEDENCE" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct web_config config;

		(void)snprintf(text, sizeof(text), "%s%s", TLS, cases[i].text);
		accepted(text, &config);
		assert_string_equal(config.priority, cases[i].expected);
		web_config_done(&config);
	}
}

static void test_web_config_refuses_with_a_place(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{ "tls_server_confi: {}\n",
		  "/dir/web.yaml:1:1: tls_server_confi: unknown key; did" },
		{ "tls_server_config:\n  cert_file: x\n",
		  ":2:3: tls_server_config.key_file: it is" },
		{ TLS "  client_auth_type: RequireClient\n",
		  ":4:21: tls_server_config.client_auth_type: expected one of: NoClientCert" },
		{ TLS "  client_auth_type: VerifyClientCertIfGiven\n",
		  ":4:21: tls_server_config.client_auth_type: this needs client_ca_file" },
		{ TLS "  client_ca_file: x\n", ":4:19: tls_server_config.client_ca_file: nobody" },
		{ TLS "  client_auth_type: RequireAnyClientCert\n  client_allowed_sans: [x]\n",
		  ":5:24: tls_server_config.client_allowed_sans: a certificate that is not" },
		{ TLS "  min_version: TLS13\n  max_version: TLS12\n",
		  ":5:16: tls_server_config.max_version: expected at least" },
		{ TLS "  min_version: SSL30\n", ":4:16: tls_server_config.min_version: expected" },
		{ TLS "  cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]\n",
		  ":4:19: tls_server_config.cipher_suites[0]: unknown cipher suite" },
		/* What is made of these parts has two suites more. */
		{ TLS "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "
		      "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n",
		  ":4:18: tls_server_config.cipher_suites: GnuTLS cannot allow these without" },
		{ TLS "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n",
		  "no cipher of these is one of TLS 1.3" },
		{ TLS "  cipher_suites: [TLS_AES_128_GCM_SHA256]\n  max_version: TLS12\n",
		  "these are of TLS 1.3" },
		{ TLS "  curve_preferences: [X25519MLKEM768]\n",
		  ":4:23: tls_server_config.curve_preferences[0]: expected CurveP256" },
		{ TLS "  cert: |\n    x\n", "tls_server_config.cert: PEM text is not read" },
		{ "rate_limit: {interval: 1s}\n", ":1:13: rate_limit: berthd has fixed limits" },
		{ "http_server_config: {headers: {Server: x}}\n",
		  ":1:40: http_server_config.headers.Server: only Content-Security-Policy" },
		{ "http_server_config: {headers: {X-Frame-Options: maybe}}\n",
		  "expected deny or sameorigin" },
		{ "http_server_config: {headers: {X-XSS-Protection: \"a\\r\\nB: c\"}}\n",
		  "expected one line of text" },
		{ "http_server_config: {headers: {X-XSS-Protection: a, x-xss-protection: b}}\n",
		  "it is there already" },
		{ "http_server_config: {http2: maybe}\n", ":1:29: http_server_config.http2: exp" },
		{ "basic_auth_users: [a]\n", ":1:19: basic_auth_users: expected at most 256" },
		{ "basic_auth_users: {'a:b': " HASH "}\n", "with a colon in it" },
		{ "basic_auth_users: {a: plain}\n",
		  ":1:23: basic_auth_users.a: expected a bcrypt" },
		{ "basic_auth_users: {a: {b: c}}\n", "expected a bcrypt hash" },
		{ "basic_auth_users: {a: "
		  "$2x$10$dKOXG32WdPfwJjMcGdrvrOECTGmUvNtCclwKvrVUsg7XFJw32hIaK}",
		  "expected a bcrypt hash" },
		{ "basic_auth_users: {a: "
		  "$2y$31$dKOXG32WdPfwJjMcGdrvrOECTGmUvNtCclwKvrVUsg7XFJw32hIaK}",
		  "expected a bcrypt cost of 04 to 14" },
		{ "basic_auth_users: {a: "
		  "$2y$1x$dKOXG32WdPfwJjMcGdrvrOECTGmUvNtCclwKvrVUsg7XFJw32hIaK}",
		  "expected a bcrypt hash" },
		{ "basic_auth_users: {a: " HASH ", a: " HASH "}\n", "duplicate" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refused(cases[i].text, cases[i].expected);
}

static void test_web_config_errors_show_no_value_of_a_user(void **state)
{
	struct config_errors errors = { 0 };
	struct web_config config;
	char line[1024];

	(void)state;
	assert_errno(parse("basic_auth_users: {a: hunter2}\n", &errors, &config), EINVAL);
	config_error_format(&errors.items[0], line, sizeof(line));
	assert_null(strstr(line, "hunter2"));
	config_errors_done(&errors);
}

static void test_web_config_the_shipped_example_is_valid(void **state)
{
	struct config_errors errors = { 0 };
	struct web_config config;
	char path[4096];

	(void)state;
	assert_ok(web_config_load(
		fixture_path("../../conf/web-config.example.yaml", path, sizeof(path)), &errors,
		&config));
	assert_true(config.has_tls);
	assert_int_equal(config.user_count, 1);
	web_config_done(&config);
}

static void test_web_config_load_unreadable_is_refused(void **state)
{
	static const char *const files[] = { "/nonexistent/web.yaml", "/dev/zero", "/tmp" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		struct config_errors errors = { 0 };
		struct web_config config;

		assert_errno(web_config_load(files[i], &errors, &config), EINVAL);
		assert_string_equal(errors.items[0].file, files[i]);
		config_errors_done(&errors);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_web_config_empty_protects_nothing),
		cmocka_unit_test(test_web_config_whole_file_is_read),
		cmocka_unit_test(test_web_config_go_names_become_a_priority),
		cmocka_unit_test(test_web_config_refuses_with_a_place),
		cmocka_unit_test(test_web_config_errors_show_no_value_of_a_user),
		cmocka_unit_test(test_web_config_the_shipped_example_is_valid),
		cmocka_unit_test(test_web_config_load_unreadable_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
