/* test-access.c - roles, quotas, penalties, the rate of the audit: the pure rules, and the kernel's word on a peer. */
#include "control/access.h"
#include "control/audit.h"
#include "control/control.h"
#include "control/penalty.h"
#include "control/uid-book.h"

#include "base/fd.h"
#include <check.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- roles ---- */

static uid_t bob[] = {1000}, eve_bob[] = {1000, 1001};
static gid_t ops[] = {50}, staff[] = {60};

static const AccessConfig rules_of[] = {
        {.roles = {[ROLE_OBSERVE] = {.gids = staff, .n_gids = 1}, [ROLE_OPERATE] = {.uids = bob, .n_uids = 1}}},
        {.roles = {[ROLE_OBSERVE] = {.everybody = true}, [ROLE_ADMINISTER] = {.gids = ops, .n_gids = 1}}},
        {.roles = {[ROLE_SUBMIT] = {.uids = eve_bob, .n_uids = 2}}},
        {.roles = {[ROLE_OBSERVE] = {.gids = ops, .n_gids = 1}}},
};

static const struct {
        int rules; /* -1: no configuration */
        uid_t uid;
        gid_t gid, group; /* group: a supplementary one; 0: none */
        bool has_socket_group; /* 50 */
        AccessClass level;
} levels[] = {
        {-1, 0, 0, 0, false, ACCESS_ADMINISTER},
        {-1, 77, 0, 0, false, ACCESS_ADMINISTER}, /* the daemon's own */
        {-1, 1000, 0, 0, false, ACCESS_PUBLIC},   /* group 0 is nothing */
        {-1, PEER_NONE, 0, 0, true, ACCESS_PUBLIC},
        {-1, 1000, 50, 0, false, ACCESS_PUBLIC},
        {-1, 1000, 50, 0, true, ACCESS_OPERATE},
        {-1, 1000, 7, 50, true, ACCESS_OPERATE},
        {0, 1000, 7, 0, false, ACCESS_OPERATE},
        {0, 1000, 60, 0, false, ACCESS_OPERATE}, /* the highest counts */
        {0, 1001, 60, 0, false, ACCESS_OBSERVE},
        {0, 1001, 7, 60, false, ACCESS_OBSERVE},
        {0, 1001, 7, 61, false, ACCESS_PUBLIC},
        {0, PEER_NONE, 60, 60, false, ACCESS_PUBLIC},
        {1, 1001, 7, 0, false, ACCESS_OBSERVE},
        {1, 1001, 50, 0, false, ACCESS_ADMINISTER},
        {1, PEER_NONE, 50, 0, true, ACCESS_PUBLIC}, /* nobody is not everybody */
        {1, 1001, 50, 0, true, ACCESS_ADMINISTER},
        {2, 1001, 7, 0, false, ACCESS_SUBMIT},
        {2, 1001, 50, 0, true, ACCESS_OPERATE},
        {3, 1001, 50, 0, true, ACCESS_OBSERVE}, /* the socket's group is named: that holds */
        {3, 1001, 7, 50, true, ACCESS_OBSERVE},
        {0, (uid_t) INT32_MAX + 1, 7, 0, false, ACCESS_PUBLIC},
        {0, 65534, 7, 0, false, ACCESS_PUBLIC},
};

START_TEST(test_level) {
        gid_t groups[] = {3, levels[_i].group};
        Peer p = {.uid = levels[_i].uid, .gid = levels[_i].gid, .groups = groups, .n_groups = levels[_i].group ? 2 : 1};
        AccessRules rules = {.own_uid = 77, .access = levels[_i].rules < 0 ? NULL : &rules_of[levels[_i].rules],
                             .has_socket_group = levels[_i].has_socket_group, .socket_gid = 50};

        ck_assert_int_eq(access_level(&rules, &p), levels[_i].level);
}
END_TEST

START_TEST(test_names) {
        ck_assert_str_eq(access_class_to_string(ACCESS_PUBLIC), "none");
        ck_assert_str_eq(access_class_to_string(ACCESS_SUBMIT), "submit");
        ck_assert_str_eq(access_class_to_string((AccessClass) 9), "none");
}
END_TEST

/* ---- the kernel's word ---- */

