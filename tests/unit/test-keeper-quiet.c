/* test-keeper-quiet.c - spares that droverd uses without the keeper: the real drover-keeper, which hears of it later, or when one
 * of the others has died meanwhile. */
#include "util-spare.h"
#include "base/fd.h"
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define MANY 40 /* more than the keeper puts off looking at */
#define PROD_MSEC 5
#define LIVES 3 /* of droverd; each comes later than the one before */

static void look(void) {
        bench_send(&b, &(KeeperMessage) {.type = KEEPER_LOOK}, NULL, 0);
}

/* The keeper tells of a birth when it is awake anyway. */
static uint64_t born_in(uint32_t slot) {
        uint64_t g = spare_in(slot);

        while (!bench_has_seen(&b, KEEPER_SPARE_BORN, slot)) {
                struct pollfd p = {.fd = b.droverd.line, .events = POLLIN};

                look();
                if (poll(&p, 1, PROD_MSEC) == 1)
                        bench_pump(&b);
        }
        ck_assert_uint_eq(bench_wait(&b, KEEPER_SPARE_BORN, slot).generation, g);
        ck_assert_int_ge(b.born_fds[slot], 0);
        return g;
}

static void say_used(uint32_t slot, uint64_t g) {
        KeeperMessage m = of_template(KEEPER_SPARE_USED, slot, g, LOG_KIND_FILE);

        (void) snprintf(m.launch.name, sizeof(m.launch.name), "quiet/%u", slot);
        m.spare_used.at_usec = 12345678;
        ck_assert_int_eq(packet_send(b.quiet_fd, &m, keeper_message_size(m.type), NULL, 0), 0);
}

/* Return: as packet_send(). */
static int hand(uint32_t slot, const char *text) {
        char packet[64];
        int n = snprintf(packet, sizeof(packet), "launch %s", text), r = packet_send(b.born_fds[slot], packet, (size_t) n, NULL, 0);

        b.born_fds[slot] = fd_close(b.born_fds[slot]);
        return r;
}

static void use_quietly(uint32_t slot, uint64_t g, const char *text) {
        say_used(slot, g);
        ck_assert_int_eq(hand(slot, text), 0);
}

static void next_droverd(void) {
        (void) kill(b.droverd.pid, SIGKILL);
        bench_meet_droverd(&b);
        bench_pass_table(&b, NULL);
}

/* As end_of(), where it may be part of the table of a new life. */
static KeeperMessage end_of_former(uint32_t slot, uint64_t g) {
        KeeperMessage m = bench_wait(&b, KEEPER_SLOT, slot), ack = {.type = KEEPER_ACK, .slot = slot, .generation = g}, end = {0};
        char name[16];

        (void) snprintf(name, sizeof(name), "quiet/%u", slot);
        ck_assert_str_eq(m.slot_info.name, name);
        if (m.slot_info.state != KEEPER_SLOT_ENDED)
                return end_of(slot, g);
        if (!m.slot_info.is_drained) {
                await_drained(slot);
                (void) bench_wait(&b, KEEPER_DRAINED, slot);
        }
        bench_send(&b, &ack, NULL, 0);
        end.type = m.slot_info.is_failed ? KEEPER_FAILED : KEEPER_EXITED;
        if (m.slot_info.is_failed)
                end.failed = m.slot_info.failed;
        else
                end.exited = m.slot_info.exited;
        return end;
}

START_TEST(one_that_ends_wakes_it) {
        open_with(_i, "fork");
        for (int i = 0; i < 50; i++) {
                uint64_t g = born_in(2);
                KeeperMessage m;

                use_quietly(2, g, i % 2 == 0 ? "21" : "0");
                m = bench_wait(&b, KEEPER_STARTED, 2);
                ck_assert_uint_eq(m.started.at_usec, 12345678);
                expect_exit(2, g, i % 2 == 0 ? 21 : 0);
        }
        bench_close(&b);
}
END_TEST

START_TEST(one_that_stays_is_looked_at) {
        open_with(_i, "fork");
        for (int i = 0; i < 10; i++) {
                uint64_t g = born_in(2);

                use_quietly(2, g, "stay");
                look();
                ck_assert_int_gt(bench_wait(&b, KEEPER_STARTED, 2).started.pid, 1);
                kill_tree(2, g);
                expect_exit(2, g, SIGKILL);
        }
        bench_close(&b);
}
END_TEST

/* Nobody has looked so far: whoever is killed is the launch, not the spare. */
START_TEST(a_signal_is_for_the_launch) {
        open_with(_i, "fork");
        for (int i = 0; i < 10; i++) {
                uint64_t g = born_in(2);
                KeeperMessage m = {.type = KEEPER_SIGNAL, .slot = 2, .generation = g, .signal.number = SIGTERM};

                use_quietly(2, g, "stay");
                bench_send(&b, &m, NULL, 0);
                m = end_of(2, g);
                ck_assert(m.type == KEEPER_EXITED ? m.exited.status == SIGTERM : m.failed.stage == LAUNCH_KILLED);
                while (bench_has_seen(&b, KEEPER_STARTED, 2))
                        (void) bench_wait(&b, KEEPER_STARTED, 2);
        }
        bench_close(&b);
}
END_TEST

