/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/collect/stat-file.h"

#include <errno.h>
#include <string.h>

#include "macro.h"
#include "parse.h"
#include "psi.h"

const char *sample_part_name(unsigned int part)
{
	static const char *const names[SAMPLE_PARTS] = { "cpu",         "pressure",      "memory",
							 "memory.stat", "memory.events", "io" };

	for (unsigned int i = 0; i < SAMPLE_PARTS; i++)
		if (part & (1u << i))
			return names[i];
	return "";
}

static void value_set(const struct stat_reading *reading, const struct stat_key *key,
		      uint64_t number)
{
	if (key->unit == UNIT_NSEC)
		number /= NSEC_PER_USEC;
	else if (key->unit == UNIT_TICK &&
		 __builtin_mul_overflow(number, reading->tick_usec, &number))
		number = UINT64_MAX;
	/* What BPF's collector has estimated of these may be a little more. */
	if (key->value == SAMPLE_CPU_USER_USEC || key->value == SAMPLE_CPU_SYSTEM_USEC)
		target_raise(reading->target, key->value, number);
	else
		target_set(reading->target, key->value, number);
}

static int number_parse(const struct stat_file *file, const char *text,
			const struct stat_reading *reading)
{
	size_t length = strcspn(text, "\n");
	uint64_t number = 0;
	int r = parse_u64_span(text, length, &number);

	if (r < 0)
		return -EINVAL;
	value_set(reading, file->keys, number);
	return 0;
}

/* The kernel prints keys in the table's order, mostly: the one behind the last is tried first. */
static const struct stat_key *key_find(const struct stat_file *file, const char *word,
				       size_t length, size_t *next)
{
	for (size_t i = 0; i < file->count; i++) {
		size_t at = *next + i < file->count ? *next + i : *next + i - file->count;
		const struct stat_key *key = &file->keys[at];

		if (key->key[0] == word[0] && strncmp(key->key, word, length) == 0 &&
		    key->key[length] == '\0') {
			*next = at + 1 < file->count ? at + 1 : 0;
			return key;
		}
	}
	return NULL;
}

/* Lines of other keys are passed over: kernels add them. What has no line is not told, or not any
 * more: cpu.stat stays when the controller is taken from a group, without its quota. */
static int stat_parse(const struct stat_file *file, const char *text,
		      const struct stat_reading *reading)
{
	uint64_t missing = (UINT64_C(1) << file->count) - 1;
	size_t next = 0;
	int result = 0;

	while (*text) {
		size_t line = strcspn(text, "\n"), word = strcspn(text, " \n");
		const struct stat_key *key = word > 0 ? key_find(file, text, word, &next) : NULL;
		uint64_t number;

		if (key && word < line &&
		    parse_u64_span(text + word + 1, line - word - 1, &number) == 0)
			value_set(reading, key, number);
		else if (key)
			result = -EINVAL;
		if (key)
			missing &= ~(UINT64_C(1) << (key - file->keys));
		text += line;
		text += *text == '\n';
	}
	for (; missing; missing &= missing - 1) {
		enum sample_value value = file->keys[__builtin_ctzll(missing)].value;

		target_unset(reading->target, value, value);
	}
	return result;
}

static int pressure_parse(const struct stat_file *file, const char *text,
			  const struct stat_reading *reading)
{
	struct psi psi;
	int r = psi_parse(text, &psi);

	if (r < 0)
		return -EINVAL;
	for (size_t i = 0; i < file->count; i++) {
		const struct psi_line *line =
			strcmp(file->keys[i].key, "some") == 0 ? &psi.some : &psi.full;

		if (line->present)
			value_set(reading, &file->keys[i], line->total_usec);
	}
	return 0;
}

/* "259:0" at the start of a line; what follows, or NULL. */
static char *device_number(char *line, uint32_t *ret_major, uint32_t *ret_minor)
{
	size_t major = strspn(line, "0123456789"), minor;
	uint64_t numbers[2];

	if (line[major] != ':')
		return NULL;
	minor = strspn(line + major + 1, "0123456789");
	if (parse_u64_span(line, major, &numbers[0]) < 0 ||
	    parse_u64_span(line + major + 1, minor, &numbers[1]) < 0 || numbers[0] > UINT32_MAX ||
	    numbers[1] > UINT32_MAX)
		return NULL;
	*ret_major = (uint32_t)numbers[0];
	*ret_minor = (uint32_t)numbers[1];
	return line + major + 1 + minor;
}

