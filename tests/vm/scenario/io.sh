# title: limits on two disks both hold, change while running, and go at stop, SIGKILL and hot unplug
# needs: berth
# timeout: 600
# disk: 64M 64M
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.io
MIB=1048576
if [ "$RUN_CGROUP" = v2 ]; then
	io=/sys/fs/cgroup
else
	io=/sys/fs/cgroup/blkio
	controllers="$controllers blkio"
fi
group_make $top/job
group_make $top/web

number_of() { cat "/sys/block/$1/dev"; }
first=$(number_of nvme0n1) && second=$(number_of nvme1n1) || { bad "no disks"; finish; }

# limit GROUP DISK-NUMBER rbps|wbps|riops|wiops: what the kernel holds; "" none.
limit() {
	if [ "$RUN_CGROUP" = v2 ]; then
		awk -v device="$2" -v key="$3=" '$1 == device { for (i = 2; i <= NF; i++)
			if (index($i, key) == 1 && $i != key "max") print substr($i, length(key) + 1) }' \
			"$io/$1/io.max"
	else
		case $3 in
		rbps) file=read_bps ;;
		wbps) file=write_bps ;;
		riops) file=read_iops ;;
		wiops) file=write_iops ;;
		esac
		awk -v device="$2" '$1 == device { print $2 }' "$io/$1/blkio.throttle.${file}_device"
	fi
}
limit_is() { [ "$(limit "$1" "$2" "$3")" = "$4" ]; }
limit_within() {
	if within "$1" limit_is "$2" "$3" "$4" "$5"; then
		ok "$4 of $2 on $3 is '$5'"
	else
		bad "$4 of $2 on $3 is '$(limit "$2" "$3" "$4")' after $1 ms, wanted '$5'"
	fi
}

# rate read|write DISK MIB GROUP: bytes a second of direct IO inside the group, in $rate.
rate() {
	# Behind what was read before, so that nothing is merged or cached on the way.
	if [ "$1" = read ]; then
		set -- "$1" "$2" "$3" "$4" "if=/dev/$2" of=/dev/null iflag=direct
	else
		set -- "$1" "$2" "$3" "$4" if=/dev/zero "of=/dev/$2" oflag=direct conv=notrunc
	fi
	rate_count=$(($3 * 16))
	begin=$(now_ms)
	group_run "$4" dd "$5" "$6" "$7" ${8:+"$8"} bs=64k count=$rate_count 2>/tmp/dd.log
	wait "$group_pid" || { bad "dd: $(cat /tmp/dd.log)"; rate=0; return; }
	elapsed=$(($(now_ms) - begin))
	rate=$((rate_count * 65536 / (elapsed > 0 ? elapsed : 1) * 1000))
	say "$1 $2: $3 MiB in $elapsed ms, $rate B/s"
}
# at_most WHAT LIMIT: a tenth is for the slice in which the kernel begins to count.
at_most() {
	if [ "$rate" -le $(($2 * 11 / 10)) ] && [ "$rate" -gt 0 ]; then
		ok "$1: $rate of at most $2 B/s"
	else
		bad "$1: $rate B/s, limit $2"
	fi
}
# above WHAT LEAST, as rate: A guest that stood still was slow: it is measured again, twice at most.
above() {
	above_what=$1 above_least=$2
	shift 2
	for _ in 1 2 3; do
		rate "$@"
		[ "$rate" -le "$above_least" ] || break
	done
	if [ "$rate" -gt "$above_least" ]; then ok "$above_what: $rate B/s, above $above_least"; else
		bad "$above_what: $rate B/s, wanted more than $above_least"
	fi
}

io_policy() {
	policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
  - {match: {cgroup: "$top/web"}, qos: critical}
plugins:
  colocation:
    io: {limits: {batch: [$1]}$2}
END
}

above "read without a limit" $((2 * MIB)) read nvme0n1 8 $top/job
above "write without a limit" $((2 * MIB)) write nvme1n1 8 $top/job

# An original of somebody else's, on a key of its own and on one that is limited below.
if [ "$RUN_CGROUP" = v2 ]; then
	echo "$first riops=5000 rbps=90000000" >$io/$top/job/io.max
else
	echo "$first 5000" >$io/$top/job/blkio.throttle.read_iops_device
	echo "$first 90000000" >$io/$top/job/blkio.throttle.read_bps_device
fi

io_policy "\"nvme0n1 read_bps=2Mi write_bps=1Mi\", \"nvme1n1 read_bps=1Mi write_bps=2Mi\""
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }
limit_within 10000 $top/job "$first" rbps $((2 * MIB))
limit_within 10000 $top/job "$first" wbps $MIB
limit_within 10000 $top/job "$second" rbps $MIB
limit_within 10000 $top/job "$second" wbps $((2 * MIB))
expect "riops of somebody else" 5000 "$(limit $top/job "$first" riops)"
expect "online has no limit" "" "$(limit $top/web "$first" rbps)"
for disk in nvme0n1 nvme1n1; do
	[ $disk = nvme0n1 ] && read_limit=$((2 * MIB)) write_limit=$MIB ||
		read_limit=$MIB write_limit=$((2 * MIB))
	rate read $disk 4 $top/job
	at_most "read of $disk" $read_limit
	rate write $disk 4 $top/job
	at_most "write of $disk" $write_limit
