/* SPDX-License-Identifier: Apache-2.0 */
#include "parse.h"

#include <errno.h>
#include <string.h>

#include "macro.h"

/* Not isdigit(3): that one asks the locale. */
static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static int hex_digit(char character)
{
	if (is_digit(character))
		return character - '0';
	if (character >= 'a' && character <= 'f')
		return character - 'a' + 10;
	if (character >= 'A' && character <= 'F')
		return character - 'A' + 10;
	return -EINVAL;
}

int parse_u64_span(const char *text, size_t length, uint64_t *ret)
{
	bool overflow = false;
	uint64_t number = 0;

	if (length == 0)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (!is_digit(text[i]))
			return -EINVAL;
		/* Goes on after an overflow: garbage further on is the better answer. */
		if (__builtin_mul_overflow(number, 10u, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number))
			overflow = true;
	}
	if (overflow)
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_u64(const char *text, uint64_t *ret)
{
	return parse_u64_span(text, strlen(text), ret);
}

int parse_s64(const char *text, int64_t *ret)
{
	bool negative = text[0] == '-';
	uint64_t number = 0;
	int r;

	r = parse_u64(text + negative, &number);
	if (r < 0)
		return r;
	if (number > (uint64_t)INT64_MAX + negative)
		return -ERANGE;
	/* Through unsigned, where INT64_MIN has no overflow. */
	*ret = (int64_t)(negative ? 0 - number : number);
	return 0;
}

int parse_u64_hex(const char *text, uint64_t *ret)
{
	bool overflow = false;
	uint64_t number = 0;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	if (*text == '\0')
		return -EINVAL;
	for (; *text; text++) {
		int digit = hex_digit(*text);

		if (digit < 0)
			return -EINVAL;
		if (number >> 60)
			overflow = true;
		number = (number << 4) | (uint64_t)digit;
	}
	if (overflow)
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_bool(const char *text, bool *ret)
{
	if (strcmp(text, "true") == 0)
		*ret = true;
	else if (strcmp(text, "false") == 0)
		*ret = false;
	else
		return -EINVAL;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit *unit_find(const struct unit *units, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(units[i].name, name) == 0)
			return &units[i];
	return NULL;
}

/* More digits than fit into the product below are folded into one that rounds up. */
#define FRACTION_DIGITS 18u
#define EXPONENT_MAX    64

struct decimal {
	uint64_t whole, fraction, denominator;
};

/* "2", "1.5", "1." and ".5", as Kubernetes allows. Returns where it ended; NULL: no number. */
static const char *decimal_parse(const char *text, struct decimal *ret, bool *ret_overflow)
{
	struct decimal number = { .denominator = 1 };
	size_t digits = strspn(text, "0123456789");
	size_t fraction_digits = 0;
	const char *end = text + digits;

	*ret_overflow = digits > 0 && parse_u64_span(text, digits, &number.whole) < 0;
	if (*end == '.') {
		fraction_digits = strspn(++end, "0123456789");
		bool rest = false;

		for (size_t i = 0; i < fraction_digits; i++) {
			if (i < FRACTION_DIGITS) {
				number.fraction = number.fraction * 10 + (uint64_t)(end[i] - '0');
				number.denominator *= 10;
			} else if (end[i] != '0') {
				rest = true;
			}
		}
		number.fraction += rest;
		end += fraction_digits;
	}
	if (digits + fraction_digits == 0)
		return NULL;
	*ret = number;
	return end;
}

static int decimal_scale(const struct decimal *number, uint64_t factor, uint64_t *ret)
{
	/* At most 10^18 x 2^60, so 128 bits hold it. */
	unsigned __int128 fraction = (unsigned __int128)number->fraction * factor;
	uint64_t result;

	fraction = (fraction + number->denominator - 1) / number->denominator;
	if (__builtin_mul_overflow(number->whole, factor, &result) ||
	    __builtin_add_overflow(result, (uint64_t)fraction, &result))
		return -ERANGE;
	*ret = result;
	return 0;
}

static int parse_scaled(const char *text, const struct unit *units, size_t count, uint64_t *ret)
{
	struct decimal number = { 0 };
	const struct unit *unit;
	bool overflow = false;
	const char *end = decimal_parse(text, &number, &overflow);

	if (!end)
		return -EINVAL;
	unit = unit_find(units, count, end);
	if (!unit)
		return -EINVAL;
	if (overflow)
		return -ERANGE;
	return decimal_scale(&number, unit->factor, ret);
}

int parse_bytes(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "k", 1000ULL },
		{ "K", 1000ULL },
		{ "M", 1000000ULL },
		{ "G", 1000000000ULL },
		{ "T", 1000000000000ULL },
		{ "P", 1000000000000000ULL },
		{ "E", 1000000000000000000ULL },
		{ "Ki", 1ULL << 10 },
		{ "Mi", 1ULL << 20 },
		{ "Gi", 1ULL << 30 },
		{ "Ti", 1ULL << 40 },
		{ "Pi", 1ULL << 50 },
		{ "Ei", 1ULL << 60 },
	};

	return parse_scaled(text, units, ARRAY_SIZE(units), ret);
}

