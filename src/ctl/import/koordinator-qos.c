/* SPDX-License-Identifier: Apache-2.0 */
/* koordinator-qos.c - resource-qos-config. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "import/koordinator.h"
#include "macro.h"

#define COLOCATION "plugins.colocation."

#define ROW(from, kind, min, max, remark)                                                \
	{                                                                                \
		from, kind, min, max, IMPORT_NONE, NULL, NULL, IMPORT_AS_IT_IS, (remark) \
	}
#define ANOLIS(from) \
	ROW(from, IMPORT_ANY, 0, 0, "no equal: Anolis' kernel; Berth reclaims by pressure instead")
#define CLASS(name)                                                                                \
	ROW(name ".cpuQOS.enable", IMPORT_BOOL, 0, 1, NULL),                                       \
		ROW(name ".cpuQOS.groupIdentity", IMPORT_INT, -1, 2,                               \
		    "no equal: what is written goes by the level (docs/annotations.md)"),          \
		ROW(name ".cpuQOS.schedIdle", IMPORT_INT, 0, 1,                                    \
		    "no equal: what is written goes by the level (docs/annotations.md)"),          \
		ROW(name ".cpuQOS.coreExpeller", IMPORT_BOOL, 0, 1, NULL),                         \
		ROW(name ".memoryQOS.enable", IMPORT_BOOL, 0, 1, NULL),                            \
		ROW(name ".memoryQOS.minLimitPercent", IMPORT_INT, 0, 100, NULL),                  \
		ROW(name ".memoryQOS.lowLimitPercent", IMPORT_INT, 0, 100, NULL),                  \
		ROW(name ".memoryQOS.throttlingPercent", IMPORT_INT, 0, 100,                       \
		    "no equal: memory.high goes by what the node has left (shares)"),              \
		ANOLIS(name ".memoryQOS.wmarkRatio"), ANOLIS(name ".memoryQOS.wmarkScalePermill"), \
		ANOLIS(name ".memoryQOS.wmarkMinAdj"),                                             \
		ANOLIS(name ".memoryQOS.pageCacheLimitEnable"),                                    \
		ANOLIS(name ".memoryQOS.pageCacheLimitSync"),                                      \
		ANOLIS(name ".memoryQOS.pageCacheLimitSize"),                                      \
		ROW(name ".memoryQOS.priorityEnable", IMPORT_INT, 0, 1,                            \
		    "no equal: who is killed first goes by the level"),                            \
		ROW(name ".memoryQOS.priority", IMPORT_INT, 0, 12,                                 \
		    "no equal: who is killed first goes by the level"),                            \
		ROW(name ".memoryQOS.oomKillGroup", IMPORT_INT, 0, 1,                              \
		    "no equal: what an OOM kill takes with it is left as it is"),                  \
		ROW(name ".blkioQOS.enable", IMPORT_BOOL, 0, 1, NULL),                             \
		ROW(name ".blkioQOS.blocks", IMPORT_ANY, 0, 0, NULL),                              \
		ROW(name ".resctrlQOS.enable", IMPORT_BOOL, 0, 1, NULL),                           \
		ROW(name ".resctrlQOS.catRangeStartPercent", IMPORT_INT, 0, 100, NULL),            \
		ROW(name ".resctrlQOS.catRangeEndPercent", IMPORT_INT, 0, 100, NULL),              \
		ROW(name ".resctrlQOS.mbaPercent", IMPORT_INT, 0, 100, NULL),                      \
		ROW(name ".networkQOS", IMPORT_ANY, 0, 0,                                          \
		    "no equal by class: see plugins.colocation.network")

const struct import_field koordinator_qos_fields[] = {
	ROW("policies.cpuPolicy", IMPORT_TEXT, 0, 0,
	    "no equal: cpu.way is auto and takes the best that the kernel has"),
	ROW("policies.netQOSPolicy", IMPORT_TEXT, 0, 0, "no equal: see plugins.colocation.network"),
	CLASS("lsrClass"),
	CLASS("lsClass"),
	CLASS("beClass"),
	CLASS("systemClass"),
	CLASS("cgroupRoot"),
	{ NULL },
};

static const struct import_field block_fields[] = {
	ROW("name", IMPORT_TEXT, 0, 0, NULL),
	ROW("type", IMPORT_TEXT, 0, 0, NULL),
	ROW("ioCfg.readIOPS", IMPORT_INT, 0, INT64_MAX, NULL),
	ROW("ioCfg.writeIOPS", IMPORT_INT, 0, INT64_MAX, NULL),
	ROW("ioCfg.readBPS", IMPORT_INT, 0, INT64_MAX, NULL),
	ROW("ioCfg.writeBPS", IMPORT_INT, 0, INT64_MAX, NULL),
	ROW("ioCfg.ioWeightPercent", IMPORT_INT, 1, 100,
	    "no equal: weights go by the level (docs/io.md)"),
	ROW("ioCfg.enableUserModel", IMPORT_BOOL, 0, 1, NULL),
	ROW("ioCfg.modelReadBPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.modelWriteBPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.modelReadSeqIOPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.modelWriteSeqIOPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.modelReadRandIOPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.modelWriteRandIOPS", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.readLatency", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.writeLatency", IMPORT_INT, 1, INT64_MAX, NULL),
	ROW("ioCfg.readLatencyPercent", IMPORT_INT, 0, 100, NULL),
	ROW("ioCfg.writeLatencyPercent", IMPORT_INT, 0, 100, NULL),
	{ NULL },
};

/* What Berth calls a number of a block, in the order of an item. */
struct block_word {
	const char *from, *to;
};
static const struct block_word limit_words[] = {
	{ "ioCfg.readBPS", "read_bps" },
	{ "ioCfg.writeBPS", "write_bps" },
	{ "ioCfg.readIOPS", "read_iops" },
	{ "ioCfg.writeIOPS", "write_iops" },
};
static const struct block_word model_words[] = {
	{ "ioCfg.modelReadBPS", "rbps" },           { "ioCfg.modelReadSeqIOPS", "rseqiops" },
	{ "ioCfg.modelReadRandIOPS", "rrandiops" }, { "ioCfg.modelWriteBPS", "wbps" },
	{ "ioCfg.modelWriteSeqIOPS", "wseqiops" },  { "ioCfg.modelWriteRandIOPS", "wrandiops" },
};
static const struct block_word quality_words[] = {
	{ "ioCfg.readLatencyPercent", "rpct" },
	{ "ioCfg.readLatency", "rlat" },
	{ "ioCfg.writeLatencyPercent", "wpct" },
	{ "ioCfg.writeLatency", "wlat" },
};

