/* SPDX-License-Identifier: Apache-2.0 */
#include "workload/selector.h"

#include <fnmatch.h>
#include <string.h>

#include "strbuf.h"
#include "workload/annotation.h"

static bool text_matches(const char *pattern, const char *text)
{
	/* No FNM_PATHNAME: "kubepods.slice*" is meant to reach everything below. */
	return !pattern || fnmatch(pattern, text ? text : "", 0) == 0;
}

static bool label_matches(const struct label *wanted, const struct workload_record *record)
{
	for (size_t i = 0; i < record->label_count; i++)
		if (strcmp(record->labels[i].key, wanted->key) == 0)
			return text_matches(wanted->value, record->labels[i].value);
	return false;
}

bool selector_matches(const struct rule_match *match, const struct workload_record *record)
{
	if (!text_matches(match->kind, record->kind) ||
	    !text_matches(match->namespace, record->namespace) ||
	    !text_matches(match->name, record->name) ||
	    !text_matches(match->cgroup, record->cgroup))
		return false;
	for (size_t i = 0; i < match->label_count; i++)
		if (!label_matches(&match->labels[i], record))
			return false;
	return true;
}

static const struct rule *rule_first(const struct settings *settings,
				     const struct workload_record *record)
{
	for (size_t i = 0; i < settings->rule_count; i++)
		if (selector_matches(&settings->rules[i].match, record))
			return &settings->rules[i];
	return NULL;
}

static int decide_without_annotation(const struct settings *settings, const struct rule *rule,
				     struct qos_decision *decision)
{
	struct strbuf detail = { 0 };

	if (rule && rule->has_qos) {
		decision->level = rule->qos;
		decision->origin = ORIGIN_RULE;
		strbuf_addf(&detail, "rule %s:%u", rule->file ? rule->file : "?", rule->line);
	} else {
		decision->level = (enum qos_level)((int)settings->default_qos + QOS_SCAVENGER);
		decision->origin = ORIGIN_DEFAULT;
		strbuf_addf(&detail, "default_qos %s", qos_name(decision->level));
	}
	decision->detail = strbuf_take(&detail);
	return decision->detail ? 0 : -ENOMEM;
}

int selector_decide(const struct settings *settings, const struct workload_record *record,
		    struct qos_decision *ret)
{
	const struct rule *rule = rule_first(settings, record);
	struct qos_decision decision = { 0 };
	int r;

	r = annotation_resolve(record->annotations, record->annotation_count, record->labels,
			       record->label_count, &decision);
	if (r == 0)
		r = decide_without_annotation(settings, rule, &decision);
	if (r < 0) {
		qos_decision_done(&decision);
		return r;
	}
	/* An annotation is about the level. That a group is to be left alone, or what a VM or unit
	 * asks for, the node's owner may say of it all the same. */
	if (rule) {
		decision.ignore |= rule->ignore;
		decision.cpu_request_milli = rule->cpu_request_milli;
		decision.memory_request_bytes = rule->memory_request_bytes;
	}
	*ret = decision;
	return 0;
}
