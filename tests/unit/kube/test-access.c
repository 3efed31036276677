/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "berth-test.h"
#include "kube/access-internal.h"
#include "limit.h"
#include "macro.h"

#define CERT "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
#define KEY  "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"

static char directory[] = "/tmp/berth-test-access-XXXXXX";
static const char *const names[] = { "token", "ca.crt", "cert", "key", "kubeconfig", "large" };

static const char *path_of(const char *name)
{
	static char paths[8][128];
	static unsigned int next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static void put(const char *name, const char *text, size_t size)
{
	cleanup_close int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
}

static void put_text(const char *name, const char *text)
{
	put(name, text, strlen(text));
}

static int setup(void **state)
{
	(void)state;
	(void)unsetenv("KUBERNETES_SERVICE_HOST");
	(void)unsetenv("KUBERNETES_SERVICE_PORT");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlink(path_of(names[i]));
	return 0;
}

static int group_setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int group_teardown(void **state)
{
	(void)setup(state);
	return rmdir(directory);
}

static void in_pod(const char *host, const char *port)
{
	put_text("token", "tok1\n");
	put_text("ca.crt", CERT);
	assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", host, 1), 0);
	if (port)
		assert_int_equal(setenv("KUBERNETES_SERVICE_PORT", port, 1), 0);
}

static void test_kube_access_new_in_pod_takes_service_account(void **state)
{
	const struct {
		const char *host, *port, *server;
	} cases[] = {
		{ "10.96.0.1", "443", "https://10.96.0.1:443" },
		{ "fd00::1", "6443", "https://[fd00::1]:6443" },
		{ "[fd00::1]", "6443", "https://[fd00::1]:6443" },
		{ "10.96.0.1", NULL, "https://10.96.0.1:443" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kube_access_options options = { 0 };
		cleanup_kube_access struct kube_access *access = NULL;
		struct http_identity identity = { 0 };
		char why[300] = "";

		(void)setup(state);
		in_pod(cases[i].host, cases[i].port);
		assert_true(kube_access_is_given_at(&options, directory));
		assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &access));
		assert_string_equal(access->server, cases[i].server);
		assert_string_equal(access->origin, "the service account of this pod");
		assert_ok(kube_access_identity(access, why, sizeof(why), &identity));
		assert_string_equal(identity.bearer, "tok1");
		assert_string_equal(identity.ca_pem, CERT);
		assert_null(identity.cert_pem);
		assert_null(identity.server_name);
	}
}

static void test_kube_access_new_nothing_given_is_no_entry(void **state)
{
	struct kube_access_options options = { "", "", "", "" };
	struct kube_access *access = NULL;
	char why[300] = "";

	(void)state;
	assert_false(kube_access_is_given_at(&options, directory));
	assert_errno(kube_access_new_at(&options, directory, why, sizeof(why), &access), ENOENT);
	assert_null(access);
	assert_non_null(strstr(why, "sources.kubernetes.kubeconfig"));
	/* A pod whose token is not mounted is no reason to be on. */
	assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1", 1), 0);
	assert_false(kube_access_is_given_at(&options, directory));
}

static void test_kube_access_new_wrong_environment_is_invalid(void **state)
{
	struct kube_access_options options = { 0 };
	struct kube_access *access = NULL;
	char why[300] = "";

	(void)state;
	in_pod("10.96.0.1", "443x");
	assert_errno(kube_access_new_at(&options, directory, why, sizeof(why), &access), EINVAL);
	assert_non_null(strstr(why, "KUBERNETES_SERVICE_PORT"));
}

static void test_kube_access_new_policy_overrides(void **state)
{
	struct kube_access_options options = { .server = "https://api.example:6443//",
					       .token_file = path_of("token"),
					       .ca_file = path_of("ca.crt") };
	cleanup_kube_access struct kube_access *access = NULL, *from_file = NULL;
	struct http_identity identity = { 0 };
	char why[300] = "";

	(void)state;
	put_text("token", "tok\r\n\n");
	put_text("ca.crt", CERT);
	put_text("kubeconfig", "clusters: [{name: c, cluster: {server: \"https://h\", "
			       "certificate-authority: none, tls-server-name: n}}]\n"
			       "contexts: [{name: a, context: {cluster: c, user: u}}]\n"
			       "current-context: a\n"
			       "users: [{name: u, user: {client-certificate: cert, client-key: "
			       "key}}]\n");
	assert_true(kube_access_is_given_at(&options, directory));
	assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &access));
	assert_string_equal(access->server, "https://api.example:6443");
	assert_ok(kube_access_identity(access, why, sizeof(why), &identity));
	assert_string_equal(identity.bearer, "tok");

	options.kubeconfig = path_of("kubeconfig");
	assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &from_file));
	assert_string_equal(from_file->server, "https://api.example:6443");
	assert_ok(kube_access_identity(from_file, why, sizeof(why), &identity));
	assert_string_equal(identity.bearer, "tok");
	assert_string_equal(identity.ca_pem, CERT);
	assert_null(identity.server_name);
	assert_null(identity.cert_pem);
	assert_null(identity.key_pem);
}

