/* test-keeper-template.c - launches by a template: the real drover-keeper, and templates that keep its protocol or do not. */
#include "util-keeper.h"
#include "base/fd.h"
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define REQUEST_FDS_MAX 8

static Bench b;
static uint64_t generation; /* of the last launch; none has that of another one */
static uint64_t template_generation;

/* ---- the template's side ---- */

static void say(int fd, const char *text) {
        if (packet_send(fd, text, strlen(text), NULL, 0) < 0)
                _exit(90);
}

/* Of the request: an exit code, or nothing: it stays. */
_noreturn_ static void act_as_child(int report, int request) {
        char text[16] = "", go;
        ssize_t n = pread(request, text, sizeof(text) - 1, 0);

        (void) setsid(); /* trees without cgroups are sessions, too */
        say(report, "here");
        if (n < 0 || recv(report, &go, 1, 0) != 1 || go != 'g')
                _exit(91);
        (void) close(report);
        if (n > 0)
                _exit(atoi(text));
        for (;;)
                (void) pause();
}

/* As any language can: the process between ends, and the keeper inherits the new one. */
static void fork_twice(int report, int request) {
        pid_t pid = fork();

        if (pid == 0) {
                if (fork() == 0)
                        act_as_child(report, request);
                _exit(0);
        }
        (void) waitpid(pid, NULL, 0);
}

static void fork_once(int report, int request) {
        if (fork() == 0)
                act_as_child(report, request);
}

static void fail_to_set_up(int report, int request) {
        (void) request;
        say(report, "failed directory 2 7");
}

static void say_nothing(int report, int request) {
        (void) report;
        (void) request;
}

static void claim_to_be_it(int report, int request) {
        (void) request;
        say(report, "here");
}

static void say_nonsense(int report, int request) {
        (void) request;
        say(report, "failed to be understood");
}

_noreturn_ static void die(int report, int request) {
        (void) report;
        (void) request;
        _exit(5);
}

_noreturn_ static void close_and_stay(int report, int request) {
        (void) request;
        (void) close(BENCH_TEMPLATE_FD);
        (void) close(report);
        for (;;)
                (void) pause();
}

static const struct {
        const char *name;
        void (*on_request)(int report, int request);
        LaunchStage stage;
        int error, detail;
} manners[] = {
        {"fork-twice", fork_twice, 0, 0, 0},
        {"fork-once", fork_once, LAUNCH_TEMPLATE, ECHILD, 0}, /* the template's own child, which the keeper cannot wait for */
        {"fail", fail_to_set_up, LAUNCH_DIRECTORY, ENOENT, 7},
        {"nothing", say_nothing, LAUNCH_KILLED, ESRCH, 0},
        {"claim", claim_to_be_it, LAUNCH_TEMPLATE, EPERM, 0}, /* it is in the table already */
        {"nonsense", say_nonsense, LAUNCH_TEMPLATE, EPERM, 0},
        {"die", die, LAUNCH_TEMPLATE, ESRCH, 0},
        {"close", close_and_stay, LAUNCH_TEMPLATE, ESRCH, 0},
};

_noreturn_ static void act_as_template(const char *name) {
        int fds[REQUEST_FDS_MAX];
        char words[128];
        size_t n_fds = 0, i = 0;
        ssize_t n;

        while (!streq(manners[i].name, name))
                if (++i == ARRAY_SIZE(manners))
                        _exit(92);
        say(BENCH_TEMPLATE_FD, "ready");
        while ((n = packet_recv(BENCH_TEMPLATE_FD, words, sizeof(words) - 1, fds, REQUEST_FDS_MAX, &n_fds)) > 0) {
                words[n] = '\0';
                if (n_fds < 4 || strncmp(words, "request report stdout stderr", 28) != 0)
                        _exit(93);
                manners[i].on_request(fds[1], fds[0]);
                fd_close_many(fds, n_fds);
        }
        _exit(0);
}

/* ---- the test's side ---- */

static void start_template(const char *name) {
        template_generation = ++generation;
        bench_launch_template(&b, template_generation, name);
}

static void open_with(int tree, const char *name) {
        bench_open(&b, &(BenchOptions) {.tree = bench_trees[tree]});
        bench_pass_table(&b, NULL);
        start_template(name);
}

