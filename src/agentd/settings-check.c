/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <string.h>

#include "limit.h"
#include "macro.h"
#include "parse.h"
#include "settings-internal.h"

/* Where cgroups are mounted, and so what people paste. No group has such a path. */
#define MOUNT_POINT "sys/fs/cgroup"

void settings_key(char *key, size_t size, const char *prefix, const char *name)
{
	(void)snprintf(key, size, "%s%s", prefix, name);
}

int settings_text(const struct config_node *node, const char *key, struct config_errors *errors,
		  char **ret)
{
	if (node->kind != CONFIG_SCALAR) {
		config_errors_add(errors, node, key, "expected text, not %s",
				  node->kind == CONFIG_MAPPING    ? "a section"
				  : node->kind == CONFIG_SEQUENCE ? "a list"
								  : "nothing; \"\" is empty text");
		return -EINVAL;
	}
	if (strlen(node->scalar) > LIMIT_GLOB_BYTES) {
		config_errors_add(errors, node, key, "expected text of at most %u bytes",
				  LIMIT_GLOB_BYTES);
		return -EINVAL;
	}
	for (const char *c = node->scalar; *c; c++) {
		if ((unsigned char)*c < 0x20 || *c == 0x7f) {
			config_errors_add(errors, node, key,
					  "expected one line of text, without control characters");
			return -EINVAL;
		}
	}
	*ret = node->scalar;
	return 0;
}

int settings_labels(const struct config_node *node, const char *key, struct config_errors *errors,
		    struct label **ret, size_t *ret_count)
{
	cleanup_free struct label *labels = NULL;
	size_t count = 0;
	int result = 0;

	if (!node || node->kind == CONFIG_NULL)
		return 0;
	if (node->kind != CONFIG_MAPPING || node->count > LIMIT_LABELS) {
		config_errors_add(errors, node, key, "expected at most %u labels, 'name: value'",
				  LIMIT_LABELS);
		return -EINVAL;
	}
	labels = calloc(node->count + 1, sizeof(*labels));
	if (!labels)
		return -ENOMEM;
	for (size_t i = 0; i < node->count; i++) {
		char label_key[256];

		(void)snprintf(label_key, sizeof(label_key), "%s.%s", key, node->children[i]->key);
		labels[count].key = node->children[i]->key;
		if (settings_text(node->children[i], label_key, errors, &labels[count].value) < 0)
			result = -EINVAL;
		else
			count++;
	}
	if (result < 0)
		return result;
	*ret = TAKE_PTR(labels);
	*ret_count = count;
	return 0;
}

static const struct config_node *node_at(const struct config_node *root, const char *section,
					 const char *subsection, const char *key)
{
	const struct config_node *node = config_node_get(root, section);

	if (subsection)
		node = config_node_get(node, subsection);
	return config_node_get(node, key);
}

static bool listen_is_valid(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	unsigned char address[sizeof(struct in6_addr)];
	char host[INET6_ADDRSTRLEN + 2];
	uint64_t port = 0;

	if (!text[0])
		return true;
	if (!colon || parse_u64(colon + 1, &port) < 0 || port > UINT16_MAX ||
	    length >= sizeof(host))
		return false;
	memcpy(host, text, length);
	host[length] = '\0';
	if (length == 0)
		return true;
	if (host[0] == '[' && host[length - 1] == ']') {
		host[length - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, address) == 1;
	}
	return inet_pton(AF_INET, host, address) == 1;
}

int settings_check_listen(const struct config_node *root, const char *prefix,
			  struct config_errors *errors)
{
	const struct config_node *node = node_at(root, "metrics", NULL, "listen");
	char key[128];

	if (!node || node->kind != CONFIG_SCALAR || listen_is_valid(node->scalar))
		return 0;
	(void)snprintf(key, sizeof(key), "%smetrics.listen", prefix);
	config_errors_add(errors, node, key,
			  "expected ADDRESS:PORT, [V6]:PORT, :PORT or \"\", not '%.64s'",
			  node->scalar);
	return -EINVAL;
}

int settings_check_web_config(const struct config_node *root, const char *prefix,
			      struct config_errors *errors)
{
	const struct config_node *node = node_at(root, "metrics", NULL, "web_config_file");
	char key[128];

	if (!node || node->kind != CONFIG_SCALAR || !node->scalar[0] || node->scalar[0] == '/')
		return 0;
	(void)snprintf(key, sizeof(key), "%smetrics.web_config_file", prefix);
	config_errors_add(errors, node, key, "expected a whole path, such as '%s/%.64s'",
			  BERTH_CONF_DIR, node->scalar);
	return -EINVAL;
}

static bool has_dot_component(const char *path)
{
	while (*path) {
		size_t length = strcspn(path, "/");

		if ((length == 1 && path[0] == '.') ||
		    (length == 2 && path[0] == '.' && path[1] == '.'))
			return true;
		path += length;
		path += strspn(path, "/");
	}
	return false;
}

static size_t depth_of(const char *path)
{
	size_t depth = 1;

	for (; *path; path++)
		depth += *path == '/';
	return depth;
}

