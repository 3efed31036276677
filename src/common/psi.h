/* SPDX-License-Identifier: Apache-2.0 */
/*
 * psi.h - parse pressure files. Format: Documentation/accounting/psi.rst; lines
 * "some avg10=0.00 avg60=0.00 avg300=0.00 total=0". Averages are kept in hundredths of a percent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct psi_line {
	bool present;
	uint32_t avg10, avg60, avg300; /* hundredths of a percent: 10000 is all of the time */
	uint64_t total_usec;
};

struct psi {
	struct psi_line some, full;
};

/* Unknown lines and keys are passed over (kernels add them); a malformed number is -EINVAL, and so
 * is a text with neither line. *ret is set only on success. */
int psi_parse(const char *text, struct psi *ret);

/* One line of such a file, up to `end`: 1 and set in *psi, 0 if it is another line, or -EINVAL. */
int psi_line_parse(const char *line, const char *end, struct psi *psi);
