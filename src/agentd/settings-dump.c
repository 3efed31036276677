/* SPDX-License-Identifier: Apache-2.0 */
#include "settings-dump.h"

#include "limit.h"
#include "settings.h"

static void settings_dump_fields(FILE *out, const char *prefix, const struct config_field *fields)
{
	for (const struct config_field *field = fields; field->type != CONFIG_END; field++) {
		char type[256], fallback[256];

		config_field_type(field, type, sizeof(type));
		config_field_default(field, fallback, sizeof(fallback));
		(void)fprintf(out, "%s%s\t%s\t%s\t%s\n", prefix, field->key, type, fallback,
			      field->help ? field->help : "");
	}
}

void settings_dump_daemon(FILE *out)
{
	settings_dump_fields(out, "", settings_fields);
	(void)fprintf(out, "node.labels\tup to %u texts by name\t{}\t%s\n", LIMIT_LABELS,
		      "Labels of this node; overrides match on them.");
	(void)fprintf(out, "rules\tlist of up to %u rules\t[]\t%s\n", LIMIT_RULES,
		      "Levels of workloads that carry no annotation; the first match wins.");
	(void)fprintf(out, "overrides\tlist of up to %u overrides\t[]\t%s\n", LIMIT_OVERRIDES,
		      "Sections for some nodes only.");
}

void settings_dump_plugin(FILE *out, const char *name, const struct config_field *fields)
{
	char prefix[128];

	(void)fprintf(out, "plugins.%s.enabled\ttrue or false\ttrue\t%s\n", name,
		      "Load and run this plugin.");
	(void)snprintf(prefix, sizeof(prefix), "plugins.%s.", name);
	if (fields)
		settings_dump_fields(out, prefix, fields);
}
