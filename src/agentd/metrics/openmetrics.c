/* SPDX-License-Identifier: Apache-2.0 */
/*
 * openmetrics.c - the page in its two forms: Prometheus text 0.0.4 and OpenMetrics 1.0.0
 * (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 */
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "metrics/registry-internal.h"

const char *exposition_content_type(enum exposition exposition)
{
	switch (exposition) {
	case EXPOSITION_TEXT_0_0_4:
		return "text/plain; version=0.0.4; charset=utf-8";
	case EXPOSITION_OPENMETRICS_1_0_0:
		return "application/openmetrics-text; version=1.0.0; charset=utf-8";
	}
	return "text/plain; charset=utf-8";
}

/* Beyond it, a whole number in a double no longer counts by ones. */
#define WHOLE_MAX 9007199254740992.0

static void value_add(struct strbuf *page, double value)
{
	char text[40];

	if (isnan(value)) {
		strbuf_add(page, "NaN");
	} else if (isinf(value)) {
		strbuf_add(page, value > 0 ? "+Inf" : "-Inf");
	} else if (value >= -WHOLE_MAX && value <= WHOLE_MAX && (double)(int64_t)value == value) {
		/* People read bytes and counts: no exponent. */
		strbuf_addf(page, "%" PRId64, (int64_t)value);
	} else {
		/* 17 digits bring every double back; 15 do for most, and are those of a person. */
		(void)snprintf(text, sizeof(text), "%.15g", value);
		if (strtod(text, NULL) != value)
			(void)snprintf(text, sizeof(text), "%.17g", value);
		strbuf_add(page, text);
	}
}

static void help_add(struct strbuf *page, const char *help, bool quotes)
{
	for (; *help; help++) {
		if (*help == '\n') {
			strbuf_add(page, "\\n");
			continue;
		}
		if (*help == '\\' || (quotes && *help == '"'))
			strbuf_add_char(page, '\\');
		strbuf_add_char(page, *help);
	}
}

void exposition_head(struct strbuf *page, const char *name, const char *type, const char *help,
		     enum exposition exposition)
{
	bool openmetrics = exposition == EXPOSITION_OPENMETRICS_1_0_0;
	size_t length = strlen(name);

	/* There, _total belongs to the sample and not to the family. */
	if (openmetrics && name_is_total(name))
		length -= strlen("_total");
	strbuf_add(page, "# HELP ");
	strbuf_add_bytes(page, name, length);
	strbuf_add_char(page, ' ');
	help_add(page, help, openmetrics);
	strbuf_add(page, "\n# TYPE ");
	strbuf_add_bytes(page, name, length);
	strbuf_add_char(page, ' ');
	strbuf_add(page, type);
	strbuf_add_char(page, '\n');
}

static int series_compare(const void *a, const void *b)
{
	const struct metric_series *const *first = a, *const *second = b;

	return strcmp((*first)->labels->text, (*second)->labels->text);
}

/* By labels: pages of two scrapes can be compared, whatever order the series came in. */
static int series_sorted(const struct metric_family *family, const struct metric_series ***ret)
{
	const struct metric_series **array = calloc(family->count, sizeof(const void *));
	const struct metric_series *series;
	size_t count = 0;

	if (!array)
		return -ENOMEM;
	list_foreach (series, &family->series, in_family)
		array[count++] = series;
	qsort(array, count, sizeof(*array), series_compare);
	*ret = array;
	return 0;
}

static int family_add(struct strbuf *page, const struct metric_family *family,
		      enum exposition exposition)
{
	cleanup_free const struct metric_series **array = NULL;
	int r;

	if (family->count == 0)
		return 0;
	r = series_sorted(family, &array);
	if (r < 0)
		return r;
	exposition_head(page, family->name, family->type == METRIC_COUNTER ? "counter" : "gauge",
			family->help, exposition);
	for (size_t i = 0; i < family->count; i++) {
		const char *labels = array[i]->labels->text;

		strbuf_add(page, family->name);
		if (*labels) {
			strbuf_add_char(page, '{');
			strbuf_add(page, labels);
			strbuf_add_char(page, '}');
		}
		strbuf_add_char(page, ' ');
		value_add(page, array[i]->value);
		strbuf_add_char(page, '\n');
	}
	return strbuf_error(page);
}

int metrics_render_families(const struct metrics *metrics, enum exposition exposition,
			    struct strbuf *ret_page)
{
	const struct metric_family *family;
	int r;

	list_foreach (family, &metrics->families, families) {
		r = family_add(ret_page, family, exposition);
		if (r < 0)
			return r;
	}
	return strbuf_error(ret_page);
}

int metrics_render(const struct metrics *metrics, enum exposition exposition,
		   struct strbuf *ret_page)
{
	int r = metrics_render_families(metrics, exposition, ret_page);

	if (r < 0)
		return r;
	if (exposition == EXPOSITION_OPENMETRICS_1_0_0)
		strbuf_add(ret_page, "# EOF\n");
	return strbuf_error(ret_page);
}
