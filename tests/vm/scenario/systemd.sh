# title: real systemd: enable, units as workloads, reload, daemon-reload, SIGKILL, bad policy, stop
# needs: berth systemd
# timeout: 600
# cgroup: v2
# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
. /berth/scenario/lib.sh

slice=/sys/fs/cgroup/system.slice
policy=/etc/berth/berth.yaml

write_policy() {
	cat >$policy.new <<END
metrics: {listen: "127.0.0.1:9824"}
sources: {units: {slices: ["batch-*.service"]}}
rules:
  - {match: {kind: unit, name: "batch-*"}, qos: $1}
END
	mv $policy.new $policy
}
idle_is() { [ "$(cat $slice/batch-1.service/cpu.idle 2>/dev/null)" = "$1" ]; }
active() { systemctl is-active --quiet "$1"; }

systemd-sysusers && systemd-tmpfiles --create /usr/local/lib/tmpfiles.d/berth.conf &&
	ok "sysusers and tmpfiles" || bad "sysusers or tmpfiles"
contains "/etc/group" '^berth:' "$(cat /etc/group)"
write_policy batch
systemctl daemon-reload
# CPUWeight= makes systemd enable the cpu controller for the slice, as any tuned host has it.
systemd-run --quiet --unit=batch-1.service -p CPUWeight=77 sleep 100000
systemctl enable --now --quiet berthd && ok "systemctl enable --now berthd" ||
	bad "enable --now: $(systemctl status --no-pager berthd)"
active berthd && ok "active: READY came over the notify socket" || bad "not active"
contains "StatusText" "workloads" "$(systemctl show -p StatusText berthd)"
within 10000 idle_is 1 && ok "a unit is a workload: cpu.idle of batch-1.service is 1" ||
	bad "cpu.idle: $(cat $slice/batch-1.service/cpu.idle) $(berthctl status)"
contains "explain" "units" "$(berthctl explain batch-1.service)"
contains "control.sock" "root berth" "$(busybox stat -c '%U %G' /run/berth/control.sock)"

systemd-run --quiet --unit=batch-2.service -p CPUWeight=50 sleep 100000
two_is_idle() { [ "$(cat $slice/batch-2.service/cpu.idle)" = 1 ]; }
within 10000 two_is_idle && ok "a unit that starts later" || bad "batch-2: $(berthctl workloads)"
systemctl stop batch-2.service
two_gone() { ! berthctl workloads -w | grep -q batch-2; }
within 10000 two_gone && ok "a unit that stops is forgotten" || bad "still there: $(berthctl workloads)"

# systemd writes cpu.weight of its units again and with it cpu.idle; Berth notices and corrects.
systemctl daemon-reload
within 10000 idle_is 1 && ok "cpu.idle is 1 after daemon-reload" || bad "daemon-reload undid it"

write_policy normal
systemctl reload berthd && ok "systemctl reload" || bad "systemctl reload: $?"
# systemd, told of cpu.idle just before, may write it once more; then it is put back.
as_before() { idle_is 0 && [ "$(cat $slice/batch-1.service/cpu.weight)" = 77 ]; }
within 10000 as_before && ok "it applies the policy, and the weight is as before" ||
	bad "reload: cpu.idle $(cat $slice/batch-1.service/cpu.idle)," \
		"weight $(cat $slice/batch-1.service/cpu.weight): $(berthctl history)"
write_policy batch
within 10000 idle_is 1 && ok "a changed file is applied by itself" || bad "file change"

pid=$(systemctl show -p MainPID --value berthd)
systemctl kill -s SIGKILL berthd
# While systemd does not know yet that it ended, and when it has no process, it is not another one.
restarted() {
	now=$(systemctl show -p MainPID --value berthd)
	[ "${now:-0}" != 0 ] && [ "$now" != "$pid" ] && active berthd
}
within 60000 restarted && ok "restarted after SIGKILL" || bad "not restarted"
within 10000 idle_is 1 && ok "and the knob is still claimed" || bad "lost after the restart"

echo "rulez: []" >/etc/berth/berth.d/99-bad.yaml
systemctl reload berthd 2>/dev/null && bad "reload of a bad policy" || ok "reload of a bad policy fails"
idle_is 1 && active berthd && ok "and changes nothing" || bad "a bad policy changed something"
systemctl kill -s SIGKILL berthd
restored() { idle_is 0 && ! active berthd; }
within 60000 restored && ok "a policy that is not valid: not restarted, and put back by berth-restore" ||
	bad "cpu.idle $(cat $slice/batch-1.service/cpu.idle): $(systemctl status --no-pager berthd berth-restore)"
contains "the exit status" "78" "$(systemctl show -p ExecMainStatus berthd)"
# journal_tells WORDS [OPTION...]: journald may be late.
journal_tells() {
	journal_words=$1
	shift
	journalctl --no-pager -u berthd "$@" | grep -q -- "$journal_words"
}
within 10000 journal_tells "99-bad.yaml:1:1: rulez" && ok "the journal has the error" ||
	bad "the journal: $(journalctl --no-pager -u berthd)"
rm /etc/berth/berth.d/99-bad.yaml

systemctl reset-failed berthd
systemctl start berthd
within 10000 idle_is 1 && ok "started again" || bad "not started again"
within 10000 journal_tells BERTH_PLUGIN -o json && ok "the journal has fields" || bad "no field BERTH_PLUGIN"
systemctl stop berthd && ok "stopped" || bad "stop"
expect "cpu.idle after stop" 0 "$(cat $slice/batch-1.service/cpu.idle)"
expect "the weight after stop" 77 "$(cat $slice/batch-1.service/cpu.weight)"
finish
