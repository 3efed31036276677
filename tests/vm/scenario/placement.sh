# title: offline CPUs are narrowed and widened, whole cores are given, kills and stops put lists back
# needs: berth
# timeout: 600
# cpus: 4
# threads: 2
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.placement
if [ "$RUN_CGROUP" = v2 ]; then
	cpuset=/sys/fs/cgroup
	effective=cpuset.cpus.effective
	inherited=
	echo +cpuset >$cpuset/cgroup.subtree_control
else
	controllers="cpu cpuset"
	cpuset=/sys/fs/cgroup/cpuset
	effective=cpuset.effective_cpus
	inherited=0-3
	# As a runtime does: a copy of the parent's lists.
	echo 1 >$cpuset/cgroup.clone_children
fi
make() {
	group_make "$top/$1"
	[ "$RUN_CGROUP" = v1 ] && return
	for part in $top $top/job; do
		[ ! -d "$cpuset/$part" ] || echo +cpuset >"$cpuset/$part/cgroup.subtree_control"
	done
}
for group in web db job/inner; do make $group; done
say "cores: $(cat /sys/devices/system/cpu/cpu*/topology/thread_siblings_list | sort -u | tr '\n' ' ')"

group_run $top/job/inner sleep 100000
inner=$group_pid
allowed() { awk '/^Cpus_allowed_list/ { print $2 }' "/proc/$inner/status"; }
runs_on() { [ "$(allowed)" = "$1" ]; }
# cpus_within MILLISECONDS LIST: the process of the group below, and what its groups have.
cpus_within() {
	if within "$1" runs_on "$2"; then ok "offline work runs on $2"; else bad "offline work runs on $(allowed), wanted $2"; fi
	# Each group is written by itself, on v1 the one below first.
	has_within 10000 $cpuset/$top/job/$effective "$2"
}
# put_back GROUP WHEN: v2 does not let the list of a group with tasks become empty again, and every
# possible CPU means the same.
put_back() {
	has_now=$(cat "$cpuset/$top/$1/cpuset.cpus")
	if [ "$has_now" = "$inherited" ] || { [ "$RUN_CGROUP" = v2 ] && [ "$has_now" = 0-3 ]; }; then
		ok "cpuset.cpus of $1 is '$has_now' $2"
	else
		bad "cpuset.cpus of $1 is '$has_now' $2, wanted '$inherited'"
	fi
}
all_back() {
	for group in web db job job/inner; do put_back $group "$1"; done
	within 10000 runs_on 0-3 && ok "it runs on all CPUs $1" || bad "it runs on $(allowed) $1"
}

# v1 goes by what the node is busy with, and in an emulated guest on a busy machine a look a second is
# a good part of that.
every=1s
[ "$RUN_CGROUP" = v2 ] || every=4s
tidal() {
	policy <<END
sources: {cgroups: {paths: ["$top/web", "$top/job", "$top/db"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
  - {match: {cgroup: "$top/web"}, qos: high}
plugins:
  colocation:
    placement: {tidal: {enabled: true, period: $every, calm: $every, floor_percent: 25, step_percent: 50, high_percent: 20, low_percent: 10}}
END
}
tidal
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

# Online work sleeps: all CPUs, soon.
group_run $top/web sleep 100000
cpus_within 60000 0-3
# It wants more CPUs than there are.
hogs=
for _ in 1 2 3 4 5 6; do
	group_run $top/web sh -c 'while :; do :; done'
	hogs="$hogs $group_pid"
done
cpus_within 30000 2-3
contains explain "offline work has 2 of 4" "$(berth explain $top/job 2>&1)"
# One that is made now is narrow from the beginning, and is put back with the others.
make job/late
# shellcheck disable=SC2086
kill $hogs
cpus_within 90000 0-3
daemon_stop && ok "stopped" || bad "stop: status $?"
all_back "after a stop"
put_back job/late "after a stop"

# Killed while narrow; put back from the journal alone. All CPUs are only had after 100 s of calm.
sed "s/calm: $every/calm: 100s/" /etc/berth/berth.yaml >/tmp/slow
policy </tmp/slow
daemon_start || bad "berthd does not answer"
cpus_within 20000 2-3
kill -KILL "$daemon_pid"
wait "$daemon_pid"
expect "effective after a kill" 2-3 "$(cat $cpuset/$top/job/$effective)"
berthd --config /etc/berth/berth.yaml --runtime-dir $runtime --restore >/tmp/restore 2>&1 || bad "--restore: $(cat /tmp/restore)"
all_back "after --restore"

# Killed, and taken over by the next run; then switched off by a reload.
daemon_start || bad "berthd does not answer"
cpus_within 20000 2-3
kill -KILL "$daemon_pid"
wait "$daemon_pid"
daemon_start || bad "berthd does not answer"
cpus_within 20000 2-3
sed 's/tidal: {enabled: true/tidal: {enabled: false/' /tmp/slow >/tmp/off
policy </tmp/off
berth reload >/dev/null || bad "reload"
within 90000 runs_on 0-3 && ok "off by a reload" || bad "it runs on $(allowed) after a reload"
daemon_stop || bad "stop: status $?"
all_back "after a reload"

# Whole cores. A host without SMT says so and does nothing.
policy <<END
sources: {cgroups: {paths: ["$top/web", "$top/job", "$top/db"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
  - {match: {cgroup: "$top/db"}, qos: critical, requests: {cpu: "1"}}
plugins: {colocation: {cpu: {smt_protect: cpuset}}}
END
daemon_start || bad "berthd does not answer"
if grep -q , /sys/devices/system/cpu/cpu0/topology/thread_siblings_list ||
	grep -q - /sys/devices/system/cpu/cpu0/topology/thread_siblings_list; then
	has_within 10000 $cpuset/$top/db/cpuset.cpus 2-3
	cpus_within 10000 0-1
	has_within 10000 $cpuset/$top/web/$effective 0-1
	contains explain "whole cores" "$(berth explain $top/db 2>&1)"
else
	contains "the plugin" "no SMT" "$(berth plugins 2>&1)"
	bad "the guest has no SMT"
fi
daemon_stop || bad "stop: status $?"
all_back "in the end"

# A CPU that goes offline is taken out of every list of v1: what goes back is what is left above.
policy </tmp/slow
daemon_start || bad "berthd does not answer"
cpus_within 20000 2-3
echo 0 >/sys/devices/system/cpu/cpu1/online || bad "CPU 1 stays online"
# The kernel's work item takes it out of the lists later (6.1: cpuset_hotplug_workfn).
has_within 10000 $cpuset/$effective 0,2-3
daemon_stop || bad "stop: status $?"
[ "$RUN_CGROUP" = v2 ] || inherited=0,2-3
for group in job job/inner; do
	put_back $group "without CPU 1"
done
has_within 10000 $cpuset/$top/job/$effective 0,2-3
problems=$(log_problems)
[ -z "$problems" ] && ok "nothing was logged at warning or above" || bad "logged: $problems"
[ "$failures" = 0 ] || show_log
finish
