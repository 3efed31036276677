/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics/slot.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define INTEGER_END UINT64_C(100000000000000000) /* 18 digits */
#define SECONDS_END UINT64_C(10000000000000000)  /* microseconds: 11 digits before the point */

static const char digits[] = "00010203040506070809"
			     "10111213141516171819"
			     "20212223242526272829"
			     "30313233343536373839"
			     "40414243444546474849"
			     "50515253545556575859"
			     "60616263646566676869"
			     "70717273747576777879"
			     "80818283848586878889"
			     "90919293949596979899";

/* Ends at `end`; where it begins. */
static char *digits_write(char *end, uint64_t number)
{
	while (number >= 100) {
		end -= 2;
		memcpy(end, digits + number % 100 * 2, 2);
		number /= 100;
	}
	if (number >= 10) {
		end -= 2;
		memcpy(end, digits + number * 2, 2);
	} else {
		*--end = (char)('0' + number);
	}
	return end;
}

/* An even number of decimals, and the point in front of them; where that is. */
static char *decimals_write(char *end, unsigned int count, uint64_t number)
{
	for (unsigned int i = 0; i < count; i += 2) {
		end -= 2;
		memcpy(end, digits + number % 100 * 2, 2);
		number /= 100;
	}
	*--end = '.';
	return end;
}

/* d.ddddddddddde+EE: as many digits as there is room for. */
static void exponent_write(char *slot, uint64_t number)
{
	char text[SLOT_WIDTH + 8], plain[24];
	int length = snprintf(plain, sizeof(plain), "%" PRIu64, number);

	(void)snprintf(text, sizeof(text), "%c.%.11se+%02d", plain[0], plain + 1, length - 1);
	memcpy(slot, text, SLOT_WIDTH);
}

void slot_write(char *slot, enum slot_form form, uint64_t number, char pad)
{
	char *end = slot + SLOT_WIDTH;

	if (form == SLOT_INTEGER && number >= INTEGER_END) {
		exponent_write(slot, number);
		return;
	}
	memset(slot, pad, SLOT_WIDTH);
	switch (form) {
	case SLOT_INTEGER:
		break;
	case SLOT_SECONDS:
		if (number < SECONDS_END) {
			end = decimals_write(end, 6, number % 1000000);
		} else {
			number /= 10000;
			end = decimals_write(end, 2, number % 100);
			number /= 100;
			break;
		}
		number /= 1000000;
		break;
	case SLOT_RATIO:
		end = decimals_write(end, 4, number % 10000);
		number /= 10000;
		break;
	}
	(void)digits_write(end, number);
}
