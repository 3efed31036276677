/* SPDX-License-Identifier: Apache-2.0 */
/*
 * list.h - an intrusive doubly linked list. A list does not own its members. A zeroed struct list
 * is not a list: call list_init(); members may be unlinked twice.
 */
#pragma once

#include <stdbool.h>

#include "macro.h"

struct list {
	struct list *next, *previous;
};

static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

static inline void list_append(struct list *list, struct list *member)
{
	member->next = list;
	member->previous = list->previous;
	list->previous->next = member;
	list->previous = member;
}

static inline void list_unlink(struct list *member)
{
	if (!member->next)
		return;
	member->next->previous = member->previous;
	member->previous->next = member->next;
	list_init(member);
}

#define list_entry(pointer, type, member) container_of(pointer, type, member)

#define list_foreach(entry, list, member)                                    \
	for (entry = list_entry((list)->next, __typeof__(*(entry)), member); \
	     &(entry)->member != (list);                                     \
	     entry = list_entry((entry)->member.next, __typeof__(*(entry)), member))

/* The current entry may be unlinked and freed; no other one may. */
#define list_foreach_safe(entry, following, list, member)                               \
	for (entry = list_entry((list)->next, __typeof__(*(entry)), member),            \
	    following = list_entry((entry)->member.next, __typeof__(*(entry)), member); \
	     &(entry)->member != (list); entry = following,                             \
	    following = list_entry((following)->member.next, __typeof__(*(entry)), member))
