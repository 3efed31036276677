# title: what berthd weighs with 100 and 1,000 workloads that are scraped, counters and causes by BPF
# needs: berth
# cgroup: v2
# timeout: 600
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=berth.test.footprint
group_make $top/pods/p1
policy <<END
metrics: {listen: "127.0.0.1:9824"}
sources: {cgroups: {paths: ["$top/pods/*"]}}
rules:
  - {match: {cgroup: "*[13579]"}, qos: batch}
END
daemon_start && ok "berthd answers" || { bad "berthd does not answer"; show_log; finish; }

scrape() { wget -q -O /tmp/page http://127.0.0.1:9824/metrics; }
rss_kib() { awk '/^VmRSS/ { print $2 }' /proc/$daemon_pid/status; }
fds() { ls /proc/$daemon_pid/fd | wc -l; }

# measure GROUPS LIMIT_MIB
measure() {
	i=1
	while [ $i -le "$1" ]; do
		[ -d $cpu/$top/pods/p$i ] || mkdir $cpu/$top/pods/p$i
		i=$((i + 1))
	done
	within 60000 scraped "$1" || bad "not all of $1 groups are on the page"
	scrape
	kib=$(rss_kib)
	echo "FIGURE groups $1 rss_kib $kib samples $(grep -vc '^#' /tmp/page) fds $(fds)"
	[ "$kib" -lt $(($2 * 1024)) ] && ok "$1 workloads: $kib KiB" ||
		bad "$1 workloads: $kib KiB, the limit is $2 MiB"
}
scraped() { scrape && [ "$(grep -c '^berth_workload_cpu_usage_seconds_total' /tmp/page)" = "$1" ]; }

telemetry_loaded
measure 100 14
contains "how counters are read" 'collector="bpf' "$(grep ^berth_telemetry_info /tmp/page)"
measure 1000 24
expect "problems in the log" "" "$(log_problems)"
daemon_stop && ok "stopped" || bad "stop: status $?"
[ $failures = 0 ] || show_log
finish
