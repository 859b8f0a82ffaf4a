/* test-restart.c - policy x end x history x clock, row by row. */
#include "pool/restart.h"
#include <check.h>
#include <signal.h>

#define MS USEC_PER_MSEC
#define S USEC_PER_SEC

typedef enum End { CODE_0, CODE_1, CODE_3, SIGNAL_9, NO_START } End;

static const ExitStatus ends[] = {
        [CODE_0] = { .exit = { .code = CLD_EXITED, .status = 0 } },
        [CODE_1] = { .exit = { .code = CLD_EXITED, .status = 1 } },
        [CODE_3] = { .exit = { .code = CLD_EXITED, .status = 3 } },
        [SIGNAL_9] = { .exit = { .code = CLD_KILLED, .status = SIGKILL } },
        [NO_START] = { .is_failure_to_start = true, .failure = { .stage = LAUNCH_EXEC, .error = ENOENT } },
};

static const RestartConfig plain = { .policy = RESTART_ALWAYS, .delay = 100 * MS, .max_delay = 30 * S, .factor = 2,
                                     .reset_after = 10 * S, .window = 60 * S, .n_success_codes = 1 };

/* @n_before: ends in a row before this one; @n_starts of them within the last second before now. */
static const struct {
        const char *what;
        RestartPolicy policy;
        End end;
        usec_t delay, max_delay;
        double factor;
        unsigned n_before;
        usec_t ran;
        unsigned limit, n_starts;
        usec_t started_ago;
        RestartVerdict verdict;
        usec_t wait;
} rows[] = {
        { "first end", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "clean, too", RESTART_ALWAYS, CODE_0, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "second", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 1, 1 * S, 0, 0, 0, RESTART_LATER, 200 * MS },
        { "third", RESTART_ALWAYS, SIGNAL_9, 100 * MS, 30 * S, 2, 2, 1 * S, 0, 0, 0, RESTART_LATER, 400 * MS },
        { "ninth", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 8, 1, 0, 0, 0, RESTART_LATER, 25600 * MS },
        { "cap", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 9, 1, 0, 0, 0, RESTART_LATER, 30 * S },
        { "cap for ever", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 4000000000u, 1, 0, 0, 0, RESTART_LATER, 30 * S },
        { "counter full", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, UINT32_MAX, 1, 0, 0, 0, RESTART_LATER, 30 * S },
        { "factor 1", RESTART_ALWAYS, CODE_1, 250 * MS, 30 * S, 1, 50, 1, 0, 0, 0, RESTART_LATER, 250 * MS },
        { "factor 1.5", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 1.5, 2, 1, 0, 0, 0, RESTART_LATER, 225 * MS },
        { "delay over cap", RESTART_ALWAYS, CODE_1, 60 * S, 30 * S, 2, 0, 1, 0, 0, 0, RESTART_LATER, 30 * S },
        { "forgiven", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 9, 10 * S, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "not quite", RESTART_ALWAYS, CODE_1, 100 * MS, 30 * S, 2, 3, 10 * S - 1, 0, 0, 0, RESTART_LATER, 800 * MS },
        { "delay 0", RESTART_ALWAYS, SIGNAL_9, 0, 30 * S, 2, 0, 1, 0, 0, 0, RESTART_NOW, 0 },
        { "delay 0, always", RESTART_ALWAYS, SIGNAL_9, 0, 30 * S, 2, 500, 1, 0, 0, 0, RESTART_NOW, 0 },
        { "delay 0, never up", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 0, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "delay 0, never up 4", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 3, 0, 0, 0, 0, RESTART_LATER, 800 * MS },
        { "delay 0, no start", RESTART_ALWAYS, NO_START, 0, 30 * S, 2, 0, 0, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "all 0, no start", RESTART_ALWAYS, NO_START, 0, 0, 1, 7, 0, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "no start, cap", RESTART_ALWAYS, NO_START, 100 * MS, 30 * S, 2, 99, 0, 0, 0, 0, RESTART_LATER, 30 * S },
        { "no start, small cap", RESTART_ALWAYS, NO_START, 100 * MS, 1 * S, 1, 99, 0, 0, 0, 0, RESTART_LATER, 1 * S },

        { "content", RESTART_ON_FAILURE, CODE_0, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_NEVER, 0 },
        { "success code", RESTART_ON_FAILURE, CODE_3, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_NEVER, 0 },
        { "failure", RESTART_ON_FAILURE, CODE_1, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "signal", RESTART_ON_FAILURE, SIGNAL_9, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_LATER, 100 * MS },
        { "failed start", RESTART_ON_FAILURE, NO_START, 100 * MS, 30 * S, 2, 0, 0, 0, 0, 0, RESTART_LATER, 100 * MS },

        { "never", RESTART_NEVER_AGAIN, CODE_0, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_NEVER, 0 },
        { "never, failure", RESTART_NEVER_AGAIN, CODE_1, 100 * MS, 30 * S, 2, 0, 1 * S, 0, 0, 0, RESTART_NEVER, 0 },
        { "never, signal", RESTART_NEVER_AGAIN, SIGNAL_9, 0, 30 * S, 2, 0, 0, 0, 0, 0, RESTART_NEVER, 0 },
        { "never, no start", RESTART_NEVER_AGAIN, NO_START, 0, 30 * S, 2, 0, 0, 0, 0, 0, RESTART_GIVE_UP, 0 },

        { "limit not reached", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 3, 2, 1 * S, RESTART_NOW, 0 },
        { "limit", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 3, 3, 1 * S, RESTART_GIVE_UP, 0 },
        { "limit, long up", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 20 * S, 3, 3, 59 * S, RESTART_GIVE_UP, 0 },
        { "limit, window over", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 3, 3, 60 * S, RESTART_NOW, 0 },
        { "limit, no start", RESTART_ALWAYS, NO_START, 0, 30 * S, 2, 0, 0, 1, 1, 1 * S, RESTART_GIVE_UP, 0 },
        { "limit, but content", RESTART_ON_FAILURE, CODE_0, 0, 30 * S, 2, 0, 1, 1, 9, 1 * S, RESTART_NEVER, 0 },
        { "largest limit", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 64, 64, 1 * S, RESTART_GIVE_UP, 0 },
        { "ring overrun", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 64, 200, 1 * S, RESTART_GIVE_UP, 0 },
        { "one short of it", RESTART_ALWAYS, CODE_1, 0, 30 * S, 2, 0, 1, 64, 63, 1 * S, RESTART_NOW, 0 },
};

