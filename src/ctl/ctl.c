/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cleanup.h"
#include "parse.h"

#define DEFAULT_SOCKET "/run/berth/control.sock"
/* Piped output keeps to what a terminal of old shows, so that mails and logs read well. */
#define DEFAULT_WIDTH 80u

void ctl_error(const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;
	int length;

	(void)fflush(stdout);
	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text = NULL;
		return;
	}
	/* What a name or an answer puts into it must not reach the terminal as an escape. */
	(void)text_sanitize(text);
	(void)fprintf(stderr, "berthctl: %s\n", text);
}

void ctl_say(const struct ctl *ctl, const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (length < 0) {
		text = NULL;
		return;
	}
	if (ctl->said)
		strbuf_add(ctl->said, text);
	else
		ctl_error("%s", text);
}

/* A closed pipe or a full disk. 1 */
static int not_shown(void)
{
	(void)fprintf(stderr, "berthctl: cannot write the output: %s\n", strerrordesc_np(errno));
	return 1;
}

int ctl_print(struct strbuf *page)
{
	if (strbuf_error(page)) {
		ctl_error("out of memory");
		return 1;
	}
	if (fputs(strbuf_text(page), stdout) == EOF || fflush(stdout) == EOF)
		return not_shown();
	return 0;
}

int ctl_print_json(const json_t *answer)
{
	if (json_dumpf(answer, stdout, JSON_INDENT(2)) < 0 || fputc('\n', stdout) == EOF ||
	    fflush(stdout) == EOF)
		return not_shown();
	return 0;
}

void ctl_screen(struct ctl *ctl)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	uint64_t number;

	ctl->screen.width = DEFAULT_WIDTH;
	if (columns && parse_u64(columns, &number) == 0 && number >= 20 && number <= 10000)
		ctl->screen.width = (unsigned int)number;
	else if (ctl->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col)
		ctl->screen.width = size.ws_col;
	if (ctl->cli->wide)
		ctl->screen.width = 0;
}

void ctl_prepare(struct ctl *ctl)
{
	const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
	const char *socket = getenv("BERTH_SOCKET");

	ctl->terminal = isatty(STDOUT_FILENO) == 1;
	ctl->json = ctl->cli->json;
	ctl->socket = ctl->cli->socket    ? ctl->cli->socket
		      : socket && *socket ? socket
					  : DEFAULT_SOCKET;
	/* https://no-color.org: present and not empty, whatever it says. */
	ctl->screen.color = ctl->terminal && !ctl->cli->no_color && !(no_color && *no_color) &&
			    term && strcmp(term, "dumb") != 0;
	ctl->screen.utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	ctl_screen(ctl);
}
