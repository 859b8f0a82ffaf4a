/* test-goal.c - every rule of what a call waits for. */
#include "control/goal.h"

#include <check.h>

static const RollingOutcome never, good_1 = {.number = 1, .is_good = true}, good_2 = {.number = 2, .is_good = true},
                                   bad_2 = {.number = 2};

static const struct {
        Goal goal;
        GoalBaseline baseline;
        GoalFacts facts;
        GoalVerdict verdict;
} rows[] = {
        /* start */
        {GOAL_STARTED, {0}, {.state = WORKER_RUNNING, .is_alive = true}, GOAL_MET},
        {GOAL_STARTED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_restart_due = true}, GOAL_PENDING},
        {GOAL_STARTED, {0}, {.state = WORKER_LAUNCHING, .is_wanted = true, .has_changed = true}, GOAL_PENDING},
        {GOAL_STARTED, {0}, {.state = WORKER_FAILED, .is_wanted = true}, GOAL_PENDING},
        {GOAL_STARTED, {0}, {.state = WORKER_FAILED, .is_wanted = true, .has_changed = true}, GOAL_FAILED},
        {GOAL_STARTED, {0}, {.state = WORKER_BACKOFF, .is_wanted = true, .has_changed = true}, GOAL_FAILED},
        {GOAL_STARTED, {0}, {.state = WORKER_EXITED, .is_wanted = true, .has_changed = true}, GOAL_FAILED},
        {GOAL_STARTED, {0}, {.state = WORKER_STOPPED, .is_wanted = true, .has_changed = true}, GOAL_PENDING},
        {GOAL_STARTED, {0}, {.state = WORKER_STOPPED, .has_changed = true}, GOAL_FAILED},
        /* restart */
        {GOAL_RESTARTED, {.was_alive = true}, {.state = WORKER_RUNNING, .is_alive = true}, GOAL_PENDING},
        {GOAL_RESTARTED, {.was_alive = true}, {.state = WORKER_RUNNING, .is_alive = true, .has_new_end = true}, GOAL_MET},
        {GOAL_RESTARTED, {0}, {.state = WORKER_RUNNING, .is_alive = true}, GOAL_MET},
        {GOAL_RESTARTED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_restart_due = true}, GOAL_PENDING},
        {GOAL_RESTARTED, {.was_alive = true}, {.state = WORKER_BACKOFF, .has_new_end = true, .has_changed = true}, GOAL_FAILED},
        /* stop */
        {GOAL_STOPPED, {0}, {.state = WORKER_STOPPING, .is_alive = true, .has_changed = true}, GOAL_PENDING},
        {GOAL_STOPPED, {0}, {.state = WORKER_STOPPED, .has_changed = true}, GOAL_PENDING},
        {GOAL_STOPPED, {0}, {.state = WORKER_STOPPED, .is_settled = true}, GOAL_MET},
        {GOAL_STOPPED, {0}, {.state = WORKER_CREATED, .is_settled = true}, GOAL_MET},
        {GOAL_STOPPED, {0}, {.state = WORKER_LAUNCHING, .is_wanted = true, .has_changed = true, .has_new_end = true}, GOAL_MET},
        {GOAL_STOPPED, {0}, {.state = WORKER_RUNNING, .is_wanted = true, .has_changed = true}, GOAL_FAILED},
        /* run */
        {GOAL_LAUNCHED, {0}, {.state = WORKER_LAUNCHING, .is_wanted = true}, GOAL_PENDING},
        {GOAL_LAUNCHED, {0}, {.state = WORKER_STARTING, .is_alive = true}, GOAL_MET},
        {GOAL_LAUNCHED, {0}, {.state = WORKER_EXITED, .has_new_end = true}, GOAL_MET},
        {GOAL_LAUNCHED, {0}, {.state = WORKER_FAILED, .has_new_end = true, .has_failed_to_start = true}, GOAL_FAILED},
        /* run with wait */
        {GOAL_RUN_OVER, {0}, {.state = WORKER_LAUNCHING, .is_wanted = true}, GOAL_PENDING},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_RUNNING, .is_alive = true}, GOAL_PENDING},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_EXITED, .has_new_end = true}, GOAL_PENDING},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_EXITED, .has_new_end = true, .is_settled = true}, GOAL_MET},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_FAILED, .has_new_end = true, .has_failed_to_start = true}, GOAL_FAILED},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_STOPPED, .is_settled = true}, GOAL_FAILED},
        {GOAL_RUN_OVER, {0}, {.state = WORKER_BACKOFF, .has_new_end = true, .is_settled = true, .is_wanted = true}, GOAL_MET},
        /* pause, resume */
        {GOAL_PAUSED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_freezing = true}, GOAL_PENDING},
        {GOAL_PAUSED, {0}, {.state = WORKER_RUNNING, .is_alive = true}, GOAL_MET},
        {GOAL_PAUSED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .has_pause_failed = true, .is_freezing = true}, GOAL_FAILED},
        {GOAL_PAUSED, {0}, {.state = WORKER_EXITED, .is_freezing = true, .has_pause_failed = true}, GOAL_MET},
        {GOAL_RESUMED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_freezing = true}, GOAL_PENDING},
        {GOAL_RESUMED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .has_pause_failed = true}, GOAL_MET},
        /* wait for=exit */
        {GOAL_EXITED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_wanted = true}, GOAL_PENDING},
        {GOAL_EXITED, {0}, {.state = WORKER_EXITED}, GOAL_PENDING},
        {GOAL_EXITED, {0}, {.state = WORKER_EXITED, .is_settled = true}, GOAL_MET},
        {GOAL_EXITED, {0}, {.state = WORKER_BACKOFF, .is_settled = true, .is_wanted = true}, GOAL_PENDING},
        {GOAL_EXITED, {0}, {.state = WORKER_BACKOFF, .is_settled = true, .is_wanted = true, .has_new_end = true}, GOAL_MET},
        {GOAL_EXITED, {0}, {.state = WORKER_RUNNING, .is_alive = true, .is_wanted = true, .has_new_end = true}, GOAL_MET},
        {GOAL_EXITED, {0}, {.state = WORKER_CREATED, .is_settled = true}, GOAL_FAILED},
        {GOAL_EXITED, {0}, {.state = WORKER_CREATED, .is_settled = true, .is_wanted = true}, GOAL_PENDING},
        /* wait for=ready */
        {GOAL_IDLE, {0}, {.state = WORKER_RUNNING, .is_wanted = true}, GOAL_MET},
        {GOAL_IDLE, {0}, {.state = WORKER_RUNNING, .is_wanted = true, .is_busy = true}, GOAL_PENDING},
        {GOAL_IDLE, {0}, {.state = WORKER_STARTING, .is_wanted = true}, GOAL_PENDING},
        {GOAL_IDLE, {0}, {.state = WORKER_STOPPING}, GOAL_PENDING},
        {GOAL_IDLE, {0}, {.state = WORKER_STOPPED, .is_settled = true, .is_wanted = true}, GOAL_PENDING},
        {GOAL_IDLE, {0}, {.state = WORKER_STOPPED, .is_settled = true}, GOAL_MET},
        {GOAL_IDLE, {0}, {.state = WORKER_FAILED, .is_settled = true, .is_wanted = true}, GOAL_MET},
        {GOAL_READY, {0}, {.state = WORKER_BACKOFF, .is_wanted = true, .has_changed = true}, GOAL_PENDING},
        {GOAL_READY, {0}, {.state = WORKER_RUNNING, .is_wanted = true}, GOAL_MET},
        {GOAL_READY, {0}, {.state = WORKER_RUNNING, .is_wanted = true, .is_restart_due = true}, GOAL_PENDING},
        {GOAL_READY, {0}, {.state = WORKER_FAILED, .is_wanted = true}, GOAL_FAILED},
        {GOAL_READY, {0}, {.state = WORKER_STOPPED}, GOAL_FAILED},
        {GOAL_READY, {0}, {.state = WORKER_STOPPED, .is_wanted = true}, GOAL_PENDING},
        /* wait for=stopped */
        {GOAL_AT_REST, {0}, {.state = WORKER_BACKOFF, .is_settled = true}, GOAL_PENDING},
        {GOAL_AT_REST, {0}, {.state = WORKER_EXITED, .is_settled = true}, GOAL_MET},
        /* reload: the outcome with a later number than the call's */
        {GOAL_RELOADED, {.n_reloads = 1}, {.state = WORKER_RUNNING, .is_reloading = true, .reload = &never}, GOAL_PENDING},
        {GOAL_RELOADED, {.n_reloads = 1}, {.state = WORKER_RUNNING, .reload = &good_1}, GOAL_PENDING},
        {GOAL_RELOADED, {.n_reloads = 1}, {.state = WORKER_RUNNING, .reload = &good_2}, GOAL_MET},
        {GOAL_RELOADED, {.n_reloads = 1}, {.state = WORKER_RUNNING, .is_reloading = true, .reload = &bad_2}, GOAL_FAILED},
        {GOAL_RELOADED, {0}, {.state = WORKER_STOPPED, .is_settled = true, .reload = &bad_2}, GOAL_FAILED},
        {GOAL_RELOADED, {0}, {.state = WORKER_STOPPED, .is_settled = true, .reload = &good_1}, GOAL_MET},
        /* rollback: with a replacement as that came out, without one as a start */
        {GOAL_SETTLED, {.was_reloading = true}, {.state = WORKER_RUNNING, .is_wanted = true, .is_reloading = true, .reload = &good_1}, GOAL_PENDING},
        {GOAL_SETTLED, {.was_reloading = true}, {.state = WORKER_RUNNING, .is_wanted = true, .reload = &good_2}, GOAL_MET},
        {GOAL_SETTLED, {.was_reloading = true}, {.state = WORKER_RUNNING, .is_wanted = true, .reload = &bad_2}, GOAL_FAILED},
        {GOAL_SETTLED, {0}, {.state = WORKER_RUNNING, .is_wanted = true, .is_restart_due = true, .reload = &never}, GOAL_PENDING},
        {GOAL_SETTLED, {0}, {.state = WORKER_RUNNING, .is_wanted = true, .reload = &bad_2}, GOAL_MET},
        {GOAL_SETTLED, {0}, {.state = WORKER_FAILED, .is_wanted = true, .has_changed = true, .reload = &never}, GOAL_FAILED},
        {GOAL_SETTLED, {0}, {.state = WORKER_STOPPED, .is_settled = true, .reload = &never}, GOAL_MET},
        /* gone, none */
        {GOAL_GONE, {0}, {.state = WORKER_STOPPED, .is_settled = true}, GOAL_PENDING},
        {GOAL_NONE, {0}, {.state = WORKER_STOPPING}, GOAL_MET},
};

START_TEST(test_goal) {
        ck_assert_int_eq(goal_check(rows[_i].goal, &rows[_i].facts, &rows[_i].baseline), rows[_i].verdict);
        ck_assert_ptr_nonnull(goal_to_string(rows[_i].goal));
}
END_TEST

int main(void) {
        Suite *s = suite_create("goal");
        TCase *t = tcase_create("all");
        SRunner *sr;
        int n;

        tcase_add_loop_test(t, test_goal, 0, ARRAY_SIZE(rows));
        suite_add_tcase(s, t);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        n = srunner_ntests_failed(sr);
        srunner_free(sr);
        return n > 0;
}
