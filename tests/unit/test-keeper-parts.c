/* test-keeper-parts.c - the table, the queue that cannot grow, back-off, steps of the set-up. */
#include "keeper/child-setup.h"
#include "keeper/peer-link.h"
#include "keeper/program.h"
#include "keeper/slot.h"
#include "keeper/spawn.h"
#include "base/fd.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static const LogSpec no_log;

START_TEST(a_slot_is_one_process) {
        SlotTable *t = NULL;
        char leaf[SLOT_LEAF_MAX];
        Slot *s;

        ck_assert_int_eq(slot_table_new(&t), 0);
        ck_assert_ptr_null(slot_take(t, KEEPER_SLOTS_MAX, 1, "x", &no_log));
        s = slot_take(t, KEEPER_SLOTS_MAX - 1, 7, "web/0", &no_log);
        ck_assert_ptr_nonnull(s);
        ck_assert_ptr_null(slot_take(t, KEEPER_SLOTS_MAX - 1, 8, "web/0", &no_log));
        ck_assert_ptr_eq(slot_find(t, KEEPER_SLOTS_MAX - 1, 7), s);
        ck_assert_ptr_null(slot_find(t, KEEPER_SLOTS_MAX - 1, 8));
        ck_assert_ptr_null(slot_find(t, 0, 0));
        ck_assert_ptr_null(slot_find(t, UINT32_MAX, 7));
        ck_assert_str_eq(slot_leaf(t, s, leaf), "web:0.32767.7");
        slot_release(t, s);
        ck_assert_ptr_null(slot_find(t, KEEPER_SLOTS_MAX - 1, 7));
        ck_assert_uint_eq(t->n_used, 0);
        ck_assert_ptr_null(slot_table_free(t));
}
END_TEST

START_TEST(pids_find_their_slots) {
        SlotTable *t = NULL;
        Slot *a, *c, *d;

        ck_assert_int_eq(slot_table_new(&t), 0);
        a = slot_take(t, 1, 1, "a", &no_log);
        c = slot_take(t, 2, 1, "a", &no_log);
        d = slot_take(t, 3, 1, "d", &no_log);
        slot_set_pid(t, a, 100);
        slot_set_pid(t, c, 100 + (pid_t) SLOT_BUCKETS); /* the same bucket */
        slot_set_pid(t, d, 100 + 2 * (pid_t) SLOT_BUCKETS);
        ck_assert_ptr_eq(slot_by_pid(t, 100), a);
        ck_assert_ptr_eq(slot_by_pid(t, 100 + (pid_t) SLOT_BUCKETS), c);
        ck_assert(slot_has_name_alive(t, "a", a) && !slot_has_name_alive(t, "d", d));
        slot_clear_pid(t, c);
        ck_assert_ptr_null(slot_by_pid(t, 100 + (pid_t) SLOT_BUCKETS));
        ck_assert_ptr_eq(slot_by_pid(t, 100), a);
        ck_assert_ptr_eq(slot_by_pid(t, 100 + 2 * (pid_t) SLOT_BUCKETS), d);
        ck_assert(!slot_has_name_alive(t, "a", a));
        ck_assert_int_eq(c->leader, 100 + (pid_t) SLOT_BUCKETS);
        ck_assert_uint_eq(t->n_alive, 2);
        (void) slot_table_free(t);
}
END_TEST

START_TEST(endings_are_a_set) {
        SlotTable *t = NULL;
        Slot *s[3];

        ck_assert_int_eq(slot_table_new(&t), 0);
        for (uint32_t i = 0; i < 3; i++) {
                s[i] = slot_take(t, i, 1, "x", &no_log);
                slot_add_ending(t, s[i]);
                slot_add_ending(t, s[i]);
        }
        ck_assert_uint_eq(t->n_endings, 3);
        slot_remove_ending(t, s[0]);
        slot_remove_ending(t, s[0]);
        ck_assert_uint_eq(t->n_endings, 2);
        slot_remove_ending(t, s[2]);
        slot_remove_ending(t, s[1]);
        ck_assert_uint_eq(t->n_endings, 0);
        (void) slot_table_free(t);
}
END_TEST

