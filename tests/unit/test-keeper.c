/* test-keeper.c - the real drover-keeper, everything it promises, in both ways of holding trees. */
#include "util-keeper.h"
#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define ARGV(...) ((char *[]) {(char *) "worker", __VA_ARGS__, NULL})
#define S(text) ((char *) (text))

static Bench b;

static void open_plain(int tree) {
        bench_open(&b, &(BenchOptions) {.tree = bench_trees[tree]});
        bench_pass_table(&b, NULL);
}

START_TEST(the_table_is_said_first) {
        KeeperMessage hello;

        bench_open(&b, &(BenchOptions) {.tree = bench_trees[_i]});
        bench_pass_table(&b, &hello);
        ck_assert_uint_eq(hello.hello.version, KEEPER_PROTOCOL_VERSION);
        ck_assert_uint_eq(hello.hello.flags, KEEPER_HELLO_FIRST);
        ck_assert_int_eq(hello.hello.keeper_pid, b.keeper);
        ck_assert_int_eq(hello.hello.n_lives, 1);
        if (bench_trees[_i])
                ck_assert_uint_eq(hello.hello.tree_mode, KEEPER_TREE_SWEEP);
        ck_assert_int_eq(hello.hello.tree_reason[0] != 0, hello.hello.tree_mode == KEEPER_TREE_SWEEP);
        ck_assert_uint_gt(hello.hello.n_fds_soft, 0);
        ck_assert(bench_wait(&b, KEEPER_LOGGER, 0).logger.pid > 0);
        bench_close(&b);
}
END_TEST

START_TEST(a_launch_and_its_end) {
        KeeperMessage m;

        open_plain(_i);
        for (uint64_t generation = 1; generation < 20; generation++) { /* the same slot, a fresh leaf each time */
                bench_launch(&b, 3, generation, NULL, ARGV(S("exit"), S("42")));
                m = bench_wait(&b, KEEPER_STARTED, 3);
                ck_assert_uint_eq(m.generation, generation);
                ck_assert_int_gt(m.started.pid, 0);
                m = bench_end(&b, 3, generation);
                ck_assert_uint_eq(m.type, KEEPER_EXITED);
                ck_assert_int_eq(m.exited.code, CLD_EXITED);
                ck_assert_int_eq(m.exited.status, 42);
                ck_assert_uint_eq(m.exited.stragglers, 0);
                ck_assert_uint_eq(m.exited.unkillable, 0);
                ck_assert_uint_gt(m.exited.max_rss_bytes, 0);
        }
        bench_close(&b);
}
END_TEST

static const struct {
        const char *verb, *value;
        int code, status;
} ends[] = {
        {"exit", "0", CLD_EXITED, 0},   {"exit", "255", CLD_EXITED, 255}, {"die", "9", CLD_KILLED, 9},
        {"die", "15", CLD_KILLED, 15},  {"die", "39", CLD_KILLED, 39},    {"die", "1", CLD_KILLED, 1},
        {"die", "13", CLD_KILLED, 13},  {"die", "32", CLD_KILLED, 32},
};

START_TEST(every_way_to_end) {
        open_plain(_i);
        for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
                KeeperMessage m;

                bench_launch(&b, (uint32_t) i, 1, NULL, ARGV(S(ends[i].verb), S(ends[i].value)));
                m = bench_end(&b, (uint32_t) i, 1);
                ck_assert_uint_eq(m.type, KEEPER_EXITED);
                ck_assert_int_eq(m.exited.status, ends[i].status);
                ck_assert_int_eq(m.exited.code, ends[i].code);
        }
        bench_close(&b);
}
END_TEST

static char *bad_candidates[] = {S("/nonexistent/x"), NULL};
static char *plain_candidates[] = {S("/nonexistent/x"), S("/etc/hostname/x"), S("/etc/passwd"), NULL};
static char *directory_candidates[] = {S("/"), NULL};
static const LaunchLimit impossible_limits[] = {{RLIMIT_NOFILE, {100, 50}}};
static const LaunchLimit impossible_core[] = {{RLIMIT_CORE, {2, 1}}};