/* The generation of the new process. */
static uint64_t ask_of(uint64_t whom, uint32_t slot, const char *text) {
        KeeperMessage m = bench_launch_message(slot, ++generation, "test/0", LOG_KIND_NONE);
        int fd = memfd_create("request", MFD_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        m.launch.flags = KEEPER_LAUNCH_FROM_TEMPLATE;
        m.launch.template_slot = BENCH_TEMPLATE_SLOT;
        m.launch.template_generation = whom;
        bench_send(&b, &m, &fd, 1);
        (void) close(fd);
        return generation;
}

static uint64_t ask(uint32_t slot, const char *text) {
        return ask_of(template_generation, slot, text);
}

static void end_template(void) {
        KeeperMessage k = {.type = KEEPER_KILL_TREE, .slot = BENCH_TEMPLATE_SLOT, .generation = template_generation};

        bench_send(&b, &k, NULL, 0);
        (void) bench_end(&b, BENCH_TEMPLATE_SLOT, template_generation);
}

static pid_t parent_of(pid_t pid) {
        char path[64], text[256], *after;
        FILE *f;
        size_t n;

        (void) snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        f = fopen(path, "re");
        ck_assert_ptr_nonnull(f);
        n = fread(text, 1, sizeof(text) - 1, f);
        text[n] = '\0';
        (void) fclose(f);
        after = strrchr(text, ')');
        return after ? atoi(after + 3) : 0; /* ") S 123" */
}

START_TEST(forked_ones_are_the_keepers) {
        enum { N = 20 };
        KeeperMessage m, k = {.type = KEEPER_KILL_TREE, .slot = N};
        uint64_t generations[N + 1];
        char code[16];

        open_with(_i, "fork-twice");
        for (uint32_t i = 1; i <= N; i++) {
                (void) snprintf(code, sizeof(code), "%u", i);
                generations[i] = ask(i, i == N ? "" : code);
        }
        for (uint32_t i = 1; i < N; i++) {
                m = bench_end(&b, i, generations[i]);
                ck_assert_msg(m.type == KEEPER_EXITED, "%u: %s %d", i, launch_stage_to_string(m.failed.stage), m.failed.error);
                ck_assert_int_eq(m.exited.code, CLD_EXITED);
                ck_assert_int_eq(m.exited.status, (int) i);
        }
        m = bench_wait(&b, KEEPER_STARTED, N);
        ck_assert_int_eq(parent_of(m.started.pid), b.keeper);
        end_template(); /* whom it forked stays */
        ck_assert_int_eq(kill(m.started.pid, 0), 0);
        k.generation = generations[N];
        bench_send(&b, &k, NULL, 0);
        m = bench_end(&b, N, generations[N]);
        ck_assert_int_eq(m.exited.status, SIGKILL);
        bench_close(&b);
}
END_TEST

/* Each costs its own launch; where the template lives on, it is asked again. */
START_TEST(every_bad_manner) {
        open_with(_i, "fork-twice");
        end_template();
        for (size_t i = 1; i < ARRAY_SIZE(manners); i++) {
                bool is_gone = streq(manners[i].name, "die") || streq(manners[i].name, "close");

                start_template(manners[i].name);
                for (uint32_t slot = 1; slot <= 2; slot++) {
                        KeeperMessage m = bench_end(&b, slot, ask(slot, "0"));

                        ck_assert_msg(m.type == KEEPER_FAILED && m.failed.stage == manners[i].stage &&
                                      m.failed.error == manners[i].error && m.failed.detail == manners[i].detail,
                                      "%s: %u %s %d %d", manners[i].name, m.type, launch_stage_to_string(m.failed.stage),
                                      m.failed.error, m.failed.detail);
                }
                if (is_gone) {
                        KeeperMessage m = bench_end(&b, BENCH_TEMPLATE_SLOT, template_generation);

                        ck_assert_int_eq(m.exited.status, streq(manners[i].name, "die") ? 5 : SIGTERM);
                } else
                        end_template();
        }
        bench_close(&b);
}
END_TEST

/* A generation that is no more, a slot that never had one. */
START_TEST(nobody_to_ask) {
        KeeperMessage m;

        open_with(_i, "fork-twice");
        m = bench_end(&b, 1, ask_of(template_generation + 100, 1, "0"));
        ck_assert_uint_eq(m.type, KEEPER_FAILED);
        ck_assert_int_eq(m.failed.stage, LAUNCH_TEMPLATE);
        ck_assert_int_eq(m.failed.error, ESRCH);
        end_template();
        m = bench_end(&b, 1, ask(1, "0"));
        ck_assert_int_eq(m.failed.stage, LAUNCH_TEMPLATE);
        bench_close(&b);
}
END_TEST

/* The next droverd finds the template ready, and those on their way come to it. */
START_TEST(over_a_death_of_droverd) {
        KeeperMessage m, again;
        uint64_t first;
        pid_t pid;

        open_with(_i, "fork-twice");
        first = ask(1, "");
        pid = bench_wait(&b, KEEPER_STARTED, 1).started.pid;
        ck_assert_int_eq(kill(b.droverd.pid, SIGKILL), 0);
        bench_meet_droverd(&b);
        bench_pass_table(&b, NULL);
        m = bench_wait(&b, KEEPER_SLOT, BENCH_TEMPLATE_SLOT);
        ck_assert(m.slot_info.is_ready && m.slot_info.state == KEEPER_SLOT_RUNNING);
        again = bench_wait(&b, KEEPER_SLOT, 1);
        ck_assert_int_eq(again.slot_info.pid, pid);
        m = bench_end(&b, 2, ask(2, "9"));
        ck_assert_int_eq(m.exited.status, 9);
        end_template();
        again = (KeeperMessage) {.type = KEEPER_KILL_TREE, .slot = 1, .generation = first};
        bench_send(&b, &again, NULL, 0);
        (void) bench_end(&b, 1, first);
        bench_close(&b);
}
END_TEST

int main(int argc, char **argv) {
        const KeeperCase cases[] = {
                CASE(forked_ones_are_the_keepers),
                CASE(every_bad_manner),
                CASE(nobody_to_ask),
                CASE(over_a_death_of_droverd),
        };

        if (streq(argv[0], "template"))
                act_as_template(argc > 1 ? argv[1] : "");
        return keeper_test_main(argc, argv, "keeper-template", cases, ARRAY_SIZE(cases));
}
