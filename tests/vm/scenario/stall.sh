# title: each way to wait shows as its own cause and not as another's, and the parts sum to the kernel's number
# needs: berth load
# kmods: brd
# timeout: 600
# memory: 448
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.stall
way=${1:-bpf}
groups="reclaim swap quota idle online global compact quiet"

# One RAM disk to read from, whose pages are never written and take no memory, one to swap to.
insmod /kmod/brd.ko rd_nr=2 rd_size=1048576 || { bad "no brd"; finish; }
dd if=/dev/ram1 of=/dev/null bs=1M count=1 2>/dev/null
# Its pages are memory and never given back: as much of it as was ever used at once, and no more.
mkswap /dev/ram1 131072 >/dev/null && swapon /dev/ram1 || { bad "no swap"; finish; }

for group in $groups; do
	group_make $top/$group
done

policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules: [{match: {cgroup: "$top/idle"}, qos: batch}]
telemetry: {pressure: $way, runqueue_latency: true}
END
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

# It is found out when somebody asks.
contains "the way before that" '"pressure": "unused"' "$(berth -o json status)"
telemetry_loaded
say "loaded after $loaded_in ms, the longest pass until then took $longest_pass ms"
status=$(berth -o json status)
contains "the way" "\"pressure\": \"$way\"" "$status"
contains "the run queue" '"runqueue": "on"' "$status"
echo "$status" | grep -A4 '"telemetry"' | sed 's/^/    /'