static void bad_directory(LaunchSpec *s) { s->directory = "/nonexistent/directory"; }
static void no_program(LaunchSpec *s) { s->candidates = bad_candidates; }
static void not_executable(LaunchSpec *s) { s->candidates = plain_candidates; }
static void a_directory(LaunchSpec *s) { s->candidates = directory_candidates; }
static void no_cpu(LaunchSpec *s) { s->has_affinity = true; }
static void bad_score(LaunchSpec *s) { s->has_oom_score_adj = true, s->oom_score_adj = 4000; }
static void bad_limit(LaunchSpec *s) { s->limits = impossible_limits, s->n_limits = 1; }
static void bad_core(LaunchSpec *s) { s->limits = impossible_core, s->n_limits = 1; }
static void bad_stdin(LaunchSpec *s) { s->stdio_path[0] = "/nonexistent/in"; }
static void bad_stderr(LaunchSpec *s) { s->stdio_path[2] = "/nonexistent/err"; }
static void far_target(LaunchSpec *s) { s->fd_targets[0] = 1 << 30, s->n_fds = 1; }
static void wrong_count(LaunchSpec *s) { s->n_fds = 1, s->fd_targets[0] = 5; }
static void ready_unasked(LaunchSpec *s) { s->ready_fd = 5; }

static const struct {
        void (*spoil)(LaunchSpec *s);
        LaunchStage stage;
        int error, detail;
        size_t n_fds;
} failures[] = {
        {bad_directory, LAUNCH_DIRECTORY, ENOENT, 0, 0},
        {no_program, LAUNCH_EXEC, ENOENT, 0, 0},
        {not_executable, LAUNCH_EXEC, EACCES, 2, 0},
        {a_directory, LAUNCH_EXEC, EACCES, 0, 0},
        {no_cpu, LAUNCH_AFFINITY, EINVAL, 0, 0},
        {bad_score, LAUNCH_OOM_SCORE, EINVAL, 4000, 0},
        {bad_limit, LAUNCH_LIMIT, EINVAL, RLIMIT_NOFILE, 0},
        {bad_core, LAUNCH_LIMIT, EINVAL, RLIMIT_CORE, 0},
        {bad_stdin, LAUNCH_STDIO, ENOENT, 0, 0},
        {bad_stderr, LAUNCH_STDIO, ENOENT, 2, 0},
        {far_target, LAUNCH_DESCRIPTOR, EINVAL, 1 << 30, 1},
        {wrong_count, LAUNCH_REQUEST, EBADMSG, 0, 0},
        {ready_unasked, LAUNCH_REQUEST, EBADMSG, 0, 0},
};

START_TEST(every_failing_stage) {
        open_plain(_i);
        for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
                LaunchSpec s = bench_spec(ARGV(S("exit"), S("0")));
                KeeperMessage m = bench_launch_message((uint32_t) i, 9, "test/0", LOG_KIND_NONE);
                int fd = STDIN_FILENO;

                failures[i].spoil(&s);
                bench_launch_full(&b, &m, &s, &fd, failures[i].n_fds);
                m = bench_end(&b, (uint32_t) i, 9);
                ck_assert_uint_eq(m.type, KEEPER_FAILED);
                ck_assert_msg(m.failed.stage == failures[i].stage && m.failed.error == failures[i].error &&
                              m.failed.detail == failures[i].detail,
                              "%zu: %s %d %d", i, launch_stage_to_string(m.failed.stage), m.failed.error, m.failed.detail);
        }
        bench_close(&b);
}
END_TEST

START_TEST(a_fifo_without_a_reader_is_said) {
        LaunchSpec s = bench_spec(ARGV(S("exit"), S("0")));
        char path[128];
        KeeperMessage m;

        open_plain(_i);
        (void) snprintf(path, sizeof(path), "%s/fifo", b.directory);
        ck_assert_int_eq(mkfifo(path, 0666), 0);
        s.stdio_path[1] = path;
        bench_launch(&b, 0, 1, &s, NULL);
        m = bench_end(&b, 0, 1);
        ck_assert_uint_eq(m.type, KEEPER_FAILED);
        ck_assert_int_eq(m.failed.stage, LAUNCH_STDIO);
        ck_assert_int_eq(m.failed.error, ENXIO);
        (void) unlink(path);
        bench_close(&b);
}
END_TEST