/* What was sent, as text: 'L' + bit for the line, 's' + slot + '.' + bit. */
static char sent[4096];
static size_t n_sent, room;

static int note(const char *kind, uint32_t slot, unsigned bit) {
        if (room == 0)
                return -EAGAIN;
        room--;
        n_sent += (size_t) snprintf(sent + n_sent, sizeof(sent) - n_sent, "%s%u.%u ", kind, slot, bit);
        return 0;
}

static int send_line(unsigned bit, void *userdata) {
        return note("L", 0, bit);
}

static int send_slot(uint32_t slot, unsigned bit, void *userdata) {
        return note("s", slot, bit);
}

static const PeerLinkHooks hooks = {send_line, send_slot};

START_TEST(what_is_due_is_sent_in_order) {
        PeerLink l;

        ck_assert_int_eq(peer_link_init(&l, &hooks, NULL), 0);
        n_sent = 0;
        peer_link_due_slot(&l, 1, 1); /* no peer: forgotten */
        ck_assert(peer_link_is_idle(&l));
        peer_link_open(&l, dup(0));
        peer_link_due_tail(&l, 1);
        peer_link_due_slot(&l, 9, 2);
        peer_link_due_slot(&l, 4, 1);
        peer_link_due_slot(&l, 9, 0);
        peer_link_due_slot(&l, 9, 2);
        peer_link_due_head(&l, 0);
        for (room = 0; !peer_link_is_idle(&l);) { /* one packet at a time */
                ck_assert_int_eq(peer_link_flush(&l), 0);
                ck_assert(l.is_blocked || peer_link_is_idle(&l));
                l.is_blocked = false;
                room = 1;
        }
        ck_assert_str_eq(sent, "L0.0 s9.0 s9.2 s4.1 L0.1 ");
        peer_link_done(&l);
}
END_TEST

START_TEST(forgotten_slots_keep_the_list_whole) {
        PeerLink l;

        ck_assert_int_eq(peer_link_init(&l, &hooks, NULL), 0);
        peer_link_open(&l, dup(0));
        n_sent = 0;
        room = 100;
        for (uint32_t i = 0; i < 4; i++)
                peer_link_due_slot(&l, i, 0);
        peer_link_forget_slot(&l, 1);
        peer_link_forget_slot(&l, 3);
        peer_link_due_slot(&l, 3, 2); /* still listed, must not be listed twice */
        ck_assert_int_eq(peer_link_flush(&l), 0);
        ck_assert_str_eq(sent, "s0.0 s2.0 s3.2 ");
        ck_assert(peer_link_is_idle(&l));
        peer_link_due_slot(&l, 3, 1);
        peer_link_close(&l);
        ck_assert(peer_link_is_idle(&l));
        peer_link_done(&l);
}
END_TEST

static const struct {
        usec_t delay, lived, next;
} delays[] = {
        {0, 0, PROGRAM_DELAY_MIN_USEC},
        {0, PROGRAM_SHORT_LIFE_USEC, 0},
        {0, PROGRAM_SHORT_LIFE_USEC - 1, PROGRAM_DELAY_MIN_USEC},
        {PROGRAM_DELAY_MIN_USEC, 5, 2 * PROGRAM_DELAY_MIN_USEC},
        {4 * USEC_PER_SEC, 5, PROGRAM_DELAY_MAX_USEC},
        {PROGRAM_DELAY_MAX_USEC, 5, PROGRAM_DELAY_MAX_USEC},
        {PROGRAM_DELAY_MAX_USEC, USEC_PER_HOUR, 0},
};

START_TEST(short_lives_are_paced) {
        ck_assert_uint_eq(program_delay(delays[_i].delay, delays[_i].lived), delays[_i].next);
}
END_TEST

