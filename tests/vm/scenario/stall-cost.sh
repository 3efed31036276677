# title: the benchmark stall-cost: the same work with pressure by cause and without
# needs: berth load
# kmods: brd
# cgroup: v2
# timeout: 900
# memory: 384
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Arguments: rounds, MiB, passes. Prints "PHASE ROUND WORK STATE {...}" for each.
. /berth/scenario/lib.sh

rounds=${1:-1} size=${2:-16} passes=${3:-4}
top=berth.test.stall-cost

insmod /kmod/brd.ko rd_nr=1 rd_size=131072 || { bad "no brd"; finish; }
mkswap /dev/ram0 >/dev/null && swapon /dev/ram0 || { bad "no swap"; finish; }
# A page at a time: pages read ahead would not be waited for.
echo 0 >/proc/sys/vm/page-cluster
group_make $top/work

state() {
	policy <<-END
	sources: {cgroups: {paths: ["$top/*"]}}
	telemetry: {pressure: $1, runqueue_latency: $2}
	END
	within 60000 is "$1" "$3" || bad "telemetry does not become $1, $2"
	# A pass, so that the workload is known.
	berth -o json top >/dev/null
}
is() {
	berth -o json top >/dev/null
	found=$(berth -o json status)
	echo "$found" | grep -q "\"pressure\": \"$1\"" && echo "$found" | grep -q "\"runqueue\": \"$2\""
}

mkdir -p /etc/berth
echo "sources: {cgroups: {paths: [\"$top/*\"]}}" >/etc/berth/berth.yaml
daemon_start || { bad "berthd does not answer"; show_log; finish; }

phase() {
	group_run $top/work "$@" >/tmp/numbers
	wait $group_pid || bad "$*: status $?"
	echo "PHASE $round $work $state $(cat /tmp/numbers)"
}

# The first time costs half as much again, whatever is measured: not counted.
group_run $top/work berth-stall cycle "$size" "$passes" $cpu/$top/work >/dev/null
wait $group_pid || bad "warming up: status $?"

round=0
while [ $round -lt $rounds ]; do
	work=stall
	for state in off bpf off tracepoints off; do
		state $state false off
		phase berth-stall cycle "$size" "$passes" $cpu/$top/work
	done
	work=switch
	for state in off on; do
		state off "$([ $state = on ] && echo true || echo false)" $state
		phase berth-stall switch $((passes * 2000))
	done
	round=$((round + 1))
done
daemon_stop || bad "stop: status $?"
finish
