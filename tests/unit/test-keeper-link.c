/* test-keeper-link.c - KeeperLink and Child against a keeper played by the test on the other end of the pair. */
#include "base/alloc.h"
#include "base/fd.h"
#include "process/child.h"
#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

typedef struct Fixture {
        sd_event *event;
        int keeper; /* the keeper's end */
        KeeperLink *link;
        int n_shutdown, n_reload, n_broken;
        int logger_fd;
        pid_t logger_pid;
} Fixture;

typedef struct Seen {
        Child *child;
        int n_started, n_ready, n_end, n_drained;
        char order[8]; /* S R E D */
        ExitStatus end;
} Seen;

static void on_shutdown(void *userdata) {
        ((Fixture *) userdata)->n_shutdown++;
}

static void on_reload(void *userdata) {
        ((Fixture *) userdata)->n_reload++;
}

static void on_logger(int fd, pid_t pid, void *userdata) {
        Fixture *f = userdata;

        fd_close(f->logger_fd);
        f->logger_fd = fd;
        f->logger_pid = pid;
}

static void on_broken(void *userdata) {
        ((Fixture *) userdata)->n_broken++;
}

static const KeeperLinkHooks link_hooks = {on_shutdown, on_reload, on_logger, on_broken};

static void mark(Seen *s, char c) {
        size_t n = strlen(s->order);

        ck_assert_uint_lt(n, sizeof(s->order) - 1);
        s->order[n] = c;
}

static void on_started(Child *c, void *userdata) {
        mark(userdata, 'S');
        ck_assert_int_gt(child_pid(c), 0);
}

static void on_ready(Child *c, void *userdata) {
        mark(userdata, 'R');
}

static void on_end(Child *c, const ExitStatus *e, void *userdata) {
        Seen *s = userdata;

        mark(s, 'E');
        s->end = *e;
        ck_assert_int_eq(child_pid(c), 0);
        ck_assert(child_is_ended(c));
}

static void on_drained(Child *c, void *userdata) {
        mark(userdata, 'D');
        ck_assert(child_is_drained(c));
}

static void on_frozen(Child *c, bool is_frozen, int error, void *userdata) {
        mark(userdata, is_frozen ? 'F' : 'f');
        ck_assert_int_eq(error, -ETIMEDOUT);
}

static const ChildHooks child_hooks = {on_started, on_ready, on_end, on_drained, on_frozen};

/* The keeper speaks. */
static void say_fd(Fixture *f, const KeeperMessage *m, int fd) {
        ck_assert_int_eq(packet_send(f->keeper, m, keeper_message_size(m->type), &fd, fd >= 0), 0);
}

static void say(Fixture *f, const KeeperMessage *m) {
        say_fd(f, m, -1);
}

static void say_type(Fixture *f, uint32_t type, const Child *c) {
        KeeperMessage m = {.type = type};

        if (c) {
                m.slot = child_slot(c);
                m.generation = child_generation(c);
        }
        if (type == KEEPER_STARTED)
                m.started.pid = 1000 + (int) m.slot;
        if (type == KEEPER_FROZEN)
                m.frozen.is_frozen = 1, m.frozen.error = ETIMEDOUT;
        if (type == KEEPER_EXITED)
                m.exited = (KeeperExit){.code = CLD_EXITED, .status = 3, .at_usec = 77};
        if (type == KEEPER_FAILED)
                m.failed = (KeeperFailure){.stage = LAUNCH_EXEC, .error = ENOENT};
        say(f, &m);
}

static void say_hello(Fixture *f, uint32_t n_slots) {
        KeeperMessage m = {.type = KEEPER_HELLO};

        m.hello.version = KEEPER_PROTOCOL_VERSION;
        m.hello.n_slots_max = n_slots;
        m.hello.n_lives = 2;
        say(f, &m);
}

