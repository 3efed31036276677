/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/loader.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "limit.h"
#include "log.h"
#include "macro.h"
#include "plugin/quarantine.h"

/* What the first release had; later fields may be missing. */
#define TABLE_SIZE_MIN (offsetof(struct berth_plugin, stop) + sizeof(void (*)(void)))
/* Far above any table: a `size` beyond it is not a size. */
#define TABLE_SIZE_MAX 4096u
#define NEEDS_ALL                                                                          \
	(BERTH_NEEDS_CGROUP_V2 | BERTH_NEEDS_PSI | BERTH_NEEDS_RESCTRL | BERTH_NEEDS_BPF | \
	 BERTH_NEEDS_CGROUP)

static struct plugin *plugin_free(struct plugin *plugin)
{
	if (plugin)
		free(plugin->path);
	free(plugin);
	return NULL;
}

DEFINE_CLEANUP(struct plugin *, plugin_free);

/* An error about a file: place without a line. */
static void file_error(struct config_errors *errors, const char *path, const char *text)
{
	struct config_node place = { .file = path };

	config_errors_add(errors, &place, NULL, "%s", text);
}

/* NULL, or why code from here must not run as us. A group that only root or the caller is in by
 * default (umask 002 on a developer's machine) counts as the owner. */
static const char *file_distrust(const struct stat *status)
{
	if (status->st_uid != 0 && status->st_uid != geteuid())
		return "is not owned by root";
	if (status->st_mode & S_IWOTH)
		return "is writable by others";
	if ((status->st_mode & S_IWGRP) && status->st_gid != 0 && status->st_gid != getegid())
		return "is writable by its group";
	return NULL;
}

static const char *file_check(int dirfd, const char *name)
{
	cleanup_close int fd = -EBADF;
	struct stat status;

	/* O_NONBLOCK: a FIFO of that name must not hang the start. */
	fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return errno == ELOOP ? "is a symbolic link" : "cannot be opened";
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode))
		return "is not a regular file";
	return file_distrust(&status);
}

/* A name is file stem, config section, metric prefix and journal field. */
static bool name_is_valid(const char *name)
{
	if (!name || name[0] < 'a' || name[0] > 'z' || strlen(name) >= BREADCRUMB_NAME_MAX)
		return false;
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_")] == '\0';
}

static const char *fields_check(const struct berth_plugin *table)
{
	const struct config_field *field;
	size_t count = 0;

	if (table->config_size > LIMIT_PLUGIN_CONFIG)
		return "its config_size is over the limit";
	if (!table->fields)
		return NULL;
	for (field = table->fields; field->type != CONFIG_END; field++) {
		if (++count > LIMIT_PLUGIN_FIELDS)
			return "its field table has no end";
		if (field->type < CONFIG_BOOL || field->type > CONFIG_STRINGS || !field->key)
			return "its field table has a row of an unknown type";
		if (field->type == CONFIG_ENUM && !field->names)
			return "its field table has an enum without names";
		if (table->config_size < sizeof(uint64_t) ||
		    field->offset > table->config_size - sizeof(uint64_t))
			return "its field table points outside its config struct";
	}
	return NULL;
}

/* How many bytes the object really has under the symbol: `size` is only what it says of itself. */
static size_t symbol_size(const void *symbol)
{
	const ElfW(Sym) *entry = NULL;
	Dl_info info;
	void *extra = NULL;

	if (!dladdr1(symbol, &info, &extra, RTLD_DL_SYMENT) || !extra)
		return 0;
	entry = extra;
	return entry->st_size;
}

static const char *table_read(const void *symbol, const char *stem, struct berth_plugin *ret)
{
	struct {
		uint32_t abi, size;
	} head;
	struct berth_plugin table = {};
	size_t actual = symbol_size(symbol);
	const char *why;

	if (actual < sizeof(head))
		return "its table is cut short";
	memcpy(&head, symbol, sizeof(head));
	if (head.abi != BERTH_PLUGIN_ABI)
		return "was built for another abi of berth-plugin.h; build it again";
	if (head.size < TABLE_SIZE_MIN || head.size > TABLE_SIZE_MAX || head.size > actual)
		return "its table has a wrong size";
	memcpy(&table, symbol, MIN(head.size, sizeof(table)));
	if (!name_is_valid(table.name))
		return "its name is not a word of a-z, 0-9 and _";
	if (strcmp(table.name, stem) != 0)
		return "its name is not that of its file";
	if (!table.start || !table.stop)
		return "has no start() or no stop()";
	if (table.needs & ~(uint64_t)NEEDS_ALL)
		return "needs something that this berthd does not know";
	why = fields_check(&table);
	if (why)
		return why;
	if (!table.description)
		table.description = "";
	*ret = table;
	return NULL;
}