START_TEST(an_environment_without_the_keepers_own) {
        static char *own[] = {(char *) "A=1", (char *) "NOTIFY_SOCKET=/x", (char *) "WATCHDOG_USEC=1",
                              (char *) "LISTEN_FDS=1", (char *) "NOTIFY_SOCKETS=2", NULL};
        char **env = program_environment(own);

        ck_assert_str_eq(env[0], "A=1");
        ck_assert_str_eq(env[1], "NOTIFY_SOCKETS=2");
        ck_assert_str_eq(env[2], "DROVER_KEEPER_FD=3");
        ck_assert_ptr_null(env[3]);
        free(env[2]);
        free(env);
}
END_TEST

START_TEST(every_way_to_spawn) {
        SpawnMethod method = (SpawnMethod) _i;
        int pidfd = -EBADF, status;
        bool inside = false;
        pid_t pid = spawn(&method, -1, &pidfd, &inside);

        if (pid == 0)
                _exit(inside ? 1 : 42);
        ck_assert_int_gt(pid, 0);
        ck_assert_int_ge(pidfd, 0);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 42);
        (void) fd_close(pidfd);
}
END_TEST

START_TEST(a_small_descriptor_limit_comes_last) {
        static const LaunchLimit limits[] = {{RLIMIT_NOFILE, {16, 32}}, {RLIMIT_CORE, {0, 0}}};
        LaunchSpec s = {.limits = limits, .n_limits = 2};
        pid_t pid = fork();
        int status, detail = -1;

        if (pid == 0) {
                struct rlimit before, now;

                (void) getrlimit(RLIMIT_NOFILE, &before);
                if (child_apply_limits(&s, &detail) < 0 || getrlimit(RLIMIT_NOFILE, &now) < 0 ||
                    now.rlim_cur != before.rlim_cur)
                        _exit(1);
                if (child_apply_last_limit(&s, 1024) < 0 || getrlimit(RLIMIT_NOFILE, &now) < 0 || now.rlim_cur != 16 ||
                    now.rlim_max != 32)
                        _exit(2);
                _exit(getrlimit(RLIMIT_CORE, &now) < 0 || now.rlim_max != 0 ? 3 : 0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(pids_are_filled_in) {
        char a[] = "LISTEN_PID=", b[] = "WATCHDOG_PID=7", c[] = "WATCHDOG_PID=", d[] = "XLISTEN_PID=";
        char *env[] = {a, b, c, d, NULL};
        LaunchSpec s = {.env = env};

        child_fill_pids(&s, 4190305);
        ck_assert_str_eq(env[0], "LISTEN_PID=4190305");
        ck_assert_str_eq(env[1], "WATCHDOG_PID=7");
        ck_assert_str_eq(env[2], "WATCHDOG_PID=4190305");
        ck_assert_str_eq(env[3], "XLISTEN_PID=");
}
END_TEST

int main(void) {
        Suite *s = suite_create("keeper-parts");
        TCase *t = tcase_create("all");
        SRunner *runner = srunner_create(s);
        int n_failed;

        tcase_add_test(t, a_slot_is_one_process);
        tcase_add_test(t, pids_find_their_slots);
        tcase_add_test(t, endings_are_a_set);
        tcase_add_test(t, what_is_due_is_sent_in_order);
        tcase_add_test(t, forgotten_slots_keep_the_list_whole);
        tcase_add_loop_test(t, short_lives_are_paced, 0, (int) ARRAY_SIZE(delays));
        tcase_add_test(t, an_environment_without_the_keepers_own);
        tcase_add_loop_test(t, every_way_to_spawn, 0, _SPAWN_METHOD_MAX);
        tcase_add_test(t, a_small_descriptor_limit_comes_last);
        tcase_add_test(t, pids_are_filled_in);
        suite_add_tcase(s, t);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
