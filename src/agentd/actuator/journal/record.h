/* SPDX-License-Identifier: Apache-2.0 */
/* record.h - the encoder of journal.h's records. */
#pragma once

#include "actuator/journal/journal.h"
#include "strbuf.h"

#define JOURNAL_STRINGS 5

/* Appends the record; strbuf_error() tells of want of memory. */
void journal_encode(struct strbuf *buffer, const struct journal_record *record);
