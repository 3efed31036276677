/* SPDX-License-Identifier: Apache-2.0 */
/*
 * line.h - files that hold more than one knob: a line for each block device ("8:0 rbps=1
 * wbps=max" in io.max, "8:0 1" in blkio.throttle.*), or a line for what devices have in common
 * ("default 100" in io.weight). The value of one knob is cut out of the text, and written as one
 * line by itself: the kernel takes the first line of a write(2) and passes over the others without
 * an error.
 *
 * A device that has no line has the kernel's default, which has a text here ("max") and is a value
 * like any other, so that it can be an original.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "berth-plugin.h"

#define KNOB_LINES_MAX    65536u /* bytes of a whole file; a line is under 150 */
#define DEVICE_NAME_BYTES 16u    /* "4095:1048575" and NUL; IFNAMSIZ */

/* A dev_t as the actuator keeps it: those of Linux have 12 and 20 bits and fit. 0: no device. */
int device_from_dev(uint64_t dev, uint32_t *ret);
/* "8:0" */
void device_name(uint32_t device, char text[static DEVICE_NAME_BYTES]);
/* The same of a knob's device, which may be a network device: "eth0"; "" for none. */
void knob_device_name(enum knob knob, uint32_t device, char text[static DEVICE_NAME_BYTES]);

/* The value of the knob in the text of its file. -EMSGSIZE; -EINVAL: a line that is not understood.
 */
int knob_line_find(enum knob knob, int version, uint32_t device, const char *file, char *value,
		   size_t size);
/* What to write for a value. -EMSGSIZE. */
int knob_line_make(enum knob knob, int version, uint32_t device, const char *value, char *line,
		   size_t size);
/* Do two texts of io.cost.* mean the same? Each key of the shorter one is in the other with the
 * same value ("95" is "95.00"); under ctrl=auto the kernel's own parameters are no difference. */
bool knob_pairs_same(const char *a, const char *b);
