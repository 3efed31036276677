/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/capability.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actuator/capability-group.h"
#include "actuator/knob-table.h"
#include "actuator/process-knob.h"
#include "cleanup.h"
#include "file.h"
#include "macro.h"

#define CORE_SCHED_GET     0u /* PR_SCHED_CORE_GET, of the calling thread */
#define CORE_SCHED_OF_TASK 0u
#define PROBE_TRIES        5u
#define SYSCTL_MEMCG_QOS   "sys/vm/memcg_qos_enable"
#define SYSCTL_QOS_WEIGHTS "sys/kernel/qos_level_weights"

const char *feature_name(enum feature feature)
{
	static const char *const names[FEATURE_MAX] = {
		[FEATURE_CGROUP] = "cgroup",         [FEATURE_PSI] = "psi",
		[FEATURE_CGROUP_PSI] = "cgroup-psi", [FEATURE_BPF] = "bpf",
		[FEATURE_RESCTRL] = "resctrl",       [FEATURE_ROOT] = "root",
	};

	return (unsigned int)feature < FEATURE_MAX ? names[feature] : "unknown";
}

__attribute__((format(printf, 3, 4))) static void tell(struct capability *capability,
						       bool available, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	capability->available = available;
	(void)vsnprintf(capability->detail, sizeof(capability->detail), format, arguments);
	va_end(arguments);
}

/* The file is not there: is it the version, the controller, or the kernel? */
static void tell_missing(const struct probe_group *group, enum controller controller,
			 const char *file, struct capability *capability)
{
	const char *name = controller_name(controller);

	if (group->mount->version == 2 && !probe_group_offers(group, controller))
		tell(capability, false, "this kernel offers no %s controller at %s", name,
		     group->mount->path);
	else if (group->mount->version == 2 && !probe_group_enables(group, controller))
		tell(capability, false,
		     "the %s controller is not enabled: write +%s to %s/cgroup.subtree_control",
		     name, name, group->mount->path);
	else
		tell(capability, false, "this kernel's groups have no %s", file);
}

/* -2 to 2, or 0 and -1 only? In the probe group, which nobody runs in. */
static bool probe_multilevel(const struct sysroot *root, const struct probe_group *group,
			     const char *file)
{
	if (!group->is_own)
		return faccessat(root->proc, SYSCTL_QOS_WEIGHTS, F_OK, 0) == 0;
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
	if (gated && faccessat(root->proc, SYSCTL_MEMCG_QOS, W_OK, 0) == 0)
		tell(capability, true, "%s is refused until vm.memcg_qos_enable is set to 1", file);
	else if (gated)
		tell(capability, false, "%s is refused: set vm.memcg_qos_enable to 1", file);
	else if (error == -EROFS)
		tell(capability, false, "%s cannot be written: cgroups are mounted read-only",
		     file);
	else
		tell(capability, false, "%s refuses the value that it holds: %s", file,
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
		tell(capability, false, "no %s controller is mounted",
		     controller_name(row->controller));
		return;
	}
	if (!file) {
		tell(capability, false, "%s is a file of cgroup v1; this host's %s is v2",
		     row->file_v1 ? row->file_v1 : row->name, controller_name(row->controller));
		return;
	}
	if (group->fd < 0) {
		tell(capability, false, "no group could be made or opened in %s to look at: %s",
		     mount->path, strerrordesc_np(-group->error));
		return;
	}
	r = probe_group_try(group, file);
	if (r == -ENOENT) {
		tell_missing(group, row->controller, file, capability);
	} else if (r < 0) {
		tell_refused(root, knob, file, r, capability);
	} else {
		tell(capability, true, "%s/GROUP/%s", mount->path, file);
		if (knob == KNOB_CPU_QOS_LEVEL)
			capability->multilevel = probe_multilevel(root, group, file);
	}
}

static void probe_sysctl(const struct sysroot *root, struct capability *capability)
{
	if (faccessat(root->proc, SYSCTL_MEMCG_QOS, F_OK, 0) < 0)
		tell(capability, false, "this kernel has no sysctl vm.memcg_qos_enable");
	else if (faccessat(root->proc, SYSCTL_MEMCG_QOS, W_OK, 0) < 0)
		tell(capability, false, "/proc/" SYSCTL_MEMCG_QOS " cannot be written: %s",
		     strerrordesc_np(errno));
	else
		tell(capability, true, "/proc/" SYSCTL_MEMCG_QOS);
}

static void probe_oom_score(const struct sysroot *root, const struct hierarchy *hierarchy,
			    struct capability *capability)
{
	if (hierarchy->mode == HIERARCHY_NONE)
		tell(capability, false, "no cgroups are mounted to find processes by");
	else if (faccessat(root->proc, "self/oom_score_adj", W_OK, 0) < 0)
		tell(capability, false, "/proc/PID/oom_score_adj cannot be written: %s",
		     strerrordesc_np(errno));
	else
		tell(capability, true, "/proc/PID/oom_score_adj");
}

