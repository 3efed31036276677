# title: what a pass over many groups costs, each way (driven by tests/bench, see collect.py)
# needs: load
# timeout: 900
# cgroup: v2
# memory: 1536
# cpus: 1
# disk: 16M
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

# ARGUMENTS: how many groups, how many passes, ways...; WAY:NUMBER for fewer of the groups
ulimit -n 65536
groups=$1 passes=$2
shift 2
top=berth.test.cost
number=0
group_make $top/pod0
while [ $number -lt "$groups" ]; do
	mkdir -p "$cpu/$top/pod$number"
	echo "$top/pod$number"
	number=$((number + 1))
done >/tmp/paths
say "possible CPUs: $(cat /sys/devices/system/cpu/possible)"
echo "CPUS {\"possible\": $(($(sed 's/.*-//' /sys/devices/system/cpu/possible) + 1))}"
for way in "$@"; do
	echo "WAY $way"
	head -n "$(echo "$way:$groups" | cut -d: -f2)" /tmp/paths >/tmp/some
	berth-collect --cost "$passes" --active /dev/nvme0n1 "${way%:*}" </tmp/some || bad "$way"
done
finish