START_TEST(test_row) {
        const usec_t now = 1000 * S, untouched = 77;
        RestartConfig p = plain;
        RestartHistory h = { .n_failures = rows[_i].n_before };
        usec_t delay = untouched;
        RestartVerdict v;

        p.policy = rows[_i].policy;
        p.delay = rows[_i].delay;
        p.max_delay = rows[_i].max_delay;
        p.factor = rows[_i].factor;
        p.limit = rows[_i].limit;
        p.success_codes[1] = 3;
        p.n_success_codes = 2;
        for (unsigned i = 0; i < rows[_i].n_starts; i++)
                restart_note_start(&h, now - rows[_i].started_ago);
        v = restart_next(&p, &h, &ends[rows[_i].end], rows[_i].ran, now, UINT64_MAX / 2, &delay);
        ck_assert_msg(v == rows[_i].verdict, "%s: verdict %d", rows[_i].what, (int) v);
        ck_assert_msg(delay == (v == RESTART_LATER ? rows[_i].wait : untouched), "%s: %llu µs", rows[_i].what,
                      (unsigned long long) delay);
        ck_assert_uint_eq(h.n_restarts, v == RESTART_NOW || v == RESTART_LATER);
}
END_TEST

START_TEST(test_jitter) {
        static const uint64_t randoms[] = { 0, 1, UINT64_MAX / 4, UINT64_MAX / 2, UINT64_MAX - 1, UINT64_MAX };
        RestartConfig p = plain;

        p.jitter = 0.1;
        for (size_t i = 0; i < ARRAY_SIZE(randoms); i++) {
                RestartHistory h = { 0 };
                usec_t delay = 0;

                ck_assert_int_eq(restart_next(&p, &h, &ends[CODE_1], 1, S, randoms[i], &delay), RESTART_LATER);
                ck_assert_uint_ge(delay, 90 * MS - 1);
                ck_assert_uint_le(delay, 110 * MS);
        }
}
END_TEST

START_TEST(test_row_of_ends) {
        RestartHistory h = { 0 };
        usec_t delay = 0, want = 100 * MS;

        for (int i = 0; i < 12; i++, want = MIN(2 * want, 30 * S)) {
                ck_assert_int_eq(restart_next(&plain, &h, &ends[CODE_1], 1, S, UINT64_MAX / 2, &delay), RESTART_LATER);
                ck_assert_uint_eq(delay, want);
        }
        restart_forgive(&h);
        ck_assert_int_eq(restart_next(&plain, &h, &ends[CODE_1], 1, S, UINT64_MAX / 2, &delay), RESTART_LATER);
        ck_assert_uint_eq(delay, 100 * MS);
        ck_assert_uint_eq(h.n_restarts, 13);
}
END_TEST

int main(void) {
        Suite *s = suite_create("restart");
        TCase *t = tcase_create("restart");
        SRunner *r;
        int n;

        tcase_add_loop_test(t, test_row, 0, (int) ARRAY_SIZE(rows));
        tcase_add_test(t, test_jitter);
        tcase_add_test(t, test_row_of_ends);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
