/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "actuator/process/knob-internal.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

int process_value_read(enum knob knob, int process_fd, int pid, int64_t *ret)
{
	uint64_t cookie;
	char text[32];
	int r;

	if (knob == KNOB_CORE_SCHED) {
		r = core_sched_cookie(pid, &cookie);
		if (r == 0)
			*ret = (int64_t)cookie;
		return r;
	}
	r = file_read(process_fd, "oom_score_adj", text, sizeof(text));
	if (r < 0)
		return r == -ENOENT ? -ESRCH : r;
	return parse_s64(text, ret);
}

int process_value_write(int process_fd, int64_t value)
{
	cleanup_close int fd = openat(process_fd, "oom_score_adj", O_WRONLY | O_CLOEXEC | O_NOCTTY);
	char text[32];
	int length = snprintf(text, sizeof(text), "%" PRId64, value);
	ssize_t n;

	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = write(fd, text, (size_t)length);
	if (n < 0)
		return -errno;
	return n == length ? 0 : -EIO;
}

int process_entry_open(const struct process_knob *knob, const struct process_entry *entry,
		       int *ret_fd)
{
	cleanup_close int fd = process_open(knob->root->root, entry->pid);
	struct process_stat stat;
	int r;

	if (fd < 0)
		return fd;
	r = process_stat_read(fd, &stat);
	if (r < 0)
		return r;
	if (stat.start != entry->start || stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void process_applied_infer(struct process_knob *knob)
{
	for (size_t i = 0; i < knob->count && !knob->has_applied; i++) {
		const struct process_entry *entry = &knob->entries[i];
		cleanup_close int fd = -EBADF;
		int64_t value = 0;

		if (process_entry_open(knob, entry, &fd) < 0 ||
		    process_value_read(knob->knob, fd, entry->pid, &value) < 0 ||
		    value == entry->original)
			continue;
		knob->applied = value;
		knob->has_applied = true;
	}
	knob->is_replayed = false;
}
