/* SPDX-License-Identifier: Apache-2.0 */
#include "network/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "macro.h"

/* Written by bpftool. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "pace.skel.h"
#pragma GCC diagnostic pop

struct pace_programs {
	struct pace *bpf;
	uint32_t id;
};

DEFINE_CLEANUP(struct pace_programs *, pace_programs_free);

/* Devices are found, and their ifindex means something, in our own namespace. */
static int own_netns(uint32_t *ret)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st) < 0)
		return -errno;
	*ret = (uint32_t)st.st_ino;
	return 0;
}

static void detail_set(int error, char *detail, size_t size)
{
	if (error == -EPERM || error == -EACCES)
		(void)snprintf(detail, size,
			       "the kernel does not let berthd load BPF programs: CAP_BPF, "
			       "CAP_PERFMON and CAP_NET_ADMIN are needed");
	else if (access("/sys/kernel/btf/vmlinux", R_OK) < 0)
		(void)snprintf(detail, size,
			       "this kernel tells nothing of its types (BTF): "
			       "/sys/kernel/btf/vmlinux is not there");
	else
		(void)snprintf(detail, size, "this kernel does not take the BPF programs: %s",
			       strerrordesc_np(-error));
}

static int programs_load(struct pace_programs *programs)
{
	struct bpf_prog_info info = { 0 };
	uint32_t length = sizeof(info);
	int r;

	programs->bpf = pace__open();
	if (!programs->bpf)
		return errno ? -errno : -ENOMEM;
	r = pace__load(programs->bpf);
	if (r == 0)
		r = own_netns(&programs->bpf->bss->host_netns);
	if (r == 0)
		r = bpf_obj_get_info_by_fd(bpf_program__fd(programs->bpf->progs.pace), &info,
					   &length);
	programs->id = info.id;
	return r;
}

int pace_programs_new(const struct pace_settings *settings, struct pace_programs **ret,
		      char *ret_detail, size_t size)
{
	CLEANUP(pace_programs_freep) struct pace_programs *programs = calloc(1, sizeof(*programs));
	int r;

	if (!programs)
		return -ENOMEM;
	r = programs_load(programs);
	/* The second for readers that cannot know that errno is not negative. */
	if (r < 0 || !programs->bpf) {
		detail_set(r, ret_detail, size);
		return r;
	}
	pace_programs_set(programs, settings);
	*ret = TAKE_PTR(programs);
	return 0;
}

struct pace_programs *pace_programs_free(struct pace_programs *programs)
{
	if (!programs)
		return NULL;
	pace__destroy(programs->bpf);
	free(programs);
	return NULL;
}

void pace_programs_set(struct pace_programs *programs, const struct pace_settings *settings)
{
	/* A packet may see the old value of one and the new one of another, once. */
	programs->bpf->bss->settings = *settings;
}

uint32_t pace_programs_id(const struct pace_programs *programs)
{
	return programs->id;
}

int pace_programs_add_device(struct pace_programs *programs, uint32_t ifindex)
{
	int possible = libbpf_num_possible_cpus();
	const struct pace_device device = { .unused = 0 };
	const struct pace_online online = { .bytes = 0 };
	cleanup_free struct pace_online *here = NULL;
	int r;

	if (possible < 0)
		return possible;
	here = calloc((size_t)possible, sizeof(*here));
	if (!here)
		return -ENOMEM;
	/* The device last: with it the program begins to look. */
	r = bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.online_here), &ifindex, here,
				BPF_NOEXIST);
	if (r == 0 || r == -EEXIST)
		r = bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.online), &ifindex, &online,
					BPF_NOEXIST);
	if (r == 0 || r == -EEXIST)
		r = bpf_map_update_elem(bpf_map__fd(programs->bpf->maps.devices), &ifindex, &device,
					BPF_NOEXIST);
	if (r < 0 && r != -EEXIST)
		return r;
	if (programs->bpf->bss->first_device == 0)
		programs->bpf->bss->first_device = ifindex;
	return 0;
}

void pace_programs_remove_device(struct pace_programs *programs, uint32_t ifindex)
{
	if (programs->bpf->bss->first_device == ifindex)
		programs->bpf->bss->first_device = 0;
	(void)bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.devices), &ifindex);
	(void)bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.online), &ifindex);
	(void)bpf_map_delete_elem(bpf_map__fd(programs->bpf->maps.online_here), &ifindex);
}

void pace_programs_set_groups(struct pace_programs *programs, uint32_t count)
{
	programs->bpf->bss->offline_groups = count;
}

int pace_programs_attach(struct pace_programs *programs, int fd)
{
	int link = bpf_link_create(bpf_program__fd(programs->bpf->progs.tag), fd,
				   BPF_CGROUP_INET_EGRESS, NULL);

	return link < 0 && errno ? -errno : link;
}

int pace_programs_read(const struct pace_programs *programs, uint32_t ifindex,
		       struct pace_report *ret)
{
	int r = bpf_map_lookup_elem_flags(bpf_map__fd(programs->bpf->maps.devices), &ifindex,
					  &ret->offline, BPF_F_LOCK);

	if (r == 0)
		r = bpf_map_lookup_elem(bpf_map__fd(programs->bpf->maps.online), &ifindex,
					&ret->online);
	return r;
}
