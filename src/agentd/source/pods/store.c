/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store.c - STATE_DIR/pods.json: one JSON document, but written and read a line a pod, so that
 * a thousand of them are never in memory as a tree. It is written by a thread (pods/store-write.c),
 * as fsync(2) waits for a busy disk, and replaced as a whole.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/pods/internal.h"
#include "strbuf.h"
#include "worker/pool.h"

#define STORE_DAMAGED       "pods.json.damaged"
#define STORE_DELAY_USEC    (2 * USEC_PER_SEC)
#define STORE_ACCURACY_USEC (USEC_PER_SEC / 2)

/* ---- Writing ---- */

static struct store_job *store_job_new(struct pods *pods)
{
	struct store_job *job = calloc(1, sizeof(*job) + pods->known.count * sizeof(job->pods[0]));
	const struct known_pod *known;
	struct timespec now;
	struct tm fields;

	if (!job)
		return NULL;
	job->dir = pods->store.dir;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (gmtime_r(&now.tv_sec, &fields))
		(void)strftime(job->saved, sizeof(job->saved), "%Y-%m-%dT%H:%M:%SZ", &fields);
	hashmap_foreach (known, &pods->known) {
		known->shared->references++;
		job->pods[job->count++].shared = known->shared;
	}
	return job;
}

static void store_job_free(struct store_job *job)
{
	for (size_t i = 0; job && i < job->count; i++)
		shared_pod_unref(job->pods[i].shared);
	free(job);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data);

static void store_arm(struct pods *pods)
{
	struct pods_store *store = &pods->store;
	int r;

	if (store->armed || store->job)
		return;
	if (!store->timer) {
		r = sd_event_add_time_relative(pods->event, &store->timer, CLOCK_MONOTONIC,
					       STORE_DELAY_USEC, STORE_ACCURACY_USEC, on_timer,
					       pods);
		if (r >= 0)
			(void)sd_event_source_set_description(store->timer, "pods-store");
	} else {
		r = sd_event_source_set_time_relative(store->timer, STORE_DELAY_USEC);
		if (r >= 0)
			r = sd_event_source_set_enabled(store->timer, SD_EVENT_ONESHOT);
	}
	store->armed = r >= 0;
}

void pods_store_changed(struct pods *pods)
{
	pods->store.unsaved = true;
	if (pods->store.dir)
		store_arm(pods);
}

/* A failure waits for the next change: the disk is as full in two seconds. */
static void store_written(struct pods *pods, int result)
{
	struct pods_store *store = &pods->store;

	if (result < 0 && !store->failed)
		log_warning("cannot write '" STORE_FILE "' in the state directory: %s; without it "
			    "a berthd that starts while no API is up does not know its pods; it "
			    "is tried again when a pod changes",
			    strerrordesc_np(-result));
	else if (result == 0 && store->failed)
		log_info("'" STORE_FILE "' in the state directory is written again");
	store->failed = result < 0;
}

static void store_left_out(struct pods *pods, size_t left_out)
{
	if (left_out > 0 && pods->store.left_out == 0)
		log_warning("'" STORE_FILE "' in the state directory is full at %u MiB: the %zu "
			    "pods with the largest annotations are not in it",
			    LIMIT_STATE_BYTES >> 20, left_out);
	pods->store.left_out = left_out;
}

static void on_written(void *data, void *job_data, int result)
{
	struct pods *pods = data;
	struct pods_store *store = &pods->store;
	const struct store_job *job = job_data;
	bool changed = store->unsaved;

	if (result == 0)
		store_left_out(pods, job->count - job->written);
	store_job_free(job_data);
	store->job = NULL;
	store_written(pods, result);
	store->unsaved |= result < 0;
	if (changed)
		store_arm(pods);
}

static int store_start(struct pods *pods)
{
	struct pods_store *store = &pods->store;
	struct store_job *job;
	int r;

	if (!store->pool) {
		r = worker_pool_new(pods->event, 1, 1, &store->pool);
		if (r < 0)
			return r;
	}
	job = store_job_new(pods);
	if (!job)
		return -ENOMEM;
	r = worker_pool_add(store->pool, pods_store_write, on_written, job, pods);
	if (r < 0) {
		store_job_free(job);
		return r;
	}
	store->job = job;
	store->unsaved = store->newer = false;
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct pods *pods = data;
	int r;

	(void)source;
	(void)usec;
	pods->store.armed = false;
	if (pods->store.job || !pods->store.unsaved)
		return 0;
	r = store_start(pods);
	if (r < 0)
		store_written(pods, r);
	return 0;
}

