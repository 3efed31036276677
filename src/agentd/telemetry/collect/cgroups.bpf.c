/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cgroups.bpf.c - the counters of a chunk of groups, read in one go.
 *
 * collect() is never attached: user space fills in which groups it wants and runs it. It goes to
 * each struct cgroup by its address, which find() told when the group was first seen; no lock is
 * taken, cgroup_mutex least of all, and no group that nobody asked for is looked at. Such an
 * address may be stale. But collect() runs under rcu_read_lock(), a struct cgroup is freed a grace
 * period after it was taken off line, serial numbers are never given twice, and every read is one
 * that may fail: what points to itself as a group does, has the serial number and is on line, is
 * the group, until the end of the program.
 */
#include "telemetry/bpf/kernel.bpf.h"
#include "telemetry/collect/cgroup-record.h"

#define CGROUP2_SUPER_MAGIC 0x63677270
#define S_IFMT              0170000
#define S_IFDIR             0040000
/* Of an enum without a name, which CO-RE cannot look up; as it was since kernel 3.14. */
#define CSS_ONLINE (1u << 1)

struct kernel_facts facts;
struct cgroup_record records[RECORD_COUNT];
__u32 record_count;
__u32 cpu_only;      /* nothing of memory and io this time */
__u32 counters_size; /* of a record's counters, up to the last one that is told */
struct found_group found[FOUND_GROUPS];
__u32 found_count;

/* Constant after loading: a branch that is not taken and its loads are not even verified. */
#define HAS(type, field)      bpf_core_field_exists(((struct type *)0)->field)
#define SIZE(type, field)     bpf_core_field_size(((struct type *)0)->field)
#define OFFSET(type, field)   bpf_core_field_offset(struct type, field)
#define AT_MOST(size, buffer) ((size) < sizeof(buffer) ? (size) : sizeof(buffer))
#define READ(target, address) (void)bpf_core_read(&(target), sizeof(target), address)

/* cpu, io and memory are the first few, in this order; no more is read than up to memory. */
#define SUBSYS_COUNT ((__u32)bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id) + 1)
#define SUBSYS_SIZE                                                             \
	(SUBSYS_COUNT <= RECORD_SUBSYS ? SUBSYS_COUNT * sizeof(struct cgroup *) \
				       : RECORD_SUBSYS * sizeof(struct cgroup *))

static __always_inline struct cgroup_subsys_state *css_of(struct cgroup_subsys_state *const *subsys,
							  __u32 id)
{
	return id < RECORD_SUBSYS ? subsys[id] : 0;
}

/* A call costs more than what it copies: fields that are beside each other here and there go in
 * one. Decided when the program is loaded, by where this kernel has them. */
#define ADJACENT(type, first, second) \
	(OFFSET(type, second) == OFFSET(type, first) + SIZE(type, first))

/* As every kernel so far has them: struct prev_cputime close behind struct cgroup_base_stat. */
#define CPUTIME_SIZE (OFFSET(cgroup, prev_cputime) + 16 - OFFSET(cgroup, bstat))
#define CPUTIME_IN_ONE                                                               \
	(ADJACENT(task_cputime, stime, utime) &&                                     \
	 ADJACENT(task_cputime, utime, sum_exec_runtime) &&                          \
	 ADJACENT(prev_cputime, utime, stime) && OFFSET(prev_cputime, utime) == 0 && \
	 OFFSET(task_cputime, stime) == 0 && CPUTIME_SIZE >= 40 &&                   \
	 CPUTIME_SIZE <= RECORD_CPUTIMES * sizeof(__u64))

static __always_inline void read_cputime(struct cgroup_record *record, struct cgroup *group)
{
	if (CPUTIME_IN_ONE) {
		bpf_core_read(record->cputime, CPUTIME_SIZE, &group->bstat);
	} else {
		READ(record->cputime[0], &group->bstat.cputime.stime);
		READ(record->cputime[1], &group->bstat.cputime.utime);
		READ(record->cputime[2], &group->bstat.cputime.sum_exec_runtime);
		READ(record->cputime[3], &group->prev_cputime.utime);
		READ(record->cputime[4], &group->prev_cputime.stime);
	}
}

