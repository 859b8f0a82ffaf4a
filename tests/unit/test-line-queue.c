/* test-line-queue.c - bounds and drops of a reader's queue. */
#include "logger/line-queue.h"
#include <check.h>

static void add(LineQueue *q, size_t n, bool is_continued) {
        static uint8_t text[LOGGER_LINE_MAX];
        LoggerLine line = {.n_bytes = (uint32_t) n, .is_continued = is_continued};
        line_queue_add(q, &line, text);
}

START_TEST(whole_lines_only) {
        LineQueue q = {};
        ck_assert_uint_eq(line_queue_peek(&q, 1000), 0);
        add(&q, 100, false);
        add(&q, 0, false);
        add(&q, 200, false);
        ck_assert_uint_eq(line_queue_peek(&q, 1), 116); /* one at least */
        ck_assert_uint_eq(line_queue_peek(&q, 140), 132);
        ck_assert_uint_eq(line_queue_peek(&q, 1000), 348);
        line_queue_take(&q, 132);
        ck_assert_uint_eq(line_queue_peek(&q, 1000), 216);
        line_queue_take(&q, 216);
        ck_assert_uint_eq(line_queue_length(&q), 0);
        line_queue_done(&q);
}
END_TEST

START_TEST(drops_are_one_gap) {
        LineQueue q = {};
        size_t n = 0;
        while (q.n_dropped == 0) {
                add(&q, 1000, false);
                n++;
        }
        ck_assert_uint_le(line_queue_length(&q), LINE_QUEUE_MAX);
        ck_assert_uint_eq((n - 1) * 1016, line_queue_length(&q));
        add(&q, 10, true); /* would fit, but is behind the gap; a piece is no line */
        add(&q, 10, false);
        ck_assert_uint_eq(q.n_dropped, 2);
        line_queue_take(&q, line_queue_length(&q));
        ck_assert_uint_eq(q.capacity, 0); /* a large buffer is given back */
        q.n_dropped = 0;
        add(&q, 10, false);
        ck_assert_uint_eq(line_queue_length(&q), 26);
        line_queue_done(&q);
}
END_TEST

int main(void) {
        Suite *s = suite_create("line-queue");
        TCase *t = tcase_create("line-queue");
        tcase_add_test(t, whole_lines_only);
        tcase_add_test(t, drops_are_one_gap);
        suite_add_tcase(s, t);
        SRunner *r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        int failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
