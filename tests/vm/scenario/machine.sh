# title: real libvirt domains: told by systemd-machined, by the scope's name, and without systemd's help
# needs: berth libvirt
# timeout: 600
# cgroup: v2
# memory: 1024
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

uuid_1=43ab41e1-20cb-4eb1-87ad-825c44c8d31c
uuid_2=9bc803fc-9edc-497b-b8e9-548cc21c6b59

# It has no disk and stays in its firmware: that it is there is all that is wanted.
domain() { # NAME UUID
	cat >/tmp/"$1".xml <<END
<domain type='qemu'>
  <name>$1</name><uuid>$2</uuid><memory unit='MiB'>128</memory><vcpu>2</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices>
</domain>
END
	virsh -q create /tmp/"$1".xml
}

# The directory of the domain's machine, above libvirt's own parts of it.
machine_directory() { # NAME
	pid=$(cat /run/libvirt/qemu/"$1".pid)
	directory=$(sed -n 's/^0:://p' /proc/"$pid"/cgroup)
	directory=${directory%/emulator}
	echo "/sys/fs/cgroup${directory%/libvirt}"
}

record() {
	berthctl workloads -o json | tr -s ' \n\t' ' ' | sed 's/{ *"id":/\n&/g' |
		grep -F "\"name\": \"$1\""
}
is_vm() { record "$1" | grep -q '"kind": "vm"'; }
is_batch() { record "$1" | grep -q '"qos": "batch"'; }
tells() { berthctl explain "$1" 2>&1 | grep -q -- "$2"; } # NAME WORDS
is_gone() { ! record "$1" >/dev/null; }

# found NAME UUID: it is a workload, by its name and uuid, and its machine has the level's knob.
found() {
	begin=$(now_ms)
	within 60000 is_vm "$1" && ok "$1 is a workload after $(($(now_ms) - begin)) ms" ||
		bad "$1: $(berthctl workloads -w)"
	within 60000 is_batch "$1" && ok "its level is batch" || bad "its record: $(record "$1")"
	# What is not there yet is looked for again, each time after twice as long.
	has_within 60000 "$(machine_directory "$1")/cpu.idle" 1
	within 60000 tells "$1" "$2" && ok "explain $1 has '$2'" || bad "explain $1 lacks '$2'"
	berthctl explain "$1" 2>&1 | sed 's/^/    | /'
}

# gone NAME: after `virsh destroy`.
gone() {
	virsh -q destroy "$1"
	within 10000 is_gone "$1" && ok "destroyed: $1 is forgotten" || bad "still known: $(record "$1")"
}

systemd-sysusers && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/berth.conf
cat >/etc/berth/berth.yaml <<END
rules:
  - {match: {kind: vm, name: "batch-*"}, qos: batch}
END
systemctl daemon-reload
systemctl start berthd && ok "berthd runs" || bad "berthd: $(systemctl status --no-pager berthd)"
virsh -q version >/dev/null && ok "libvirt $(virsh --version) runs" || bad "no libvirt"

echo "-- systemd-machined"
domain batch-1 $uuid_1 && ok "batch-1 is created" || bad "virsh create"
found batch-1 $uuid_1
# Its scope is seen before the answers of the bus are there.
within 60000 tells batch-1 machined && ok "machined told" || bad "who told: $(berthctl explain batch-1)"
first=$(machine_directory batch-1)
case $first in
*/machine.slice/machine-qemu*) ok "its cgroup is $first" ;;
*) bad "its cgroup is $first" ;;
esac

echo "-- machined is gone: the scope's name tells"
systemctl stop berthd
expect "cpu.idle after stop" 0 "$(cat "$first/cpu.idle")"
systemctl mask --now --quiet systemd-machined
systemctl start berthd
found batch-1 $uuid_1
gone batch-1

echo "-- no machined at all: libvirt makes its own groups"
rm /usr/share/dbus-1/system-services/org.freedesktop.machine1.service
systemctl reload dbus
systemctl restart libvirtd
domain batch-2 $uuid_2 && ok "batch-2 is created" || bad "virsh create"
found batch-2 $uuid_2
second=$(machine_directory batch-2)
case $second in
*/machine/*) ok "its cgroup is $second" ;;
*) bad "its cgroup is $second" ;;
esac
systemctl stop berthd
expect "cpu.idle after stop" 0 "$(cat "$second/cpu.idle")"
systemctl start berthd
has_within 10000 "$second/cpu.idle" 1
gone batch-2
systemctl stop berthd && ok "stopped" || bad "stop"
expect "warnings in the journal" "" "$(journal_problems)"
finish
