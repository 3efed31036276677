/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table.c - plugins that say something wrong or unusual of themselves; TABLE_* chooses what.
 */
#include "berth-plugin.h"
#include "config/bind.h"

__attribute__((unused)) static int table_start(struct agent *agent, const void *config,
					       void **ret_self)
{
	(void)agent;
	(void)config;
	*ret_self = NULL;
	return 0;
}

static void table_stop(void *self)
{
	(void)self;
}

#ifdef TABLE_BAD_FIELDS
struct table_config {
	uint64_t inside, outside;
};

static const struct config_field table_fields[] = {
	FIELD_U64(struct table_config, "inside", inside, 0, 1, 0, "Fits."),
	FIELD_U64(struct table_config, "outside", outside, 0, 1, 0, "Does not."),
	FIELD_END,
};
#endif

#ifdef TABLE_BAD_ABI
#define TABLE_ABI (BERTH_PLUGIN_ABI + 1)
#else
#define TABLE_ABI BERTH_PLUGIN_ABI
#endif

#if defined(TABLE_BAD_SIZE_LARGE)
/* More than there is: the rest would be somebody else's memory. */
#define TABLE_SIZE (sizeof(struct berth_plugin) + 64)
#elif defined(TABLE_BAD_SIZE_SMALL)
#define TABLE_SIZE offsetof(struct berth_plugin, start)
#elif defined(TABLE_OLDER)
#define TABLE_SIZE offsetof(struct berth_plugin, capabilities)
#elif defined(TABLE_NEWER)
#define TABLE_SIZE sizeof(struct newer_plugin)
#else
#define TABLE_SIZE sizeof(struct berth_plugin)
#endif

#ifdef TABLE_NEWER
/* Built against a header with a field that this daemon has never heard of. */
struct newer_plugin {
	struct berth_plugin known;
	uint64_t tomorrow;
};

BERTH_PLUGIN_EXPORT const struct newer_plugin berth_plugin = {
	.known = { .abi = TABLE_ABI,
		   .size = TABLE_SIZE,
		   .name = TABLE_NAME,
		   .start = table_start,
		   .stop = table_stop },
	.tomorrow = UINT64_MAX,
};
#else
#ifdef TABLE_BAD_SYMBOL
#define TABLE_SYMBOL another_plugin
#else
#define TABLE_SYMBOL berth_plugin
#endif

BERTH_PLUGIN_EXPORT const struct berth_plugin TABLE_SYMBOL = {
	.abi = TABLE_ABI,
	.size = TABLE_SIZE,
#ifdef TABLE_BAD_NAME
	.name = "somebody",
#else
	.name = TABLE_NAME,
#endif
#ifdef TABLE_BAD_NEEDS
	.needs = UINT64_C(1) << 63,
#endif
#ifdef TABLE_BAD_FIELDS
	.fields = table_fields,
	.config_size = sizeof(uint64_t),
#endif
#ifndef TABLE_BAD_START
	.start = table_start,
#endif
	.stop = table_stop,
#ifdef TABLE_OLDER
	/* Beyond `size`: not to be read. */
	.capabilities = table_stop,
#endif
};
#endif