/* The keeper listens. @ret_n_fds may be NULL. Return: false when nothing is there. */
static bool hear(Fixture *f, KeeperMessage *ret, size_t *ret_n_fds) {
        int fds[PACKET_FDS_MAX];
        size_t n = 0;
        ssize_t k = packet_recv(f->keeper, ret, sizeof(*ret), fds, PACKET_FDS_MAX, &n);

        if (k == -EAGAIN)
                return false;
        ck_assert_int_gt(k, 0);
        ck_assert_uint_eq((size_t) k, keeper_message_size(ret->type));
        fd_close_many(fds, n);
        if (ret_n_fds)
                *ret_n_fds = n;
        return true;
}

static void expect(Fixture *f, uint32_t type, uint32_t slot, uint64_t generation) {
        KeeperMessage m;

        ck_assert(hear(f, &m, NULL));
        ck_assert_uint_eq(m.type, type);
        ck_assert_uint_eq(m.slot, slot);
        ck_assert_uint_eq(m.generation, generation);
}

static void expect_silence(Fixture *f) {
        KeeperMessage m;

        ck_assert(!hear(f, &m, NULL));
}

static void run(Fixture *f) {
        ck_assert_int_eq(keeper_link_flush(f->link), 0);
        while (sd_event_run(f->event, 0) > 0)
                ;
        (void) keeper_link_flush(f->link);
}

static void fixture_open(Fixture *f) {
        *f = (Fixture){.logger_fd = -EBADF};
        ck_assert_int_ge(sd_event_new(&f->event), 0);
}

static int fixture_link(Fixture *f, int fd) {
        return keeper_link_new(&f->link, f->event, -20, fd, &link_hooks, f);
}

static void fixture_start(Fixture *f, uint32_t n_slots) {
        int fds[2];

        fixture_open(f);
        ck_assert_int_eq(packet_pair(fds), 0);
        f->keeper = fds[0];
        say_hello(f, n_slots);
        say_type(f, KEEPER_TABLE_END, NULL);
        ck_assert_int_eq(fixture_link(f, fds[1]), 0);
}

static void fixture_done(Fixture *f) {
        keeper_link_free(f->link);
        fd_close(f->keeper);
        fd_close(f->logger_fd);
        sd_event_unref(f->event);
}

static int launch(Fixture *f, Seen *s) {
        char *argv[] = {(char *) "/bin/true", NULL}, *env[] = {NULL};
        LaunchSpec spec = {.argv = argv, .env = env, .candidates = argv, .ready_fd = -1};
        LogSpec log = {.kind = LOG_KIND_NONE};

        *s = (Seen){0};
        return child_launch(&s->child, f->link, "web/0", &spec, NULL, &log, &child_hooks, s);
}

START_TEST(a_life_from_launch_to_free_slot) {
        Fixture f;
        Seen s;
        KeeperMessage m;
        size_t n_fds;
        uint64_t generation;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &s), 0);
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 1);
        expect_silence(&f); /* nothing before the flush */
        run(&f);
        ck_assert(hear(&f, &m, &n_fds));
        ck_assert_uint_eq(m.type, KEEPER_LAUNCH);
        ck_assert_uint_eq(m.slot, 0);
        ck_assert_str_eq(m.launch.name, "web/0");
        ck_assert_uint_eq(n_fds, 1);
        generation = m.generation;

        say_type(&f, KEEPER_STARTED, s.child);
        run(&f);
        ck_assert_str_eq(s.order, "S");
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 0);
        ck_assert_ptr_eq(child_by_pid(f.link, 1000), s.child);
        say_type(&f, KEEPER_READY, s.child);
        say_type(&f, KEEPER_FROZEN, s.child);
        say_type(&f, KEEPER_EXITED, s.child);
        say_type(&f, KEEPER_FROZEN, s.child);
        run(&f);
        ck_assert_str_eq(s.order, "SRFE");
        ck_assert_int_eq(exit_status_exitcode(&s.end), 3);
        ck_assert_uint_eq(s.end.at_usec, 77);
        ck_assert_ptr_null(child_by_pid(f.link, 1000));
        expect_silence(&f); /* not acknowledged while its owner has not let it go */
        say_type(&f, KEEPER_DRAINED, s.child);
        run(&f);
        ck_assert_str_eq(s.order, "SRFED");
        s.child = child_free(s.child);
        expect_silence(&f); /* and not before the flush */
        run(&f);
        expect(&f, KEEPER_ACK, 0, generation);
        ck_assert_int_eq(launch(&f, &s), 0);
        ck_assert_uint_eq(child_slot(s.child), 0);
        ck_assert_uint_gt(child_generation(s.child), generation);
        s.child = child_free(s.child);
        fixture_done(&f);
}
END_TEST

