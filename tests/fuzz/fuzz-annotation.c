/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-annotation.c - lines of "key=value", a label where the line begins with '@'. */
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "workload/annotation.h"

#define LINES 64u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Goes to logs and terminals: bounded, and no control characters in it. */
static void check(const char *text)
{
	if (text && strlen(text) > 4096)
		abort();
	for (; text && *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free char *text = malloc(size + 1);
	struct label annotations[LINES], labels[LINES];
	size_t annotation_count = 0, label_count = 0;
	struct qos_decision decision = { 0 };
	char *save = NULL;
	int r;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char *value = strchr(line, '=');

		if (!value || annotation_count == LINES || label_count == LINES)
			continue;
		*value++ = '\0';
		if (line[0] == '@')
			labels[label_count++] = (struct label){ line + 1, value };
		else
			annotations[annotation_count++] = (struct label){ line, value };
	}
	r = annotation_resolve(annotations, annotation_count, labels, label_count, &decision);
	if (r == 1 &&
	    (decision.level < QOS_SCAVENGER || decision.level > QOS_CRITICAL || !decision.detail))
		abort();
	if (r == 0 && (decision.detail || decision.conflict || decision.origin != ORIGIN_DEFAULT))
		abort();
	check(decision.detail);
	check(decision.conflict);
	check(decision.malformed);
	qos_decision_done(&decision);
	return 0;
}