START_TEST(many_at_once) {
        uint64_t g[MANY];

        open_with(_i, "fork");
        for (uint32_t i = 0; i < MANY; i++)
                g[i] = born_in(10 + i);
        for (uint32_t i = 0; i < MANY; i++)
                use_quietly(10 + i, g[i], i % 4 == 0 ? "stay" : "7");
        for (uint32_t i = 0; i < MANY; i++)
                if (i % 4 != 0)
                        expect_exit(10 + i, g[i], 7);
        look();
        for (uint32_t i = 0; i < MANY; i += 4) {
                (void) bench_wait(&b, KEEPER_STARTED, 10 + i);
                kill_tree(10 + i, g[i]);
                expect_exit(10 + i, g[i], SIGKILL);
        }
        bench_close(&b);
}
END_TEST

/* What goes wrong before "begun" has run nothing: the launch is made anew. */
START_TEST(nothing_of_it_has_run) {
        open_with(_i, "fork");
        for (size_t i = 0; i < 4 * SPARE_FAILURES; i++) {
                const SpareFailure *row = &spare_failures[i % SPARE_FAILURES];
                uint64_t g = born_in(2);

                use_quietly(2, g, row->text);
                expect_failure(2, g, row->stage, row->error);
        }
        bench_close(&b);
}
END_TEST

START_TEST(droverd_dies_before_it_hands_the_request) {
        open_with(_i, "fork");
        for (int i = 0; i < LIVES; i++) {
                uint64_t g = born_in(2);
                KeeperMessage m;

                say_used(2, g);
                next_droverd();
                ck_assert_int_eq(hand(2, "0"), -EPIPE);
                m = end_of_former(2, g);
                ck_assert_uint_eq(m.type, KEEPER_FAILED);
                ck_assert(m.failed.stage == LAUNCH_TEMPLATE && m.failed.error == ESTALE);
        }
        bench_close(&b);
}
END_TEST

START_TEST(droverd_dies_after_it) {
        open_with(_i, "fork");
        for (int i = 0; i < LIVES; i++) {
                uint64_t stays = born_in(2), ends = born_in(3);
                KeeperMessage m;

                use_quietly(2, stays, "stay");
                use_quietly(3, ends, "9");
                next_droverd();
                kill_tree(2, stays);
                m = end_of_former(3, ends);
                ck_assert(m.type == KEEPER_EXITED && m.exited.status == 9);
                m = end_of_former(2, stays);
                ck_assert(m.type == KEEPER_EXITED ? m.exited.status == SIGKILL : m.failed.stage == LAUNCH_KILLED);
                while (bench_has_seen(&b, KEEPER_STARTED, 2))
                        (void) bench_wait(&b, KEEPER_STARTED, 2);
        }
        bench_close(&b);
}
END_TEST

/* Those that are used by then do not notice, whether they have begun or not. */
START_TEST(its_template_dies) {
        for (int i = 0; i < 10; i++) {
                uint64_t early, late, unused;

                open_with(_i, "fork");
                early = born_in(2);
                late = born_in(3);
                unused = born_in(4);
                use_quietly(2, early, "stay");
                say_used(3, late);
                kill_tree(BENCH_TEMPLATE_SLOT, template_generation);
                expect_exit(BENCH_TEMPLATE_SLOT, template_generation, SIGKILL);
                ck_assert_int_eq(hand(4, "0"), -EPIPE);
                expect_failure(4, unused, LAUNCH_TEMPLATE, ESTALE);
                ck_assert_int_eq(hand(3, "5"), 0);
                expect_exit(3, late, 5);
                look();
                (void) bench_wait(&b, KEEPER_STARTED, 2);
                kill_tree(2, early);
                expect_exit(2, early, SIGKILL);
                bench_close(&b);
        }
}
END_TEST

/* Its end is told as that of the launch, which came too late. */
START_TEST(it_has_died_before) {
        open_with(_i, "fork");
        for (int i = 0; i < 10; i++) {
                uint64_t g = born_in(2);

                kill_tree(2, g);
                while (!bench_has_seen(&b, KEEPER_FAILED, 2))
                        bench_pump(&b);
                say_used(2, g);
                (void) hand(2, "0"); /* its template may have the other end open still */
                expect_failure(2, g, LAUNCH_TEMPLATE, ESTALE);
        }
        bench_close(&b);
}
END_TEST

START_TEST(what_is_no_use_of_a_spare) {
        KeeperMessage m = {.type = KEEPER_PING};
        uint64_t g;

        open_with(_i, "fork");
        say_used(BENCH_TEMPLATE_SLOT, template_generation);
        say_used(5, ++generation);
        ck_assert_int_eq(packet_send(b.quiet_fd, &m, keeper_message_size(m.type), NULL, 0), 0);
        ck_assert_int_eq(packet_send(b.quiet_fd, "x", 1, NULL, 0), 0);
        g = born_in(2);
        use_quietly(2, g, "3");
        expect_exit(2, g, 3);
        bench_close(&b);
}
END_TEST

int main(int argc, char **argv) {
        const KeeperCase cases[] = {
                CASE(one_that_ends_wakes_it), CASE(one_that_stays_is_looked_at), CASE(a_signal_is_for_the_launch), CASE(many_at_once),
                CASE(nothing_of_it_has_run), CASE(droverd_dies_before_it_hands_the_request), CASE(droverd_dies_after_it),
                CASE(its_template_dies), CASE(it_has_died_before), CASE(what_is_no_use_of_a_spare),
        };

        return spare_test_main(argc, argv, "keeper-quiet", cases, ARRAY_SIZE(cases));
}