START_TEST(a_failed_launch_ends_too) {
        Fixture f;
        Seen s;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &s), 0);
        run(&f);
        say_type(&f, KEEPER_FAILED, s.child);
        say_type(&f, KEEPER_DRAINED, s.child);
        run(&f);
        ck_assert_str_eq(s.order, "ED");
        ck_assert(s.end.is_failure_to_start);
        ck_assert_int_eq(exit_status_exitcode(&s.end), 127);
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 0);
        ck_assert_int_eq(child_signal(s.child, SIGTERM, false, true), -ESRCH);
        ck_assert_int_eq(child_kill_tree(s.child), -ESRCH);
        s.child = child_free(s.child);
        fixture_done(&f);
}
END_TEST

/* One turn of the loop is a poll: what the process said before its end is heard between reading of it and acting on it.
 * A start and the last line need no such turn, unless something stands before them. */
START_TEST(only_an_end_waits_for_a_turn) {
        Fixture f;
        Seen s;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &s), 0);
        run(&f);
        say_type(&f, KEEPER_STARTED, s.child);
        ck_assert_int_gt(sd_event_run(f.event, 0), 0);
        ck_assert_str_eq(s.order, "S");
        say_type(&f, KEEPER_EXITED, s.child);
        say_type(&f, KEEPER_DRAINED, s.child);
        ck_assert_int_gt(sd_event_run(f.event, 0), 0);
        ck_assert_str_eq(s.order, "S");
        ck_assert_int_gt(sd_event_run(f.event, 0), 0);
        ck_assert_str_eq(s.order, "SED");
        s.child = child_free(s.child);
        fixture_done(&f);
}
END_TEST

START_TEST(slots_are_the_lowest_free_ones) {
        Fixture f;
        Seen s[5];

        fixture_start(&f, 4);
        for (int i = 0; i < 4; i++) {
                ck_assert_int_eq(launch(&f, &s[i]), 0);
                ck_assert_uint_eq(child_slot(s[i].child), (uint32_t) i);
        }
        ck_assert_int_eq(launch(&f, &s[4]), -ENOSPC);
        for (int i = 1; i < 3; i++) {
                say_type(&f, KEEPER_FAILED, s[i].child);
                say_type(&f, KEEPER_DRAINED, s[i].child);
        }
        run(&f);
        s[1].child = child_free(s[1].child);
        s[2].child = child_free(s[2].child);
        ck_assert_int_eq(launch(&f, &s[4]), -ENOSPC); /* the acknowledgement is still here */
        run(&f);
        ck_assert_int_eq(launch(&f, &s[2]), 0);
        ck_assert_uint_eq(child_slot(s[2].child), 1);
        ck_assert_int_eq(launch(&f, &s[1]), 0);
        ck_assert_uint_eq(child_slot(s[1].child), 2);
        for (int i = 0; i < 4; i++)
                child_free(s[i].child);
        fixture_done(&f);
}
END_TEST

/* Its owner forgot it: end and output are seen to here, and stale notices hurt nobody. */
START_TEST(a_forgotten_child_frees_its_slot) {
        Fixture f;
        Seen s, t;
        KeeperMessage m = {.type = KEEPER_EXITED};
        uint64_t generation;

        fixture_start(&f, 1);
        ck_assert_int_eq(launch(&f, &s), 0);
        generation = m.generation = child_generation(s.child);
        s.child = child_free(s.child);
        run(&f);
        expect(&f, KEEPER_LAUNCH, 0, generation);
        m.generation = generation + 5;
        say(&f, &m);
        m.generation = generation;
        m.slot = 77777;
        say(&f, &m);
        run(&f);
        expect_silence(&f);
        m.slot = 0;
        say(&f, &m);
        run(&f);
        ck_assert_str_eq(s.order, "");
        expect(&f, KEEPER_ACK, 0, generation);
        ck_assert_int_eq(launch(&f, &t), -ENOSPC);
        m.type = KEEPER_DRAINED;
        say(&f, &m);
        run(&f);
        ck_assert_int_eq(launch(&f, &t), 0);
        child_free(t.child);
        fixture_done(&f);
}
END_TEST