void pods_store_done(struct pods *pods)
{
	struct pods_store *store = &pods->store;
	struct store_job *job;

	if (store->job) {
		/* It is dropped or done, nobody knows which. */
		(void)worker_pool_cancel(store->pool, store->job);
		store_job_free(store->job);
		store->job = NULL;
		store->unsaved = true;
	}
	store->pool = worker_pool_free(store->pool);
	store->timer = sd_event_source_disable_unref(store->timer);
	if (!store->dir || !(store->unsaved || store->newer))
		return;
	job = store_job_new(pods);
	store_written(pods, job ? pods_store_write(job) : -ENOMEM);
	store_job_free(job);
	store->unsaved = store->newer = false;
}

/* ---- Reading ---- */

/* -EBADMSG: not a line of this file. */
static int line_recall(struct pods *pods, char *line, size_t length)
{
	json_auto_t *object = NULL;
	struct kube_pod *pod;
	char why[128];
	int r;

	if (length > 0 && line[length - 1] == ',')
		length--;
	object = json_loadb(line, length, 0, NULL);
	if (!object)
		return -EBADMSG;
	r = kube_pod_decode(object, why, sizeof(why), &pod);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return -EBADMSG;
	pods_recall(pods, pod);
	return 0;
}

/* {"version":1,"saved":"2026-11-20T22:10:00Z","pods":[ */
static int head_read(struct pods *pods, const char *line, size_t length)
{
	struct strbuf text cleanup_strbuf = { 0 };
	json_auto_t *head = NULL;
	const char *saved, *end;
	struct tm fields;

	strbuf_add_bytes(&text, line, length);
	strbuf_add(&text, "]}");
	if (strbuf_error(&text) < 0)
		return -ENOMEM;
	head = json_loadb(text.text, text.length, 0, NULL);
	saved = json_string_value(json_object_get(head, "saved"));
	if (json_integer_value(json_object_get(head, "version")) != STORE_VERSION || !saved)
		return -EBADMSG;
	end = strptime(saved, "%Y-%m-%dT%H:%M:%SZ", &fields);
	if (!end || *end)
		return -EBADMSG;
	(void)snprintf(pods->store.saved, sizeof(pods->store.saved), "%s", saved);
	return 0;
}

static int store_read(struct pods *pods, FILE *file)
{
	cleanup_free char *line = NULL;
	size_t size = 0, number = 0;
	bool ended = false;
	int r, result = 0;

	for (;;) {
		ssize_t length = getline(&line, &size, file);

		if (length < 0)
			break;
		if (line[length - 1] == '\n')
			length--;
		if (number++ == 0) {
			r = head_read(pods, line, (size_t)length);
			if (r < 0)
				return r;
			continue;
		}
		ended = length == 2 && memcmp(line, "]}", 2) == 0;
		r = ended ? 0 : line_recall(pods, line, (size_t)length);
		if (r == -ENOMEM)
			return r;
		/* The lines that are whole are as good as ever. */
		if (r < 0)
			result = r;
	}
	return ended ? result : -EBADMSG;
}

int pods_store_open(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int store_open(int directory, FILE **ret)
{
	cleanup_close int fd = -EBADF;
	struct stat st;

	fd = openat(directory, STORE_FILE,
		    O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)LIMIT_STATE_BYTES)
		return -EBADMSG;
	*ret = fdopen(fd, "re");
	if (!*ret)
		return -errno;
	(void)TAKE_FD(fd);
	return 0;
}

int pods_load(struct pods *pods)
{
	cleanup_close int directory = -EBADF;
	cleanup_fclose FILE *file = NULL;
	int r;

	if (!pods->store.dir)
		return 0;
	directory = pods_store_open(pods->store.dir);
	r = directory < 0 ? directory : store_open(directory, &file);
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = store_read(pods, file);
	if (r == -ENOMEM)
		return r;
	if (r == -EBADMSG) {
		if (renameat(directory, STORE_FILE, directory, STORE_DAMAGED) < 0)
			r = -errno;
		log_warning("'" STORE_FILE "' in the state directory is damaged: %zu pods of it "
			    "could be read; %s",
			    pods->known.count,
			    r == -EBADMSG ? "it is kept as '" STORE_DAMAGED "'"
					  : "it cannot be set aside");
	} else if (r < 0) {
		log_warning("cannot read '" STORE_FILE "' in the state directory: %s",
			    strerrordesc_np(-r));
	} else if (pods->known.count > 0) {
		log_info("%zu pods as they were at %s, until an API names them", pods->known.count,
			 pods->store.saved);
	}
	return 0;
}