START_TEST(nonsense_fails_its_launch_only) {
        KeeperMessage m = bench_launch_message(0, 1, "x", LOG_KIND_NONE);
        int null = open("/dev/null", O_RDONLY);

        open_plain(_i);
        bench_send(&b, &m, NULL, 0); /* no memfd: as when descriptors did not fit */
        ck_assert_int_eq(bench_end(&b, 0, 1).failed.error, EMFILE);
        m = bench_launch_message(1, 1, "x", LOG_KIND_NONE);
        bench_send(&b, &m, &null, 1); /* not a request */
        ck_assert_int_eq(bench_end(&b, 1, 1).failed.stage, LAUNCH_REQUEST);
        ck_assert_int_eq(packet_send(b.droverd.line, "rubbish", 7, &null, 1), 0);
        m = bench_launch_message(KEEPER_SLOTS_MAX, 1, "x", LOG_KIND_NONE); /* no such slot */
        bench_send(&b, &m, &null, 1);
        m = (KeeperMessage) {.type = KEEPER_SIGNAL, .slot = UINT32_MAX, .signal = {.number = 9}};
        bench_send(&b, &m, NULL, 0);
        bench_launch(&b, 2, 1, NULL, ARGV(S("exit"), S("3")));
        ck_assert_int_eq(bench_end(&b, 2, 1).exited.status, 3);
        (void) close(null);
        bench_close(&b);
}
END_TEST

/* Launch `worker VERB` with a pipe at descriptor 3, on which it says the pid of what it left behind. */
static pid_t launch_leaving(uint32_t slot, const char *verb) {
        LaunchSpec s = bench_spec(ARGV(S(verb)));
        KeeperMessage m = bench_launch_message(slot, 1, "test/0", LOG_KIND_NONE);
        struct pollfd p = {.events = POLLIN};
        char text[32] = "";
        int ends_of[2];

        ck_assert_int_eq(pipe2(ends_of, O_CLOEXEC), 0);
        s.fd_targets[0] = 3;
        s.n_fds = 1;
        bench_launch_full(&b, &m, &s, &ends_of[1], 1);
        (void) close(ends_of[1]);
        p.fd = ends_of[0];
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        ck_assert_int_gt(read(ends_of[0], text, sizeof(text) - 1), 0);
        (void) close(ends_of[0]);
        return atoi(text);
}

START_TEST(stragglers_are_killed) {
        KeeperMessage m;
        pid_t left;

        open_plain(_i);
        left = launch_leaving(0, "daemonize");
        m = bench_end(&b, 0, 1);
        ck_assert_int_eq(m.exited.status, 7);
        ck_assert_uint_eq(m.exited.stragglers, 1);
        ck_assert_uint_eq(m.exited.unkillable, 0);
        ck_assert(test_wait_gone(left));
        bench_close(&b);
}
END_TEST

START_TEST(a_tree_is_killed) {
        KeeperMessage kill_tree = {.type = KEEPER_KILL_TREE, .generation = 1}, m;
        pid_t left;

        open_plain(_i);
        left = launch_leaving(0, "escape");
        bench_send(&b, &kill_tree, NULL, 0);
        m = bench_end(&b, 0, 1);
        ck_assert_int_eq(m.exited.code, CLD_KILLED);
        ck_assert_int_eq(m.exited.status, SIGKILL);
        ck_assert(test_wait_gone(left));
        bench_close(&b);
}
END_TEST

START_TEST(a_tree_is_signalled) {
        KeeperMessage m = {.type = KEEPER_SIGNAL, .generation = 1,
                           .signal = {.number = SIGTERM, .scope = KEEPER_SIGNAL_TREE}};
        pid_t left;

        open_plain(_i);
        left = launch_leaving(0, "escape");
        bench_send(&b, &m, NULL, 0);
        m = bench_end(&b, 0, 1);
        ck_assert_int_eq(m.exited.status, SIGTERM);
        ck_assert(test_wait_gone(left));
        bench_close(&b);
}
END_TEST

START_TEST(a_stopped_process_can_be_ended) {
        KeeperMessage stop = {.type = KEEPER_SIGNAL, .generation = 1, .signal = {.number = SIGSTOP}};
        KeeperMessage term = {.type = KEEPER_SIGNAL, .generation = 1, .signal = {.number = SIGTERM, .and_continue = 1}};
        KeeperMessage stale = {.type = KEEPER_SIGNAL, .generation = 2, .signal = {.number = SIGKILL}};

        open_plain(_i);
        bench_launch(&b, 0, 1, NULL, ARGV(S("wait")));
        (void) bench_wait(&b, KEEPER_STARTED, 0);
        bench_send(&b, &stale, NULL, 0); /* another generation: nothing may happen */
        bench_send(&b, &stop, NULL, 0);
        bench_send(&b, &term, NULL, 0);
        ck_assert_int_eq(bench_end(&b, 0, 1).exited.status, SIGTERM);
        bench_close(&b);
}
END_TEST

