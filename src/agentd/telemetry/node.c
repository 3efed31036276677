/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/node.h"

#include <string.h>

#include "cleanup.h"
#include "file.h"
#include "macro.h"
#include "parse.h"

#define MEMINFO_TEXT 8192u
#define PSI_TEXT     512u

/* Documentation/filesystems/proc.rst, "/proc/stat": ticks. guest and guest_nice follow and are
 * already in user and nice. */
enum {
	STAT_USER,
	STAT_NICE,
	STAT_SYSTEM,
	STAT_IDLE,
	STAT_IOWAIT,
	STAT_IRQ,
	STAT_SOFTIRQ,
	STAT_STEAL,
	STAT_MAX
};

static int stat_parse(char *line, uint64_t clock_ticks, struct snapshot_node *node)
{
	uint64_t ticks[STAT_MAX] = { 0 }, total = 0, idle;
	char *save = NULL, *word;

	/* The line's name. */
	(void)strtok_r(line, " ", &save);
	for (unsigned int i = 0; i < STAT_MAX && (word = strtok_r(NULL, " ", &save)); i++) {
		int r = parse_u64(word, &ticks[i]);

		if (r < 0)
			return r;
		total += ticks[i];
	}
	idle = ticks[STAT_IDLE] + ticks[STAT_IOWAIT];
	node->cpu_total_usec = total * USEC_PER_SEC / clock_ticks;
	node->cpu_busy_usec = (total - idle) * USEC_PER_SEC / clock_ticks;
	return 0;
}

static int stat_read(int proc, uint64_t clock_ticks, struct snapshot_node *node)
{
	cleanup_free char *text = NULL;
	unsigned int cpus = 0;
	char *save = NULL;
	int r;

	r = file_read_all(proc, "stat", &text, NULL);
	if (r < 0)
		return r;
	for (char *line = strtok_r(text, "\n", &save); line && strncmp(line, "cpu", 3) == 0;
	     line = strtok_r(NULL, "\n", &save)) {
		if (line[3] != ' ') {
			cpus++;
			continue;
		}
		r = stat_parse(line, clock_ticks, node);
		if (r < 0)
			return r;
	}
	node->cpus = cpus;
	return 0;
}

/* "MemTotal:       16303948 kB" */
static int meminfo_parse(const char *text, const char *key, uint64_t *ret)
{
	const char *at = strstr(text, key);
	uint64_t kib;
	int r;

	if (!at)
		return -ENODATA;
	at += strlen(key);
	at += strspn(at, " ");
	r = parse_u64_span(at, strspn(at, "0123456789"), &kib);
	if (r < 0)
		return r;
	*ret = kib * 1024;
	return 0;
}

static int meminfo_read(int proc, struct snapshot_node *node)
{
	char text[MEMINFO_TEXT];
	uint64_t total, available;
	int r;

	r = file_read(proc, "meminfo", text, sizeof(text));
	if (r < 0)
		return r;
	r = meminfo_parse(text, "MemTotal:", &total);
	if (r < 0)
		return r;
	r = meminfo_parse(text, "MemAvailable:", &available);
	if (r < 0)
		return r;
	node->memory_total_bytes = total;
	node->memory_available_bytes = available;
	return 0;
}

static int pressure_read(int proc, const char *name, struct psi *psi)
{
	char text[PSI_TEXT];
	int r = file_read(proc, name, text, sizeof(text));

	return r < 0 ? r : psi_parse(text, psi);
}

unsigned int node_read(const struct sysroot *root, uint64_t clock_ticks, struct snapshot_node *node)
{
	const struct {
		const char *name;
		struct psi *psi;
	} pressures[] = {
		{ "pressure/cpu", &node->cpu },
		{ "pressure/memory", &node->memory },
		{ "pressure/io", &node->io },
	};
	unsigned int errors = 0;
	int r;

	if (root->proc < 0)
		return 0;
	r = stat_read(root->proc, clock_ticks, node);
	errors += r < 0 && r != -ENOENT;
	r = meminfo_read(root->proc, node);
	errors += r < 0 && r != -ENOENT;
	node->has_psi = true;
	for (size_t i = 0; i < ARRAY_SIZE(pressures); i++) {
		r = pressure_read(root->proc, pressures[i].name, pressures[i].psi);
		/* psi=0 on the command line: the file is there and refuses to be opened. */
		errors += r < 0 && r != -ENOENT && r != -EOPNOTSUPP;
		node->has_psi &= r >= 0;
	}
	return errors;
}
