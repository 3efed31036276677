# title: the node runs out of memory: a scavenger dies first, then a batch pod, as a whole; online work lives
# needs: berth load
# timeout: 600
# memory: 448
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

[ -n "$memory" ] || { say "this kernel has no memory controller for this version"; exit 77; }

top=berth.test.memory
pod=kubepods/besteffort/pod81091155-cf2d-465d-b40b-1ee79f213f61
container=$pod/$(echo app | sha256sum | cut -c1-64)
for group in $top/online/web $top/online/grows $top/offline/scavenger "$container"; do
	group_make "$group"
done
policy <<END
sources: {cgroups: {paths: ["$top/*/*"]}, kubernetes: {enabled: true, via: cgroup}}
metrics: {listen: ""}
rules:
  - {match: {kind: pod}, qos: batch}
  - {match: {cgroup: "$top/offline/*"}, qos: scavenger}
  - {match: {cgroup: "$top/online/web"}, qos: critical, requests: {memory: 32Mi}}
  - {match: {cgroup: "$top/online/grows"}, qos: high, requests: {memory: 1Gi}}
plugins:
  colocation:
    cpu: {enabled: false}
    memory: {oom_group: true, protect_from: high, protect_percent: 50}
END
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

# The batch pod holds more than the scavenger, by less than 5 % of the node.
group_run $top/online/web berth-hog grab 24 100 >/dev/null
web=$group_pid
group_run $top/offline/scavenger berth-hog grab 20 100 >/dev/null
scavenger=$group_pid
group_run "$container" berth-hog grab 28 100 >/dev/null
batch=$group_pid
group_run "$container" sleep 100000
helper=$group_pid

adjusted() { [ "$(cat "/proc/$1/oom_score_adj")" = "$2" ]; }
for pair in "$scavenger 1000 scavenger" "$batch 950 batch" "$helper 950 batch"; do
	set -- $pair
	within 10000 adjusted "$1" "$2" && ok "oom_score_adj of the $3 is $2" ||
		bad "oom_score_adj of the $3 is $(cat "/proc/$1/oom_score_adj")"
done
expect "oom_score_adj of online work" 0 "$(cat /proc/$web/oom_score_adj)"

if [ "$RUN_CGROUP" = v2 ]; then
	has_within 10000 "$memory/$pod/memory.oom.group" 1
	expect "memory.oom.group of its container" 0 "$(cat "$memory/$container/memory.oom.group")"
	# 32 MiB for the critical one, what is left of half the node for the other.
	has_within 10000 $memory/$top/online/web/memory.low 33554432
	total=$(awk '$1 == "MemTotal:" { print $2 * 1024 }' /proc/meminfo)
	scaled() {
		low=$(cat $memory/$top/online/grows/memory.low)
		[ "$low" -gt $((total / 100 * 50 - 33554432 - 1048576)) ] &&
			[ "$low" -le $((total / 100 * 50 - 33554432)) ]
	}
	within 10000 scaled && ok "memory.low of the one that asks for too much is $low of 1073741824" ||
		bad "memory.low of the one that asks for too much is $low"
	contains "explain" "% of its request of 1073741824" "$(berth explain $top/online/grows 2>&1 | tr -s '\n ' ' ')"
fi

dmesg -c >/dev/null
# killed: the pids that the kernel took, in order. With memory.oom.group the first one is told twice.
killed() { dmesg | sed -n 's/.*Killed process \([0-9]*\) .*/\1/p' | awk '!seen[$1]++' | tr '\n' ' '; }
gone() { ! kill -0 "$1" 2>/dev/null; }

# It grows until it dies itself: all that are to go before it have gone then.
group_run $top/online/grows berth-hog grab 1024 20000 >/dev/null
grows=$group_pid
within 300000 gone $grows && ok "what grew is gone" || bad "what grew lives"
order=$(killed)
say "killed: $order(scavenger $scavenger, batch $batch and $helper, the one that grew $grows)"
# The pod's second process holds next to nothing; what is killed with a group is told as well.
order=$(for pid in $order; do [ "$pid" = "$helper" ] || printf '%s ' "$pid"; done)
expect "the order" "$scavenger $batch $grows " "$order"
kill -0 $web 2>/dev/null && ok "the critical one lives" || bad "the critical one is gone"
kill -0 $daemon_pid 2>/dev/null && ok "berthd lives" || bad "berthd is gone"
# On v1 by its own oom_score_adj, after the first one.
within 10000 gone $helper && ok "all of the batch pod is gone" || bad "half of the batch pod lives"
if [ "$RUN_CGROUP" = v2 ]; then
	contains "the kernel" "Tasks in .*$pod are going to be killed due to memory.oom.group" "$(dmesg)"
fi

daemon_stop || bad "stop: status $?"
if [ "$RUN_CGROUP" = v2 ]; then
	expect "memory.oom.group after stop" 0 "$(cat "$memory/$pod/memory.oom.group")"
	expect "memory.low after stop" 0 "$(cat $memory/$top/online/web/memory.low)"
fi
[ -z "$(log_problems)" ] && ok "nothing at warning or above" || { bad "the log has warnings"; log_problems; }
finish
