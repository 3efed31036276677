/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client.h - one question to berthd over its control socket, and how answers are read. A key that
 * is missing reads as "", 0 or false, so that an older berthd is shown as far as it answers.
 */
#pragma once

#include <stdint.h>

#include "ctl.h"

/* Method, path and the answer, the caller's to json_decref(). On failure it says to stderr what is
 * wrong and what to do (and with -o json prints the error's JSON): -ENOENT or -ECONNREFUSED no
 * daemon, -EACCES, -EREMOTEIO it refused, -EPROTO it made no sense, -ETIMEDOUT abandoned. */
int client_call(const struct ctl *ctl, const char *method, const char *path, json_t **ret);
/* GET; as JSON to stdout if that is wanted: then 1 with *ret unset, else 0. */
int client_get(const struct ctl *ctl, const char *path, json_t **ret);
/* "PATH?KEY=VALUE", the value escaped. */
int client_path(struct strbuf *ret, const char *path, const char *key, const char *value);

const char *json_read_text(const json_t *object, const char *key);
uint64_t json_read_number(const json_t *object, const char *key);
int64_t json_read_signed(const json_t *object, const char *key);
bool json_read_bool(const json_t *object, const char *key);
json_t *json_read(const json_t *object, const char *key);
