/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "kube/pod-internal.h"

/* Runs twice over the same pod: without memory it only counts. */
struct block {
	char *text;
	size_t used;
};

static char *block_text(struct block *block, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = NULL;

	if (block->text) {
		copy = block->text + block->used;
		memcpy(copy, text, size);
	}
	block->used += size;
	return copy;
}

static char *block_optional(struct block *block, const char *text)
{
	return text ? block_text(block, text) : NULL;
}

static void block_labels(struct block *block, const struct label *from, size_t count,
			 struct label *to)
{
	for (size_t i = 0; i < count; i++) {
		struct label label = {
			.key = block_text(block, from[i].key),
			.value = block_text(block, from[i].value),
		};

		if (to)
			to[i] = label;
	}
}

static void block_containers(struct block *block, const struct kube_pod *from,
			     struct kube_container *to)
{
	for (size_t i = 0; i < from->container_count; i++) {
		struct kube_container container = from->containers[i];

		container.name = block_text(block, container.name);
		container.id = block_optional(block, container.id);
		if (to)
			to[i] = container;
	}
}

/* to: NULL while counting. Its arrays are set. */
static void block_fill(struct block *block, const struct kube_pod *from, struct kube_pod *to)
{
	struct kube_pod text = {
		.uid = block_text(block, from->uid),
		.cgroup_uid = block_text(block, from->cgroup_uid),
		.namespace = block_text(block, from->namespace),
		.name = block_text(block, from->name),
		.node = block_text(block, from->node),
		.phase = block_text(block, from->phase),
		.resource_version = block_text(block, from->resource_version),
		.qos_class = block_text(block, from->qos_class),
		.machine = block_optional(block, from->machine),
	};

	block_labels(block, from->labels, from->label_count, to ? to->labels : NULL);
	block_labels(block, from->annotations, from->annotation_count, to ? to->annotations : NULL);
	block_containers(block, from, to ? to->containers : NULL);
	if (!to)
		return;
	to->uid = text.uid;
	to->cgroup_uid = text.cgroup_uid;
	to->namespace = text.namespace;
	to->name = text.name;
	to->node = text.node;
	to->phase = text.phase;
	to->resource_version = text.resource_version;
	to->qos_class = text.qos_class;
	to->machine = text.machine;
}

struct kube_pod *kube_pod_block(const struct kube_pod *borrowed)
{
	size_t labels = borrowed->label_count * sizeof(struct label);
	size_t annotations = borrowed->annotation_count * sizeof(struct label);
	size_t containers = borrowed->container_count * sizeof(struct kube_container);
	size_t arrays = sizeof(struct kube_pod) + labels + annotations + containers;
	struct block block = { 0 };
	struct kube_pod *pod;
	char *memory;

	_Static_assert(sizeof(struct kube_pod) % _Alignof(struct kube_container) == 0 &&
			       sizeof(struct label) % _Alignof(struct kube_container) == 0,
		       "the arrays follow each other without gaps");
	block_fill(&block, borrowed, NULL);
	memory = malloc(arrays + block.used);
	if (!memory)
		return NULL;
	pod = (struct kube_pod *)(void *)memory;
	*pod = *borrowed;
	pod->labels = (struct label *)(void *)(memory + sizeof(*pod));
	pod->annotations = (struct label *)(void *)(memory + sizeof(*pod) + labels);
	pod->containers =
		(struct kube_container *)(void *)(memory + sizeof(*pod) + labels + annotations);
	block = (struct block){ .text = memory + arrays };
	block_fill(&block, borrowed, pod);
	return pod;
}
