/* SPDX-License-Identifier: Apache-2.0 */
#include "source/machine/cmdline.h"

#include <ctype.h>
#include <string.h>

#include "macro.h"
#include "parse.h"

#define VCPUS_MAX 65535u

/* Cuts one argument off the front; NULL at the end. Its length is without the NUL. */
static const char *argument_next(const char **text, size_t *size, size_t *ret_length)
{
	const char *argument = *text;
	size_t length;

	if (*size == 0)
		return NULL;
	length = strnlen(argument, *size);
	*text += length;
	*size -= length;
	if (*size > 0) {
		*text += 1;
		*size -= 1;
	}
	*ret_length = length;
	return argument;
}

static bool span_is(const char *text, size_t length, const char *word)
{
	return length == strlen(word) && memcmp(text, word, length) == 0;
}

/* QEMU takes "-name" and "--name". */
static bool option_is(const char *text, size_t length, const char *name)
{
	size_t dashes = length > 1 && text[0] == '-' ? 1 + (size_t)(text[1] == '-') : 0;

	return dashes > 0 && span_is(text + dashes, length - dashes, name);
}

/* qemu-img, qemu-nbd, qemu-ga and the user mode emulators (qemu-x86_64) run no machine. */
static bool program_is_qemu(const char *text, size_t length)
{
	static const char system[] = "qemu-system-";
	const char *slash = memrchr(text, '/', length);

	if (slash) {
		length -= (size_t)(slash + 1 - text);
		text = slash + 1;
	}
	return span_is(text, length, "qemu-kvm") || span_is(text, length, "kvm") ||
	       span_is(text, length, "qemu") ||
	       (length > strlen(system) && memcmp(text, system, strlen(system)) == 0);
}

bool machine_comm_is_qemu(const char *comm)
{
	/* libvirt may name the process itself, with the driver in front ("-name process=qemu:x").
	 */
	return strncmp(comm, "qemu", 4) == 0 || strcmp(comm, "kvm") == 0;
}

struct option_value {
	char text[MACHINE_NAME_MAX];
	bool bad; /* too long or not printable */
};

/* One value from text[i], in which a comma is doubled; where it ends. ret may be NULL. */
static size_t value_read(const char *text, size_t length, size_t i, struct option_value *ret)
{
	struct option_value value = { .bad = false };
	size_t used = 0;

	for (; i < length; i++) {
		if (text[i] == ',' && (i + 1 == length || text[i + 1] != ','))
			break;
		i += text[i] == ',';
		value.bad |= used + 1 >= sizeof(value.text) || iscntrl((unsigned char)text[i]) != 0;
		if (!value.bad)
			value.text[used++] = text[i];
	}
	if (ret)
		*ret = value;
	return i;
}

/* Without "=" before its end it is the value of the first key. */
static bool value_is_bare(const char *text, size_t length)
{
	for (size_t i = 0; i < length && text[i] != ','; i++)
		if (text[i] == '=')
			return false;
	return true;
}

/* QemuOpts: "value,key=value,...", of which the first may lack its key. The last one wins. False:
 * the key is not there. */
static bool option_find(const char *text, size_t length, const char *key, struct option_value *ret)
{
	size_t key_length = strlen(key);
	bool found = false;

	for (size_t i = 0; i < length; i++) {
		bool named = length - i > key_length && memcmp(text + i, key, key_length) == 0 &&
			     text[i + key_length] == '=';
		bool wanted = named || (i == 0 && value_is_bare(text, length));

		i = value_read(text, length, named ? i + key_length + 1 : i, wanted ? ret : NULL);
		found |= wanted;
	}
	return found;
}

static void name_read(const char *text, size_t length, struct machine_cmdline *ret)
{
	struct option_value value = { .bad = false };

	if (!option_find(text, length, "guest", &value))
		return;
	/* A name that is cut would be another machine's. */
	if (value.bad)
		value.text[0] = '\0';
	memcpy(ret->name, value.text, strlen(value.text) + 1);
}

static void uuid_read(const char *text, size_t length, struct machine_cmdline *ret)
{
	char uuid[MACHINE_UUID_MAX];

	if (length != sizeof(uuid) - 1)
		return;
	for (size_t i = 0; i < length; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return;
		uuid[i] = (char)tolower((unsigned char)text[i]);
	}
	uuid[length] = '\0';
	memcpy(ret->uuid, uuid, sizeof(uuid));
}

static void smp_read(const char *text, size_t length, struct machine_cmdline *ret)
{
	struct option_value value = { .bad = false };
	uint64_t count;

	if (option_find(text, length, "cpus", &value) && !value.bad &&
	    parse_u64(value.text, &count) == 0 && count <= VCPUS_MAX)
		ret->vcpus = (unsigned int)count;
}

bool machine_cmdline_parse(const char *text, size_t size, struct machine_cmdline *ret)
{
	static const struct {
		const char *name;
		void (*read)(const char *text, size_t length, struct machine_cmdline *ret);
	} options[] = {
		{ "name", name_read },
		{ "uuid", uuid_read },
		{ "smp", smp_read },
		/* The guest kernel's own command line may hold anything. */
		{ "append", NULL },
	};
	size_t length = 0;
	const char *argument = argument_next(&text, &size, &length);

	if (!argument || !program_is_qemu(argument, length))
		return false;
	*ret = (struct machine_cmdline){ .vcpus = 0 };
	while ((argument = argument_next(&text, &size, &length))) {
		for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
			if (!option_is(argument, length, options[i].name))
				continue;
			argument = argument_next(&text, &size, &length);
			if (argument && options[i].read)
				options[i].read(argument, length, ret);
			break;
		}
		if (!argument)
			break;
	}
	return true;
}
