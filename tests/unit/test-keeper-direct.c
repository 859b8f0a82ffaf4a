/* test-keeper-direct.c - spares that droverd uses by itself: what it says to whom, when it leaves that to the keeper, and that it
 * has the keeper look where nothing was heard. Keeper, template and spares are played by the test. */
#include "base/fd.h"
#include "process/child.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT "{\"name\":\"x\"}"

typedef struct Bench {
        sd_event *event;
        KeeperLink *link;
        int keeper, quiet; /* its ends */
        int spare;         /* what the spare reads */
        Child *template, *child;
        int n_started, n_end;
        ExitStatus end;
} Bench;

static void on_started(Child *c, void *userdata) {
        ((Bench *) userdata)->n_started++;
}

static void on_end(Child *c, const ExitStatus *e, void *userdata) {
        ((Bench *) userdata)->n_end++;
        ((Bench *) userdata)->end = *e;
}

static void on_nothing(Child *c, void *userdata) {
}

static void on_line(void *userdata) {
}

static void on_logger(int fd, pid_t pid, void *userdata) {
        fd_close(fd);
}

static const ChildHooks hooks = {.on_started = on_started, .on_ready = on_nothing, .on_end = on_end, .on_drained = on_nothing};
static const KeeperLinkHooks link_hooks = {on_line, on_line, on_logger, on_line};
static const LogSpec log_spec = {.kind = LOG_KIND_FILE};

static void say(const Bench *b, KeeperMessage *m, const Child *c, int fd) {
        if (c) {
                m->slot = child_slot(c);
                m->generation = child_generation(c);
        }
        ck_assert_int_eq(packet_send(b->keeper, m, keeper_message_size(m->type), &fd, fd >= 0), 0);
}

/* Return: the type of the next packet that is no acknowledgement, 0: none. */
static uint32_t hear(int fd, KeeperMessage *ret) {
        int fds[PACKET_FDS_MAX];
        size_t n = 0;
        ssize_t k;

        do {
                k = packet_recv(fd, ret, sizeof(*ret), fds, PACKET_FDS_MAX, &n);
                fd_close_many(fds, n);
                if (k == -EAGAIN)
                        return 0;
                ck_assert_int_eq(k, (ssize_t) keeper_message_size(ret->type));
        } while (ret->type == KEEPER_ACK);
        return ret->type;
}

static void turn(Bench *b) {
        while (sd_event_run(b->event, 0) > 0)
                ;
        ck_assert_int_eq(keeper_link_flush_soon(b->link), 0);
}

static void open_bench(Bench *b, bool has_quiet) {
        KeeperMessage m = {.type = KEEPER_HELLO};
        int line[2], quiet[2];

        *b = (Bench){.spare = -EBADF};
        ck_assert_int_ge(sd_event_new(&b->event), 0);
        ck_assert_int_eq(packet_pair(line), 0);
        ck_assert_int_eq(packet_pair(quiet), 0);
        b->keeper = line[0];
        b->quiet = quiet[0];
        m.hello.version = KEEPER_PROTOCOL_VERSION;
        m.hello.n_slots_max = 16;
        say(b, &m, NULL, -1);
        if (has_quiet)
                say(b, &(KeeperMessage){.type = KEEPER_QUIET_LINE}, NULL, quiet[1]);
        fd_close(quiet[1]);
        say(b, &(KeeperMessage){.type = KEEPER_TABLE_END}, NULL, -1);
        ck_assert_int_eq(keeper_link_new(&b->link, b->event, -20, line[1], &link_hooks, b), 0);
        ck_assert_int_eq(child_spare(&b->template, b->link, &hooks, b), 0);
}

static void close_bench(Bench *b) {
        child_free(b->template);
        keeper_link_free(b->link);
        fd_close(b->keeper);
        fd_close(b->quiet);
        fd_close(b->spare);
        sd_event_unref(b->event);
}

static Child *spare(Bench *b, bool is_born) {
        KeeperMessage born = {.type = KEEPER_SPARE_BORN}, m;
        int pair[2];
        Child *c;

        ck_assert_int_eq(child_spare(&c, b->link, &hooks, b), 0);
        ck_assert(!child_is_born(c));
        fd_close(b->spare);
        ck_assert_int_eq(packet_pair(pair), 0);
        b->spare = pair[0];
        if (is_born)
                say(b, &born, c, pair[1]);
        fd_close(pair[1]);
        turn(b);
        ck_assert(child_is_born(c) == is_born);
        ck_assert_uint_eq(hear(b->keeper, &m), 0);
        return c;
}