START_TEST(test_peer) {
        Peer p = {.uid = PEER_NONE};
        char comm[PEER_COMM_MAX];
        int pair[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(peer_read(pair[0], &p), 0);
        ck_assert_uint_eq(p.uid, geteuid());
        ck_assert(peer_has_group(&p, getegid()));
        ck_assert_int_eq((int) p.n_groups, getgroups(0, NULL));
        ck_assert_uint_lt(strlen(peer_comm(pair[0], comm)), PEER_COMM_MAX);
        peer_done(&p);
        ck_assert_uint_eq(p.uid, PEER_NONE);
        ck_assert(!peer_has_group(&p, (gid_t) -1));
        close(pair[0]);
        close(pair[1]);
}
END_TEST

/* More groups than the first buffer holds. */
START_TEST(test_peer_of_many_groups) {
        gid_t groups[1000];
        pid_t child;
        int status;

        if (geteuid() != 0)
                return;
        for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
                groups[i] = (gid_t) (100000 + i);
        child = fork();
        if (child == 0) {
                Peer p;
                int pair[2];

                if (setgroups(ARRAY_SIZE(groups), groups) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
                        _exit(1);
                if (peer_read(pair[0], &p) < 0 || p.n_groups != ARRAY_SIZE(groups))
                        _exit(2);
                _exit(peer_has_group(&p, 100999) && !peer_has_group(&p, 101000) ? 0 : 3);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
}
END_TEST

/* What cannot be told is no answer, and leaves what was there alone. */
START_TEST(test_peer_errors) {
        Peer p = {.uid = PEER_NONE};
        char comm[PEER_COMM_MAX];
        int ends[2], unconnected = socket(AF_UNIX, SOCK_STREAM, 0);

        ck_assert_int_eq(pipe(ends), 0);
        ck_assert_int_lt(peer_read(ends[0], &p), 0);
        ck_assert_int_lt(peer_read(-1, &p), 0);
        ck_assert_int_lt(peer_read(unconnected, &p), 0);
        ck_assert_uint_eq(p.uid, PEER_NONE);
        ck_assert_str_eq(peer_comm(ends[0], comm), "");
        close(unconnected);
        close(ends[0]);
        close(ends[1]);
}
END_TEST

/* ---- quotas ---- */

START_TEST(test_share) {
        static const struct {
                size_t total, others, own, n_users;
                bool is_allowed;
        } cases[] = {
                {100, 0, 50, 1, true},  {100, 0, 51, 1, false}, {100, 50, 16, 2, true}, {100, 50, 17, 2, false},
                {100, 100, 1, 1, false}, {100, 101, 0, 1, false}, {100, 100, 0, 9, true}, {0, 0, 0, 1, true},
                {SIZE_MAX, 0, SIZE_MAX / 2, 1, true},
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_msg(uid_share_allows(cases[i].total, cases[i].others, cases[i].own, cases[i].n_users) == cases[i].is_allowed,
                              "case %zu", i);
}
END_TEST

START_TEST(test_book) {
        static UidEntry *entries[64][CONTROL_CONNECTIONS_PER_UID_MAX];
        UidEntry *root;
        size_t counts[64] = {0}, n = 0;
        UidBook *b;
        int r;

        ck_assert_int_eq(uid_book_new(&b), 0);
        for (size_t u = 0; u < 64; u++) /* each takes what it gets; each newcomer gets something */
                while ((r = uid_book_enter(b, (uid_t) (1000 + u), false, &entries[u][counts[u]])) == 0) {
                        counts[u]++;
                        n++;
                        ck_assert(uid_book_is_sound(b));
                }
        ck_assert_uint_eq(counts[0], CONTROL_CONNECTIONS_PER_UID_MAX);
        for (size_t u = 1; u < 20; u++)
                ck_assert_uint_gt(counts[u], 0);
        ck_assert_uint_le(n, CONTROL_CONNECTIONS_MAX - CONTROL_CONNECTIONS_RESERVED);
        ck_assert_int_eq(uid_book_enter(b, 0, true, &root), 0);
        ck_assert_int_eq(uid_book_charge(root, UID_OUTPUT, 0, CONTROL_OUTPUT_PER_UID_MAX + 1), 0);
        ck_assert_int_eq(uid_book_charge(entries[0][0], UID_CALLS, 0, CONTROL_CALLS_PER_UID_MAX), 0);
        ck_assert(!uid_book_has_room(entries[0][0], UID_CALLS, 1));
        ck_assert_int_eq(uid_book_charge(entries[0][0], UID_CALLS, 0, 1), -EDQUOT);
        ck_assert_int_eq(uid_book_charge(entries[0][0], UID_CALLS, CONTROL_CALLS_PER_UID_MAX, 0), 0);
        ck_assert_int_eq(uid_book_charge(entries[0][0], UID_STREAMS, 0, CONTROL_STREAMS_PER_UID_MAX + 1), -EDQUOT);
        ck_assert(uid_book_has_room(root, UID_STREAMS, CONTROL_STREAMS_PER_UID_MAX + 1));
        ck_assert_int_eq(uid_book_charge(entries[0][0], UID_READS, 0, CONTROL_READS_PER_UID_MAX + 1), -EDQUOT);
        ck_assert(uid_book_has_room(root, UID_READS, CONTROL_READS_MAX));
        ck_assert(uid_book_is_sound(b));
        uid_book_leave(root);
        for (size_t u = 0; u < 64; u++)
                while (counts[u] > 0)
                        uid_book_leave(entries[u][--counts[u]]);
        ck_assert_uint_eq(uid_book_total(b, UID_CONNECTIONS), 0);
        ck_assert_uint_eq(uid_book_total(b, UID_OUTPUT), 0);
        uid_book_free(b);
}
END_TEST

/* ---- penalties ---- */

#define SEC USEC_PER_SEC

/* Offences enough for one refusal, all at @now. */
static PenaltyRecord punish(PenaltyRecord r, usec_t now) {
        while (penalty_left(&r, now) == 0)
                r = penalty_add(&r, PENALTY_DESCRIPTOR, now);
        return r;
}

START_TEST(test_penalty_record) {
        static const unsigned lengths[] = {1, 2, 4, 8, 16, 32, 60, 60};
        PenaltyRecord r = {0};
        usec_t now = 1000 * SEC;

        for (int i = 0; i < 49; i++)
                r = penalty_add(&r, PENALTY_PROTOCOL, now);
        ck_assert_uint_eq(penalty_points(&r, now), 98);
        ck_assert_uint_eq(penalty_left(&r, now), 0);
        ck_assert_uint_eq(penalty_points(&r, now + 10 * SEC), 48);
        ck_assert_uint_eq(penalty_points(&r, now + 1000 * SEC), 0);
        ck_assert_uint_eq(penalty_points(&r, now - SEC), 98); /* a clock that goes back forgives nothing */
        r = (PenaltyRecord){0};
        for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
                PenaltyRecord more;

                r = punish(r, now);
                ck_assert_uint_eq(penalty_left(&r, now), lengths[i] * SEC);
                more = penalty_add(&r, PENALTY_TIMEOUT, now + SEC / 2); /* does not make it longer */
                ck_assert_uint_eq(more.until, r.until);
                now += lengths[i] * SEC;
                ck_assert_uint_eq(penalty_left(&r, now), 0);
        }
        r = punish(r, now + PENALTY_MEMORY);
        ck_assert_uint_eq(penalty_left(&r, now + PENALTY_MEMORY), SEC); /* forgotten */
}
END_TEST

/* A client with a bug: two faults a second for ever. */
START_TEST(test_penalty_patience) {
        PenaltyRecord r = {0};

        for (usec_t now = SEC; now < 10000 * SEC; now += SEC / 2)
                r = penalty_add(&r, PENALTY_PROTOCOL, now);
        ck_assert_uint_eq(r.until, 0);
}
END_TEST

START_TEST(test_penalty_table) {
        PenaltyTable *t;
        usec_t now = SEC;

        ck_assert_int_eq(penalty_table_new(&t), 0);
        ck_assert(!penalty_table_add(t, 1, PENALTY_DESCRIPTOR, now));
        ck_assert(penalty_table_add(t, 1, PENALTY_DESCRIPTOR, now));
        for (uid_t u = 2; u < 2 + PENALTY_USERS_MAX - 1; u++)
                (void) penalty_table_add(t, u, PENALTY_PROTOCOL, now);
        ck_assert_uint_eq(penalty_table_left(t, 1, now), SEC);
        (void) penalty_table_add(t, 1, PENALTY_PROTOCOL, now); /* heard of again: the last in order */
        (void) penalty_table_add(t, 5000, PENALTY_PROTOCOL, now);
        ck_assert_uint_eq(penalty_table_count(t), PENALTY_USERS_MAX);
        ck_assert_uint_eq(penalty_table_left(t, 1, now), SEC);
        for (uid_t u = 6000; u < 6000 + PENALTY_USERS_MAX; u++)
                (void) penalty_table_add(t, u, PENALTY_PROTOCOL, now);
        ck_assert_uint_eq(penalty_table_left(t, 1, now), 0);
        ck_assert_uint_eq(penalty_table_count(t), PENALTY_USERS_MAX);
        penalty_table_free(t);
}
END_TEST

/* ---- audit ---- */

START_TEST(test_audit_rate) {
        unsigned silent = 9, n = 0;
        Audit a = {0};

        for (int i = 0; i < 300; i++)
                n += audit_admit(&a, false, 10 * SEC, &silent);
        ck_assert_uint_eq(n, AUDIT_PER_SEC);
        ck_assert_uint_eq(silent, 0);
        ck_assert(audit_admit(&a, true, 10 * SEC, &silent)); /* an administrator's, always */
        ck_assert_uint_eq(silent, 300 - AUDIT_PER_SEC);
        ck_assert(!audit_admit(&a, false, 11 * SEC - 1, &silent));
        ck_assert(audit_admit(&a, false, 11 * SEC, &silent));
        ck_assert_uint_eq(silent, 1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("access");
        TCase *t = tcase_create("access");
        SRunner *r;
        int failed;

        tcase_add_loop_test(t, test_level, 0, ARRAY_SIZE(levels));
        tcase_add_test(t, test_names);
        tcase_add_test(t, test_peer);
        tcase_add_test(t, test_peer_of_many_groups);
        tcase_add_test(t, test_peer_errors);
        tcase_add_test(t, test_share);
        tcase_add_test(t, test_book);
        tcase_add_test(t, test_penalty_record);
        tcase_add_test(t, test_penalty_patience);
        tcase_add_test(t, test_penalty_table);
        tcase_add_test(t, test_audit_rate);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed != 0;
}
