# title: levels from rules reach the kernel, explain tells why, stop puts everything back
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.priority
for group in online/web online/db batch/job; do
	group_make $top/$group
done
# An original that is not the kernel's default must come back too.
weight_original=$([ "$RUN_CGROUP" = v2 ] && echo 150 || echo 1536)
echo "$weight_original" >$cpu/$top/batch/job/$weight_file

group_run $top/batch/job sleep 1000
job=$group_pid
group_run $top/online/web sleep 1000
web=$group_pid
echo 17 >/proc/$job/oom_score_adj

policy <<END
sources: {cgroups: {paths: ["$top/online/*", "$top/batch/*"]}}
rules:
  - {match: {cgroup: "$top/batch/*"}, qos: batch}
  - {match: {cgroup: "$top/online/db"}, qos: critical, requests: {memory: 64Mi}}
  - {match: {cgroup: "$top/online/*"}, qos: high}
END

daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

has_within 10000 $cpu/$top/batch/job/cpu.idle 1
expect "cpu.idle of online" 0 "$(cat $cpu/$top/online/web/cpu.idle)"
adjusted() { [ "$(cat /proc/$job/oom_score_adj)" -gt 17 ]; }
within 10000 adjusted && ok "oom_score_adj of batch is $(cat /proc/$job/oom_score_adj)" ||
	bad "oom_score_adj of batch is $(cat /proc/$job/oom_score_adj)"
expect "oom_score_adj of online" 0 "$(cat /proc/$web/oom_score_adj)"
if [ "$RUN_CGROUP" = v2 ]; then
	has_within 10000 $memory/$top/online/db/memory.low 67108864
	expect "memory.low of online/web" 0 "$(cat $memory/$top/online/web/memory.low)"
fi

explain=$(berth explain $top/batch/job 2>&1)
contains explain batch "$explain"
contains explain berth.yaml "$explain"
contains explain cpu.idle "$explain"
contains "the knobs" cpu.idle "$(berth knobs 2>&1)"
contains "the workloads" $top/batch/job "$(berth workloads -o json 2>&1)"

# A group that comes later.
group_make $top/batch/late
has_within 10000 $cpu/$top/batch/late/cpu.idle 1

daemon_stop && ok "stopped" || bad "stop: status $?"
expect "cpu.idle after stop" 0 "$(cat $cpu/$top/batch/job/cpu.idle)"
expect "cpu.idle of late after stop" 0 "$(cat $cpu/$top/batch/late/cpu.idle)"
expect "the weight after stop" "$weight_original" "$(cat $cpu/$top/batch/job/$weight_file)"
expect "oom_score_adj after stop" 17 "$(cat /proc/$job/oom_score_adj)"
if [ "$RUN_CGROUP" = v2 ]; then
	expect "memory.low after stop" 0 "$(cat $memory/$top/online/db/memory.low)"
	expect "memory.low above it after stop" 0 "$(cat $memory/$top/online/memory.low)"
fi
expect "problems in the log" "" "$(log_problems)"
[ $failures = 0 ] || show_log
finish
