# title: offline groups get what a load that goes up and down leaves of the target; undone by reload, stop, kill: [trace SECONDS]
# needs: berth load
# timeout: 900
# memory: 1024
# cpus: 2
# icount: 3
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

# With `trace [SECONDS [KIND [STEPS [WAY...]]]]`: the benchmark of that name, tests/bench/benches/suppress.py.
mode=${1:-} seconds=${2:-15} kind=${3:-compute} steady=${4:-4}
[ $# -lt 5 ] && ways=berth || { shift 4; ways=$*; }
top=berth.test.suppress
if [ "$RUN_CGROUP" = v2 ]; then
	cpuset=$cpu
	echo +cpuset >$cpu/cgroup.subtree_control 2>/dev/null
	group_make $top
	echo "+cpu +memory +cpuset" >$cpu/$top/cgroup.subtree_control
else
	controllers="cpu cpuset freezer" cpuset=/sys/fs/cgroup/cpuset
	# Debian's 6.12 has no cpusets on v1.
	[ -d $cpuset ] || { controllers="cpu freezer" cpuset=; }
	# As a runtime makes groups: with what the parent has, since one without CPUs takes no task.
	[ -z "$cpuset" ] || echo 1 >$cpuset/cgroup.clone_children
	group_make $top
fi
for group in online batch-a batch-b; do
	group_make $top/$group
done
[ -z "$cpuset" ] || unset_cpus=$(cat $cpuset/$top/batch-a/cpuset.cpus)
cpus=$(nproc) all_cpus=0-$(($(nproc) - 1)) last_half=$(($(nproc) - 1))
[ "$cpus" -lt 4 ] || last_half=$((cpus - 2))-$((cpus - 1))

# write_policy SETTINGS: of suppress
write_policy() {
	policy <<END
quota_period: ${period:-1s}
sources: {cgroups: {paths: ["$top/*"]}}
metrics: {listen: "127.0.0.1:9824"}
rules:
  - {match: {cgroup: "$top/batch-*"}, qos: batch}
  - {match: {cgroup: "$top/online"}, qos: high}
plugins:
  colocation:
    cpu: {enabled: true${2:-}}
    suppress: {$1}
END
}

usage_usec() {
	if [ "$RUN_CGROUP" = v2 ]; then
		awk '/^usage_usec/ { print $2 }' "$cpu/$top/$1/cpu.stat"
	else
		echo $(($(cat /sys/fs/cgroup/cpuacct/$top/$1/cpuacct.usage) / 1000))
	fi
}
# USER_HZ is 100 on x86: microseconds. Idle time is exact where the tick stops; what is not idle is
# counted by ticks, and wrong by a tenth here.
idle_usec() { awk '/^cpu / { printf "%.0f\n", ($5 + $6) * 10000 }' /proc/stat; }
metric() {
	wget -q -O - http://127.0.0.1:9824/metrics | awk -v name="$1" '$1 == name { print $2 }'
}
changes() { metric berth_colocation_suppress_changes_total; }

# quota_text GROUP: "QUOTA PERIOD", "max" for none
quota_text() {
	if [ "$RUN_CGROUP" = v2 ]; then
		cat $cpu/$top/$1/cpu.max
	else
		echo "$(cat $cpu/$top/$1/cpu.cfs_quota_us) $(cat $cpu/$top/$1/cpu.cfs_period_us)" |
			sed 's/^-1/max/'
	fi
}
# quota GROUP: in hundredths of a CPU; "max": none
quota() { quota_text $1 | awk '{ print $1 == "max" ? "max" : int($1 * 100 / $2) }'; }
sum() {
	a=$(quota batch-a) b=$(quota batch-b)
	if [ "$a" = max ] || [ "$b" = max ]; then echo 9999; else echo $((a + b)); fi
}
# Seldom: in counted time a CPU is slow, and what the system uses is taken for online.
within() {
	within_end=$(($(now_ms) + $1)) within_looks=1
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$within_end" ] || [ $within_looks -lt 20 ] || return 1
		within_looks=$((within_looks + 1))
		usleep 400000
	done
}
sum_within() { now=$(sum); [ "$now" -ge "$1" ] && [ "$now" -le "$2" ]; }
original() { [ "$(quota batch-a) $(quota batch-b)" = "max max" ]; }
held() { [ "$(sum)" -lt $((cpus * 100)) ]; }
pinned() { [ -n "$cpuset" ] && ! has $cpuset/$top/batch-a/cpuset.cpus "$unset_cpus" && ! has $cpuset/$top/batch-a/cpuset.cpus "$all_cpus"; }
acts() { held || pinned; }

if [ "$mode" = trace ]; then
	mkfifo /tmp/commands /tmp/answers
	exec 3<>/tmp/commands 4<>/tmp/answers
	group_run $top/online sh -c 'exec berth-load <&3 >&4'
	read -r answer <&4
	say "$answer"
	# step LABEL UTILISATION SECONDS
	step() {
		begin=$(now_ms) idle=$(idle_usec) online=$(usage_usec online)
		batch=$(($(usage_usec batch-a) + $(usage_usec batch-b)))
		echo "phase $1 $(($3 * 1000)) $2" >&3
		read -r answer <&4
		batch=$(($(usage_usec batch-a) + $(usage_usec batch-b) - batch))
		online=$(($(usage_usec online) - online)) idle=$(($(idle_usec) - idle))
		wall=$((($(now_ms) - begin) * 1000)) busy=$((wall * cpus - idle))
		echo "STEP ${answer%\}}, \"utilisation\": $2, \"wall_usec\": $wall," \
			"\"cpus\": $cpus, \"busy_usec\": $busy, \"online_usec\": $online, \"batch_usec\": $batch}"
	}
	# In counted time all CPUs together do the work of one: so load is in percent of one CPU's.
	trace() { for load in 10 30 50 20 40; do step "$1" $((load / cpus)) "$seconds"; done; }
	# way NAME: berth (as it is by default), quota, cpuset or both; quota-short, both-short:
	# of 100 ms
	way() {
		settings="enabled: true" period=1s
		case $1 in
		quota | cpuset | both) settings="enabled: true, by: $1" ;;
		*-short) settings="enabled: true, by: ${1%-*}" period=100ms ;;
		esac
		write_policy "$settings"
		daemon_start || { bad "berthd does not answer"; show_log; finish; }
		within 20000 acts || bad "offline groups are not held: $(sum)"
		# What the start of the daemon took is not online load.
		step warm $((10 / cpus)) 24 >/dev/null
		trace "$1"
		step warm $((30 / cpus)) 8 >/dev/null
		count=$(changes)
		step steady $((30 / cpus)) $((seconds * steady))
		echo "STEADY {\"way\": \"$1\", \"changes\": $(($(changes) - count)), \"seconds\": $((seconds * steady))}"
		say "$(berth explain $top/batch-a | grep suppress) $(quota_text batch-a)"
		daemon_stop || bad "stop: status $?"
		original || bad "quotas after stop: $(quota batch-a) $(quota batch-b)"
	}
	step warm $((30 / cpus)) 10 >/dev/null # what a boot leaves to do
	trace alone
	for group in batch-a batch-b; do group_run $top/$group berth-hog "$kind" >/dev/null; done
	for name in $ways; do way "$name"; done
	[ $failures = 0 ] || show_log
	finish
