/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmdline.h - what a QEMU command line (/proc/PID/cmdline) says of its machine. Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "source/machine/scope.h"

#define MACHINE_UUID_MAX 37u /* with NUL */

struct machine_cmdline {
	char name[MACHINE_NAME_MAX]; /* -name guest=NAME; "": none, too long, or not printable */
	char uuid[MACHINE_UUID_MAX]; /* -uuid, lower case; "": none */
	unsigned int vcpus;          /* -smp; 0: not said, which means 1 */
};

/* The name of a process (comm) that may be QEMU: cheap, before its command line is read. */
bool machine_comm_is_qemu(const char *comm);

/* text: arguments with a NUL after each; the last may lack it. False: not QEMU's. */
bool machine_cmdline_parse(const char *text, size_t size, struct machine_cmdline *ret);