static void probe_core_sched(const struct hierarchy *hierarchy, struct capability *capability)
{
	uint64_t cookie = 0;
	int r = process_knob_core_sched(CORE_SCHED_GET, 0, CORE_SCHED_OF_TASK, &cookie);

	if (r == -EINVAL)
		tell(capability, false, "this kernel is built without CONFIG_SCHED_CORE");
	else if (r == -ENODEV)
		tell(capability, false, "no SMT: every task has a core of its own");
	else if (r < 0)
		tell(capability, false, "prctl(PR_SCHED_CORE): %s", strerrordesc_np(-r));
	else if (hierarchy->mode == HIERARCHY_NONE)
		tell(capability, false, "no cgroups are mounted to find processes by");
	else
		tell(capability, true, "prctl(PR_SCHED_CORE)");
}

static void probe_psi(const struct sysroot *root, struct capability *capability)
{
	char text[512];
	int r = file_read(root->proc, "pressure/cpu", text, sizeof(text));

	if (r >= 0)
		tell(capability, true, "/proc/pressure");
	else if (r == -EOPNOTSUPP)
		tell(capability, false, "pressure is built in but off: boot with psi=1");
	else if (r == -ENOENT)
		tell(capability, false, "no /proc/pressure: a kernel without CONFIG_PSI");
	else
		tell(capability, false, "/proc/pressure/cpu: %s", strerrordesc_np(-r));
}

/* v2 has the files in every group; v1 only on openEuler, in the cpuacct hierarchy. */
static void probe_cgroup_psi(const struct hierarchy *hierarchy, const struct probe_group *group,
			     struct capability *capability)
{
	const struct hierarchy_mount *mount = &hierarchy->mounts[CONTROLLER_CPUACCT];
	char text[512];
	int r = group->fd < 0 ? -ENOENT : file_read(group->fd, "cpu.pressure", text, sizeof(text));

	if (r >= 0)
		tell(capability, true, "%s/GROUP/cpu.pressure", mount->path);
	else if (mount->version == 1)
		tell(capability, false,
		     "cgroup v1 has no pressure files (openEuler: boot with "
		     "psi=1 psi_v1=1)");
	else if (r == -EOPNOTSUPP)
		tell(capability, false,
		     "pressure is off: boot with psi=1, or write 1 to the "
		     "group's cgroup.pressure");
	else
		tell(capability, false, "groups have no cpu.pressure (4.20, CONFIG_PSI)");
}

static void probe_host(const struct sysroot *root, const struct hierarchy *hierarchy,
		       struct capabilities *capabilities)
{
	struct capability *features = capabilities->features;
	cleanup_free char *filesystems = NULL;

	if (hierarchy->mode == HIERARCHY_NONE)
		tell(&features[FEATURE_CGROUP], false, "no cgroup hierarchy is mounted");
	else
		tell(&features[FEATURE_CGROUP], true, "cgroup %s",
		     hierarchy_mode_name(hierarchy->mode));
	probe_psi(root, &features[FEATURE_PSI]);
	if (faccessat(root->sys, "kernel/btf/vmlinux", R_OK, 0) == 0)
		tell(&features[FEATURE_BPF], true, "/sys/kernel/btf/vmlinux");
	else
		tell(&features[FEATURE_BPF], false, "/sys/kernel/btf/vmlinux: %s",
		     strerrordesc_np(errno));
	if (file_read_all(root->proc, "filesystems", &filesystems, NULL) < 0 ||
	    !strstr(filesystems, "\tresctrl\n"))
		tell(&features[FEATURE_RESCTRL], false,
		     "no resctrl: the CPU or the kernel has no cache and bandwidth allocation");
	else if (faccessat(root->sys, "fs/resctrl/schemata", R_OK, 0) == 0)
		tell(&features[FEATURE_RESCTRL], true, "/sys/fs/resctrl");
	else
		tell(&features[FEATURE_RESCTRL], true,
		     "not mounted: mount -t resctrl resctrl "
		     "/sys/fs/resctrl");
	if (geteuid() == 0)
		tell(&features[FEATURE_ROOT], true, "uid 0");
	else
		tell(&features[FEATURE_ROOT], false, "berthd runs as uid %u and can change little",
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

		if (!(flags & (KNOB_HOST | KNOB_PROCESSES)))
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
	probe_sysctl(root, &ret->knobs[KNOB_MEMCG_QOS_ENABLE]);
	probe_oom_score(root, hierarchy, &ret->knobs[KNOB_OOM_SCORE_ADJ]);
	probe_core_sched(hierarchy, &ret->knobs[KNOB_CORE_SCHED]);
	probe_host(root, hierarchy, ret);
}
