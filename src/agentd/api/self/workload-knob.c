/* SPDX-License-Identifier: Apache-2.0 */
/* workload-knob.c - what Berth holds on each workload, as numbers. */
#include <math.h>
#include <string.h>

#include "actuator/actuator.h"
#include "actuator/knob/table.h"
#include "api/self/internal.h"
#include "hashmap.h"
#include "parse.h"
#include "plugin/host.h"
#include "workload/registry.h"

/* "1", "-1", "max"; of "20000 100000" the quota. */
static bool written_number(const char *text, double *ret)
{
	char first[32];
	size_t length = strcspn(text, " ");
	int64_t number;

	if (length == 0 || length >= sizeof(first))
		return false;
	(void)memcpy(first, text, length);
	first[length] = '\0';
	if (strcmp(first, "max") == 0)
		*ret = INFINITY;
	else if (parse_s64(first, &number) == 0)
		*ret = (double)number;
	else
		return false;
	return true;
}

struct knob_fill {
	struct self_page *page;
	const struct self_state *state;
	uint64_t digest; /* of all series */
	bool set;        /* or only the digest */
	bool whole;      /* no series was left out */
};

static void digest_add(uint64_t *digest, const void *bytes, size_t length)
{
	/* Multiplied, so that the order matters. */
	*digest = (*digest ^ hash_bytes(bytes, length)) * 0x100000001b3ULL;
}

static void fill_knob(void *data, const struct held_view *view)
{
	struct knob_fill *fill = data;
	struct metric_label labels[1 + WORKLOAD_METRIC_LABELS] = { { "knob", view->file } };
	const struct workload *workload;
	struct self_page *page = fill->page;
	double number;
	size_t count;
	int r;

	if (view->target.kind != TARGET_WORKLOAD || view->status != KNOB_WRITTEN ||
	    knob_table[view->knob].type == KNOB_TYPE_TEXT ||
	    !written_number(view->written, &number))
		return;
	workload = registry_get(fill->state->registry, view->target.id);
	if (!workload)
		return;
	count = 1 + workload_metric_labels(fill->state->host, &workload->view, labels + 1);
	if (!fill->set) {
		for (size_t i = 0; i < count; i++)
			digest_add(&fill->digest, labels[i].value, strlen(labels[i].value));
		digest_add(&fill->digest, &number, sizeof(number));
		return;
	}
	r = metrics_set(page->metrics, page->families[SELF_WORKLOAD_KNOB], 0, labels, count,
			number);
	fill->whole &= r >= 0;
	if (r < 0 && r != -ENOSPC && !page->error)
		page->error = r;
}

/* They change a thousand times less often than somebody looks. */
void self_fill_knobs(struct self_page *page, const struct self_state *state)
{
	struct metric_family *family = page->families[SELF_WORKLOAD_KNOB];
	struct knob_fill fill = { .page = page, .state = state, .digest = 1, .whole = true };

	if (!state->host)
		return;
	actuator_each_held(state->actuator, fill_knob, &fill);
	if (metrics_stamp(family) == fill.digest)
		return;
	metrics_clear_family(page->metrics, family);
	fill.set = true;
	actuator_each_held(state->actuator, fill_knob, &fill);
	metrics_set_stamp(family, fill.whole ? fill.digest : 0);
}
