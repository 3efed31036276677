/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>

#include "cleanup.h"
#include "limit.h"
#include "list.h"
#include "macro.h"
#include "monotonic.h"
#include "sysroot.h"
#include "telemetry/collect/collector.h"
#include "telemetry/collect/stat-file.h"

/* One target's files. Those that are not there keep the reason: it is not asked for again until
 * opened_usec is long ago (controllers are enabled later, v1 hierarchies are joined later). */
struct kept_files {
	struct list member;
	uint64_t opened_usec;
	unsigned int parts; /* that were asked for; fds of the others are -EBADF */
	unsigned int open;  /* of fds */
	int fds[];          /* or -errno; a row of the collector's each */
};

struct files_collector {
	struct collector base;
	const struct stat_file *rows[STAT_FILES_MAX]; /* that this host's mounts have */
	size_t row_count;
	struct device_names devices;
	struct list kept; /* struct kept_files */
	uint64_t tick_usec;
	unsigned int open, budget;  /* fds that are kept, and may be */
	const struct peek_ask *ask; /* while peeked: what others of these parts have is not read */
	char text[LIMIT_STAT_BYTES];
};

/* One group while it is read. */
struct reading {
	struct files_collector *files;
	struct target *target;
	struct stat_reading stat;
	bool found; /* some hierarchy has it */
};

static struct files_collector *files_of(struct collector *collector)
{
	return container_of(collector, struct files_collector, base);
}

/* A group of v1 may leave one hierarchy and live on in the others; it is gone with the last. */
static void note_gone(struct reading *reading, enum controller controller)
{
	if (reading->files->base.hierarchy->mounts[controller].version == 2)
		reading->target->gone = true;
}

/* The group's directory; a negative errno says why not, and is noted. */
static int group_open(struct reading *reading, enum controller controller)
{
	const struct cgroup *group = reading->target->group;
	int fd;

	if (group->inode[controller] == 0)
		return -ENODEV;
	fd = cgroup_open(reading->files->base.hierarchy, group, controller);
	if (fd == -ENOENT || fd == -ESTALE)
		note_gone(reading, controller);
	else if (fd < 0 && fd != -ENODEV)
		reading->files->base.errors++;
	reading->found |= fd >= 0;
	return fd;
}

/* A file that this kernel or host does not have is no error; one that went while it was kept open
 * says ENODEV: with its group, or alone, when its controller was taken from the group. */
static void note_error(struct reading *reading, const struct stat_file *row, int error)
{
	if (error == -ENODEV)
		(void)close_keep_errno(group_open(reading, row->controller));
	else if (error != -ENOENT && error != -EOPNOTSUPP && error != -ENODATA)
		reading->files->base.errors++;
}

