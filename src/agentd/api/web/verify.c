/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/verify.h"

#include <crypt.h>
#include <gnutls/crypto.h>
#include <string.h>

#include "cleanup.h"
#include "limit.h"
#include "list.h"
#include "macro.h"
#include "worker/pool.h"

/* "$2y$10$" and 22 characters of salt; the rest is the hash. */
#define BCRYPT_SALTED 29u
#define BCRYPT_LENGTH 60u

#define VERIFIER_THREADS 1u

struct verifier {
	struct worker_pool *pool;
	struct list verifications;
};

struct verification {
	struct list link;
	void (*done)(void *data, int result); /* NULL: nobody waits */
	void *data;
	char hash[BCRYPT_LENGTH + 1];
	size_t password_size; /* with its NUL */
	char password[];
};

static void verification_free(struct verification *verification)
{
	list_unlink(&verification->link);
	explicit_bzero(verification->password, verification->password_size);
	free(verification);
}

/* On a thread. */
static int verification_run(void *job)
{
	const struct verification *verification = job;
	/* 32 KiB: half of the thread's stack. */
	struct crypt_data *scratch = calloc(1, sizeof(*scratch));
	const char *made;
	int result;

	if (!scratch)
		return -ENOMEM;
	/* Not crypt_r(): ASan has one of its own, with which the linker leaves libcrypt out. */
	made = crypt_rn(verification->password, verification->hash, scratch, sizeof(*scratch));
	/* The salt's last character has bits that do not count, and crypt_rn() writes it in its one
	 * form: what is compared is the hash. A password over 511 bytes has none (NULL). */
	result = made && strlen(made) == BCRYPT_LENGTH &&
		 gnutls_memcmp(made + BCRYPT_SALTED, verification->hash + BCRYPT_SALTED,
			       BCRYPT_LENGTH - BCRYPT_SALTED) == 0;
	explicit_bzero(scratch, sizeof(*scratch));
	free(scratch);
	return result;
}

static void verification_done(void *data, void *job, int result)
{
	struct verification *verification = job;

	(void)data;
	if (verification->done)
		verification->done(verification->data, result);
	verification_free(verification);
}

struct verifier *verifier_free(struct verifier *verifier)
{
	struct verification *verification, *following;

	if (!verifier)
		return NULL;
	(void)worker_pool_free(verifier->pool);
	list_foreach_safe (verification, following, &verifier->verifications, link)
		verification_free(verification);
	free(verifier);
	return NULL;
}

int verifier_new(sd_event *event, struct verifier **ret)
{
	struct verifier *verifier = calloc(1, sizeof(*verifier));
	int r;

	if (!verifier)
		return -ENOMEM;
	list_init(&verifier->verifications);
	r = worker_pool_new(event, VERIFIER_THREADS, LIMIT_WEB_PASSWORDS, &verifier->pool);
	if (r < 0) {
		free(verifier);
		return r;
	}
	*ret = verifier;
	return 0;
}

int verifier_start(struct verifier *verifier, const char *password, const char *hash,
		   void (*done)(void *data, int result), void *data, struct verification **ret)
{
	size_t size = strlen(password) + 1;
	struct verification *verification = calloc(1, sizeof(*verification) + size);
	int r;

	if (!verification)
		return -ENOMEM;
	list_init(&verification->link);
	verification->done = done;
	verification->data = data;
	verification->password_size = size;
	memcpy(verification->password, password, size);
	(void)snprintf(verification->hash, sizeof(verification->hash), "%s", hash);
	r = worker_pool_add(verifier->pool, verification_run, verification_done, verification,
			    verifier);
	if (r < 0) {
		verification_free(verification);
		return r;
	}
	list_append(&verifier->verifications, &verification->link);
	*ret = verification;
	return 0;
}

void verification_forget(struct verification *verification)
{
	verification->done = NULL;
}
