/* SPDX-License-Identifier: Apache-2.0 */
/*
 * intern.h - one copy of strings that many claims share (owners, reasons, labels), counted.
 */
#pragma once

#include "hashmap.h"

struct intern {
	struct hashmap map;
};

/* NULL when there is no memory. */
const char *intern_get(struct intern *intern, const char *text);
void intern_put(struct intern *intern, const char *text); /* NULL is nothing */
void intern_done(struct intern *intern);
