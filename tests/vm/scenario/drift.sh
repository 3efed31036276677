# title: a foreign write is noticed within a second and handled by the knob's rule
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.drift
group_make $top/job
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
END
daemon_start || { bad "berthd does not answer"; show_log; finish; }
has_within 10000 $cpu/$top/job/cpu.idle 1

# What the metric of the daemon itself counts, whatever its labels.
foreign() {
	wget -q -O - http://127.0.0.1:9824/metrics |
		awk '/^berth_foreign_writes_total/ { sum += $2 } END { print sum + 0 }'
}
expect "foreign writes at first" 0 "$(foreign)"

echo 0 >$cpu/$top/job/cpu.idle
begin=$(now_ms)
if within 10000 has $cpu/$top/job/cpu.idle 1; then
	ok "cpu.idle written again after $(($(now_ms) - begin)) ms"
else
	bad "cpu.idle still $(cat $cpu/$top/job/cpu.idle) long after a foreign write"
fi
noticed() { [ "$(foreign)" -ge 1 ]; }
within 10000 noticed && ok "counted: $(foreign)" || bad "not counted"
contains "the history" cpu.idle "$(berth history 2>&1)"

# Somebody who insists wins in the end: the daemon must not fight for ever.
turn=0
while [ $turn -lt 40 ] && ! berth knobs 2>/dev/null | grep cpu.idle | grep -q yielded; do
	echo 0 >$cpu/$top/job/cpu.idle
	usleep 250000
	turn=$((turn + 1))
done
if berth knobs | grep cpu.idle | grep -q yielded; then
	ok "yields after $turn more foreign writes"
else
	bad "never yields: $(berth knobs)"
fi

daemon_stop || bad "stop: status $?"
# The last foreign value stands: a restore may only take back what is still ours.
expect "cpu.idle after stop" 0 "$(cat $cpu/$top/job/cpu.idle)"
[ $failures = 0 ] || show_log
finish