START_TEST(readiness_is_told_once) {
        LaunchSpec s = bench_spec(ARGV(S("ready")));
        KeeperMessage m = bench_launch_message(0, 1, "test/0", LOG_KIND_NONE), k = {.type = KEEPER_KILL_TREE, .generation = 1};

        open_plain(_i);
        m.launch.flags = KEEPER_LAUNCH_READY_PIPE;
        s.ready_fd = 4;
        bench_launch_full(&b, &m, &s, NULL, 0);
        (void) bench_wait(&b, KEEPER_READY, 0);
        bench_send(&b, &k, NULL, 0);
        (void) bench_end(&b, 0, 1);
        ck_assert(!bench_has_seen(&b, KEEPER_READY, 0));
        bench_close(&b);
}
END_TEST

START_TEST(three_hundred_at_once) {
        enum { N = 300 };
        char value[N][8];

        open_plain(_i);
        for (uint32_t i = 0; i < N; i++) {
                (void) snprintf(value[i], sizeof(value[i]), "%u", i & 127);
                bench_launch(&b, i, 1, NULL, ARGV(S("exit"), value[i]));
        }
        for (uint32_t i = 0; i < N; i++)
                ck_assert_int_eq(bench_end(&b, i, 1).exited.status, (int) (i & 127));
        bench_close(&b);
}
END_TEST

/* Nothing is read for 12000 notices; then every single one is there, in each slot's order. */
START_TEST(a_deaf_droverd_loses_nothing) {
        enum { N = 6000 };
        KeeperMessage ping = {.type = KEEPER_PING};

        open_plain(_i);
        for (uint32_t i = 0; i < N; i++) {
                KeeperMessage m = bench_launch_message(i, 5, "x", LOG_KIND_NONE);

                bench_send(&b, &m, NULL, 0);
        }
        bench_send(&b, &ping, NULL, 0);
        for (uint32_t i = 0; i < N; i++)
                (void) bench_end(&b, i, 5);
        bench_close(&b);
}
END_TEST

START_TEST(a_new_droverd_knows_everything) {
        enum { N = 5 };
        KeeperMessage keep = {.type = KEEPER_KEEP, .kept = {.name = "journal"}}, hello, m;
        pid_t pids[N], old;
        int pipes[N][2], null = open("/dev/null", O_RDONLY);

        open_plain(_i);
        for (uint32_t i = 0; i < N; i++) {
                char value[8];
                LaunchSpec s;

                (void) snprintf(value, sizeof(value), "%u", 10 + i);
                s = bench_spec(ARGV(S("exit-after"), value));
                ck_assert_int_eq(pipe2(pipes[i], O_CLOEXEC), 0);
                s.fd_targets[0] = 5;
                s.n_fds = 1;
                m = bench_launch_message(i, 100 + i, "test/0", LOG_KIND_NONE);
                bench_launch_full(&b, &m, &s, &pipes[i][0], 1);
                pids[i] = bench_wait(&b, KEEPER_STARTED, i).started.pid;
        }
        bench_launch(&b, N, 1, &(LaunchSpec) {.argv = ARGV(S("x")), .env = bad_candidates, .candidates = bad_candidates,
                                              .ready_fd = -1}, NULL);
        (void) bench_wait(&b, KEEPER_FAILED, N);
        bench_send(&b, &keep, &null, 1); /* these last words count, too */
        old = b.droverd.pid;
        (void) kill(old, SIGKILL);
        for (uint32_t i = 0; i < 2; i++) { /* two die while nobody decides */
                (void) close(pipes[i][1]);
                ck_assert(test_wait_gone(pids[i]));
        }
        bench_meet_droverd(&b);
        bench_pass_table(&b, &hello);
        ck_assert_int_eq(hello.hello.n_lives, 2);
        ck_assert_uint_eq(hello.hello.flags & KEEPER_HELLO_FIRST, 0);
        ck_assert_str_eq(bench_wait(&b, KEEPER_KEPT, 0).kept.name, "journal");
        m = bench_wait(&b, KEEPER_SLOT, N);
        ck_assert_uint_eq(m.slot_info.is_failed, 1);
        ck_assert_int_eq(m.slot_info.failed.stage, LAUNCH_EXEC);
        for (uint32_t i = 0; i < N; i++) {
                m = bench_wait(&b, KEEPER_SLOT, i);
                ck_assert_uint_eq(m.generation, 100 + i);
                ck_assert_str_eq(m.slot_info.name, "test/0");
                if (m.slot_info.state == KEEPER_SLOT_RUNNING)
                        ck_assert_int_eq(m.slot_info.pid, pids[i]);
                if (i >= 2) {
                        ck_assert_uint_eq(m.slot_info.state, KEEPER_SLOT_RUNNING);
                        (void) close(pipes[i][1]);
                }
                /* Known by the table, or told afterwards: one of both. */
                if (m.slot_info.state != KEEPER_SLOT_ENDED)
                        m.slot_info.exited = bench_wait(&b, KEEPER_EXITED, i).exited;
                ck_assert_int_eq(m.slot_info.exited.status, (int) (10 + i));
                (void) close(pipes[i][0]);
        }
        (void) close(null);
        bench_close(&b);
}
END_TEST

