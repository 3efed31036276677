/* SPDX-License-Identifier: Apache-2.0 */
/* replay.c - run a fuzz target over every file of its corpus, where libFuzzer is not linked in. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>

#include "cleanup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REPLAY_FILE_MAX (4u << 20)

static int replay_file(int dirfd, const char *name)
{
	cleanup_close int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
	cleanup_free uint8_t *data = malloc(REPLAY_FILE_MAX);
	size_t size = 0;

	if (fd < 0 || !data)
		return -1;
	for (;;) {
		ssize_t n = read(fd, data + size, REPLAY_FILE_MAX - size);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		size += (size_t)n;
	}
	/* An exact copy, so that ASan sees a read past the end. */
	cleanup_free uint8_t *exact = malloc(size ? size : 1);

	if (!exact)
		return -1;
	memcpy(exact, data, size);
	(void)LLVMFuzzerTestOneInput(exact, size);
	return 0;
}

int main(int argc, char **argv)
{
	cleanup_closedir DIR *dir = argc == 2 ? opendir(argv[1]) : NULL;
	unsigned int count = 0;
	struct dirent *entry;

	if (!dir) {
		(void)fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((entry = readdir(dir))) {
		if (entry->d_type == DT_DIR)
			continue;
		if (replay_file(dirfd(dir), entry->d_name) < 0) {
			(void)fprintf(stderr, "%s/%s: cannot be read\n", argv[1], entry->d_name);
			return 1;
		}
		count++;
	}
	/* An empty corpus proves nothing. */
	if (count == 0)
		return 1;
	(void)printf("%u inputs replayed\n", count);
	return 0;
}
