/* SPDX-License-Identifier: Apache-2.0 */
/*
 * terminal.h - the terminal while `top` has it: keys as they are pressed, the other screen, and
 * back to what it was however `top` ends. Signals are waited for like keys, so none comes between.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct terminal {
	struct termios saved;
	sigset_t saved_mask;
	int signal_fd;
	size_t count;   /* of bytes that were read and not taken */
	char bytes[64]; /* a paste is cut into such pieces */
};

enum terminal_event {
	TERMINAL_TIMEOUT,
	TERMINAL_KEYS,    /* ask terminal_key() */
	TERMINAL_CHANGED, /* another size, or we are back from a stop: draw all */
	TERMINAL_ENDED,   /* a signal that ends us, or nobody is there any more */
};

/* -errno: stdin and stdout are as they were. */
int terminal_open(struct terminal *terminal);
void terminal_close(struct terminal *terminal);
/* A signal that stops us puts the terminal back before, and takes it after. */
enum terminal_event terminal_wait(struct terminal *terminal, uint64_t usec);
/* False: no more. */
bool terminal_key(struct terminal *terminal, int *ret);
/* Is there something to wait for that is there already? */
bool terminal_is_pressed(const struct terminal *terminal);
/* Lines of the window; 0 where it does not tell. */
size_t terminal_height(void);
