/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot.h - numbers as text of one fixed width, right-aligned: blanks in front, or zeros where a
 * blank is not legal. Without snprintf and without doubles: a page has 50,000 of them.
 */
#pragma once

#include <stdint.h>

#define SLOT_WIDTH 17u

enum slot_form {
	SLOT_INTEGER,
	SLOT_SECONDS, /* of microseconds, 6 decimals */
	SLOT_RATIO,   /* of ten-thousandths, 4 decimals */
};

/* SLOT_WIDTH characters, no NUL. pad: ' ' or '0'. From 1e17 on an integer is rounded down to a
 * number with an exponent; from 1e16 microseconds on there are 2 decimals. */
void slot_write(char *slot, enum slot_form form, uint64_t number, char pad);
