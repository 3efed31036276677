/* SPDX-License-Identifier: Apache-2.0 */
#include "kube-cgroup.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "macro.h"

/* A container's id has 64 hex digits with every runtime; shorter ones are let in for runtimes to
 * come, but not so short that a word could be one. */
#define ID_MIN 12u

struct span {
	const char *text;
	size_t length;
};

static const struct runtime {
	const char *prefix, *name;
} runtimes[] = {
	/* A longer one first where it begins with another. */
	{ "cri-containerd-", "containerd" },
	{ "containerd-", "containerd" },
	{ "crio-", "cri-o" },
	{ "docker-", "docker" },
	{ "kata_", "kata" },
	{ "kata-", "kata" },
	{ "isulad-", "isulad" },
	{ "libpod-", "podman" },
};

static struct span span_of(const char *text)
{
	return (struct span){ text, strlen(text) };
}

static bool span_is(struct span span, const char *text)
{
	return strlen(text) == span.length && memcmp(span.text, text, span.length) == 0;
}

static bool span_cut_prefix(struct span *span, const char *prefix)
{
	size_t length = strlen(prefix);

	if (span->length < length || memcmp(span->text, prefix, length) != 0)
		return false;
	span->text += length;
	span->length -= length;
	return true;
}

static bool span_cut_suffix(struct span *span, const char *suffix)
{
	size_t length = strlen(suffix);

	if (span->length < length ||
	    memcmp(span->text + span->length - length, suffix, length) != 0)
		return false;
	span->length -= length;
	return true;
}

/* What comes before `separator`, which is cut off with it; all of it where there is none. */
static struct span span_next(struct span *rest, char separator)
{
	const char *end = memchr(rest->text, separator, rest->length);
	struct span first = { rest->text, end ? (size_t)(end - rest->text) : rest->length };
	size_t used = first.length + (end != NULL);

	rest->text += used;
	rest->length -= used;
	return first;
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* A static pod's manifest may bring an id of its own: not only UUIDs and hashes. With the systemd
 * driver kubelet writes '_' for '-' (escapeSystemdCgroupName), as '-' nests slices. */
static bool uid_take(struct span span, bool systemd, struct kube_cgroup *group)
{
	if (span.length == 0 || span.length >= sizeof(group->uid))
		return false;
	for (size_t i = 0; i < span.length; i++) {
		char c = span.text[i];

		if (systemd && c == '_')
			c = '-';
		else if (!isalnum((unsigned char)c) && c != '.' && (systemd || c != '-'))
			return false;
		group->uid[i] = c;
	}
	group->uid[span.length] = '\0';
	return true;
}

static bool id_take(struct span span, struct kube_cgroup *group)
{
	if (span.length < ID_MIN || span.length >= sizeof(group->container))
		return false;
	for (size_t i = 0; i < span.length; i++)
		if (!is_hex(span.text[i]))
			return false;
	memcpy(group->container, span.text, span.length);
	group->container[span.length] = '\0';
	return true;
}

static void runtime_take(const char *name, struct kube_cgroup *group)
{
	memcpy(group->runtime, name, strlen(name) + 1);
}

/* A group right below a pod's. */
static void container_parse(struct span name, struct kube_cgroup *group)
{
	const char *runtime = "";

	group->kind = KUBE_HELPER;
	(void)span_cut_suffix(&name, ".scope");
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (span_cut_prefix(&name, runtimes[i].prefix)) {
			runtime = runtimes[i].name;
			break;
		}
	if (!id_take(name, group))
		return;
	runtime_take(runtime, group);
	group->kind = KUBE_CONTAINER;
}

/* "burstable" and "besteffort"; a Guaranteed pod lies right below the root. */
static bool class_take(struct span name, struct kube_cgroup *group)
{
	if (span_is(name, "burstable"))
		group->qos_class = KUBE_BURSTABLE;
	else if (span_is(name, "besteffort"))
		group->qos_class = KUBE_BESTEFFORT;
	else
		return false;
	return true;
}

/* [PREFIX-]kubepods[-CLASS]-podUID: what a slice of a pod is called without ".slice". */
static bool pod_slice_take(struct span name, struct kube_cgroup *group)
{
	struct span part, rest = name;

	do {
		if (rest.length == 0)
			return false;
		part = span_next(&rest, '-');
	} while (!span_is(part, "kubepods"));
	part = span_next(&rest, '-');
	if (class_take(part, group))
		part = span_next(&rest, '-');
	return rest.length == 0 && span_cut_prefix(&part, "pod") && uid_take(part, true, group);
}

/* SLICE:RUNTIME:ID: runc's cgroupfs manager takes what kubelet meant for systemd as a path. */
static bool mixed_parse(struct span name, struct kube_cgroup *group)
{
	struct span slice = span_next(&name, ':'), runtime = span_next(&name, ':');
	char prefix[24];

	if (!span_cut_suffix(&slice, ".slice") || name.length == 0 ||
	    runtime.length + 2 > sizeof(prefix) || !pod_slice_take(slice, group))
		return false;
	if (!id_take(name, group)) {
		group->kind = KUBE_HELPER;
		return true;
	}
	memcpy(prefix, runtime.text, runtime.length);
	memcpy(prefix + runtime.length, "-", 2);
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++)
		if (strcmp(runtimes[i].prefix, prefix) == 0)
			runtime_take(runtimes[i].name, group);
	group->kind = KUBE_CONTAINER;
	return true;
}

