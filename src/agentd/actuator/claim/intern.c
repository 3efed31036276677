/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/claim/intern.h"

#include <stdlib.h>
#include <string.h>

struct intern_entry {
	size_t count;
	char text[];
};

const char *intern_get(struct intern *intern, const char *text)
{
	struct intern_entry *entry = hashmap_get(&intern->map, text);
	size_t size = strlen(text) + 1;

	if (!entry) {
		entry = malloc(sizeof(*entry) + size);
		if (!entry)
			return NULL;
		entry->count = 0;
		memcpy(entry->text, text, size);
		if (hashmap_put(&intern->map, entry->text, entry) < 0) {
			free(entry);
			return NULL;
		}
	}
	entry->count++;
	return entry->text;
}

void intern_put(struct intern *intern, const char *text)
{
	struct intern_entry *entry = text ? hashmap_get(&intern->map, text) : NULL;

	if (!entry || --entry->count > 0)
		return;
	(void)hashmap_remove(&intern->map, text);
	free(entry);
}

void intern_done(struct intern *intern)
{
	struct intern_entry *entry;

	hashmap_foreach (entry, &intern->map)
		free(entry);
	hashmap_done(&intern->map);
}