/* Of the averages, which come first: up to the last one that is told. */
#define PRESSURES                                                     \
	(bpf_core_enum_value_exists(enum psi_states, PSI_IRQ_FULL)    \
		 ? bpf_core_enum_value(enum psi_states, PSI_IRQ_FULL) \
		 : bpf_core_enum_value(enum psi_states, PSI_CPU_FULL))
#define PRESSURE_SIZE ((__u32)(PRESSURES + 1) * sizeof(__u64))

static __always_inline void read_pressure(struct cgroup_record *record, struct psi_group *psi)
{
	bool enabled = true;

	if (HAS(psi_group, enabled))
		READ(enabled, &psi->enabled);
	if (!enabled)
		return;
	bpf_core_read(record->pressure, AT_MOST(PRESSURE_SIZE, record->pressure), &psi->total);
	record->filled |= RECORD_PRESSURE;
}

static __always_inline void read_throttling(struct cgroup_record *record, struct task_group *group)
{
	if (ADJACENT(cfs_bandwidth, nr_periods, nr_throttled) &&
	    OFFSET(cfs_bandwidth, throttled_time) - OFFSET(cfs_bandwidth, nr_periods) == 16) {
		bpf_core_read(&record->periods, 24, &group->cfs_bandwidth.nr_periods);
	} else {
		READ(record->periods, &group->cfs_bandwidth.nr_periods);
		READ(record->throttled_periods, &group->cfs_bandwidth.nr_throttled);
		READ(record->throttled_nsec, &group->cfs_bandwidth.throttled_time);
	}
	record->filled |= RECORD_CPU;
}

/* Both arrays in one go, or none. */
#define VMSTATS_SIZE (SIZE(memcg_vmstats, state) + SIZE(memcg_vmstats, events))
#define HAS_VMSTATS                                               \
	(HAS(mem_cgroup, vmstats) && HAS(memcg_vmstats, state) && \
	 ADJACENT(memcg_vmstats, state, events) &&                \
	 VMSTATS_SIZE <= sizeof(((struct cgroup_record *)0)->counters))

/* Up to the last one that is told. */
#define EVENTS_SIZE \
	((__u32)(bpf_core_enum_value(enum memcg_memory_event, MEMCG_OOM_KILL) + 1) * sizeof(__u64))

static __always_inline void read_events(struct cgroup_record *record, struct mem_cgroup *memcg)
{
	if (HAS_VMSTATS && HAS(mem_cgroup, memory_events) &&
	    ADJACENT(mem_cgroup, vmstats, memory_events)) {
		bpf_core_read(&record->vmstats,
			      sizeof(record->vmstats) + AT_MOST(EVENTS_SIZE, record->events),
			      &memcg->vmstats);
		return;
	}
	if (HAS_VMSTATS)
		READ(record->vmstats, &memcg->vmstats);
	if (HAS(mem_cgroup, memory_events))
		bpf_core_read(record->events, AT_MOST(EVENTS_SIZE, record->events),
			      &memcg->memory_events);
}

static __always_inline void read_memory(struct cgroup_record *record, struct mem_cgroup *memcg)
{
	READ(record->memory_pages, &memcg->memory.usage.counter);
	if (HAS(mem_cgroup, swap))
		READ(record->swap_pages, &memcg->swap.usage.counter);
	read_events(record, memcg);
	if (HAS_VMSTATS) {
		struct memcg_vmstats *vmstats = (void *)record->vmstats;
		__u32 size = counters_size;

		if (size <= VMSTATS_SIZE)
			bpf_core_read(record->counters, size, &vmstats->state);
	}
	record->filled |= RECORD_MEMORY;
}

/* Which disk a queue is of: most groups use the same few. Only within one run of the program, under
 * RCU, is a queue with that address the same one. */
static struct {
	struct request_queue *queue;
	__u32 major, minor;
} last_disk;

static __always_inline bool read_disk(struct record_device *device, struct request_queue *queue)
{
	struct gendisk *disk = 0;

	if (queue != last_disk.queue) {
		READ(disk, &queue->disk);
		if (!disk)
			return false;
		READ(last_disk.major, &disk->major);
		READ(last_disk.minor, &disk->first_minor);
		last_disk.queue = queue;
	}
	device->major = last_disk.major;
	device->minor = last_disk.minor;
	return true;
}

/* The head of a struct blkcg_gq as kernels have it since 5.x. */
struct blkg_head {
	struct request_queue *queue;
	void *queue_node[2];
	struct hlist_node *next;
};

