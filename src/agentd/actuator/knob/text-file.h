/* SPDX-License-Identifier: Apache-2.0 */
/* text-file.h - a text and the open file that it is the whole of. */
#pragma once

#include <stddef.h>

/* Without what is blank at its end. 0, -EMSGSIZE or -errno. */
int text_file_read(int fd, char *text, size_t size);
/* With a newline, in one write(2): the kernel takes each write of a knob as a whole value, and of
 * several lines the first. 0, -EMSGSIZE: longer than KNOB_TEXT_MAX, or -errno. */
int text_file_write(int fd, const char *text);