static int plugin_open(int dirfd, const char *dir, const char *file, struct config_errors *errors,
		       struct plugin **ret)
{
	CLEANUP(plugin_freep) struct plugin *plugin = calloc(1, sizeof(*plugin));
	cleanup_free char *stem = strndup(file, strlen(file) - strlen(".so"));
	const void *symbol;
	const char *why;

	if (!plugin || !stem || asprintf(&plugin->path, "%s/%s", dir, file) < 0)
		return -ENOMEM;
	why = file_check(dirfd, file);
	if (why) {
		file_error(errors, plugin->path, why);
		return -EINVAL;
	}
	/* By path, though it was checked by fd: the directory is checked too, so nobody but root
	 * can have put another file there since, and glibc takes equal names of /proc/self/fd for
	 * one object. */
	plugin->handle = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL);
	if (!plugin->handle) {
		why = dlerror();
		file_error(errors, plugin->path, why ? why : "cannot be loaded");
		return -EINVAL;
	}
	symbol = dlsym(plugin->handle, BERTH_PLUGIN_SYMBOL);
	why = symbol ? table_read(symbol, stem, &plugin->table)
		     : "has no symbol " BERTH_PLUGIN_SYMBOL;
	if (why) {
		file_error(errors, plugin->path, why);
		return -EINVAL;
	}
	*ret = TAKE_PTR(plugin);
	return 0;
}

static int is_plugin_file(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 3 &&
	       strcmp(entry->d_name + length - 3, ".so") == 0;
}

struct file_names {
	struct dirent **items;
	int count;
};

static void file_names_done(struct file_names *names)
{
	for (int i = 0; i < names->count; i++)
		free(names->items[i]);
	free(names->items);
}

static int list_fill(int dirfd, const char *dir, const struct file_names *names,
		     struct config_errors *errors, struct plugin_list *list)
{
	list->items = calloc((size_t)names->count + 1, sizeof(*list->items));
	if (!list->items)
		return -ENOMEM;
	for (int i = 0; i < names->count; i++) {
		int r;

		if (list->count == LIMIT_PLUGINS) {
			file_error(errors, dir, "holds more plugins than berthd loads");
			break;
		}
		r = plugin_open(dirfd, dir, names->items[i]->d_name, errors,
				&list->items[list->count]);
		if (r == -ENOMEM)
			return r;
		if (r >= 0)
			list->count++;
	}
	return 0;
}

int plugin_list_load(const char *dir, struct config_errors *errors, struct plugin_list *ret)
{
	CLEANUP(file_names_done) struct file_names names = {};
	CLEANUP(plugin_list_done) struct plugin_list list = {};
	cleanup_close int dirfd = -EBADF;
	struct stat status;
	const char *why;
	int r;

	dirfd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd < 0 || fstat(dirfd, &status) < 0)
		return -errno;
	why = file_distrust(&status);
	if (why) {
		file_error(errors, dir, why);
		return -EPERM;
	}
	/* Sorted: plugins start in this order on every host. */
	r = scandirat(dirfd, ".", &names.items, is_plugin_file, alphasort);
	if (r < 0)
		return -errno;
	names.count = r;
	r = list_fill(dirfd, dir, &names, errors, &list);
	if (r < 0)
		return r;
	*ret = list;
	list = (struct plugin_list){};
	return 0;
}

void plugin_list_done(struct plugin_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		plugin_free(list->items[i]);
	free(list->items);
	*list = (struct plugin_list){};
}

const struct plugin *plugin_list_get(const struct plugin_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i]->table.name, name) == 0)
			return list->items[i];
	return NULL;
}
