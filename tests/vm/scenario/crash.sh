# title: a plugin that crashes the daemon twice is quarantined at the third start; others run on
# needs: berth modules
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.crash
group_make $top/job
plugins=/tmp/plugins
mkdir $plugins
# lib, lib64 or lib/TRIPLET: meson goes by what the building host has.
cp "$(find /usr -path '*/berth/colocation.so' | head -n 1)" $plugins/
cp /berth/modules/crashing.so $plugins/

policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
END

for turn in 1 2; do
	berthd --config /etc/berth/berth.yaml --runtime-dir $runtime --plugin-dir $plugins 2>>$log &
	daemon_pid=$!
	gone() { ! kill -0 $daemon_pid 2>/dev/null; }
	within 60000 gone || kill -KILL $daemon_pid
	wait $daemon_pid
	expect "status of start $turn (128 + SIGSEGV)" 139 $?
done

daemon_start --plugin-dir $plugins && ok "the third start stays" || bad "the third start fails"
state=$(berth plugins 2>&1)
contains "the plugins" 'crashing.*quarantine' "$state"
contains "the log" crashing "$(log_problems)"
has_within 10000 $cpu/$top/job/cpu.idle 1
daemon_stop && ok "stopped" || bad "stop: status $?"
expect "cpu.idle after stop" 0 "$(cat $cpu/$top/job/cpu.idle)"
[ $failures = 0 ] || show_log
finish
