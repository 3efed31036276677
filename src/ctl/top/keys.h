/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keys.h - bytes of a terminal to keys, and what a key does to the state of `top`. Pure.
 */
#pragma once

#include "top/top-list.h"

/* A character is its byte. */
enum top_key {
	KEY_ESCAPE = 0x1b,
	KEY_NONE = 0x100, /* a sequence that means nothing here */
	KEY_UP,
	KEY_DOWN,
	KEY_PAGE_UP,
	KEY_PAGE_DOWN,
	KEY_HOME,
	KEY_END,
	KEY_BACK_TAB,
};

enum top_effect {
	TOP_DRAW, /* from what is there */
	TOP_LOOK, /* ask berthd, too */
	TOP_QUIT,
};

/* The key that the bytes begin with, and how many they are: 0 when they are the beginning of a
 * sequence whose rest is not there yet (`final`: it will not come). count > 0. */
size_t top_key_read(const char *bytes, size_t count, bool final, int *ret);
enum top_effect top_key_do(struct top_state *state, int key, const struct top_list *list);
