/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "client.h"
#include "explain/page.h"
#include "macro.h"
#include "parse.h"
#include "settings.h"
#include "top/keys.h"
#include "top/page.h"
#include "top/terminal.h"

enum {
	OPTION_INTERVAL,
	OPTION_ITERATIONS,
	OPTION_SORT,
	OPTION_FILTER,
	OPTION_VIEW,
	OPTION_LEVEL,
	OPTION_CONTAINERS,
	OPTION_REVERSE,
};

#define INTERVAL_USEC     (2 * USEC_PER_SEC)
#define INTERVAL_MIN_USEC (100 * USEC_PER_MSEC)
/* Two looks are needed for a rate; the first table should not take two seconds. */
#define FIRST_USEC (1 * USEC_PER_SEC)
/* A berthd that takes longer may hang: a key or a signal then matters more than its answer; and
 * after the second time the screen says so. */
#define PATIENCE_USEC (1 * USEC_PER_SEC)
#define HANG_USEC     (5 * USEC_PER_SEC)
/* A window of which we do not know the size. */
#define HEIGHT_DEFAULT 24u

/* Two answers to the same question. */
struct answers {
	json_t *before, *now;
};

struct top {
	struct ctl ctl; /* a copy: the screen changes */
	struct top_state state;
	uint64_t interval_usec, iterations; /* 0: until q */
	struct answers looks, details;
	struct top_list list; /* borrows from looks */
	struct strbuf said;
	struct terminal terminal;
	uint64_t asked_usec;
};

static uint64_t now_usec(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * USEC_PER_SEC + (uint64_t)now.tv_nsec / NSEC_PER_USEC;
}

static bool top_abandons(void *data)
{
	const struct top *top = data;

	uint64_t waited = now_usec() - top->asked_usec;

	return waited > HANG_USEC ||
	       (waited > PATIENCE_USEC && terminal_is_pressed(&top->terminal));
}

static void answers_done(struct answers *answers)
{
	json_decref(answers->before);
	json_decref(answers->now);
	*answers = (struct answers){};
}

/* Takes `answer`. In the same pass as the last one there is nothing to compare: the older stays. */
static void answers_push(struct answers *answers, json_t *answer, bool same_pass)
{
	if (same_pass) {
		json_decref(answers->now);
	} else {
		json_decref(answers->before);
		answers->before = answers->now;
	}
	answers->now = answer;
}

static int top_list(struct top *top)
{
	top_list_done(&top->list);
	return top_list_make(top->looks.before, top->looks.now, &top->state, &top->list);
}

static int table_look(struct top *top)
{
	json_t *answer = NULL;
	int r = client_call(&top->ctl, "GET", "/v1/top", &answer);
	uint64_t generation, last;

	if (r < 0)
		return r;
	generation = json_read_number(answer, "generation");
	last = json_read_number(top->looks.now, "generation");
	/* Another berthd: its counters and ids have nothing to do with those before. */
	if (generation < last) {
		top_list_done(&top->list);
		answers_done(&top->looks);
		answers_done(&top->details);
		top->state.selected = top->state.detail = 0;
		if (top->state.show == SHOW_DETAIL)
			top->state.show = SHOW_TABLE;
	}
	answers_push(&top->looks, answer, generation == last);
	return top_list(top);
}

static int detail_look(struct top *top)
{
	struct strbuf path cleanup_strbuf = {};
	json_t *answer = NULL;
	const json_t *old;
	uint64_t id = top->state.detail;
	int r;

	strbuf_addf(&path, "/v1/explain?workload=%llu", (unsigned long long)id);
	if (strbuf_error(&path))
		return -ENOMEM;
	if (json_read_number(json_read(top->details.now, "workload"), "id") != id)
		answers_done(&top->details);
	r = client_call(&top->ctl, "GET", strbuf_text(&path), &answer);
	if (r < 0)
		return r;
	old = json_read(top->details.now, "sample");
	answers_push(&top->details, answer,
		     json_read_number(old, "time_usec") ==
			     json_read_number(json_read(answer, "sample"), "time_usec"));
	return 0;
}

