/* test-keeper-spare.c - processes forked ahead: the real drover-keeper, and templates that fork them at once, later, or never. */
#include "util-spare.h"
#include "util-template.h"
#include "base/fd.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define MANY 20 /* more spares than the keeper looks at after each turn */
#define TRIES 500 /* of something that depends on how quick the machine is just now */

static const char *const spoilers[] = TEMPLATE_SPOILERS;

START_TEST(used_at_once_and_later) {
        uint64_t g;

        open_with(_i, "fork");
        for (int i = 0; i < 50; i++) {
                g = launch_with(1, "0", 2, 3);
                use(2, g + 1, "21");
                use(3, g + 2, "22");
                expect_exit(1, g, 0);
                expect_exit(2, g + 1, 21);
                expect_exit(3, g + 2, 22);
                use(4, g + 3, "23");
                expect_exit(4, g + 3, 23);
        }
        bench_close(&b);
}
END_TEST

/* More of them than are looked at after each turn. */
START_TEST(used_before_they_are_born) {
        uint64_t g[MANY];

        open_with(_i, "hold");
        for (uint32_t i = 0; i < MANY; i++)
                g[i] = spare_in(10 + i);
        for (uint32_t i = 0; i < MANY; i++)
                use(10 + i, g[i], "21");
        expect_exit(1, launch_with(1, "release", 0, 0), 0);
        for (uint32_t i = 0; i < MANY; i++)
                expect_exit(10 + i, g[i], 21);
        bench_close(&b);
}
END_TEST

START_TEST(its_template_dies) {
        uint64_t used, unused;

        open_with(_i, "hold");
        used = spare_in(2);
        unused = spare_in(3);
        use(2, used, "0");
        kill_tree(BENCH_TEMPLATE_SLOT, template_generation);
        expect_failure(2, used, LAUNCH_TEMPLATE, ESRCH);
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        use(3, unused, "0"); /* it is free by now */
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        expect_exit(BENCH_TEMPLATE_SLOT, template_generation, SIGKILL);
        bench_close(&b);
}
END_TEST

/* Those that live go with it, but for the one that has begun. */
START_TEST(its_template_dies_after_their_birth) {
        uint64_t used, unused;

        open_with(_i, "fork");
        used = spare_in(2);
        unused = spare_in(3);
        use(2, used, "stay");
        (void) bench_wait(&b, KEEPER_STARTED, 2);
        kill_tree(BENCH_TEMPLATE_SLOT, template_generation);
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        expect_exit(BENCH_TEMPLATE_SLOT, template_generation, SIGKILL);
        kill_tree(2, used);
        expect_exit(2, used, SIGKILL);
        bench_close(&b);
}
END_TEST

/* What befell it before it was asked for something is no failure of who was given it. */
START_TEST(what_went_wrong_before) {
        static const struct {
                const char *manner, *word;
                LaunchStage stage;
                int error;
        } rows[] = {
                {"hold", "drop", LAUNCH_TEMPLATE, ESTALE},      {"refuse", "0", LAUNCH_TEMPLATE, ESTALE},
                {"unable", "0", LAUNCH_TEMPLATE, EOPNOTSUPP},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                uint64_t used, unused;

                open_with(_i, rows[i].manner);
                used = launch_with(1, "0", 2, 2) + 1;
                unused = used + 1;
                use(2, used, "0");
                expect_exit(1, used - 1, 0);
                expect_exit(1, launch_with(1, rows[i].word, 0, 0), 0);
                expect_failure(2, used, rows[i].stage, rows[i].error);
                expect_failure(3, unused, rows[i].stage, rows[i].error);
                bench_close(&b);
        }
}
END_TEST

START_TEST(what_goes_wrong_after) {
        open_with(_i, "fork");
        for (size_t i = 0; i < 10 * SPARE_FAILURES; i++) {
                const SpareFailure *row = &spare_failures[i % SPARE_FAILURES];
                uint64_t g = spare_in(2);

                use(2, g, row->text);
                expect_failure(2, g, row->stage, row->error);
        }
        bench_close(&b);
}
END_TEST

START_TEST(killed_on_the_way) {
        uint64_t used, unused;

        open_with(_i, "hold");
        used = spare_in(2);
        unused = spare_in(3);
        use(2, used, "stay");
        kill_tree(2, used);
        kill_tree(3, unused);
        expect_failure(2, used, LAUNCH_KILLED, ESRCH);
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        expect_exit(1, launch_with(1, "release", 0, 0), 0); /* those come too late, and see it themselves */
        bench_close(&b);
}
END_TEST

START_TEST(a_launch_that_fails_prepares_its_spares) {
        KeeperMessage m;
        uint64_t g;

        open_with(_i, "fork");
        m = of_template(KEEPER_LAUNCH, 1, ++generation, LOG_KIND_NONE);
        g = generation;
        m.launch.n_fds = 5;
        m.launch.spares[0] = (KeeperSpare) {.slot = 2, .generation = ++generation};
        bench_send(&b, &m, NULL, 0);
        expect_failure(1, g, LAUNCH_PIPE, EMFILE);
        use(2, g + 1, "9");
        expect_exit(2, g + 1, 9);
        use(BENCH_TEMPLATE_SLOT, template_generation, "9"); /* which is no spare */
        use(5, ++generation, "9");                    /* nor was there ever one */
        expect_failure(5, generation, LAUNCH_TEMPLATE, ESTALE);
        ck_assert(!bench_has_seen(&b, KEEPER_FAILED, BENCH_TEMPLATE_SLOT));
        bench_close(&b);
}
END_TEST