int parse_usec(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "us", 1 },
		{ "ms", USEC_PER_MSEC },
		{ "s", USEC_PER_SEC },
		{ "min", 60 * USEC_PER_SEC },
		{ "h", 3600 * USEC_PER_SEC },
	};
	size_t digits = strspn(text, "0123456789");
	const struct unit *unit = unit_find(units, ARRAY_SIZE(units), text + digits);
	uint64_t number = 0;
	int r;

	/* Zero is the same in every unit. */
	if (strcmp(text, "0") == 0) {
		*ret = 0;
		return 0;
	}
	if (!unit)
		return -EINVAL;
	r = parse_u64_span(text, digits, &number);
	if (r < 0)
		return r;
	if (__builtin_mul_overflow(number, unit->factor, &number))
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_percent(const char *text, uint64_t *ret)
{
	size_t length = strlen(text);
	uint64_t number = 0;
	int r;

	if (length > 0 && text[length - 1] == '%')
		length--;
	r = parse_u64_span(text, length, &number);
	if (r < 0)
		return r;
	if (number > 100)
		return -ERANGE;
	*ret = number;
	return 0;
}

int parse_cpu_milli(const char *text, uint64_t *ret)
{
	static const struct unit units[] = {
		{ "", 1000 },
		{ "m", 1 },
	};

	return parse_scaled(text, units, ARRAY_SIZE(units), ret);
}

typedef unsigned __int128 wide;

/* What a quantity's suffix multiplies by: factor x 10^exponent. */
struct suffix {
	uint64_t factor;
	int exponent;
};

static int suffix_parse(const char *text, struct suffix *ret)
{
	static const struct {
		char name[3];
		struct suffix suffix;
	} suffixes[] = {
		{ "", { 1, 0 } },
		{ "n", { 1, -9 } },
		{ "u", { 1, -6 } },
		{ "m", { 1, -3 } },
		{ "k", { 1, 3 } },
		{ "M", { 1, 6 } },
		{ "G", { 1, 9 } },
		{ "T", { 1, 12 } },
		{ "P", { 1, 15 } },
		{ "E", { 1, 18 } },
		{ "Ki", { 1ULL << 10, 0 } },
		{ "Mi", { 1ULL << 20, 0 } },
		{ "Gi", { 1ULL << 30, 0 } },
		{ "Ti", { 1ULL << 40, 0 } },
		{ "Pi", { 1ULL << 50, 0 } },
		{ "Ei", { 1ULL << 60, 0 } },
	};
	bool negative;
	uint64_t exponent = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (strcmp(suffixes[i].name, text) == 0) {
			*ret = suffixes[i].suffix;
			return 0;
		}
	}
	if (text[0] != 'e' && text[0] != 'E')
		return -EINVAL;
	text++;
	negative = text[0] == '-';
	r = parse_u64(text + (negative || text[0] == '+'), &exponent);
	if (r == -EINVAL)
		return r;
	/* Far out in either direction is the same: too large, or nearly nothing. */
	exponent = r < 0 ? EXPONENT_MAX : MIN(exponent, (uint64_t)EXPONENT_MAX);
	*ret = (struct suffix){ 1, negative ? -(int)exponent : (int)exponent };
	return 0;
}

/* number x multiplier / divisor, rounded up. */
static int decimal_ratio(const struct decimal *number, wide multiplier, uint64_t divisor,
			 uint64_t *ret)
{
	wide whole, rest, fraction;
	wide whole_divisor = (wide)divisor * number->denominator;

	if (__builtin_mul_overflow((wide)number->whole, multiplier, &whole) ||
	    __builtin_mul_overflow((wide)number->fraction, multiplier, &fraction))
		return -ERANGE;
	rest = whole % divisor * number->denominator;
	if (__builtin_add_overflow(rest, fraction, &fraction))
		return -ERANGE;
	whole /= divisor;
	fraction = fraction / whole_divisor + (fraction % whole_divisor != 0);
	if (__builtin_add_overflow(whole, fraction, &whole) || whole > UINT64_MAX)
		return -ERANGE;
	*ret = (uint64_t)whole;
	return 0;
}

int parse_quantity(const char *text, uint64_t scale, uint64_t *ret)
{
	struct decimal number = { 0 };
	struct suffix suffix = { 0 };
	bool overflow = false;
	const char *end = decimal_parse(text, &number, &overflow);
	wide multiplier;
	uint64_t divisor = 1;
	int r;

	if (!end)
		return -EINVAL;
	r = suffix_parse(end, &suffix);
	if (r < 0)
		return r;
	if (overflow)
		return -ERANGE;
	if (number.whole == 0 && number.fraction == 0) {
		*ret = 0;
		return 0;
	}
	multiplier = (wide)suffix.factor * scale;
	for (; suffix.exponent > 0; suffix.exponent--)
		if (__builtin_mul_overflow(multiplier, (wide)10, &multiplier))
			return -ERANGE;
	for (; suffix.exponent < 0; suffix.exponent++) {
		if (multiplier % 10 == 0) {
			multiplier /= 10;
		} else if (divisor <= UINT64_MAX / 10) {
			divisor *= 10;
		} else {
			/* Only an exponent comes here: less than 2^64 / 10^20, but not nothing. */
			*ret = 1;
			return 0;
		}
	}
	return decimal_ratio(&number, multiplier, divisor, ret);
}
