# title: offline traffic is paced behind online traffic, and all of it is undone
# needs: berth load iproute
# timeout: 600
# kmods: ifb veth sch_fq sch_ingress cls_bpf sch_tbf
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

# busybox has applets of these names, which its shell prefers.
ip() { /usr/bin/ip "$@"; }
tc() { /usr/bin/tc "$@"; }

# This guest is the node. "up0" leads over a middle to the far end, at 16 Mbit/s; a pod has a
# namespace of its own and is routed.
#
#   pod:eth0 -- pod0 (node) up0 -- mid:m0 mid:m1 (16 Mbit/s) -- far:eth0 10.77.1.2
wire=2000000 water=1900000 low=100000 high=1800000
milliseconds=${1:-4000}
# As the benchmark `net`: bench ROUNDS MILLISECONDS
if [ "$1" = bench ]; then milliseconds=${3:-4000} low=66000; fi

for module in ifb veth sch_fq sch_ingress cls_bpf sch_tbf; do insmod /kmod/$module.ko || say "no $module"; done
mkdir -p /run/netns
for name in pod mid far; do ip netns add $name; ip -n $name link set lo up; done
ip link add up0 type veth peer name m0 netns mid
ip link add pod0 type veth peer name eth0 netns pod
ip -n mid link add m1 type veth peer name eth0 netns far
ip addr add 10.77.0.1/24 dev up0; ip addr add 10.78.0.1/24 dev pod0
ip -n mid addr add 10.77.0.2/24 dev m0; ip -n mid addr add 10.77.1.1/24 dev m1
ip -n far addr add 10.77.1.2/24 dev eth0; ip -n pod addr add 10.78.0.2/24 dev eth0
ip link set up0 up; ip link set pod0 up
ip -n mid link set m0 up; ip -n mid link set m1 up
ip -n far link set eth0 up; ip -n pod link set eth0 up
ip route add default via 10.77.0.2; ip -n far route add default via 10.77.1.1
ip -n pod route add default via 10.78.0.1; ip -n mid route add 10.78.0.0/24 via 10.77.0.1
echo 1 >/proc/sys/net/ipv4/ip_forward
nsenter --net=/run/netns/mid sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
tc -n mid qdisc add dev m1 root tbf rate $((wire * 8)) burst 32k limit 100k
nsenter --net=/run/netns/far berth-net serve 9 &
server=$!
within 10000 nsenter --net=/run/netns/pod berth-net send 10.77.1.2 9 udp 1000 1 >/dev/null || bad "no way to the far end"

# Groups, on v1 in the v2 hierarchy as well, where systemd has its units on a hybrid host.
unified=/sys/fs/cgroup
[ "$RUN_CGROUP" = v2 ] || unified=/sys/fs/cgroup/unified
for group in online batch; do
	group_make net/$group
	mkdir -p $unified/net/$group
done

# send GROUP NAMESPACE KIND RATE [MILLISECONDS]: its result in /tmp/GROUP, its pid in $sender
send() {
	length=${5:-$milliseconds}
	sh -c 'echo $$ >'"$unified/net/$1"'/cgroup.procs
		[ "'"$2"'" = node ] || exec nsenter --net=/run/netns/'"$2"' berth-net send 10.77.1.2 9 '"$3 $4 $length"'
		exec berth-net send 10.77.1.2 9 '"$3 $4 $length" >/tmp/"$1" &
	sender=$!
}
# rate GROUP: bytes a second
rate() { sed 's/[^0-9 ]//g' "/tmp/$1" | awk '{ printf "%d\n", $2 ? $1 * 1000 / $2 : 0 }'; }
# at_least WHAT RATE WANTED, at_most WHAT RATE WANTED
at_least() { if [ "$2" -ge "$3" ]; then ok "$1: $2 B/s, at least $3"; else bad "$1: $2 B/s, wanted at least $3"; fi; }
at_most() { if [ "$2" -le "$3" ]; then ok "$1: $2 B/s, at most $3"; else bad "$1: $2 B/s, wanted at most $3"; fi; }
alone() { send "$@"; wait $sender; } # GROUP NAMESPACE KIND RATE
# batch_within WHAT LEAST MOST ONLINE-LEAST COMMAND...: what the command sends. A guest that stood still
# meanwhile, as one does beside others, has sent less: what is too little is measured again, twice at
# most; what is too much is not, unless online sent too little, which leaves more to batch.
batch_within() {
	batch_what=$1 batch_least=$2 batch_most=$3 online_least=$4
	shift 4
	for batch_turn in 1 2 3; do
		"$@"
		say "$batch_what: online $(rate online), batch $(rate batch) B/s"
		[ "$(rate batch)" -ge "$batch_least" ] || continue
		[ "$online_least" = 0 ] || [ "$(rate online)" -ge "$online_least" ] || continue
		break
	done
	at_least "$batch_what" "$(rate batch)" "$batch_least"
	[ "$online_least" = 0 ] || at_least "$batch_what, online" "$(rate online)" "$online_least"
	at_most "$batch_what" "$(rate batch)" "$batch_most"
}
both() { # KIND and RATE of online; NAMESPACE and KIND of batch
	send batch "$3" "$4" 0; batch_pid=$sender
	usleep 300000
	send online node "$1" "$2"; online_pid=$sender
	wait "$online_pid" "$batch_pid"
}

