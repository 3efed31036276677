/* SPDX-License-Identifier: Apache-2.0 */
#include "top/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"
#include "top/keys.h"

/* Between the bytes of one key, over a slow line. A lone Esc is known after it. */
#define REST_MSEC 50

/* The other screen, no cursor, and no wrapping of a line that is wider than we thought. */
static int terminal_take(const struct terminal *terminal)
{
	struct termios raw = terminal->saved;

	raw.c_iflag &= ~(tcflag_t)IXON;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	raw.c_cc[VMIN] = 0;
	raw.c_cc[VTIME] = 0;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw) < 0)
		return -errno;
	(void)fputs("\033[?1049h\033[?25l\033[?7l", stdout);
	(void)fflush(stdout);
	return 0;
}

static void terminal_give(const struct terminal *terminal)
{
	(void)fputs("\033[?7h\033[?25h\033[?1049l", stdout);
	(void)fflush(stdout);
	(void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal->saved);
}

int terminal_open(struct terminal *terminal)
{
	static const int signals[] = {
		SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH, SIGCONT
	};
	sigset_t mask;
	int r;

	*terminal = (struct terminal){ .signal_fd = -EBADF };
	if (tcgetattr(STDIN_FILENO, &terminal->saved) < 0)
		return -errno;
	(void)sigemptyset(&mask);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		(void)sigaddset(&mask, signals[i]);
	if (sigprocmask(SIG_BLOCK, &mask, &terminal->saved_mask) < 0)
		return -errno;
	terminal->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	r = terminal->signal_fd < 0 ? -errno : terminal_take(terminal);
	if (r < 0) {
		terminal->signal_fd = close_keep_errno(terminal->signal_fd);
		(void)sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
	}
	return r;
}

/* A signal that came meanwhile is taken with the old mask, when all is put back. */
void terminal_close(struct terminal *terminal)
{
	terminal_give(terminal);
	terminal->signal_fd = close_keep_errno(terminal->signal_fd);
	(void)sigprocmask(SIG_SETMASK, &terminal->saved_mask, NULL);
}

static enum terminal_event signal_take(const struct terminal *terminal)
{
	enum terminal_event event = TERMINAL_TIMEOUT;
	struct signalfd_siginfo info;

	while (read(terminal->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		switch (info.ssi_signo) {
		case SIGTSTP:
			terminal_give(terminal);
			(void)kill(getpid(), SIGSTOP);
			/* From here on somebody has continued us. */
			(void)terminal_take(terminal);
			event = TERMINAL_CHANGED;
			break;
		case SIGCONT:
			/* SIGSTOP asked nobody; the shell has had the terminal. */
			(void)terminal_take(terminal);
			event = TERMINAL_CHANGED;
			break;
		case SIGWINCH:
			event = TERMINAL_CHANGED;
			break;
		default:
			return TERMINAL_ENDED;
		}
	}
	return event;
}

/* False: nobody is there. */
static bool bytes_read(struct terminal *terminal)
{
	ssize_t got = read(STDIN_FILENO, terminal->bytes + terminal->count,
			   sizeof(terminal->bytes) - terminal->count);

	if (got > 0)
		terminal->count += (size_t)got;
	return got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR));
}

enum terminal_event terminal_wait(struct terminal *terminal, uint64_t usec)
{
	struct pollfd fds[] = { { .fd = terminal->signal_fd, .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };
	int ready = poll(fds, ARRAY_SIZE(fds), (int)((usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC));

	if (ready < 0)
		return errno == EINTR ? TERMINAL_TIMEOUT : TERMINAL_ENDED;
	if (fds[0].revents)
		return signal_take(terminal);
	if (fds[1].revents)
		return bytes_read(terminal) ? TERMINAL_KEYS : TERMINAL_ENDED;
	return TERMINAL_TIMEOUT;
}

bool terminal_key(struct terminal *terminal, int *ret)
{
	struct pollfd rest = { .fd = STDIN_FILENO, .events = POLLIN };
	size_t taken;

	if (terminal->count == 0)
		return false;
	taken = top_key_read(terminal->bytes, terminal->count, false, ret);
	while (taken == 0) {
		bool more = terminal->count < sizeof(terminal->bytes) &&
			    poll(&rest, 1, REST_MSEC) > 0 && bytes_read(terminal);

		taken = top_key_read(terminal->bytes, terminal->count, !more, ret);
	}
	terminal->count -= taken;
	(void)memmove(terminal->bytes, terminal->bytes + taken, terminal->count);
	return true;
}

bool terminal_is_pressed(const struct terminal *terminal)
{
	struct pollfd fds[] = { { .fd = terminal->signal_fd, .events = POLLIN },
				{ .fd = STDIN_FILENO, .events = POLLIN } };

	return poll(fds, ARRAY_SIZE(fds), 0) > 0;
}

size_t terminal_height(void)
{
	struct winsize size = {};

	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}