static void test_kube_access_new_bad_server_says_which_key(void **state)
{
	static const char *const servers[] = { "http://10.0.0.1", "10.0.0.1:6443", "https://",
					       "https://h:0", "https://h?x" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		struct kube_access_options options = { .server = servers[i] };
		struct kube_access *access = NULL;
		char why[300] = "";

		assert_errno(kube_access_new_at(&options, directory, why, sizeof(why), &access),
			     EINVAL);
		assert_non_null(strstr(why, "sources.kubernetes.server '"));
	}
}

static void test_kube_access_new_unreadable_kubeconfig_says_why(void **state)
{
	struct kube_access_options options = { .kubeconfig = path_of("kubeconfig") };
	struct kube_access *access = NULL;
	char why[300] = "";

	(void)state;
	assert_errno(kube_access_new_at(&options, directory, why, sizeof(why), &access), ENOENT);
	assert_non_null(strstr(why, "cannot read the kubeconfig '"));
	assert_non_null(strstr(why, "No such file"));
	options.kubeconfig = directory;
	assert_errno(kube_access_new_at(&options, directory, why, sizeof(why), &access), EISDIR);
}

static void test_kube_access_identity_reads_again(void **state)
{
	struct kube_access_options options = { 0 };
	cleanup_kube_access struct kube_access *access = NULL;
	struct http_identity identity = { 0 };
	char why[300] = "";

	(void)state;
	in_pod("10.96.0.1", "443");
	assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &access));
	assert_ok(kube_access_identity(access, why, sizeof(why), &identity));
	put_text("token", "tok2");
	assert_ok(kube_access_identity(access, why, sizeof(why), &identity));
	assert_string_equal(identity.bearer, "tok2");
	(void)unlink(path_of("token"));
	assert_errno(kube_access_identity(access, why, sizeof(why), &identity), ENOENT);
	assert_non_null(strstr(why, "cannot read the token file '"));
}

static void test_kube_access_identity_bad_file_is_refused(void **state)
{
	const struct {
		const char *name, *text;
		size_t size;
		const char *why;
	} cases[] = {
		{ "token", "", 0, "is empty" },
		{ "token", "\n", 1, "is empty" },
		{ "token", "a\nb\n", 4, "is no token" },
		{ "token", "a\0b", 3, "holds a NUL" },
		{ "token", "a\x7f", 2, "is no token" },
		{ "token", "\xc3\xa4", 2, "is no token" },
		{ "ca.crt", "hello", 5, "holds no PEM certificate" },
		{ "ca.crt", KEY, sizeof(KEY) - 1, "holds no PEM certificate" },
	};
	struct kube_access_options options = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup_kube_access struct kube_access *access = NULL;
		struct http_identity identity = { 0 };
		char why[300] = "";

		(void)setup(state);
		in_pod("10.96.0.1", "443");
		put(cases[i].name, cases[i].text, cases[i].size);
		assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &access));
		assert_errno(kube_access_identity(access, why, sizeof(why), &identity), EINVAL);
		assert_non_null(strstr(why, cases[i].why));
		assert_non_null(strstr(why, path_of(cases[i].name)));
		assert_null(identity.bearer);
	}
}

static void test_kube_access_identity_large_file_is_refused(void **state)
{
	struct kube_access_options options = { .server = "https://h", .ca_file = path_of("large") };
	cleanup_kube_access struct kube_access *access = NULL;
	struct http_identity identity = { 0 };
	char why[300] = "";

	(void)state;
	put_text("large", CERT);
	assert_int_equal(truncate(path_of("large"), LIMIT_KUBECONFIG_BYTES + 1), 0);
	assert_ok(kube_access_new_at(&options, directory, why, sizeof(why), &access));
	assert_errno(kube_access_identity(access, why, sizeof(why), &identity), EFBIG);
	assert_non_null(strstr(why, "larger than"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_kube_access_new_in_pod_takes_service_account, setup),
		cmocka_unit_test_setup(test_kube_access_new_nothing_given_is_no_entry, setup),
		cmocka_unit_test_setup(test_kube_access_new_wrong_environment_is_invalid, setup),
		cmocka_unit_test_setup(test_kube_access_new_policy_overrides, setup),
		cmocka_unit_test_setup(test_kube_access_new_bad_server_says_which_key, setup),
		cmocka_unit_test_setup(test_kube_access_new_unreadable_kubeconfig_says_why, setup),
		cmocka_unit_test_setup(test_kube_access_identity_reads_again, setup),
		cmocka_unit_test_setup(test_kube_access_identity_bad_file_is_refused, setup),
		cmocka_unit_test_setup(test_kube_access_identity_large_file_is_refused, setup),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
