/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pods-world.h - cgroup hierarchies of plain directories, a table of pods over them, and pods out
 * of JSON as an API has it.
 */
#pragma once

#include <jansson.h>
#include <systemd/sd-event.h>

#include "source/pods/internal.h"
#include "workload/tree.h"

#define UID_A "81091155-cf2d-465d-b40b-1ee79f213f62"
#define UID_B "baea8cbc-1c96-4ee7-bdd4-b860d589600e"
#define HASH  "5f2b8d7ec9a14f0b8a7d6c5e4f3a2b1c"
#define ID_1  "1111111111117f3e8b0c5d2a9e4f6b7c8d1a2b3c4d5e6f708192a3b4c5d6e7f8"
#define ID_2  "2222222222227f3e8b0c5d2a9e4f6b7c8d1a2b3c4d5e6f708192a3b4c5d6e7f8"
#define ID_3  "3333333333337f3e8b0c5d2a9e4f6b7c8d1a2b3c4d5e6f708192a3b4c5d6e7f8"
#define POD_A "kubepods/burstable/pod" UID_A
#define POD_B "kubepods/pod" UID_B
#define POD_S "kubepods/pod" HASH

struct world {
	struct tree *tree;
	sd_event *event;
	struct pods *pods;
	char state[80];
	int state_fd;
	unsigned int changes;
};

static inline struct world *world_new(unsigned int mounts)
{
	static const char *const groups[] = { "kubepods", "kubepods/burstable" };
	struct world *world = calloc(1, sizeof(*world));

	assert_non_null(world);
	world->tree = tree_new(mounts);
	for (unsigned int mount = 0; mount < mounts; mount++)
		for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
			tree_mkdir(world->tree, mount, groups[i]);
	(void)snprintf(world->state, sizeof(world->state), "%s/state", world->tree->path);
	assert_ok(mkdir(world->state, 0700));
	world->state_fd = open(world->state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(world->state_fd);
	assert_ok(sd_event_new(&world->event));
	assert_ok(pods_new(world->event, &world->tree->registry, world->state, &world->pods));
	return world;
}

static inline void world_free(struct world *world)
{
	pods_free(world->pods);
	sd_event_unref(world->event);
	(void)close(world->state_fd);
	tree_free(world->tree);
	free(world);
}

/* berthd ends and another one starts: what was in memory is gone, the groups are not. */
static inline void world_restart(struct world *world)
{
	pods_free(world->pods);
	registry_done(&world->tree->registry);
	registry_init(&world->tree->registry, &world->tree->hierarchy, &world->tree->settings,
		      tree_listen, world->tree);
	world->tree->event_count = 0;
	assert_ok(pods_new(world->event, &world->tree->registry, world->state, &world->pods));
	assert_ok(pods_load(world->pods));
}

/* Made in the first hierarchy, and told. */
static inline bool world_group(struct world *world, const char *path)
{
	tree_mkdir(world->tree, 0, path);
	return pods_group(world->pods, path);
}

static inline void world_group_gone(struct world *world, const char *path)
{
	tree_rmdir(world->tree, 0, path);
	assert_false(pods_group(world->pods, path));
}

static inline const struct workload *world_at(const struct world *world, const char *path)
{
	const struct workload *workload = registry_find_path(&world->tree->registry, path);

	if (!workload)
		fail_msg("no workload at '%s'", path);
	return workload;
}

static inline const char *world_fact(const struct world *world, const char *path, const char *key)
{
	const struct workload *workload = world_at(world, path);
	const char *value = label_get(workload->facts, workload->fact_count, key);

	return value ? value : "";
}

struct pod_text {
	const char *uid, *namespace, *name;
	const char *annotations; /* of a JSON object, without its braces */
	const char *labels, *metadata, *spec, *status;
};

static inline struct kube_pod *pod_make(const struct pod_text *text)
{
	struct kube_pod *pod = NULL;
	json_error_t error;
	json_t *object;
	char buffer[8192], why[256] = "";

#define OR_EMPTY(value) ((value) ? (value) : "")
	(void)snprintf(buffer, sizeof(buffer),
		       "{\"metadata\":{\"uid\":\"%s\",\"namespace\":\"%s\",\"name\":\"%s\","
		       "\"annotations\":{%s},\"labels\":{%s}%s},\"spec\":{%s},\"status\":{%s}}",
		       text->uid, text->namespace ? text->namespace : "ns", text->name,
		       OR_EMPTY(text->annotations), OR_EMPTY(text->labels),
		       OR_EMPTY(text->metadata), OR_EMPTY(text->spec), OR_EMPTY(text->status));
#undef OR_EMPTY
	object = json_loads(buffer, 0, &error);
	if (!object)
		fail_msg("%s: %s", error.text, buffer);
	if (kube_pod_decode(object, why, sizeof(why), &pod) < 0)
		fail_msg("%s", why);
	json_decref(object);
	return pod;
}

#define BATCH    "\"berth/qos\":\"batch\""
#define CRITICAL "\"berth/qos\":\"critical\""

/* One pod named "web" or "static" with a level. */
static inline void world_put(struct world *world, const char *uid, const char *name,
			     const char *annotations)
{
	const struct pod_text text = { .uid = uid, .name = name, .annotations = annotations };

	pods_api_put(world->pods, "apiserver", pod_make(&text));
}

static inline void world_on_change(void *data)
{
	struct world *world = data;

	world->changes++;
}

static inline int world_setup(void **state)
{
	*state = world_new(3);
	return 0;
}

static inline int world_teardown(void **state)
{
	world_free(*state);
	return 0;
}
