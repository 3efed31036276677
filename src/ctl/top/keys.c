/* SPDX-License-Identifier: Apache-2.0 */
#include "top/keys.h"

#include <string.h>

#include "berth-plugin.h"
#include "macro.h"

/* "ESC [ 5 ~", "ESC [ A", and "ESC O A" of terminals in application mode. */
static int sequence_key(const char *body, size_t length)
{
	static const struct {
		const char *body;
		int key;
	} keys[] = {
		{ "A", KEY_UP },         { "B", KEY_DOWN },     { "5~", KEY_PAGE_UP },
		{ "6~", KEY_PAGE_DOWN }, { "H", KEY_HOME },     { "1~", KEY_HOME },
		{ "7~", KEY_HOME },      { "F", KEY_END },      { "4~", KEY_END },
		{ "8~", KEY_END },       { "Z", KEY_BACK_TAB },
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strlen(keys[i].body) == length && memcmp(keys[i].body, body, length) == 0)
			return keys[i].key;
	return KEY_NONE;
}

size_t top_key_read(const char *bytes, size_t count, bool final, int *ret)
{
	size_t length = 2;

	*ret = (unsigned char)bytes[0];
	if (bytes[0] != KEY_ESCAPE)
		return 1;
	if (count == 1)
		return final;
	/* Esc and then another key, typed faster than it is read. */
	if (bytes[1] != '[' && bytes[1] != 'O')
		return 1;
	/* Parameters, then one byte of 0x40 to 0x7e: ECMA-48 5.4. */
	while (length < count && bytes[length] >= 0x20 && bytes[length] < 0x40)
		length++;
	*ret = KEY_NONE;
	if (length == count)
		return final ? count : 0;
	*ret = sequence_key(bytes + 2, length - 1);
	return length + 1;
}

static void filter_type(struct top_state *state, int key)
{
	size_t length = strlen(state->filter);

	if (key == KEY_ESCAPE)
		state->filter[0] = '\0';
	if (key == KEY_ESCAPE || key == '\r' || key == '\n')
		state->typing = false;
	else if (key == 0x15) /* Ctrl-U */
		state->filter[0] = '\0';
	else if ((key == 0x7f || key == '\b') && length > 0) {
		/* A whole character: continuation bytes of UTF-8 are 10xxxxxx. */
		while (length > 0 && ((unsigned char)state->filter[--length] & 0xc0) == 0x80)
			;
		state->filter[length] = '\0';
	} else if (key >= 0x20 && key < KEY_NONE && key != 0x7f && length + 1 < TOP_FILTER_MAX) {
		state->filter[length] = (char)key;
		state->filter[length + 1] = '\0';
	}
}

/* -1, 1, a page or all the way; 0: no such key. */
static long key_move(const struct top_state *state, int key)
{
	long page = (long)MAX(state->visible, 2) - 1;

	switch (key) {
	case KEY_UP:
	case 'k':
		return -1;
	case KEY_DOWN:
	case 'j':
		return 1;
	case KEY_PAGE_UP:
		return -page;
	case KEY_PAGE_DOWN:
		return page;
	case KEY_HOME:
		return INT_MIN;
	case KEY_END:
		return INT_MAX;
	default:
		return 0;
	}
}

static void selection_move(struct top_state *state, long move, const struct top_list *list)
{
	size_t selected = top_list_selected(list, state);
	long place;

	if (list->count == 0 || move == 0)
		return;
	/* The first press of a key shows where the selection is. */
	if (selected == list->count)
		place = move == INT_MAX ? (long)list->count - 1 : (long)state->first;
	else
		place = (long)selected + move;
	place = MAX(0, MIN(place, (long)list->count - 1));
	state->selected = list->rows[place].id;
}

/* All, then from critical to scavenger. */
static void level_next(struct top_state *state)
{
	if (state->level == TOP_LEVEL_ALL)
		state->level = QOS_CRITICAL;
	else
		state->level = state->level > QOS_SCAVENGER ? state->level - 1 : TOP_LEVEL_ALL;
}

static enum top_effect table_key(struct top_state *state, int key, const struct top_list *list)
{
	size_t selected = top_list_selected(list, state);
	const char word[2] = { (char)(key < 0x80 ? key : 0) };

	if (top_sort_parse(word, &state->sort) == 0 || top_view_parse(word, &state->view) == 0)
		return TOP_DRAW;
	switch (key) {
	case '\t':
		state->view = (state->view + 1) % TOP_VIEWS;
		break;
	case KEY_BACK_TAB:
		state->view = (state->view + TOP_VIEWS - 1) % TOP_VIEWS;
		break;
	case 'r':
		state->reversed = !state->reversed;
		break;
	case 'l':
		level_next(state);
		break;
	case 'C':
		state->containers = !state->containers;
		break;
	case '/':
		state->typing = true;
		break;
	case KEY_ESCAPE:
		if (!state->filter[0])
			state->selected = 0;
		state->filter[0] = '\0';
		break;
	case '\r':
	case '\n':
		if (list->count == 0)
			break;
		selected = selected < list->count ? selected : 0;
		state->selected = state->detail = list->rows[selected].id;
		state->show = SHOW_DETAIL;
		state->scroll = 0;
		return TOP_LOOK;
	default:
		selection_move(state, key_move(state, key), list);
		break;
	}
	return TOP_DRAW;
}

/* Of the help and of a detail: it scrolls, and most keys lead back. */
static enum top_effect text_key(struct top_state *state, int key)
{
	long move = key_move(state, key);
	bool back = key == KEY_ESCAPE || key == '\r' || key == '\n' || key == 0x7f ||
		    (state->show == SHOW_HELP && key < KEY_NONE && move == 0);

	if (back) {
		state->scroll = 0;
		/* The help lies over the page that it was asked for on. */
		if (state->show == SHOW_HELP && state->detail)
			state->show = SHOW_DETAIL;
		else
			state->show = SHOW_TABLE;
		if (state->show == SHOW_TABLE)
			state->detail = 0;
		return TOP_LOOK;
	}
	if (move < 0)
		state->scroll -= MIN(state->scroll, (size_t)-move);
	else
		state->scroll += (size_t)move;
	return TOP_DRAW;
}

enum top_effect top_key_do(struct top_state *state, int key, const struct top_list *list)
{
	if (state->typing) {
		filter_type(state, key);
		return TOP_DRAW;
	}
	if (key == 'q' || key == 'Q')
		return TOP_QUIT;
	if ((key == 'h' || key == '?') && state->show != SHOW_HELP) {
		state->show = SHOW_HELP;
		state->scroll = 0;
		return TOP_DRAW;
	}
	return state->show == SHOW_TABLE ? table_key(state, key, list) : text_key(state, key);
}
