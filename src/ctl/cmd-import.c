/* SPDX-License-Identifier: Apache-2.0 */
/* cmd-import.c - another agent's configuration as a policy, with remarks. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "ctl.h"
#include "file.h"
#include "import/import.h"
#include "limit.h"

enum { OPTION_TO };

static const struct import_agent *agent_find(const char *name)
{
	for (const struct import_agent *agent = import_agents; agent->name; agent++)
		if (strcmp(agent->name, name) == 0)
			return agent;
	ctl_error("'%s': there are koordinator, rubik and volcano", name);
	return NULL;
}

static void tell_notes(const struct import_notes *notes, bool errors_only)
{
	for (size_t i = 0; i < notes->count; i++) {
		struct strbuf line cleanup_strbuf = {};

		if (errors_only && !notes->items[i].is_error)
			continue;
		import_note_print(&notes->items[i], &line);
		ctl_error("%s%s", notes->items[i].is_error ? "" : "remark: ", strbuf_text(&line));
	}
	if (notes->dropped)
		ctl_error("and %zu more", notes->dropped);
}

static json_t *notes_json(const struct import_notes *notes)
{
	json_t *list = json_array();

	for (size_t i = 0; i < notes->count; i++) {
		const struct import_note *note = &notes->items[i];

		(void)json_array_append_new(
			list, json_pack("{s:s, s:s, s:i, s:i, s:s, s:s}", "kind",
					note->is_error ? "error" : "remark", "file",
					note->document ? note->document->file : "", "line",
					(int)note->line, "column", (int)note->column, "key",
					note->key, "text", note->text));
	}
	return list;
}

static int print_json(const struct import *import, const char *policy)
{
	json_auto_t *answer = json_object();

	(void)json_object_set_new(answer, "policy", policy ? json_string(policy) : json_null());
	(void)json_object_set_new(answer, "notes", notes_json(&import->notes));
	(void)json_object_set_new(answer, "notes_dropped",
				  json_integer((json_int_t)import->notes.dropped));
	return ctl_print_json(answer);
}

/* A new file: what is at `path` may be a policy that somebody has mended by hand since. */
static int write_file(const char *path, const struct strbuf *page)
{
	cleanup_close int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	size_t written = 0;

	if (fd < 0) {
		ctl_error("'%s': %s", path,
			  errno == EEXIST ? "is there already, and is not written over"
					  : strerrordesc_np(errno));
		return 1;
	}
	while (written < page->length) {
		ssize_t n = write(fd, page->text + written, page->length - written);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			ctl_error("cannot write '%s': %s", path, strerrordesc_np(errno));
			(void)unlink(path);
			return 1;
		}
		written += (size_t)n;
	}
	return 0;
}

static int file_read_limited(const char *path, char **ret_text, size_t *ret_length)
{
	cleanup_close int opened = -EBADF;

	if (strcmp(path, "-") == 0)
		return file_read_fd(STDIN_FILENO, LIMIT_IMPORT_BYTES, ret_text, ret_length);
	opened = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (opened < 0)
		return -errno;
	return file_read_fd(opened, LIMIT_IMPORT_BYTES, ret_text, ret_length);
}

static int print_result(const struct ctl *ctl, const struct import *import)
{
	const char *to = ctl->cli->values[OPTION_TO];
	struct strbuf page cleanup_strbuf = {};

	import_policy_print(&import->policy, &page);
	if (strbuf_error(&page)) {
		ctl_error("out of memory");
		return 1;
	}
	if (ctl->json)
		return print_json(import, strbuf_text(&page));
	tell_notes(&import->notes, false);
	return to ? write_file(to, &page) : ctl_print(&page);
}

int run_import(const struct ctl *ctl)
{
	struct import import CLEANUP(import_done) = {};
	const char *path = ctl->cli->arguments[1];
	const struct import_agent *agent = agent_find(ctl->cli->arguments[0]);
	cleanup_free char *text = NULL;
	size_t length = 0;
	int r;

	if (!agent)
		return 2;
	if (ctl->json && ctl->cli->values[OPTION_TO]) {
		ctl_error("-o json is printed, and --to is for the policy: say one of them");
		return 2;
	}
	r = file_read_limited(path, &text, &length);
	if (r < 0) {
		if (r == -EFBIG)
			ctl_error("'%s': larger than %u MiB", path, LIMIT_IMPORT_BYTES >> 20);
		else
			ctl_error("cannot read '%s': %s", path, strerrordesc_np(-r));
		return 1;
	}
	r = import_run(&import, agent, strcmp(path, "-") == 0 ? "standard input" : path, text,
		       length);
	if (r == 0)
		return print_result(ctl, &import);
	if (r == -ENOMEM)
		ctl_error("out of memory");
	else if (ctl->json)
		(void)print_json(&import, NULL);
	else
		tell_notes(&import.notes, true);
	return 1;
}