/* Below the root "kubepods". */
static void cgroupfs_parse(struct span rest, struct kube_cgroup *group)
{
	struct span name = span_next(&rest, '/');

	if (class_take(name, group)) {
		group->kind = KUBE_CLASS;
		if (rest.length == 0)
			return;
		name = span_next(&rest, '/');
	}
	group->kind = KUBE_NOT;
	if (!span_cut_prefix(&name, "pod") || !uid_take(name, false, group))
		return;
	group->kind = KUBE_POD;
	if (rest.length > 0)
		container_parse(span_next(&rest, '/'), group);
	if (rest.length > 0)
		group->kind = KUBE_NOT;
}

/* `above`, without ".slice", is what systemd wants each slice below it to begin with. */
static bool slice_cut(struct span *name, struct span above)
{
	if (!span_cut_suffix(name, ".slice") || name->length <= above.length ||
	    memcmp(name->text, above.text, above.length) != 0 || name->text[above.length] != '-')
		return false;
	name->text += above.length + 1;
	name->length -= above.length + 1;
	return true;
}

/* Below the root ROOT.slice. */
static void systemd_parse(struct span root, struct span rest, struct kube_cgroup *group)
{
	struct span name = span_next(&rest, '/'), whole = name, above = root;

	if (mixed_parse(name, group)) {
		if (rest.length > 0)
			group->kind = KUBE_NOT;
		return;
	}
	if (!slice_cut(&name, above))
		return;
	if (class_take(name, group)) {
		group->kind = KUBE_CLASS;
		if (rest.length == 0)
			return;
		(void)span_cut_suffix(&whole, ".slice");
		above = whole;
		name = span_next(&rest, '/');
		group->kind = KUBE_NOT;
		if (mixed_parse(name, group)) {
			if (rest.length > 0)
				group->kind = KUBE_NOT;
			return;
		}
		if (!slice_cut(&name, above))
			return;
	}
	if (!span_cut_prefix(&name, "pod") || !uid_take(name, true, group))
		return;
	group->kind = KUBE_POD;
	if (rest.length > 0)
		container_parse(span_next(&rest, '/'), group);
	if (rest.length > 0)
		group->kind = KUBE_NOT;
}

/* "kubepods.slice", "a-b-kubepods.slice": without ".slice". */
static bool root_slice(struct span *name)
{
	struct span stem = *name;

	if (!span_cut_suffix(&stem, ".slice"))
		return false;
	*name = stem;
	return span_is(stem, "kubepods") || span_cut_suffix(&stem, "-kubepods");
}

static bool path_is_clean(struct span path)
{
	while (path.length > 0) {
		bool last = !memchr(path.text, '/', path.length);
		struct span name = span_next(&path, '/');

		if (name.length == 0 || (!last && path.length == 0))
			return false;
	}
	return true;
}

static void path_parse(struct span rest, struct kube_cgroup *group)
{
	while (rest.length > 0) {
		struct span name = span_next(&rest, '/'), stem = name;

		if (span_is(name, "kubepods")) {
			group->kind = KUBE_ROOT;
			if (rest.length > 0)
				cgroupfs_parse(rest, group);
			return;
		}
		if (root_slice(&stem)) {
			group->kind = rest.length > 0 ? KUBE_NOT : KUBE_ROOT;
			if (rest.length > 0)
				systemd_parse(stem, rest, group);
			return;
		}
		/* Beside the tree: at the top, or below the service of the runtime. */
		if (mixed_parse(name, group)) {
			if (rest.length > 0)
				group->kind = KUBE_NOT;
			return;
		}
	}
}

void kube_cgroup_parse(const char *path, struct kube_cgroup *ret)
{
	struct span span = span_of(path);

	*ret = (struct kube_cgroup){ .kind = KUBE_NOT };
	if (!path_is_clean(span))
		return;
	path_parse(span, ret);
	/* A reader of one field is not misled by what was tried on the way. */
	if (ret->kind == KUBE_NOT || ret->kind == KUBE_ROOT)
		*ret = (struct kube_cgroup){ .kind = ret->kind };
	else if (ret->kind == KUBE_CLASS)
		*ret = (struct kube_cgroup){ .kind = KUBE_CLASS, .qos_class = ret->qos_class };
	if (ret->kind != KUBE_CONTAINER) {
		ret->container[0] = '\0';
		ret->runtime[0] = '\0';
	}
}