fi

# freeze GROUP YES
freeze() {
	if [ "$RUN_CGROUP" = v2 ]; then
		echo $2 >$cpu/$top/$1/cgroup.freeze
	else
		[ $2 = 1 ] && state=FROZEN || state=THAWED
		echo $state >/sys/fs/cgroup/freezer/$top/$1/freezer.state
	fi
}
# An online load of so many hundredths of a CPU: loops with a quota, so that it is exact by the
# guest's clock, however slow the host is.
load() {
	if [ "$RUN_CGROUP" = v2 ]; then
		echo "$(($1 * 1000)) 100000" >$cpu/$top/online/cpu.max
	else
		echo $(($1 * 1000)) >$cpu/$top/online/cpu.cfs_quota_us
	fi
}
load 10
# Not loops of the shell: an emulated CPU that never pauses lets the others, and what waits for an
# interrupt of theirs, stand still for a tick.
for group in online batch-a batch-b; do
	group_run $top/$group berth-hog polite >/dev/null
done

# 65 % of 2 CPUs are 1.30. What the system uses is online's.
target=$((cpus * 65)) slack=40
# expect_left ONLINE WITHIN
expect_left() {
	left=$((target - $1))
	if within "$2" sum_within $((left - slack)) $((left + 8)); then
		ok "online $1: offline has $(sum) hundredths of a CPU of $left"
	else
		bad "online $1: offline has $(sum), wanted $((left - slack)) to $((left + 8))"
	fi
}
write_policy "enabled: true"
daemon_start || { bad "no answer"; show_log; finish; }
expect_left 10 60000
used=$(($(usage_usec batch-a) + $(usage_usec batch-b))) begin=$(now_ms)
# What is expected of one is never what the one before had.
for online in 90 40 110 10; do
	load $online
	expect_left $online 60000
