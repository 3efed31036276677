/* SPDX-License-Identifier: Apache-2.0 */
#include <fnmatch.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/unit/internal.h"

struct unit {
	struct units *units;
	char *name, *path;
	char *cgroup;     /* told to the registry; NULL: none */
	sd_bus_slot *get; /* its cgroup was asked for */
	bool again;       /* and may have changed since */
	bool listed;      /* by the last ListUnitsByPatterns */
};

static struct unit *unit_free(struct unit *unit)
{
	if (!unit)
		return NULL;
	sd_bus_slot_unref(unit->get);
	free(unit->name);
	free(unit->path);
	free(unit->cgroup);
	free(unit);
	return NULL;
}

DEFINE_CLEANUP(struct unit *, unit_free);

static void unit_drop(struct unit *unit)
{
	if (!unit->cgroup)
		return;
	registry_drop(unit->units->source.context->registry, source_unit.name, unit->cgroup);
	unit->units->source.workloads--;
	free(unit->cgroup);
	unit->cgroup = NULL;
}

static void unit_forget(struct unit *unit)
{
	unit_drop(unit);
	unit->units->pending -= unit->get != NULL;
	hashmap_remove(&unit->units->by_name, unit->name);
	unit_free(unit);
}

/* cgroup "" or NULL: it has none now. */
static void unit_set_cgroup(struct unit *unit, const char *cgroup)
{
	struct units *self = unit->units;
	struct workload_record record = { .kind = "unit", .namespace = "", .name = unit->name };
	int r;

	/* As systemd tells it: absolute, and "/" is the root, which is no workload. */
	if (cgroup && cgroup[0] == '/')
		cgroup++;
	if (unit->cgroup && (!cgroup || strcmp(unit->cgroup, cgroup) != 0))
		unit_drop(unit);
	if (!cgroup || cgroup[0] == '\0')
		return;
	record.cgroup = cgroup;
	r = registry_put(self->source.context->registry, source_unit.name, source_unit.rank,
			 &record);
	if (r < 0) {
		/* An inactive unit may still name the cgroup that it had. */
		if (r != -ENOENT && r != -ENOSPC) {
			self->source.errors++;
			log_debug("ignoring unit '%s' with cgroup '%s': %s", unit->name, cgroup,
				  strerrordesc_np(-r));
		}
		unit_drop(unit);
		return;
	}
	if (unit->cgroup)
		return;
	unit->cgroup = strdup(cgroup);
	if (!unit->cgroup) {
		registry_drop(self->source.context->registry, source_unit.name, cgroup);
		return;
	}
	self->source.workloads++;
}

static const char *unit_interface(const char *name)
{
	static const struct {
		const char *suffix, *interface;
	} types[] = {
		{ ".service", SYSTEMD_NAME ".Service" }, { ".slice", SYSTEMD_NAME ".Slice" },
		{ ".scope", SYSTEMD_NAME ".Scope" },     { ".socket", SYSTEMD_NAME ".Socket" },
		{ ".mount", SYSTEMD_NAME ".Mount" },     { ".swap", SYSTEMD_NAME ".Swap" },
	};
	const char *suffix = strrchr(name, '.');

	for (size_t i = 0; suffix && i < ARRAY_SIZE(types); i++)
		if (strcmp(types[i].suffix, suffix) == 0)
			return types[i].interface;
	return NULL; /* targets, timers and the like have no cgroup */
}

static void unit_ask(struct unit *unit);

static int on_cgroup(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct unit *unit = data;
	struct units *self = unit->units;
	const sd_bus_error *error = sd_bus_message_get_error(message);
	const char *cgroup = NULL;

	(void)reterr;
	unit->get = sd_bus_slot_unref(unit->get);
	self->pending--;
	if (error) {
		log_debug("no cgroup of unit '%s': %s", unit->name,
			  error->message ? error->message : error->name);
		/* Unloaded before its turn came. Anything else is about the bus, and says nothing
		 * of the unit. */
		if (sd_bus_error_has_name(error, SD_BUS_ERROR_UNKNOWN_OBJECT) ||
		    sd_bus_error_has_name(error, SYSTEMD_NAME ".NoSuchUnit"))
			unit_set_cgroup(unit, NULL);
		else
			self->source.errors++;
	} else if (sd_bus_message_read(message, "v", "s", &cgroup) < 0) {
		self->source.errors++;
	} else {
		unit_set_cgroup(unit, cgroup);
	}
	if (unit->again) {
		unit->again = false;
		unit_ask(unit);
	}
	units_update_state(self);
	return 0;
}