static unsigned int words_add(const struct import_section *block, const struct block_word *words,
			      size_t count, struct strbuf *item)
{
	unsigned int added = 0;

	for (size_t i = 0; i < count; i++) {
		int64_t value = import_int(block, words[i].from, 0);

		if (value > 0) {
			strbuf_addf(item, " %s=%" PRId64, words[i].to, value);
			added++;
		}
	}
	return added;
}

/* One disk of a class: limits of beClass, the model of cgroupRoot. */
static int block_bind(const struct import_section *block, bool is_root)
{
	const char *const at = is_root ? COLOCATION "io.cost" : COLOCATION "io.limits.batch";
	struct strbuf item cleanup_strbuf = {};
	json_t *name = import_value(block, "name"), *type = import_value(block, "type");
	const char *disk = name ? json_string_value(name) : "";
	int r = import_check(block, block_fields);

	if (r < 0)
		return r;
	disk += strncmp(disk, "/dev/", 5) == 0 ? 5 : 0;
	if ((type && strcmp(json_string_value(type), "device") != 0) || !*disk ||
	    strspn(disk, "abcdefghijklmnopqrstuvwxyz0123456789-_!") != strlen(disk)) {
		if (!block->is_silent)
			import_remark(block->import, block->document, block->path, block->policy,
				      at, "left out: Berth knows disks by name, such as /dev/sdb");
		return 0;
	}
	strbuf_add(&item, disk);
	if (!is_root && words_add(block, limit_words, ARRAY_SIZE(limit_words), &item))
		import_policy_item(block->import, block->policy, at, strbuf_text(&item));
	if (!is_root || !import_flag(block, "ioCfg.enableUserModel", false))
		return 0;
	if (words_add(block, model_words, ARRAY_SIZE(model_words), &item) !=
	    ARRAY_SIZE(model_words))
		return import_error(
			block->import, block->document, block->path,
			"ioCfg: a model has all six of model{Read,Write}{BPS,SeqIOPS,RandIOPS}");
	(void)words_add(block, quality_words, ARRAY_SIZE(quality_words), &item);
	import_policy_item(block->import, block->policy, at, strbuf_text(&item));
	return 0;
}

static int blocks_bind(const struct import_section *section, const char *class, bool is_root)
{
	struct import_section block = *section;
	char key[96], path[160];
	json_t *blocks, *item;
	size_t i;
	int result = 0;

	(void)snprintf(key, sizeof(key), "%s.blkioQOS.enable", class);
	if (!import_flag(section, key, false))
		return 0;
	(void)snprintf(key, sizeof(key), "%s.blkioQOS.blocks", class);
	blocks = import_value(section, key);
	json_array_foreach(blocks, i, item)
	{
		int r;

		(void)snprintf(path, sizeof(path), "%.40s.%s[%zu]", section->path, key, i);
		block.path = path;
		block.object = item;
		r = block_bind(&block, is_root);
		result = MIN(result, r);
	}
	return result;
}

