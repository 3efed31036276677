/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/status.h"

#include <jansson.h>
#include <string.h>

void kube_status_message(const char *body, size_t body_size, char *text, size_t size)
{
	json_auto_t *object = json_loadb(body, body_size, 0, NULL);
	const json_t *message = json_object_get(object, "message");
	size_t length = 0;

	if (json_is_string(message)) {
		body = json_string_value(message);
		body_size = json_string_length(message);
	}
	while (length < body_size && length + 1 < size && body[length] != '\n') {
		unsigned char c = (unsigned char)body[length];

		text[length++] = (char)(c < ' ' || c == 0x7f ? ' ' : c);
	}
	text[length] = '\0';
}
