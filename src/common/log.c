/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>

/* The location of log_full() itself tells nobody anything. */
#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "cleanup.h"
#include "macro.h"
#include "parse.h"

#define LINE_BYTES  2048u
#define FIELD_BYTES 512u

enum log_sink { SINK_UNKNOWN, SINK_JOURNAL, SINK_PREFIX, SINK_TERMINAL };

/* The worker threads log too. */
static atomic_int level_max = LOG_INFO;
static atomic_int sink_known = SINK_UNKNOWN;
static atomic_uint_least64_t warnings;

void log_set_level(int level)
{
	atomic_store(&level_max, level);
}

int log_level(void)
{
	return atomic_load(&level_max);
}

int log_level_parse(const char *text)
{
	static const struct {
		const char *name;
		int level;
	} levels[] = {
		{ "err", LOG_ERR },   { "warning", LOG_WARNING }, { "notice", LOG_NOTICE },
		{ "info", LOG_INFO }, { "debug", LOG_DEBUG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		if (strcmp(levels[i].name, text) == 0)
			return levels[i].level;
	return -EINVAL;
}

uint64_t log_count_warnings(void)
{
	return atomic_load(&warnings);
}

/* systemd sets $JOURNAL_STREAM to "DEVICE:INODE" of the stream that it opened; a child whose
 * stderr was redirected inherits the variable but not the stream (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	const char *colon = stream ? strchr(stream, ':') : NULL;
	uint64_t device = 0, inode = 0;
	struct stat st;

	if (!colon || parse_u64_span(stream, (size_t)(colon - stream), &device) < 0 ||
	    parse_u64(colon + 1, &inode) < 0)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

static enum log_sink sink(void)
{
	int known = atomic_load(&sink_known);

	if (known == SINK_UNKNOWN) {
		if (stderr_is_journal())
			known = SINK_JOURNAL;
		else
			known = isatty(STDERR_FILENO) ? SINK_TERMINAL : SINK_PREFIX;
		atomic_store(&sink_known, known);
	}
	return (enum log_sink)known;
}

struct log_field {
	const char *journal, *plain, *value;
};

#define FIELDS_MAX 5u

/* The fields that are set. */
static size_t context_fields(const struct log_context *context, struct log_field fields[FIELDS_MAX])
{
	size_t count = 0;

	if (!context)
		return 0;

	const struct log_field all[FIELDS_MAX] = {
		{ "BERTH_PLUGIN", "plugin", context->plugin },
		{ "BERTH_WORKLOAD", "workload", context->workload },
		{ "BERTH_KNOB", "knob", context->knob },
		{ "BERTH_ACTION", "action", context->action },
		{ "BERTH_REASON", "reason", context->reason },
	};

	for (size_t i = 0; i < FIELDS_MAX; i++)
		if (all[i].value)
			fields[count++] = all[i];
	return count;
}

/* One line an event: a newline in a workload's name must not forge another one. */
static void line_flatten(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static int send_journal(int level, const struct log_field *fields, size_t count, const char *line)
{
	char texts[FIELDS_MAX + 2][FIELD_BYTES], message[LINE_BYTES + 16];
	struct iovec vector[FIELDS_MAX + 2];
	size_t n = 0;

	(void)snprintf(message, sizeof(message), "MESSAGE=%s", line);
	vector[n++] = (struct iovec){ message, strlen(message) };
	(void)snprintf(texts[0], FIELD_BYTES, "PRIORITY=%d", level);
	vector[n++] = (struct iovec){ texts[0], strlen(texts[0]) };
	for (size_t i = 0; i < count; i++) {
		char *text = texts[n];

		(void)snprintf(text, FIELD_BYTES, "%s=%s", fields[i].journal, fields[i].value);
		vector[n++] = (struct iovec){ text, strlen(text) };
	}
	return sd_journal_sendv(vector, (int)n);
}

static void send_stderr(int level, const struct log_field *fields, size_t count, const char *line)
{
	char text[LINE_BYTES + FIELDS_MAX * FIELD_BYTES + 16], prefix[8] = "";
	size_t length;

	if (sink() != SINK_TERMINAL)
		(void)snprintf(prefix, sizeof(prefix), "<%d>", level);
	length = (size_t)snprintf(text, sizeof(text), "%s%s", prefix, line);
	for (size_t i = 0; i < count; i++) {
		char field[FIELD_BYTES];

		(void)snprintf(field, sizeof(field), "%s%s=%s", i == 0 ? " (" : " ",
			       fields[i].plain, fields[i].value);
		length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%s", field,
					   i + 1 == count ? ")" : "");
	}
	line_flatten(text);
	text[length++] = '\n';
	/* One write, so that lines of several threads do not mix. Nowhere to report a failure. */
	(void)!write(STDERR_FILENO, text, length);
}

static void log_line(int level, const struct log_context *context, const char *line)
{
	struct log_field fields[FIELDS_MAX];
	size_t count = context_fields(context, fields);

	if (level <= LOG_WARNING)
		(void)atomic_fetch_add(&warnings, 1);
	if (sink() == SINK_JOURNAL && send_journal(level, fields, count, line) >= 0)
		return;
	send_stderr(level, fields, count, line);
}

void log_full(int level, const struct log_context *context, const char *format, ...)
{
	int saved = errno;
	char line[LINE_BYTES];
	va_list arguments;
	int n;

	if (level > log_level())
		return;
	va_start(arguments, format);
	n = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (n < 0)
		line[0] = '\0';
	else if ((size_t)n >= sizeof(line))
		(void)snprintf(line + sizeof(line) - 4, 4, "...");
	log_line(level, context, line);
	errno = saved;
}

static uint64_t now_usec(void)
{
	struct timespec now = { 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

bool log_limit_pass(struct log_limit *limit, int level)
{
	uint64_t now = now_usec();
	unsigned int suppressed = limit->suppressed;

	if (limit->window_start_usec == 0 ||
	    now - limit->window_start_usec >= limit->interval_usec) {
		limit->window_start_usec = now;
		limit->passed = 0;
	}
	if (limit->passed >= limit->burst) {
		limit->suppressed++;
		return false;
	}
	limit->passed++;
	if (suppressed > 0) {
		limit->suppressed = 0;
		log_full(level, NULL, "%u similar lines were suppressed", suppressed);
	}
	return true;
}
