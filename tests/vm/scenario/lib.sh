# SPDX-License-Identifier: Apache-2.0
# What every scenario uses. Sourced by busybox sh in the guest.
# shellcheck shell=sh
. /berth/boot.env

failures=0

say() { echo "    $*"; }

ok() { echo "ok   $*"; }

bad() {
	echo "FAIL $*"
	failures=$((failures + 1))
}

# At the end of a scenario: the exit status.
finish() {
	[ "$failures" = 0 ] || { echo "$failures failed"; exit 1; }
	exit 0
}

# expect WHAT WANTED GOT
expect() {
	if [ "$2" = "$3" ]; then ok "$1 is '$2'"; else bad "$1 is '$3', wanted '$2'"; fi
}

# contains WHAT PATTERN TEXT: grep's basic expression.
contains() {
	if echo "$3" | grep -q -- "$2"; then ok "$1 has '$2'"; else bad "$1 lacks '$2': $3"; fi
}

now_ms() { awk '{ printf "%d\n", $1 * 1000 }' /proc/uptime; }

# within MILLISECONDS COMMAND...: until it succeeds; fails when the time is over. That is a deadline
# and no measurement: without KVM and beside others a guest stands still for seconds, so it is 10 s
# at least, and under the 10 min after which a reconcile pass would mend what was not told. And who
# stood still has not looked: twenty looks are due, whatever the clock says.
within() {
	within_end=$(($(now_ms) + $1)) within_looks=1
	shift
	until "$@"; do
		[ "$(now_ms)" -lt "$within_end" ] || [ $within_looks -lt 20 ] || return 1
		within_looks=$((within_looks + 1))
		usleep 20000
	done
}

# ---- cgroups, of either version ----

if [ "$RUN_CGROUP" = v2 ]; then
	controllers=.
	cpu=/sys/fs/cgroup memory=/sys/fs/cgroup
else
	# Kernels from 6.11 may be built without memory in v1 (CONFIG_MEMCG_V1): then $memory is "".
	controllers="cpu memory"
	cpu=/sys/fs/cgroup/cpu memory=/sys/fs/cgroup/memory
	[ -d $memory ] || { controllers=cpu memory=; }
fi

# group_make PATH: in every hierarchy, with controllers for its children on v2.
group_make() {
	if [ "$RUN_CGROUP" = v2 ]; then
		group_path=
		for part in $(echo "$1" | tr / ' '); do
			group_path=${group_path:+$group_path/}$part
			mkdir -p "$cpu/$group_path"
			[ "$group_path" = "$1" ] ||
				echo "+cpu +memory +io +pids" >"$cpu/$group_path/cgroup.subtree_control"
		done
	else
		for controller in $controllers; do
			mkdir -p "/sys/fs/cgroup/$controller/$1"
		done
	fi
}

group_remove() {
	for controller in $controllers; do
		rmdir "/sys/fs/cgroup/$controller/$1"
	done
}

# group_run PATH COMMAND...: in the background, inside the group; its pid in $group_pid.
group_run() {
	group_into=$1
	shift
	sh -c 'for controller in '"$controllers"'; do
			echo $$ >"/sys/fs/cgroup/$controller/'"$group_into"'/cgroup.procs" || exit 1
		done
		exec "$@"' sh "$@" &
	group_pid=$!
}

has() { [ "$(cat "$1" 2>/dev/null)" = "$2" ]; }

# has_within MILLISECONDS FILE VALUE
has_within() {
	if within "$1" has "$2" "$3"; then
		ok "$2 is '$3'"
	else
		bad "$2 is '$(cat "$2" 2>&1)' after $1 ms, wanted '$3'"
	fi
}

weight_file=cpu.weight
[ "$RUN_CGROUP" = v2 ] || weight_file=cpu.shares

# ---- the daemon ----

runtime=/run/berth
log=/tmp/berthd.log
daemon_pid=

berth() { berthctl --socket $runtime/control.sock "$@"; }

# Not `status`: its exit status is about health, too.
answers() { berth version >/dev/null 2>&1; }

# policy: from stdin to the policy file
policy() {
	mkdir -p /etc/berth
	cat >/tmp/berth.yaml.new
	mv /tmp/berth.yaml.new /etc/berth/berth.yaml
}

# daemon_start [ARGUMENT...]: and wait until it answers; status 1 if it ended instead.
daemon_start() {
	berthd --config /etc/berth/berth.yaml --runtime-dir $runtime "$@" 2>>$log &
	daemon_pid=$!
	daemon_end=$(($(now_ms) + 60000))
	until answers; do
		kill -0 $daemon_pid 2>/dev/null || return 1
		[ "$(now_ms)" -lt "$daemon_end" ] || return 1
		usleep 20000
	done
}

# telemetry_loaded: passes, until one has taken up the BPF programs that are loaded for it meanwhile.
# The longest of them into $longest_pass, and the time of them all into $loaded_in, both in ms.
telemetry_loaded() {
	longest_pass=0 loaded_from=$(now_ms)
	within 120000 telemetry_is_loaded || bad "BPF programs are not loaded"
	loaded_in=$(($(now_ms) - loaded_from))
}
telemetry_is_loaded() {
	berth -o json top >/tmp/loaded 2>/dev/null
	pass=$(sed -n 's/.*"pass_usec": \([0-9]*\).*/\1/p' /tmp/loaded)
	[ $((${pass:-0} / 1000)) -le $longest_pass ] || longest_pass=$((pass / 1000))
	berth -o json status | grep -q '"loading": false'
}

# daemon_stop: by SIGTERM; its exit status.
daemon_stop() {
	kill -TERM "$daemon_pid"
	wait "$daemon_pid"
}

# kill_while CONDITION...: by SIGKILL, as soon as the condition holds. It is looked at again while the
# daemon is stopped, which could have changed its mind between a look and the kill.
kill_while() {
	within 120000 caught "$@" || return 1
	kill -KILL "$daemon_pid"
	wait "$daemon_pid" 2>/dev/null
	return 0
}
caught() {
	"$@" || return 1
	kill -STOP "$daemon_pid"
	"$@" && return 0
	kill -CONT "$daemon_pid"
	return 1
}

show_log() { sed 's/^/    | /' $log; }

# Lines of the log at warning or above, by the <N> prefix of sd-daemon(3). But for callbacks that took
# long by the clock: on a busy host the guest stands still for longer than a callback may take. (Of
# another kind the first lines are there beside the one that counts those that were suppressed.)
without_callbacks() { grep -vE 'held up the daemon|similar lines were suppressed'; }
log_problems() { grep -E '^<[0-4]>' $log | without_callbacks; }
# The same of the journal, where berthd is a service.
journal_problems() {
	journalctl --no-pager -q -p warning -u berthd -o cat | without_callbacks
}
