/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - every family of the daemon and its plugins, for docs/metrics.md. */
#include <string.h>

#include "api/self/self.h"
#include "plugin/loader.h"

/* NAME="VALUE" at text: what stands in the place of NAME and VALUE, and where the next one is. */
static const char *label_at(const char *text, int *ret_name, const char **ret_value,
			    int *ret_length)
{
	const char *equals = strchr(text, '=');
	const char *end = equals ? strchr(equals + 2, '"') : NULL;

	if (!end)
		return NULL;
	*ret_name = (int)(equals - text);
	*ret_value = equals + 2;
	*ret_length = (int)(end - equals - 2);
	return end[1] == ',' ? end + 2 : end + 1;
}

/* The value of that label in a column, or NULL. */
static const char *value_of(const char *labels, const char *name, int name_length, int *ret_length)
{
	const char *value, *rest = labels;
	int length;

	while (*rest) {
		const char *at = rest;

		rest = label_at(at, &length, &value, ret_length);
		if (!rest)
			return NULL;
		if (length == name_length && strncmp(at, name, (size_t)length) == 0)
			return value;
	}
	return NULL;
}

/* NAME=FIRST|SECOND: every value that the columns have, once. */
static void label_print(FILE *out, const struct metric_table *table, const char *name, int length)
{
	(void)fprintf(out, "%.*s", length, name);
	for (uint32_t c = 0; c < table->column_count; c++) {
		int size = 0, other_size = 0;
		const char *value = value_of(table->columns[c].labels, name, length, &size);
		bool known = false;

		for (uint32_t before = 0; value && before < c; before++) {
			const char *other =
				value_of(table->columns[before].labels, name, length, &other_size);

			known = known || (other && other_size == size &&
					  strncmp(other, value, (size_t)size) == 0);
		}
		if (value && !known)
			(void)fprintf(out, "%c%.*s", c == 0 ? '=' : '|', size, value);
	}
}

static void labels_print(FILE *out, const struct metric_table *table)
{
	const char *rest = table->columns[0].labels, *comma = "", *value;
	int length, size;

	if (table->source == METRIC_FROM_DEVICE) {
		(void)fputs("device", out);
		comma = ",";
	}
	while (*rest) {
		const char *at = rest;

		rest = label_at(at, &length, &value, &size);
		if (!rest)
			return;
		(void)fputs(comma, out);
		label_print(out, table, at, length);
		comma = ",";
	}
	if (table->source == METRIC_FROM_LATENCY)
		(void)fprintf(out, "%sle", comma);
}

static const char *type_of(const struct metric_table *table)
{
	size_t length = strlen(table->name);

	if (table->source == METRIC_FROM_LATENCY)
		return "histogram";
	return length > 6 && strcmp(table->name + length - 6, "_total") == 0 ? "counter" : "gauge";
}

void self_metrics_dump(FILE *out, const struct plugin_list *plugins)
{
	const struct self_metric *metric;

	for (size_t i = 0; (metric = self_metric_at(i)); i++)
		(void)fprintf(out, "%s\t%s\t%s\t%s\t\n", metric->name,
			      metric->type == METRIC_COUNTER ? "counter" : "gauge", metric->labels,
			      metric->help);
	for (size_t i = 0; i < plugins->count; i++) {
		const struct berth_plugin *plugin = &plugins->items[i]->table;

		for (size_t t = 0; t < plugin->metric_count; t++) {
			const struct metric_table *table = &plugin->metrics[t];

			(void)fprintf(out, "%s\t%s\t", table->name, type_of(table));
			labels_print(out, table);
			(void)fprintf(out, "\t%s\t%s\n", table->help, plugin->name);
		}
	}
}