static const char *const classes[] = { "lsrClass", "lsClass", "beClass", "systemClass",
				       "cgroupRoot" };

/* Is "CLASS.key" true for any of the first `count` classes? */
static bool any_flag(const struct import_section *section, const char *key, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char path[96];

		(void)snprintf(path, sizeof(path), "%s.%s", classes[i], key);
		if (import_flag(section, path, false))
			return true;
	}
	return false;
}

/* The largest of online pods. */
static int64_t online_percent(const struct import_section *section, const char *key)
{
	int64_t most = 0;

	for (size_t i = 0; i < 2; i++) {
		char path[96];
		int64_t value;

		(void)snprintf(path, sizeof(path), "%s.memoryQOS.%s", classes[i], key);
		value = import_int(section, path, 0);
		most = MAX(most, value);
	}
	return most;
}

static void memory_apply(const struct import_section *section)
{
	int64_t min = online_percent(section, "minLimitPercent");
	int64_t low = online_percent(section, "lowLimitPercent");

	import_policy_set(section->import, section->policy, COLOCATION "memory.enabled",
			  "memoryQOS.enable", "%s",
			  any_flag(section, "memoryQOS.enable", ARRAY_SIZE(classes)) ? "true"
										     : "false");
	import_policy_set(section->import, section->policy, COLOCATION "memory.protect",
			  "memoryQOS.minLimitPercent, lowLimitPercent", "%s",
			  min > 0   ? "min"
			  : low > 0 ? "low"
				    : "off");
	if (!section->is_silent && ((min > 0 && min < 100) || (low > 0 && low < 100)))
		import_remark(section->import, section->document, section->path, section->policy,
			      COLOCATION "memory.protect",
			      "minLimitPercent, lowLimitPercent: Berth protects all of what is "
			      "requested, 100 %%");
}

/* Classes are in order, low to high: those above the one that is meant may not be narrower. */
static void classes_set(const struct import_section *section, const char *key, int64_t percent,
			const char *from)
{
	static const char *const names[] = { "low", "middle", "high" };
	static const int64_t defaults[] = { 1, 30, 50 };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[96];
		int64_t share = MAX(percent, defaults[i]);

		(void)snprintf(path, sizeof(path), COLOCATION "cache.%s.%s", key, names[i]);
		import_policy_set(section->import, section->policy, path, i == 0 ? from : NULL,
				  "%" PRId64, share);
	}
}

static void cache_apply(const struct import_section *section)
{
	bool enabled = any_flag(section, "resctrlQOS.enable", 3);
	int64_t start = import_int(section, "beClass.resctrlQOS.catRangeStartPercent", 0);
	int64_t end = import_int(section, "beClass.resctrlQOS.catRangeEndPercent", 30);
	int64_t bandwidth = import_int(section, "beClass.resctrlQOS.mbaPercent", 100);

	import_policy_set(section->import, section->policy, COLOCATION "cache.enabled",
			  "resctrlQOS.enable", "%s", enabled ? "true" : "false");
	if (!enabled)
		return;
	import_policy_set(section->import, section->policy, COLOCATION "cache.batch",
			  "beClass.resctrlQOS", "low");
	import_policy_set(section->import, section->policy, COLOCATION "cache.scavenger",
			  "beClass.resctrlQOS", "low");
	classes_set(section, "l3_percent", end - start, "beClass.resctrlQOS.catRange...Percent");
	classes_set(section, "mb_percent", bandwidth, "beClass.resctrlQOS.mbaPercent");
}

int koordinator_qos_apply(const struct import_section *section)
{
	bool limits = import_flag(section, "beClass.blkioQOS.enable", false);
	bool model = import_flag(section, "cgroupRoot.blkioQOS.enable", false);
	int offline, root;

	import_policy_set(
		section->import, section->policy, COLOCATION "cpu.enabled", "cpuQOS.enable", "%s",
		any_flag(section, "cpuQOS.enable", ARRAY_SIZE(classes)) ? "true" : "false");
	import_policy_set(section->import, section->policy, COLOCATION "cpu.smt_protect",
			  "cpuQOS.coreExpeller", "%s",
			  any_flag(section, "cpuQOS.coreExpeller", 2) ? "core_sched" : "off");
	memory_apply(section);
	import_policy_set(section->import, section->policy, COLOCATION "io.enabled",
			  "blkioQOS.enable", "%s", limits || model ? "true" : "false");
	offline = blocks_bind(section, "beClass", false);
	root = blocks_bind(section, "cgroupRoot", true);
	cache_apply(section);
	return MIN(offline, root);
}
