/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/capability/bwm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actuator/knob/bwm.h"
#include "actuator/knob/table.h"
#include "cleanup.h"

/* Written to nothing: a class is a filter's business. */
void net_cls_probe(const struct sysroot *root, const struct hierarchy *hierarchy,
		   struct capability *capability)
{
	cleanup_close int fd = hierarchy_open_net_cls(hierarchy, root, "");

	if (!hierarchy->net_cls_path)
		capability_tell(capability, false,
				"no net_cls controller is mounted: it is one of cgroup v1");
	else if (faccessat(fd, "net_cls.classid", W_OK, 0) < 0)
		capability_tell(capability, false, "%s/net_cls.classid cannot be written: %s",
				hierarchy->net_cls_path, strerrordesc_np(errno));
	else
		capability_tell(capability, true, "%s/GROUP/net_cls.classid",
				hierarchy->net_cls_path);
}

/* The module takes no value before it was switched on for a device, wherever that was: then the map
 * is there that holds it. */
void bwm_knob_probe(const struct sysroot *root, enum knob knob, struct capability *capability)
{
	char path[64];

	(void)snprintf(path, sizeof(path), BWM_PROC "/%s", knob_table[knob].file_v1);
	if (faccessat(root->root, path, F_OK, 0) < 0)
		capability_tell(capability, false,
				"bwm is not loaded (openEuler, oncn-bwm: modprobe bwm)");
	else if (faccessat(root->root, path, W_OK, 0) < 0)
		capability_tell(capability, false, "/%s cannot be written: %s", path,
				strerrordesc_np(errno));
	else if (faccessat(root->root, BWM_MAP, F_OK, 0) < 0)
		capability_tell(capability, false,
				"bwm is loaded, and on at no device since the boot: bwmcli -e "
				"DEVICE, or its "
				"CNI plugin (no /" BWM_MAP ")");
	else
		capability_tell(capability, true, "/%s", path);
}