static ForkSpec fork_spec(const Bench *b, Child *c) {
        return (ForkSpec){.template = b->template, .text = TEXT, .n_text = strlen(TEXT), .spare = c};
}

static void use(Bench *b, const ForkSpec *s) {
        ck_assert_int_eq(child_fork(&b->child, b->link, "x", s, &log_spec, &hooks, b), 0);
        turn(b);
}

/* It ran for that long. */
static void end(Bench *b, usec_t usec) {
        KeeperMessage m = {.type = KEEPER_RAN, .ran = {.started_usec = 1000, .pid = 99, .exited = {.code = CLD_EXITED, .at_usec = 1000 + usec}}};
        int n = b->n_end;

        say(b, &m, b->child, -1);
        turn(b);
        ck_assert_int_eq(b->n_end, n + 1);
        b->child = child_free(b->child);
}

/* Another one by the keeper, which was brief: from then on it can be done without. */
static void be_brief(Bench *b) {
        Child *c = spare(b, true);
        ForkSpec s = fork_spec(b, c);
        KeeperMessage m;

        use(b, &s);
        ck_assert_uint_eq(hear(b->keeper, &m), KEEPER_USE_SPARE);
        end(b, 10);
}

/* A bench after a brief one. Return: what the next one is to be made of. */
static ForkSpec open_brief(Bench *b) {
        open_bench(b, true);
        be_brief(b);
        return fork_spec(b, spare(b, true));
}

static void expect_direct(Bench *b) {
        KeeperMessage m;
        char text[64];
        ssize_t n;

        ck_assert_uint_eq(hear(b->quiet, &m), KEEPER_SPARE_USED);
        ck_assert_uint_eq(m.slot, child_slot(b->child));
        ck_assert_uint_eq(m.generation, child_generation(b->child));
        ck_assert_str_eq(m.launch.name, "x");
        ck_assert_uint_gt(m.spare_used.at_usec, 1000 * USEC_PER_SEC);
        n = recv(b->spare, text, sizeof(text), MSG_DONTWAIT);
        ck_assert_int_eq(n, (ssize_t) strlen("launch " TEXT));
        ck_assert(memcmp(text, "launch " TEXT, (size_t) n) == 0);
        ck_assert_uint_eq(hear(b->keeper, &m), 0);
}

static void expect_by_keeper(Bench *b) {
        KeeperMessage m;
        char text[64];

        ck_assert_uint_eq(hear(b->quiet, &m), 0);
        ck_assert_uint_eq(hear(b->keeper, &m), KEEPER_USE_SPARE);
        ck_assert_uint_eq(m.slot, child_slot(b->child));
        ck_assert_int_le(recv(b->spare, text, sizeof(text), MSG_DONTWAIT), 0);
}

START_TEST(after_a_brief_one) {
        ForkSpec s;
        Bench b;

        open_bench(&b, true);
        be_brief(&b);
        for (int i = 0; i < 3; i++) {
                s = fork_spec(&b, spare(&b, true));
                use(&b, &s);
                ck_assert_uint_eq(keeper_link_n_launching(b.link), 1);
                expect_direct(&b);
                end(&b, 100);
                ck_assert_uint_eq(keeper_link_n_launching(b.link), 0);
        }
        s = fork_spec(&b, spare(&b, true));
        use(&b, &s);
        expect_direct(&b);
        end(&b, 2 * USEC_PER_MSEC);
        s = fork_spec(&b, spare(&b, true));
        use(&b, &s); /* after one that was not */
        expect_by_keeper(&b);
        end(&b, 10);
        close_bench(&b);
}
END_TEST

START_TEST(what_is_the_keepers) {
        Bench b;

        open_bench(&b, true);
        be_brief(&b);
        for (int i = 0; i < 4; i++) {
                ForkSpec s = fork_spec(&b, spare(&b, i != 0));
                Child *more = NULL;

                if (i == 1)
                        s.wants_ready_pipe = true;
                if (i == 2)
                        s.cgroup.pids_max = 5;
                if (i == 3)
                        ck_assert_int_eq(child_spare(&more, b.link, &hooks, &b), 0);
                s.spares[0] = more;
                use(&b, &s);
                expect_by_keeper(&b);
                end(&b, 10);
                child_free(more);
        }
        close_bench(&b);
}
END_TEST

