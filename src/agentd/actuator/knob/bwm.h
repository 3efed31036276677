/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bwm.h - what openEuler's module bwm is told below /proc/qos:
 *
 *   bwm.bandwidth   "LOW,HIGH" of offline traffic, each a number and kb, mb or gb (of 1024)
 *   bwm.waterline   "NUMBER" and such a unit
 *
 * The module cuts the last character of what is written, puts the rest behind "bwmcli -s ..." and
 * has root's shell run that, so that nothing but such a text is ever written. It reads back as it
 * was written; nothing, if that never happened: then bwmcli's own default holds, or what somebody
 * told bwmcli itself, which no file shows.
 */
#pragma once

#include <stdbool.h>

#include "berth-plugin.h"

#define BWM_PROC "proc/qos" /* below the sysroot */
/* Below the root: where bwmcli keeps the values, from the first device on. */
#define BWM_MAP "sys/fs/bpf/tc/globals/throttle_cfg"

/* What is written for a text: itself; for "" the default; NULL: it is none. */
const char *bwm_knob_text(enum knob knob, const char *text);
bool bwm_knob_same(enum knob knob, const char *a, const char *b);