static int row_open(int directory, const struct stat_file *row)
{
	int fd = openat(directory, row->name, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd < 0 && errno == ENOENT && row->otherwise)
		fd = openat(directory, row->otherwise, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

/* A file that is not there: its values are not told, or not any more. */
static void row_forget(struct reading *reading, const struct stat_file *row)
{
	/* An empty list takes the place of what devices there were. */
	reading->stat.has_devices |= row->part == PART_IO;
	for (size_t i = 0; i < row->count; i++)
		target_unset(reading->target, row->keys[i].value, row->keys[i].value);
}

/* The kernel writes such a file in one go, so that a read that does not fill the buffer had all. */
static int row_read(struct reading *reading, const struct stat_file *row, int fd)
{
	struct files_collector *files = reading->files;
	ssize_t length;
	int r = fd;

	if (fd >= 0) {
		length = pread(fd, files->text, sizeof(files->text) - 1, 0);
		r = length < 0 ? -errno : (int)length;
	}
	if (r >= 0 && (size_t)r == sizeof(files->text) - 1)
		r = -EFBIG;
	if (r >= 0) {
		files->text[r] = '\0';
		r = strlen(files->text) == (size_t)r
			    ? stat_file_parse(row, files->text, &reading->stat)
			    : -EINVAL;
	}
	reading->found |= fd >= 0 && r != -ENODEV;
	if (r == -ENOENT || r == -ENODEV)
		row_forget(reading, row);
	if (r < 0)
		note_error(reading, row, r);
	return r;
}

static bool row_is_asked(const struct files_collector *files, const struct stat_file *row,
			 unsigned int parts)
{
	if (!(row->part & parts))
		return false;
	for (size_t i = 0; files->ask && i < row->count; i++) {
		enum sample_value value = row->keys[i].value;

		if (files->ask->values[value / 64] >> (value % 64) & 1)
			return true;
	}
	return !files->ask;
}

/* Open what is not, of the rows that are asked for, and read. */
static void read_opened(struct reading *reading, unsigned int parts)
{
	struct files_collector *files = reading->files;
	cleanup_close int directory = -EBADF;
	int controller = -1;

	for (size_t i = 0; i < files->row_count && !reading->target->gone; i++) {
		const struct stat_file *row = files->rows[i];
		cleanup_close int fd = -EBADF;

		if (!row_is_asked(files, row, parts))
			continue;
		/* Rows of a controller are together. */
		if ((int)row->controller != controller) {
			controller = (int)row->controller;
			(void)close_keep_errno(directory);
			directory = group_open(reading, row->controller);
		}
		if (directory >= 0)
			fd = row_open(directory, row);
		/* A v1 group that is not in this hierarchy, or not any more. */
		else if (directory == -ENODEV || directory == -ENOENT || directory == -ESTALE)
			fd = -ENOENT;
		else
			continue;
		(void)row_read(reading, row, fd);
	}
}

static void kept_free(struct files_collector *files, struct target *target)
{
	struct kept_files *kept = target->kept;

	if (!kept)
		return;
	for (size_t i = 0; i < files->row_count; i++)
		(void)close_keep_errno(kept->fds[i]);
	files->open -= kept->open;
	list_unlink(&kept->member);
	free(TAKE_PTR(target->kept));
}

static void kept_open(struct reading *reading, struct kept_files *kept, unsigned int parts)
{
	struct files_collector *files = reading->files;
	cleanup_close int directory = -EBADF;
	int controller = -1;

	for (size_t i = 0; i < files->row_count; i++) {
		const struct stat_file *row = files->rows[i];

		if (kept->fds[i] >= 0 || !(row->part & parts))
			continue;
		if ((int)row->controller != controller) {
			controller = (int)row->controller;
			(void)close_keep_errno(directory);
			directory = group_open(reading, row->controller);
		}
		/* A v1 group that is not in this hierarchy yet. */
		kept->fds[i] = directory < 0 ? -ENOENT : row_open(directory, row);
		kept->open += kept->fds[i] >= 0;
		files->open += kept->fds[i] >= 0;
	}
	kept->parts |= parts;
	kept->opened_usec = reading->target->sample.time_usec;
}

/* NULL: they are to be opened and closed. */
static struct kept_files *kept_get(struct reading *reading, unsigned int parts)
{
	struct files_collector *files = reading->files;
	struct target *target = reading->target;
	struct kept_files *kept = target->kept;

	if (kept && (parts & ~kept->parts) == 0 &&
	    target->sample.time_usec - kept->opened_usec < LIMIT_KEPT_FILE_USEC)
		return kept;
	if ((!kept || kept->open == 0) && files->open + files->row_count > files->budget)
		return NULL;
	if (!kept) {
		kept = malloc(sizeof(*kept) + files->row_count * sizeof(kept->fds[0]));
		if (!kept)
			return NULL;
		*kept = (struct kept_files){ 0 };
		for (size_t i = 0; i < files->row_count; i++)
			kept->fds[i] = -EBADF;
		list_append(&files->kept, &kept->member);
		target->kept = kept;
	}
	kept_open(reading, kept, parts);
	return kept;
}

static void read_kept(struct reading *reading, struct kept_files *kept, unsigned int parts)
{
	struct files_collector *files = reading->files;

	for (size_t i = 0; i < files->row_count && !reading->target->gone; i++) {
		if (!row_is_asked(files, files->rows[i], parts))
			continue;
		if (row_read(reading, files->rows[i], kept->fds[i]) != -ENODEV || kept->fds[i] < 0)
			continue;
		/* Were the controller given back, there would be another file under its name. */
		(void)close_keep_errno(kept->fds[i]);
		kept->fds[i] = -ENOENT;
		kept->open--;
		files->open--;
	}
}

int collector_files_read(struct collector *collector, struct target *target, unsigned int parts)
{
	struct files_collector *files = files_of(collector);
	struct reading reading = {
		.files = files,
		.target = target,
		.stat = { .target = target, .tick_usec = files->tick_usec },
	};
	struct kept_files *kept;

	target->sample.time_usec = monotonic_usec();
	kept = kept_get(&reading, parts);
	if (kept)
		read_kept(&reading, kept, parts);
	else
		read_opened(&reading, parts);
	if (reading.stat.has_devices)
		device_list_apply(&reading.stat.devices, &files->devices, target);
	/* Of some parts a group may have nothing, and be there all the same. */
	if (!target->gone && (reading.found || parts != PART_ALL))
		return 0;
	kept_free(files, target);
	return -ENOENT;
}

struct device_names *collector_files_devices(struct collector *collector)
{
	return &files_of(collector)->devices;
}

static int files_take(struct collector *collector, struct target *target)
{
	return collector_files_read(collector, target, PART_ALL);
}

static void files_peek(struct collector *collector, struct target *const *targets, size_t count,
		       const struct peek_ask *ask)
{
	struct files_collector *files = files_of(collector);

	files->ask = ask;
	for (size_t i = 0; i < count; i++)
		if (collector_files_read(collector, targets[i], ask->parts) < 0)
			targets[i]->gone = true;
	files->ask = NULL;
}

static int files_finish(struct collector *collector)
{
	device_names_age(&files_of(collector)->devices, monotonic_usec());
	return 0;
}

static void files_forget(struct collector *collector, struct target *target)
{
	kept_free(files_of(collector), target);
}

/* The targets keep their places, without files. */
static void files_rest(struct collector *collector)
{
	struct files_collector *files = files_of(collector);
	struct kept_files *kept;

	list_foreach (kept, &files->kept, member) {
		for (size_t i = 0; i < files->row_count; i++)
			kept->fds[i] = close_keep_errno(kept->fds[i]);
		kept->open = kept->parts = 0;
	}
	files->open = 0;
	device_names_done(&files->devices);
}

static void files_status(struct collector *collector, struct collector_status *ret)
{
	const struct files_collector *files = files_of(collector);
	bool short_of = files->open + files->row_count > files->budget;

	*ret = (struct collector_status){
		.way = short_of ? "opened files" : "kept files",
		.detail =
			short_of ? "too few open files are allowed (LimitNOFILE=) to keep those of "
				   "all groups open"
				 : "",
		.kept_files = files->open,
	};
}

static struct collector *files_free(struct collector *collector)
{
	device_names_done(&files_of(collector)->devices);
	free(files_of(collector));
	return NULL;
}

static const struct collector_ops files_ops = {
	.name = "files",
	.take = files_take,
	.peek = files_peek,
	.finish = files_finish,
	.forget = files_forget,
	.rest = files_rest,
	.status = files_status,
	.free = files_free,
};

static unsigned int budget_read(void)
{
	struct rlimit limit;
	rlim_t share;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 0;
	share = limit.rlim_cur / 100 * LIMIT_KEPT_FILES_PERCENT;
	return (unsigned int)MIN(share, (rlim_t)LIMIT_KEPT_FILES);
}

ANALYZER_LEAK_IGNORE_BEGIN
int collector_files_new(const struct sysroot *root, const struct hierarchy *hierarchy,
			struct collector **ret)
{
	struct files_collector *files = calloc(1, sizeof(*files));
	long ticks = sysconf(_SC_CLK_TCK);
	const struct stat_file *row;
	size_t count = 0;

	if (!files)
		return -ENOMEM;
	files->base = (struct collector){
		.ops = &files_ops,
		.root = root,
		.hierarchy = hierarchy,
	};
	files->devices.root = root->root;
	files->tick_usec = USEC_PER_SEC / (ticks > 0 ? (uint64_t)ticks : 100);
	files->budget = budget_read();
	list_init(&files->kept);
	row = stat_files(&count);
	for (size_t i = 0; i < count; i++)
		if (hierarchy->mounts[row[i].controller].version == row[i].version)
			files->rows[files->row_count++] = &row[i];
	*ret = &files->base;
	return 0;
}
ANALYZER_LEAK_IGNORE_END
