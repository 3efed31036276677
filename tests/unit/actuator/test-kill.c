/* SPDX-License-Identifier: Apache-2.0 */
/* Killed anywhere, and put back by `berthd --restore`. */
#include "berth-test.h"
#include "kill.h"

static void test_actuator_restore_journal_after_every_kill_v2_restores(void **state)
{
	(void)state;
	kill_everywhere(2, false);
}

static void test_actuator_restore_journal_after_every_kill_v1_restores(void **state)
{
	(void)state;
	kill_everywhere(1, false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_actuator_restore_journal_after_every_kill_v2_restores),
		cmocka_unit_test(test_actuator_restore_journal_after_every_kill_v1_restores),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
