/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/bpf-cgroups.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"

/* Written by bpftool. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wcast-qual"
#include "telemetry/cgroups.skel.h"
#pragma GCC diagnostic pop

struct bpf_cgroups {
	struct cgroups *programs;
	struct bpf_link *find; /* made at the first use */
	struct cgroup_layout layout;
	bool flush_by_subsystem;
};

DEFINE_CLEANUP(struct bpf_cgroups *, bpf_cgroups_free);

/* "none integrity [confidentiality]": kernel_lockdown(7) */
static bool is_locked_down(int root)
{
	char text[128];

	return file_read(root, "sys/kernel/security/lockdown", text, sizeof(text)) >= 0 &&
	       strstr(text, "[confidentiality]");
}

static void detail_set(int root, int error, char *detail, size_t size)
{
	if (is_locked_down(root))
		(void)snprintf(detail, size,
			       "this kernel is locked down (confidentiality): BPF may not read its "
			       "memory");
	else if (error == -EPERM || error == -EACCES)
		(void)snprintf(detail, size,
			       "the kernel does not let berthd load BPF programs: CAP_BPF and "
			       "CAP_PERFMON are needed");
	else if (faccessat(root, "sys/kernel/btf/vmlinux", R_OK, 0) < 0)
		(void)snprintf(detail, size, "this kernel tells nothing of its types (BTF): %s",
			       "/sys/kernel/btf/vmlinux is not there");
	else
		(void)snprintf(detail, size, "this kernel does not take the BPF programs: %s",
			       strerror(-error));
}

static int run_once(const struct bpf_program *program)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	return bpf_prog_test_run_opts(bpf_program__fd(program), &options);
}

/* With or without tables(), which older kernels and some lockdowns refuse. */
static int programs_load(bool with_tables, struct cgroups **ret)
{
	struct cgroups *programs = cgroups__open();
	int r;

	if (!programs)
		return errno ? -errno : -ENOMEM;
	(void)bpf_program__set_autoload(programs->progs.tables, with_tables);
	r = cgroups__load(programs);
	if (r < 0) {
		cgroups__destroy(programs);
		return r;
	}
	*ret = programs;
	return 0;
}

static int programs_start(struct cgroups *programs)
{
	struct kernel_facts *facts = &programs->bss->facts;
	int r = run_once(programs->progs.learn);

	if (r < 0)
		return r;
	bpf_program__unload(programs->progs.learn);
	facts->state_table_error = facts->vm_event_table_error = -EPERM;
	if (bpf_program__fd(programs->progs.tables) >= 0) {
		(void)run_once(programs->progs.tables);
		bpf_program__unload(programs->progs.tables);
	}
	return 0;
}

int bpf_cgroups_new(int root, struct bpf_cgroups **ret, char *ret_detail, size_t size)
{
	CLEANUP(bpf_cgroups_freep) struct bpf_cgroups *bpf = calloc(1, sizeof(*bpf));
	const struct kernel_facts *facts;
	int r;

	if (!bpf)
		return -ENOMEM;
	r = programs_load(true, &bpf->programs);
	if (r < 0)
		r = programs_load(false, &bpf->programs);
	if (r >= 0)
		r = bpf->programs ? programs_start(bpf->programs) : -ENOMEM;
	if (r < 0) {
		detail_set(root, r, ret_detail, size);
		return r;
	}
	facts = &bpf->programs->bss->facts;
	cgroup_layout_fill(facts, &bpf->layout);
	bpf->programs->bss->counters_size = bpf->layout.counters_bytes;
	bpf->flush_by_subsystem = facts->flush_by_subsystem;
	*ret = TAKE_PTR(bpf);
	return 0;
}

struct bpf_cgroups *bpf_cgroups_free(struct bpf_cgroups *bpf)
{
	if (!bpf)
		return NULL;
	(void)bpf_link__destroy(bpf->find);
	cgroups__destroy(bpf->programs);
	free(bpf);
	return NULL;
}

struct cgroup_layout *bpf_cgroups_layout(struct bpf_cgroups *bpf)
{
	return &bpf->layout;
}

bool bpf_cgroups_flush_by_subsystem(const struct bpf_cgroups *bpf)
{
	return bpf->flush_by_subsystem;
}

struct cgroup_record *bpf_cgroups_records(struct bpf_cgroups *bpf)
{
	return bpf->programs->bss->records;
}

int bpf_cgroups_read(struct bpf_cgroups *bpf, uint32_t count, bool cpu_only)
{
	bpf->programs->bss->record_count = count;
	bpf->programs->bss->cpu_only = cpu_only;
	return run_once(bpf->programs->progs.collect);
}

static int find_attach(struct bpf_cgroups *bpf)
{
	/* This thread's files only: those of the whole machine are many. */
	union bpf_iter_link_info which = { .task.tid = (__u32)syscall(SYS_gettid) };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &which,
		    .link_info_len = sizeof(which));
	struct bpf_link *link = bpf_program__attach_iter(bpf->programs->progs.find, &options);

	if (!link)
		return -errno;
	bpf->find = link;
	/* The link holds it: an fd less. */
	bpf_program__unload(bpf->programs->progs.find);
	return 0;
}

int bpf_cgroups_find(struct bpf_cgroups *bpf, const struct found_group **ret, size_t *ret_count)
{
	struct cgroups__bss *shared = bpf->programs->bss;
	int r = bpf->find ? 0 : find_attach(bpf);
	cleanup_close int fd = -EBADF;
	char text[64];
	ssize_t n;

	if (r < 0)
		return r;
	fd = bpf_iter_create(bpf_link__fd(bpf->find));
	if (fd < 0)
		return -errno;
	shared->found_count = 0;
	/* The program writes to its map and no text: one read is the whole walk. */
	do {
		n = read(fd, text, sizeof(text));
	} while (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)));
	if (n < 0)
		return -errno;
	*ret = shared->found;
	*ret_count = MIN(shared->found_count, FOUND_GROUPS);
	return 0;
}