static KeeperMessage table_slot(uint32_t slot, uint32_t state, uint64_t generation) {
        KeeperMessage m = {.type = KEEPER_SLOT, .slot = slot, .generation = generation};

        m.slot_info.state = state;
        m.slot_info.pid = 500 + (int) slot;
        m.slot_info.started_usec = 11;
        m.slot_info.exited = (KeeperExit){.code = CLD_KILLED, .status = SIGKILL, .at_usec = 22};
        memcpy(m.slot_info.name, "web/0", 6);
        return m;
}

static void start_with_table(Fixture *f) {
        static const char *const names[] = {"listen", "journal"};
        KeeperMessage slots[] = {table_slot(0, KEEPER_SLOT_RUNNING, (7ull << 32) + 9), table_slot(2, KEEPER_SLOT_ENDED, 4),
                                 table_slot(3, KEEPER_SLOT_LAUNCHING, 5)};
        int fds[2], null[2];

        fixture_open(f);
        ck_assert_int_eq(packet_pair(fds), 0);
        f->keeper = fds[0];
        say_hello(f, 100);
        slots[1].slot_info.is_drained = 1;
        for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
                say(f, &slots[i]);
        ck_assert_int_eq(pipe2(null, O_CLOEXEC), 0);
        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                KeeperMessage m = {.type = KEEPER_KEPT};

                memcpy(m.kept.name, names[i], strlen(names[i]) + 1);
                say_fd(f, &m, null[0]);
        }
        say_fd(f, &(KeeperMessage){.type = KEEPER_LOGGER, .logger.pid = 42}, null[1]);
        fd_close_many(null, 2);
        say_type(f, KEEPER_RELOAD, NULL); /* early: nothing is lost */
        say_type(f, KEEPER_TABLE_END, NULL);
        ck_assert_int_eq(fixture_link(f, fds[1]), 0);
}

START_TEST(the_table_is_taken_over) {
        Fixture f;
        Seen s[3] = {0}, t;
        KeeperTable *table;
        int fd;

        start_with_table(&f);
        table = keeper_link_table(f.link);
        ck_assert_uint_eq(table->n_slots, 3);
        ck_assert_int_eq(table->logger_pid, 42);
        fd = keeper_table_take_fd(table, "journal");
        ck_assert_int_ge(fd, 0);
        fd_close(fd);
        ck_assert_int_eq(keeper_table_take_fd(table, "journal"), -ENOENT);
        ck_assert_int_eq(keeper_table_take_fd(table, "other"), -ENOENT);
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 1);
        for (int i = 0; i < 3; i++)
                ck_assert_int_eq(child_adopt(&s[i].child, f.link, &table->slots[i], &child_hooks, &s[i]), 0);
        ck_assert_int_eq(child_adopt(&t.child, f.link, &table->slots[0], &child_hooks, &t), -ESRCH);
        ck_assert_int_eq(child_pid(s[0].child), 500);
        ck_assert_ptr_eq(child_by_pid(f.link, 500), s[0].child);
        ck_assert_str_eq(s[1].order, "");
        keeper_link_table_done(f.link);
        ck_assert_ptr_null(keeper_link_table(f.link));

        run(&f);
        ck_assert_int_eq(f.n_reload, 1);
        ck_assert_str_eq(s[1].order, "ED");
        ck_assert_int_eq(exit_status_exitcode(&s[1].end), -9);
        ck_assert_uint_eq(s[1].end.at_usec, 22);
        say_type(&f, KEEPER_STARTED, s[2].child);
        run(&f);
        ck_assert_str_eq(s[2].order, "S");
        ck_assert_int_eq(launch(&f, &t), 0);
        ck_assert_uint_eq(child_slot(t.child), 1);
        ck_assert_uint_gt(child_generation(t.child), (7ull << 32) + 9);
        for (int i = 0; i < 3; i++)
                child_free(s[i].child);
        child_free(t.child);
        fixture_done(&f);
}
END_TEST

