# title: groups that vanish while they are written to cost nothing and log nothing
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

seconds=${1:-10}
top=berth.test.vanish
group_make $top/steady
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/*"}, qos: batch}
END
daemon_start || { bad "berthd does not answer"; show_log; finish; }
has_within 10000 $cpu/$top/steady/cpu.idle 1
# Whatever the daemon opens for the first one that comes and goes is there before it is counted.
known() { berth workloads -o json | grep -q 'job-first'; }
unknown() { ! known; }
group_make $top/job-first
within 10000 known || bad "the first one is not known"
group_remove $top/job-first
within 10000 unknown || bad "the first one is not forgotten"
lines=$(wc -l <$log)
fds=$(ls /proc/$daemon_pid/fd | wc -l)

# Lives from none to 15 ms: removed before, during and after the daemon's writes.
end=$(($(now_ms) + seconds * 1000))
made=0
while [ "$(now_ms)" -lt $end ] || [ $made -lt 50 ]; do
	for name in a b c d e; do
		group_make $top/job-$name
	done
	usleep $((made / 5 % 4 * 5000))
	for name in a b c d e; do
		group_remove $top/job-$name
	done
	made=$((made + 5))
done
# The rate is the emulated guest's and says nothing; that there were many is the point.
ok "$made groups"

# A group that is made again under its name is another group and gets its value.
group_make $top/job-a
has_within 10000 $cpu/$top/job-a/cpu.idle 1
group_remove $top/job-a
forgotten() { [ "$(berth workloads -o json | grep -c 'job-')" = 0 ]; }
within 10000 forgotten && ok "all forgotten" || bad "still known: $(berth workloads)"

kill -0 $daemon_pid && ok "berthd lives" || bad "berthd is gone"
expect "lines logged above debug" "" "$(tail -n +$((lines + 1)) $log | without_callbacks)"
# Workers that have nothing to do end, and with the last one an eventfd.
no_more() { [ "$(ls /proc/$daemon_pid/fd | wc -l)" -le "$fds" ]; }
within 60000 no_more && ok "no more open files than its $fds" ||
	bad "$(ls /proc/$daemon_pid/fd | wc -l) open files, $fds before"
expect "the steady group" 1 "$(cat $cpu/$top/steady/cpu.idle)"
daemon_stop && ok "stopped" || bad "stop: status $?"
[ $failures = 0 ] || show_log | tail -n 40
finish