/* As fnmatch() reads it: there a '[' that nothing ends is a character like others, and the glob
 * silently matches nobody. */
static bool brackets_are_closed(const char *glob)
{
	for (; *glob; glob++) {
		if (*glob == '\\' && glob[1]) {
			glob++;
		} else if (*glob == '[') {
			glob += glob[1] == '!' || glob[1] == '^' ? 2 : 1;
			/* One that comes first is a member. */
			glob = *glob ? strchr(glob + 1, ']') : NULL;
			if (!glob)
				return false;
		}
	}
	return true;
}

static int brackets_check(const struct config_node *node, const char *key,
			  struct config_errors *errors, const char *glob)
{
	if (brackets_are_closed(glob))
		return 0;
	config_errors_add(errors, node, key,
			  "a '[' without its ']' in '%.64s'; the character itself is [[]", glob);
	return -EINVAL;
}

int settings_glob(const struct config_node *node, const char *key, struct config_errors *errors,
		  char **ret)
{
	int r = settings_text(node, key, errors, ret);

	return r < 0 ? r : brackets_check(node, key, errors, *ret);
}

int settings_cgroup_glob(const struct config_node *node, const char *key,
			 struct config_errors *errors, char *text)
{
	size_t lead = strspn(text, "/"), length = strlen(text);

	if (length >= LIMIT_GLOB_BYTES || has_dot_component(text) || strstr(text + lead, "//")) {
		config_errors_add(errors, node, key,
				  "expected a path glob of under %u bytes without '.', '..' and "
				  "'//' in it, not '%.64s'",
				  LIMIT_GLOB_BYTES, text);
		return -EINVAL;
	}
	if (brackets_check(node, key, errors, text) < 0)
		return -EINVAL;
	if (strncmp(text + lead, MOUNT_POINT, strlen(MOUNT_POINT)) == 0) {
		config_errors_add(errors, node, key,
				  "expected a path below the root of the hierarchy, as in "
				  "/proc/PID/cgroup, not '%.64s'",
				  text);
		return -EINVAL;
	}
	while (length > lead && text[length - 1] == '/')
		length--;
	if (length == lead) {
		config_errors_add(errors, node, key,
				  "expected a path glob below the root, such as 'batch/*'");
		return -EINVAL;
	}
	memmove(text, text + lead, length - lead);
	text[length - lead] = '\0';
	if (depth_of(text) > LIMIT_GLOB_DEPTH) {
		config_errors_add(errors, node, key, "expected at most %u levels, not %zu",
				  LIMIT_GLOB_DEPTH, depth_of(text));
		return -EINVAL;
	}
	return 0;
}

static bool unit_glob_is_valid(const char *text)
{
	static const char *const suffixes[] = { ".slice", ".service", ".scope" };
	size_t length = strlen(text);

	/* systemd's own limit of a unit name (UNIT_NAME_MAX). */
	if (length == 0 || length > 255 || strchr(text, '/'))
		return false;
	if (text[length - 1] == '*')
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && strcmp(text + length - suffix, suffixes[i]) == 0)
			return true;
	}
	return false;
}

static int globs_count(const struct config_node *node, const char *key,
		       struct config_errors *errors)
{
	if (node->count <= LIMIT_GLOBS)
		return 0;
	config_errors_add(errors, node, key, "expected at most %u globs, not %zu", LIMIT_GLOBS,
			  node->count);
	return -EINVAL;
}

/* A list that the table refused is empty in the settings; its items' errors are told already. */
int settings_check_globs(const struct config_node *root, const char *prefix,
			 struct config_errors *errors, struct settings *settings)
{
	const struct config_node *paths = node_at(root, "sources", "cgroups", "paths");
	const struct config_node *slices = node_at(root, "sources", "units", "slices");
	char key[128];
	int result = 0;

	(void)snprintf(key, sizeof(key), "%ssources.cgroups.paths", prefix);
	if (paths && globs_count(paths, key, errors) < 0)
		result = -EINVAL;
	for (size_t i = 0; paths && settings->cgroup_paths[i]; i++) {
		(void)snprintf(key, sizeof(key), "%ssources.cgroups.paths[%zu]", prefix, i);
		if (settings_cgroup_glob(paths->children[i], key, errors,
					 settings->cgroup_paths[i]) < 0)
			result = -EINVAL;
	}
	(void)snprintf(key, sizeof(key), "%ssources.units.slices", prefix);
	if (slices && globs_count(slices, key, errors) < 0)
		result = -EINVAL;
	for (size_t i = 0; slices && settings->unit_slices[i]; i++) {
		if (unit_glob_is_valid(settings->unit_slices[i]))
			continue;
		(void)snprintf(key, sizeof(key), "%ssources.units.slices[%zu]", prefix, i);
		config_errors_add(errors, slices->children[i], key,
				  "expected a glob of unit names that ends in .slice, .service, "
				  ".scope or '*', not '%.64s'",
				  settings->unit_slices[i]);
		result = -EINVAL;
	}
	return result;
}
