/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf-log.h - libbpf's own lines: what it tried and went on without is nobody's concern, so they
 * are debug lines of the log, from whichever thread.
 */
#pragma once

/* Before the first thread uses libbpf; again changes nothing. */
void bpf_log_start(void);
