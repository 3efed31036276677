/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "log.h"
#include "source/unit/internal.h"

#define BACKOFF_FIRST_USEC USEC_PER_SEC
#define BACKOFF_MAX_USEC   (60 * USEC_PER_SEC)

#define FROM_SYSTEMD "type='signal',sender='" SYSTEMD_NAME "',"

static_assert(offsetof(struct units, source) == 0, "the source is allocated as its whole");

static struct units *units_of(struct source *source)
{
	return container_of(source, struct units, source);
}

static void bus_close(struct units *self)
{
	units_cancel(self);
	/* Not flushed: that would wait, and there is nothing to send that matters. */
	self->bus = sd_bus_close_unref(self->bus);
}

static int bus_open(struct units *self);

static void bus_reopen(struct units *self)
{
	int r;

	bus_close(self);
	r = bus_open(self);
	if (r < 0)
		units_down(self, "no system bus", r);
}

static int on_retry(sd_event_source *event_source, uint64_t usec, void *data)
{
	(void)event_source;
	(void)usec;
	bus_reopen(data);
	return 0;
}

void units_down(struct units *self, const char *what, int error)
{
	int enabled = SD_EVENT_OFF, r;

	self->source.errors++;
	self->listed = false;
	/* One cause may show at several calls. */
	if (self->retry && sd_event_source_get_enabled(self->retry, &enabled) >= 0 &&
	    enabled != SD_EVENT_OFF)
		return;
	self->backoff_usec = self->backoff_usec == 0
				     ? BACKOFF_FIRST_USEC
				     : MIN(self->backoff_usec * 2, BACKOFF_MAX_USEC);
	source_set_state(&self->source, SOURCE_DOWN, "%s: %s; %zu units known", what,
			 strerrordesc_np(-error), self->source.workloads);
	/* The connection is closed by the timer, because this may be one of its callbacks. */
	if (self->retry) {
		r = sd_event_source_set_time_relative(self->retry, self->backoff_usec);
		if (r >= 0)
			r = sd_event_source_set_enabled(self->retry, SD_EVENT_ONESHOT);
	} else {
		r = sd_event_add_time_relative(self->source.context->event, &self->retry,
					       CLOCK_MONOTONIC, self->backoff_usec, 0, on_retry,
					       self);
	}
	if (r < 0)
		log_error("source units stays down, its timer cannot be set: %s",
			  strerrordesc_np(-r));
}

void units_update_state(struct units *self)
{
	if (!self->listed || self->list || self->pending > 0)
		return;
	self->backoff_usec = 0;
	self->retry = sd_event_source_disable_unref(self->retry);
	source_set_state(&self->source, SOURCE_READY, "%zu patterns, %zu units, %zu with a cgroup",
			 self->pattern_count, self->by_name.count, self->source.workloads);
}

static void subscribe_and_list(struct units *self)
{
	int r;

	/* systemd sends its signals only to those who asked; the answer is of no interest. */
	r = sd_bus_call_method_async(self->bus, NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
				     "Subscribe", NULL, NULL, NULL);
	if (r >= 0)
		r = units_list(self);
	if (r < 0)
		units_down(self, "systemd cannot be asked for its units", r);
}

static int on_unit_new(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	const char *name, *path;

	(void)reterr;
	if (sd_bus_message_read(message, "so", &name, &path) < 0 || !units_match(self, name))
		return 0;
	self->source.events++;
	units_look(self, name, path);
	return 0;
}

static int on_unit_removed(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	const char *name;

	(void)reterr;
	if (sd_bus_message_read(message, "so", &name, NULL) < 0 || !units_match(self, name))
		return 0;
	self->source.events++;
	units_forget(self, name);
	units_update_state(self);
	return 0;
}

/* ControlGroup itself has no change signal (systemd 252, dbus-unit.c), but it changes only with the
 * state; a unit that stops is pruned of its cgroup before this is sent. */
static int on_properties(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	const char *path = sd_bus_message_get_path(message);
	cleanup_free char *name = NULL;

	(void)reterr;
	if (!path || sd_bus_path_decode(path, SYSTEMD_PATH "/unit", &name) <= 0 || !name ||
	    !units_match(self, name))
		return 0;
	self->source.events++;
	units_look(self, name, path);
	return 0;
}

static int on_reloading(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	int active, r;

	(void)reterr;
	if (sd_bus_message_read(message, "b", &active) < 0 || active)
		return 0;
	r = units_list(self);
	if (r < 0)
		units_down(self, "systemd cannot be asked for its units", r);
	return 0;
}

static int on_owner(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	struct units *self = data;
	const char *owner;

	(void)reterr;
	if (sd_bus_message_read(message, "sss", NULL, NULL, &owner) < 0)
		return 0;
	/* Re-executed, or started after us: it knows nothing of a subscription. */
	if (owner[0])
		subscribe_and_list(self);
	else
		units_down(self, "systemd left the bus", -ENOTCONN);
	return 0;
}

