# title: a controller is taken from a group: its values are not told any more, and are when it is back
# needs: berth
# timeout: 600
# cgroup: v2
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.controller seen=berth.test.seen
control=/sys/fs/cgroup/$top/cgroup.subtree_control
group_make $top/a

page() { wget -q -O - http://127.0.0.1:9824/metrics | grep "name=\"$top/a\""; }
known() { page | grep -q "^berth_workload_$1{"; }
unknown() { ! known "$1"; }

for way in auto files; do
	policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
telemetry: {collector: $way}
END
	daemon_start || bad "$way: the daemon starts"
	for family in cpu_usage_seconds_total memory_bytes memory_stat_bytes; do
		known $family && ok "$way: $family is told" || bad "$way: $family is not told"
	done
	# Without io, which keeps the kernel's memory controller there, out of sight.
	echo "-memory -io" >$control || bad "$way: the controllers cannot be taken away"
	known cpu_usage_seconds_total && ok "$way: no scrape is without CPU" ||
		bad "$way: a scrape without CPU"
	for family in memory_bytes memory_stat_bytes; do
		within 20000 unknown $family && ok "$way: $family is forgotten" ||
			bad "$way: $family is still told"
	done
	known cpu_usage_seconds_total && ok "$way: CPU stays" || bad "$way: CPU went"
	known cpu_periods_total && ok "$way: periods are told" || bad "$way: periods are not told"
	echo "-cpu" >$control || bad "$way: cpu cannot be taken away"
	within 20000 unknown cpu_periods_total && ok "$way: periods are forgotten" ||
		bad "$way: periods are still told"
	known cpu_usage_seconds_total && ok "$way: CPU time stays" || bad "$way: CPU time went"
	echo "+cpu +memory +io" >$control
	# Files that were not there are looked for once a minute.
	within 180000 known memory_bytes && ok "$way: memory is back" || bad "$way: memory stays away"
	daemon_stop
done

# Where only memory is taken, io keeps it there, out of sight, and records of BPF tell what no file
# does. That group, which uses most, says nothing against BPF.
group_make $seen/b
group_run $top/a dd if=/dev/zero of=/tmp/big bs=1M count=8
wait "$group_pid"
echo "-memory" >$control || bad "memory cannot be taken away"
[ ! -e /sys/fs/cgroup/$top/a/memory.current ] || bad "memory is still there"
policy <<END
sources: {cgroups: {paths: ["$top/*", "$seen/*"]}}
END
daemon_start || bad "the daemon starts beside a controller out of sight"
telemetry_loaded
shown() { wget -q -O - http://127.0.0.1:9824/metrics | grep -q "^berth_workload_$1{.*name=\"$seen/b\""; }
for family in memory_bytes memory_stat_bytes; do
	shown $family && ok "another group: $family is told" || bad "another group: no $family"
done
all_by_bpf() { berth status -o json | tr -d ' \n' | grep -q '"way":"bpf",.*"by_files":\[\]'; }
within 10000 all_by_bpf && ok "all by BPF" || bad "not all by BPF: $(berth status -o json | grep -A5 '"telemetry"')"
daemon_stop

# As libvirt without machined does: a group is made, and then its controllers are enabled above it.
# What is not there yet is looked for soon, not at the next reconcile pass.
late=berth.test.late
policy <<END
sources: {cgroups: {paths: ["$late/*"]}}
rules:
  - {match: {cgroup: "$late/job"}, qos: batch}
END
daemon_start || bad "the daemon starts beside groups without controllers"
mkdir -p /sys/fs/cgroup/$late/job
waits() { berth knobs -w | grep "$late/job *cpu.idle" | grep -q pending; }
within 10000 waits && ok "cpu.idle of a group without the controller waits" || bad "it does not wait: $(berth knobs -w)"
echo "+cpu" >/sys/fs/cgroup/$late/cgroup.subtree_control || bad "cpu cannot be enabled"
has_within 20000 /sys/fs/cgroup/$late/job/cpu.idle 1
daemon_stop
expect "cpu.idle after stop" 0 "$(cat /sys/fs/cgroup/$late/job/cpu.idle)"
expect "problems in the log" "" "$(log_problems)"
finish