START_TEST(nobodys_processes_are_ended) {
        Fixture f;
        KeeperTable *table;

        start_with_table(&f);
        table = keeper_link_table(f.link);
        for (int i = 0; i < 2; i++)
                ck_assert_int_eq(keeper_link_abandon(f.link, &table->slots[i]), 0);
        run(&f);
        expect(&f, KEEPER_ACK, 2, 4);
        expect(&f, KEEPER_KILL_TREE, 0, (7ull << 32) + 9);
        expect_silence(&f);
        fixture_done(&f);
}
END_TEST

/* What is kept goes first, then acknowledgements, then the rest: see keeper-queue.c. */
START_TEST(the_order_of_sending) {
        Fixture f;
        Seen s;
        KeeperMessage m;
        size_t n_fds;
        int null[2];
        uint64_t generation;

        fixture_start(&f, 10);
        ck_assert_int_eq(launch(&f, &s), 0);
        generation = child_generation(s.child);
        run(&f);
        expect(&f, KEEPER_LAUNCH, 0, generation);
        say_type(&f, KEEPER_EXITED, s.child);
        run(&f);
        ck_assert_int_eq(pipe2(null, O_CLOEXEC), 0);
        ck_assert_int_eq(keeper_link_notify(f.link, "READY=1"), 0);
        child_free(s.child);
        ck_assert_int_eq(keeper_link_keep(f.link, "journal", null[0]), 0);
        fd_close_many(null, 2);
        ck_assert(!keeper_link_is_safe(f.link));
        ck_assert_int_eq(keeper_link_flush(f.link), 0);
        ck_assert(keeper_link_is_safe(f.link));
        ck_assert(hear(&f, &m, &n_fds));
        ck_assert_uint_eq(m.type, KEEPER_KEEP);
        ck_assert_str_eq(m.kept.name, "journal");
        ck_assert_uint_eq(n_fds, 1);
        expect(&f, KEEPER_ACK, 0, generation);
        ck_assert(hear(&f, &m, NULL));
        ck_assert_uint_eq(m.type, KEEPER_NOTIFY);
        ck_assert_str_eq(m.text, "READY=1");
        expect_silence(&f);
        fixture_done(&f);
}
END_TEST

START_TEST(acknowledgements_wait_for_company) {
        Fixture f;
        Seen s, t;
        uint64_t first, second;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &s), 0);
        run(&f);
        expect(&f, KEEPER_LAUNCH, 0, child_generation(s.child));
        say_type(&f, KEEPER_EXITED, s.child);
        say_type(&f, KEEPER_DRAINED, s.child);
        run(&f);
        first = child_generation(s.child);
        s.child = child_free(s.child);
        ck_assert_int_eq(keeper_link_flush_soon(f.link), 0);
        expect_silence(&f);
        ck_assert(!keeper_link_is_flushed(f.link));
        ck_assert_int_eq(launch(&f, &t), 0);
        ck_assert_int_eq(keeper_link_flush_soon(f.link), 0);
        expect(&f, KEEPER_ACK, 0, first);
        expect(&f, KEEPER_LAUNCH, 1, child_generation(t.child));
        say_type(&f, KEEPER_FAILED, t.child);
        while (sd_event_run(f.event, 0) > 0)
                ;
        second = child_generation(t.child);
        child_free(t.child);
        ck_assert_int_eq(keeper_link_flush_soon(f.link), 0);
        expect_silence(&f);
        while (!keeper_link_is_flushed(f.link)) /* nothing comes: its time is over */
                ck_assert_int_ge(sd_event_run(f.event, USEC_PER_SEC), 0);
        expect(&f, KEEPER_ACK, 1, second);
        fixture_done(&f);
}
END_TEST

