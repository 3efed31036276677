/* SPDX-License-Identifier: Apache-2.0 */
/* programs-none.c - a build without BPF: nothing is ever loaded. */
#include <errno.h>
#include <stdio.h>

#include "network/programs.h"

int pace_programs_new(const struct pace_settings *settings, struct pace_programs **ret,
		      char *ret_detail, size_t size)
{
	(void)settings;
	(void)ret;
	(void)snprintf(ret_detail, size, "this Berth is built without BPF");
	return -EOPNOTSUPP;
}

struct pace_programs *pace_programs_free(struct pace_programs *programs)
{
	(void)programs;
	return NULL;
}

void pace_programs_set(struct pace_programs *programs, const struct pace_settings *settings)
{
	(void)programs;
	(void)settings;
}

uint32_t pace_programs_id(const struct pace_programs *programs)
{
	(void)programs;
	return 0;
}

int pace_programs_add_device(struct pace_programs *programs, uint32_t ifindex)
{
	(void)programs;
	(void)ifindex;
	return -EOPNOTSUPP;
}

void pace_programs_remove_device(struct pace_programs *programs, uint32_t ifindex)
{
	(void)programs;
	(void)ifindex;
}

void pace_programs_set_groups(struct pace_programs *programs, uint32_t count)
{
	(void)programs;
	(void)count;
}

int pace_programs_attach(struct pace_programs *programs, int fd)
{
	(void)programs;
	(void)fd;
	return -EOPNOTSUPP;
}

int pace_programs_read(const struct pace_programs *programs, uint32_t ifindex,
		       struct pace_report *ret)
{
	(void)programs;
	(void)ifindex;
	(void)ret;
	return -EOPNOTSUPP;
}
