/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <string.h>

#include "config/bind.h"
#include "macro.h"
#include "strbuf.h"

#define WORD_MAX 64u

/* '-' and '_' and letter case are what people mix up most; they cost nothing. */
static int fold(char character)
{
	return character == '-' ? '_' : tolower((unsigned char)character);
}

static unsigned int minimum(unsigned int a, unsigned int b, unsigned int c)
{
	return MIN(MIN(a, b), c);
}

/* Edit distance with swapped neighbours as one edit (optimal string alignment); UINT_MAX-like for
 * words over WORD_MAX, which nobody mistypes. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int rows[3][WORD_MAX + 1];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > WORD_MAX || b_length > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= b_length; j++)
		rows[0][j] = (unsigned int)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned int *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned int)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned int same = fold(a[i - 1]) == fold(b[j - 1]) ? 0 : 1;

			row[j] = minimum(up[j] + 1, row[j - 1] + 1, up[j - 1] + same);
			if (i > 1 && j > 1 && fold(a[i - 1]) == fold(b[j - 2]) &&
			    fold(a[i - 2]) == fold(b[j - 1]))
				row[j] = MIN(row[j], up2[j - 2] + 1);
		}
	}
	return rows[a_length % 3][b_length];
}

const char *config_nearest(const char *key, const char *const *known)
{
	size_t length = strlen(key);
	unsigned int nearest = (unsigned int)(length < 4 ? 1 : length / 3), d;
	const char *found = NULL;

	for (size_t i = 0; known && known[i]; i++) {
		d = distance(key, known[i]);
		if (d < nearest || (d == nearest && !found)) {
			nearest = d;
			found = known[i];
		}
	}
	/* A word cut short: "reconcile" for "reconcile_interval". */
	for (size_t i = 0; known && known[i] && !found && length >= 3; i++)
		if (strncasecmp(key, known[i], length) == 0)
			found = known[i];
	return found;
}

void config_unknown_key(struct config_errors *errors, const struct config_node *node,
			const char *prefix, const char *const *known)
{
	CLEANUP(strbuf_done) struct strbuf names = { 0 };
	const char *nearest = config_nearest(node->key, known);
	/* The place is the key's own. */
	struct config_node place = { .file = node->file,
				     .line = node->key_line,
				     .column = node->key_column };
	char key[128];

	(void)snprintf(key, sizeof(key), "%s%s", prefix ? prefix : "", node->key);
	if (nearest) {
		config_errors_add(errors, &place, key, "unknown key; did you mean '%s'?", nearest);
		return;
	}
	for (size_t i = 0; known && known[i]; i++)
		strbuf_addf(&names, "%s%s", i ? ", " : "", known[i]);
	config_errors_add(errors, &place, key, "unknown key; known here: %s",
			  names.text ? strbuf_text(&names) : "none");
}