# sample: a pass, and its numbers as "GROUP NAME NUMBER" lines.
sample() {
	berth -o json top >/tmp/top.json || bad "berthctl top: $?"
	awk -v top="$top/" '
		/"name": "/ { split($2, part, "\""); group = substr(part[2], length(top) + 1) }
		/^ *"[a-z_]+": [0-9]+,?$/ { gsub(/[":,]/, ""); print group, $1, $2 }
	' /tmp/top.json >/tmp/sample
}

# value GROUP NAME: of the last sample; nothing if it is not known.
value() { awk -v group="$1" -v name="$2" '$1 == group && $2 == name { print $3 }' /tmp/sample; }

# parts GROUP KIND: the sum of the causes of memory.
parts() {
	awk -v group="$1" -v kind="_$2_usec" '
		$1 == group && $2 ~ /^cause_/ && $2 ~ kind "$" && $2 !~ /cpu_/ { sum += $3 }
		END { print sum + 0 }' /tmp/sample
}

show() {
	awk -v group="$1" '$1 == group && $2 ~ /^cause_|memory_some/ && $3 > 0 {
		printf "    %-9s %-45s %10d\n", $1, $2, $3 }' /tmp/sample
}

has_most() {
	sample
	own=$(value "$1" "cause_$2_some_usec")
	all=$(parts "$1" some)
	[ "${own:-0}" -gt 0 ] && [ $((own * 100)) -ge $((all * $3)) ]
}

# mostly GROUP CAUSE PERCENT: it has at least that share of the group's memory pressure, once the
# kernel tells of that: it may be 2 s late.
mostly() {
	if within 10000 has_most "$@"; then
		show "$1"
		ok "$1: $2 is $own of $all us"
	else
		show "$1"
		bad "$1: $2 is ${own:-nothing} of $all us"
	fi
}

# The kernel's own number of a group, from its file.
kernel_total() { awk -v kind="$2" '$1 == kind { sub(/.*total=/, ""); print }' "$memory/$top/$1/memory.pressure"; }

# The sample and the file are read one after the other, and the file's number may come 2 s late.
agrees() {
	sample
	told=$(parts "$1" "$2") file=$(kernel_total "$1" "$2")
	[ "$file" -gt 0 ] && [ $((told * 10)) -ge $((file * 9)) ] && [ $((told * 9)) -le $((file * 10)) ]
}

# sums GROUP: some and full against memory.pressure; only v2 has it.
sums() {
	if [ "$RUN_CGROUP" = v1 ]; then
		expect "$1: sum of the parts" "$(value "$1" pressure_memory_some_usec)" "$(parts "$1" some)"
		expect "$1: full is not known" "" "$(value "$1" cause_swap_full_usec)"
		return
	fi
	for kind in some full; do
		within 10000 agrees "$1" $kind && ok "$1: parts of $kind $told us, memory.pressure $file us" ||
			bad "$1: parts of $kind $told us, memory.pressure $file us"
	done
}

limit() {
	if [ "$RUN_CGROUP" = v2 ]; then echo "$2" >"$memory/$top/$1/memory.max"; else
		echo "$2" >"$memory/$top/$1/memory.limit_in_bytes"
	fi
}

has_memory=${memory:+yes}
sample

if [ "$has_memory" ]; then
	if [ -e /proc/sys/vm/nr_hugepages ]; then
		echo 1 >/proc/sys/vm/drop_caches
		free=$(awk '$1 == "MemFree:" { print int($2 / 1024) }' /proc/meminfo)
		# Somebody else leaves free memory in pieces: no piece is as large as a huge page. (For pages of
		# hugetlb the kernel compacts until it has them; for transparent ones it gives up early, and
		# reclaims in vain.)
		berth-stall fragment $((free * 9 / 10)) >/tmp/fragment &
		fragment=$!
		is_ready() { grep -q ready /tmp/fragment; }
		within 60000 is_ready || bad "nobody made pieces of memory"
		group_run $top/compact sh -c "echo $((free * 15 / 100)) >/proc/sys/vm/nr_hugepages"
		wait $group_pid || bad "the one with huge pages failed"
		say "huge pages: $(cat /proc/sys/vm/nr_hugepages) of $((free * 15 / 100))"
		kill $fragment
		wait $fragment
		grep -E 'compact_(stall|success|fail) ' /proc/vmstat | sed 's/^/    /'
		# Who wants a large piece reclaims in between, too: how often is the kernel's choice.
		mostly compact compact 25
		sums compact
		echo 0 >/proc/sys/vm/nr_hugepages
	else
		say "this kernel has no huge pages"
	fi

	limit reclaim 16777216
	group_run $top/reclaim berth-stall read /dev/ram0 300
	wait $group_pid || bad "the reader failed"
	mostly reclaim cgroup_memory_reclaim 80
	sums reclaim

	# Pushed out by somebody else, again and again, while it wants all of its memory. (Only pages that
	# were in use when they went count as a wait for memory when they come back.)
	group_run $top/swap berth-stall touch 48 1000000
	swapper=$group_pid
	pusher() {
		while kill -0 "$1" 2>/dev/null; do
			if [ "$RUN_CGROUP" = v2 ]; then
				echo 32M >$memory/$top/swap/memory.reclaim
			else
				echo 0 >$memory/$top/swap/memory.force_empty
			fi
		done 2>/dev/null
	}
	pusher $swapper &
	pusher=$!
	swapped() {
		sample
		own=$(value swap cause_swap_some_usec)
		[ "${own:-0}" -gt 150000 ]
	}
	within 240000 swapped || bad "nothing waits for its pages"
	kill $swapper
	wait $swapper $pusher
	mostly swap swap 60
	sums swap

	group_run $top/global berth-stall read /dev/ram0 700
	wait $group_pid || bad "the reader failed"
	mostly global global_memory_reclaim 80
	sums global

else
	say "this kernel has no memory controller on v1"
fi

# CPU: held back by a quota, and by being offline.
if [ "$RUN_CGROUP" = v2 ]; then echo "20000 100000" >$cpu/$top/quota/cpu.max; else
	echo 20000 >$cpu/$top/quota/cpu.cfs_quota_us
fi
group_run $top/quota berth-hog compute
quota=$group_pid
throttled() {
	sample
	[ "$(value quota cause_cpu_cfs_bandwidth_full_usec)" -gt 500000 ]
}
within 60000 throttled && ok "quota: cpu_cfs_bandwidth is $(value quota cause_cpu_cfs_bandwidth_full_usec) us" ||
	bad "quota: cpu_cfs_bandwidth is $(value quota cause_cpu_cfs_bandwidth_full_usec) us"
kill $quota
wait $quota
has_within 10000 $cpu/$top/idle/cpu.idle 1
sample
before=$(value idle cause_cpu_cfs_bandwidth_full_usec)
group_run $top/online berth-hog compute
online=$group_pid
group_run $top/idle berth-hog compute
idle=$group_pid
if [ "$RUN_CGROUP" = v2 ]; then
	waits() {
		sample
		[ "$(value idle cause_cpu_qos_full_usec)" -gt 500000 ]
	}
	within 60000 waits && ok "idle: cpu_qos is $(value idle cause_cpu_qos_full_usec) us" ||
		bad "idle: cpu_qos is $(value idle cause_cpu_qos_full_usec) us"
	expect "cpu_qos of one that is online" "" "$(value online cause_cpu_qos_full_usec)"
else
	usleep 500000
	sample
	expect "cpu_qos on v1, which has no cpu.pressure" "" "$(value idle cause_cpu_qos_full_usec)"
fi
expect "cpu_cfs_bandwidth of one without quota" "$before" "$(value idle cause_cpu_cfs_bandwidth_full_usec)"

# What the kernel itself counted of its threads until just before, and just after.
delay() { cat /proc/$idle/task/*/schedstat | awk '{ sum += $2 / 1000 } END { printf "%d\n", sum }'; }
# A look within half a second of the one before is given the same pass: it is asked again.
latency_agrees() {
	before=$(delay)
	sample
	after=$(delay) told=$(value idle sum_usec)
	[ "${told:-0}" -gt 0 ] && [ $((told * 10)) -ge $((before * 9)) ] && [ $((told * 9)) -le $((after * 10)) ]
}
within 10000 latency_agrees && ok "idle: run-queue latency agrees with schedstat" || bad "idle: run-queue latency $told us"
say "run queue: the kernel counted $before to $after us, the histogram has ${told:-nothing} us"
kill $online $idle
wait $online $idle

# Who does nothing waits for nothing, and nobody has another's causes.
sample
expect "the quiet one" 0 "$(parts quiet some)"
# Pages of its program that were pushed out by those before come back, and the guest may stand still
# meanwhile; half a second and more it was throttled.
held_back=$(value quota cause_cpu_cfs_bandwidth_full_usec)
[ $(($(parts quota some) * 4)) -lt "$held_back" ] && ok "quota: memory $(parts quota some) us of $held_back" ||
	bad "quota: memory $(parts quota some) us of $held_back"
if [ "$has_memory" ]; then
	for group in reclaim swap; do
		expect "compact of $group" 0 "$(value $group cause_compact_some_usec)"
	done
fi
for group in reclaim swap global compact; do
	expect "cfs of $group" 0 "$(value $group cause_cpu_cfs_bandwidth_full_usec)"
done

# Another way, while it runs: totals go on, and what is not seen is not claimed.
before=$(value reclaim cause_cgroup_memory_reclaim_some_usec)
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
telemetry: {pressure: tracepoints}
END
way_is() { berth -o json top >/dev/null && berth -o json status | grep -q "\"pressure\": \"$1\""; }
within 10000 way_is tracepoints && ok "tracepoints instead" || bad "still not by tracepoints"
sample
if [ "$has_memory" ]; then
	expect "the total after it" "$before" "$(value reclaim cause_cgroup_memory_reclaim_some_usec)"
	group_run $top/reclaim berth-stall read /dev/ram0 100
	wait $group_pid
	grown() {
		sample
		[ "$(value reclaim cause_cgroup_memory_reclaim_some_usec)" -gt "$before" ]
	}
	within 10000 grown && ok "and goes on" || bad "it stays at $before"
	sums reclaim
fi
if [ "$RUN_CGROUP" = v2 ]; then
	before=$(value reclaim cause_cgroup_memory_reclaim_some_usec)
	policy <<-END
	sources: {cgroups: {paths: ["$top/*"]}}
	telemetry: {pressure: counters}
	END
	within 10000 way_is counters && ok "counters instead" || bad "still not by counters"
	sample
	group_run $top/reclaim berth-stall read /dev/ram0 100
	wait $group_pid
	within 10000 grown && ok "and goes on" || bad "it stays at $before"
	sums reclaim
fi
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
telemetry: {pressure: off}
END
within 10000 way_is off && ok "off" || bad "not off"
# A pass of half a second ago is shown to whoever looks again.
gone() {
	sample
	[ -z "$(value reclaim cause_cgroup_memory_reclaim_some_usec)" ]
}
within 10000 gone && ok "no cause when it is off" || bad "a cause when it is off"

daemon_stop && ok "stopped" || bad "stop: status $?"
expect "problems in the log" "" "$(log_problems)"
[ $failures = 0 ] || show_log
finish
