/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "berth-test.h"
#include "cleanup.h"
#include "limit.h"
#include "plugin/quarantine.h"

struct page {
	char dir[32];
	int fd;
};

static int page_setup(void **state)
{
	struct page *page = calloc(1, sizeof(*page));

	assert_non_null(page);
	(void)snprintf(page->dir, sizeof(page->dir), "/tmp/berth-test.XXXXXX");
	assert_non_null(mkdtemp(page->dir));
	page->fd = open(page->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(page->fd);
	*state = page;
	return 0;
}

static int page_teardown(void **state)
{
	struct page *page = *state;

	(void)unlinkat(page->fd, "breadcrumb", 0);
	(void)close(page->fd);
	(void)rmdir(page->dir);
	free(page);
	return 0;
}

/* A daemon that dies of `signal` inside the callback; 0: that ends well after it. */
static void run_daemon(const struct page *page, const char *plugin, const char *callback,
		       int signal_number)
{
	pid_t child = fork();
	int status;

	assert_ok(child);
	if (child == 0) {
		const struct rlimit no_core = {};
		struct breadcrumb *breadcrumb;

		(void)setrlimit(RLIMIT_CORE, &no_core);
		if (breadcrumb_open(page->fd, &breadcrumb) < 0)
			_exit(1);
		breadcrumb_mark(breadcrumb, "healthy", "workload");
		breadcrumb_mark(breadcrumb, NULL, NULL);
		breadcrumb_mark(breadcrumb, plugin, callback);
		if (signal_number)
			(void)raise(signal_number);
		breadcrumb_mark(breadcrumb, NULL, NULL);
		(void)breadcrumb_close(breadcrumb);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (signal_number)
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == signal_number);
	else
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static unsigned int crashes(const struct page *page, const char *plugin, const char *callback)
{
	struct breadcrumb *breadcrumb = NULL;
	unsigned int count;

	assert_ok(breadcrumb_open(page->fd, &breadcrumb));
	count = breadcrumb_crashes(breadcrumb, plugin);
	assert_string_equal(breadcrumb_callback(breadcrumb, plugin), callback);
	(void)breadcrumb_close(breadcrumb);
	return count;
}

static void test_breadcrumb_open_after_a_crash_counts_it_once(void **state)
{
	const struct page *page = *state;

	run_daemon(page, "guilty", "every", SIGSEGV);
	assert_int_equal(crashes(page, "guilty", "every"), 1);
	assert_int_equal(crashes(page, "guilty", "every"), 1);
	assert_int_equal(crashes(page, "healthy", ""), 0);
	run_daemon(page, "guilty", "watch", SIGABRT);
	assert_int_equal(crashes(page, "guilty", "watch"), QUARANTINE_CRASHES);
}

static void test_breadcrumb_open_after_a_clean_end_counts_nothing(void **state)
{
	const struct page *page = *state;

	run_daemon(page, "guilty", "every", 0);
	assert_int_equal(crashes(page, "guilty", ""), 0);
}

static void test_breadcrumb_mark_cleared_before_a_kill_blames_nobody(void **state)
{
	const struct page *page = *state;

	run_daemon(page, NULL, NULL, SIGKILL);
	assert_int_equal(crashes(page, "healthy", ""), 0);
}

static void test_breadcrumb_of_one_killed_inside_a_callback_blames_nobody(void **state)
{
	const struct page *page = *state;

	/* The OOM killer and admins choose their moment without regard to plugins. */
	run_daemon(page, "guilty", "every", SIGKILL);
	assert_int_equal(crashes(page, "guilty", ""), 0);
	run_daemon(page, "guilty", "every", SIGTERM);
	assert_int_equal(crashes(page, "guilty", ""), 0);
}

static void test_breadcrumb_forgive_after_a_crash_forgets(void **state)
{
	const struct page *page = *state;
	struct breadcrumb *breadcrumb = NULL;

	run_daemon(page, "guilty", "every", SIGSEGV);
	assert_ok(breadcrumb_open(page->fd, &breadcrumb));
	breadcrumb_forgive(breadcrumb, "guilty");
	breadcrumb_forgive(breadcrumb, "unheard of");
	(void)breadcrumb_close(breadcrumb);
	assert_int_equal(crashes(page, "guilty", ""), 0);
}

static void page_write(const struct page *page, const char *text, size_t size)
{
	cleanup_close int fd = -EBADF;

	fd = openat(page->fd, "breadcrumb", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_ok(fd);
	assert_int_equal(write(fd, text, size), size);
}

static void test_breadcrumb_open_of_a_broken_file_makes_it_anew(void **state)
{
	const struct page *page = *state;
	static char noise[8192];
	struct stat status;

	run_daemon(page, "guilty", "every", SIGSEGV);
	assert_int_equal(crashes(page, "guilty", "every"), 1);
	page_write(page, "short", 5);
	assert_int_equal(crashes(page, "guilty", ""), 0);

	/* The right size, and not a page of ours. */
	assert_ok(fstatat(page->fd, "breadcrumb", &status, 0));
	memset(noise, 0xff, sizeof(noise));
	page_write(page, noise, (size_t)status.st_size);
	assert_int_equal(crashes(page, "guilty", ""), 0);
	run_daemon(page, "guilty", "every", SIGSEGV);
	assert_int_equal(crashes(page, "guilty", "every"), 1);
}

static void test_breadcrumb_open_of_a_symbolic_link_refuses(void **state)
{
	const struct page *page = *state;
	struct breadcrumb *breadcrumb = NULL;

	assert_ok(symlinkat("/dev/zero", page->fd, "breadcrumb"));
	assert_errno(breadcrumb_open(page->fd, &breadcrumb), ELOOP);
	assert_null(breadcrumb);
}

static void test_breadcrumb_mark_more_plugins_than_entries_keeps_the_guilty(void **state)
{
	const struct page *page = *state;
	struct breadcrumb *breadcrumb = NULL;
	char name[16];

	run_daemon(page, "guilty", "every", SIGSEGV);
	for (unsigned int run = 0; run < 3; run++) {
		assert_ok(breadcrumb_open(page->fd, &breadcrumb));
		for (unsigned int i = 0; i < LIMIT_PLUGINS; i++) {
			(void)snprintf(name, sizeof(name), "p%u_%u", run, i);
			breadcrumb_mark(breadcrumb, name, "start");
			breadcrumb_mark(breadcrumb, NULL, NULL);
		}
		(void)breadcrumb_close(breadcrumb);
	}
	assert_int_equal(crashes(page, "guilty", "every"), 1);
}

static void test_breadcrumb_without_a_page_remembers_nothing(void **state)
{
	(void)state;
	breadcrumb_mark(NULL, "a", "b");
	breadcrumb_forgive(NULL, "a");
	assert_int_equal(breadcrumb_crashes(NULL, "a"), 0);
	assert_string_equal(breadcrumb_callback(NULL, "a"), "");
	assert_null(breadcrumb_close(NULL));
}

#define PAGE_TEST(test) cmocka_unit_test_setup_teardown(test, page_setup, page_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAGE_TEST(test_breadcrumb_open_after_a_crash_counts_it_once),
		PAGE_TEST(test_breadcrumb_open_after_a_clean_end_counts_nothing),
		PAGE_TEST(test_breadcrumb_mark_cleared_before_a_kill_blames_nobody),
		PAGE_TEST(test_breadcrumb_of_one_killed_inside_a_callback_blames_nobody),
		PAGE_TEST(test_breadcrumb_forgive_after_a_crash_forgets),
		PAGE_TEST(test_breadcrumb_open_of_a_broken_file_makes_it_anew),
		PAGE_TEST(test_breadcrumb_open_of_a_symbolic_link_refuses),
		PAGE_TEST(test_breadcrumb_mark_more_plugins_than_entries_keeps_the_guilty),
		cmocka_unit_test(test_breadcrumb_without_a_page_remembers_nothing),
	};

	return cmocka_run_group_tests_name("breadcrumb", tests, NULL, NULL);
}
