/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slow-knob.c - knobs whose write may block (memory.high, a network device's), off the loop. One
 * write of a holding at a time: what is decided while it runs is settled when it has ended.
 *
 * The kernel sets memory.high first and then reclaims down to it in whoever wrote it
 * (mm/memcontrol.c, memory_high_write()), so that from the moment it is handed over the value
 * counts as written. Since 6.16 a file opened with O_NONBLOCK is not reclaimed at all: the flag is
 * taken away again, or an idle group would never give anything back.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/claim/internal.h"
#include "actuator/slow/net.h"

struct slow_knob {
	struct actuator *actuator;
	struct holding *holding;
	char *previous; /* what the file held of ours; NULL: nothing */
	char text[];
};

static struct slow_writer *slow_writer_of(const struct actuator *actuator,
					  const struct holding *holding)
{
	return knob_table[holding->knob].flags & KNOB_NET ? actuator->net_writer
							  : actuator->slow_writer;
}

static void slow_knob_free(struct slow_knob *slow)
{
	slow->holding->slow = NULL;
	free(slow->previous);
	free(slow);
}

/* A kernel file has no size; the plain file of a fixture keeps the tail of a longer text. */
static void file_cut(const struct knob_file *file, const char *text)
{
	off_t length = (off_t)strlen(text) + 1;
	struct stat st;

	if (fstat(file->fd, &st) == 0 && st.st_size > length)
		(void)!ftruncate(file->fd, length);
}

/* As it reads back. Another value may be of somebody who wrote while we waited: what was written
 * stays what we know as ours, and holding_check() finds the other one. */
static int slow_knob_look(const struct slow_knob *slow, int result)
{
	cleanup_knob_file struct knob_file file = KNOB_FILE_NULL;
	struct holding *holding = slow->holding;
	char back[KNOB_TEXT_MAX];
	struct knob_place place;
	int r;

	if (result < 0) {
		holding_set_text(&holding->written, slow->previous);
		return result;
	}
	holding->writes++;
	slow->actuator->stats.writes++;
	holding_place(slow->actuator, holding, &place);
	r = knob_file_open(&place, true, &file);
	if (r < 0)
		return r;
	if (file.fd >= 0)
		file_cut(&file, slow->text);
	if (knob_file_read(&file, back, sizeof(back)) == 0 &&
	    knob_same(file.knob, file.version, back, slow->text)) {
		holding_set_text(&holding->written, back);
		holding->foreign_hash = 0;
	}
	return 0;
}

static void on_slow_written(void *data, int result)
{
	struct slow_knob *slow = data;
	struct actuator *actuator = slow->actuator;
	struct holding *holding = slow->holding;
	int r = slow_knob_look(slow, result);

	slow_knob_free(slow);
	holding_is_written(actuator, holding, r);
	holding_check(actuator, holding);
	/* Something else was decided in the meantime. */
	if (!(holding->flags & HOLDING_SETTLED))
		holding_settle(actuator, holding);
	actuator_sweep(actuator);
}

static void on_slow_restored(void *data, int result)
{
	struct slow_knob *slow = data;
	struct actuator *actuator = slow->actuator;
	struct holding *holding = slow->holding;

	slow_knob_free(slow);
	holding_is_restored(actuator, holding, result);
	actuator_sweep(actuator);
}

static struct slow_knob *slow_knob_new(struct actuator *actuator, struct holding *holding,
				       const char *text)
{
	size_t size = strlen(text) + 1;
	struct slow_knob *slow = calloc(1, sizeof(*slow) + size);

	if (!slow)
		return NULL;
	slow->actuator = actuator;
	slow->holding = holding;
	memcpy(slow->text, text, size);
	holding_set_text(&slow->previous, holding->written);
	return slow;
}

/* Takes the file's fd. */
static int slow_knob_add(struct slow_knob *slow, struct knob_file *file)
{
	char line[KNOB_TEXT_MAX + 1];
	int flags = fcntl(file->fd, F_GETFL);
	int length = snprintf(line, sizeof(line), "%s\n", slow->text);
	int r;

	if (length < 0 || (size_t)length >= sizeof(line))
		return -EMSGSIZE;
	if (flags < 0 || fcntl(file->fd, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	r = slow_writer_add(slow->actuator->slow_writer, file->fd, line, on_slow_written, slow);
	if (r == 0)
		file->fd = -EBADF;
	return r;
}

static void slow_knob_drop(struct slow_knob *slow)
{
	free(slow->previous);
	free(slow);
}

int holding_write_slowly(struct actuator *actuator, struct holding *holding, struct knob_file *file,
			 const char *text)
{
	int r = holding_record(actuator, holding, text);
	struct slow_knob *slow;

	if (r < 0)
		return r;
	slow = slow_knob_new(actuator, holding, text);
	if (!slow)
		return -ENOMEM;
	r = knob_table[file->knob].flags & KNOB_NET
		    ? slow_net_write(actuator->net_writer, file, text, on_slow_written, slow)
		    : slow_knob_add(slow, file);
	if (r < 0) {
		slow_knob_drop(slow);
		return r;
	}
	holding->slow = slow;
	holding_set_text(&holding->written, text);
	return WRITE_UNDER_WAY;
}

int holding_restore_slowly(struct actuator *actuator, struct holding *holding,
			   const struct restore_item *item)
{
	struct slow_knob *slow = slow_knob_new(actuator, holding, "");
	int r;

	if (!slow)
		return -ENOMEM;
	r = slow_net_restore(actuator->net_writer, item, on_slow_restored, slow);
	if (r < 0) {
		slow_knob_drop(slow);
		return r;
	}
	holding->slow = slow;
	return 0;
}

void holding_slow_end(struct actuator *actuator, struct holding *holding)
{
	struct slow_knob *slow = holding->slow;

	if (!slow)
		return;
	if (slow_writer_cancel(slow_writer_of(actuator, holding), slow) <= 0)
		holding_set_text(&holding->written, slow->previous);
	slow_knob_free(slow);
}

const char *holding_slow_previous(const struct holding *holding)
{
	const char *text = holding->slow ? holding->slow->previous : holding->written;

	return text ? text : "";
}

void holding_slow_forget(struct actuator *actuator, struct holding *holding)
{
	struct slow_writer *writer = slow_writer_of(actuator, holding);

	if (!holding->slow)
		return;
	if (writer)
		slow_writer_forget(writer, holding->slow);
	slow_knob_free(holding->slow);
}