static __always_inline void read_blkg(struct blkg_head *head, struct blkcg_gq *blkg)
{
	if (OFFSET(blkcg_gq, blkcg_node) - OFFSET(blkcg_gq, q) == 24) {
		bpf_core_read(head, sizeof(*head), &blkg->q);
	} else {
		READ(head->queue, &blkg->q);
		READ(head->next, &blkg->blkcg_node.next);
	}
}

static __always_inline void read_io(struct cgroup_record *record, struct blkcg *blkcg)
{
	struct hlist_node *node = 0;
	__u32 count = 0;

	READ(node, &blkcg->blkg_list.first);
	for (__u32 i = 0; i < RECORD_BLKGS && node && count < RECORD_DEVICES; i++) {
		struct blkcg_gq *blkg = (void *)node - OFFSET(blkcg_gq, blkcg_node);
		struct record_device *device = &record->devices[count];
		struct blkg_head head = {};

		read_blkg(&head, blkg);
		bpf_core_read(device->bytes, sizeof(device->bytes) + sizeof(device->ios),
			      &blkg->iostat.cur);
		if ((device->ios[0] | device->ios[1] | device->ios[2]) &&
		    read_disk(device, head.queue))
			count++;
		node = head.next;
	}
	record->device_count = count;
	if (node)
		record->filled |= RECORD_IO_MORE;
	record->filled |= RECORD_IO;
}

struct css_mark {
	unsigned int flags;
	__u64 serial_nr;
} __attribute__((packed));

static __always_inline bool is_group(const struct cgroup_record *record, struct cgroup *group)
{
	struct cgroup *self = 0;
	struct css_mark mark = {};

	READ(self, &group->self.cgroup);
	if (ADJACENT(cgroup_subsys_state, flags, serial_nr)) {
		READ(mark, &group->self.flags);
	} else {
		READ(mark.flags, &group->self.flags);
		READ(mark.serial_nr, &group->self.serial_nr);
	}
	return self == group && mark.serial_nr == record->serial && (mark.flags & CSS_ONLINE);
}

/* Global, so that it is verified once and not for each record. */
__attribute__((noinline)) int read_group(struct cgroup_record *record)
{
	struct cgroup_subsys_state *subsys[RECORD_SUBSYS] = {}, *css;
	struct cgroup *group;

	if (!record)
		return 0;
	group = (struct cgroup *)record->address;
	record->filled = 0;
	record->device_count = 0;
	if (!is_group(record, group))
		return 0;
	record->filled = RECORD_THERE;
	read_cputime(record, group);
	if (HAS(cgroup, psi) && record->psi)
		read_pressure(record, (struct psi_group *)record->psi);
	bpf_core_read(subsys, SUBSYS_SIZE, &group->subsys);
	if (HAS(task_group, cfs_bandwidth)) {
		css = css_of(subsys, bpf_core_enum_value(enum cgroup_subsys_id, cpu_cgrp_id));
		if (css)
			read_throttling(record, (struct task_group *)css);
	}
	if (cpu_only)
		return 0;
	if (bpf_core_type_exists(struct mem_cgroup)) {
		css = css_of(subsys, bpf_core_enum_value(enum cgroup_subsys_id, memory_cgrp_id));
		if (css)
			read_memory(record, (struct mem_cgroup *)css);
	}
	if (HAS(blkcg_gq, iostat)) {
		css = css_of(subsys, bpf_core_enum_value(enum cgroup_subsys_id, io_cgrp_id));
		if (css)
			read_io(record, (struct blkcg *)css);
	}
	return 0;
}

SEC("raw_tp")
int collect(void *context)
{
	last_disk.queue = 0;
	for (__u32 i = 0; i < RECORD_COUNT; i++) {
		if (i >= record_count)
			break;
		read_group(&records[i]);
	}
	return 0;
}

/* The groups whose directories the process has open, by the files it has open: what kernfs keeps
 * in an inode of cgroup2 is its node, and in the node of a directory is the group. */
