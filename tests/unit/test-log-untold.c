/* test-log-untold.c - word of dropped lines that waits: added up, in order, bounded. */
#include "logger/log-untold.h"
#include <check.h>
#include <stdio.h>

static void add(LogUntold *u, const char *worker, uint32_t stream, uint64_t n, bool is_over) {
        LogMessageDropped d = {.worker = worker, .stream = stream, .n_lines = n, .n_bytes = 10 * n, .error = 28, .is_over = is_over};
        ck_assert_int_eq(log_untold_add(u, &d), 0);
}

static void is_next(LogUntold *u, const char *worker, uint32_t stream, uint64_t n, bool is_over) {
        LogMessageDropped d;
        ck_assert(log_untold_next(u, &d));
        ck_assert_str_eq(d.worker, worker);
        ck_assert_uint_eq(d.stream, stream);
        ck_assert_uint_eq(d.n_lines, n);
        ck_assert_uint_eq(d.n_bytes, 10 * n);
        ck_assert_int_eq(d.is_over, is_over);
        log_untold_took(u);
}

START_TEST(adds_up) {
        LogUntold u = {};
        LogMessageDropped d;
        add(&u, "a/0", 1, 1, false);
        add(&u, "b/0", 1, 2, false);
        add(&u, "a/0", 1, 5, true); /* instead of its beginning */
        add(&u, "a/0", 2, 7, false);
        add(&u, "a/0", 1, 3, false); /* once more */
        add(&u, "a/0", 1, 4, false);
        is_next(&u, "b/0", 1, 2, false);
        add(&u, "a/0", 1, 6, true);
        is_next(&u, "a/0", 1, 11, true);
        is_next(&u, "a/0", 2, 7, false);
        ck_assert(!log_untold_next(&u, &d));
        log_untold_took(&u);
        log_untold_done(&u);
}
END_TEST

START_TEST(bounded) {
        LogUntold u = {};
        char name[20];
        for (unsigned i = 0; i < LOG_UNTOLD_MAX; i++) {
                snprintf(name, sizeof name, "a/%u", i);
                add(&u, name, 1, i, false);
        }
        LogMessageDropped more = {.worker = "more", .stream = 1, .n_lines = 1};
        ck_assert_int_eq(log_untold_add(&u, &more), -ENOSPC);
        add(&u, "a/0", 1, 9, true); /* what is known has room */
        is_next(&u, "a/1", 1, 1, false);
        log_untold_done(&u);
        ck_assert_uint_eq(u.n, 0);
}
END_TEST

int main(void) {
        Suite *s = suite_create("log-untold");
        TCase *t = tcase_create("log-untold");
        tcase_add_test(t, adds_up);
        tcase_add_test(t, bounded);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