START_TEST(a_new_logger_gets_every_pipe) {
        LaunchSpec s = bench_spec(ARGV(S("say"), S("hello")));
        KeeperMessage m = bench_launch_message(7, 3, "test/0", LOG_KIND_FILE), k = {.type = KEEPER_KILL_TREE, .slot = 7, .generation = 3};
        LoggerMessage a;
        struct pollfd p = {.events = POLLIN};
        char text[32] = "";
        int fds[2];
        size_t n_fds;
        pid_t first;

        open_plain(_i);
        first = bench_wait(&b, KEEPER_LOGGER, 0).logger.pid;
        (void) bench_wait_logger(&b, LOGGER_SCRATCH, NULL, 0, NULL);
        (void) snprintf(m.launch.log.path, sizeof(m.launch.log.path), "/var/log/x");
        bench_launch_full(&b, &m, &s, NULL, 0);
        a = bench_wait_logger(&b, LOGGER_ATTACH, fds, 2, &n_fds);
        ck_assert_uint_eq(a.attach.is_again, 0);
        ck_assert_uint_eq(a.attach.streams, LOG_STREAM_STDOUT | LOG_STREAM_STDERR);
        ck_assert_str_eq(a.attach.spec.path, "/var/log/x");
        fd_close_many(fds, n_fds);
        (void) kill(b.logger.pid, SIGKILL);
        bench_meet_logger(&b);
        a = bench_wait_logger(&b, LOGGER_SCRATCH, &b.scratch_fd, 1, &n_fds);
        ck_assert_int_eq(lseek(b.scratch_fd, 0, SEEK_END), LOGGER_SCRATCH_BYTES);
        ck_assert_int_lt(ftruncate(b.scratch_fd, 0), 0);
        a = bench_wait_logger(&b, LOGGER_ATTACH, fds, 2, &n_fds);
        ck_assert_uint_eq(a.attach.is_again, 1);
        ck_assert_uint_eq(a.slot, 7);
        ck_assert_uint_eq(a.generation, 3);
        ck_assert_uint_eq(n_fds, 2);
        (void) bench_wait_logger(&b, LOGGER_PEER, NULL, 0, &n_fds);
        ck_assert_uint_eq(n_fds, 1);
        ck_assert_int_ne(bench_wait(&b, KEEPER_LOGGER, 0).logger.pid, first);
        p.fd = fds[0];
        ck_assert_int_eq(poll(&p, 1, 20000), 1);
        ck_assert_int_eq(read(fds[0], text, sizeof(text)), 6);
        ck_assert_str_eq(text, "hello\n");
        fd_close_many(fds, 2);
        bench_send(&b, &k, NULL, 0);
        (void) bench_wait(&b, KEEPER_EXITED, 7);
        ck_assert_uint_gt(bench_wait_logger(&b, LOGGER_LINGER, NULL, 0, NULL).linger_usec, 0);
        ck_assert(!bench_has_seen(&b, KEEPER_DRAINED, 7));
        bench_detach(&b, 7, 3);
        (void) bench_wait(&b, KEEPER_DRAINED, 7);
        bench_close(&b);
}
END_TEST

/* Nothing was said: the logger never hears of it, not even a new one; the end is drained at once. */
START_TEST(a_silent_process_does_not_meet_the_logger) {
        LaunchSpec silent = bench_spec(ARGV(S("wait"))), says = bench_spec(ARGV(S("say"), S("hello")));
        KeeperMessage m = bench_launch_message(7, 3, "test/0", LOG_KIND_FILE), k = {.type = KEEPER_KILL_TREE, .slot = 7, .generation = 3};
        int fds[2];
        size_t n_fds;

        open_plain(_i);
        bench_launch_full(&b, &m, &silent, NULL, 0);
        (void) bench_wait(&b, KEEPER_STARTED, 7);
        (void) kill(b.logger.pid, SIGKILL);
        bench_meet_logger(&b);
        m = bench_launch_message(8, 4, "test/1", LOG_KIND_FILE);
        bench_launch_full(&b, &m, &says, NULL, 0);
        ck_assert_uint_eq(bench_wait_logger(&b, LOGGER_ATTACH, fds, 2, &n_fds).slot, 8);
        ck_assert_uint_eq(n_fds, 2);
        fd_close_many(fds, n_fds);
        bench_send(&b, &k, NULL, 0);
        (void) bench_wait(&b, KEEPER_EXITED, 7);
        (void) bench_wait(&b, KEEPER_DRAINED, 7);
        bench_close(&b);
}
END_TEST

