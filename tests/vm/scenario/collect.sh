# title: BPF, kept-open files and opened files tell the same of every group, and so do its files
# needs: berth load
# timeout: 600
# memory: 768
# disk: 64M 64M
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

many=${1:-500}
top=berth.test.collect
swap=/dev/nvme0n1 disk=/dev/nvme1n1 device=nvme1n1
ways="kept opened"
[ "$RUN_CGROUP" = v1 ] || ways="bpf kept opened"

# ---- groups with something to tell ----

mkswap $swap >/dev/null && swapon $swap || bad "no swap on $swap"
for name in quota swap io oom idle nest/inner; do group_make $top/$name; done
for name in "" /quota /swap /io /oom /idle /nest /nest/inner; do echo $top$name; done >/tmp/paths
if [ "$RUN_CGROUP" = v2 ]; then
	echo "20000 100000" >$cpu/$top/quota/cpu.max
	echo 16M >$memory/$top/swap/memory.max
	echo 8M >$memory/$top/oom/memory.max
	echo 0 >$memory/$top/oom/memory.swap.max
else
	controllers="$controllers blkio"
	for name in quota swap io oom idle nest/inner; do mkdir -p /sys/fs/cgroup/blkio/$top/$name; done
	# Kernels since 6.0 count on v1 what is throttled, and nothing else.
	for file in read_iops_device write_iops_device; do
		echo "$(cat /sys/block/$device/dev) 1000000000" \
			>/sys/fs/cgroup/blkio/$top/io/blkio.throttle.$file
	done
	echo 20000 >$cpu/$top/quota/cpu.cfs_quota_us
	echo 16M >$memory/$top/swap/memory.limit_in_bytes
	echo 8M >$memory/$top/oom/memory.limit_in_bytes
	echo 8M >$memory/$top/oom/memory.memsw.limit_in_bytes
fi

forever='while :; do :; done'
hogs=
hog() {
	group_run "$@"
	hogs="$hogs $group_pid"
}
hog $top/quota sh -c "$forever"
hog $top/nest/inner sh -c "$forever"
hog $top/swap sh -c 'while :; do dd if=/dev/zero of=/dev/null bs=24M count=2 2>/dev/null; done'
hog $top/io sh -c "while :; do dd if=$disk of=/dev/null bs=64k count=64 iflag=direct
	dd if=/dev/zero of=$disk bs=64k count=64 oflag=direct; done 2>/dev/null"
group_run $top/oom dd if=/dev/zero of=/dev/null bs=32M count=1

take() { berth-collect "$1" </tmp/paths; }
# GROUP VALUE LEAST: what must have been, as zeros would agree as well.
cat >/tmp/least <<END
$top/quota cpu_usage_usec 100000
$top/quota cpu_throttled_periods 2
$top/quota cpu_throttled_usec 10000
$top/swap memory_major_faults 1
$top/swap memory_faults 100
$top/oom memory_event_oom_kill 1
$top/io io.$device.read_bytes 65536
$top/io io.$device.writes 1
$top cpu_usage_usec 200000
END
[ "$RUN_CGROUP" = v1 ] || cat >>/tmp/least <<END
$top/swap memory_event_max 1
$top/swap memory_reclaimed 100
$top/swap pressure_io_some_usec 1000
$top/nest pressure_cpu_some_usec 1000
$top io.$device.writes 1
END
has_been() {
	take kept >/tmp/kept
	awk '{ key = $1 " " $2 }
		FILENAME == "/tmp/least" { least[key] = $3; next }
		key in least && $3 >= least[key] { delete least[key] }
		END { for (key in least) exit 1 }' /tmp/least /tmp/kept
}
within 60000 has_been || say "not all has been yet"

# ---- while they work: each value of one way is between two of another ----

# between LOW MIDDLE HIGH: of values that only grow
between() {
	awk '{ key = $1 " " $2; if ($2 == "cpu_usage_usec") usage = $3 }
		FILENAME == "'"$1"'" { low[key] = $3; next }
		FILENAME == "'"$2"'" { middle[key] = $3; next }
		$2 ~ /_bytes$/ && $2 !~ /^io/ { next }
		# Shares of the usage, which the kernel estimates by ticks.
		{ slack = $2 ~ /cpu_(user|system)_usec/ ? usage / 8 : 0 }
		{ seen++; if (!(key in low) || !(key in middle)) print key, "is not in all"
		  else if (middle[key] + slack < low[key] || middle[key] > $3 + slack)
			print key, low[key], middle[key], $3 }
		END { if (seen < 40) print "only", seen, "values" }' "$1" "$2" "$3"
}

