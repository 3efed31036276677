/* SPDX-License-Identifier: Apache-2.0 */
#include "api/web/auth.h"
#include "api/web/header.h"
#include "berth-test.h"
#include "limit.h"
#include "macro.h"

/* bcrypt of "secret". */
#define HASH "$2y$06$3ImeUILBKaDtsosqFP53dOGY980qeeC1pGqcxdR913M7vV8wOs3w2"

struct rig {
	sd_event *event;
	struct verifier *verifier;
	struct web_config config;
	struct web_auth *auth;
	struct web_user user;
};

struct client {
	struct web_wait wait;
	enum web_verdict verdict;
};

static void on_done(struct web_wait *wait, enum web_verdict verdict)
{
	container_of(wait, struct client, wait)->verdict = verdict;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	rig->user = (struct web_user){ "scraper", HASH };
	rig->config.users = &rig->user;
	rig->config.user_count = 1;
	assert_ok(sd_event_new(&rig->event));
	assert_ok(verifier_new(rig->event, &rig->verifier));
	assert_ok(web_auth_new(&rig->config, rig->verifier, &rig->auth));
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;

	assert_null(web_auth_free(rig->auth));
	assert_null(verifier_free(rig->verifier));
	(void)sd_event_unref(rig->event);
	free(rig);
	return 0;
}

/* "scraper:NAME" as a header. */
static const char *header_of(const char *user, const char *password, char *text, size_t size)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char plain[256];
	size_t length, at;

	(void)snprintf(plain, sizeof(plain), "%s:%s", user, password);
	length = strlen(plain);
	at = (size_t)snprintf(text, size, "Basic ");
	for (size_t i = 0; i < length; i += 3) {
		unsigned int bits = 0;

		assert_true(at + 5 < size);
		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (i + k < length ? (unsigned char)plain[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			text[at++] = i + k > length ? '=' : digits[bits >> (18 - 6 * k) & 63];
	}
	text[at] = '\0';
	return text;
}

static enum web_verdict ask(struct rig *rig, struct client *client, const char *user,
			    const char *password)
{
	char header[512];

	*client = (struct client){ .wait.done = on_done };
	client->verdict = web_auth_check(
		rig->auth, header_of(user, password, header, sizeof(header)), &client->wait);
	return client->verdict;
}

static void settle(struct rig *rig, const struct client *client)
{
	for (int i = 0; i < 2000 && client->verdict == WEB_WAITS; i++)
		assert_ok(sd_event_run(rig->event, 10000));
}

static void test_web_auth_first_is_hashed_then_known(void **state)
{
	struct rig *rig = *state;
	struct client client;

	assert_int_equal(ask(rig, &client, "scraper", "secret"), WEB_WAITS);
	settle(rig, &client);
	assert_int_equal(client.verdict, WEB_ALLOWED);
	assert_int_equal(ask(rig, &client, "scraper", "secret"), WEB_ALLOWED);
	assert_int_equal(ask(rig, &client, "scraper", "Secret"), WEB_WAITS);
	settle(rig, &client);
	assert_int_equal(client.verdict, WEB_DENIED);
	assert_int_equal(ask(rig, &client, "scraper", "Secret"), WEB_DENIED);
}

/* The hash that a stranger's password is held to is somebody's: the right password must not do. */
static void test_web_auth_stranger_with_the_right_password_is_denied(void **state)
{
	struct rig *rig = *state;
	struct client client;

	assert_int_equal(ask(rig, &client, "nobody", "secret"), WEB_WAITS);
	settle(rig, &client);
	assert_int_equal(client.verdict, WEB_DENIED);
	assert_int_equal(ask(rig, &client, "nobody", "secret"), WEB_DENIED);
}

static void test_web_auth_same_credentials_share_a_hash(void **state)
{
	struct rig *rig = *state;
	struct client clients[LIMIT_WEB_PASSWORDS * 2];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		assert_int_equal(ask(rig, &clients[i], "scraper", "secret"), WEB_WAITS);
	settle(rig, &clients[0]);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++)
		assert_int_equal(clients[i].verdict, WEB_ALLOWED);
}

static void test_web_auth_queue_is_bounded(void **state)
{
	struct client clients[LIMIT_WEB_PASSWORDS * 2];
	struct rig *rig = *state;
	size_t waits = 0, busy = 0;
	char password[32];

	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		(void)snprintf(password, sizeof(password), "guess%zu", i);
		busy += ask(rig, &clients[i], "scraper", password) == WEB_BUSY;
		waits += clients[i].verdict == WEB_WAITS;
	}
	assert_int_equal(waits + busy, ARRAY_SIZE(clients));
	/* The queue, and what the thread has in hand and has finished meanwhile. */
	assert_true(waits >= LIMIT_WEB_PASSWORDS && busy > 0);
	for (size_t i = 0; i < ARRAY_SIZE(clients); i++) {
		settle(rig, &clients[i]);
		assert_true(clients[i].verdict == WEB_DENIED || clients[i].verdict == WEB_BUSY);
	}
}