START_TEST(a_full_socket_delays_and_loses_nothing) {
        Fixture f;
        KeeperMessage m;
        char text[KEEPER_TEXT_MAX];
        int n = 0;
        const int n_sent = 20000;

        fixture_start(&f, 10);
        for (int i = 0; i < n_sent; i++) {
                (void) snprintf(text, sizeof(text), "%0400d", i);
                ck_assert_int_eq(keeper_link_notify(f.link, text), 0);
        }
        ck_assert_int_eq(keeper_link_flush(f.link), 0);
        while (n < n_sent) {
                while (hear(&f, &m, NULL))
                        ck_assert_int_eq(atoi(m.text), n++);
                ck_assert_int_ge(sd_event_run(f.event, 0), 0);
        }
        memset(text, 'x', sizeof(text));
        text[KEEPER_TEXT_MAX - 1] = '\0';
        ck_assert_int_eq(keeper_link_notify(f.link, text), 0);
        fixture_done(&f);
}
END_TEST

START_TEST(plain_requests_and_signals) {
        Fixture f;
        Seen s;
        KeeperMessage m;

        fixture_start(&f, 10);
        ck_assert_int_eq(launch(&f, &s), 0);
        ck_assert_int_eq(child_signal(s.child, SIGTERM, false, true), 0);
        ck_assert_int_eq(child_signal(s.child, SIGHUP, true, false), 0);
        ck_assert_int_eq(child_kill_tree(s.child), 0);
        ck_assert_int_eq(keeper_link_ping(f.link), 0);
        ck_assert_int_eq(keeper_link_reopen(f.link), 0);
        ck_assert_int_eq(keeper_link_sweep(f.link), 0);
        ck_assert_int_eq(keeper_link_drop(f.link, "x"), 0);
        ck_assert_int_eq(keeper_link_quit(f.link, 78, true), 0);
        run(&f);
        expect(&f, KEEPER_DROP, 0, 0);
        expect(&f, KEEPER_LAUNCH, 0, child_generation(s.child));
        ck_assert(hear(&f, &m, NULL) && m.type == KEEPER_SIGNAL);
        ck_assert(m.signal.number == SIGTERM && m.signal.scope == KEEPER_SIGNAL_PROCESS && m.signal.and_continue == 1);
        ck_assert(hear(&f, &m, NULL) && m.type == KEEPER_SIGNAL);
        ck_assert(m.signal.number == SIGHUP && m.signal.scope == KEEPER_SIGNAL_TREE && m.signal.and_continue == 0);
        expect(&f, KEEPER_KILL_TREE, 0, child_generation(s.child));
        expect(&f, KEEPER_PING, 0, 0);
        expect(&f, KEEPER_REOPEN, 0, 0);
        expect(&f, KEEPER_SWEEP, 0, 0);
        ck_assert(hear(&f, &m, NULL) && m.type == KEEPER_QUIT && m.quit.code == 78 && m.quit.leave_running == 1);
        child_free(s.child);
        fixture_done(&f);
}
END_TEST

START_TEST(notices_of_the_keeper_itself) {
        Fixture f;
        int null[2];

        fixture_start(&f, 10);
        ck_assert_int_eq(pipe2(null, O_CLOEXEC), 0);
        say_type(&f, KEEPER_SHUTDOWN, NULL);
        say_fd(&f, &(KeeperMessage){.type = KEEPER_LOGGER, .logger.pid = 9}, null[0]);
        say_type(&f, KEEPER_RELOAD, NULL);
        run(&f);
        ck_assert_int_eq(f.n_shutdown, 1);
        ck_assert_int_eq(f.n_reload, 1);
        ck_assert_int_ge(f.logger_fd, 0);
        ck_assert_int_eq(f.logger_pid, 9);
        fd_close_many(null, 2);
        f.keeper = fd_close(f.keeper);
        while (sd_event_run(f.event, 0) > 0)
                ;
        ck_assert_int_eq(f.n_broken, 1);
        ck_assert_int_eq(keeper_link_flush(f.link), -EPIPE);
        ck_assert_int_eq(keeper_link_ping(f.link), -EPIPE);
        fixture_done(&f);
}
END_TEST

