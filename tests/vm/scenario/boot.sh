# title: the rig itself: controllers, knobs and pressure files are where the tests expect them
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

say "kernel $(uname -r), cgroup $RUN_CGROUP, $(nproc) CPUs, up $(cut -d' ' -f1 /proc/uptime) s"
[ $# = 0 ] || say "arguments: $*"

group_make berth.test.boot/child
if [ "$RUN_CGROUP" = v2 ]; then
	files="cpu.idle cpu.weight cpu.max cpu.pressure memory.low memory.min memory.high
		memory.pressure memory.reclaim io.pressure cgroup.kill cgroup.events"
	for file in $files; do
		[ -e "$cpu/berth.test.boot/child/$file" ] && ok "$file" || bad "no $file"
	done
else
	for file in cpu.idle cpu.shares cpu.cfs_quota_us cpuacct.usage; do
		[ -e "$cpu/berth.test.boot/child/$file" ] && ok "$file" || bad "no $file"
	done
	[ -n "$memory" ] || say "this kernel has no memory controller for v1"
	for file in ${memory:+memory.limit_in_bytes memory.usage_in_bytes}; do
		[ -e "$memory/berth.test.boot/child/$file" ] && ok "$file" || bad "no $file"
	done
fi

echo 1 >$cpu/berth.test.boot/child/cpu.idle
expect "cpu.idle written" 1 "$(cat $cpu/berth.test.boot/child/cpu.idle)"
contains /proc/pressure/cpu some "$(cat /proc/pressure/cpu)"

group_run berth.test.boot/child sleep 100
within 10000 grep -qx "$group_pid" "$cpu/berth.test.boot/child/cgroup.procs" &&
	ok "a process is in the group" || bad "no process in the group"
kill "$group_pid"
wait "$group_pid"
group_remove berth.test.boot/child && ok "removed" || bad "not removed"
group_remove berth.test.boot
finish
