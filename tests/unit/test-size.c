/* test-size.c - sizes that follow the load: the decision as a table in time, and the kernel's word on queues. */
#include "base/fd.h"
#include "base/macro.h"
#include "pool/backlog.h"
#include "pool/recycle.h"
#include "pool/size.h"
#include "pool/tree-memory.h"

#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MS USEC_PER_MSEC
#define S USEC_PER_SEC
#define NEVER USEC_INFINITY

/* One look after the other at one pool; times in ms from 1 s on. */
typedef struct Look {
        usec_t at;
        unsigned size, ready, busy, coming, waiting;
        usec_t idle_since; /* 0: not idle */
        unsigned expected;
        usec_t again; /* ms, or NEVER */
        const char *reason;
} Look;

static void play(unsigned min, unsigned max, const Look *looks, size_t n) {
        SizeState state = {0};

        for (size_t i = 0; i < n; i++) {
                const Look *l = looks + i;
                SizeFacts f = {.size = l->size, .min = min, .max = max, .n_ready = l->ready, .n_busy = l->busy,
                               .n_coming = l->coming, .n_waiting = l->waiting,
                               .idle_since = l->idle_since > 0 ? S + l->idle_since * MS : 0, .idle_timeout = 10 * S,
                               .now = S + l->at * MS};
                usec_t again = 0;
                const char *reason;
                unsigned size = size_next(&f, &state, &again, &reason);

                ck_assert_msg(size == l->expected, "look %zu: %u, not %u", i, size, l->expected);
                ck_assert_msg(again == (l->again == NEVER ? NEVER : S + l->again * MS), "look %zu: again at %llu", i,
                              (unsigned long long) again);
                ck_assert_str_eq(reason ? reason : "", l->reason ? l->reason : "");
        }
}
#define PLAY(min, max, ...)                                                                                  \
        do {                                                                                                 \
                static const Look looks[] = {__VA_ARGS__};                                                   \
                play(min, max, looks, ARRAY_SIZE(looks));                                                    \
        } while (0)

START_TEST(test_grow_when_busy) {
        PLAY(1, 8,
             {0, 1, 1, 0, 0, 0, 0, 1, NEVER, NULL},     /* nothing to do */
             {10, 1, 1, 1, 0, 0, 0, 1, 110, NULL},      /* all busy: for how long? */
             {60, 1, 1, 0, 0, 0, 0, 1, NEVER, NULL},    /* not long enough */
             {70, 1, 1, 1, 0, 0, 0, 1, 170, NULL},
             {170, 1, 1, 1, 0, 0, 0, 2, NEVER, "busy"}, /* +1 */
             {180, 2, 1, 1, 1, 0, 0, 2, NEVER, NULL},   /* one is coming */
             {300, 2, 2, 2, 0, 0, 0, 2, 400, NULL},
             {400, 2, 2, 2, 0, 0, 0, 4, NEVER, "busy"}, /* goes on: +2 */
             {500, 4, 4, 4, 0, 0, 0, 4, 600, NULL},
             {600, 4, 4, 4, 0, 0, 0, 8, NEVER, "busy"}, /* +4 */
             {700, 8, 8, 8, 0, 0, 0, 8, NEVER, NULL});  /* max: nothing can change */
}
END_TEST

START_TEST(test_calm_begins_anew) {
        PLAY(1, 8, {0, 1, 1, 1, 0, 0, 0, 1, 100, NULL}, {100, 1, 1, 1, 0, 0, 0, 2, NEVER, "busy"},
             {5000, 2, 2, 2, 0, 0, 0, 2, 5100, NULL}, {5100, 2, 2, 2, 0, 0, 0, 3, NEVER, "busy"});
}
END_TEST

START_TEST(test_grow_when_somebody_waits) {
        PLAY(1, 4, {0, 2, 2, 0, 0, 5, 0, 2, 100, NULL}, {100, 2, 2, 0, 0, 5, 0, 3, NEVER, "waiting"},
             {110, 3, 2, 0, 1, 5, 0, 3, NEVER, NULL}, {200, 3, 3, 0, 0, 0, 0, 3, NEVER, NULL},
             {300, 3, 0, 0, 0, 5, 0, 3, NEVER, NULL}, /* none is ready: more would not help */
             {400, 4, 4, 0, 0, 5, 1, 4, 10400, NULL}); /* max, and a queue: nobody goes */
}
END_TEST

START_TEST(test_shrink) {
        PLAY(1, 4, {0, 3, 3, 0, 0, 0, 1, 3, 10001, NULL},       /* idle since 1 ms */
             {10001, 3, 3, 0, 0, 0, 1, 2, NEVER, "idle"},
             {10010, 2, 2, 0, 0, 0, 1, 2, 20001, NULL},         /* one by one */
             {12000, 2, 2, 1, 0, 0, 0, 2, NEVER, NULL},         /* it has work */
             {13000, 2, 2, 1, 0, 0, 13000, 2, 23000, NULL},
             {23000, 2, 2, 1, 0, 0, 13000, 1, NEVER, "idle"},
             {40000, 1, 1, 0, 0, 0, 13000, 1, NEVER, NULL});    /* min */
}
END_TEST

