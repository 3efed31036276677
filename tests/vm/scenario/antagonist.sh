# title: an offline hog that keeps an online workload waiting is found, throttled with the evidence, released; SIGKILL, --restore
# needs: berth tests
# timeout: 900
# cgroup: v2
# cpus: 1
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

# Windows of counters over real groups of this kernel, by events that need no PMU.
out=$(CMOCKA_MESSAGE_OUTPUT=TAP test-perf 2>&1)
expect "test-perf" 0 $?
contains "test-perf" "ok 1 - test_window_counts_its_group_and_no_other" "$out"
echo "$out" | sed 's/^/    /'

top=berth.test.antagonist
for group in online/web batch/hog batch/quiet; do
	group_make $top/$group
done
# With one CPU and these weights the hog alone decides how long the web server waits.
echo 10000 >$cpu/$top/cpu.weight
echo 100 >$cpu/$top/online/cpu.weight
echo 10000 >$cpu/$top/batch/cpu.weight
echo 10000 >$cpu/$top/batch/hog/cpu.weight

# section ENABLED
section() {
	policy <<END
sources: {cgroups: {paths: ["$top/*/*"]}}
metrics: {listen: ""}
# What BPF reads of pressure is up to two seconds old, which a point a second cannot bear.
telemetry: {collector: files}
rules:
  - {match: {cgroup: "$top/batch/*"}, qos: batch}
  - {match: {cgroup: "$top/online/*"}, qos: high}
plugins:
  colocation:
    cpu: {enabled: false}
    memory: {enabled: false}
    interference: {enabled: $1, every: 1s, window: 1s, learn: 12, threshold_sigma: 5,
                   throttle_milli: 10, throttle_time: 3s}
END
}

# In 100 ms, whatever the period is.
quota() { awk '{ print $1 == "max" ? "max" : $1 * 100000 / $2 }' $cpu/$top/batch/hog/cpu.max; }
throttled() { [ "$(quota)" = 1000 ]; }
free() { [ "$(quota)" = max ]; }
# Asked seldom: asking takes as much of this CPU as the hog would.
explains() { berth explain "$top/$1" 2>&1; }
learned() { sleep 3; explains online/web | grep -q ' against '; }
helped() { sleep 1; explains batch/hog | grep -q 'which helped'; }

group_run $top/online/web sh -c 'while :; do i=0; while [ $i -lt 300 ]; do i=$((i + 1)); done; usleep 5000; done'
web=$group_pid
group_run $top/batch/quiet sh -c 'while :; do usleep 200000; done'
quiet=$group_pid

section true
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }
contains "the host" "perf_event" "$(berth capabilities 2>&1)"
within 120000 learned && ok "what is usual is learned" || bad "not learned: $(explains online/web)"
say "$(explains online/web | grep against)"
free && ok "nobody is throttled" || bad "the quota is $(quota)"

group_run $top/batch/hog sh -c 'while :; do :; done'
hog=$group_pid
told() { throttled && explains batch/hog | grep -q "throttled to 0.01 CPU"; }
within 60000 throttled && ok "the hog is throttled" || bad "it is not: $(explains online/web)"
expect "the quota of the quiet one" "max" "$(awk '{ print $1 }' $cpu/$top/batch/quiet/cpu.max)"
expect "the quota of the victim" "max" "$(awk '{ print $1 }' $cpu/$top/online/web/cpu.max)"
# For three seconds; then it may be told at the next time.
within 60000 told && ok "explain of the hog tells it" || bad "explain of the hog: $(explains batch/hog)"
contains "the history" "throttled to 0.01 CPU" "$(berth history -o json 2>&1)"
berth history -o json | grep -o '"reason": *"[^"]*against[^"]*"' | head -1 | sed 's/^/    /'
within 60000 free && ok "its time is over" || bad "it is still throttled"
# Told until it is throttled again, and while it runs there is little CPU for who asks.
within 120000 helped && ok "it helped" || bad "it did not help: $(explains batch/hog)"

# SIGKILL while it is throttled.
kill_while throttled && ok "it is throttled again" || bad "not again: $(explains batch/hog)"
throttled && ok "the quota outlives berthd" || bad "the quota is $(quota)"
berthd --config /etc/berth/berth.yaml --runtime-dir $runtime --restore 2>>$log
expect "restore" 0 $?
free && ok "the quota is back" || bad "the quota is $(quota)"

# Off: nothing of it is left, and nothing is written. It takes 99 of 100 parts of the CPU: enough of that.
kill "$hog"
section false
daemon_start && ok "berthd answers again" || bad "it does not"
contains "the plugin" "off: on only by interference.enabled" "$(berth explain $top/batch/hog 2>&1; berth status -o json 2>&1; berth plugins 2>&1)"
free && ok "nothing is written" || bad "the quota is $(quota)"
daemon_stop && ok "stopped" || bad "stop: status $?"
kill "$web" "$quiet"
# The hog held berthd up again and again.
expect "problems in the log" "" "$(log_problems | grep -v 'similar lines were suppressed')"
[ $failures = 0 ] || show_log
finish
