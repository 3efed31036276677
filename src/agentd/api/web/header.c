/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/header.h"

#include <string.h>

#include "base64.h"
#include "limit.h"
#include "macro.h"

#define SCHEME "Basic"

void web_basic_done(struct web_basic *basic)
{
	if (basic->text)
		explicit_bzero(basic->text, basic->size);
	free(basic->text);
	*basic = (struct web_basic){ 0 };
}

int web_basic_parse(const char *header, struct web_basic *ret)
{
	CLEANUP(web_basic_done) struct web_basic basic = { 0 };
	const char *encoded = header + strlen(SCHEME);
	char *colon;
	int r;

	if (strnlen(header, LIMIT_WEB_CREDENTIAL + 1) > LIMIT_WEB_CREDENTIAL ||
	    strncasecmp(header, SCHEME, strlen(SCHEME)) != 0 || *encoded != ' ')
		return -EINVAL;
	encoded += strspn(encoded, " ");
	/* base64_decode() passes over blanks, which is for files. */
	if (!*encoded || strpbrk(encoded, " \t\r\n"))
		return -EINVAL;
	r = base64_decode(encoded, &basic.text, &basic.size);
	if (r < 0)
		return r;
	if (memchr(basic.text, '\0', basic.size))
		return -EINVAL;
	colon = strchr(basic.text, ':');
	if (!colon)
		return -EINVAL;
	*colon = '\0';
	basic.user = basic.text;
	basic.password = colon + 1;
	*ret = basic;
	basic.text = NULL;
	return 0;
}
