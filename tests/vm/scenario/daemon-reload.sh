# title: pods that are systemd's units: `systemctl daemon-reload` and the kubelet write beside Berth
# needs: berth systemd
# timeout: 600
# cgroup: v2
# cpus: 1
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

top=/sys/fs/cgroup/kubepods.slice
class=$top/kubepods-besteffort.slice

# unit NAME PROPERTY...: as the kubelet and runc make them.
unit() {
	unit_name=$1
	shift
	busctl --quiet call org.freedesktop.systemd1 /org/freedesktop/systemd1 \
		org.freedesktop.systemd1.Manager StartTransientUnit 'ssa(sv)a(sa(sv))' \
		"$unit_name" replace $((3 + $(count "$@"))) DefaultDependencies b false \
		CPUAccounting b true MemoryAccounting b true "$@" 0 || bad "cannot start $unit_name"
}
# How many properties: each begins with an upper-case letter and has a type and one value or more.
count() {
	printf '%s\n' "$@" | grep -c '^[A-Z]'
}

# pod CLASS UID WEIGHT: with a container; $pod is its unit, $pod_path its group.
pod() {
	pod=kubepods-${1:+$1-}pod$(echo "$2" | tr - _).slice
	pod_path=$top/${1:+kubepods-$1.slice/}$pod
	unit "$pod" CPUWeight t "$3"
	sleep 100000 &
	scope=cri-containerd-$(echo "$2" | sha256sum | cut -c1-64).scope
	unit "$scope" Slice s "$pod" Delegate b true CPUWeight t "$3" PIDs au 1 $!
}
property() { systemctl show --value -p "$2" "$1"; }
property_is() { [ "$(property "$1" "$2")" = "$3" ]; }
metric() {
	wget -q -O - http://127.0.0.1:9824/metrics |
		awk -v name="^berth_$1(\\\\{|$)" '$1 ~ name { sum += $2 } END { print sum + 0 }'
}

unit kubepods.slice CPUWeight t 79
unit kubepods-besteffort.slice CPUWeight t 1
pod besteffort 81091155-cf2d-465d-b40b-1ee79f213f61 3
one=$pod one_path=$pod_path one_scope=$scope
pod besteffort 81091155-cf2d-465d-b40b-1ee79f213f62 3
two=$pod two_path=$pod_path
pod '' 81091155-cf2d-465d-b40b-1ee79f213f63 7
three=$pod three_path=$pod_path
has_within 10000 "$one_path/$one_scope/cpu.weight" 3
has_within 10000 "$three_path/cpu.weight" 7

# What the kubelet does every minute, and a runtime at each update of a container, a hundred times as
# often; and what must never be seen.
: >/tmp/kubelet
while [ -e /tmp/kubelet ]; do
	echo 2 >$class/cpu.weight || echo "EINVAL: $(cat $class/cpu.idle)"
	echo 1 >$class/cpu.weight || echo "EINVAL: $(cat $class/cpu.idle)"
	echo 3 >"$one_path/$one_scope/cpu.weight" || echo "EINVAL: the container"
	has $class/cpu.idle 0 && has $top/cpu.idle 0 || echo "cpu.idle on a class"
	[ ! -e /tmp/watching ] || has "$one_path/cpu.idle" 1 || echo lost >>/tmp/lost
	usleep 100000
done >/tmp/kubelet.errors 2>&1 &
kubelet=$!

systemd-sysusers && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/berth.conf
cat >/etc/berth/berth.yaml <<END
metrics: {listen: "127.0.0.1:9824"}
sources: {kubernetes: {enabled: true, via: cgroup}}
rules:
  - {match: {kind: pod, cgroup: "*besteffort*"}, qos: batch}
  - {match: {kind: pod, cgroup: "kubepods.slice/kubepods-pod*"}, qos: critical, requests: {memory: 64Mi}}
END
systemctl daemon-reload
systemctl start berthd && ok "berthd runs" || bad "berthd: $(systemctl status --no-pager berthd)"
has_within 10000 "$one_path/cpu.idle" 1
has_within 10000 "$three_path/memory.low" 67108864
within 10000 property_is "$one" CPUWeight idle && ok "systemd has it as a property" ||
	bad "CPUWeight of $one: $(property "$one" CPUWeight)"
within 10000 property_is "$three" MemoryLow 67108864 && ok "and memory.low" ||
	bad "MemoryLow of $three: $(property "$three" MemoryLow)"

echo "-- daemon-reload"
foreign=$(metric foreign_writes_total)
: >/tmp/lost
: >/tmp/watching
systemctl daemon-reload
has_within 10000 "$one_path/cpu.idle" 1
has_within 10000 "$three_path/memory.low" 67108864
explain=$(berthctl explain "${one_path#/sys/fs/cgroup/}" 2>&1)
contains explain 'CPUWeight=idle' "$explain"
echo "$explain" | sed 's/^/    | /'

echo "-- twenty of them"
writes=$(metric knob_writes_total)
turn=0
while [ $turn -lt 20 ]; do
	systemctl daemon-reload
	turn=$((turn + 1))
