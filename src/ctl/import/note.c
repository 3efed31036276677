/* SPDX-License-Identifier: Apache-2.0 */
/* note.c - what is wrong, and what is different. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import/import.h"
#include "limit.h"
#include "macro.h"

void import_notes_done(struct import_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++) {
		free(notes->items[i].key);
		free(notes->items[i].text);
	}
	free(notes->items);
	*notes = (struct import_notes){};
}

ANALYZER_LEAK_IGNORE_BEGIN
/* Was there room for it? */
static bool note_add(struct import *import, const struct import_document *document, const char *key,
		     bool is_error, const char *text)
{
	struct import_notes *notes = &import->notes;
	struct import_note note = { .is_error = is_error, .document = document };
	struct import_note *grown;

	notes->errors += is_error;
	if (notes->count >= LIMIT_IMPORT_NOTES) {
		notes->dropped++;
		return false;
	}
	grown = realloc(notes->items, (notes->count + 1) * sizeof(*grown));
	if (grown) {
		notes->items = grown;
		note.key = strdup(key);
		note.text = strdup(text);
	}
	if (!note.key || !note.text) {
		free(note.key);
		free(note.text);
		import->error = -ENOMEM;
		return false;
	}
	if (document && document->root)
		import_place_find(document, key, &note.line, &note.column);
	notes->items[notes->count++] = note;
	return true;
}
ANALYZER_LEAK_IGNORE_END

/* NULL: no memory, which is noted. */
static char *note_text(struct import *import, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static char *note_text(struct import *import, const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) >= 0)
		return text;
	import->error = -ENOMEM;
	return NULL;
}

int import_error(struct import *import, const struct import_document *document, const char *key,
		 const char *format, ...)
{
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = note_text(import, format, arguments);
	va_end(arguments);
	if (text)
		(void)note_add(import, document, key, true, text);
	return -EINVAL;
}

void import_remark(struct import *import, const struct import_document *document, const char *key,
		   struct import_node *policy, const char *at, const char *format, ...)
{
	struct import_node *node = import_policy_at(import, policy, at);
	cleanup_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	text = note_text(import, format, arguments);
	va_end(arguments);
	if (text && note_add(import, document, key, false, text) && node)
		strbuf_addf(&node->before, "%s%s%s\n", key, *key ? ": " : "", text);
}

void import_note_print(const struct import_note *note, struct strbuf *page)
{
	if (note->document)
		strbuf_addf(page, "%s:", note->document->file);
	if (note->line)
		strbuf_addf(page, "%u:%u:", note->line, note->column);
	strbuf_addf(page, "%s%s%s%s", page->length ? " " : "", note->key, *note->key ? ": " : "",
		    note->text);
}