static const struct {
        uint32_t first, version;
        bool closes;
        int result;
} bad_starts[] = {
        {KEEPER_TABLE_END, 1, false, -EPROTO},
        {KEEPER_HELLO, 99, false, -EPROTO},
        {KEEPER_HELLO, KEEPER_PROTOCOL_VERSION, true, -ECONNRESET},
};

START_TEST(a_bad_table_is_refused) {
        Fixture f;
        int fds[2];
        KeeperMessage m = {.type = bad_starts[_i].first};

        fixture_open(&f);
        ck_assert_int_eq(packet_pair(fds), 0);
        f.keeper = fds[0];
        m.hello.version = bad_starts[_i].version;
        say(&f, &m);
        if (bad_starts[_i].closes)
                f.keeper = fd_close(f.keeper);
        ck_assert_int_eq(fixture_link(&f, fds[1]), bad_starts[_i].result);
        ck_assert_ptr_null(f.link);
        fixture_done(&f);
}
END_TEST

static void say_ran(Fixture *f, const Child *c, uint64_t leaf) {
        KeeperMessage m = {.type = KEEPER_RAN, .slot = child_slot(c), .generation = child_generation(c),
                           .ran = {.exited = {.code = CLD_EXITED, .status = 3, .at_usec = 77}, .pid = 500, .leaf = leaf}};

        say(f, &m);
}

static int fork_by(Fixture *f, Seen *s, ForkSpec *spec) {
        LogSpec log = {.kind = LOG_KIND_FILE};

        *s = (Seen){0};
        return child_fork(&s->child, f->link, "web/0", spec, &log, &child_hooks, s);
}

/* A spare counts as a launch on its way only from its use on. */
START_TEST(spares_are_asked_for_and_used) {
        static const char text[2 * KEEPER_SPARE_TEXT_MAX] = "{}";
        const size_t sizes[] = {2, KEEPER_SPARE_TEXT_MAX, KEEPER_SPARE_TEXT_MAX + 1};
        ForkSpec spec = {.text = text, .n_text = 2};
        Seen template, first, of_spare = {0}, used;
        KeeperMessage m;
        size_t n_fds;
        Fixture f;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &template), 0);
        run(&f);
        ck_assert(hear(&f, &m, NULL));
        spec.template = template.child;
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                Child *spare;

                ck_assert_int_eq(child_spare(&spare, f.link, &child_hooks, &of_spare), 0);
                spec = (ForkSpec){.template = template.child, .text = text, .n_text = 2, .spares = {spare}};
                ck_assert_int_eq(fork_by(&f, &first, &spec), 0);
                ck_assert_uint_eq(keeper_link_n_launching(f.link), 2);
                run(&f);
                ck_assert(hear(&f, &m, &n_fds));
                ck_assert_uint_eq(m.type, KEEPER_LAUNCH);
                ck_assert_uint_eq(m.launch.spares[0].slot, child_slot(spare));
                ck_assert_uint_eq(m.launch.spares[0].generation, child_generation(spare));
                ck_assert_uint_eq(m.launch.spares[1].generation, 0);
                say_ran(&f, first.child, 0);

                spec = (ForkSpec){.template = template.child, .text = text, .n_text = sizes[i], .spare = spare};
                ck_assert_int_eq(fork_by(&f, &used, &spec), 0);
                ck_assert_ptr_eq(used.child, spare);
                run(&f);
                ck_assert(hear(&f, &m, &n_fds));
                ck_assert_uint_eq(m.type, KEEPER_USE_SPARE);
                ck_assert_uint_eq(m.slot, child_slot(spare));
                ck_assert_uint_eq(n_fds, i == 2);
                ck_assert_uint_eq(m.use_spare.n_text, i == 2 ? 0 : sizes[i]);
                ck_assert_uint_eq(keeper_link_n_launching(f.link), 2);
                say_ran(&f, spare, 0);
                run(&f);
                ck_assert_uint_eq(keeper_link_n_launching(f.link), 1);
                ck_assert_str_eq(used.order, "SED");
                ck_assert_int_eq(exit_status_exitcode(&used.end), 3);
                first.child = child_free(first.child);
                used.child = child_free(used.child);
                run(&f);
                while (hear(&f, &m, NULL))
                        ;
        }
        ck_assert_str_eq(of_spare.order, "");
        template.child = child_free(template.child);
        fixture_done(&f);
}
END_TEST