settings() {
	policy <<END
sources: {cgroups: {paths: ["net/*"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "net/online"}, qos: critical}
  - {match: {cgroup: "net/batch"}, qos: batch}
plugins:
  colocation:
    cpu: {enabled: false}
    memory: {enabled: false}
    io: {enabled: false}
    network: {enabled: $1, $2 water_line: $water, low: $low, high: $high}
END
}
qdisc() { tc qdisc show dev up0 | tr '\n' ';'; }
is_paced() { tc qdisc show dev up0 | grep -q "qdisc fq be27: root" && tc filter show dev up0 egress | grep -q "bpf.*berth"; }
is_plain() { [ "$(qdisc)" = "$original" ]; }
original=$(qdisc)
say "before: $original"

if [ "$1" = bench ]; then
	say "wire $wire water $water low $low high $high"
	# The one that is measured runs inside the other's time.
	measure() { # GROUP, and the RATE of the other one
		if [ "$1" = online ]; then inner=online outer=batch; else inner=batch outer=online; fi
		send $outer "$([ $outer = batch ] && echo pod || echo node)" tcp "$2" $((milliseconds + 1500)); outer_pid=$sender
		usleep 500000
		send $inner "$([ $inner = batch ] && echo pod || echo node)" tcp 0; wait $sender
		wait $outer_pid
	}
	phase() { echo "PHASE $1 $(rate "$2")"; }
	round=0
	while [ $round -lt "${2:-1}" ]; do
		send online node tcp 0; wait $sender; phase alone online
		measure online 0; phase unmanaged online; phase unmanaged-batch batch
		settings true
		daemon_start || { bad "berthd does not answer"; show_log; finish; }
		within 10000 is_paced || bad "up0 is not paced: $(qdisc)"
		measure online 0; phase berth online; phase berth-batch batch
		measure batch 800000; phase part batch; phase part-online online
		send batch pod tcp 0; wait $sender; phase idle batch
		daemon_stop || bad "stop: status $?"
		round=$((round + 1))
	done
	kill $server
	finish
fi

# ---- without Berth
alone online node tcp 0; alone=$(rate online)
at_least "alone" "$alone" $((wire / 2))
both tcp 0 pod tcp
say "unmanaged: online $(rate online), batch $(rate batch) B/s"

# ---- with it
settings true
daemon_start || { bad "berthd does not answer"; show_log; finish; }
within 10000 is_paced || { bad "up0 is not paced: $(qdisc)"; berth explain 2>&1 | head -40; show_log; }
batch_within "batch beside a full line" $((low * 80 / 100)) $((wire * 30 / 100)) \
	$((alone * 90 / 100)) both tcp 0 pod tcp

left=$((water - 800000))
batch_within "batch beside 0.8 MB/s" $((left * 85 / 100)) $((left * 115 / 100)) 720000 \
	both tcp 800000 pod tcp
batch_within "batch on the host's network" $((left * 85 / 100)) $((left * 115 / 100)) 720000 \
	both tcp 800000 node tcp

most=$((high * 105 / 100))
batch_within "batch alone" $((high * 85 / 100)) $most 0 alone batch pod tcp 0
batch_within "batch by UDP" $((high * 80 / 100)) $most 0 alone batch pod udp 0
batch_within "batch by UDP without a connection, on the host's network" $((high * 80 / 100)) $most 0 \
	alone batch node udp-to 0
batch_within "batch by UDP without a connection" $((low * 80 / 100)) $most 0 alone batch pod udp-to 0

# A plan runs a second instance beside: it touches nothing and finds nothing to change.
text=$(berth plan 2>&1)
echo "$text" | grep -q "net\.\(qdisc\|egress\)" && bad "the plan of what runs: $text" || ok "the plan of what runs has no change"
is_paced && ok "still paced after it" || bad "after a plan: $(qdisc)"
text=$(berth explain net/batch 2>&1)
contains "explain of the batch group" "offline's line" "$text"
text=$(berth explain 2>&1; berth status 2>&1; berth knobs 2>&1)
say "$(echo "$text" | grep -i "net\." | head -4)"

# ---- and without again: reload, SIGKILL and restore, stop
settings false
berth reload || bad "reload: status $?"
within 10000 is_plain && ok "off at a reload" || bad "after a reload: $(qdisc), before: $original"
settings true
berth reload || bad "reload: status $?"
within 10000 is_paced && ok "on at a reload" || bad "not paced after a reload: $(qdisc)"
kill -KILL "$daemon_pid"; wait "$daemon_pid"
is_paced && ok "a killed daemon leaves it" || bad "after SIGKILL: $(qdisc)"
daemon_start || { bad "berthd does not start again"; show_log; finish; }
within 10000 is_paced && ok "taken over" || bad "not taken over: $(qdisc)"
batch_within "batch after the restart" $((high * 85 / 100)) $most 0 alone batch pod tcp 0
kill -KILL "$daemon_pid"; wait "$daemon_pid"
berthd --restore --runtime-dir $runtime >/tmp/restore 2>&1 || bad "restore: status $?: $(cat /tmp/restore)"
is_plain && ok "restored after SIGKILL" || bad "restored: $(qdisc), before: $original"
daemon_start || { bad "berthd does not start a third time"; show_log; finish; }
within 10000 is_paced && ok "and again" || bad "not paced: $(qdisc)"
daemon_stop || bad "stop: status $?"
is_plain && ok "plain after a stop" || bad "after a stop: $(qdisc), before: $original"

# ---- a device of four queues, which has an mq
ip link add four0 numtxqueues 4 type ifb; ip link set four0 up
four() { tc qdisc show dev four0 | awk '{ print $2, $3, $4, $5, $6 }' | tr '\n' ';'; }
four_is_paced() { [ "$(tc qdisc show dev four0 | grep -c "qdisc fq .* parent be27:[1-4]")" = 4 ]; }
four_is_plain() { [ "$(four)" = "$queues" ]; }
queues=$(four)
say "$queues"
settings true 'devices: ["four*"],'
daemon_start || { bad "berthd does not start for four queues"; show_log; finish; }
within 10000 four_is_paced && ok "four queues" || bad "four queues: $(four)"
expect "up0, which is not named" "$original" "$(qdisc)"
kill -KILL "$daemon_pid"; wait "$daemon_pid"
berthd --restore --runtime-dir $runtime >/tmp/restore 2>&1 || bad "restore: status $?: $(cat /tmp/restore)"
four_is_plain && ok "four queues are as they were" || bad "four queues: $(four), before: $queues"

# ---- killed between the mq and the last fq, and between the clsact and its filter
half_done() {
	tc qdisc del dev four0 root
	tc qdisc add dev four0 root handle be27: mq
	tc qdisc replace dev four0 parent be27:1 fq
	tc filter del dev four0 egress
}
four_leave_half_done() {
	daemon_start || { bad "berthd does not start to be killed"; show_log; finish; }
	within 10000 four_is_paced || bad "four queues: $(four)"
	within 10000 sh -c '/usr/bin/tc filter show dev four0 egress | grep -q "bpf.*berth"' || bad "no filter at four0"
	kill -KILL "$daemon_pid"; wait "$daemon_pid"
	half_done
}
four_leave_half_done
say "half done: $(four)"
berthd --restore --runtime-dir $runtime >/tmp/restore 2>&1 || bad "restore: status $?: $(cat /tmp/restore)"
four_is_plain && ok "what was half done is put back" || bad "half done: $(four), before: $queues"
four_leave_half_done
daemon_start || { bad "berthd does not start over what is half done"; show_log; finish; }
within 10000 four_is_paced && ok "what was half done is completed" || bad "half done: $(four)"
grep -q "somebody else wrote" $log && bad "half done is taken for another's: $(cat $log)"
daemon_stop || bad "stop: status $?"
four_is_plain && ok "and put back at the stop" || bad "half done: $(four), before: $queues"

# ---- somebody else's qdisc
settings true
tc qdisc add dev up0 root tbf rate 80mbit burst 32k limit 100k
other=$(qdisc)
daemon_start || { bad "berthd does not start beside another qdisc"; show_log; finish; }
within 20000 grep -q "is somebody's" $log && ok "the log tells of another's qdisc" || bad "the log lacks it: $(cat $log)"
expect "another's qdisc" "$other" "$(qdisc)"
daemon_stop || bad "stop: status $?"
kill $server
problems=$(log_problems | grep -v "is somebody's\|previous run")
[ -z "$problems" ] || bad "the log has problems: $problems"
finish
