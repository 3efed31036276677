# title: memory.high of offline groups follows what is available, down and up; nobody stands still; all is put back
# needs: berth load
# timeout: 1200
# memory: 512
# cpus: 2
# cgroup: v2
# disk: 256M 192M
# disk-iops: 60
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.shares
mkswap /dev/nvme0n1 >/dev/null && swapon /dev/nvme0n1 || { bad "no swap"; finish; }
for group in online/web online/grows batch/anon batch/cache batch/stuck; do
	group_make $top/$group
done
echo 0 >$memory/$top/batch/stuck/memory.swap.max
policy_with() {
	policy <<END
sources: {cgroups: {paths: ["$top/*/*"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/batch/*"}, qos: batch}
  - {match: {cgroup: "$top/online/*"}, qos: high}
plugins:
  colocation:
    cpu: {enabled: false}
    shares: {enabled: $1, reserve_percent: 25, release_percent: 40}
END
}
policy_with true

mib() { echo $(($1 / 1048576)); }
use() { cat "$memory/$top/$1/memory.current"; }
high() { cat "$memory/$top/$1/memory.high"; }
is_limited() { [ "$(high "$1")" != max ]; }
is_free() { [ "$(high "$1")" = max ]; }
available() { awk '$1 == "MemAvailable:" { print int($2 / 1024) }' /proc/meminfo; }
show() {
	say "available $(available) MiB; anon $(mib "$(use batch/anon)") MiB, high $(high batch/anon);" \
		"cache $(mib "$(use batch/cache)") MiB, high $(high batch/cache)"
}
words() { tr -s '\n ' ' '; } # berthctl breaks lines
stalled() { sed -n 's/^some .*total=//p' "$memory/$top/$1/memory.pressure"; }

group_run $top/batch/anon berth-hog grab 100 500 >/dev/null
group_run $top/batch/stuck berth-hog grab 50 500 >/dev/null
stuck=$group_pid
# Reads it again and again: page cache, as much as it gets, while the disk is open.
group_run $top/batch/cache sh -c 'exec 5</dev/nvme1n1
	while :; do dd if=/dev/nvme1n1 of=/dev/null bs=1M count=80 2>/dev/null; sleep 1; done'
group_run $top/online/web berth-hog grab 20 100 >/dev/null
filled() { [ "$(mib "$(use $1)")" -ge "$2" ]; }
within 30000 filled batch/anon 100 && within 90000 filled batch/cache 80 && ok "offline work has filled" ||
	bad "offline work has not filled"

daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }
usleep 7000000
show
for group in anon cache stuck; do
	expect "memory.high of $group while memory is plentiful" max "$(high batch/$group)"
done
nobody() { berth plugins -o json 2>&1 | words | grep -q "nobody is limited"; }
within 10000 nobody && ok "the service says so" || bad "the service: $(berth plugins -o json 2>&1 | words)"

# Who reclaims? Never the loop's thread: its stack is looked at. That of the thread for slow writes has
# the time that it takes; it has nothing else to do.
in_loop=0 spent=0
look_at_threads() {
	for task in /proc/$daemon_pid/task/*; do
		if [ "${task##*/}" = "$daemon_pid" ]; then
			grep -q memory_high_write "$task/stack" 2>/dev/null && in_loop=$((in_loop + 1))
			continue
		fi
		ticks=$(awk '{ print $15 }' "$task/stat" 2>/dev/null)
		[ "${ticks:-0}" -le $spent ] || spent=$ticks
	done
	return 0
}

# grow: online work takes 130 MiB, in 5 s.
grow() {
	before=$(stalled online/grows) web_before=$(stalled online/web)
	group_run $top/online/grows berth-hog grab 130 5000 >/dev/null
	grows=$group_pid
}
grow
within 60000 is_limited batch/anon && ok "memory is short: anon has a limit" || bad "anon has no limit"
first=$(high batch/anon)
show
came_down() { look_at_threads; [ "$(mib "$(use batch/anon)")" -le 80 ]; }
within 180000 came_down && ok "anon has come down" || bad "anon has not come down"
show
stepped_down() { look_at_threads; [ "$(high batch/anon)" -lt $((first - 4194304)) ]; }
within 60000 stepped_down && ok "in steps: $first, then $(high batch/anon)" ||
	bad "no step down from $first: $(high batch/anon)"
within 60000 is_limited batch/cache && ok "cache has a limit, too" || bad "cache has no limit"
swapped=$(cat $memory/$top/batch/anon/memory.swap.current)
[ "$swapped" -gt 8388608 ] && ok "$(mib "$swapped") MiB of it are in swap" || bad "only $swapped bytes are in swap"
expect "memory.high of the one without swap" max "$(high batch/stuck)"
# tells GROUP WORDS: of the last tick, which may have been without a sample of it.
tells() { berth explain "$top/batch/$1" 2>&1 | words | grep -q "$2"; }
within 10000 tells stuck "it would stand still" && ok "explain of it says why" || bad "explain: $(berth explain $top/batch/stuck 2>&1)"
within 10000 tells anon "on the way to" && ok "explain of anon has the way" || bad "explain: $(berth explain $top/batch/anon 2>&1)"
kill -0 $stuck || bad "the one without swap is gone"
expect "looks at the loop in which it wrote memory.high" 0 $in_loop
[ $spent -gt 0 ] && ok "another thread has spent $spent ticks in the kernel" ||
	bad "no other thread has spent any time"
waited=$(($(stalled online/grows) - before)) web_waited=$(($(stalled online/web) - web_before))
[ $((waited / 1000)) -lt 1000 ] && [ $((web_waited / 1000)) -lt 1000 ] &&
	ok "online work waited for memory $((waited / 1000)) and $((web_waited / 1000)) ms" ||
	bad "online work waited for memory $((waited / 1000)) and $((web_waited / 1000)) ms"

# What is reserved comes back, and stays.
reserved=$(($(awk '$1 == "MemTotal:" { print int($2 / 1024) }' /proc/meminfo) * 25 / 100))
has_reserve() { [ "$(available)" -ge $((reserved - 12)) ]; }
within 120000 has_reserve && ok "$(available) MiB are available, $reserved reserved" ||
	bad "$(available) MiB are available, $reserved reserved"

# Online work shrinks: limits go up by steps, then away. (How large a step is, tests of the law say:
# a guest that stands still sees the last one only.)
kill -KILL $grows
wait $grows 2>/dev/null
low=$(high batch/anon)
went_up() {
	now=$(high batch/anon)
	[ "$now" != max ] && [ "$now" -le "$low" ] || return 0
	low=$now
	return 1
}
within 60000 went_up && ok "up again: $low, then $now" || bad "no way up from $low: $now"
within 180000 is_free batch/anon && within 10000 is_free batch/cache &&
	ok "memory is plentiful: nobody has a limit" || bad "a limit is left"
show

# Again, and each way to end.
grow
within 60000 is_limited batch/anon && ok "limited again" || bad "anon has no limit"
policy_with false
kill -HUP $daemon_pid
within 20000 is_free batch/anon && ok "switched off: no limit" || bad "switched off: $(high batch/anon)"
policy_with true
kill -HUP $daemon_pid
within 60000 is_limited batch/anon && ok "on again" || bad "anon has no limit"
daemon_stop || bad "stop: status $?"
for group in anon cache stuck; do expect "memory.high of $group after stop" max "$(high batch/$group)"; done

daemon_start || { bad "berthd does not answer"; show_log; finish; }
within 60000 is_limited batch/anon || bad "anon has no limit"
kill -KILL $daemon_pid
wait $daemon_pid 2>/dev/null
is_limited batch/anon && ok "killed: the limit is left" || bad "killed: it went by itself"
berthd --restore --runtime-dir $runtime >>$log 2>&1 || bad "--restore: status $?"
for group in anon cache; do expect "memory.high of $group after --restore" max "$(high batch/$group)"; done
[ -z "$(log_problems | grep -v 'similar lines were suppressed')" ] && ok "nothing at warning or above" || { bad "the log has warnings"; show_log; }
finish
