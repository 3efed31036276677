# title: memory grabbed by an offline group in 15 s (compare: in 5 s): it is killed, it alone, before online work stalls: [compare ROUNDS]
# needs: berth load
# timeout: 900
# memory: 1024
# cpus: 2
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

compare=${1:-} rounds=${2:-1}
# Where others have the host, too, one emulated CPU may go on while berthd's stands still. So the test
# leaves three times what the benchmark does; the figure is the benchmark's.
[ -n "$compare" ] && grab_msec=5000 || grab_msec=15000
[ -n "$memory" ] || { say "this kernel has no memory controller for this version"; exit 77; }

top=berth.test.evict
for group in online/web batch/grabber batch/quiet; do
	group_make $top/$group
done
policy <<END
sources: {cgroups: {paths: ["$top/*/*"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/batch/*"}, qos: batch}
  - {match: {cgroup: "$top/online/*"}, qos: high}
plugins:
  colocation:
    # Who grabs has all the CPU that it wants, as on a host that is idle otherwise.
    cpu: {enabled: false}
    evict:
      enabled: true
      samples: 2
      window: 3
      min_run_time: 0s
      cooldown: 30s
      without_api: kill
      memory: {available_percent: 40, hard: 25}
END

field() { awk -v key="$1" '$1 == key { print $2 }' "$2"; }
available_mib() { echo $(($(field MemAvailable: /proc/meminfo) / 1024)); }
# Into $left, by the shell alone: what looks must not be what is in the way.
look() {
	while read -r key value _; do
		[ "$key" = MemAvailable: ] && left=$((value / 1024)) && return
	done </proc/meminfo
}
oom_kills() { field oom_kill /proc/vmstat; }
# Of the whole node: an online group cannot have waited for memory longer than somebody did.
stalled_usec() { sed -n 's/^some .*total=//p' /proc/pressure/memory; }
gone() { ! kill -0 "$1" 2>/dev/null; }
ended() { gone "$grabber"; }

mkfifo /tmp/commands /tmp/answers
exec 3<>/tmp/commands 4<>/tmp/answers
group_run $top/online/web sh -c 'exec berth-load --utilisation 3 --work-usec 200 --workers 1 <&3 >&4'
web=$group_pid
read -r answer <&4
say "$answer"
echo "phase warm 500" >&3
read -r answer <&4
# It holds enough to be worth an eviction, and is the smaller one.
group_run $top/batch/quiet berth-hog grab 48 100 >/dev/null
quiet=$group_pid

# round LABEL: more than there is, while requests are served.
round() {
	killed=0 took=-1 size=$(($(available_mib) * 13 / 10))
	oom=$(oom_kills) stalled=$(stalled_usec)
	echo "phase $1 $((grab_msec + 4000))" >&3
	begin=$(now_ms)
	group_run $top/batch/grabber berth-hog grab $size $grab_msec >/tmp/hog.log 2>&1
	grabber=$group_pid
	least=$(available_mib)
	looks=0
	while [ $looks -lt 2400 ] && ! ended; do
		look
		[ "$left" -ge "$least" ] || least=$left
		looks=$((looks + 1))
		usleep 50000
	done
	if ended; then
		killed=1 took=$(($(now_ms) - begin))
	fi
	read -r answer <&4
	kill -KILL "$grabber" 2>/dev/null
	wait "$grabber" 2>/dev/null
	oom=$(($(oom_kills) - oom)) stalled=$(($(stalled_usec) - stalled))
	online=1 others=1
	gone $web && online=0
	gone $quiet && others=0
	echo "ROUND $1 ${answer%\}}, \"grabbed_mib\": $size, \"killed\": $killed, \"took_msec\": $took," \
		"\"oom_kills\": $oom, \"stalled_msec\": $((stalled / 1000)), \"least_mib\": $least," \
		"\"online_alive\": $online, \"others_alive\": $others, \"evictions\": $(evictions)}"
}
evictions() { berth history -o json 2>/dev/null | grep -c '"what": *"kill"'; }

turn=0
while [ $turn -lt "$rounds" ]; do
	[ -z "$compare" ] || round unmanaged
	# A new one each time: no cool-down is left of the round before.
	daemon_start || { bad "berthd does not answer"; show_log; finish; }
	round berth
	expect "the grabber was killed" 1 $killed
	expect "kills by the kernel" 0 "$oom"
	expect "the online group lives" 1 $online
	expect "the other offline group lives" 1 $others
	expect "evictions" 1 "$(evictions)"
	[ $((stalled / 1000)) -lt 1000 ] && ok "somebody waited for memory $((stalled / 1000)) ms" ||
		bad "somebody waited for memory $((stalled / 1000)) ms"
	reason=$(berth history -o json 2>&1)
	contains "the evidence" "memory: .* left" "$reason"
	contains "the evidence" "it held" "$reason"
	contains explain "killed: memory" "$(berth explain $top/batch/grabber 2>&1)"
	daemon_stop || bad "stop: status $?"
	turn=$((turn + 1))
done
[ $failures = 0 ] || { show_log; cat /tmp/hog.log; }
finish
