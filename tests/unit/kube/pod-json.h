/* SPDX-License-Identifier: Apache-2.0 */
/* pod-json.h - pods of fixture files and of texts in a test. */
#pragma once

#include <jansson.h>

#include "berth-test.h"
#include "kube/pod.h"

static inline json_t *fixture_json(const char *name)
{
	char path[512], file[256];
	json_error_t error;
	json_t *object;

	(void)snprintf(file, sizeof(file), "kube/%s", name);
	object = json_load_file(fixture_path(file, path, sizeof(path)), 0, &error);
	if (!object)
		fail_msg("%s:%d: %s", path, error.line, error.text);
	return object;
}

/* Takes the object. */
static inline struct kube_pod *pod_of_json(json_t *object)
{
	struct kube_pod *pod = NULL;
	char why[256] = "";
	int r = kube_pod_decode(object, why, sizeof(why), &pod);

	json_decref(object);
	if (r < 0)
		fail_msg("%s", why);
	return pod;
}

static inline json_t *json_of_text(const char *text)
{
	json_error_t error;
	json_t *object = json_loads(text, 0, &error);

	if (!object)
		fail_msg("%s: %s", text, error.text);
	return object;
}

static inline struct kube_pod *pod_of_text(const char *text)
{
	return pod_of_json(json_of_text(text));
}
