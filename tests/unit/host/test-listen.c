/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/http/server.h"
#include "berth-test.h"
#include "fixture-copy.h"
#include "macro.h"

static void test_listen_tcp_malformed_is_refused(void **state)
{
	static const char *const cases[] = {
		"",
		":",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		":-1",
		":0x50",
		": 80",
		"localhost:80",
		"[::1]",
		"[::1:80",
		"::1]:80",
		"[:80",
		"[]:80",
		"::1:80",
		"1.2.3:80",
		"1.2.3.4.5:80",
		"[127.0.0.1]:80",
		"127.0.0.1:80 ",
		" 127.0.0.1:80",
		"[::1%lo]:80",
		"1.2.3.4:99999999999999999999",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (http_listen_tcp(cases[i]) != -EINVAL)
			fail_msg("'%s'", cases[i]);
}

static void check_listening(int fd)
{
	socklen_t length = sizeof(int);
	int on = 0;

	assert_ok(fd);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length), 0);
	assert_int_equal(on, 1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

static bool connects_v4(int listen_fd)
{
	struct sockaddr_storage address = { 0 };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	socklen_t length = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	assert_int_equal(getsockname(listen_fd, (struct sockaddr *)&address, &length), 0);
	/* The port is at the same place in both families. */
	v4.sin_port = ((const struct sockaddr_in *)&address)->sin_port;
	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	r = connect(fd, (struct sockaddr *)&v4, sizeof(v4));
	(void)close(fd);
	return r == 0;
}

static void test_listen_tcp_all_addresses_takes_v4(void **state)
{
	static const char *const cases[] = { ":0", "0.0.0.0:0", "127.0.0.1:0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = http_listen_tcp(cases[i]);

		check_listening(fd);
		assert_true(connects_v4(fd));
		assert_int_equal(close(fd), 0);
	}
}

static void test_listen_tcp_v6_where_there_is_one(void **state)
{
	int fd = http_listen_tcp("[::1]:0");

	(void)state;
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		skip();
	check_listening(fd);
	assert_false(connects_v4(fd));
	assert_int_equal(close(fd), 0);
}

static void test_listen_tcp_taken_port_is_refused(void **state)
{
	struct sockaddr_in address = { 0 };
	socklen_t length = sizeof(address);
	int fd = http_listen_tcp("127.0.0.1:0");
	char text[32];

	(void)state;
	check_listening(fd);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
	(void)snprintf(text, sizeof(text), "127.0.0.1:%u", ntohs(address.sin_port));
	assert_errno(http_listen_tcp(text), EADDRINUSE);
	assert_int_equal(close(fd), 0);
}

struct scratch {
	char path[32];
	int fd;
};

static int scratch_setup(void **state)
{
	struct scratch *scratch = calloc(1, sizeof(*scratch));

	assert_non_null(scratch);
	(void)snprintf(scratch->path, sizeof(scratch->path), "/tmp/berth-test.XXXXXX");
	assert_non_null(mkdtemp(scratch->path));
	scratch->fd = open(scratch->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = scratch;
	return scratch->fd < 0 ? -1 : 0;
}

static int scratch_teardown(void **state)
{
	struct scratch *scratch = *state;

	(void)close(scratch->fd);
	fixture_remove(scratch->path);
	free(scratch);
	return 0;
}

static void test_listen_unix_mode_and_group_are_set(void **state)
{
	static const mode_t modes[] = { 0600, 0660, 0666 };
	const struct scratch *scratch = *state;

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		gid_t group = geteuid() == 0 ? 12345 : (gid_t)-1;
		int fd = http_listen_unix(scratch->fd, "s", modes[i], group);
		struct stat st;

		check_listening(fd);
		assert_int_equal(fstatat(scratch->fd, "s", &st, 0), 0);
		assert_true(S_ISSOCK(st.st_mode));
		assert_int_equal(st.st_mode & 07777, modes[i]);
		assert_int_equal(st.st_gid, geteuid() == 0 ? 12345 : getegid());
		/* Closed and left behind: the next one finds it stale and replaces it. */
		assert_int_equal(close(fd), 0);
	}
}

static void test_listen_unix_live_one_is_left_alone(void **state)
{
	const struct scratch *scratch = *state;
	int fd = http_listen_unix(scratch->fd, "s", 0600, (gid_t)-1);
	struct stat before, after;

	check_listening(fd);
	assert_int_equal(fstatat(scratch->fd, "s", &before, 0), 0);
	assert_errno(http_listen_unix(scratch->fd, "s", 0666, (gid_t)-1), EADDRINUSE);
	assert_int_equal(fstatat(scratch->fd, "s", &after, 0), 0);
	assert_true(before.st_ino == after.st_ino && before.st_mode == after.st_mode);
	assert_int_equal(close(fd), 0);
}

static void test_listen_unix_other_file_is_left_alone(void **state)
{
	const struct scratch *scratch = *state;
	int fd = openat(scratch->fd, "s", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	assert_int_equal(close(fd), 0);
	assert_errno(http_listen_unix(scratch->fd, "s", 0600, (gid_t)-1), EADDRINUSE);
	assert_int_equal(fstatat(scratch->fd, "s", &st, 0), 0);
	assert_true(S_ISREG(st.st_mode));
	/* Nor is a link followed. */
	assert_int_equal(symlinkat("elsewhere", scratch->fd, "l"), 0);
	assert_errno(http_listen_unix(scratch->fd, "l", 0600, (gid_t)-1), EADDRINUSE);
	assert_int_equal(faccessat(scratch->fd, "elsewhere", F_OK, 0), -1);
}

static void test_listen_unix_long_name_is_refused(void **state)
{
	const struct scratch *scratch = *state;
	char name[128];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_errno(http_listen_unix(scratch->fd, name, 0600, (gid_t)-1), ENAMETOOLONG);
}

#define SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listen_tcp_malformed_is_refused),
		cmocka_unit_test(test_listen_tcp_all_addresses_takes_v4),
		cmocka_unit_test(test_listen_tcp_v6_where_there_is_one),
		cmocka_unit_test(test_listen_tcp_taken_port_is_refused),
		SCRATCH(test_listen_unix_mode_and_group_are_set),
		SCRATCH(test_listen_unix_live_one_is_left_alone),
		SCRATCH(test_listen_unix_other_file_is_left_alone),
		SCRATCH(test_listen_unix_long_name_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