static int on_disconnected(sd_bus_message *message, void *data, sd_bus_error *reterr)
{
	(void)message;
	(void)reterr;
	units_down(data, "the system bus hung up", -ECONNRESET);
	return 0;
}

static int bus_match(struct units *self)
{
	const struct {
		const char *rule;
		sd_bus_message_handler_t handler;
	} matches[] = {
		{ "type='signal',sender='org.freedesktop.DBus.Local',"
		  "interface='org.freedesktop.DBus.Local',member='Disconnected'",
		  on_disconnected },
		{ "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',"
		  "arg0='" SYSTEMD_NAME "'",
		  on_owner },
		{ FROM_SYSTEMD "interface='" SYSTEMD_MANAGER "',member='UnitNew'", on_unit_new },
		{ FROM_SYSTEMD "interface='" SYSTEMD_MANAGER "',member='UnitRemoved'",
		  on_unit_removed },
		{ FROM_SYSTEMD "interface='" SYSTEMD_MANAGER "',member='Reloading'", on_reloading },
		{ FROM_SYSTEMD "interface='org.freedesktop.DBus.Properties',"
			       "member='PropertiesChanged',path_namespace='" SYSTEMD_PATH "/unit',"
			       "arg0='" SYSTEMD_NAME ".Unit'",
		  on_properties },
	};

	for (size_t i = 0; i < ARRAY_SIZE(matches); i++) {
		int r = sd_bus_add_match_async(self->bus, NULL, matches[i].rule, matches[i].handler,
					       NULL, self);

		if (r < 0)
			return r;
	}
	return 0;
}

static int bus_open(struct units *self)
{
	int r;

	r = sd_bus_open_system(&self->bus);
	if (r < 0)
		return r;
	r = sd_bus_set_exit_on_disconnect(self->bus, 0);
	if (r < 0)
		return r;
	r = sd_bus_attach_event(self->bus, self->source.context->event, SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	r = bus_match(self);
	if (r < 0)
		return r;
	source_set_state(&self->source, SOURCE_STARTING, "asking systemd");
	subscribe_and_list(self);
	return 0;
}

static void patterns_free(struct units *self)
{
	free(self->patterns);
	self->patterns = NULL;
	self->pattern_count = 0;
}

/* One allocation: the pointers, then the texts. */
static int patterns_copy(struct units *self, char *const *patterns)
{
	size_t count = 0, bytes = 0;
	char **copy, *at;

	patterns_free(self);
	for (; patterns && patterns[count] && count < LIMIT_GLOBS; count++)
		bytes += strlen(patterns[count]) + 1;
	if (patterns && patterns[count])
		log_warning("sources.units.slices is too long: ignoring what is after %u patterns",
			    LIMIT_GLOBS);
	copy = calloc(1, (count + 1) * sizeof(*copy) + bytes);
	if (!copy)
		return -ENOMEM;
	at = (char *)(copy + count + 1);
	for (size_t i = 0; i < count; i++) {
		copy[i] = at;
		at = stpcpy(at, patterns[i]) + 1;
	}
	self->patterns = copy;
	self->pattern_count = count;
	return 0;
}

static int units_apply(struct source *source, const struct settings *settings)
{
	struct units *self = units_of(source);
	bool off = settings->units_enabled == SWITCH_FALSE;
	int r;

	r = patterns_copy(self, off ? NULL : settings->unit_slices);
	if (r < 0)
		return r;
	units_forget_unmatched(self);
	if (self->pattern_count == 0) {
		self->retry = sd_event_source_disable_unref(self->retry);
		bus_close(self);
		source_set_state(source, SOURCE_OFF, "%s",
				 off ? "sources.units.enabled is false"
				     : "nothing in sources.units.slices");
		return 0;
	}
	if (!self->bus || source->state != SOURCE_READY) {
		self->backoff_usec = 0;
		bus_reopen(self);
		return 0;
	}
	r = units_list(self);
	if (r < 0)
		units_down(self, "systemd cannot be asked for its units", r);
	return 0;
}

static struct source *units_free(struct source *source)
{
	struct units *self;

	if (!source)
		return NULL;
	self = units_of(source);
	self->retry = sd_event_source_disable_unref(self->retry);
	bus_close(self);
	patterns_free(self);
	units_table_free(self);
	free(self);
	return NULL;
}

static int units_new(const struct source_context *context, struct source **ret)
{
	struct source *source = calloc(1, sizeof(struct units));

	if (!source)
		return -ENOMEM;
	source->ops = &source_unit;
	source->context = context;
	*ret = source;
	return 0;
}

const struct source_ops source_unit = {
	.name = "units",
	.rank = 20,
	.new = units_new,
	.apply = units_apply,
	.free = units_free,
};