/* After ones that ended at once nobody looks at the next for a moment: what it says comes in the right order all the same. */
START_TEST(one_that_stays_after_brief_ones) {
        open_with(_i, "fork");
        for (int i = 0; i < 30; i++) {
                uint64_t g = spare_in(2);

                use(2, g, "0");
                expect_exit(2, g, 0);
                g = spare_in(2);
                use_as(2, g, i % 2 == 0 ? "ready" : "stay", LOG_KIND_FILE, i % 2 == 0 ? KEEPER_LAUNCH_READY_PIPE : 0);
                if (i % 2 == 0)
                        (void) bench_wait(&b, KEEPER_READY, 2);
                ck_assert(i % 2 == 1 || bench_has_seen(&b, KEEPER_STARTED, 2));
                (void) bench_wait(&b, KEEPER_STARTED, 2);
                kill_tree(2, g);
                expect_exit(2, g, SIGKILL);
        }
        bench_close(&b);
}
END_TEST

/* It is ready before anybody has looked at it, and what it says goes to the log while it lives. */
START_TEST(one_that_talks_after_a_brief_one) {
        open_with(_i, "fork");
        for (int i = 0; i < 10; i++) {
                uint64_t g = spare_in(2);
                size_t n_fds = 0;
                int fds[2];

                use(2, g, "0");
                expect_exit(2, g, 0);
                g = spare_in(2);
                use_as(2, g, "talk", LOG_KIND_FILE, KEEPER_LAUNCH_READY_PIPE);
                ck_assert_uint_eq(bench_wait_logger(&b, LOGGER_ATTACH, fds, 2, &n_fds).slot, 2);
                ck_assert_uint_eq(n_fds, 2);
                fd_close_many(fds, 2);
                bench_detach(&b, 2, g);
                (void) bench_wait(&b, KEEPER_STARTED, 2);
                kill_tree(2, g);
                expect_exit(2, g, SIGKILL);
                (void) bench_wait(&b, KEEPER_READY, 2);
        }
        bench_close(&b);
}
END_TEST

START_TEST(its_last_words) {
        open_with(_i, "fork");
        for (int i = 0; i < 20; i++) {
                uint64_t g = spare_in(2);
                char text[64];
                size_t n_fds = 0;
                int fds[2];
                ssize_t n;

                use_as(2, g, "out hello", LOG_KIND_FILE, 0);
                ck_assert_uint_eq(bench_wait_logger(&b, LOGGER_ATTACH, fds, 2, &n_fds).slot, 2);
                ck_assert_uint_eq(n_fds, 2);
                n = read(fds[0], text, sizeof(text));
                ck_assert_int_eq(n, 5);
                ck_assert(memcmp(text, "hello", 5) == 0);
                ck_assert_int_eq(read(fds[0], text, sizeof(text)), 0);
                fd_close_many(fds, 2);
                bench_detach(&b, 2, g);
                expect_exit(2, g, 0);
        }
        bench_close(&b);
}
END_TEST

/* Is the leaf of the next spare the one that @g had, which was asked for @text? -1: there are no leaves here. */
static int is_used_again(const char *text, bool is_killed) {
        char leaf[4200], name[64];
        uint64_t first = spare_in(2), next;
        int r;

        if (is_killed)
                kill_tree(2, first);
        else
                use(2, first, text);
        (void) end_of(2, first);
        while (bench_has_seen(&b, KEEPER_STARTED, 2))
                (void) bench_wait(&b, KEEPER_STARTED, 2);
        next = spare_in(2);
        use(2, next, "stay");
        (void) snprintf(name, sizeof(name), "/" KEEPER_SPARE_NAME ".2.%llu", (unsigned long long) next);
        r = template_leaf(bench_wait(&b, KEEPER_STARTED, 2).started.pid, leaf, sizeof(leaf)) ? !strstr(leaf, name) : -1;
        kill_tree(2, next); /* which spoils it */
        expect_exit(2, next, SIGKILL);
        return r;
}

START_TEST(leaves_are_used_again) {
        int r = 0;

        open_with(_i, "fork");
        for (int i = 0; i < TRIES && r == 0; i++) /* it must have ended before it was looked at */
                r = is_used_again("0", false);
        ck_assert_int_ne(r, 0);
        for (int i = 0; i < 5; i++) {
                ck_assert_int_le(is_used_again(NULL, true), 0);
                for (size_t j = 0; j < ARRAY_SIZE(spoilers); j++)
                        ck_assert_msg(is_used_again(spoilers[j], false) <= 0, "%s", spoilers[j]);
        }
        bench_close(&b);
}
END_TEST

int main(int argc, char **argv) {
        const KeeperCase cases[] = {
                CASE(used_at_once_and_later), CASE(used_before_they_are_born), CASE(its_template_dies),
                CASE(its_template_dies_after_their_birth), CASE(what_went_wrong_before), CASE(what_goes_wrong_after),
                CASE(killed_on_the_way), CASE(a_launch_that_fails_prepares_its_spares),
                CASE(one_that_stays_after_brief_ones),
                CASE(one_that_talks_after_a_brief_one), CASE(its_last_words), CASE(leaves_are_used_again),
        };

        return spare_test_main(argc, argv, "keeper-spare", cases, ARRAY_SIZE(cases));
}