/* "rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6", and more on some kernels. */
static int io_words_parse(char *words, struct sample_device *device)
{
	static const struct {
		const char *key;
		enum sample_io io;
	} keys[] = {
		{ "rbytes", IO_READ_BYTES },    { "wbytes", IO_WRITE_BYTES },
		{ "rios", IO_READS },           { "wios", IO_WRITES },
		{ "dbytes", IO_DISCARD_BYTES }, { "dios", IO_DISCARDS },
	};
	char *save = NULL;
	int result = 0;

	for (char *word = strtok_r(words, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
		char *equals = strchr(word, '=');

		if (!equals)
			continue;
		*equals = '\0';
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
			if (strcmp(keys[i].key, word) == 0 &&
			    parse_u64(equals + 1, &device->value[keys[i].io]) < 0)
				result = -EINVAL;
	}
	return result;
}

/* "Read 4096"; sums over all (Sync, Async, Total) are the same bytes again. */
static int blkio_words_parse(char *words, bool bytes, struct sample_device *device)
{
	static const struct {
		const char *name;
		enum sample_io bytes, count;
	} kinds[] = {
		{ "Read ", IO_READ_BYTES, IO_READS },
		{ "Write ", IO_WRITE_BYTES, IO_WRITES },
		{ "Discard ", IO_DISCARD_BYTES, IO_DISCARDS },
	};

	words += strspn(words, " ");
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		size_t length = strlen(kinds[i].name);
		enum sample_io io = bytes ? kinds[i].bytes : kinds[i].count;

		if (strncmp(words, kinds[i].name, length) == 0)
			return parse_u64(words + length, &device->value[io]) < 0 ? -EINVAL : 0;
	}
	return 0;
}

/* Kernel 5.15 begins no new line after a device that nothing was done on: "7:1 7:0 8:0 rbytes=1".
 * What follows the last number, or NULL. */
static char *device_last(char *line, uint32_t *ret_major, uint32_t *ret_minor)
{
	char *next = device_number(line, ret_major, ret_minor), *words = NULL;

	while (next) {
		words = next;
		next = device_number(words + strspn(words, " "), ret_major, ret_minor);
	}
	return words;
}

/* A device that nothing was done on takes no place. */
static void device_add(struct device_list *list, const struct sample_device *parsed)
{
	struct sample_device *device =
		sample_device_is_used(parsed) ? device_list_slot(list, parsed->major, parsed->minor)
					      : NULL;

	/* Files of v1 tell one half each. */
	for (unsigned int io = 0; device && io < SAMPLE_IO_MAX; io++)
		if (parsed->value[io] != 0)
			device->value[io] = parsed->value[io];
}

static int devices_parse(const struct stat_file *file, char *text, struct stat_reading *reading)
{
	char *save = NULL;
	int result = 0;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct sample_device parsed = { 0 };
		char *words = device_last(line, &parsed.major, &parsed.minor);
		int r;

		/* "Total 0" of v1; a device whose name the kernel does not know. */
		if (!words)
			continue;
		r = file->form == FORM_IO
			    ? io_words_parse(words, &parsed)
			    : blkio_words_parse(words, file->form == FORM_IO_BYTES, &parsed);
		if (r < 0)
			result = r;
		device_add(&reading->devices, &parsed);
	}
	reading->has_devices = true;
	return result;
}

int stat_file_parse(const struct stat_file *file, char *text, struct stat_reading *reading)
{
	switch (file->form) {
	case FORM_NUMBER:
		return number_parse(file, text, reading);
	case FORM_STAT:
		return stat_parse(file, text, reading);
	case FORM_PRESSURE:
		return pressure_parse(file, text, reading);
	case FORM_IO:
	case FORM_IO_BYTES:
	case FORM_IO_COUNT:
		return devices_parse(file, text, reading);
	}
	return -EINVAL;
}
