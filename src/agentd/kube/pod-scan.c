/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/pod-scan.h"

#include <errno.h>

#include "limit.h"

/* -EBADMSG, or 0. */
static int scan_string(struct pod_scan *scan, char byte)
{
	if ((unsigned char)byte < 0x20)
		return -EBADMSG;
	if (scan->escaped)
		scan->escaped = false;
	else if (byte == '\\')
		scan->escaped = true;
	else if (byte == '"')
		scan->in_string = false;
	return 0;
}

int pod_scan(struct pod_scan *scan, const char *bytes, size_t size, unsigned int until,
	     bool *ret_closed, size_t *ret_used)
{
	/* A local copy stays in registers: this loop sees every byte of every list. */
	struct pod_scan now = *scan;
	bool closed = false;
	size_t i = 0;

	while (i < size && !closed) {
		char byte = bytes[i++];

		if (now.in_string) {
			if (scan_string(&now, byte) < 0)
				return -EBADMSG;
			continue;
		}
		switch (byte) {
		case '"':
			now.in_string = true;
			break;
		case '{':
		case '[':
			if (++now.depth > LIMIT_POD_DEPTH)
				return -EBADMSG;
			break;
		case '}':
		case ']':
			closed = --now.depth == until;
			break;
		default:
			break;
		}
	}
	*scan = now;
	*ret_closed = closed;
	*ret_used = i;
	return 0;
}