static void unit_ask(struct unit *unit)
{
	const char *interface = unit_interface(unit->name);
	int r;

	if (!interface)
		return;
	if (unit->get) {
		unit->again = true;
		return;
	}
	r = sd_bus_call_method_async(unit->units->bus, &unit->get, SYSTEMD_NAME, unit->path,
				     "org.freedesktop.DBus.Properties", "Get", on_cgroup, unit,
				     "ss", interface, "ControlGroup");
	if (r < 0) {
		unit->units->source.errors++;
		log_debug("cannot ask for the cgroup of unit '%s': %s", unit->name,
			  strerrordesc_np(-r));
		return;
	}
	unit->units->pending++;
}

static int unit_ensure(struct units *self, const char *name, const char *path, struct unit **ret)
{
	struct unit *known = hashmap_get(&self->by_name, name);
	CLEANUP(unit_freep) struct unit *unit = NULL;
	int r;

	if (known) {
		*ret = known;
		return 0;
	}
	if (self->by_name.count >= LIMIT_WORKLOADS)
		return -ENOSPC;
	unit = calloc(1, sizeof(*unit));
	if (!unit)
		return -ENOMEM;
	unit->units = self;
	unit->name = strdup(name);
	unit->path = strdup(path);
	if (!unit->name || !unit->path)
		return -ENOMEM;
	r = hashmap_put(&self->by_name, unit->name, unit);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(unit);
	return 0;
}

bool units_match(const struct units *self, const char *name)
{
	for (size_t i = 0; i < self->pattern_count; i++)
		if (fnmatch(self->patterns[i], name, FNM_NOESCAPE) == 0)
			return true;
	return false;
}

void units_look(struct units *self, const char *name, const char *path)
{
	struct unit *unit;
	int r;

	r = unit_ensure(self, name, path, &unit);
	if (r < 0) {
		self->source.errors++;
		log_debug("ignoring unit '%s': %s", name, strerrordesc_np(-r));
		return;
	}
	unit->listed = true;
	unit_ask(unit);
}

void units_forget(struct units *self, const char *name)
{
	struct unit *unit = hashmap_get(&self->by_name, name);

	if (unit)
		unit_forget(unit);
}

void units_forget_unmatched(struct units *self)
{
	struct unit *unit;

	hashmap_foreach (unit, &self->by_name)
		if (!units_match(self, unit->name))
			unit_forget(unit);
}

void units_table_free(struct units *self)
{
	struct unit *unit;

	hashmap_foreach (unit, &self->by_name)
		unit_free(unit);
	hashmap_done(&self->by_name);
}

void units_cancel(struct units *self)
{
	struct unit *unit;

	self->list = sd_bus_slot_unref(self->list);
	self->list_again = self->listed = false;
	hashmap_foreach (unit, &self->by_name) {
		unit->get = sd_bus_slot_unref(unit->get);
		unit->again = false;
	}
	self->pending = 0;
}

static int list_read(struct units *self, sd_bus_message *message)
{
	const char *name, *path;
	struct unit *unit;
	int r;

	hashmap_foreach (unit, &self->by_name)
		unit->listed = false;
	r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, "(ssssssouso)");
	if (r < 0)
		return r;
	while ((r = sd_bus_message_read(message, "(ssssssouso)", &name, NULL, NULL, NULL, NULL,
					NULL, &path, NULL, NULL, NULL)) > 0)
		units_look(self, name, path);
	if (r < 0)
		return r;
	hashmap_foreach (unit, &self->by_name)
		if (!unit->listed)
			unit_forget(unit);
	return 0;
}

static int on_list(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	int r;

	(void)reterr;
	self->list = sd_bus_slot_unref(self->list);
	if (sd_bus_message_is_method_error(message, NULL)) {
		units_down(self, "systemd does not list its units",
			   -sd_bus_message_get_errno(message));
		return 0;
	}
	r = list_read(self, message);
	if (r < 0) {
		units_down(self, "systemd's list of units cannot be read", r);
		return 0;
	}
	self->listed = true;
	if (self->list_again) {
		self->list_again = false;
		r = units_list(self);
		if (r < 0) {
			units_down(self, "systemd cannot be asked for its units", r);
			return 0;
		}
	}
	units_update_state(self);
	return 0;
}

static void message_unrefp(sd_bus_message **message)
{
	sd_bus_message_unref(*message);
}

int units_list(struct units *self)
{
	CLEANUP(message_unrefp) sd_bus_message *message = NULL;
	int r;

	if (self->list) {
		self->list_again = true;
		return 0;
	}
	r = sd_bus_message_new_method_call(self->bus, &message, SYSTEMD_NAME, SYSTEMD_PATH,
					   SYSTEMD_MANAGER, "ListUnitsByPatterns");
	if (r < 0)
		return r;
	r = sd_bus_message_append(message, "as", 0);
	if (r < 0)
		return r;
	r = sd_bus_message_append_strv(message, self->patterns);
	if (r < 0)
		return r;
	return sd_bus_call_async(self->bus, &self->list, message, on_list, self, 0);
}
