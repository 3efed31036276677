# title: pods as the kubelet lays them out, by both cgroup drivers: found by path, no API is asked
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

# As crypto/rand would give them: 64 hexadecimal digits.
container_id() { echo "$1" | sha256sum | cut -c1-64; }

# pod_path DRIVER CLASS UID; CLASS is "" for a guaranteed pod.
pod_path() {
	if [ "$1" = cgroupfs ]; then
		echo "kubepods/${2:+$2/}pod$3"
	else
		pod_of=kubepods-${2:+$2-}pod$(echo "$3" | tr - _).slice
		echo "kubepods.slice/${2:+kubepods-$2.slice/}$pod_of"
	fi
}

# container_path DRIVER POD-PATH NAME
container_path() {
	if [ "$1" = cgroupfs ]; then
		echo "$2/$(container_id "$3")"
	else
		echo "$2/cri-containerd-$(container_id "$3").scope"
	fi
}

uid_of() {
	case $1 in
	cgroupfs) echo "81091155-cf2d-465d-b40b-1ee79f213f6$2" ;;
	systemd) echo "a8ffb5d8-8000-457d-8a05-b8029458ae7$2" ;;
	esac
}

# The record of a cgroup, as one line of JSON.
record() {
	berth workloads -o json | tr -s ' \n\t' ' ' | sed 's/{ *"id":/\n&/g' |
		grep -F "\"cgroup\": \"$1\""
}
field() { sed -n 's/.*"'"$1"'": "\{0,1\}\([^",}]*\).*/\1/p'; }
known() { [ -n "$(record "$1")" ]; }
unknown() { ! known "$1"; }

# A value that the kernel does not give by itself must come back, too.
weight_original=$([ "$RUN_CGROUP" = v2 ] && echo 4 || echo 102)
class_weight=$([ "$RUN_CGROUP" = v2 ] && echo 1 || echo 2)

for driver in cgroupfs systemd; do
	number=0
	for class in besteffort burstable ''; do
		number=$((number + 1))
		pod=$(pod_path $driver "$class" "$(uid_of $driver $number)")
		for container in sandbox app; do
			group_make "$(container_path $driver "$pod" "$class-$container")"
		done
		echo "$weight_original" >"$cpu/$pod/$weight_file"
	done
	best=$(pod_path $driver besteffort "$(uid_of $driver 1)")
	group_run "$(container_path $driver "$best" besteffort-app)" sleep 100000
	eval "process_$driver=$group_pid"
done

policy <<END
sources: {kubernetes: {enabled: true, via: cgroup}}
rules:
  - {match: {kind: pod, cgroup: "*besteffort*"}, qos: batch}
END
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

# qos_is PATH LEVEL
qos_is() { [ "$(record "$1" | field qos)" = "$2" ]; }

# adjusted PID: it would be killed first.
adjusted() { [ "$(cat "/proc/$1/oom_score_adj")" = 950 ]; }

# The kernel refuses a weight where cpu.idle is 1. The kubelet writes that of the QoS classes every
# minute, and a runtime that of a container whenever it updates it.
can_write_weight() { # PATH VALUE
	expect "cpu.idle of $1" 0 "$(cat "$cpu/$1/cpu.idle")"
	echo "$2" >"$cpu/$1/$weight_file" && ok "its weight can be written" || bad "its weight cannot be written"
}

