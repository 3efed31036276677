# title: a bad policy changes nothing and is told, a good one applies: SIGHUP, new file, drop-in swap
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.reload
group_make $top/a
group_make $top/b

valid() {
	wget -q -O - http://127.0.0.1:9824/metrics | awk '/^berth_config_valid / { print $2 }'
}
is_valid() { [ "$(valid)" = "$1" ]; }

write_policy() { # QOS-OF-A
	policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/a"}, qos: $1}
END
}

# A ConfigMap: files are links through ..data, which is swapped.
dropins=/etc/berth/berth.d
mkdir -p $dropins/..v1 $dropins/..v2
echo "default_qos: normal" >$dropins/..v1/10.yaml
echo "default_qos: batch" >$dropins/..v2/10.yaml
ln -s ..v1 $dropins/..data
ln -s ..data/10.yaml $dropins/10.yaml

write_policy batch
daemon_start --dropin-dir $dropins || { bad "no answer"; show_log; finish; }
has_within 10000 $cpu/$top/a/cpu.idle 1
expect berth_config_valid 1 "$(valid)"

# An unknown key and a wrong value in one file: nothing of it applies.
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/a"}, qos: normal}
  - {match: {cgroup: "$top/b"}, qos: fastest}
dry_rum: true
END
kill -HUP $daemon_pid
within 10000 is_valid 0 && ok "berth_config_valid is 0" || bad "berth_config_valid is $(valid)"
expect "cpu.idle under a bad policy" 1 "$(cat $cpu/$top/a/cpu.idle)"
contains "the log" 'berth.yaml:4:' "$(cat $log)"
contains "the log" 'berth.yaml:5:1.*dry_run' "$(cat $log)"
check=$(berthctl check /etc/berth/berth.yaml 2>&1)
expect "status of berthctl check" 1 $?
contains "berthctl check" 'berth.yaml:5:1' "$check"

write_policy normal
kill -HUP $daemon_pid
within 10000 is_valid 1 && ok "valid again" || bad "berth_config_valid is $(valid)"
has_within 10000 $cpu/$top/a/cpu.idle 0

# No signal: the changed file alone.
write_policy batch
has_within 10000 $cpu/$top/a/cpu.idle 1

# The swap of the ConfigMap's link.
expect "cpu.idle of b" 0 "$(cat $cpu/$top/b/cpu.idle)"
ln -s ..v2 $dropins/..data_tmp
mv -T $dropins/..data_tmp $dropins/..data
has_within 10000 $cpu/$top/b/cpu.idle 1

daemon_stop && ok "stopped" || bad "stop: status $?"
expect "cpu.idle of a after stop" 0 "$(cat $cpu/$top/a/cpu.idle)"
expect "cpu.idle of b after stop" 0 "$(cat $cpu/$top/b/cpu.idle)"
[ $failures = 0 ] || show_log
finish