SEC("iter/task_file")
int find(struct bpf_iter__task_file *context)
{
	struct file *file = context->file;
	struct kernfs_node *node;
	struct inode *inode;
	__u32 at = found_count;
	struct cgroup *group = 0;
	__u64 id = 0;

	if (!file)
		return 0;
	inode = file->f_inode;
	if ((inode->i_mode & S_IFMT) != S_IFDIR || inode->i_sb->s_magic != CGROUP2_SUPER_MAGIC)
		return 0;
	node = inode->i_private;
	READ(id, &node->id);
	READ(group, &node->priv);
	if (id != inode->i_ino || at >= FOUND_GROUPS)
		return 0;
	found[at].id = id;
	found[at].address = (__u64)group;
	READ(found[at].serial, &group->self.serial_nr);
	found[at].psi = 0;
	if (HAS(cgroup, psi))
		READ(found[at].psi, &group->psi);
	found_count = at + 1;
	return 0;
}

#define ENUMERATOR(type, name)                                                                     \
	(bpf_core_enum_value_exists(enum type, name) ? (__s32)bpf_core_enum_value(enum type, name) \
						     : -1)

static __always_inline void learn_states(void)
{
	facts.state[FACT_ANON] = ENUMERATOR(node_stat_item, NR_ANON_MAPPED);
	facts.state[FACT_FILE] = ENUMERATOR(node_stat_item, NR_FILE_PAGES);
	facts.state[FACT_SHMEM] = ENUMERATOR(node_stat_item, NR_SHMEM);
	facts.state[FACT_FILE_MAPPED] = ENUMERATOR(node_stat_item, NR_FILE_MAPPED);
	facts.state[FACT_FILE_DIRTY] = ENUMERATOR(node_stat_item, NR_FILE_DIRTY);
	facts.state[FACT_FILE_WRITEBACK] = ENUMERATOR(node_stat_item, NR_WRITEBACK);
	facts.state[FACT_INACTIVE_ANON] = ENUMERATOR(node_stat_item, NR_INACTIVE_ANON);
	facts.state[FACT_ACTIVE_ANON] = ENUMERATOR(node_stat_item, NR_ACTIVE_ANON);
	facts.state[FACT_INACTIVE_FILE] = ENUMERATOR(node_stat_item, NR_INACTIVE_FILE);
	facts.state[FACT_ACTIVE_FILE] = ENUMERATOR(node_stat_item, NR_ACTIVE_FILE);
	facts.state[FACT_UNEVICTABLE] = ENUMERATOR(node_stat_item, NR_UNEVICTABLE);
	facts.state[FACT_SLAB_RECLAIMABLE] = ENUMERATOR(node_stat_item, NR_SLAB_RECLAIMABLE_B);
	facts.state[FACT_SLAB_UNRECLAIMABLE] = ENUMERATOR(node_stat_item, NR_SLAB_UNRECLAIMABLE_B);
	facts.state[FACT_KERNEL_STACK] = ENUMERATOR(node_stat_item, NR_KERNEL_STACK_KB);
	facts.state[FACT_PAGETABLES] = ENUMERATOR(node_stat_item, NR_PAGETABLE);
	facts.state[FACT_SOCK] = ENUMERATOR(memcg_stat_item, MEMCG_SOCK);
	facts.state[FACT_REFAULT_ANON] = ENUMERATOR(node_stat_item, WORKINGSET_REFAULT_ANON);
	facts.state[FACT_REFAULT_FILE] = ENUMERATOR(node_stat_item, WORKINGSET_REFAULT_FILE);
	facts.state_items = ENUMERATOR(memcg_stat_item, MEMCG_NR_STAT);
}

static __always_inline void learn_vm_events(void)
{
	facts.vm_event[FACT_FAULTS] = ENUMERATOR(vm_event_item, PGFAULT);
	facts.vm_event[FACT_MAJOR_FAULTS] = ENUMERATOR(vm_event_item, PGMAJFAULT);
	facts.vm_event[FACT_SCAN_KSWAPD] = ENUMERATOR(vm_event_item, PGSCAN_KSWAPD);
	facts.vm_event[FACT_SCAN_DIRECT] = ENUMERATOR(vm_event_item, PGSCAN_DIRECT);
	facts.vm_event[FACT_SCAN_KHUGEPAGED] = ENUMERATOR(vm_event_item, PGSCAN_KHUGEPAGED);
	facts.vm_event[FACT_SCAN_PROACTIVE] = ENUMERATOR(vm_event_item, PGSCAN_PROACTIVE);
	facts.vm_event[FACT_STEAL_KSWAPD] = ENUMERATOR(vm_event_item, PGSTEAL_KSWAPD);
	facts.vm_event[FACT_STEAL_DIRECT] = ENUMERATOR(vm_event_item, PGSTEAL_DIRECT);
	facts.vm_event[FACT_STEAL_KHUGEPAGED] = ENUMERATOR(vm_event_item, PGSTEAL_KHUGEPAGED);
	facts.vm_event[FACT_STEAL_PROACTIVE] = ENUMERATOR(vm_event_item, PGSTEAL_PROACTIVE);
	facts.vm_event[FACT_SWAP_IN] = ENUMERATOR(vm_event_item, PSWPIN);
	facts.vm_event[FACT_SWAP_OUT] = ENUMERATOR(vm_event_item, PSWPOUT);
	facts.vm_event_items = ENUMERATOR(vm_event_item, NR_VM_EVENT_ITEMS);
}

