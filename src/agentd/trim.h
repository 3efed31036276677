/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trim.h - give back the memory that only a start or a reload needed.
 */
#pragma once

/* The heap's free pages, and the mappings of library code: what runs later is faulted in again from
 * the page cache, a few dozen minor faults; what only a start runs (relocation, constructors, YAML)
 * stays out of the resident set. Safe at any time. */
void memory_trim(void);