done
used=$(($(usage_usec batch-a) + $(usage_usec batch-b) - used))
say "offline used $((used / 10 / ($(now_ms) - begin))) hundredths of a CPU meanwhile"
# A group without a quota gets one of a long period.
has_period() { expect "the period of $1's quota" "$2" "$(quota_text $1 | cut -d' ' -f2)"; }
has_period batch-a 1000000
explain=$(berth explain $top/batch-a 2>&1)
contains explain "held at .* CPUs for offline work" "$explain"
contains explain "colocation/suppress" "$explain"

# One that goes idle leaves its share to the other.
freeze batch-b 1
gave() { [ "$(quota batch-a)" -gt $(($(sum) * 85 / 100)) ]; }
within 60000 gave && ok "what an idle one does not want goes to the other: $(quota batch-a) of $(sum)" ||
	bad "an idle one keeps its share: $(quota batch-a) of $(sum)"
freeze batch-b 0
shared() { [ "$(quota batch-b)" -gt $(($(sum) / 4)) ]; }
within 60000 shared && ok "and comes back" || bad "no share again: $(quota batch-b) of $(sum)"

# Another part on the same knob: 5 % of the node for each offline group. The least is written.
write_policy "enabled: true" ", way: emulation, quota_percent: 5"
kill -HUP $daemon_pid
least() { [ "$(quota batch-a) $(quota batch-b)" = "$((cpus * 5)) $((cpus * 5))" ]; }
within 20000 least && ok "the smaller claim is written" ||
	bad "two claims: $(quota batch-a) $(quota batch-b), wanted $((cpus * 5)) each"
write_policy "enabled: true"
kill -HUP $daemon_pid
expect_left 10 60000

if [ -n "$cpuset" ]; then
	# By cpuset: whole CPUs, the same for all, and no quota any more.
	write_policy "enabled: true, by: cpuset"
	kill -HUP $daemon_pid
	has_within 20000 $cpuset/$top/batch-a/cpuset.cpus "$last_half"
	has_within 10000 $cpuset/$top/batch-b/cpuset.cpus "$last_half"
	within 20000 original && ok "no quota beside it" || bad "a quota beside it: $(quota batch-a)"
	# By both: as many CPUs as it takes, and a quota for what is too much of them.
	load 90
	write_policy "enabled: true, by: both"
	kill -HUP $daemon_pid
	expect_left 90 60000
	has_within 20000 $cpuset/$top/batch-a/cpuset.cpus "$last_half"
	load 10
	write_policy "enabled: true, by: cpuset"
	kill -HUP $daemon_pid
	within 20000 original && ok "quotas as they were, by cpuset again" || bad "by cpuset: $(sum)"
	has_within 10000 $cpuset/$top/batch-a/cpuset.cpus "$last_half"
	# Off by a reload. A list does not become empty again while there are tasks: all CPUs, then.
	write_policy "enabled: false"
	kill -HUP $daemon_pid
	has_within 20000 $cpuset/$top/batch-a/cpuset.cpus "$all_cpus"
else
	say "this kernel has no cpusets for this version"
	write_policy "enabled: false"
	kill -HUP $daemon_pid
	within 20000 original || bad "switched off: $(sum)"
fi
write_policy "enabled: true"
kill -HUP $daemon_pid
within 20000 held && ok "held again" || bad "not held again"
write_policy "enabled: false"
kill -HUP $daemon_pid
within 20000 original && ok "quotas as they were, switched off" || bad "switched off: $(sum)"
write_policy "enabled: true"
kill -HUP $daemon_pid
within 20000 held || bad "not held again"
daemon_stop && ok "stopped" || bad "stop: status $?"
has_period batch-a 100000
original && ok "quotas as they were, stopped" || bad "stopped: $(quota batch-a) $(quota batch-b)"

# Killed: restored from the journal.
[ -n "$cpuset" ] && ways="quota cpuset both" || ways=quota
for by in $ways; do
	write_policy "enabled: true, by: $by"
	daemon_start || { bad "no answer"; show_log; finish; }
	if [ $by != cpuset ]; then
		within 60000 held || bad "not held after a start"
	else
		has_within 20000 $cpuset/$top/batch-a/cpuset.cpus "$last_half"
	fi
	kill -KILL $daemon_pid
	wait $daemon_pid 2>/dev/null
	berthd --restore --runtime-dir $runtime >>$log 2>&1 || bad "--restore: status $?"
	list=$([ -z "$cpuset" ] && echo "$all_cpus" || cat $cpuset/$top/batch-a/cpuset.cpus)
	original && [ "$list" = "$all_cpus" ] && ok "as they were after SIGKILL, by $by" ||
		bad "after SIGKILL: $(quota batch-a) '$list'"
done
problems=$(log_problems)
[ -z "$problems" ] && ok "nothing in the log" || bad "in the log: $problems"
[ $failures = 0 ] || show_log
finish
