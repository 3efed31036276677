/* SPDX-License-Identifier: Apache-2.0 */
/* dump.c - the table as `berthd --dump-knobs` prints it, a row a line: docs are held to it. */
#include <inttypes.h>
#include <stdio.h>

#include "actuator/knob/table.h"
#include "macro.h"
#include "strbuf.h"

static void range_add(struct strbuf *text, const struct knob_row *row)
{
	if (row->type == KNOB_TYPE_TEXT)
		strbuf_add(text, "-");
	else if (row->type == KNOB_TYPE_S64)
		strbuf_addf(text, "%" PRId64 " to %" PRId64, (int64_t)row->min, (int64_t)row->max);
	else if (row->max == UINT64_MAX)
		strbuf_addf(text, "%" PRIu64 " to max", row->min);
	else
		strbuf_addf(text, "%" PRIu64 " to %" PRIu64, row->min, row->max);
}

static void flags_add(struct strbuf *text, uint32_t flags)
{
	static const struct {
		uint32_t flag;
		const char *name;
	} names[] = {
		{ KNOB_SUM_UP, "sum-up" },
		{ KNOB_MAY_BLOCK, "may-block" },
		{ KNOB_ONE_WAY, "one-way" },
		{ KNOB_PROCESSES, "processes" },
		{ KNOB_HOST, "host" },
		{ KNOB_TOP_DOWN, "top-down" },
		{ KNOB_DEVICE, "device" },
		{ KNOB_ROOT, "root" },
		{ KNOB_DEFAULT, "default" },
		{ KNOB_CPULIST, "cpus" },
		{ KNOB_NESTED, "nested" },
		{ KNOB_GROW_UP, "grow-up" },
		{ KNOB_LOWER_ONLY, "lower-only" },
		{ KNOB_RESCTRL, "resctrl" },
		{ KNOB_NET, "net" },
		{ KNOB_NET_CLS, "net-cls" },
		{ KNOB_BWM, "bwm" },
	};
	bool any = false;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & names[i].flag))
			continue;
		strbuf_addf(text, "%s%s", any ? ", " : "", names[i].name);
		any = true;
	}
	if (!any)
		strbuf_add(text, "-");
}

void knob_table_dump(FILE *out)
{
	static const char *const types[] = { "u64", "s64", "text" };
	static const char *const merges[] = { "min", "max", "exclusive", "intersect" };
	static const char *const drifts[] = { "rewrite", "original", "yield" };

	for (size_t i = 0; i < KNOB_MAX; i++) {
		const struct knob_row *row = &knob_table[i];
		cleanup_strbuf struct strbuf range = { 0 };
		cleanup_strbuf struct strbuf flags = { 0 };

		range_add(&range, row);
		flags_add(&flags, row->flags);
		(void)fprintf(
			out, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row->name,
			controller_name(row->controller), row->file_v1 ? row->file_v1 : "-",
			row->file_v2 ? row->file_v2 : "-", types[row->type], strbuf_text(&range),
			merges[row->merge], drifts[row->drift], strbuf_text(&flags),
			row->locks < 0 ? "-" : knob_table[row->locks].name, row->help, row->source);
	}
}
