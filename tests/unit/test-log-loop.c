/* test-log-loop.c - order of timers, removal inside callbacks, steps that leave room for others. */
#include "base/fd.h"
#include "logger/log-loop.h"
#include <check.h>
#include <unistd.h>

static LogLoop loop;
static int order[64], n_order;
typedef struct Alarm {
        LoopTimer timer;
        int number;
} Alarm;

static void ring(LoopTimer *t) {
        order[n_order++] = container_of(t, Alarm, timer)->number;
}

START_TEST(timers_in_order) {
        static const int delays[] = {5, 1, 4, 1, 3, 9, 2, 6, 8, 7};
        Alarm a[ARRAY_SIZE(delays)];
        n_order = 0;
        ck_assert_int_eq(log_loop_init(&loop), 0);
        for (size_t i = 0; i < ARRAY_SIZE(a); i++) {
                a[i] = (Alarm){.timer.on_time = ring, .number = delays[i]};
                ck_assert_int_eq(log_loop_arm(&loop, &a[i].timer, loop.now + (usec_t) delays[i]), 0);
        }
        log_loop_disarm(&loop, &a[2].timer);                      /* 4 */
        log_loop_arm(&loop, &a[5].timer, loop.now);               /* 9 comes first */
        while (n_order < 9)
                ck_assert_int_eq(log_loop_turn(&loop), 0);
        static const int want[] = {9, 1, 1, 2, 3, 5, 6, 7, 8};
        for (size_t i = 0; i < ARRAY_SIZE(want); i++)
                ck_assert_int_eq(order[i], want[i]);
        ck_assert_uint_eq(loop.n_timers, 0);
        log_loop_done(&loop);
}
END_TEST

static int n_steps;
static void step(LoopTimer *t) {
        n_steps++;
        log_loop_arm(&loop, t, loop.now);
}

START_TEST(one_step_a_turn) {
        LoopTimer t = {.on_time = step};
        n_steps = 0;
        ck_assert_int_eq(log_loop_init(&loop), 0);
        log_loop_arm(&loop, &t, loop.now);
        for (int i = 1; i <= 5; i++) {
                log_loop_turn(&loop);
                ck_assert_int_eq(n_steps, i);
        }
        log_loop_done(&loop);
}
END_TEST

static LoopWatch watches[2];
static int n_ready;
static void remove_both(LoopWatch *w, uint32_t events) {
        n_ready++;
        for (int i = 0; i < 2; i++)
                log_loop_watch(&loop, &watches[i], 0);
}

START_TEST(removed_in_the_same_batch) {
        int a[2], b[2];
        n_ready = 0;
        ck_assert_int_eq(pipe(a), 0);
        ck_assert_int_eq(pipe(b), 0);
        ck_assert_int_eq(log_loop_init(&loop), 0);
        watches[0] = (LoopWatch){.fd = a[0], .on_ready = remove_both};
        watches[1] = (LoopWatch){.fd = b[0], .on_ready = remove_both};
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(log_loop_watch(&loop, &watches[i], EPOLLIN), 0);
        ck_assert_int_eq(write(a[1], "x", 1), 1);
        ck_assert_int_eq(write(b[1], "x", 1), 1);
        log_loop_turn(&loop);
        ck_assert_int_eq(n_ready, 1);
        log_loop_done(&loop);
        fd_close_many(a, 2);
        fd_close_many(b, 2);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-loop");
        TCase *t = tcase_create("log-loop");
        tcase_add_test(t, timers_in_order);
        tcase_add_test(t, one_step_a_turn);
        tcase_add_test(t, removed_in_the_same_batch);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
