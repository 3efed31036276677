/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz-kubeconfig.c - a kubeconfig, and the base64 and PEM in it. */
#include <stdint.h>
#include <string.h>

#include "kube/access-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_kube_access struct kube_access *access = NULL;
	char why[200] = "";
	int r = kubeconfig_parse("/dir/fuzz", (const char *)data, size, why, sizeof(why), &access);

	/* A failure that says nothing leaves its user with nothing. */
	if (r < 0 && (!why[0] || access))
		abort();
	if (r < 0)
		return 0;
	if (!access->server || kube_server_problem(access->server))
		abort();
	if (access->token && kube_token_problem(access->token))
		abort();
	if ((access->cert_pem || access->cert_file) != (access->key_pem || access->key_file))
		abort();
	return 0;
}