/* However many guesses there were, who is known stays known. */
static void test_web_auth_guesses_push_nobody_out(void **state)
{
	struct rig *rig = *state;
	struct client client;
	char password[32];

	rig->user.hash = "$2y$04$72QfBCh4O8bCpr69cPxUReL.TO7SVJ5PnJUrtuqR8zXfSpk6ekWNu";
	for (unsigned int i = 0; i < LIMIT_WEB_CACHE_DENIED + 20; i++) {
		(void)snprintf(password, sizeof(password), "guess%u", i);
		assert_int_equal(ask(rig, &client, "scraper", password), WEB_WAITS);
		settle(rig, &client);
		assert_int_equal(client.verdict, WEB_DENIED);
		if (i == 0) {
			assert_int_equal(ask(rig, &client, "scraper", "secret"), WEB_WAITS);
			settle(rig, &client);
			assert_int_equal(client.verdict, WEB_ALLOWED);
		}
	}
	assert_int_equal(ask(rig, &client, "scraper", "secret"), WEB_ALLOWED);
	/* The first guess was forgotten, the last one not. */
	assert_int_equal(ask(rig, &client, "scraper", password), WEB_DENIED);
	assert_int_equal(ask(rig, &client, "scraper", "guess0"), WEB_WAITS);
	web_wait_cancel(&client.wait);
}

static void test_web_auth_cancelled_and_freed_while_it_is_hashed(void **state)
{
	struct rig *rig = *state;
	struct client gone, stays;

	assert_int_equal(ask(rig, &gone, "scraper", "secret"), WEB_WAITS);
	assert_int_equal(ask(rig, &stays, "scraper", "secret"), WEB_WAITS);
	web_wait_cancel(&gone.wait);
	settle(rig, &stays);
	assert_int_equal(gone.verdict, WEB_WAITS);
	assert_int_equal(stays.verdict, WEB_ALLOWED);
	/* A reload: the hash goes on, nobody hears of it. */
	assert_int_equal(ask(rig, &gone, "scraper", "other"), WEB_WAITS);
	web_wait_cancel(&gone.wait);
	rig->auth = web_auth_free(rig->auth);
	for (int i = 0; i < 50; i++)
		assert_ok(sd_event_run(rig->event, 1000));
	assert_int_equal(gone.verdict, WEB_WAITS);
}

static void test_web_auth_without_a_header_is_denied_at_once(void **state)
{
	struct rig *rig = *state;
	struct client client = { .wait.done = on_done };

	assert_int_equal(web_auth_check(rig->auth, NULL, &client.wait), WEB_DENIED);
	assert_int_equal(web_auth_check(rig->auth, "Basic", &client.wait), WEB_DENIED);
	assert_int_equal(web_auth_check(rig->auth, "Negotiate eA==", &client.wait), WEB_DENIED);
}

static void test_web_basic_parse_headers(void **state)
{
	static const struct {
		const char *header, *user, *password; /* NULL: refused */
	} cases[] = {
		{ "Basic YTpi", "a", "b" },
		{ "basic   YTpi", "a", "b" },
		{ "BASIC YTpiOmM=", "a", "b:c" },
		{ "Basic Og==", "", "" },
		{ "Basic YTo=", "a", "" },
		{ "Basic YQ==", NULL, NULL },     /* no colon */
		{ "Basic YTpiAGM=", NULL, NULL }, /* a NUL */
		{ "Basic YT pi", NULL, NULL },
		{ "Basic YTpi ", NULL, NULL },
		{ "Basic\tYTpi", NULL, NULL },
		{ "BasicYTpi", NULL, NULL },
		{ "Basic YTp", NULL, NULL },
		{ "Basic YTpj=", NULL, NULL },
		{ "Basic ", NULL, NULL },
		{ "Basic", NULL, NULL },
		{ "", NULL, NULL },
		{ "Bearer YTpi", NULL, NULL },
	};
	char large[LIMIT_WEB_CREDENTIAL + 64];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct web_basic basic = { 0 };
		int r = web_basic_parse(cases[i].header, &basic);

		if (!cases[i].user) {
			assert_errno(r, EINVAL);
			continue;
		}
		assert_ok(r);
		assert_string_equal(basic.user, cases[i].user);
		assert_string_equal(basic.password, cases[i].password);
		web_basic_done(&basic);
	}
	memset(large, 'A', sizeof(large) - 1);
	memcpy(large, "Basic ", 6);
	large[sizeof(large) - 1] = '\0';
	assert_errno(web_basic_parse(large, &(struct web_basic){ 0 }), EINVAL);
}

#define RIG(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		RIG(test_web_auth_first_is_hashed_then_known),
		RIG(test_web_auth_stranger_with_the_right_password_is_denied),
		RIG(test_web_auth_same_credentials_share_a_hash),
		RIG(test_web_auth_queue_is_bounded),
		RIG(test_web_auth_guesses_push_nobody_out),
		RIG(test_web_auth_cancelled_and_freed_while_it_is_hashed),
		RIG(test_web_auth_without_a_header_is_denied_at_once),
		cmocka_unit_test(test_web_basic_parse_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
