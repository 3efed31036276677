/* SPDX-License-Identifier: Apache-2.0 */
/* koordinator.h - what the import-koordinator*.c files share. */
#pragma once

#include "import/import.h"

/* resource-qos-config: classes of pods with what each resource is to do for them. */
extern const struct import_field koordinator_qos_fields[];
/* What its table cannot say, into the policy. 0 or -EINVAL with errors added. */
int koordinator_qos_apply(const struct import_section *section);
