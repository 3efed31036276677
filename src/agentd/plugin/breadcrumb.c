/* SPDX-License-Identifier: Apache-2.0 */
/*
 * breadcrumb.c - the page holds names, not pointers, because the reader is the next process. A mark
 * is one store of two table indices, so that it costs nothing beside the callback it announces.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "cleanup.h"
#include "limit.h"
#include "macro.h"
#include "plugin/quarantine.h"

#define BREADCRUMB_MAGIC     0x4252454144435242ULL
#define BREADCRUMB_VERSION   2u
#define BREADCRUMB_CALLBACKS 16u
#define CALLBACK_NAME_MAX    24u

struct breadcrumb_entry {
	char plugin[BREADCRUMB_NAME_MAX];
	char callback[CALLBACK_NAME_MAX]; /* of the last crash */
	uint32_t crashes, unused;
};

struct breadcrumb_page {
	uint64_t magic;
	uint32_t version;
	uint32_t mark; /* (plugin index + 1) << 16 | (callback index + 1); 0: outside any plugin */
	uint32_t crashed, unused; /* crashed: the last run died of a fault, not of a SIGKILL */
	struct breadcrumb_entry entries[LIMIT_PLUGINS];
	char callbacks[BREADCRUMB_CALLBACKS][CALLBACK_NAME_MAX];
};

_Static_assert(sizeof(struct breadcrumb_page) <= 4096, "the breadcrumb is one page");

#define CRASH_STACK_SIZE 16384u

/* Of crash_signal(), which has no other way to reach it. One breadcrumb a process. */
static struct breadcrumb_page *volatile crash_page;

static const int crash_signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };

struct breadcrumb {
	struct breadcrumb_page *page;
	bool used[LIMIT_PLUGINS]; /* by this run; others may be taken over */
};

static bool page_is_valid(const struct breadcrumb_page *page)
{
	if (page->magic != BREADCRUMB_MAGIC || page->version != BREADCRUMB_VERSION)
		return false;
	if ((page->mark >> 16) > LIMIT_PLUGINS || (page->mark & 0xffff) > BREADCRUMB_CALLBACKS)
		return false;
	for (size_t i = 0; i < LIMIT_PLUGINS; i++)
		if (!memchr(page->entries[i].plugin, 0, BREADCRUMB_NAME_MAX) ||
		    !memchr(page->entries[i].callback, 0, CALLBACK_NAME_MAX))
			return false;
	for (size_t i = 0; i < BREADCRUMB_CALLBACKS; i++)
		if (!memchr(page->callbacks[i], 0, CALLBACK_NAME_MAX))
			return false;
	return true;
}

/*
 * A signal handler, though the daemon has none otherwise: that the process died of a fault and not
 * of the OOM killer's or an admin's SIGKILL cannot be known from outside, and a plugin must not be
 * blamed for the latter. SIGABRT is also systemd's watchdog: whoever hangs is to blame. One store,
 * then the signal's default takes its course (SA_RESETHAND).
 */
static void crash_signal(int number)
{
	if (crash_page)
		crash_page->crashed = 1;
	(void)raise(number);
}

static void crash_catch(struct breadcrumb_page *page)
{
	/* A stack of its own: the fault may be that the other one is full. */
	static char stack[CRASH_STACK_SIZE];
	const stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = {
		.sa_handler = crash_signal,
		.sa_flags = (int)(SA_RESETHAND | SA_NODEFER | SA_ONSTACK),
	};

	crash_page = page;
	(void)sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		(void)sigaction(crash_signals[i], &action, NULL);
}

static void crash_release(void)
{
	crash_page = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(crash_signals); i++)
		(void)signal(crash_signals[i], SIG_DFL);
}

/* The last run died inside a callback: whose? */
static void page_count_crash(struct breadcrumb_page *page)
{
	uint32_t plugin = page->mark >> 16, callback = page->mark & 0xffff;
	struct breadcrumb_entry *entry;
	bool crashed = page->crashed;

	page->mark = 0;
	page->crashed = 0;
	if (plugin == 0 || !crashed)
		return;
	entry = &page->entries[plugin - 1];
	if (entry->crashes < UINT32_MAX)
		entry->crashes++;
	(void)snprintf(entry->callback, sizeof(entry->callback), "%s",
		       callback > 0 ? page->callbacks[callback - 1] : "");
}

/* Written, not only sized: a hole in a full tmpfs would be SIGBUS at the first mark. */
static int page_write_new(int fd)
{
	static const struct breadcrumb_page fresh = {
		.magic = BREADCRUMB_MAGIC,
		.version = BREADCRUMB_VERSION,
	};
	ssize_t written;

	if (ftruncate(fd, 0) < 0)
		return -errno;
	written = pwrite(fd, &fresh, sizeof(fresh), 0);
	if (written < 0)
		return -errno;
	return written == (ssize_t)sizeof(fresh) ? 0 : -EIO;
}

