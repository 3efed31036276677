/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kube-cgroup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kube_cgroup group;
	char *path = malloc(size + 1);

	if (!path)
		return 0;
	memcpy(path, data, size);
	path[size] = '\0';
	kube_cgroup_parse(path, &group);
	if (!memchr(group.uid, '\0', sizeof(group.uid)) ||
	    !memchr(group.container, '\0', sizeof(group.container)) ||
	    !memchr(group.runtime, '\0', sizeof(group.runtime)))
		abort();
	/* What each kind promises, and no byte of a path that a terminal or a log could trip over.
	 */
	if ((group.kind >= KUBE_POD) != (group.uid[0] != '\0') ||
	    (group.kind == KUBE_CONTAINER) != (group.container[0] != '\0') ||
	    strpbrk(group.uid, "/\n\r\t \x1b") || strpbrk(group.container, "/\n\r\t \x1b"))
		abort();
	free(path);
	return 0;
}