/* Run once. */
SEC("raw_tp")
int learn(void *context)
{
	facts.pressure[FACT_CPU_SOME] = ENUMERATOR(psi_states, PSI_CPU_SOME);
	facts.pressure[FACT_CPU_FULL] = ENUMERATOR(psi_states, PSI_CPU_FULL);
	facts.pressure[FACT_MEMORY_SOME] = ENUMERATOR(psi_states, PSI_MEM_SOME);
	facts.pressure[FACT_MEMORY_FULL] = ENUMERATOR(psi_states, PSI_MEM_FULL);
	facts.pressure[FACT_IO_SOME] = ENUMERATOR(psi_states, PSI_IO_SOME);
	facts.pressure[FACT_IO_FULL] = ENUMERATOR(psi_states, PSI_IO_FULL);
	facts.pressure[FACT_IRQ_FULL] = ENUMERATOR(psi_states, PSI_IRQ_FULL);
	facts.event[FACT_LOW] = ENUMERATOR(memcg_memory_event, MEMCG_LOW);
	facts.event[FACT_HIGH] = ENUMERATOR(memcg_memory_event, MEMCG_HIGH);
	facts.event[FACT_MAX] = ENUMERATOR(memcg_memory_event, MEMCG_MAX);
	facts.event[FACT_OOM] = ENUMERATOR(memcg_memory_event, MEMCG_OOM);
	facts.event[FACT_OOM_KILL] = ENUMERATOR(memcg_memory_event, MEMCG_OOM_KILL);
	learn_states();
	learn_vm_events();
	facts.has_pressure = HAS(cgroup, psi) && HAS(psi_group, total);
	facts.has_cputime = HAS(cgroup, bstat) && HAS(cgroup, prev_cputime);
	facts.prev_at = CPUTIME_IN_ONE ? CPUTIME_SIZE / sizeof(__u64) - 2 : 3;
	facts.has_throttling = HAS(task_group, cfs_bandwidth);
	facts.has_memory = HAS(mem_cgroup, memory);
	facts.has_swap = HAS(mem_cgroup, swap);
	facts.has_events = HAS(mem_cgroup, memory_events);
	facts.has_io = HAS(blkcg_gq, iostat) && HAS(request_queue, disk);
	facts.flush_by_subsystem = HAS(cgroup_subsys_state, rstat_cpu);
	if (HAS_VMSTATS) {
		facts.state_size = SIZE(memcg_vmstats, state);
		facts.vm_event_size = SIZE(memcg_vmstats, events);
	}
	return 0;
}

static __always_inline __s32 table_read(unsigned char *table, const char *name, __u32 size)
{
	unsigned long long address = 0;
	long r = bpf_kallsyms_lookup_name(name, size, 0, &address);

	return r < 0 ? r : bpf_probe_read_kernel(table, FACT_TABLE_BYTES, (const void *)address);
}

static const char state_table_name[] = "mem_cgroup_stats_index";
static const char vm_event_table_name[] = "mem_cgroup_events_index";

/* Run once: where the counters of memory.stat are, which the kernel packs in an order of its own.
 * What lies behind a shorter table is read along, and not looked at. */
SEC("syscall")
int tables(void *context)
{
	facts.state_table_error =
		table_read(facts.state_table, state_table_name, sizeof(state_table_name));
	facts.vm_event_table_error =
		table_read(facts.vm_event_table, vm_event_table_name, sizeof(vm_event_table_name));
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
