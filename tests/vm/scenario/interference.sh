# title: the benchmark `interference` in the guest: ROUNDS MILLISECONDS KIND... (see tests/bench/run)
# needs: berth load
# timeout: 900
# cgroup: v2
# memory: 1024
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

rounds=${1:-1} milliseconds=${2:-1000}
[ $# -lt 2 ] || shift 2
[ $# != 0 ] || set -- compute

top=berth.bench.vm
group_make $top/online
group_make $top/batch
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/online"}, qos: high}
  - {match: {cgroup: "$top/batch"}, qos: batch}
END

usage_usec() { awk '/^usage_usec/ { print $2 }' "$cpu/$top/$1/cpu.stat"; }

# USER_HZ is 100 on x86: microseconds.
busy_usec() { awk '/^cpu / { printf "%.0f\n", ($2 + $3 + $4 + $7 + $8 + $9) * 10000 }' /proc/stat; }

mkfifo /tmp/commands /tmp/answers
# Both ends stay open here, so that neither side sees the end of its file between phases.
exec 3<>/tmp/commands 4<>/tmp/answers
# By fd: the shell gives a command in the background /dev/null for its input.
group_run $top/online sh -c 'exec berth-load <&3 >&4'
read -r answer <&4
say "$answer"
echo "phase warm 500" >&3
read -r answer <&4

# measure ROUND KIND PHASE
measure() {
	begin=$(now_ms) busy=$(busy_usec) online=$(usage_usec online) batch=$(usage_usec batch)
	echo "phase $3 $milliseconds" >&3
	read -r answer <&4
	online=$(($(usage_usec online) - online)) batch=$(($(usage_usec batch) - batch))
	busy=$(($(busy_usec) - busy)) wall=$((($(now_ms) - begin) * 1000))
	share=$(awk -v cpus="$(nproc)" -v wall=$wall -v busy=$busy -v online=$online \
		-v batch=$batch 'BEGIN {
			rest = busy - online - batch; if (rest < 0) rest = 0
			left = cpus * wall - online - rest
			share = left > 0 ? 100 * batch / left : 0
			if (share > 100) share = 100
			printf "%.1f", share }')
	echo "PHASE $1 $2 $3 ${answer%\}}, \"batch_share_percent\": $share}"
}

hog_runs() { [ "$(usage_usec batch)" -gt $((hog_before + 20000)) ]; }
hog_start() {
	hog_before=$(usage_usec batch)
	group_run $top/batch berth-hog "$1" >/dev/null
	within 20000 hog_runs || bad "berth-hog $1 does not run"
}
hog_stop() {
	kill -KILL "$group_pid"
	wait "$group_pid" 2>/dev/null
}

round=0
while [ $round -lt "$rounds" ]; do
	for kind; do
		measure $round "$kind" alone
		hog_start "$kind"
		measure $round "$kind" unmanaged
		hog_stop
		daemon_start || { bad "berthd does not answer"; show_log; finish; }
		within 10000 has $cpu/$top/batch/cpu.idle 1 || bad "cpu.idle was not written"
		hog_start "$kind"
		measure $round "$kind" berth
		hog_stop
		daemon_stop || bad "stop: status $?"
	done
	round=$((round + 1))
done
finish
