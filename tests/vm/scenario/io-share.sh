# title: the benchmark `io` in the guest: ROUNDS MILLISECONDS, online and batch on one disk
# needs: berth load
# timeout: 900
# cgroup: v2
# kmods: configfs null_blk
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

rounds=${1:-1} milliseconds=${2:-4000}
top=berth.bench.io
io=/sys/fs/cgroup
# A disk whose speed is the guest's own clock's and no file's on the host: 16 requests at a time, 5 ms
# each (3,200 a second), as a network disk or a small array is. Data are not kept.
insmod /kmod/configfs.ko && insmod /kmod/null_blk.ko nr_devices=1 gb=1 queue_mode=2 submit_queues=1 hw_queue_depth=16 irqmode=2 completion_nsec=5000000 ||
	bad "no null_blk"
name=nullb0
disk=/dev/$name
group_make $top/online
group_make $top/batch
within 10000 test -b $disk || { bad "no disk"; finish; }

# The model of this disk, as a user would get it. Of what it says the disk is to be driven to 74 %:
# who comes then finds a free place. The latencies are three times what a request takes; the kernel's
# period is twice that, and without them half a second, in which it lets go of requests in heaps.
qos="rpct=95 rlat=15000 wpct=95 wlat=15000 min=74 max=74"
berthctl io-model --destructive --size 32Mi --time 2s $disk >/tmp/model 2>/tmp/model.err || bad "io-model: $(cat /tmp/model.err)"
model=$(sed -n "s/^ *- \"$name \\(.*\\)\"\$/\\1/p" /tmp/model)
say "model: $model"
[ -n "$model" ] || { bad "io-model printed no model"; finish; }

policy <<END
sources: {cgroups: {paths: ["$top/*"]}}
metrics: {listen: ""}
rules:
  - {match: {cgroup: "$top/online"}, qos: critical}
  - {match: {cgroup: "$top/batch"}, qos: batch}
plugins:
  colocation:
    cpu: {enabled: false}
    io: {cost: ["$name $model $qos"]}
END

# online: 160 small reads a second, a twentieth of what the disk can do, as before. batch: as many as 64 threads get.
online() { group_run $top/online berth-io $disk 4 4096 "$milliseconds" 25000 >/tmp/online; online_pid=$group_pid; }
# It begins before online does and ends after it: 64 threads that all begin at once are no steady state.
batch() { group_run $top/batch berth-io $disk 64 4096 $((milliseconds + 1000)) 0 >/tmp/batch; batch_pid=$group_pid; }
phase() { echo "PHASE $1 $2 $(cat "/tmp/$3" | tr -d '\n') $(cat "/tmp/$4" 2>/dev/null)"; }

round=0
while [ $round -lt "$rounds" ]; do
	: >/tmp/none
	online; wait "$online_pid"; phase $round alone online none
	batch; wait "$batch_pid"; phase $round solo batch none
	batch; sleep 0.5; online; wait "$online_pid"; wait "$batch_pid"; phase $round unmanaged online batch
	daemon_start || { bad "berthd does not answer"; show_log; finish; }
	within 10000 sh -c "grep -q 'enable=1' $io/io.cost.qos" || bad "io.cost is off: $(cat $io/io.cost.qos)"
	has_within 10000 $io/$top/batch/io.weight "default 10"
	batch; wait "$batch_pid"; phase $round berth-idle batch none
	batch; sleep 0.5; online; wait "$online_pid"; wait "$batch_pid"; phase $round berth online batch
	daemon_stop || bad "stop: status $?"
	round=$((round + 1))
done
finish