START_TEST(test_to_zero_and_bounds) {
        PLAY(0, 2, {20000, 1, 1, 0, 0, 0, 1, 0, NEVER, "idle"}, {20001, 0, 0, 0, 0, 0, 0, 0, NEVER, NULL});
        PLAY(0, 4, {0, 0, 0, 0, 0, 3, 0, 1, NEVER, "waiting"}, {10, 1, 0, 0, 1, 3, 0, 1, NEVER, NULL}); /* and up again */
        PLAY(2, 3, {0, 0, 0, 0, 0, 0, 0, 2, NEVER, "bounds"}, {1, 5, 5, 5, 0, 0, 0, 3, NEVER, "bounds"});
        PLAY(2, 2, {0, 2, 2, 2, 0, 9, 0, 2, NEVER, NULL}); /* min = max: scaled by hand */
}
END_TEST

/* ---- queues ---- */

static void check_stream(int domain, const struct sockaddr *a, socklen_t size) {
        _cleanup_fd_ int listener = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0), taken = -EBADF;
        int clients[3];
        struct sockaddr_storage bound;
        socklen_t length = sizeof bound;

        ck_assert_int_eq(bind(listener, a, size), 0);
        ck_assert_int_eq(listen(listener, 16), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *) &bound, &length), 0);
        ck_assert_int_eq(backlog_read(listener), 0);
        for (int i = 0; i < 3; i++) {
                clients[i] = socket(domain, SOCK_STREAM | SOCK_CLOEXEC, 0);
                ck_assert_int_eq(connect(clients[i], (struct sockaddr *) &bound, length), 0);
        }
        ck_assert_int_eq(backlog_read(listener), 3);
        taken = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(taken, 0);
        ck_assert_int_eq(backlog_read(listener), 2);
        fd_close_many(clients, 3);
}

START_TEST(test_backlog) {
        struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_un local = {.sun_family = AF_UNIX}; /* the kernel chooses an abstract name */
        _cleanup_fd_ int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof v4;

        check_stream(AF_INET, (struct sockaddr *) &v4, sizeof v4);
        check_stream(AF_UNIX, (struct sockaddr *) &local, sizeof local.sun_family);
        ck_assert_int_eq(bind(udp, (struct sockaddr *) &v4, sizeof v4), 0);
        ck_assert_int_eq(getsockname(udp, (struct sockaddr *) &v4, &size), 0);
        ck_assert_int_eq(backlog_read(udp), 0);
        ck_assert_int_eq(sendto(udp, "x", 1, MSG_NOSIGNAL, (struct sockaddr *) &v4, sizeof v4), 1);
        ck_assert_int_eq(backlog_read(udp), 1);
        ck_assert_int_lt(backlog_read(-1), 0);
}
END_TEST

/* ---- recycling ---- */

START_TEST(test_recycle) {
        static const struct {
                RecycleConfig config;
                RecycleFacts facts;
                const char *reason;
                usec_t left;
        } rows[] = {
                {{0}, {.age = 1000 * S, .tasks = 1000, .memory = 1000}, NULL, NEVER},
                {{.age = 10 * S}, {.age = 9 * S}, NULL, 1 * S},
                {{.age = 10 * S}, {.age = 10 * S}, "age", 0},
                {{.age = 10 * S, .jitter = 0.5}, {.age = 6 * S, .share = 0.5}, NULL, 1500 * MS},
                {{.age = 10 * S, .jitter = 0.5}, {.age = 8 * S, .share = 0.5}, "age", 0},
                {{.age = 10 * S, .jitter = 1}, {.age = 1 * S, .share = 0.9}, "age", 0},
                {{.tasks = 100}, {.tasks = 99}, NULL, NEVER},
                {{.tasks = 100}, {.tasks = 100}, "tasks", NEVER},
                {{.tasks = 100, .jitter = 0.1}, {.tasks = 95, .share = 0.5}, "tasks", NEVER},
                {{.tasks = 1, .jitter = 1}, {.tasks = 0, .share = 0.99}, NULL, NEVER},
                {{.memory = 1000}, {.memory = 1000}, NULL, NEVER},
                {{.memory = 1000}, {.memory = 1001}, "memory", NEVER},
                {{.memory = 1000}, {.memory = 0}, NULL, NEVER},
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                usec_t left = 0;
                const char *reason = recycle_due(&rows[i].config, &rows[i].facts, &left);

                ck_assert_str_eq(reason ? reason : "", rows[i].reason ? rows[i].reason : "");
                ck_assert_msg(left == rows[i].left, "row %zu: %llu", i, (unsigned long long) left);
        }
}
END_TEST

START_TEST(test_tree_memory) {
        uint64_t own = 0;

        ck_assert_uint_eq(tree_memory_inactive("anon 1\nfile 5\ninactive_file 4096\nactive_file 1\n"), 4096);
        ck_assert_uint_eq(tree_memory_inactive("inactive_file 7"), 7);
        ck_assert_uint_eq(tree_memory_inactive("anon 1\nx_inactive_file 3\n"), 0);
        ck_assert_uint_eq(tree_memory_inactive(""), 0);
        ck_assert_int_eq(tree_memory_read(getpid(), NULL, &own), 0);
        ck_assert_uint_gt(own, 100000);
        ck_assert_int_lt(tree_memory_read(-1, NULL, &own), 0);
}
END_TEST

int main(void) {
        static const TTest *const *tests[] = {&test_grow_when_busy, &test_calm_begins_anew, &test_grow_when_somebody_waits,
                &test_shrink, &test_to_zero_and_bounds, &test_backlog, &test_recycle,
                &test_tree_memory};
        Suite *s = suite_create("size");
        TCase *t = tcase_create("size");
        SRunner *runner;
        int n_failed;

        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, *tests[i]);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
