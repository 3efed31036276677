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

/* Time that is told goes only forward; a step back of the kernel's is none. How far it went. */
static uint64_t time_advance(uint64_t *seen, uint64_t now)
{
	uint64_t before = *seen;

	*seen = now;
	return now > before ? now - before : 0;
}

/* Idle time goes back where a CPU is taken away, and iowait of itself (proc.rst). */
static int stat_parse(char *line, uint64_t clock_ticks, struct snapshot_node *node)
{
	uint64_t ticks[STAT_MAX] = { 0 }, total = 0, idle, busy_grown;
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
	busy_grown =
		time_advance(&node->seen_busy_usec, (total - idle) * USEC_PER_SEC / clock_ticks);
	node->cpu_busy_usec += busy_grown;
	node->cpu_total_usec +=
		busy_grown + time_advance(&node->seen_idle_usec, idle * USEC_PER_SEC / clock_ticks);
	return 0;
}

static int stat_read(int root, uint64_t clock_ticks, struct snapshot_node *node)
{
	cleanup_free char *text = NULL;
	unsigned int cpus = 0;
	char *save = NULL;
	int r;

	r = file_read_all(root, "proc/stat", &text, NULL);
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

static int meminfo_read(int root, struct snapshot_node *node)
{
	char text[MEMINFO_TEXT];
	uint64_t total, available;
	int r;

	r = file_read(root, "proc/meminfo", text, sizeof(text));
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
	/* A kernel without swap has no lines of it. */
	if (meminfo_parse(text, "MemFree:", &node->memory_free_bytes) < 0)
		node->memory_free_bytes = 0;
	if (meminfo_parse(text, "SwapTotal:", &node->swap_total_bytes) < 0 ||
	    meminfo_parse(text, "SwapFree:", &node->swap_free_bytes) < 0)
		node->swap_total_bytes = node->swap_free_bytes = 0;
	return 0;
}

static int pressure_read(int root, const char *name, struct psi *psi)
{
	char text[PSI_TEXT];
	int r = file_read(root, name, text, sizeof(text));

	return r < 0 ? r : psi_parse(text, psi);
}

unsigned int node_read(const struct sysroot *root, uint64_t clock_ticks, struct snapshot_node *node)
{
	const struct {
		const char *name;
		struct psi *psi;
	} pressures[] = {
		{ "proc/pressure/cpu", &node->cpu },
		{ "proc/pressure/memory", &node->memory },
		{ "proc/pressure/io", &node->io },
	};
	unsigned int errors = 0;
	int r;

	if (root->root < 0)
		return 0;
	r = stat_read(root->root, clock_ticks, node);
	errors += r < 0 && r != -ENOENT;
	r = meminfo_read(root->root, node);
	errors += r < 0 && r != -ENOENT;
	node->has_psi = true;
	for (size_t i = 0; i < ARRAY_SIZE(pressures); i++) {
		r = pressure_read(root->root, pressures[i].name, pressures[i].psi);
		/* psi=0 on the command line: the file is there and refuses to be opened. */
		errors += r < 0 && r != -ENOENT && r != -EOPNOTSUPP;
		node->has_psi &= r >= 0;
	}
	return errors;
}
