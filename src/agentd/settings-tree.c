/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "limit.h"
#include "macro.h"
#include "settings-internal.h"

struct names {
	char *items[LIMIT_DROPINS];
	size_t count;
};

static void names_done(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->items[i]);
}

static void tree_freep(struct config_node **tree)
{
	(void)config_node_free(*tree);
}

static int names_compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Not ours to read: editors' and package managers' leftovers, and what kubelet keeps in a ConfigMap
 * mount: `..data` and the dated directory that it points to. */
static bool is_dropin(const char *name)
{
	size_t length = strlen(name);

	return name[0] != '.' && length > 5 && strcmp(name + length - 5, ".yaml") == 0;
}

static int names_read(const char *path, struct names *names, struct config_errors *errors)
{
	/* The place of these errors is the directory. */
	struct config_node place = { .file = path };
	cleanup_closedir DIR *dir = opendir(path);
	const struct dirent *entry;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir) {
		config_errors_add(errors, &place, NULL, "cannot be read: %s",
				  strerrordesc_np(errno));
		return -EINVAL;
	}
	while ((entry = readdir(dir))) {
		if (!is_dropin(entry->d_name))
			continue;
		if (names->count == LIMIT_DROPINS) {
			config_errors_add(errors, &place, NULL, "more than %u drop-ins",
					  LIMIT_DROPINS);
			return -EINVAL;
		}
		names->items[names->count] = strdup(entry->d_name);
		if (!names->items[names->count])
			return -ENOMEM;
		names->count++;
	}
	qsort(names->items, names->count, sizeof(names->items[0]), names_compare);
	return 0;
}

/* kubelet's AtomicWriter swaps `..data` first and unlinks the symlinks of removed keys after
 * (pkg/volume/util/atomic_writer.go): for that moment they point nowhere. */
static bool is_swapped_away(const char *path)
{
	char target[16];
	ssize_t length = readlink(path, target, sizeof(target));
	struct stat status;

	return length > 7 && memcmp(target, "..data/", 7) == 0 && stat(path, &status) < 0 &&
	       errno == ENOENT;
}

static int errors_compare(const void *a, const void *b)
{
	const struct config_error *x = a, *y = b;

	if (x->line != y->line)
		return x->line < y->line ? -1 : 1;
	return x->column < y->column ? -1 : x->column > y->column;
}

/* Read and check one file, and merge it. A value that a later file replaces must be valid, too:
 * what is there is what somebody meant. */
static int file_merge(const char *path, struct config_errors *errors, struct config_node *tree)
{
	struct config_node place = { .file = path };
	struct config_node *file = NULL;
	size_t before = errors->count;
	struct stat status;
	int r, checked, merged;

	/* Opening a FIFO would wait for ever. */
	if (stat(path, &status) == 0 && !S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) {
		config_errors_add(errors, &place, NULL, "is not a regular file");
		return -EINVAL;
	}
	r = config_tree_load(AT_FDCWD, path, errors, &file);
	if (r < 0)
		return r;
	{
		CLEANUP(settings_clear) struct settings scratch = { 0 };

		r = settings_bind(file, "", settings_also, errors, &scratch);
		checked = r == -ENOMEM ? r : settings_overrides_check(file, errors);
	}
	if (r == -ENOMEM || checked == -ENOMEM) {
		(void)config_node_free(file);
		return -ENOMEM;
	}
	merged = config_tree_merge(tree, file);
	if (merged < 0 || (r == 0 && checked == 0))
		return merged;
	/* As one reads the file. */
	if (errors->count > before)
		qsort(errors->items + before, errors->count - before, sizeof(*errors->items),
		      errors_compare);
	return -EINVAL;
}

static int dropins_merge(const char *dropin_dir, struct config_errors *errors,
			 struct config_node *tree)
{
	CLEANUP(names_done) struct names names = { .count = 0 };
	int result = names_read(dropin_dir, &names, errors);

	for (size_t i = 0; result != -ENOMEM && i < names.count; i++) {
		cleanup_free char *path = NULL;
		int r;

		if (asprintf(&path, "%s/%s", dropin_dir, names.items[i]) < 0) {
			path = NULL;
			return -ENOMEM;
		}
		if (is_swapped_away(path))
			continue;
		r = file_merge(path, errors, tree);
		result = r == -ENOMEM ? r : MIN(result, r);
	}
	return result;
}

static bool is_missing(const char *path)
{
	struct stat status;

	return stat(path, &status) < 0 && errno == ENOENT;
}

int settings_tree_load(const char *file, const char *dropin_dir, bool missing_ok,
		       struct config_errors *errors, struct config_node **ret)
{
	CLEANUP(tree_freep) struct config_node *tree = NULL;
	int r = config_tree_parse("", 0, file, errors, &tree), dropins = 0;

	if (r < 0)
		return r;
	if (!missing_ok || !is_missing(file))
		r = file_merge(file, errors, tree);
	if (r != -ENOMEM && dropin_dir)
		dropins = dropins_merge(dropin_dir, errors, tree);
	if (r == -ENOMEM || dropins == -ENOMEM)
		return -ENOMEM;
	*ret = TAKE_PTR(tree);
	return r < 0 || dropins < 0 ? -EINVAL : 0;
}