START_TEST(spares_that_nobody_uses) {
        Seen s = {0};
        Child *unasked, *spare;
        Fixture f;

        fixture_start(&f, 100);
        ck_assert_int_eq(child_spare(&unasked, f.link, &child_hooks, &s), 0);
        ck_assert_ptr_null(child_spare_unasked(unasked));
        ck_assert_int_eq(child_spare(&spare, f.link, &child_hooks, &s), 0);
        ck_assert_uint_eq(child_slot(spare), 0);
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 0);
        say_type(&f, KEEPER_FAILED, spare);
        say_type(&f, KEEPER_DRAINED, spare);
        run(&f);
        ck_assert_str_eq(s.order, "ED");
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 0);
        child_free(spare);
        fixture_done(&f);
}
END_TEST

/* Found by the leaf that it was born in, which may have been made for another one. */
START_TEST(found_by_its_leaf) {
        KeeperMessage m = {.type = KEEPER_STARTED, .started = {.pid = 500, .leaf = 4}};
        Seen own, other;
        Fixture f;

        fixture_start(&f, 100);
        ck_assert_int_eq(launch(&f, &own), 0);
        ck_assert_int_eq(launch(&f, &other), 0);
        ck_assert_ptr_eq(child_by_leaf(f.link, 0, child_generation(own.child)), own.child);
        m.slot = child_slot(other.child);
        m.generation = child_generation(other.child);
        m.started.leaf = child_generation(own.child); /* it takes over from the first */
        say_type(&f, KEEPER_STARTED, own.child);
        say_type(&f, KEEPER_EXITED, own.child);
        say(&f, &m);
        run(&f);
        ck_assert_ptr_eq(child_by_leaf(f.link, 0, child_generation(own.child)), other.child);
        ck_assert_ptr_null(child_by_leaf(f.link, 1, child_generation(other.child)));
        say_type(&f, KEEPER_EXITED, other.child);
        run(&f);
        ck_assert_ptr_null(child_by_leaf(f.link, 0, child_generation(own.child)));
        own.child = child_free(own.child);
        other.child = child_free(other.child);
        fixture_done(&f);
}
END_TEST

START_TEST(short_memory_at_every_step) {
        Fixture f;
        Seen s;
        int r = -1;

        fixture_start(&f, 10);
        for (unsigned long n = 1; r != 0; n++) {
                ck_assert_uint_lt(n, 20);
                alloc_fail_at(n);
                r = launch(&f, &s);
                alloc_fail_at(0);
                ck_assert(r == 0 || r == -ENOMEM);
        }
        ck_assert_uint_eq(child_slot(s.child), 0);
        ck_assert_uint_eq(keeper_link_n_launching(f.link), 1);
        child_free(s.child);
        fixture_done(&f);
}
END_TEST

int main(void) {
        Suite *s = suite_create("keeper-link");
        TCase *t = tcase_create("keeper-link");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, a_life_from_launch_to_free_slot);
        tcase_add_test(t, a_failed_launch_ends_too);
        tcase_add_test(t, only_an_end_waits_for_a_turn);
        tcase_add_test(t, slots_are_the_lowest_free_ones);
        tcase_add_test(t, a_forgotten_child_frees_its_slot);
        tcase_add_test(t, the_table_is_taken_over);
        tcase_add_test(t, nobodys_processes_are_ended);
        tcase_add_test(t, the_order_of_sending);
        tcase_add_test(t, acknowledgements_wait_for_company);
        tcase_add_test(t, a_full_socket_delays_and_loses_nothing);
        tcase_add_test(t, plain_requests_and_signals);
        tcase_add_test(t, notices_of_the_keeper_itself);
        tcase_add_test(t, spares_are_asked_for_and_used);
        tcase_add_test(t, spares_that_nobody_uses);
        tcase_add_test(t, found_by_its_leaf);
        tcase_add_loop_test(t, a_bad_table_is_refused, 0, ARRAY_SIZE(bad_starts));
        tcase_add_test(t, short_memory_at_every_step);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