for way in $ways; do
	take kept >/tmp/before
	take $way >/tmp/middle
	take kept >/tmp/after
	wrong=$(between /tmp/before /tmp/middle /tmp/after)
	[ -z "$wrong" ] && ok "$way while groups are busy" || bad "$way while groups are busy: $wrong"
done

# A peek of a way whose passes were before: what it says is of now.
mkfifo /tmp/go
peek() { # WAY: what is between the two calls is between its passes and its peek
	berth-collect --peek /tmp/go "$1" </tmp/paths >/tmp/peek &
	peek_pid=$!
	# A child that ends interrupts it; with `command` that does not end the shell.
	until command exec 9>/tmp/go; do :; done
}
peek_end() {
	exec 9>&-
	wait $peek_pid || bad "the peek ended with $?"
}
told_by_peek() { grep -E '^[^ ]+ (cpu|pressure)_'; }
for way in $ways; do
	peek $way
	take kept | told_by_peek >/tmp/before
	peek_end
	take kept | told_by_peek >/tmp/after
	wrong=$(between /tmp/before /tmp/peek /tmp/after)
	[ -z "$wrong" ] && ok "a peek by $way while groups are busy" ||
		bad "a peek by $way while groups are busy: $wrong"
done

for pid in $hogs; do
	kill "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
