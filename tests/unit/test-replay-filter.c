/* Tests of ctl/replay-filter and ctl/json-relax. */
#include "ctl/json-relax.h"
#include "ctl/replay-filter.h"
#include <check.h>
#include <stdio.h>

#define T0 (1000000 * USEC_PER_SEC)

static ReplayFilter filter;

static bool pass(const char *line, usec_t time) {
        return replay_filter_pass(&filter, "web/0", "stdout", line, time);
}

START_TEST(without_replay_all_pass) {
        replay_filter_start(&filter, T0);
        for (int i = 0; i < 3; i++)
                ck_assert(pass("same", T0));
        ck_assert(pass("older", T0 - USEC_PER_HOUR));
}
END_TEST

START_TEST(a_replay_shows_only_what_is_new) {
        replay_filter_start(&filter, T0);
        ck_assert(pass("history", T0 - USEC_PER_HOUR));
        ck_assert(pass("tick", T0 + 1000));
        ck_assert(pass("tick", T0 + 2000));
        replay_filter_again(&filter, T0 + 10000);
        ck_assert(!pass("older still", T0 - 2 * USEC_PER_HOUR));
        ck_assert(!pass("history", T0 - USEC_PER_HOUR));
        ck_assert(!pass("tick", T0 + 900)); /* times on disk are coarser */
        ck_assert(!pass("tick", T0 + 900));
        ck_assert(pass("tick", T0 + 900)); /* the third of them was written meanwhile */
        ck_assert(pass("gap", T0 + 5000));
        ck_assert(pass("tick", T0 + 20000)); /* live again */
        replay_filter_again(&filter, T0 + 30000);
        ck_assert(!pass("gap", T0 + 5000));
        ck_assert(!pass("tick", T0 + 20000));
        ck_assert(pass("end", T0 + 25000));
}
END_TEST

/* Times come in whole milliseconds: one of the first may seem to be older than the start. */
START_TEST(the_first_millisecond_counts) {
        replay_filter_start(&filter, T0 + 999);
        ck_assert(pass("tick", T0));
        replay_filter_again(&filter, T0 + 999);
        ck_assert(!pass("older", T0 - USEC_PER_MSEC));
        ck_assert(!pass("tick", T0));
        ck_assert(pass("tick", T0)); /* of the gap */
}
END_TEST

START_TEST(workers_and_streams_differ) {
        replay_filter_start(&filter, T0);
        ck_assert(pass("x", T0 + 1));
        replay_filter_again(&filter, T0 + 10);
        ck_assert(replay_filter_pass(&filter, "web/1", "stdout", "x", T0 + 1));
        ck_assert(replay_filter_pass(&filter, "web/0", "stderr", "x", T0 + 1));
        ck_assert(!pass("x", T0 + 1));
}
END_TEST

START_TEST(a_full_ring_forgets_the_oldest) {
        char line[32];

        replay_filter_start(&filter, T0);
        for (unsigned i = 0; i < REPLAY_RING + 100; i++) {
                snprintf(line, sizeof(line), "%u", i);
                ck_assert(pass(line, T0 + i * USEC_PER_SEC));
        }
        replay_filter_again(&filter, T0 + USEC_PER_HOUR * 10);
        for (unsigned i = 0; i < REPLAY_RING + 100; i++) {
                snprintf(line, sizeof(line), "%u", i);
                ck_assert_msg(!pass(line, T0 + i * USEC_PER_SEC), "%u", i);
        }
}
END_TEST

static const struct {
        const char *in, *out;
} relaxed[] = {
        {"{\"a\": [1, 2,], // c\n}", "{\"a\": [1, 2 ]      \n}"},
        {"{ # x\n\"a//b\": \"/*,]\", }", "{    \n\"a//b\": \"/*,]\"  }"},
        {"[1, /*,*/ ]", "[1        ]"},
        {"[1,,]", "[1, ]"},
        {"{,}", "{,}"},
        {"[\"\\\",]\",]", "[\"\\\",]\" ]"},
        {"/* open", "/* open"},
        {"\"open", "\"open"},
        {"", ""},
};

START_TEST(comments_and_commas_become_space) {
        char text[64];
        size_t n = strlen(relaxed[_i].in);

        memcpy(text, relaxed[_i].in, n + 1);
        json_relax(text, n);
        ck_assert_str_eq(text, relaxed[_i].out);
}
END_TEST

int main(void) {
        Suite *s = suite_create("replay-filter");
        TCase *t = tcase_create("replay-filter");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, without_replay_all_pass);
        tcase_add_test(t, a_replay_shows_only_what_is_new);
        tcase_add_test(t, the_first_millisecond_counts);
        tcase_add_test(t, workers_and_streams_differ);
        tcase_add_test(t, a_full_ring_forgets_the_oldest);
        tcase_add_loop_test(t, comments_and_commas_become_space, 0, ARRAY_SIZE(relaxed));
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
