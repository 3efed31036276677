/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/auth.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <string.h>

#include "api/web/header.h"
#include "cleanup.h"
#include "limit.h"
#include "macro.h"

#define DIGEST_BYTES 32u

struct digest {
	unsigned char bytes[DIGEST_BYTES];
};

struct cache_entry {
	struct digest digest;
	uint64_t used; /* the clock when it was used last; 0: free */
};

/* Credentials that are being verified, and all requests that came with them. */
struct attempt {
	struct list link;
	struct web_auth *auth;
	struct digest digest;
	bool is_stranger; /* the hash is another's: even the right password is wrong */
	struct verification *verification;
	struct list waits;
};

struct web_auth {
	const struct web_config *config;
	struct verifier *verifier;
	unsigned char key[DIGEST_BYTES]; /* of the digests; of this process only */
	uint64_t clock;
	struct cache_entry allowed[LIMIT_WEB_CACHE_ALLOWED], denied[LIMIT_WEB_CACHE_DENIED];
	struct list attempts;
};

static bool digest_equals(const struct digest *a, const struct digest *b)
{
	return gnutls_memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

/* Each part with its NUL, so that no two triples have the same bytes. */
static int digest_make(const struct web_auth *auth, const struct web_basic *basic, const char *hash,
		       struct digest *ret)
{
	gnutls_hmac_hd_t hmac;

	if (gnutls_hmac_init(&hmac, GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key)) < 0)
		return -ENOMEM;
	(void)gnutls_hmac(hmac, basic->user, strlen(basic->user) + 1);
	(void)gnutls_hmac(hmac, basic->password, strlen(basic->password) + 1);
	(void)gnutls_hmac(hmac, hash, strlen(hash) + 1);
	gnutls_hmac_deinit(hmac, ret->bytes);
	return 0;
}

static bool cache_has(struct web_auth *auth, struct cache_entry *cache, size_t count,
		      const struct digest *digest)
{
	for (size_t i = 0; i < count; i++) {
		if (cache[i].used == 0 || !digest_equals(&cache[i].digest, digest))
			continue;
		cache[i].used = ++auth->clock;
		return true;
	}
	return false;
}

static void cache_put(struct web_auth *auth, struct cache_entry *cache, size_t count,
		      const struct digest *digest)
{
	struct cache_entry *oldest = &cache[0];

	for (size_t i = 1; i < count; i++)
		if (cache[i].used < oldest->used)
			oldest = &cache[i];
	*oldest = (struct cache_entry){ *digest, ++auth->clock };
}

/* All are looked at, whichever it is. NULL: nobody has this name. */
static const struct web_user *user_find(const struct web_config *config, const char *name)
{
	const struct web_user *found = NULL;
	size_t size = strlen(name) + 1;

	for (size_t i = 0; i < config->user_count; i++)
		if (strlen(config->users[i].name) + 1 == size &&
		    gnutls_memcmp(config->users[i].name, name, size) == 0)
			found = &config->users[i];
	return found;
}

/* For a name that nobody has: the hash of somebody, always the same one for the same name, so that
 * the time that an answer takes says nothing of who is there, whatever the hashes cost. */
static const char *hash_for_stranger(const struct web_auth *auth, const char *name)
{
	unsigned char bytes[DIGEST_BYTES] = { 0 };
	size_t number = 0;

	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, auth->key, sizeof(auth->key), name, strlen(name),
			     bytes) >= 0)
		memcpy(&number, bytes, sizeof(number));
	return auth->config->users[number % auth->config->user_count].hash;
}

static void attempt_free(struct attempt *attempt)
{
	list_unlink(&attempt->link);
	free(attempt);
}

