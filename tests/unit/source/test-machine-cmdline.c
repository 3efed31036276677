/* SPDX-License-Identifier: Apache-2.0 */
#include "berth-test.h"
#include "macro.h"
#include "source/machine/cmdline.h"

#define UUID "4dea22b3-1d52-4d8f-a2c1-5f6a7b8c9d0e"

/* A NUL is written as '|'. */
static bool parse(const char *line, struct machine_cmdline *ret)
{
	char text[1024];
	size_t size = strlen(line);

	assert_true(size < sizeof(text));
	for (size_t i = 0; i < size; i++)
		text[i] = line[i];
	for (size_t i = 0; i < size; i++)
		if (text[i] == '|')
			text[i] = '\0';
	return machine_cmdline_parse(text, size, ret);
}

static void test_machine_cmdline_parse_reads_name_uuid_and_vcpus(void **state)
{
	static const struct {
		const char *line, *name, *uuid;
		unsigned int vcpus;
	} rows[] = {
		{ "/usr/bin/qemu-system-x86_64|-name|guest=tcg1,debug-threads=on|-S|-smp|"
		  "2,sockets=2|-uuid|" UUID "|",
		  "tcg1", UUID, 2 },
		{ "/usr/libexec/qemu-kvm|-name|guest=default_vm,debug-threads=on|", "default_vm",
		  "", 0 },
		{ "kvm|-id|100|-name|web,debug-threads=on|-smp|4,sockets=1,cores=4,maxcpus=4|",
		  "web", "", 4 },
		{ "qemu-system-aarch64|--name|plain|--uuid|4DEA22B3-1D52-4D8F-A2C1-5F6A7B8C9D0E|",
		  "plain", UUID, 0 },
		{ "qemu-system-x86_64|-name|debug-threads=on,guest=behind|", "behind", "", 0 },
		{ "qemu-system-x86_64|-name|guest=a,,b,,,,c,process=p|", "a,b,,c", "", 0 },
		{ "qemu-system-x86_64|-name|guest=a=b|", "a=b", "", 0 },
		{ "qemu-system-x86_64|-name|process=x|", "", "", 0 },
		{ "qemu-system-x86_64|-name|xguest=no|", "", "", 0 },
		{ "qemu-system-x86_64|-name|first|-name|guest=last|", "last", "", 0 },
		{ "qemu-system-x86_64|-name|guest=one,guest=two|", "two", "", 0 },
		{ "qemu-system-x86_64|-smp|maxcpus=8,cpus=3|", "", "", 3 },
		{ "qemu-system-x86_64|-smp|99999999|", "", "", 0 },
		{ "qemu-system-x86_64|-smp|-1|-smp|x|", "", "", 0 },
		{ "qemu-system-x86_64|-name|caf\xc3\xa9 du nord|", "caf\xc3\xa9 du nord", "", 0 },
		/* The guest's kernel is told something; it is not ours. */
		{ "qemu-system-x86_64|-append|-name|-name|guest=true|", "true", "", 0 },
		{ "qemu-system-x86_64|-append|-uuid|" UUID "|", "", "", 0 },
		{ "qemu-system-x86_64|-smbios|type=1,uuid=" UUID "|", "", "", 0 },
		/* Cut short: by the end, without the last NUL, empty arguments. */
		{ "qemu-system-x86_64|-name", "", "", 0 },
		{ "qemu-system-x86_64|-name|", "", "", 0 },
		{ "qemu-system-x86_64|-name||", "", "", 0 },
		{ "qemu-system-x86_64|-name|guest=end", "end", "", 0 },
		{ "qemu-system-x86_64|-name|guest=|", "", "", 0 },
		{ "qemu-system-x86_64|-name|,|", "", "", 0 },
		{ "qemu-system-x86_64|-name|guest=a,|", "a", "", 0 },
		{ "qemu-system-x86_64||||-name|n|", "n", "", 0 },
		{ "qemu-system-x86_64|-uuid|4dea22b3|", "", "", 0 },
		{ "qemu-system-x86_64|-uuid|4dea22b3-1d52-4d8f-a2c1-5f6a7b8c9d0g|", "", "", 0 },
		{ "qemu-system-x86_64|-uuid|4dea22b301d52-4d8f-a2c1-5f6a7b8c9d0e|", "", "", 0 },
		/* Nothing of a terminal's. */
		{ "qemu-system-x86_64|-name|guest=a\033[2J|", "", "", 0 },
		{ "qemu-system-x86_64|-name|guest=a\nb|", "", "", 0 },
	};
	struct machine_cmdline cmdline;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!parse(rows[i].line, &cmdline))
			fail_msg("'%s' is not QEMU's", rows[i].line);
		if (strcmp(cmdline.name, rows[i].name) != 0 ||
		    strcmp(cmdline.uuid, rows[i].uuid) != 0 || cmdline.vcpus != rows[i].vcpus)
			fail_msg("'%s' gives '%s' '%s' %u", rows[i].line, cmdline.name,
				 cmdline.uuid, cmdline.vcpus);
	}
}

static void test_machine_cmdline_parse_of_others_is_none(void **state)
{
	static const char *const rows[] = {
		"",
		"|",
		"/usr/sbin/libvirtd|--listen|",
		"/usr/bin/qemu-img|convert|a|b|",
		"/usr/bin/qemu-nbd|-c|/dev/nbd0|",
		"qemu-ga|-name|guest=x|",
		"qemu-x86_64|/bin/true|",
		"qemu-system-|-name|x|",
		"/usr/bin/qemu-system-x86_64/|-name|x|",
		"bash|-c|qemu-system-x86_64 -name x|",
		"kvmtool|-name|x|",
	};
	struct machine_cmdline cmdline;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (parse(rows[i], &cmdline))
			fail_msg("'%s' is taken for QEMU", rows[i]);
}

static void test_machine_cmdline_parse_long_name_is_none(void **state)
{
	char text[512] = "qemu-system-x86_64|-name|guest=";
	struct machine_cmdline cmdline;
	size_t front = strlen(text);

	(void)state;
	memset(text + front, 'n', MACHINE_NAME_MAX - 1);
	assert_true(parse(text, &cmdline));
	assert_int_equal(strlen(cmdline.name), MACHINE_NAME_MAX - 1);
	memset(text + front, 'n', MACHINE_NAME_MAX);
	assert_true(parse(text, &cmdline));
	assert_string_equal(cmdline.name, "");
	/* And is no obstacle to another one. */
	strcat(text, "|-name|ok|");
	assert_true(parse(text, &cmdline));
	assert_string_equal(cmdline.name, "ok");
}

static void test_machine_comm_is_qemu_knows_what_kernels_cut(void **state)
{
	(void)state;
	assert_true(machine_comm_is_qemu("qemu-system-x86"));
	assert_true(machine_comm_is_qemu("qemu-kvm"));
	assert_true(machine_comm_is_qemu("kvm"));
	assert_true(machine_comm_is_qemu("qemu:web"));
	assert_false(machine_comm_is_qemu("kvm-nx-lpage-re"));
	assert_false(machine_comm_is_qemu("libvirtd"));
	assert_false(machine_comm_is_qemu(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machine_cmdline_parse_reads_name_uuid_and_vcpus),
		cmocka_unit_test(test_machine_cmdline_parse_of_others_is_none),
		cmocka_unit_test(test_machine_cmdline_parse_long_name_is_none),
		cmocka_unit_test(test_machine_comm_is_qemu_knows_what_kernels_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
