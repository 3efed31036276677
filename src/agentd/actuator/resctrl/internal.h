/* SPDX-License-Identifier: Apache-2.0 */
/* internal.h - the text of schemata, between the files of resctrl.h. Nobody else's. */
#pragma once

#include "actuator/resctrl/resctrl.h"

/* One line, "    L3:0=0ff;1=0ff", cut out of a text that is the caller's to spoil. */
struct resctrl_line {
	char name[16];
	char *rest;
};

/* 1; 0: there is none left. Lines that are none, or of too long a name, are passed over. */
int resctrl_line_cut(char **rest, struct resctrl_line *ret);
/* The next domain and its value: hexadecimal, of bandwidth decimal. 1; 0: the end; -EINVAL. */
int resctrl_line_next(struct resctrl_line *line, enum resctrl_kind kind, uint32_t *ret_domain,
		      uint64_t *ret_value);
