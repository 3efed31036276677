/* SPDX-License-Identifier: Apache-2.0 */
#include "actuator/knob/text-file.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actuator/failpoint.h"
#include "actuator/knob/table.h"

int text_file_read(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size, 0);

	if (n < 0)
		return -errno;
	if ((size_t)n == size)
		return -EMSGSIZE;
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n] = '\0';
	return 0;
}

int text_file_write(int fd, const char *text)
{
	char line[KNOB_TEXT_MAX + 1];
	struct stat st;
	ssize_t n;
	int length = snprintf(line, sizeof(line), "%s\n", text);

	if (length < 0 || (size_t)length >= sizeof(line))
		return -EMSGSIZE;
	failpoint("knob-write");
	n = pwrite(fd, line, (size_t)length, 0);
	if (n < 0)
		return -errno;
	if (n != length)
		return -EIO;
	/* A kernel file has no size; the plain file of a fixture keeps the tail of a longer text.
	 */
	if (fstat(fd, &st) == 0 && st.st_size > length)
		(void)!ftruncate(fd, length);
	failpoint("knob-written");
	return 0;
}
