# title: not root, no cgroup controllers, no pressure files, second instance: says so and runs the rest
# needs: berth
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.unprivileged
group_make $top/job
policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
rules:
  - {match: {cgroup: "$top/job"}, qos: batch}
END

# ready_as NAME COMMAND...: start berthd that way with its own runtime directory and wait.
ready_as() {
	runtime=/run/berth.$1
	log=/tmp/berthd.$1.log
	mkdir -p $runtime
	chown "${owner:-0}" $runtime
	shift
	"$@" berthd --config /etc/berth/berth.yaml --runtime-dir $runtime 2>$log &
	daemon_pid=$!
	if within 60000 answers; then
		ok "runs"
		return 0
	fi
	bad "does not answer"
	show_log
	kill -KILL $daemon_pid
	wait $daemon_pid
	return 1
}
end() { daemon_stop; stop_status=$?; expect "exit status" 0 $stop_status; show_log; }

echo "-- not root"
owner=65534
# su becomes the shell, and the shell what it is given.
if ready_as nobody su -s /bin/sh -c 'exec "$@"' -- nobody sh; then
	contains "the log or status" 'ermission\|root\|privilege' "$(cat $log; berth status; berth knobs)"
	expect "cpu.idle" 0 "$(cat $cpu/$top/job/cpu.idle)"
	contains "the workloads" $top/job "$(berth workloads -o json)"
	end
fi
owner=0

echo "-- no cgroup controllers"
# $1 is the program of ready_as: hide the hierarchies, then become it.
if ready_as nocgroup unshare -m sh -c 'umount -l /sys/fs/cgroup; exec "$@"' sh; then
	contains "the log or status" cgroup "$(cat $log; berth status)"
	berth capabilities | sed 's/^/    | /'
	end
fi

echo "-- no pressure files"
if ready_as nopsi unshare -m sh -c 'mount -t tmpfs none /proc/pressure; exec "$@"' sh; then
	contains "the log, status or capabilities" 'PSI\|pressure' \
		"$(cat $log; berth status; berth capabilities)"
	has_within 10000 $cpu/$top/job/cpu.idle 1

	echo "-- a second instance"
	berthd --config /etc/berth/berth.yaml --runtime-dir $runtime 2>/tmp/second.log
	expect "its exit status" 1 $?
	contains "its message" 'already\|another\|second' "$(cat /tmp/second.log)"
	answers && ok "the first still answers" || bad "the first is gone"
	expect "cpu.idle" 1 "$(cat $cpu/$top/job/cpu.idle)"
	end
	expect "cpu.idle after stop" 0 "$(cat $cpu/$top/job/cpu.idle)"
fi
finish