done
contains explain "nvme0n1 reads 2097152 B/s" "$(berth explain $top/job 2>&1)"
contains explain "nvme1n1 writes 2097152 B/s" "$(berth explain $top/job 2>&1)"
contains "the knobs" "$first" "$(berth knobs --wide 2>&1)"
# A weight that rules no disk is left alone.
[ "$RUN_CGROUP" = v1 ] || expect "io.weight without io.cost" "default 100" "$(cat $io/$top/job/io.weight)"

# What another policy would change is one limit of one disk.
sed 's/nvme0n1 read_bps=2Mi/nvme0n1 read_bps=3Mi/' /etc/berth/berth.yaml >/tmp/plan.yaml
plan=$(berth -o json plan /tmp/plan.yaml 2>&1)
contains plan "io.max.rbps $first" "$plan"
contains plan 3145728 "$plan"
expect "knobs in the plan" 1 "$(echo "$plan" | grep -c 'io\.max')"

# Changed while it runs, as an annotation is: one is raised, one goes.
io_policy "\"nvme0n1 read_bps=6Mi\", \"nvme1n1 read_bps=1Mi write_bps=2Mi\""
berth reload >/dev/null || bad "reload"
limit_within 10000 $top/job "$first" rbps $((6 * MIB))
limit_within 10000 $top/job "$first" wbps ""
limit_within 10000 $top/job "$second" wbps $((2 * MIB))
above "read after the change" $((3 * MIB)) read nvme0n1 12 $top/job
at_most "read after the change" $((6 * MIB))

# Somebody else writes: noticed, and written again.
if [ "$RUN_CGROUP" = v2 ]; then
	echo "$second rbps=max" >$io/$top/job/io.max
else
	echo "$second 0" >$io/$top/job/blkio.throttle.read_bps_device
fi
limit_within 10000 $top/job "$second" rbps $MIB

# Killed: the limits stand, the next run takes them over, and what it does not want goes.
kill -KILL $daemon_pid
wait $daemon_pid 2>/dev/null
expect "rbps while no daemon runs" $((6 * MIB)) "$(limit $top/job "$first" rbps)"
io_policy "\"nvme0n1 read_bps=6Mi\"" ", cost: [\"nvme0n1 rpct=95 rlat=50000 min=50 max=150\"]"
daemon_start && ok "starts after SIGKILL" || { bad "does not start"; show_log; finish; }
limit_within 10000 $top/job "$first" rbps $((6 * MIB))
cost_line() { grep "^$first " $io/io.cost.qos; }
if [ -e $io/io.cost.qos ]; then
	within 10000 sh -c "grep -q '^$first enable=1 ctrl=user rpct=95.00 rlat=50000' $io/io.cost.qos" &&
		ok "io.cost.qos: $(cost_line)" || bad "io.cost.qos: $(cost_line)"
	has_within 10000 $io/$top/job/io.weight "default 10"
	has_within 10000 $io/$top/web/io.weight "default 1000"
else
	contains "why no io.cost" "io.cost" "$(berth capabilities 2>&1)"
fi

# Killed, and nobody comes: --restore does it from the journal.
kill -KILL $daemon_pid
wait $daemon_pid 2>/dev/null
berthd --restore --runtime-dir $runtime >>$log 2>&1 || bad "--restore: status $?"
expect "rbps after --restore" 90000000 "$(limit $top/job "$first" rbps)"
expect "riops after --restore" 5000 "$(limit $top/job "$first" riops)"
expect "the second disk after --restore" "" "$(limit $top/job "$second" rbps)"
if [ -e $io/io.cost.qos ]; then
	contains "io.cost.qos after --restore" "enable=0 ctrl=auto" "$(cost_line)"
	expect "io.weight after --restore" "default 100" "$(cat $io/$top/job/io.weight)"
fi

# A disk that is pulled out while it is limited, and the end by SIGTERM.
io_policy "\"nvme* read_bps=3Mi\""
daemon_start || { bad "berthd does not answer"; show_log; finish; }
limit_within 10000 $top/job "$second" rbps $((3 * MIB))
echo 1 >/sys/block/nvme1n1/device/device/remove
gone() { ! berth knobs --wide 2>/dev/null | grep -q "$second"; }
within 10000 gone && ok "claims on the disk that went are gone" ||
	bad "still there: $(berth knobs --wide 2>&1 | grep "$second")"
echo 1 >/sys/bus/pci/rescan
within 60000 test -e /sys/block/nvme1n1/dev && second=$(number_of nvme1n1)
limit_within 10000 $top/job "$second" rbps $((3 * MIB))
daemon_stop && ok "stopped" || bad "stop: status $?"
expect "rbps after stop" 90000000 "$(limit $top/job "$first" rbps)"
expect "riops after stop" 5000 "$(limit $top/job "$first" riops)"
expect "the second disk after stop" "" "$(limit $top/job "$second" rbps)"
expect "problems in the log" "" "$(log_problems)"
[ $failures = 0 ] || show_log
finish
