/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sample.h - the values of a workload's sample by name, as the control API and tests have them.
 */
#pragma once

#include "berth-plugin.h"

/* "cpu_usage_usec"; never NULL for a value below SAMPLE_MAX. */
const char *sample_value_name(enum sample_value value);
/* "read_bytes", "writes" */
const char *sample_io_name(enum sample_io io);
