# title: 200 SIGKILLs at random instants while groups come and go: every knob is claimed or original
# needs: berth
# timeout: 900
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

kills=${1:-200}
top=berth.test.kill
weight_original=$([ "$RUN_CGROUP" = v2 ] && echo 150 || echo 1536)

# make_group NAME: with an original weight of its own and a process.
make_group() {
	group_make "$top/$1"
	echo "$weight_original" >"$cpu/$top/$1/$weight_file"
}

for number in 1 2 3 4; do
	make_group batch-$number
	make_group online-$number
done
group_run $top/batch-1 sleep 100000
job=$group_pid
echo 17 >/proc/$job/oom_score_adj

policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/*batch*"}, qos: batch}
  - {match: {cgroup: "$top/online-1"}, qos: critical, requests: {memory: 16Mi}}
  - {match: {cgroup: "$top/online-*"}, qos: high}
END

random() { echo $(($(od -An -N2 -tu2 /dev/urandom) % $1)); }

original() {
	original_bad=
	# Not the churning groups: they are made with the kernel's values and get theirs while we look.
	for directory in "$cpu/$top"/*-[0-9]; do
		has "$directory/cpu.idle" 0 ||
			original_bad="$original_bad $directory/cpu.idle=$(cat "$directory/cpu.idle")"
		has "$directory/$weight_file" "$weight_original" ||
			original_bad="$original_bad $directory/$weight_file=$(cat "$directory/$weight_file")"
	done
	if [ "$RUN_CGROUP" = v2 ]; then
		for file in $top/memory.low $top/online-1/memory.low; do
			has "$memory/$file" 0 ||
				original_bad="$original_bad $file=$(cat "$memory/$file")"
		done
	fi
	has /proc/$job/oom_score_adj 17 ||
		original_bad="$original_bad oom_score_adj=$(cat /proc/$job/oom_score_adj)"
	[ -z "$original_bad" ]
}

claimed() {
	for directory in "$cpu/$top"/batch-[0-9]; do
		has "$directory/cpu.idle" 1 || return 1
	done
	for directory in "$cpu/$top"/online-*; do
		has "$directory/cpu.idle" 0 && has "$directory/$weight_file" "$weight_original" ||
			return 1
	done
}

restore() { berthd --restore --runtime-dir $runtime >>$log 2>&1; }

# Groups that come and go beside, so that kills also hit a new group's first write.
churn() {
	while :; do
		make_group churn-batch$1
		usleep $((20000 + $(random 60000)))
		group_remove $top/churn-batch$1
	done 2>/dev/null
}
churn 1 &
churner=$!

start() {
	berthd --config /etc/berth/berth.yaml --runtime-dir $runtime 2>>$log &
	daemon_pid=$!
}

turn=0 restores=0
while [ $turn -lt "$kills" ]; do
	start
	# From before its first instruction to long after it is at rest.
	usleep $(($(random 400) * 1000))
	kill -KILL $daemon_pid
	wait $daemon_pid 2>/dev/null
	turn=$((turn + 1))
	if [ $((turn % 20)) = 0 ]; then
		restore || bad "--restore after kill $turn: status $?"
		restores=$((restores + 1))
		original || bad "after kill $turn and --restore:$original_bad"
		say "$turn kills"
	fi
done
kill $churner
wait $churner 2>/dev/null
[ -d $cpu/$top/churn-batch1 ] && group_remove $top/churn-batch1
ok "$turn kills, $restores restores"

# Once more without a restore between: the next run takes everything over.
start
usleep 300000
kill -KILL $daemon_pid
wait $daemon_pid 2>/dev/null
daemon_start && ok "starts after the kills" || bad "does not start after the kills"
within 10000 claimed && ok "after the restart every knob is claimed or original" ||
	bad "not claimed: $(head -n 1 $cpu/$top/*/cpu.idle)"
kill -KILL $daemon_pid
wait $daemon_pid 2>/dev/null
restore && ok "--restore" || bad "--restore: status $?"
original && ok "after --restore every knob is original" || bad "not original:$original_bad"
[ $failures = 0 ] || tail -n 40 $log
finish