/* What cannot be had now is told on the screen, and asked for again. -ENOMEM only. */
static int top_look(struct top *top)
{
	int r;

	strbuf_clear(&top->said);
	top->asked_usec = now_usec();
	r = table_look(top);
	if (r >= 0 && top->state.detail)
		r = detail_look(top);
	if (r >= 0)
		strbuf_clear(&top->said);
	else if (strbuf_text(&top->said)[0] == '\0')
		strbuf_add(&top->said, "no answer");
	return r == -ENOMEM ? r : 0;
}

static int page_make(struct top *top, const struct top_looks *looks, size_t height,
		     struct strbuf *page)
{
	struct top_state *state = &top->state;
	const struct screen *screen = &top->ctl.screen;
	struct strbuf text cleanup_strbuf = {};
	int r;

	if (state->show == SHOW_TABLE)
		return top_screen(looks, &top->list, state, screen, height, page);
	if (state->show == SHOW_HELP)
		r = top_help(screen, &text);
	else
		r = explain_page(top->details.before, top->details.now, true, screen, &text);
	return r < 0 ? r : top_scrolled(looks, &text, state, screen, height, page);
}

static int top_draw(struct top *top)
{
	struct strbuf page cleanup_strbuf = {}, screen cleanup_strbuf = {};
	struct strbuf trouble cleanup_strbuf = {};
	struct top_looks looks = { top->looks.before, top->looks.now, "" };
	size_t height = terminal_height(), lines;
	char *rest;
	const char *line;

	lines = height = height ? height : HEIGHT_DEFAULT;
	ctl_screen(&top->ctl);
	if (top->said.length) {
		strbuf_addf(&trouble, "Trying again: %s", strbuf_text(&top->said));
		looks.trouble = strbuf_text(&trouble);
	}
	if (page_make(top, &looks, height, &page) < 0 || !page.text)
		return -ENOMEM;
	/* Line over line, in one write: no flicker. Cleared before and not after: the cursor stands
	 * on the last column of a full line. No newline at the end: it would scroll. */
	strbuf_add(&screen, "\033[H");
	rest = page.text;
	while (lines-- > 0 && (line = strsep(&rest, "\n")) && rest)
		strbuf_addf(&screen, "%s\033[K%s", line == page.text ? "" : "\n", line);
	/* Nothing is below the last line, whose end the cursor may stand on. */
	return ctl_print(&screen) ? -EIO : 0;
}

/* False: quit. *due: when berthd is asked next. */
static bool keys_take(struct top *top, uint64_t *due)
{
	int key;

	while (terminal_key(&top->terminal, &key)) {
		enum top_effect effect = top_key_do(&top->state, key, &top->list);

		if (effect == TOP_QUIT)
			return false;
		if (effect == TOP_LOOK)
			*due = 0;
		/* The next key is about the rows of now. */
		if (top_list(top) < 0)
			return false;
	}
	return true;
}

static int live_loop(struct top *top)
{
	uint64_t drawn = 0, due = now_usec() + MIN(top->interval_usec, FIRST_USEC);
	int r = 0;

	while (r >= 0 && (!top->iterations || drawn < top->iterations)) {
		uint64_t now;

		/* A detail that was just opened has no page before its answer. */
		if (due > 0 || top->state.show != SHOW_DETAIL)
			r = top_draw(top);
		now = now_usec();
		if (r >= 0 && due > now) {
			switch (terminal_wait(&top->terminal, due - now)) {
			case TERMINAL_ENDED:
				return 0;
			case TERMINAL_KEYS:
				if (!keys_take(top, &due))
					return 0;
				continue;
			case TERMINAL_CHANGED:
				continue;
			case TERMINAL_TIMEOUT:
				break;
			}
		}
		if (r < 0 || now_usec() < due)
			continue;
		r = top_look(top);
		drawn += due > 0;
		due = now_usec() + top->interval_usec;
	}
	return r;
}