/* With room for some forty descriptors: what does not fit fails and says so, everything else goes on, and when
 * there is room again, all is as before. */
START_TEST(descriptors_run_out) {
        enum { N = 60 };
        unsigned n_started = 0, n_failed = 0;
        bool lives[N] = {};

        bench_open(&b, &(BenchOptions) {.tree = bench_trees[_i], .n_fds = 48});
        bench_pass_table(&b, NULL);
        for (uint32_t i = 0; i < N; i++)
                bench_launch(&b, i, 1, NULL, ARGV(S("wait")));
        for (uint32_t i = 0; i < N; i++) {
                while (!bench_has_seen(&b, KEEPER_STARTED, i) && !bench_has_seen(&b, KEEPER_FAILED, i))
                        bench_pump(&b);
                lives[i] = bench_has_seen(&b, KEEPER_STARTED, i);
                n_started += lives[i];
                n_failed += !lives[i];
        }
        ck_assert_uint_gt(n_started, 5);
        ck_assert_uint_gt(n_failed, 5);
        (void) kill(b.droverd.pid, SIGKILL); /* a new droverd fits in even now */
        bench_meet_droverd(&b);
        bench_pass_table(&b, NULL);
        for (uint32_t i = 0; i < N; i++)
                if (lives[i]) {
                        KeeperMessage k = {.type = KEEPER_KILL_TREE, .slot = i, .generation = 1};

                        bench_send(&b, &k, NULL, 0);
                        ck_assert_int_eq(bench_end(&b, i, 1).exited.status, SIGKILL);
                }
        bench_launch(&b, N, 1, NULL, ARGV(S("exit"), S("5")));
        ck_assert_int_eq(bench_end(&b, N, 1).exited.status, 5);
        bench_close(&b);
}
END_TEST

START_TEST(a_silent_droverd_is_replaced) {
        KeeperMessage hello;
        pid_t worker;

        bench_open(&b, &(BenchOptions) {.tree = bench_trees[_i], .watchdog_usec = 300 * USEC_PER_MSEC});
        bench_pass_table(&b, &hello);
        ck_assert_uint_eq(hello.hello.watchdog_usec, 300 * USEC_PER_MSEC);
        bench_launch(&b, 0, 1, NULL, ARGV(S("wait")));
        worker = bench_wait(&b, KEEPER_STARTED, 0).started.pid;
        (void) kill(b.droverd.pid, SIGSTOP);
        bench_meet_droverd(&b);
        bench_pass_table(&b, NULL);
        ck_assert_int_eq(bench_wait(&b, KEEPER_SLOT, 0).slot_info.pid, worker);
        bench_close(&b);
}
END_TEST

START_TEST(an_early_exit_is_the_keepers) {
        unsigned char code = 78;

        open_plain(_i);
        ck_assert_int_eq(send(b.droverd.control, &code, 1, 0), 1);
        (void) bench_wait_logger(&b, LOGGER_FINISH, NULL, 0, NULL);
        code = 0;
        ck_assert_int_eq(send(b.logger.control, &code, 1, 0), 1);
        ck_assert_int_eq(bench_wait_keeper(&b), 78 << 8);
}
END_TEST

START_TEST(a_later_exit_is_not) {
        KeeperMessage ready = {.type = KEEPER_NOTIFY, .text = "READY=1\nSTATUS=x"};
        unsigned char code = 78;

        open_plain(_i);
        bench_send(&b, &ready, NULL, 0);
        ck_assert_int_eq(send(b.droverd.control, &code, 1, 0), 1);
        bench_meet_droverd(&b);
        bench_pass_table(&b, NULL);
        bench_close(&b);
}
END_TEST

