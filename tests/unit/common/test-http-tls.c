/* SPDX-License-Identifier: Apache-2.0 */
/* test-http-tls.c - whom a client trusts, and as whom it comes, against a real TLS server. */
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "berth-test.h"
#include "file.h"
#include "http-world.h"

static char directory[] = "/tmp/berth-test-tls-XXXXXX";

struct tls_server {
	pid_t pid;
	int stdin_fd;
	char port[16];
};

static void script_start(struct tls_server *server, const char *name, const char *cert,
			 const char *client_ca)
{
	char script[512];
	int in[2], out[2];
	ssize_t n;

	(void)fixture_path(name, script, sizeof(script));
	assert_int_equal(pipe2(in, O_CLOEXEC), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	server->pid = fork();
	assert_true(server->pid >= 0);
	if (server->pid == 0) {
		(void)dup2(in[0], STDIN_FILENO);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)execlp("python3", "python3", script, directory, cert, client_ca,
			     (char *)NULL);
		_exit(127);
	}
	(void)close(in[0]);
	(void)close(out[1]);
	server->stdin_fd = in[1];
	n = read(out[0], server->port, sizeof(server->port) - 1);
	(void)close(out[0]);
	assert_true(n > 1);
	server->port[n - 1] = '\0'; /* the newline */
}

static void tls_server_stop(struct tls_server *server)
{
	int status = 0;

	(void)close(server->stdin_fd);
	assert_int_equal(waitpid(server->pid, &status, 0), server->pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static char *pem(const char *name)
{
	char path[256];
	char *text = NULL;

	if (!name)
		return NULL;
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	assert_ok(file_read_all(AT_FDCWD, path, &text, NULL));
	return text;
}

/* Names of files below the directory. */
struct who {
	const char *ca, *cert, *key, *server_name;
};

static void get_as(const struct tls_server *server, const struct who *who, struct outcome *outcome)
{
	char *ca = pem(who->ca), *cert = pem(who->cert), *key = pem(who->key);
	struct http_identity identity = { ca, cert, key, NULL, who->server_name };
	struct http_call_spec spec = { .method = "GET", .identity = &identity };
	struct world world;
	char url[64];

	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%s/a", server->port);
	spec.url = url;
	world_open(&world);
	outcome_start(&world, &spec, outcome);
	/* Copied: the call must not need them any more. */
	free(ca);
	free(cert);
	free(key);
	world_run_until(&world, &outcome->dones, 1);
	world_close(&world);
}

struct tls_case {
	const char *cert, *client_ca;
	struct who who;
	int error;
	const char *says; /* the body, or in the message */
};

static void case_run(const struct tls_case *test)
{
	struct outcome outcome = { 0 };
	struct tls_server server;

	script_start(&server, "http/tls-server.py", test->cert, test->client_ca);
	get_as(&server, &test->who, &outcome);
	tls_server_stop(&server);
	if (outcome.result.error != -test->error)
		fail_msg("%s: %s", strerrorname_np(-outcome.result.error), outcome.result.message);
	if (!strstr(test->error ? outcome.result.message : strbuf_text(&outcome.body), test->says))
		fail_msg("'%s' and '%s' do not say '%s'", outcome.result.message,
			 strbuf_text(&outcome.body), test->says);
	strbuf_done(&outcome.body);
}

/* second: may be NULL. */
static int run_script(const char *program, const char *first, const char *second)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		(void)execlp(program, program, first, second, (char *)NULL);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status) == 0 ? 0 : -1;
}

