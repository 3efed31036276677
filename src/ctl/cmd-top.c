/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include "client.h"
#include "macro.h"
#include "parse.h"
#include "top-page.h"

enum { OPTION_INTERVAL, OPTION_ITERATIONS, OPTION_SORT };

#define INTERVAL_USEC     (2 * USEC_PER_SEC)
#define INTERVAL_MIN_USEC (100 * USEC_PER_MSEC)
/* Two looks are needed for a rate; the first table of a pipe should not take two seconds. */
#define FIRST_USEC (1 * USEC_PER_SEC)

struct top {
	struct ctl ctl; /* a copy: the screen changes */
	enum top_sort sort;
	uint64_t interval_usec, iterations; /* 0: until q */
	bool live;
	json_t *before, *now;
};

static struct termios terminal_saved;
static volatile sig_atomic_t top_ended;

static void on_signal(int number)
{
	(void)number;
	top_ended = 1;
}

/* Ctrl-C arrives as a signal and ends the loop, so the terminal is always put back. */
static bool terminal_raw(void)
{
	const struct sigaction action = { .sa_handler = on_signal };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &terminal_saved) < 0)
		return false;
	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	raw = terminal_saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return false;
	/* The alternate screen: what was there comes back at the end. Cursor off. */
	(void)fputs("\033[?1049h\033[?25l", stdout);
	return true;
}

static void terminal_restore(void)
{
	(void)fputs("\033[?25h\033[?1049l", stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal_saved);
}

static int sort_parse(const char *text, enum top_sort *ret)
{
	static const struct {
		const char *word;
		enum top_sort sort;
	} keys[] = {
		{ "c", TOP_CPU },         { "cpu", TOP_CPU },    { "m", TOP_MEMORY },
		{ "memory", TOP_MEMORY }, { "p", TOP_PRESSURE }, { "pressure", TOP_PRESSURE },
		{ "n", TOP_NAME },        { "name", TOP_NAME },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i].word, text) == 0) {
			*ret = keys[i].sort;
			return 0;
		}
	return -EINVAL;
}

/* True: go on and draw at once. A key is taken or the interval is over. */
static bool top_wait(struct top *top, uint64_t usec)
{
	struct pollfd keys = { .fd = top->live ? STDIN_FILENO : -1, .events = POLLIN };
	char key[2] = "";
	int ready = poll(&keys, 1, (int)(usec / USEC_PER_MSEC));

	if (ready < 0 || top_ended)
		return errno == EINTR && !top_ended;
	if (ready == 0)
		return true;
	if (read(STDIN_FILENO, key, 1) != 1 || *key == 'q' || *key == 'Q')
		return false;
	/* Other keys mean nothing. */
	(void)sort_parse(key, &top->sort);
	return true;
}

static int top_look(struct top *top)
{
	json_t *answer = NULL;
	int r = client_call(&top->ctl, "GET", "/v1/top", &answer);

	if (r < 0)
		return r;
	/* A key redraws before berthd takes a new pass: keep the older one to compare with. */
	if (top->now &&
	    json_read_number(answer, "generation") == json_read_number(top->now, "generation")) {
		json_decref(answer);
		return 0;
	}
	json_decref(top->before);
	top->before = top->now;
	top->now = answer;
	return 0;
}

static int top_draw(struct top *top)
{
	struct strbuf page cleanup_strbuf = {}, screen cleanup_strbuf = {};
	struct winsize size = {};
	size_t rows = SIZE_MAX;
	char *rest;
	const char *line;

	ctl_screen(&top->ctl);
	if (top->live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 5)
		rows = size.ws_row - 5u;
	if (top_page(top->before, top->now, top->sort, rows, &top->ctl.screen, &page) < 0)
		return -ENOMEM;
	if (!top->live)
		return ctl_print(&page) ? -EIO : 0;
	/* Over the old text, each line's rest cleared: no flicker. */
	strbuf_add(&screen, "\033[H");
	rest = page.text;
	while ((line = strsep(&rest, "\n")) && rest)
		strbuf_addf(&screen, "%s\033[K\n", line);
	strbuf_add(&screen, "\033[J");
	return ctl_print(&screen) ? -EIO : 0;
}

static int top_loop(struct top *top)
{
	uint64_t drawn = 0;
	int r;

	if (!top_wait(top, MIN(top->interval_usec, FIRST_USEC)))
		return 0;
	for (;;) {
		r = top_look(top);
		if (r < 0)
			return r;
		r = top_draw(top);
		if (r < 0 || ++drawn == top->iterations)
			return r;
		if (!top_wait(top, top->interval_usec))
			return 0;
	}
}

static int options_read(const struct cli *cli, struct top *top)
{
	const char *interval = cli->values[OPTION_INTERVAL];
	const char *iterations = cli->values[OPTION_ITERATIONS], *sort = cli->values[OPTION_SORT];

	if (interval &&
	    (parse_usec(interval, &top->interval_usec) < 0 ||
	     top->interval_usec < INTERVAL_MIN_USEC || top->interval_usec > 3600 * USEC_PER_SEC)) {
		ctl_error("--interval=%s: a time of 100ms to 1h, such as 2s", interval);
		return 2;
	}
	if (iterations && (parse_u64(iterations, &top->iterations) < 0 || !top->iterations)) {
		ctl_error("--iterations=%s: a number of 1 or more", iterations);
		return 2;
	}
	if (sort && sort_parse(sort, &top->sort) < 0) {
		ctl_error("--sort=%s: cpu, memory, pressure or name", sort);
		return 2;
	}
	return 0;
}

int run_top(const struct ctl *ctl)
{
	struct top top = { .ctl = *ctl, .interval_usec = INTERVAL_USEC };
	json_auto_t *answer = NULL;
	int r = options_read(ctl->cli, &top);

	if (r)
		return r;
	if (ctl->json)
		return client_get(ctl, "/v1/top", &answer) < 0;
	top.live = ctl->terminal && isatty(STDIN_FILENO) && top.iterations != 1;
	if (!ctl->terminal && top.iterations == 0)
		top.iterations = 1;
	/* Asked once before the screen is taken, so that a refusal can be read. */
	if (top_look(&top) < 0)
		return 1;
	if (top.live)
		top.live = terminal_raw();
	r = top_loop(&top);
	if (top.live)
		terminal_restore();
	json_decref(top.before);
	json_decref(top.now);
	return r < 0;
}