/* NULL with errno set. */
static struct breadcrumb_page *page_map(int fd)
{
	void *page = mmap(NULL, sizeof(struct breadcrumb_page), PROT_READ | PROT_WRITE, MAP_SHARED,
			  fd, 0);

	return page == MAP_FAILED ? NULL : page;
}

int breadcrumb_open(int runtime_fd, struct breadcrumb **ret)
{
	cleanup_free struct breadcrumb *breadcrumb = calloc(1, sizeof(*breadcrumb));
	cleanup_close int fd = -EBADF;
	struct stat status;
	int r;

	if (!breadcrumb)
		return -ENOMEM;
	fd = openat(runtime_fd, "breadcrumb", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY,
		    0600);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (status.st_size != (off_t)sizeof(struct breadcrumb_page)) {
		r = page_write_new(fd);
		if (r < 0)
			return r;
	}
	breadcrumb->page = page_map(fd);
	if (!breadcrumb->page)
		return -errno;
	if (!page_is_valid(breadcrumb->page)) {
		memset(breadcrumb->page, 0, sizeof(*breadcrumb->page));
		breadcrumb->page->magic = BREADCRUMB_MAGIC;
		breadcrumb->page->version = BREADCRUMB_VERSION;
	}
	page_count_crash(breadcrumb->page);
	crash_catch(breadcrumb->page);
	*ret = TAKE_PTR(breadcrumb);
	return 0;
}

struct breadcrumb *breadcrumb_close(struct breadcrumb *breadcrumb)
{
	if (!breadcrumb)
		return NULL;
	crash_release();
	breadcrumb_mark(breadcrumb, NULL, NULL);
	(void)munmap(breadcrumb->page, sizeof(*breadcrumb->page));
	free(breadcrumb);
	return NULL;
}

static struct breadcrumb_entry *entry_find(struct breadcrumb_page *page, const char *plugin)
{
	for (size_t i = 0; i < LIMIT_PLUGINS; i++)
		if (strcmp(page->entries[i].plugin, plugin) == 0)
			return &page->entries[i];
	return NULL;
}

/* An unused one, else one that a plugin of an earlier run left without a crash. */
static struct breadcrumb_entry *entry_make(struct breadcrumb *breadcrumb, const char *plugin)
{
	struct breadcrumb_entry *entry = entry_find(breadcrumb->page, plugin);

	for (size_t i = 0; !entry && i < LIMIT_PLUGINS; i++)
		if (breadcrumb->page->entries[i].plugin[0] == '\0')
			entry = &breadcrumb->page->entries[i];
	for (size_t i = 0; !entry && i < LIMIT_PLUGINS; i++)
		if (!breadcrumb->used[i] && breadcrumb->page->entries[i].crashes == 0)
			entry = &breadcrumb->page->entries[i];
	if (!entry)
		return NULL;
	if (strcmp(entry->plugin, plugin) != 0)
		(void)snprintf(entry->plugin, sizeof(entry->plugin), "%s", plugin);
	breadcrumb->used[entry - breadcrumb->page->entries] = true;
	return entry;
}

/* 0: the table is full; the plugin is blamed without it. */
static uint32_t callback_number(struct breadcrumb_page *page, const char *callback)
{
	for (uint32_t i = 0; i < BREADCRUMB_CALLBACKS; i++) {
		if (page->callbacks[i][0] == '\0')
			(void)snprintf(page->callbacks[i], CALLBACK_NAME_MAX, "%s", callback);
		if (strncmp(page->callbacks[i], callback, CALLBACK_NAME_MAX - 1) == 0)
			return i + 1;
	}
	return 0;
}

void breadcrumb_mark(struct breadcrumb *breadcrumb, const char *plugin, const char *callback)
{
	const struct breadcrumb_entry *entry;
	uint32_t mark = 0;

	if (!breadcrumb)
		return;
	if (plugin) {
		entry = entry_make(breadcrumb, plugin);
		if (entry)
			mark = (uint32_t)(entry - breadcrumb->page->entries + 1) << 16;
		if (mark && callback)
			mark |= callback_number(breadcrumb->page, callback);
	}
	/* The callback may kill the process at once: the store must not move past the call. */
	__atomic_store_n(&breadcrumb->page->mark, mark, __ATOMIC_SEQ_CST);
}

unsigned int breadcrumb_crashes(const struct breadcrumb *breadcrumb, const char *plugin)
{
	const struct breadcrumb_entry *entry =
		breadcrumb ? entry_find(breadcrumb->page, plugin) : NULL;

	return entry ? entry->crashes : 0;
}

const char *breadcrumb_callback(const struct breadcrumb *breadcrumb, const char *plugin)
{
	const struct breadcrumb_entry *entry =
		breadcrumb ? entry_find(breadcrumb->page, plugin) : NULL;

	return entry ? entry->callback : "";
}

void breadcrumb_forgive(struct breadcrumb *breadcrumb, const char *plugin)
{
	struct breadcrumb_entry *entry = breadcrumb ? entry_find(breadcrumb->page, plugin) : NULL;

	if (!entry)
		return;
	entry->crashes = 0;
	entry->callback[0] = '\0';
}
