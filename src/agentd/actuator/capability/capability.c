/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/capability/capability.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actuator/capability/bwm.h"
#include "actuator/capability/group.h"
#include "actuator/knob/net.h"
#include "actuator/knob/table.h"
#include "actuator/process/knob.h"
#include "actuator/resctrl/resctrl.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"

#define CORE_SCHED_GET     0u /* PR_SCHED_CORE_GET, of the calling thread */
#define CORE_SCHED_OF_TASK 0u
#define PROBE_TRIES        5u
#define SYSCTL_MEMCG_QOS   "proc/sys/vm/memcg_qos_enable"
#define SYSCTL_QOS_WEIGHTS "proc/sys/kernel/qos_level_weights"
#define PREFERRED_CPUS     "cpuset.preferred_cpus"

const char *feature_name(enum feature feature)
{
	static const char *const names[FEATURE_MAX] = {
		[FEATURE_CGROUP] = "cgroup",         [FEATURE_PSI] = "psi",
		[FEATURE_CGROUP_PSI] = "cgroup-psi", [FEATURE_BPF] = "bpf",
		[FEATURE_RESCTRL] = "resctrl",       [FEATURE_ROOT] = "root",
	};

	return (unsigned int)feature < FEATURE_MAX ? names[feature] : "unknown";
}

void capability_tell(struct capability *capability, bool available, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	capability->available = available;
	(void)vsnprintf(capability->detail, sizeof(capability->detail), format, arguments);
	va_end(arguments);
}

