/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-io-model.c - measure a device, and print the policy that goes with it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cleanup.h"
#include "ctl.h"
#include "io-model/io-model.h"
#include "macro.h"
#include "parse.h"

enum { OPTION_DESTRUCTIVE, OPTION_SIZE, OPTION_TIME };

#define SIZE_DEFAULT (256u << 20)
#define SIZE_LEAST   (16u << 20)
#define TIME_DEFAULT (3 * UINT64_C(1000000))
#define TIME_MOST    (60 * UINT64_C(1000000))
#define BAR_WIDTH    30u

static volatile int interrupted;

static void on_signal(int number)
{
	interrupted = number;
}

static void show_progress(const char *what, unsigned int percent)
{
	char bar[BAR_WIDTH + 1];

	for (unsigned int i = 0; i < BAR_WIDTH; i++)
		bar[i] = i < percent * BAR_WIDTH / 100 ? '#' : '.';
	bar[BAR_WIDTH] = '\0';
	(void)fprintf(stderr, "\r[%s] %3u%% %-10s", bar, percent, what);
	(void)fflush(stderr);
}

static int options_read(const struct ctl *ctl, struct io_model_options *options)
{
	const char *size = ctl->cli->values[OPTION_SIZE], *time = ctl->cli->values[OPTION_TIME];

	*options = (struct io_model_options){ .file_bytes = SIZE_DEFAULT,
					      .step_usec = TIME_DEFAULT,
					      .stop = &interrupted };
	if (size && (parse_bytes(size, &options->file_bytes) < 0 ||
		     options->file_bytes < SIZE_LEAST || options->file_bytes > INT64_MAX)) {
		ctl_error("--size: '%s' is not a size of 16Mi or more", size);
		return -EINVAL;
	}
	if (time && (parse_usec(time, &options->step_usec) < 0 || options->step_usec < 100000 ||
		     options->step_usec > TIME_MOST)) {
		ctl_error("--time: '%s' is not a time of 100ms to 60s", time);
		return -EINVAL;
	}
	if (!ctl->json && isatty(STDERR_FILENO))
		options->progress = show_progress;
	return 0;
}

static int print_json(const struct io_model_place *place, const uint64_t *values)
{
	json_auto_t *answer = json_object();
	char device[32] = "";

	if (place->device)
		(void)snprintf(device, sizeof(device), "%u:%u", major(place->device),
			       minor(place->device));
	(void)json_object_set_new(answer, "device", json_string(device));
	(void)json_object_set_new(answer, "name", json_string(place->name));
	for (unsigned int i = 0; i < IO_MODEL_VALUES; i++)
		(void)json_object_set_new(
			answer, io_model_names[i],
			json_integer((json_int_t)MIN(values[i], (uint64_t)INT64_MAX)));
	return ctl_print_json(answer);
}

static int print_policy(const struct io_model_place *place, const uint64_t *values)
{
	struct strbuf page cleanup_strbuf = {};

	if (!place->device)
		strbuf_add(&page, "# This file system has no device of its own: put the disk's "
				  "name for DEVICE.\n");
	strbuf_add(&page, "plugins:\n  colocation:\n    io:\n      cost:\n");
	strbuf_addf(&page, "        - \"%s", place->device ? place->name : "DEVICE");
	for (unsigned int i = 0; i < IO_MODEL_VALUES; i++)
		strbuf_addf(&page, " %s=%" PRIu64, io_model_names[i], values[i]);
	strbuf_add(&page, "\"\n");
	return ctl_print(&page);
}

static void tell_failure(int error, const struct io_model_options *options)
{
	if (error == -ECANCELED)
		ctl_error("interrupted; the file is gone");
	else if (error == -ENOSPC)
		ctl_error("too little room for %" PRIu64 " MiB: say a smaller --size",
			  options->file_bytes >> 20);
	else if (error == -ETIME)
		ctl_error("not even 16 MiB were written in the time: say a longer --time");
	else
		ctl_error("cannot measure: %s", strerrordesc_np(-error));
}

int run_io_model(const struct ctl *ctl)
{
	const struct sigaction catch = { .sa_handler = on_signal };
	struct io_model_options options;
	struct io_model_place place;
	uint64_t values[IO_MODEL_VALUES] = {};
	char error[1200];
	int r = options_read(ctl, &options);

	if (r < 0)
		return 2;
	(void)sigaction(SIGINT, &catch, NULL);
	(void)sigaction(SIGTERM, &catch, NULL);
	r = io_model_open(ctl->cli->arguments[0], ctl->cli->values[OPTION_DESTRUCTIVE] != NULL,
			  &place, error, sizeof(error));
	if (r < 0) {
		ctl_error("%s", error);
		return 1;
	}
	r = io_model_measure(&place, &options, values);
	(void)close_keep_errno(place.fd);
	if (options.progress)
		(void)fputs("\r\x1b[K", stderr);
	if (r < 0) {
		tell_failure(r, &options);
		return 1;
	}
	return ctl->json ? print_json(&place, values) : print_policy(&place, values);
}