static void test_http_tls_trusted_server_answers(void **state)
{
	static const struct tls_case cases[] = {
		{ "address", NULL, { .ca = "ca.crt" }, 0, "sni= " },
		{ "name",
		  NULL,
		  { .ca = "ca.crt", .server_name = "api.example" },
		  0,
		  "sni=api.example host=127.0.0.1:" },
		{ "address", "ca", { "ca.crt", "client.crt", "client.key", NULL }, 0, "cn=client" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		case_run(&cases[i]);
}

static void test_http_tls_server_that_is_not_trusted_is_refused(void **state)
{
	static const struct tls_case cases[] = {
		{ "address", NULL, { .ca = "other-ca.crt" }, EKEYREJECTED, "is not trusted" },
		{ "address", NULL, { .ca = NULL }, EKEYREJECTED, "is not trusted" },
		{ "name", NULL, { .ca = "ca.crt" }, EKEYREJECTED, "is for another name" },
		{ "address",
		  NULL,
		  { .ca = "ca.crt", .server_name = "api.example" },
		  EKEYREJECTED,
		  "is for another name" },
		{ "expired", NULL, { .ca = "ca.crt" }, EKEYREJECTED, "has expired" },
		{ "address", NULL, { .ca = "ca.key" }, EKEYREJECTED, "certificate authority" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		case_run(&cases[i]);
}

static void test_http_tls_client_that_is_not_trusted_is_told(void **state)
{
	static const struct tls_case cases[] = {
		{ "address", "ca", { .ca = "ca.crt" }, EKEYREJECTED, "our client certificate" },
		{ "address",
		  "ca",
		  { "ca.crt", "stranger.crt", "stranger.key", NULL },
		  EKEYREJECTED,
		  "our client certificate" },
		{ "address",
		  "ca",
		  { "ca.crt", "client.crt", "stranger.key", NULL },
		  EKEYREJECTED,
		  "not that of the client certificate" },
		{ "address",
		  "ca",
		  { "ca.crt", "client.key", "client.key", NULL },
		  EKEYREJECTED,
		  "it is broken" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		case_run(&cases[i]);
}

/* libcurl looks into the system's directory beside the authority that it is given. */
static void test_http_tls_given_authority_is_the_only_one(void **state)
{
	static const struct tls_case test = {
		"address", NULL, { .ca = "other-ca.crt" }, EKEYREJECTED, "is not trusted",
	};
	static const char system_directory[] = "/etc/ssl/certs";
	char path[256];

	(void)state;
	if (access(system_directory, F_OK) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		skip();
	assert_return_code(mount("none", system_directory, "tmpfs", 0, NULL), errno);
	(void)snprintf(path, sizeof(path), "%s/ca.crt", directory);
	assert_ok(run_script("cp", path, system_directory));
	assert_ok(run_script("openssl", "rehash", system_directory));
	case_run(&test);
	assert_return_code(umount2(system_directory, MNT_DETACH), errno);
}

/* Whoever has these keys reads the token. */
static void test_http_tls_keys_are_written_nowhere(void **state)
{
	static const struct tls_case test = { "address", NULL, { .ca = "ca.crt" }, 0, "sni= " };
	char path[256];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/keys.log", directory);
	assert_int_equal(access(path, F_OK), -1);
	case_run(&test);
	assert_int_equal(access(path, F_OK), -1);
}

/* HTTP/2 would keep the connection, which may be dead for all we know. */
static void test_http_tls_freed_call_takes_its_connection_along(void **state)
{
	char *ca = pem("ca.crt"), url[64];
	struct http_identity identity = { .ca_pem = ca };
	struct http_call_spec spec = { .method = "GET", .url = url, .identity = &identity };
	struct outcome hung = { 0 }, next = { 0 }, last = { 0 };
	struct tls_server server;
	struct world world;

	(void)state;
	script_start(&server, "http/h2-server.py", "address", NULL);
	(void)snprintf(url, sizeof(url), "https://127.0.0.1:%s/a", server.port);
	world_open(&world);
	outcome_start(&world, &spec, &hung);
	world_run_until(&world, &hung.pieces, 1);
	hung.call = http_call_free(hung.call);
	outcome_start(&world, &spec, &next);
	world_run_until(&world, &next.dones, 1);
	outcome_start(&world, &spec, &last);
	world_run_until(&world, &last.dones, 1);
	world_close(&world);
	tls_server_stop(&server);
	free(ca);
	assert_int_equal(hung.dones, 0);
	assert_string_equal(strbuf_text(&hung.body), "connection 1");
	assert_string_equal(strbuf_text(&next.body), "connection 2");
	assert_string_equal(strbuf_text(&last.body), "connection 2");
	strbuf_done(&hung.body);
	strbuf_done(&next.body);
	strbuf_done(&last.body);
}

static int setup(void **state)
{
	char script[512], keys[256];

	(void)state;
	if (!mkdtemp(directory))
		return -1;
	/* libcurl reads it once, when it is loaded. */
	(void)snprintf(keys, sizeof(keys), "%s/keys.log", directory);
	if (setenv("SSLKEYLOGFILE", keys, 1) < 0)
		return -1;
	return run_script(fixture_path("http/make-certs.sh", script, sizeof(script)), directory,
			  NULL);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_http_tls_trusted_server_answers),
		cmocka_unit_test(test_http_tls_server_that_is_not_trusted_is_refused),
		cmocka_unit_test(test_http_tls_client_that_is_not_trusted_is_told),
		cmocka_unit_test(test_http_tls_freed_call_takes_its_connection_along),
		cmocka_unit_test(test_http_tls_keys_are_written_nowhere),
		cmocka_unit_test(test_http_tls_given_authority_is_the_only_one),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