START_TEST(signals_become_notices) {
        KeeperMessage quit = {.type = KEEPER_QUIT, .quit = {.code = 3}}, hello;
        unsigned char code = 0;
        pid_t worker;

        open_plain(_i);
        (void) kill(b.keeper, SIGHUP);
        (void) bench_wait(&b, KEEPER_RELOAD, 0);
        bench_launch(&b, 0, 1, NULL, ARGV(S("wait")));
        worker = bench_wait(&b, KEEPER_STARTED, 0).started.pid;
        (void) kill(b.keeper, SIGTERM);
        (void) bench_wait(&b, KEEPER_SHUTDOWN, 0);
        (void) kill(b.droverd.pid, SIGKILL); /* the next one must know */
        bench_meet_droverd(&b);
        bench_pass_table(&b, &hello);
        ck_assert_uint_eq(hello.hello.flags, KEEPER_HELLO_SHUTDOWN);
        bench_send(&b, &quit, NULL, 0); /* with a worker still there */
        ck_assert_int_eq(send(b.droverd.control, &code, 1, 0), 1);
        (void) bench_wait_logger(&b, LOGGER_FINISH, NULL, 0, NULL);
        ck_assert_int_eq(send(b.logger.control, &code, 1, 0), 1);
        ck_assert_int_eq(bench_wait_keeper(&b), 3 << 8);
        ck_assert(test_wait_gone(worker));
}
END_TEST

/* A terrible place to be started from: blocked and ignored signals, stray descriptors. */
static void spoil_start(void) {
        struct {
                void (*handler)(int);
                unsigned long flags;
                void *restorer;
                uint64_t mask;
        } ignore = {.handler = SIG_IGN};
        sigset_t all;

        for (int sig = 1; sig <= 64; sig++)
                (void) syscall(SYS_rt_sigaction, sig, &ignore, NULL, sizeof(uint64_t));
        (void) sigfillset(&all);
        (void) sigprocmask(SIG_SETMASK, &all, NULL);
        for (int i = 0; i < 20; i++)
                (void) open("/dev/null", O_RDONLY);
        (void) close(0);
        (void) umask(0);
        (void) setenv("NOTIFY_SOCKET", "/nonexistent", 1);
        (void) setrlimit(RLIMIT_NOFILE, &(struct rlimit) {512, 4096});
}

static char *shell[] = {S("/bin/sh"), NULL};
static const char probe[] =
        "grep -E '^(SigBlk|SigIgn|ShdPnd):.*[1-9a-f]' /proc/self/status; "
        "ls /proc/self/fd | grep -vE '^[0123]$'; ulimit -Sn; umask; pwd; env | grep -v ^PWD= | sort; "
        "ps -o sid= -p $$ | tr -d ' ' | grep -vx $$; cut -d' ' -f7 /proc/$$/stat";

START_TEST(nothing_leaks_into_a_worker) {
        LaunchSpec s = bench_spec((char *[]) {S("sh"), S("-c"), S(probe), NULL});
        char text[4096] = "", path[128];
        FILE *f;

        bench_open(&b, &(BenchOptions) {.tree = bench_trees[_i], .before_exec = spoil_start});
        bench_pass_table(&b, NULL);
        (void) snprintf(path, sizeof(path), "%s/out", b.directory);
        s.candidates = shell;
        s.stdio_path[1] = path;
        s.stdio_path[2] = path;
        bench_launch(&b, 0, 1, &s, NULL);
        ck_assert_uint_eq(bench_end(&b, 0, 1).type, KEEPER_EXITED);
        f = fopen(path, "re");
        ck_assert_ptr_nonnull(f);
        ck_assert_uint_gt(fread(text, 1, sizeof(text) - 1, f), 0);
        (void) fclose(f);
        (void) unlink(path);
        ck_assert_str_eq(text, "512\n0022\n/\nDROVER_NAME=test/0\nPATH=/usr/bin:/bin\n0\n");
        bench_close(&b);
}
END_TEST

START_TEST(an_identity_is_taken_for_good) {
        static const gid_t groups[] = {4, 27, 65534};
        static const char check[] =
                "id -u; id -g; id -G; grep -hE '^(CapInh|CapPrm|CapEff|CapAmb|NoNewPrivs):' /proc/self/status | tr -d '\\t'; "
                "cat /proc/self/oom_score_adj; nice";
        LaunchSpec s = bench_spec((char *[]) {S("sh"), S("-c"), S(check), NULL});
        char text[4096] = "", path[128];
        KeeperMessage m;
        int fd;

        open_plain(_i);
        (void) snprintf(path, sizeof(path), "%s/out", b.directory);
        fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
        ck_assert_int_eq(fchmod(fd, 0666), 0);
        s.candidates = shell;
        s.set_identity = s.no_new_privs = s.has_nice = s.has_oom_score_adj = true;
        s.uid = 65534;
        s.gid = 65533;
        s.groups = groups;
        s.n_groups = ARRAY_SIZE(groups);
        s.nice = 7;
        s.oom_score_adj = 500;
        s.stdio_path[1] = path;
        bench_launch(&b, 0, 1, &s, NULL);
        m = bench_end(&b, 0, 1);
        if (getuid() == 0) {
                ck_assert_uint_eq(m.type, KEEPER_EXITED);
                ck_assert_int_gt(pread(fd, text, sizeof(text) - 1, 0), 0);
                ck_assert_str_eq(text, "65534\n65533\n65533 4 27 65534\nCapInh:0000000000000000\nCapPrm:0000000000000000\n"
                                       "CapEff:0000000000000000\nCapAmb:0000000000000000\nNoNewPrivs:1\n500\n7\n");
        } else {
                ck_assert_uint_eq(m.type, KEEPER_FAILED);
                ck_assert_int_eq(m.failed.stage, LAUNCH_GROUPS);
                ck_assert_int_eq(m.failed.error, EPERM);
        }
        (void) close(fd);
        (void) unlink(path);
        bench_close(&b);
}
END_TEST

