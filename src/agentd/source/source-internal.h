/* SPDX-License-Identifier: Apache-2.0 */
/*
 * source-internal.h - what the sources share among themselves.
 */
#pragma once

#include "source/source.h"

/* Set state and detail; a change of state is logged, DOWN as a warning. */
void source_set_state(struct source *source, enum source_state state, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
