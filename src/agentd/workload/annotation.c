/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/annotation.h"

#include <string.h>

#include "strbuf.h"

#define VALUE_SHOWN 64u /* bytes of a value in a message: a pod's author chooses its length */

struct alias_value {
	const char *text;
	enum qos_level level;
};

struct alias {
	const char *key;
	bool is_label;
	const struct alias_value *values; /* ends with a NULL text */
	const char *expected;
};

static const struct alias_value berth_values[] = {
	{ "critical", QOS_CRITICAL },   { "2", QOS_CRITICAL },
	{ "high", QOS_HIGH },           { "1", QOS_HIGH },
	{ "normal", QOS_NORMAL },       { "0", QOS_NORMAL },
	{ "batch", QOS_BATCH },         { "-1", QOS_BATCH },
	{ "scavenger", QOS_SCAVENGER }, { "-2", QOS_SCAVENGER },
	{ NULL, QOS_NORMAL },
};

static const struct alias_value preemptable_values[] = {
	{ "true", QOS_BATCH },
	{ "false", QOS_NORMAL },
	{ NULL, QOS_NORMAL },
};

static const struct alias_value volcano_values[] = {
	{ "LC", QOS_CRITICAL }, { "HLS", QOS_CRITICAL }, { "LS", QOS_HIGH },
	{ "BE", QOS_BATCH },    { NULL, QOS_NORMAL },
};

static const struct alias_value koordinator_values[] = {
	{ "LSE", QOS_CRITICAL }, { "LSR", QOS_CRITICAL },  { "LS", QOS_HIGH },
	{ "BE", QOS_BATCH },     { "SYSTEM", QOS_NORMAL }, { NULL, QOS_NORMAL },
};

static const struct alias_value katalyst_values[] = {
	{ "dedicated_cores", QOS_CRITICAL },
	{ "shared_cores", QOS_HIGH },
	{ "reclaimed_cores", QOS_BATCH },
	{ "system_cores", QOS_NORMAL },
	{ NULL, QOS_NORMAL },
};

/* In the order in which they are asked. rubik reads preemptable from the annotation first and from
 * the label only where there is no annotation, so the label is a row of its own. */
static const struct alias aliases[] = {
	{ "berth/qos", false, berth_values, "critical, high, normal, batch, scavenger or 2 to -2" },
	{ "volcano.sh/preemptable", false, preemptable_values, "\"true\" or \"false\"" },
	{ "volcano.sh/preemptable", true, preemptable_values, "\"true\" or \"false\"" },
	{ "volcano.sh/qos-level", false, volcano_values, "LC, HLS, LS or BE" },
	{ "koordinator.sh/qosClass", true, koordinator_values, "LSE, LSR, LS, BE or SYSTEM" },
	{ "katalyst.kubewharf.io/qos_level", false, katalyst_values,
	  "dedicated_cores, shared_cores, reclaimed_cores or system_cores" },
};

/* What is known so far; the texts are taken into the decision at the end, all or none. */
struct resolution {
	bool said;
	enum qos_level level;
	struct strbuf detail, conflict, malformed;
};

static void resolution_done(struct resolution *resolution)
{
	strbuf_done(&resolution->detail);
	strbuf_done(&resolution->conflict);
	strbuf_done(&resolution->malformed);
}

/* The text goes to logs, terminals and Events: bounded, without control characters, and not cut in
 * the middle of a character (bytes after its first are 10xxxxxx). */
static void add_value(struct strbuf *buffer, const char *value)
{
	size_t length = strnlen(value, VALUE_SHOWN + 1), shown = MIN(length, VALUE_SHOWN);

	while (length > VALUE_SHOWN && shown > 0 && ((unsigned char)value[shown] & 0xc0) == 0x80)
		shown--;
	for (size_t i = 0; i < shown; i++) {
		unsigned char byte = (unsigned char)value[i];

		strbuf_add_char(buffer, (char)(byte < 0x20 || byte == 0x7f ? '?' : value[i]));
	}
	if (length > VALUE_SHOWN)
		strbuf_add(buffer, "...");
}

static void add_malformed(struct strbuf *buffer, const char *key, const char *value,
			  const char *expected)
{
	if (buffer->length > 0)
		strbuf_add(buffer, "; ");
	strbuf_addf(buffer, "%s='", key);
	add_value(buffer, value);
	strbuf_addf(buffer, "' is not %s", expected);
}

static void resolve_alias(struct resolution *resolution, const struct alias *alias,
			  const char *value)
{
	const struct alias_value *row = alias->values;

	while (row->text && strcmp(row->text, value) != 0)
		row++;
	if (!row->text) {
		add_malformed(&resolution->malformed, alias->key, value, alias->expected);
		return;
	}
	if (!resolution->said) {
		resolution->said = true;
		resolution->level = row->level;
		strbuf_addf(&resolution->detail, "%s %s=%s",
			    alias->is_label ? "label" : "annotation", alias->key, value);
		return;
	}
	if (row->level == resolution->level)
		return;
	if (resolution->conflict.length > 0)
		strbuf_add(&resolution->conflict, ", ");
	strbuf_addf(&resolution->conflict, "%s%s=%s says %s", alias->is_label ? "label " : "",
		    alias->key, value, qos_name(row->level));
}

static bool resolve_flag(struct resolution *resolution, const struct label *annotations,
			 size_t count, const char *key)
{
	const char *value = label_get(annotations, count, key);

	if (!value || strcmp(value, "false") == 0)
		return false;
	if (strcmp(value, "true") == 0)
		return true;
	add_malformed(&resolution->malformed, key, value, "\"true\" or \"false\"");
	return false;
}

int annotation_resolve(const struct label *annotations, size_t annotation_count,
		       const struct label *labels, size_t label_count,
		       struct qos_decision *decision)
{
	CLEANUP(resolution_done) struct resolution resolution = { 0 };
	bool ignore, explain;

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++) {
		const struct alias *alias = &aliases[i];
		const char *value = alias->is_label
					    ? label_get(labels, label_count, alias->key)
					    : label_get(annotations, annotation_count, alias->key);

		if (value)
			resolve_alias(&resolution, alias, value);
	}
	ignore = resolve_flag(&resolution, annotations, annotation_count, "berth/ignore");
	explain = resolve_flag(&resolution, annotations, annotation_count, "berth/explain");
	if (strbuf_error(&resolution.detail) < 0 || strbuf_error(&resolution.conflict) < 0 ||
	    strbuf_error(&resolution.malformed) < 0)
		return -ENOMEM;

	decision->ignore = ignore;
	decision->explain = explain;
	if (resolution.malformed.length > 0)
		decision->malformed = strbuf_take(&resolution.malformed);
	if (!resolution.said)
		return 0;
	if (resolution.conflict.length > 0)
		decision->conflict = strbuf_take(&resolution.conflict);
	decision->level = resolution.level;
	decision->origin = ORIGIN_ANNOTATION;
	decision->detail = strbuf_take(&resolution.detail);
	return 1;
}

void qos_decision_done(struct qos_decision *decision)
{
	free(decision->detail);
	free(decision->conflict);
	free(decision->malformed);
	decision->detail = decision->conflict = decision->malformed = NULL;
}