static void attempt_done(void *data, int result)
{
	struct attempt *attempt = data;
	struct web_auth *auth = attempt->auth;
	bool allowed = result > 0 && !attempt->is_stranger;
	enum web_verdict verdict = result < 0 ? WEB_BUSY : allowed ? WEB_ALLOWED : WEB_DENIED;
	struct web_wait *wait, *following;

	if (verdict == WEB_ALLOWED)
		cache_put(auth, auth->allowed, ARRAY_SIZE(auth->allowed), &attempt->digest);
	else if (verdict == WEB_DENIED)
		cache_put(auth, auth->denied, ARRAY_SIZE(auth->denied), &attempt->digest);
	list_foreach_safe (wait, following, &attempt->waits, link) {
		list_unlink(&wait->link);
		wait->done(wait, verdict);
	}
	attempt_free(attempt);
}

static struct attempt *attempt_find(struct web_auth *auth, const struct digest *digest)
{
	struct attempt *attempt;

	list_foreach (attempt, &auth->attempts, link)
		if (digest_equals(&attempt->digest, digest))
			return attempt;
	return NULL;
}

static int attempt_start(struct web_auth *auth, const struct digest *digest,
			 const struct web_basic *basic, const char *hash, bool is_stranger,
			 struct attempt **ret)
{
	struct attempt *attempt = calloc(1, sizeof(*attempt));
	int r;

	if (!attempt)
		return -ENOMEM;
	attempt->auth = auth;
	attempt->digest = *digest;
	attempt->is_stranger = is_stranger;
	list_init(&attempt->waits);
	list_init(&attempt->link);
	r = verifier_start(auth->verifier, basic->password, hash, attempt_done, attempt,
			   &attempt->verification);
	if (r < 0) {
		attempt_free(attempt);
		return r;
	}
	list_append(&auth->attempts, &attempt->link);
	*ret = attempt;
	return 0;
}

enum web_verdict web_auth_check(struct web_auth *auth, const char *header, struct web_wait *wait)
{
	CLEANUP(web_basic_done) struct web_basic basic = { 0 };
	const struct web_user *user;
	struct attempt *attempt;
	struct digest digest;
	const char *hash;
	int r = header ? web_basic_parse(header, &basic) : -EINVAL;

	if (r < 0)
		return r == -ENOMEM ? WEB_BUSY : WEB_DENIED;
	user = user_find(auth->config, basic.user);
	hash = user ? user->hash : hash_for_stranger(auth, basic.user);
	if (digest_make(auth, &basic, hash, &digest) < 0)
		return WEB_BUSY;
	if (cache_has(auth, auth->allowed, ARRAY_SIZE(auth->allowed), &digest))
		return WEB_ALLOWED;
	if (cache_has(auth, auth->denied, ARRAY_SIZE(auth->denied), &digest))
		return WEB_DENIED;
	attempt = attempt_find(auth, &digest);
	if (!attempt && attempt_start(auth, &digest, &basic, hash, !user, &attempt) < 0)
		return WEB_BUSY;
	list_append(&attempt->waits, &wait->link);
	return WEB_WAITS;
}

/* What is found all the same is kept: who asked will ask again. */
void web_wait_cancel(struct web_wait *wait)
{
	list_unlink(&wait->link);
}

int web_auth_new(const struct web_config *config, struct verifier *verifier, struct web_auth **ret)
{
	struct web_auth *auth = calloc(1, sizeof(*auth));

	if (!auth)
		return -ENOMEM;
	auth->config = config;
	auth->verifier = verifier;
	list_init(&auth->attempts);
	if (gnutls_rnd(GNUTLS_RND_KEY, auth->key, sizeof(auth->key)) < 0) {
		free(auth);
		return -EIO;
	}
	*ret = auth;
	return 0;
}

struct web_auth *web_auth_free(struct web_auth *auth)
{
	struct attempt *attempt, *following;

	if (!auth)
		return NULL;
	list_foreach_safe (attempt, following, &auth->attempts, link) {
		verification_forget(attempt->verification);
		attempt_free(attempt);
	}
	explicit_bzero(auth, sizeof(*auth));
	free(auth);
	return NULL;
}