for driver in cgroupfs systemd; do
	echo "-- $driver driver"
	best=$(pod_path $driver besteffort "$(uid_of $driver 1)")
	burst=$(pod_path $driver burstable "$(uid_of $driver 2)")
	guaranteed=$(pod_path $driver '' "$(uid_of $driver 3)")
	app=$(container_path $driver "$best" besteffort-app)

	eval "process=\$process_$driver"
	has_within 10000 "$cpu/$best/cpu.idle" 1
	within 10000 adjusted "$process" && ok "the container's process has oom_score_adj 950" ||
		bad "oom_score_adj of its container is $(cat "/proc/$process/oom_score_adj")"
	within 10000 known "$guaranteed" && ok "the guaranteed pod is known" || bad "$(berth workloads -w)"
	number=0
	for pod in "$best" "$burst" "$guaranteed"; do
		number=$((number + 1))
		line=$(record "$pod")
		expect "kind of pod $number" pod "$(echo "$line" | field kind)"
		contains "the record of pod $number" "$(uid_of $driver $number)" "$line"
	done
	line=$(record "$app")
	expect "kind of its container" container "$(echo "$line" | field kind)"
	expect "the container's parent" "$(record "$best" | field id)" "$(echo "$line" | field parent)"
	expect "the container's level" batch "$(echo "$line" | field qos)"
	expect "level of the burstable pod" normal "$(record "$burst" | field qos)"
	expect "cpu.idle of the burstable pod" 0 "$(cat "$cpu/$burst/cpu.idle")"
	expect "cpu.idle of the guaranteed pod" 0 "$(cat "$cpu/$guaranteed/cpu.idle")"
	contains "explain by uid" "$best" "$(berth explain "$(uid_of $driver 1)" 2>&1)"

	class=$(dirname "$best")
	can_write_weight "$class" "$class_weight"
	can_write_weight "$app" "$class_weight"
	unknown "$class" && ok "the class is no workload" || bad "a workload: $(record "$class")"

	# A container that is restarted has a new id, thus a new group.
	kill "$process"
	wait "$process" 2>/dev/null
	group_remove "$app"
	again=$(container_path $driver "$best" besteffort-app-again)
	group_make "$again"
	group_run "$again" sleep 100000
	eval "process_$driver=$group_pid"
	within 10000 adjusted "$group_pid" && ok "the container that replaces it has its knobs" ||
		bad "oom_score_adj of the new container is $(cat "/proc/$group_pid/oom_score_adj")"
	within 10000 unknown "$app" && ok "the old one is forgotten" || bad "still known: $(record "$app")"

	late=$(pod_path $driver besteffort "$(uid_of $driver 4)")
	late_app=$(container_path $driver "$late" late-app)
	group_make "$late_app"
	has_within 10000 "$cpu/$late/cpu.idle" 1
	within 10000 qos_is "$late_app" batch && ok "and known" || bad "the late container: $(record "$late_app")"
	group_remove "$late_app"
	group_remove "$late"
	within 10000 unknown "$late" && ok "a removed pod is forgotten" || bad "still known: $(record "$late")"
	within 10000 unknown "$late_app" && ok "and its container" || bad "still known: $(record "$late_app")"
done

# Pods go in the middle of being written to: neither a line in the log nor a file left open.
lines=$(wc -l <$log)
turn=0
while [ $turn -lt 20 ]; do
	turn=$((turn + 1))
	for driver in cgroupfs systemd; do
		pod=$(pod_path $driver besteffort "$(uid_of $driver 5)")
		group_make "$(container_path $driver "$pod" $turn)"
	done
	usleep $((turn % 4 * 5000))
	for driver in cgroupfs systemd; do
		pod=$(pod_path $driver besteffort "$(uid_of $driver 5)")
		group_remove "$(container_path $driver "$pod" $turn)"
		group_remove "$pod"
	done
done
all_gone() { ! berth workloads -o json | grep -q 'f213f65\|458ae75'; }
within 10000 all_gone && ok "$turn short-lived pods of each driver are forgotten" || bad "$(berth workloads -w)"
expect "problems logged meanwhile" "" "$(tail -n +$((lines + 1)) $log | without_callbacks)"

daemon_stop && ok "stopped" || bad "stop: status $?"
for driver in cgroupfs systemd; do
	best=$(pod_path $driver besteffort "$(uid_of $driver 1)")
	eval "process=\$process_$driver"
	expect "cpu.idle of the pod after stop" 0 "$(cat "$cpu/$best/cpu.idle")"
	expect "its weight" "$weight_original" "$(cat "$cpu/$best/$weight_file")"
	expect "oom_score_adj of its process" 0 "$(cat "/proc/$process/oom_score_adj")"
done
expect "problems in the log" "" "$(log_problems)"
[ $failures = 0 ] || show_log
finish
