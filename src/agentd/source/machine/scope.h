/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scope.h - what a cgroup path says of a virtual machine of libvirt's QEMU driver. Pure.
 *
 *   systemd-machined   machine.slice[/machine-PARTITION.slice]/machine-qemu\x2d1\x2dNAME.scope
 *   libvirt itself     machine[/PARTITION.partition]/qemu-1-NAME.libvirt-qemu (v1, or no systemd)
 *   libvirt before 1.3 machine/NAME.libvirt-qemu
 *
 * Below it are libvirt/ (since 7.1), emulator, vcpuN, iothreadN. The name is what libvirt made of
 * the domain's: only letters, digits, dots and dashes, cut so that the whole has 64 bytes. The true
 * one is in QEMU's command line.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MACHINE_NAME_MAX 256u /* with NUL */

struct machine_scope {
	size_t length;                  /* of the part of the path that is the machine's group */
	char machine[MACHINE_NAME_MAX]; /* as machined calls it: "qemu-1-NAME" */
	const char *domain;             /* in it: NAME */
};

/* The topmost group of a machine on the path, which may go on below it. False: none. */
bool machine_scope_parse(const char *path, struct machine_scope *ret);

/* "qemu-1-NAME" of libvirtd, "qemu-USER-1-NAME" of a user's, "qemu-embed-HASH-1-NAME": where NAME
 * begins. NULL: not a name that libvirt's QEMU driver makes. */
const char *machine_name_domain(const char *machine);
