/* SPDX-License-Identifier: Apache-2.0 */
/* page-table.c - is a table of families one that Prometheus will take? */
#include "macro.h"
#include "metrics/page-internal.h"
#include "metrics/registry-internal.h"

/* The labels of workloads, and those that a source adds. */
static const char *const reserved[] = { "namespace", "pod", "container", "kind",
					"name",      "qos", "device",    "le" };

/* The next NAME="VALUE" of the labels of a column; *rest moves past it and its comma. False: it is
 * none. */
static bool label_next(const char **rest, const char **ret_name, size_t *ret_length)
{
	const char *name = *rest, *equals = strchr(name, '='), *end;

	if (!equals || equals == name || equals[1] != '"')
		return false;
	for (const char *c = name; c < equals; c++)
		if (!(*c >= 'a' && *c <= 'z') && *c != '_')
			return false;
	/* Values are words of ours: nothing to escape. */
	end = equals + 2 + strcspn(equals + 2, "\"\\\n");
	if (*end != '"' || (end[1] != '\0' && (end[1] != ',' || end[2] == '\0')))
		return false;
	*rest = end + (end[1] == ',' ? 2 : 1);
	*ret_name = name;
	*ret_length = (size_t)(equals - name);
	return true;
}

static bool is_reserved(const char *name, size_t length)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strlen(reserved[i]) == length && strncmp(reserved[i], name, length) == 0)
			return true;
	return false;
}

static bool labels_are_valid(const char *labels)
{
	const char *names[8], *rest = labels;
	size_t lengths[ARRAY_SIZE(names)], count = 0;

	while (*rest) {
		if (count == ARRAY_SIZE(names) ||
		    !label_next(&rest, &names[count], &lengths[count]) ||
		    is_reserved(names[count], lengths[count]))
			return false;
		for (size_t i = 0; i < count; i++)
			if (lengths[i] == lengths[count] &&
			    strncmp(names[i], names[count], lengths[i]) == 0)
				return false;
		count++;
	}
	return true;
}

static uint32_t value_end(enum metric_source source)
{
	switch (source) {
	case METRIC_FROM_VALUE:
		return SAMPLE_MAX;
	case METRIC_FROM_AVERAGE:
		return (uint32_t)SAMPLE_PRESSURE_COUNT * (uint32_t)SAMPLE_WINDOWS;
	case METRIC_FROM_DEVICE:
		return SAMPLE_IO_MAX;
	case METRIC_FROM_LATENCY:
		return 1;
	}
	return 0;
}

static const char *columns_check(const struct metric_table *table)
{
	if (!table->columns || table->column_count == 0 || table->column_count > LIMIT_PAGE_COLUMNS)
		return "a family has no columns, or too many";
	if (table->source == METRIC_FROM_LATENCY && table->column_count != 1)
		return "a histogram has one column";
	for (uint32_t i = 0; i < table->column_count; i++) {
		const struct metric_column *column = &table->columns[i];

		if (!column->labels || !labels_are_valid(column->labels))
			return "the labels of a column are not NAME=\"VALUE\",... with names that "
			       "workloads do not have";
		if (column->value >= value_end(table->source))
			return "a column has a value that its source has not";
		for (uint32_t j = 0; j < i; j++)
			if (strcmp(table->columns[j].labels, column->labels) == 0)
				return "two columns have the same labels";
	}
	return NULL;
}

static const char *table_check(const struct metric_table *table)
{
	bool microseconds =
		table->source == METRIC_FROM_VALUE || table->source == METRIC_FROM_LATENCY;

	if (!table->name || !metric_name_is_valid(table->name) ||
	    strncmp(table->name, "berth_", strlen("berth_")) != 0)
		return "a family's name is none, or does not begin with berth_";
	if (!table->help || !*table->help)
		return "a family has no help";
	if ((unsigned int)table->source > METRIC_FROM_LATENCY)
		return "a family has a source that this berthd does not know";
	if (name_is_total(table->name) && table->source != METRIC_FROM_VALUE &&
	    table->source != METRIC_FROM_DEVICE)
		return "an average or a histogram cannot be a counter";
	if (table->divisor != 1 && !(microseconds && table->divisor == 1000000))
		return "the divisor is 1, or 1000000 from microseconds to seconds";
	return columns_check(table);
}

/* Without what OpenMetrics and histograms put behind it. */
static size_t stem_length(const char *name)
{
	static const char *const suffixes[] = { "_total", "_bucket", "_count", "_sum", "_created" };
	size_t length = strlen(name);

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && strcmp(name + length - suffix, suffixes[i]) == 0)
			return length - suffix;
	}
	return length;
}

bool page_names_clash(const char *first, const char *second)
{
	size_t length = stem_length(first);

	return length == stem_length(second) && strncmp(first, second, length) == 0;
}

int page_check_tables(const struct metric_table *tables, size_t count, const char **ret_why)
{
	const char *why = NULL;

	if (count > LIMIT_PAGE_FAMILIES || (count > 0 && !tables))
		why = "too many families, or none where some are announced";
	for (size_t i = 0; !why && i < count; i++) {
		why = table_check(&tables[i]);
		for (size_t j = 0; !why && j < i; j++)
			if (page_names_clash(tables[j].name, tables[i].name))
				why = "two families have the same name";
	}
	if (why)
		*ret_why = why;
	return why ? -EINVAL : 0;
}

bool page_has_family(const struct page *page, const char *name)
{
	for (size_t i = 0; i < page->table_count; i++)
		if (page_names_clash(page->tables[i].name, name))
			return true;
	return false;
}
