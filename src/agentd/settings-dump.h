/* SPDX-License-Identifier: Apache-2.0 */
/*
 * settings-dump.h - every key as a line "SECTION.KEY<TAB>TYPE<TAB>DEFAULT<TAB>HELP", for
 * `berthd --dump-fields`: what holds conf/berth.yaml and the man page to the tables.
 */
#pragma once

#include <stdio.h>

#include "berth-plugin.h"

/* All keys of the daemon itself, also those that no table holds. */
void settings_dump_daemon(FILE *out);
/* All keys below plugins.NAME, `enabled` first. fields may be NULL. */
void settings_dump_plugin(FILE *out, const char *name, const struct config_field *fields);