/* Tables one below the other. */
static int plain_loop(struct top *top)
{
	uint64_t usec = MIN(top->interval_usec, FIRST_USEC);

	for (uint64_t drawn = 0; drawn < top->iterations; drawn++) {
		struct strbuf page cleanup_strbuf = {};
		struct top_looks looks = { .trouble = "" };
		struct timespec left = {
			.tv_sec = (time_t)(usec / USEC_PER_SEC),
			.tv_nsec = (long)(usec % USEC_PER_SEC * NSEC_PER_USEC),
		};

		while (nanosleep(&left, &left) < 0)
			;
		usec = top->interval_usec;
		if (table_look(top) < 0)
			return -EIO;
		looks.before = top->looks.before;
		looks.now = top->looks.now;
		if (top_plain(&looks, &top->list, &top->state, &top->ctl.screen, &page) < 0)
			return -ENOMEM;
		if (ctl_print(&page))
			return -EIO;
	}
	return 0;
}

static int live_run(struct top *top)
{
	int r = terminal_open(&top->terminal);

	if (r < 0) {
		ctl_error("cannot take the terminal: %s", strerror(-r));
		return r;
	}
	top->ctl.said = &top->said;
	top->ctl.abandon = top_abandons;
	top->ctl.data = top;
	r = live_loop(top);
	terminal_close(&top->terminal);
	return r;
}

static int times_read(const struct cli *cli, struct top *top)
{
	const char *interval = cli->values[OPTION_INTERVAL];
	const char *iterations = cli->values[OPTION_ITERATIONS];

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
	return 0;
}

static int choice_read(const struct cli *cli, struct top_state *state)
{
	const char *sort = cli->values[OPTION_SORT], *view = cli->values[OPTION_VIEW];
	const char *filter = cli->values[OPTION_FILTER], *level = cli->values[OPTION_LEVEL];
	enum qos_level found;

	if (sort && top_sort_parse(sort, &state->sort) < 0) {
		ctl_error("--sort=%s: cpu, memory, memory-pressure, io-pressure, pressure, "
			  "throttling or name",
			  sort);
		return 2;
	}
	if (view && top_view_parse(view, &state->view) < 0) {
		ctl_error("--view=%s: overview, pressure, memory, io or berth", view);
		return 2;
	}
	if (level && qos_parse(level, &found) < 0) {
		ctl_error("--level=%s: critical, high, normal, batch or scavenger", level);
		return 2;
	}
	if (filter && strlen(filter) >= sizeof(state->filter)) {
		ctl_error("--filter: a text of at most %zu bytes", sizeof(state->filter) - 1);
		return 2;
	}
	if (level)
		state->level = found;
	(void)snprintf(state->filter, sizeof(state->filter), "%s", filter ? filter : "");
	state->containers = cli->values[OPTION_CONTAINERS] != NULL;
	state->reversed = cli->values[OPTION_REVERSE] != NULL;
	return 0;
}

int run_top(const struct ctl *ctl)
{
	struct top top = { .ctl = *ctl,
			   .interval_usec = INTERVAL_USEC,
			   .state = { .level = TOP_LEVEL_ALL, .visible = 1 } };
	const char *term = getenv("TERM");
	json_auto_t *answer = NULL;
	bool live;
	int r = times_read(ctl->cli, &top);

	if (r == 0)
		r = choice_read(ctl->cli, &top.state);
	if (r)
		return r;
	if (ctl->json)
		return client_get(ctl, "/v1/top", &answer) < 0;
	live = ctl->terminal && isatty(STDIN_FILENO) && top.iterations != 1 && term && *term &&
	       strcmp(term, "dumb") != 0;
	if (!live && top.iterations == 0)
		top.iterations = 1;
	/* Asked once before the screen is taken, so that a refusal can be read. */
	r = table_look(&top);
	if (r >= 0)
		r = live ? live_run(&top) : plain_loop(&top);
	top_list_done(&top.list);
	answers_done(&top.looks);
	answers_done(&top.details);
	strbuf_done(&top.said);
	return r < 0;
}
