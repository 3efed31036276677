/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "source/machine/scope.h"

static void test_machine_scope_parse_finds_the_machine(void **state)
{
	static const struct {
		const char *path, *machine, *domain;
		size_t length; /* 0: the whole path */
	} rows[] = {
		{ "machine.slice/machine-qemu\\x2d1\\x2dtcg1.scope", "qemu-1-tcg1", "tcg1", 0 },
		{ "machine.slice/machine-qemu\\x2d1\\x2dtcg1.scope/libvirt/emulator", "qemu-1-tcg1",
		  "tcg1", 45 },
		{ "machine.slice/machine-production.slice/machine-qemu\\x2d12\\x2da\\x2db.c.scope",
		  "qemu-12-a-b.c", "a-b.c", 0 },
		{ "machine.slice/machine-qemu\\x2d7\\x2d5.scope", "qemu-7-5", "5", 0 },
		{ "machine/qemu-1-web.libvirt-qemu", "qemu-1-web", "web", 0 },
		{ "machine/qemu-1-web.libvirt-qemu/vcpu0", "qemu-1-web", "web", 31 },
		{ "machine/old.libvirt-qemu", "old", "old", 0 },
		{ "machine/prod.partition/qemu-3-db.libvirt-qemu", "qemu-3-db", "db", 0 },
		{ "berth.test.1/machine/qemu-1-x.libvirt-qemu", "qemu-1-x", "x", 0 },
		{ "machine.slice/machine-qemu\\x2dalice\\x2d2\\x2ddesk.scope", "qemu-alice-2-desk",
		  "desk", 0 },
		{ "machine.slice/machine-qemu\\x2dembed\\x2d1a2b3c4d\\x2d1\\x2de.scope",
		  "qemu-embed-1a2b3c4d-1-e", "e", 0 },
	};
	struct machine_scope scope;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t length = rows[i].length ? rows[i].length : strlen(rows[i].path);

		if (!machine_scope_parse(rows[i].path, &scope))
			fail_msg("'%s' is not a machine", rows[i].path);
		assert_string_equal(scope.machine, rows[i].machine);
		assert_string_equal(scope.domain, rows[i].domain);
		assert_int_equal(scope.length, length);
	}
}

static void test_machine_scope_parse_of_others_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		"machine.slice",
		"machine",
		"machine.slice/libvirtd.service",
		/* Containers: of systemd-nspawn, and of libvirt's LXC driver. */
		"machine.slice/machine-debian.scope",
		"machine.slice/systemd-nspawn@debian.service",
		"machine.slice/machine-lxc\\x2d4\\x2dbox.scope",
		"machine/lxc-4-box.libvirt-lxc",
		"machine/.libvirt-qemu",
		"machine.slice/machine-.scope",
		"machine.slice/machine-qemu.scope",
		"machine.slice/machine-qemu\\x2d.scope",
		"machine.slice/machine-qemu\\x2d1\\x2d.scope",
		"machine.slice/machine-qemu\\x2dtcg1.scope",
		/* As no systemd escapes. */
		"machine.slice/machine-qemu-1-tcg1.scope",
		"machine.slice/machine-qemu\\x2.scope",
		"machine.slice/machine-qemu\\y2d1\\x2da.scope",
		"machine.slice/machine-qemu\\x2d1\\x2da\\.scope",
		"machine.slice/machine-qemu\\x2d1\\x2da\\xzz.scope",
		/* No name holds these. */
		"machine.slice/machine-qemu\\x2d1\\x2da\\x00b.scope",
		"machine.slice/machine-qemu\\x2d1\\x2da\\x0ab.scope",
		"machine.slice/machine-qemu\\x2d1\\x2da\\x1b[2J.scope",
		"kubepods.slice/kubepods-pod1.slice/cri-containerd-0.scope",
	};
	struct machine_scope scope;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (machine_scope_parse(rows[i], &scope))
			fail_msg("'%s' is '%s'", rows[i], scope.machine);
}

static void test_machine_scope_parse_name_too_long_is_none(void **state)
{
	char path[400] = "machine/qemu-1-";
	struct machine_scope scope;
	size_t front = strlen(path), room = MACHINE_NAME_MAX - 1 - strlen("qemu-1-");

	(void)state;
	memset(path + front, 'a', room);
	strcpy(path + front + room, ".libvirt-qemu");
	assert_true(machine_scope_parse(path, &scope));
	assert_int_equal(strlen(scope.domain), room);
	memset(path + front, 'a', room + 1);
	strcpy(path + front + room + 1, ".libvirt-qemu");
	assert_false(machine_scope_parse(path, &scope));
}

static void test_machine_name_domain_strips_what_libvirt_puts_in_front(void **state)
{
	static const struct {
		const char *machine, *domain;
	} rows[] = {
		{ "qemu-1-web", "web" },
		{ "qemu-1-2-3", "2-3" },
		{ "qemu-jo-ann-4-web", "web" },
		{ "qemu-1-", NULL },
		{ "qemu-1", NULL },
		{ "qemu-", NULL },
		{ "qemu", NULL },
		{ "", NULL },
		{ "web", NULL },
		{ "lxc-1-web", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *domain = machine_name_domain(rows[i].machine);

		if (rows[i].domain ? !domain || strcmp(domain, rows[i].domain) != 0
				   : domain != NULL)
			fail_msg("'%s' gives '%s'", rows[i].machine, domain ? domain : "(none)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine_scope_parse_finds_the_machine),
		cmocka_unit_test(test_machine_scope_parse_of_others_is_none),
		cmocka_unit_test(test_machine_scope_parse_name_too_long_is_none),
		cmocka_unit_test(test_machine_name_domain_strips_what_libvirt_puts_in_front),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
