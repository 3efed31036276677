/* SPDX-License-Identifier: Apache-2.0 */
/* Killed anywhere, started again, and stopped in order; or asked for the same again. */
#include "berth-test.h"
#include "kill.h"

static void test_actuator_new_after_every_kill_v2_restores(void **state)
{
	(void)state;
	kill_everywhere(2, true);
}

static void test_actuator_new_after_every_kill_v1_restores(void **state)
{
	(void)state;
	kill_everywhere(1, true);
}

static void test_actuator_new_after_every_kill_v2_gives_what_is_claimed_again(void **state)
{
	(void)state;
	kill_everywhere_and_claim_again(2);
}

static void test_actuator_new_after_every_kill_v1_gives_what_is_claimed_again(void **state)
{
	(void)state;
	kill_everywhere_and_claim_again(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_new_after_every_kill_v2_restores),
		cmocka_unit_test(test_actuator_new_after_every_kill_v1_restores),
		cmocka_unit_test(test_actuator_new_after_every_kill_v2_gives_what_is_claimed_again),
		cmocka_unit_test(test_actuator_new_after_every_kill_v1_gives_what_is_claimed_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