static void be_blocked(Bench *b) {
        do {
                ck_assert_int_eq(keeper_link_ping(b->link), 0);
                ck_assert_int_eq(keeper_link_flush(b->link), 0);
        } while (keeper_link_is_flushed(b->link));
        ck_assert_int_eq(keeper_link_keep(b->link, "journal", b->spare), 0);
}

/* There is no quiet line; the keeper has left it; or what it is to keep has not reached it yet. */
START_TEST(not_by_the_quiet_line) {
        KeeperMessage m;
        ForkSpec s;
        Bench b;

        open_bench(&b, _i > 0);
        be_brief(&b);
        s = fork_spec(&b, spare(&b, true));
        if (_i == 1)
                b.quiet = fd_close(b.quiet);
        if (_i == 2)
                be_blocked(&b);
        use(&b, &s);
        while (hear(b.keeper, &m) != KEEPER_USE_SPARE)
                turn(&b);
        ck_assert_uint_eq(m.slot, child_slot(b.child));
        if (_i == 2)
                ck_assert_uint_eq(hear(b.quiet, &m), 0);
        end(&b, 10);
        close_bench(&b);
}
END_TEST

START_TEST(looked_at_when_nothing_is_heard) {
        KeeperMessage m;
        ForkSpec s;
        Bench b;

        s = open_brief(&b);
        use(&b, &s);
        expect_direct(&b);
        while (hear(b.keeper, &m) == 0)
                ck_assert_int_ge(sd_event_run(b.event, UINT64_MAX), 0);
        ck_assert_uint_eq(m.type, KEEPER_LOOK);
        m = (KeeperMessage){.type = KEEPER_STARTED, .started = {.pid = 99, .at_usec = 1000}};
        say(&b, &m, b.child, -1);
        turn(&b);
        ck_assert_int_eq(child_pid(b.child), 99);
        m = (KeeperMessage){.type = KEEPER_EXITED, .exited = {.code = CLD_EXITED, .at_usec = 9000}};
        say(&b, &m, b.child, -1);
        turn(&b);
        ck_assert_int_eq(b.end.exit.code, CLD_EXITED);
        b.child = child_free(b.child);
        close_bench(&b);
}
END_TEST

/* What is done to it in the same turn comes to the keeper when it can know whose the spare is. */
START_TEST(signalled_at_once) {
        KeeperMessage m;
        ForkSpec s;
        Bench b;

        s = open_brief(&b);
        ck_assert_int_eq(child_fork(&b.child, b.link, "x", &s, &log_spec, &hooks, &b), 0);
        ck_assert_int_eq(child_signal(b.child, SIGTERM, false, false), 0);
        ck_assert_uint_eq(hear(b.keeper, &m), 0);
        turn(&b);
        ck_assert_uint_eq(hear(b.quiet, &m), KEEPER_SPARE_USED);
        ck_assert_uint_eq(hear(b.keeper, &m), KEEPER_SIGNAL);
        child_free(b.child);
        close_bench(&b);
}
END_TEST

/* It has died, and the keeper has not told so yet: that will tell the launch to be made anew. */
START_TEST(a_spare_that_is_gone) {
        KeeperMessage m;
        ForkSpec s;
        Bench b;

        s = open_brief(&b);
        b.spare = fd_close(b.spare);
        use(&b, &s);
        ck_assert_uint_eq(hear(b.quiet, &m), KEEPER_SPARE_USED);
        m = (KeeperMessage){.type = KEEPER_FAILED, .failed = {.stage = LAUNCH_TEMPLATE, .error = ESTALE}};
        say(&b, &m, b.child, -1);
        turn(&b);
        ck_assert(b.end.is_failure_to_start && b.end.failure.error == ESTALE);
        child_free(b.child);
        close_bench(&b);
}
END_TEST

int main(void) {
        Suite *s = suite_create("keeper-direct");
        TCase *t = tcase_create("all");
        SRunner *runner;
        int n_failed;

        tcase_add_test(t, after_a_brief_one);
        tcase_add_test(t, what_is_the_keepers);
        tcase_add_loop_test(t, not_by_the_quiet_line, 0, 3);
        tcase_add_test(t, looked_at_when_nothing_is_heard);
        tcase_add_test(t, signalled_at_once);
        tcase_add_test(t, a_spare_that_is_gone);
        suite_add_tcase(s, t);
        runner = srunner_create(s);
        srunner_run_all(runner, CK_NORMAL);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed > 0;
}
