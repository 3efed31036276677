/* SPDX-License-Identifier: Apache-2.0 */
/* negotiate.c - which form of the page a scraper wants: RFC 9110, 12.5.1 and 12.5.3. */
#include <string.h>
#include <strings.h>

#include "metrics/registry.h"
#include "parse.h"

#define QUALITY_MAX 1000u

struct span {
	const char *text;
	size_t length;
};

/* How good a fit a media range is: the closest one decides, not the best liked one. */
struct match {
	int closeness; /* -1 none, 0 all types, 1 all subtypes, 2 the type, 3 with its version */
	uint64_t quality;
};

static struct span span_trim(struct span span)
{
	while (span.length > 0 && strchr(" \t", span.text[0])) {
		span.text++;
		span.length--;
	}
	while (span.length > 0 && strchr(" \t", span.text[span.length - 1]))
		span.length--;
	return span;
}

static bool span_is(struct span span, const char *text)
{
	return span.length == strlen(text) && strncasecmp(span.text, text, span.length) == 0;
}

/* What stands before `separator`, trimmed; *rest moves past it. */
static struct span span_split(struct span *rest, char separator)
{
	const char *end = memchr(rest->text, separator, rest->length);
	struct span first = { rest->text, end ? (size_t)(end - rest->text) : rest->length };
	size_t used = first.length + (end ? 1 : 0);

	rest->text += used;
	rest->length -= used;
	return span_trim(first);
}

/* "0.5" to thousandths; a weight that is none, or over 1, is no weight. */
static bool quality_parse(struct span value, uint64_t *ret)
{
	char text[8];

	if (value.length == 0 || value.length >= sizeof(text) ||
	    memchr(value.text, 'm', value.length))
		return false;
	memcpy(text, value.text, value.length);
	text[value.length] = '\0';
	return parse_cpu_milli(text, ret) == 0 && *ret <= QUALITY_MAX;
}

static void range_match(struct span range, const char *type, const char *version,
			struct match *best)
{
	struct span name = span_split(&range, ';');
	struct match match = { .closeness = -1, .quality = QUALITY_MAX };
	const char *slash = strchr(type, '/');

	if (span_is(name, type))
		match.closeness = 2;
	else if (span_is(name, "*/*"))
		match.closeness = 0;
	else if (name.length == (size_t)(slash - type) + 2 &&
		 strncasecmp(name.text, type, name.length - 1) == 0 &&
		 name.text[name.length - 1] == '*')
		match.closeness = 1;
	else
		return;
	while (range.length > 0) {
		struct span value = span_split(&range, ';');
		struct span key = span_split(&value, '=');

		value = span_trim(value);
		if (value.length >= 2 && value.text[0] == '"')
			value = (struct span){ value.text + 1, value.length - 2 };
		if (span_is(key, "q") && !quality_parse(value, &match.quality))
			return;
		if (span_is(key, "version")) {
			if (!span_is(value, version))
				return;
			match.closeness = 3;
		}
	}
	if (match.closeness > best->closeness)
		*best = match;
}

enum exposition exposition_negotiate(const char *accept)
{
	struct match text = { .closeness = -1 }, openmetrics = { .closeness = -1 };
	struct span rest;

	if (!accept)
		return EXPOSITION_TEXT_0_0_4;
	rest = (struct span){ accept, strlen(accept) };
	while (rest.length > 0) {
		struct span range = span_split(&rest, ',');

		range_match(range, "text/plain", "0.0.4", &text);
		range_match(range, "application/openmetrics-text", "1.0.0", &openmetrics);
	}
	/* Only for those who name it: "*" from a browser or curl gets the form that all can read.
	 */
	if (openmetrics.closeness >= 2 && openmetrics.quality > 0 &&
	    openmetrics.quality >= text.quality)
		return EXPOSITION_OPENMETRICS_1_0_0;
	return EXPOSITION_TEXT_0_0_4;
}

/* The weight of one coding: as it is named, else that of "*", else the fallback. */
static uint64_t coding_quality(const char *accept, const char *name, const char *alias,
			       uint64_t fallback)
{
	struct span rest = { accept, strlen(accept) };
	bool named = false;

	while (rest.length > 0) {
		struct span range = span_split(&rest, ',');
		struct span coding = span_split(&range, ';');
		bool is_it = span_is(coding, name) || (alias && span_is(coding, alias));
		uint64_t quality = QUALITY_MAX;

		if (!is_it && (named || !span_is(coding, "*")))
			continue;
		while (range.length > 0) {
			struct span value = span_split(&range, ';');
			struct span key = span_split(&value, '=');

			/* A weight that is none is taken for a refusal, as of media types. */
			if (span_is(key, "q") && !quality_parse(span_trim(value), &quality))
				quality = 0;
		}
		named = named || is_it;
		fallback = quality;
	}
	return fallback;
}

int encoding_negotiate(const char *accept_encoding, enum encoding *ret)
{
	uint64_t identity, gzip;

	*ret = ENCODING_IDENTITY;
	if (!accept_encoding)
		return 0;
	/* What is not named is refused, but identity only where it is refused by name or by "*". */
	identity = coding_quality(accept_encoding, "identity", NULL, 1);
	gzip = coding_quality(accept_encoding, "gzip", "x-gzip", 0);
	if (identity == 0 && gzip == 0)
		return -EOPNOTSUPP;
	if (gzip >= identity)
		*ret = ENCODING_GZIP;
	return 0;
}
