# title: a pass by BPF does not take cgroup_mutex (driven by tests/bench, see collect_mutex.py)
# needs: load
# timeout: 600
# cgroup: v2
# memory: 768
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

groups=${1:-100}
top=berth.test.mutex
number=0
group_make $top/g0
while [ $number -lt "$groups" ]; do
	mkdir -p "$cpu/$top/g$number"
	echo "$top/g$number"
	number=$((number + 1))
done >/tmp/paths

tracing=/sys/kernel/tracing
mount -t tracefs tracefs $tracing
address=0x$(sed -n 's/^\([0-9a-f]*\) [a-zA-Z] cgroup_mutex$/\1/p' /proc/kallsyms)
echo 'p:berth/lock mutex_lock mutex=%di:x64' >$tracing/kprobe_events || bad "no kprobes"
echo "mutex == $address" >$tracing/events/berth/lock/filter
echo 1 >$tracing/events/berth/lock/enable

# taken COMMAND...: how often the command took the mutex itself, by its name in the trace
taken() {
	: >$tracing/trace
	"$@" </tmp/paths >/tmp/answer
	grep -c "${1##*/}-" $tracing/trace
}

measure() { # NAME
	few=$(taken berth-collect --cost 1 bpf)
	many=$(taken berth-collect --cost 101 bpf)
	way=$(sed -n 's/.*"way": "\([^"]*\)".*/\1/p' /tmp/answer)
	control=$(taken mkdir $cpu/$top/control)
	rmdir $cpu/$top/control
	echo "MUTEX {\"load\": \"$1\", \"way\": \"$way\", \"few_passes\": $few," \
		"\"many_passes\": $many, \"mkdir\": $control}"
	expect "in 100 passes more, $1, it is taken as often" "$few" "$many"
	[ "$control" -gt 0 ] && ok "mkdir takes it" || bad "the probe sees nothing"
}

measure idle
berth-hog syscall & first=$!
sh -c "while :; do mkdir $cpu/$top/churn; rmdir $cpu/$top/churn; done" & second=$!
measure busy
kill $first $second
finish