done
quiet() { ! grep -q . $cpu/$top/*/cgroup.procs $cpu/$top/nest/inner/cgroup.procs; }
within 10000 quiet || bad "something still runs"
# Pressure is added up every two seconds while there is some, and once more after.
usleep 4500000

# ---- at rest: the same, to the digit, as the shell reads it ----

value() { [ -f "$2" ] && echo "$group $1 $(($(cat "$2") $3))"; }

# stat FILE KEY NAME [ARITHMETIC] ...: lines "KEY NUMBER"
stat() {
	stat_file=$1
	shift
	[ -f "$stat_file" ] || return 0
	while [ $# -gt 1 ]; do
		number=$(sed -n "s/^$1 //p" "$stat_file")
		[ -z "$number" ] || echo "$group $2 $((number ${stat_unit:-}))"
		shift 2
	done
}

pressure() { # DIRECTORY
	for kind in cpu memory io irq; do
		[ -f "$1/$kind.pressure" ] || continue
		sed -n "s/^\(some\|full\).*total=\(.*\)/$kind \1 \2/p" "$1/$kind.pressure"
	done | while read -r kind which number; do
		echo "$group pressure_${kind}_${which}_usec $number"
	done
}

working_set() { # USAGE INACTIVE
	[ $(($1)) -gt $(($2)) ] && echo "$group memory_working_set_bytes $(($1 - $2))" ||
		echo "$group memory_working_set_bytes 0"
}

device_name() { basename "$(readlink /sys/dev/block/$1)"; }

group_v2() {
	at=$cpu/$group
	stat $at/cpu.stat usage_usec cpu_usage_usec user_usec cpu_user_usec \
		system_usec cpu_system_usec nr_periods cpu_periods \
		nr_throttled cpu_throttled_periods throttled_usec cpu_throttled_usec
	pressure $at
	value memory_bytes $at/memory.current
	value memory_swap_bytes $at/memory.swap.current
	for kind in anon file shmem file_mapped file_dirty file_writeback inactive_anon active_anon \
		inactive_file active_file unevictable slab_reclaimable slab_unreclaimable kernel_stack \
		pagetables sock; do
		stat $at/memory.stat $kind memory_${kind}_bytes
	done
	stat $at/memory.stat pgfault memory_faults pgmajfault memory_major_faults \
		workingset_refault_anon memory_refault_anon workingset_refault_file memory_refault_file \
		pgscan memory_scanned pgsteal memory_reclaimed \
		pswpin memory_swapped_in pswpout memory_swapped_out
	for kind in low high max oom oom_kill; do
		stat $at/memory.events $kind memory_event_$kind
	done
	[ ! -f $at/memory.current ] || working_set "$(cat $at/memory.current)" \
		"$(sed -n 's/^inactive_file //p' $at/memory.stat)"
	while read -r number words; do
		[ -n "$words" ] || continue
		name=$(device_name $number)
		eval "$(echo $words | tr ' ' '\n' | grep -v '\.')"
		[ $((rios + wios + dios)) -gt 0 ] || continue
		printf "$group io.$name.%s %s\n" read_bytes $rbytes write_bytes $wbytes \
			discard_bytes $dbytes reads $rios writes $wios discards $dios
	done <$at/io.stat
}

group_v1() {
	stat $cpu/$group/cpu.stat nr_periods cpu_periods nr_throttled cpu_throttled_periods
	stat_unit=/1000 stat $cpu/$group/cpu.stat throttled_time cpu_throttled_usec
	value cpu_usage_usec $cpu/$group/cpuacct.usage /1000
	stat_unit='* 10000' stat $cpu/$group/cpuacct.stat user cpu_user_usec system cpu_system_usec
	at=$memory/$group
	value memory_bytes $at/memory.usage_in_bytes
	for pair in cache:file rss:anon shmem:shmem mapped_file:file_mapped dirty:file_dirty \
		writeback:file_writeback inactive_anon:inactive_anon active_anon:active_anon \
		inactive_file:inactive_file active_file:active_file unevictable:unevictable swap:swap; do
		stat $at/memory.stat total_${pair%:*} memory_${pair#*:}_bytes
	done
	stat $at/memory.stat total_pgfault memory_faults total_pgmajfault memory_major_faults \
		total_workingset_refault_anon memory_refault_anon \
		total_workingset_refault_file memory_refault_file
	stat $at/memory.oom_control oom_kill memory_event_oom_kill
	working_set "$(cat $at/memory.usage_in_bytes)" \
		"$(sed -n 's/^total_inactive_file //p' $at/memory.stat)"
	at=/sys/fs/cgroup/blkio/$group
	for number in $(awk 'NF == 3 && $3 > 0 { print $1 }' \
		$at/blkio.throttle.io_serviced_recursive | sort -u); do
		for pair in bytes:_bytes iced:s; do
			file=$at/blkio.throttle.io_serv${pair%:*}_recursive
			[ $pair = iced:s ] || file=$at/blkio.throttle.io_service_bytes_recursive
			for kind in Read Write Discard; do
				echo "$group io.$(device_name $number).$(echo $kind | tr RWD rwd)${pair#*:}" \
					"$(sed -n "s/^$number $kind //p" $file)"
			done
		done
	done
}

take_shell() { while read -r group; do group_$RUN_CGROUP; done </tmp/paths 2>/tmp/shell.errors | sort; }
# Between two looks of the shell that are the same nothing changed: memory of the tasks that ended is
# given back later. What the ways read brings the counters up to date for what comes after.
still() {
	take ${ways%% *} >/dev/null
	take_shell >/tmp/shell.before
	for way in $ways; do take $way | sort >/tmp/$way; done
	take_shell >/tmp/shell
	cmp -s /tmp/shell.before /tmp/shell
}
within 60000 still || bad "it never rests: $(diff /tmp/shell.before /tmp/shell | head -4)"
for way in $ways; do
	wrong=$(diff /tmp/shell /tmp/$way | grep '^[-+<>][^-+]')
	[ -z "$wrong" ] && ok "$way has the $(wc -l </tmp/shell) values of the files" ||
		bad "$way is not what the files say: $wrong"
done
told_by_peek </tmp/shell >/tmp/shell.peek
for way in $ways; do
	peek $way
	peek_end
	wrong=$(sort /tmp/peek | diff /tmp/shell.peek - | grep '^[-+<>][^-+]')
	[ -z "$wrong" ] && ok "a peek by $way has the $(wc -l </tmp/shell.peek) values of the files" ||
		bad "a peek by $way is not what the files say: $wrong"
done
[ -s /tmp/shell.errors ] && say "$(head -5 /tmp/shell.errors)"

while read -r group name least; do
	number=$(sed -n "s|^$group $name ||p" /tmp/kept)
	[ "${number:-0}" -ge "$least" ] && ok "$name of '$group' is $number" ||
		bad "$name of '$group' is '$number'"
done </tmp/least

# ---- the daemon: which way, why, and back ----

show() { berth status -o json; }
field() { sed -n "s/.*\"telemetry\": {[^}]*\"$1\": \"\([^\"]*\)\".*/\1/p" /tmp/status; }
status_taken() { show | tr -d '\n' | tr -s ' ' >/tmp/status; }
asked() { telemetry_loaded && status_taken; }
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
END
daemon_start || { bad "berthd does not answer"; show_log; finish; }
asked
say "loaded after $loaded_in ms, the longest pass until then took $longest_pass ms"
grep 'held up the daemon' $log | sed 's/^/    /'
if [ "$RUN_CGROUP" = v2 ]; then
	# The pass that asks for programs does not wait for them. (A guest may stand still in one: then it is
	# looked at again, twice at most.)
	for _ in 1 2; do
		[ $((longest_pass * 2)) -ge $loaded_in ] || break
		say "once more: a pass of $longest_pass ms, loaded after $loaded_in ms"
		daemon_stop || bad "stop: status $?"
		daemon_start || { bad "berthd does not answer"; show_log; finish; }
		asked
	done
	[ $((longest_pass * 2)) -lt $loaded_in ] && ok "no pass waits for BPF" || bad "a pass waits for BPF"
	expect "the daemon's way" bpf "$(field way)"
	expect "why none that costs less" "" "$(field detail)"
else
	expect "the daemon's way" "kept files" "$(field way)"
	contains "why not BPF" "cgroup v2 only" "$(field detail)"
fi
contains "status" "Counters *by ${ways%% *}" "$(berth status)"
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
telemetry: {collector: files}
END
berth reload >/dev/null
# A pass of half a second ago is shown to whoever looks again.
by_files() { berth -o json top >/dev/null && status_taken && [ "$(field way)" = "kept files" ]; }
within 10000 by_files && ok "by kept files after a reload" || bad "after a reload: $(field way)"
daemon_stop || bad "stop: status $?"

# ---- groups that go while a pass is taken ----

number=0
while [ $number -lt 60 ]; do
	group_make $top/short$number
	number=$((number + 1))
done
for way in $ways; do
	for number in $(seq 0 59); do
		group_make $top/short$number
		echo $top/short$number
	done >/tmp/short
	berth-collect --cost 200 $way </tmp/short >/tmp/answer &
	for number in $(seq 10 59); do
		group_remove $top/short$number
		[ $((number % 2)) = 0 ] || group_make $top/short$number
	done
	wait $! && contains "$way, groups vanish" '"errors": 0' "$(cat /tmp/answer)" ||
		bad "$way, groups vanish: status $?"
done
for number in $(seq 0 59); do
	[ ! -d $cpu/$top/short$number ] || group_remove $top/short$number
done

# ---- many groups ----

number=0
group_make $top/many
group_make $top/many/g0
while [ $number -lt "$many" ]; do
	for controller in $controllers; do
		[ $number = 0 ] || mkdir /sys/fs/cgroup/$controller/$top/many/g$number
	done
	echo $top/many/g$number
	number=$((number + 1))
done >/tmp/paths
if [ "$RUN_CGROUP" = v2 ]; then
	take bpf >/tmp/bpf
	take kept >/tmp/kept
	cmp -s /tmp/bpf /tmp/kept && ok "$many groups, $(wc -l </tmp/bpf) values: the same by bpf and files" ||
		bad "$many groups: $(diff /tmp/bpf /tmp/kept | head)"
	policy <<END
sources: {cgroups: {paths: ["$top/many/*"]}}
END
	daemon_start || bad "berthd does not answer"
	resident() { sed -n 's/^VmRSS:\s*\([0-9]*\).*/\1/p' /proc/$daemon_pid/status; }
	before=$(resident)
	asked
	say "resident: $before KiB, with counters $(resident) KiB"
	expect "the way with $many groups" bpf "$(field way)"
	fds=$(ls /proc/$daemon_pid/fd | wc -l)
	# Programs and links of BPF for the causes of pressure are half of them.
	[ "$fds" -le 64 ] && ok "$fds open files with $many groups" || bad "$fds open files"
	daemon_stop || bad "stop: status $?"
fi
# ---- a kernel that keeps its memory to itself ----

lockdown=/sys/kernel/security/lockdown
mount -t securityfs securityfs /sys/kernel/security 2>/dev/null
if [ "$RUN_CGROUP" = v2 ] && echo confidentiality >$lockdown; then
	daemon_start || bad "berthd does not answer"
	asked
	contains "the way under lockdown" "files" "$(field way)"
	contains "the reason" "locked down" "$(field detail)"
	contains "the log" "counters are read from files: .*locked down" "$(cat $log)"
	daemon_stop || bad "stop: status $?"
elif [ "$RUN_CGROUP" = v2 ]; then
	bad "no lockdown in this kernel"
fi

answer=$(berth-collect --cost 2 kept </tmp/paths)
contains "$many groups by files" '"errors": 0' "$answer"
say "$answer"
expect "problems in the log" "" "$(log_problems)"
[ $failures = 0 ] || show_log | tail -n 40
finish