/* What the file would need. */
static const char *hint_of(const char *file)
{
	static const struct {
		const char *file, *hint;
	} hints[] = {
		{ "io.max", " (CONFIG_BLK_DEV_THROTTLING)" },
		{ "io.latency", " (CONFIG_BLK_CGROUP_IOLATENCY)" },
		{ "io.weight", " (CONFIG_BLK_CGROUP_IOCOST)" },
		{ "io.bfq.weight", " (modprobe bfq, and a device whose scheduler it is)" },
		{ "blkio.bfq.weight", " (modprobe bfq, and a device whose scheduler it is)" },
		{ "io.prio.class", " (CONFIG_BLK_CGROUP_IOPRIO, 5.14)" },
		{ "blkio.prio.class", " (CONFIG_BLK_CGROUP_IOPRIO, 5.14)" },
		{ "blkio.cost.weight", " (openEuler with io.cost on v1)" },
		{ "memory.wb_blkio_ino", " (openEuler, boot with cgroup1_writeback)" },
		{ PREFERRED_CPUS, " (openEuler, CONFIG_QOS_SCHED_DYNAMIC_AFFINITY)" },
		{ "memory.high", " (cgroup v2, or openEuler; soft_limit_in_bytes is no equal)" },
		{ "memory.high_async_ratio", " (openEuler)" },
		{ "memory.oom.group", " (4.19)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(hints); i++)
		if (strcmp(hints[i].file, file) == 0)
			return hints[i].hint;
	return "";
}

/* The file is not there: is it the version, the controller, or the kernel? */
static void tell_missing(const struct probe_group *group, enum controller controller,
			 const char *file, struct capability *capability)
{
	const char *name = controller_name(controller);

	if (group->mount->version == 2 && !probe_group_offers(group, controller))
		capability_tell(capability, false, "this kernel offers no %s controller at %s",
				name, group->mount->path);
	else if (group->mount->version == 2 && !probe_group_enables(group, controller))
		capability_tell(
			capability, false,
			"the %s controller is not enabled: write +%s to %s/cgroup.subtree_control",
			name, name, group->mount->path);
	else
		capability_tell(capability, false, "this kernel's groups have no %s%s", file,
				hint_of(file));
}

/* -2 to 2, or 0 and -1 only? In the probe group, which nobody runs in. */
static bool probe_multilevel(const struct sysroot *root, const struct probe_group *group,
			     const char *file)
{
	if (!group->is_own)
		return faccessat(root->root, SYSCTL_QOS_WEIGHTS, F_OK, 0) == 0;
	if (probe_group_write(group, file, "2") < 0)
		return false;
	(void)probe_group_write(group, file, "0");
	return true;
}

static void tell_refused(const struct sysroot *root, enum knob knob, const char *file, int error,
			 struct capability *capability)
{
	bool gated = knob == KNOB_MEMORY_QOS_LEVEL && error == -EACCES;

	/* The gate is a knob too: whoever claims the level claims it first. */
	if (gated && faccessat(root->root, SYSCTL_MEMCG_QOS, W_OK, 0) == 0)
		capability_tell(capability, true,
				"%s is refused until vm.memcg_qos_enable is set to 1", file);
	else if (gated)
		capability_tell(capability, false, "%s is refused: set vm.memcg_qos_enable to 1",
				file);
	else if (error == -EPERM && knob == KNOB_CPUSET_PREFERRED)
		capability_tell(capability, false,
				"%s is refused: boot with dynamic_affinity=enable", file);
	else if (error == -EROFS)
		capability_tell(capability, false,
				"%s cannot be written: cgroups are mounted read-only", file);
	else
		capability_tell(capability, false, "%s refuses the value that it holds: %s", file,
				strerrordesc_np(-error));
}

static void probe_group_knob(const struct sysroot *root, const struct hierarchy *hierarchy,
			     const struct probe_group *group, enum knob knob,
			     struct capability *capability)
{
	const struct knob_row *row = &knob_table[knob];
	const struct hierarchy_mount *mount = &hierarchy->mounts[row->controller];
	const char *file = knob_file(knob, mount->version);
	int r;

	if (mount->version == 0) {
		capability_tell(capability, false, "no %s controller is mounted",
				controller_name(row->controller));
		return;
	}
	if (!file) {
		capability_tell(
			capability, false, "%s is a file of cgroup v%d; this host's %s is v%d",
			row->file_v1   ? row->file_v1
			: row->file_v2 ? row->file_v2
				       : row->name,
			row->file_v1 ? 1 : 2, controller_name(row->controller), mount->version);
		return;
	}
	if (group->fd < 0) {
		capability_tell(capability, false,
				"no group could be made or opened in %s to look at: %s",
				mount->path, strerrordesc_np(-group->error));
		return;
	}
	r = knob_has_line(knob) ? probe_group_see(group, file) : probe_group_try(group, file);
	if (r == -ENOENT) {
		tell_missing(group, row->controller, file, capability);
	} else if (r < 0) {
		tell_refused(root, knob, file, r, capability);
	} else {
		capability_tell(capability, true, "%s/GROUP/%s", mount->path, file);
		if (knob == KNOB_CPU_QOS_LEVEL)
			capability->multilevel = probe_multilevel(root, group, file);
	}
}

/* A file of the root group; what it holds is the devices', so it is only opened. */
static void probe_root_knob(const struct probe_group *group, enum knob knob,
			    struct capability *capability)
{
	const struct knob_row *row = &knob_table[knob];
	const struct hierarchy_mount *mount = group->mount;
	const char *file = knob_file(knob, mount->version);

	if (mount->version == 0)
		capability_tell(capability, false, "no %s controller is mounted",
				controller_name(row->controller));
	else if (faccessat(group->top, file, F_OK, 0) < 0)
		capability_tell(
			capability, false, "no %s/%s: a kernel without CONFIG_BLK_CGROUP_IOCOST%s",
			mount->path, file,
			mount->version == 1 ? ", or not openEuler's: others have it on v2 only"
					    : "");
	else if (faccessat(group->top, file, W_OK, 0) < 0)
		capability_tell(capability, false, "%s/%s cannot be written: %s", mount->path, file,
				strerrordesc_np(errno));
	else
		capability_tell(capability, true, "%s/%s", mount->path, file);
}

static void probe_net(const struct sysroot *root, struct capability *capability)
{
	int r = faccessat(root->root, "proc/net/dev", F_OK, 0) < 0 ? -ENOENT : net_knob_probe();

	if (r == -ENOENT)
		capability_tell(capability, false, "no /proc/net: a kernel without networking");
	else if (r == 0)
		capability_tell(capability, true, "rtnetlink");
	else if (r == -EPERM || r == -EACCES)
		capability_tell(capability, false,
				"the kernel does not let berthd: CAP_NET_ADMIN is needed");
	else
		capability_tell(capability, false, "rtnetlink: %s", strerrordesc_np(-r));
}

static void probe_sysctl(const struct sysroot *root, enum knob knob, struct capability *capability)
{
	const struct knob_row *row = &knob_table[knob];
	char path[96];

	(void)snprintf(path, sizeof(path), "proc/sys/%s", row->file_v1);
	if (faccessat(root->root, path, F_OK, 0) < 0)
		capability_tell(capability, false, "this kernel has no sysctl %s", row->name);
	else if (faccessat(root->root, path, W_OK, 0) < 0)
		capability_tell(capability, false, "/%s cannot be written: %s", path,
				strerrordesc_np(errno));
	else
		capability_tell(capability, true, "/%s", path);
}

static void probe_oom_score(const struct sysroot *root, const struct hierarchy *hierarchy,
			    struct capability *capability)
{
	if (hierarchy->mode == HIERARCHY_NONE)
		capability_tell(capability, false, "no cgroups are mounted to find processes by");
	else if (faccessat(root->root, "proc/self/oom_score_adj", W_OK, 0) < 0)
		capability_tell(capability, false, "/proc/PID/oom_score_adj cannot be written: %s",
				strerrordesc_np(errno));
	else
		capability_tell(capability, true, "/proc/PID/oom_score_adj");
}

static void probe_core_sched(const struct hierarchy *hierarchy, struct capability *capability)
{
	uint64_t cookie = 0;
	int r = process_knob_core_sched(CORE_SCHED_GET, 0, CORE_SCHED_OF_TASK, &cookie);

	if (r == -EINVAL)
		capability_tell(capability, false,
				"this kernel is built without CONFIG_SCHED_CORE");
	else if (r == -ENODEV)
		capability_tell(capability, false, "no SMT: every task has a core of its own");
	else if (r < 0)
		capability_tell(capability, false, "prctl(PR_SCHED_CORE): %s", strerrordesc_np(-r));
	else if (hierarchy->mode == HIERARCHY_NONE)
		capability_tell(capability, false, "no cgroups are mounted to find processes by");
	else
		capability_tell(capability, true, "prctl(PR_SCHED_CORE)");
}

/* Nothing is made: a group takes one of the few that the hardware has. */
static void probe_resctrl(const struct sysroot *root, const struct hierarchy *hierarchy,
			  struct capability *capability)
{
	cleanup_close int fd = resctrl_open(root);
	cleanup_free char *filesystems = NULL;
	struct resctrl_host host;
	int r = fd < 0 ? fd : resctrl_host_read(root, fd, &host);

	(void)file_read_all(root->root, "proc/filesystems", &filesystems, NULL);
	if (fd == -ENODEV && filesystems && strstr(filesystems, "\tresctrl\n"))
		capability_tell(capability, false,
				"not mounted: mount -t resctrl resctrl /" RESCTRL_PATH);
	else if (fd == -ENODEV)
		capability_tell(
			capability, false,
			"no resctrl: the CPU has no cache or bandwidth allocation, the kernel is "
			"built without, or it is off (boot with rdt=l3cat,l2cat,mba)");
	else if (r == -EOPNOTSUPP)
		capability_tell(capability, false,
				"/" RESCTRL_PATH " only monitors: nothing in it can be shared out");
	else if (r < 0)
		capability_tell(capability, false, "/" RESCTRL_PATH ": %s", strerrordesc_np(-r));
	else if (hierarchy->mode == HIERARCHY_NONE)
		capability_tell(capability, false, "no cgroups are mounted to find threads by");
	else if (faccessat(fd, "tasks", W_OK, 0) < 0)
		capability_tell(capability, false, "/" RESCTRL_PATH "/tasks cannot be written: %s",
				strerrordesc_np(errno));
	else
		capability_tell(capability, true, "/" RESCTRL_PATH);
}

static void probe_psi(const struct sysroot *root, struct capability *capability)
{
	char text[512];
	int r = file_read(root->root, "proc/pressure/cpu", text, sizeof(text));

	if (r >= 0)
		capability_tell(capability, true, "/proc/pressure");
	else if (r == -EOPNOTSUPP)
		capability_tell(capability, false, "pressure is built in but off: boot with psi=1");
	else if (r == -ENOENT)
		capability_tell(capability, false,
				"no /proc/pressure: a kernel without CONFIG_PSI");
	else
		capability_tell(capability, false, "/proc/pressure/cpu: %s", strerrordesc_np(-r));
}

/* v2 has the files in every group; v1 only on openEuler, in the cpuacct hierarchy. */
static void probe_cgroup_psi(const struct hierarchy *hierarchy, const struct probe_group *group,
			     struct capability *capability)
{
	const struct hierarchy_mount *mount = &hierarchy->mounts[CONTROLLER_CPUACCT];
	char text[512];
	int r = group->fd < 0 ? -ENOENT : file_read(group->fd, "cpu.pressure", text, sizeof(text));

	if (r >= 0)
		capability_tell(capability, true, "%s/GROUP/cpu.pressure", mount->path);
	else if (mount->version == 1)
		capability_tell(capability, false,
				"cgroup v1 has no pressure files (openEuler: boot with "
				"psi=1 psi_v1=1)");
	else if (r == -EOPNOTSUPP)
		capability_tell(capability, false,
				"pressure is off: boot with psi=1, or write 1 to the "
				"group's cgroup.pressure");
	else
		capability_tell(capability, false,
				"groups have no cpu.pressure (4.20, CONFIG_PSI)");
}

static void probe_host(const struct sysroot *root, const struct hierarchy *hierarchy,
		       struct capabilities *capabilities)
{
	struct capability *features = capabilities->features;
	cleanup_free char *filesystems = NULL;

	if (hierarchy->mode == HIERARCHY_NONE)
		capability_tell(&features[FEATURE_CGROUP], false, "no cgroup hierarchy is mounted");
	else
		capability_tell(&features[FEATURE_CGROUP], true, "cgroup %s",
				hierarchy_mode_name(hierarchy->mode));
	probe_psi(root, &features[FEATURE_PSI]);
	if (faccessat(root->root, "sys/kernel/btf/vmlinux", R_OK, 0) == 0)
		capability_tell(&features[FEATURE_BPF], true, "/sys/kernel/btf/vmlinux");
	else
		capability_tell(&features[FEATURE_BPF], false, "/sys/kernel/btf/vmlinux: %s",
				strerrordesc_np(errno));
	if (file_read_all(root->root, "proc/filesystems", &filesystems, NULL) < 0 ||
	    !strstr(filesystems, "\tresctrl\n"))
		capability_tell(
			&features[FEATURE_RESCTRL], false,
			"no resctrl: the CPU or the kernel has no cache and bandwidth allocation");
	else if (faccessat(root->root, "sys/fs/resctrl/schemata", R_OK, 0) == 0)
		capability_tell(&features[FEATURE_RESCTRL], true, "/sys/fs/resctrl");
	else
		capability_tell(&features[FEATURE_RESCTRL], true,
				"not mounted: mount -t resctrl resctrl "
				"/sys/fs/resctrl");
	if (geteuid() == 0)
		capability_tell(&features[FEATURE_ROOT], true, "uid 0");
	else
		capability_tell(&features[FEATURE_ROOT], false,
				"berthd runs as uid %u and can change little",
				(unsigned int)geteuid());
}

static bool probe_once(const struct sysroot *root, const struct hierarchy *hierarchy,
		       const char *sample_group, struct capabilities *ret)
{
	struct probe_group groups[CONTROLLER_MAX];

	memset(ret, 0, sizeof(*ret));
	probe_groups_open(hierarchy, sample_group, groups);
	for (int knob = 0; knob < KNOB_MAX; knob++) {
		uint32_t flags = knob_table[knob].flags;

		if (flags & KNOB_NET)
			probe_net(root, &ret->knobs[knob]);
		else if (flags & KNOB_NET_CLS)
			net_cls_probe(root, hierarchy, &ret->knobs[knob]);
		else if (flags & KNOB_BWM)
			bwm_knob_probe(root, (enum knob)knob, &ret->knobs[knob]);
		else if (flags & KNOB_ROOT)
			probe_root_knob(&groups[knob_table[knob].controller], (enum knob)knob,
					&ret->knobs[knob]);
		else if (flags & KNOB_RESCTRL)
			probe_resctrl(root, hierarchy, &ret->knobs[knob]);
		else if (!(flags & (KNOB_HOST | KNOB_PROCESSES)))
			probe_group_knob(root, hierarchy, &groups[knob_table[knob].controller],
					 (enum knob)knob, &ret->knobs[knob]);
	}
	probe_cgroup_psi(hierarchy, &groups[CONTROLLER_CPUACCT],
			 &ret->features[FEATURE_CGROUP_PSI]);
	return probe_groups_close(groups);
}

void capabilities_probe(const struct sysroot *root, const struct hierarchy *hierarchy,
			const char *sample_group, struct capabilities *ret)
{
	unsigned int tries = PROBE_TRIES;

	while (!probe_once(root, hierarchy, sample_group, ret) && --tries > 0)
		continue;
	for (int knob = 0; knob < KNOB_MAX; knob++)
		/* A class of resctrl is the host's, too, and no sysctl. */
		if ((knob_table[knob].flags & (KNOB_HOST | KNOB_RESCTRL | KNOB_BWM)) == KNOB_HOST)
			probe_sysctl(root, (enum knob)knob, &ret->knobs[knob]);
	probe_oom_score(root, hierarchy, &ret->knobs[KNOB_OOM_SCORE_ADJ]);
	probe_core_sched(hierarchy, &ret->knobs[KNOB_CORE_SCHED]);
	probe_host(root, hierarchy, ret);
}
