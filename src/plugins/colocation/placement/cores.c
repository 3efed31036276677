/* SPDX-License-Identifier: Apache-2.0 */
#include "placement/cores.h"

#include <string.h>

/* What is being given away. */
struct stock {
	const struct topology *topology;
	struct cpulist left;
	unsigned int keep;
};

/* Threads that whole cores of the list have on a node. */
static unsigned int node_left(const struct stock *stock, unsigned int node)
{
	unsigned int threads = 0;

	for (size_t i = 0; i < stock->topology->core_count; i++) {
		const struct topology_core *core = &stock->topology->cores[i];

		if (core->node == node && cpulist_is_within(&core->cpus, &stock->left))
			threads += core->threads;
	}
	return threads;
}

/* The node in which it fits and that has least left after; where it fits nowhere, the one that has
 * most. -1: nothing is left. */
static int node_choose(const struct stock *stock, unsigned int cpus)
{
	unsigned int best_left = 0;
	bool best_fits = false;
	int best = -1;

	for (unsigned int node = 0; node < stock->topology->nodes; node++) {
		unsigned int left = node_left(stock, node);
		bool fits = left >= cpus;

		if (left == 0 || (best_fits && !fits))
			continue;
		if (best < 0 || (fits && !best_fits) ||
		    (fits ? left < best_left : left > best_left)) {
			best = (int)node;
			best_left = left;
			best_fits = fits;
		}
	}
	return best;
}

/* The first core of the host, where interrupts and the kernel's own work are, is given last. */
static const struct topology_core *core_choose(const struct stock *stock, unsigned int node)
{
	const struct topology *topology = stock->topology;

	for (size_t i = 1; i <= topology->core_count; i++) {
		const struct topology_core *core = &topology->cores[i % topology->core_count];

		if (core->node == node && cpulist_is_within(&core->cpus, &stock->left))
			return core;
	}
	return NULL;
}

static bool stock_spares(const struct stock *stock, unsigned int threads)
{
	unsigned int left = cpulist_count(&stock->left);

	return left > threads && left - threads >= stock->keep;
}

static void stock_take(struct stock *stock, const struct topology_core *core, struct cpulist *given)
{
	cpulist_unite(given, &core->cpus);
	cpulist_subtract(&stock->left, &core->cpus);
}

/* Is what it had still whole cores, free, and as many as it asks for? */
static bool wish_keeps(const struct stock *stock, const struct cores_wish *wish)
{
	unsigned int threads = 0, smallest = UINT32_MAX;

	if (cpulist_is_empty(&wish->given) || !cpulist_is_within(&wish->given, &stock->left))
		return false;
	for (size_t i = 0; i < stock->topology->core_count; i++) {
		const struct topology_core *core = &stock->topology->cores[i];
		struct cpulist both = core->cpus;

		cpulist_intersect(&both, &wish->given);
		if (cpulist_is_empty(&both))
			continue;
		if (!cpulist_equals(&both, &core->cpus))
			return false;
		threads += core->threads;
		if (core->threads < smallest)
			smallest = core->threads;
	}
	/* One core less would do: it was resized. */
	return threads >= wish->cpus && threads - smallest < wish->cpus &&
	       stock_spares(stock, threads);
}

static void wish_give(struct stock *stock, struct cores_wish *wish)
{
	struct stock after = *stock;
	struct cpulist given = { 0 };
	unsigned int got = 0;
	int node = -1;

	while (got < wish->cpus) {
		const struct topology_core *core =
			node < 0 ? NULL : core_choose(&after, (unsigned int)node);

		/* A node is used up before the next one is begun. */
		if (!core) {
			node = node_choose(&after, wish->cpus - got);
			core = node < 0 ? NULL : core_choose(&after, (unsigned int)node);
		}
		if (!core || !stock_spares(&after, core->threads)) {
			wish->why_not = "the others would have too few CPUs left";
			return;
		}
		got += core->threads;
		stock_take(&after, core, &given);
	}
	*stock = after;
	wish->given = given;
	wish->why_not = NULL;
}

void cores_give(const struct topology *topology, const struct cpulist *taken, unsigned int keep,
		struct cores_wish *wishes, size_t count)
{
	struct stock stock = { .topology = topology, .left = topology->online, .keep = keep };

	cpulist_subtract(&stock.left, taken);
	for (size_t i = 0; i < count; i++) {
		struct cores_wish *wish = &wishes[i];

		wish->why_not = NULL;
		if (wish_keeps(&stock, wish)) {
			cpulist_subtract(&stock.left, &wish->given);
			continue;
		}
		memset(&wish->given, 0, sizeof(wish->given));
	}
	for (size_t i = 0; i < count; i++)
		if (cpulist_is_empty(&wishes[i].given))
			wish_give(&stock, &wishes[i]);
}