/* Targets that are each other's sources, in a process whose descriptors are numbered just so. */
START_TEST(descriptors_do_not_clobber_each_other) {
        LaunchSpec s = bench_spec((char *[]) {S("sh"), S("-c"), S("for i in 3 4 5 6 7 8 9; do cat <&$i; done"), NULL});
        KeeperMessage m = bench_launch_message(0, 1, "test/0", LOG_KIND_NONE);
        char path[128], text[64] = "";
        int fds[7], out;

        open_plain(_i);
        (void) snprintf(path, sizeof(path), "%s/out", b.directory);
        for (int i = 0; i < 7; i++) {
                char digit = (char) ('3' + i);

                fds[i] = memfd_create("x", MFD_CLOEXEC);
                ck_assert_int_eq(write(fds[i], &digit, 1), 1);
                ck_assert_int_eq(lseek(fds[i], 0, SEEK_SET), 0);
                s.fd_targets[i] = 3 + i;
        }
        s.n_fds = 7;
        s.candidates = shell;
        s.stdio_path[1] = path;
        bench_launch_full(&b, &m, &s, fds, 7);
        ck_assert_int_eq(bench_end(&b, 0, 1).exited.status, 0);
        out = open(path, O_RDONLY | O_CLOEXEC);
        ck_assert_int_gt(read(out, text, sizeof(text) - 1), 0);
        ck_assert_str_eq(text, "3456789");
        (void) close(out);
        (void) unlink(path);
        fd_close_many(fds, 7);
        bench_close(&b);
}
END_TEST

/* Orphans of orphans come and go without anybody being counted wrong. */
START_TEST(orphans_are_reaped) {
        LaunchSpec s = bench_spec((char *[]) {S("sh"), S("-c"), S("i=0; while [ $i -lt 200 ]; do (true &) ; i=$((i+1)); done; exit 9"), NULL});
        KeeperMessage m;

        open_plain(_i);
        s.candidates = shell;
        bench_launch(&b, 0, 1, &s, NULL);
        m = bench_end(&b, 0, 1);
        ck_assert_uint_eq(m.type, KEEPER_EXITED);
        ck_assert_int_eq(m.exited.status, 9);
        bench_close(&b);
}
END_TEST

int main(int argc, char **argv) {
        const KeeperCase cases[] = {
                CASE(the_table_is_said_first),
                CASE(a_launch_and_its_end),
                CASE(every_way_to_end),
                CASE(every_failing_stage),
                CASE(a_fifo_without_a_reader_is_said),
                CASE(nonsense_fails_its_launch_only),
                CASE(stragglers_are_killed),
                CASE(a_tree_is_killed),
                CASE(a_tree_is_signalled),
                CASE(a_stopped_process_can_be_ended),
                CASE(readiness_is_told_once),
                CASE(three_hundred_at_once),
                CASE(a_deaf_droverd_loses_nothing),
                CASE(a_new_droverd_knows_everything),
                CASE(a_new_logger_gets_every_pipe),
                CASE(a_silent_process_does_not_meet_the_logger),
                CASE(descriptors_run_out),
                CASE(a_silent_droverd_is_replaced),
                CASE(an_early_exit_is_the_keepers),
                CASE(a_later_exit_is_not),
                CASE(signals_become_notices),
                CASE(nothing_leaks_into_a_worker),
                CASE(an_identity_is_taken_for_good),
                CASE(descriptors_do_not_clobber_each_other),
                CASE(orphans_are_reaped),
        };

        return keeper_test_main(argc, argv, "keeper", cases, ARRAY_SIZE(cases));
}