done
has_within 10000 "$one_path/cpu.idle" 1
has_within 10000 "$three_path/memory.low" 67108864
expect "times that cpu.idle was seen lost" 0 "$(wc -l </tmp/lost)"
rm /tmp/watching
say "foreign writes $foreign, then $(metric foreign_writes_total); writes $writes, then $(metric knob_writes_total)"
# Held by systemd, they are no reason to write; three rewrites a minute are what a knob may have.
more=$(($(metric knob_writes_total) - writes))
[ $more -le 20 ] && ok "Berth wrote $more times" || bad "Berth wrote $more times: it fights"

echo "-- somebody else sets the property"
foreign=$(metric foreign_writes_total)
systemctl set-property --runtime "$two" CPUWeight=50
has_within 10000 "$two_path/cpu.idle" 1
counted() { [ "$(metric foreign_writes_total)" -gt "$foreign" ]; }
within 10000 counted && ok "counted" || bad "not counted: $foreign"
contains explain 'somebody else wrote' "$(berthctl explain "${two_path#/sys/fs/cgroup/}" 2>&1)"
yielded() { berthctl knobs -w | grep "f213f62 *cpu.idle" | grep -q yielded; }
taken_back() { yielded || { has "$two_path/cpu.idle" 1 && property_is "$two" CPUWeight idle; }; }
turn=0 last=50
# Berth waits longer each time before it writes over: whoever insists comes when it has.
until yielded || [ $turn = 20 ]; do
	within 10000 taken_back
	last=$((60 + turn))
	systemctl set-property --runtime "$two" CPUWeight=$last
	turn=$((turn + 1))
done
yielded && ok "who insists wins, after $turn more times" || bad "never yields: $(berthctl knobs -w)"
within 10000 property_is "$two" CPUWeight $last && ok "CPUWeight=$last stands" ||
	bad "CPUWeight of $two: $(property "$two" CPUWeight)"
has_within 10000 "$two_path/cpu.weight" $last
writes=$(metric knob_writes_total)
systemctl daemon-reload
has_within 10000 "$two_path/cpu.weight" $last
expect "writes for that" "$writes" "$(metric knob_writes_total)"

echo "-- stop"
systemctl stop berthd && ok "stopped" || bad "stop: $(systemctl status --no-pager berthd)"
for moment in stop daemon-reload; do
	[ $moment = stop ] || systemctl daemon-reload
	for path in "$one_path" "$one_path/$one_scope"; do
		expect "cpu.idle after $moment" 0 "$(cat "$path/cpu.idle")"
		expect "cpu.weight after $moment" 3 "$(cat "$path/cpu.weight")"
	done
	expect "cpu.weight of the other after $moment" $last "$(cat "$two_path/cpu.weight")"
	expect "memory.low after $moment" 0 "$(cat "$three_path/memory.low")"
	expect "memory.low above it after $moment" 0 "$(cat $top/memory.low)"
	expect "CPUWeight after $moment" 3 "$(property "$one" CPUWeight)"
	expect "MemoryLow after $moment" 0 "$(property "$three" MemoryLow)"
done

echo "-- without properties: written again, for a while"
cat >/etc/berth/berth.d/10-pin.yaml <<END
systemd: {pin: false}
END
systemctl start berthd
has_within 10000 "$one_path/cpu.idle" 1
has_within 10000 "$three_path/memory.low" 67108864
foreign=$(metric foreign_writes_total)
systemctl daemon-reload
within 10000 counted && ok "noticed" || bad "not noticed: $foreign foreign writes"
has_within 10000 "$one_path/cpu.idle" 1
has_within 10000 "$three_path/memory.low" 67108864
expect "CPUWeight of systemd" 3 "$(property "$one" CPUWeight)"
writes=$(metric knob_writes_total)
yielded() { berthctl knobs -w | grep "f213f61 *cpu.idle" | grep -q yielded; }
# Each time when Berth has noticed the one before, and has written over it.
written_over() { yielded || has "$one_path/cpu.idle" 1; }
turn=0
until yielded || [ $turn = 20 ]; do
	foreign=$(metric foreign_writes_total)
	systemctl daemon-reload
	turn=$((turn + 1))
	within 10000 counted
	within 10000 written_over
done
yielded && ok "systemd insists, Berth gives way" || bad "never yields: $(berthctl knobs -w)"
# Of cpu.idle three more at most; memory.low, which its owner may lower for a reason, has 30 a minute.
more=$(($(metric knob_writes_total) - writes))
[ $more -le $((8 + 3 * turn)) ] && ok "Berth wrote $more times in $turn turns" || bad "Berth wrote $more times in $turn turns: it fights"
systemctl stop berthd && ok "stopped" || bad "stop: $(systemctl status --no-pager berthd)"
expect "cpu.idle" 0 "$(cat "$one_path/cpu.idle")"
expect "cpu.weight" 3 "$(cat "$one_path/cpu.weight")"
expect "memory.low" 0 "$(cat "$three_path/memory.low")"

echo "-- the kubelet, all the time"
rm /tmp/kubelet
wait $kubelet
expect "what it could not write, or saw" "" "$(sort /tmp/kubelet.errors | uniq -c | head -n 5)"
expect "warnings in the journal" "" "$(journal_problems)"
finish
