/* test-keeper-spare.c - processes forked ahead: the real drover-keeper, and templates that fork them at once, later, or never. */
#include "util-keeper.h"
#include "util-template.h"
#include "base/fd.h"
#include <check.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define FDS_MAX 8
#define TEMPLATE_SLOT 0
#define MANY 20 /* more spares than the keeper looks at after each turn */
#define TRIES 500 /* of something that depends on how quick the machine is just now */

static Bench b;
static uint64_t generation; /* of the last launch; none has that of another one */
static uint64_t template_generation;
static const char *const spoilers[] = TEMPLATE_SPOILERS;

static void open_with(int tree, const char *manner) {
        char *env[] = {(char *) "DROVER_NAME=test!t0", NULL};
        LaunchSpec s = bench_spec((char *[]) {(char *) "template", (char *) manner, NULL});
        KeeperMessage m = bench_launch_message(TEMPLATE_SLOT, ++generation, "test!t0", LOG_KIND_NONE);

        bench_open(&b, &(BenchOptions) {.tree = bench_trees[tree]});
        bench_pass_table(&b, NULL);
        template_generation = generation;
        m.launch.flags = KEEPER_LAUNCH_TEMPLATE;
        s.env = env;
        s.template_fd = TEMPLATE_FD;
        bench_launch_full(&b, &m, &s, NULL, 0);
        (void) bench_wait(&b, KEEPER_READY, TEMPLATE_SLOT);
}

static KeeperMessage of_template(uint32_t type, uint32_t slot, uint64_t g, uint32_t kind) {
        KeeperMessage m = bench_launch_message(slot, g, "test/0", kind);

        m.type = type;
        m.launch.flags = KEEPER_LAUNCH_FROM_TEMPLATE;
        m.launch.template_slot = TEMPLATE_SLOT;
        m.launch.template_generation = template_generation;
        return m;
}

/* A launch of its own, with spares in the slots @first and following. Return: its generation; those of the spares come after it. */
static uint64_t launch_with(uint32_t slot, const char *text, uint32_t first, unsigned n) {
        KeeperMessage m = of_template(KEEPER_LAUNCH, slot, ++generation, LOG_KIND_NONE);
        uint64_t own = generation;
        int fd = memfd_create("request", MFD_CLOEXEC);

        for (unsigned i = 0; i < n; i++)
                m.launch.spares[i] = (KeeperSpare) {.slot = first + i, .generation = ++generation};
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t) strlen(text));
        bench_send(&b, &m, &fd, 1);
        (void) close(fd);
        return own;
}

static void use_as(uint32_t slot, uint64_t g, const char *text, uint32_t kind, uint32_t flags) {
        KeeperMessage m = of_template(KEEPER_USE_SPARE, slot, g, kind);

        m.launch.flags |= flags;
        m.use_spare.n_text = (uint32_t) strlen(text);
        memcpy(m.use_spare.text, text, strlen(text));
        bench_send(&b, &m, NULL, 0);
}

static void use(uint32_t slot, uint64_t g, const char *text) {
        use_as(slot, g, text, LOG_KIND_FILE, 0);
}

static void kill_tree(uint32_t slot, uint64_t g) {
        KeeperMessage m = {.type = KEEPER_KILL_TREE, .slot = slot, .generation = g};

        bench_send(&b, &m, NULL, 0);
}

/* The logger's part: a pipe that its template has not closed yet, when it ends, is handed over. */
static void detach_when_asked(void) {
        int fds[FDS_MAX];
        size_t n_fds = 0;
        LoggerMessage m;

        ck_assert_int_gt(packet_recv(b.logger.line, &m, sizeof(m), fds, FDS_MAX, &n_fds), 0);
        fd_close_many(fds, n_fds);
        if (m.type == LOGGER_LINGER)
                bench_detach(&b, m.slot, m.generation);
}

static KeeperMessage end_of(uint32_t slot, uint64_t g) {
        while (!bench_has_seen(&b, KEEPER_DRAINED, slot)) {
                struct pollfd p[] = {{.fd = b.droverd.line, .events = POLLIN}, {.fd = b.logger.line, .events = POLLIN}};

                ck_assert_int_gt(poll(p, 2, -1), 0);
                if (p[1].revents != 0)
                        detach_when_asked();
                if (p[0].revents != 0)
                        bench_pump(&b);
        }
        return bench_end(&b, slot, g);
}

static void expect_exit(uint32_t slot, uint64_t g, int status) {
        KeeperMessage m = end_of(slot, g);

        ck_assert_msg(m.type == KEEPER_EXITED, "%s %d %d", launch_stage_to_string(m.failed.stage), m.failed.error, m.failed.detail);
        ck_assert_int_eq(m.exited.status, status);
        if (bench_has_seen(&b, KEEPER_STARTED, slot))
                (void) bench_wait(&b, KEEPER_STARTED, slot);
}

/* One spare in @slot, whatever became of the launch it came with. */
static uint64_t spare_in(uint32_t slot) {
        uint64_t g = launch_with(1, "0", slot, 1);

        expect_exit(1, g, 0);
        return g + 1;
}

static void expect_failure(uint32_t slot, uint64_t g, LaunchStage stage, int error) {
        KeeperMessage m = end_of(slot, g);

        ck_assert_uint_eq(m.type, KEEPER_FAILED);
        ck_assert_msg(m.failed.stage == stage && m.failed.error == error, "%s %d", launch_stage_to_string(m.failed.stage), m.failed.error);
        ck_assert(!bench_has_seen(&b, KEEPER_STARTED, slot));
}

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
        kill_tree(TEMPLATE_SLOT, template_generation);
        expect_failure(2, used, LAUNCH_TEMPLATE, ESRCH);
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        use(3, unused, "0"); /* it is free by now */
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        expect_exit(TEMPLATE_SLOT, template_generation, SIGKILL);
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
        kill_tree(TEMPLATE_SLOT, template_generation);
        expect_failure(3, unused, LAUNCH_TEMPLATE, ESTALE);
        expect_exit(TEMPLATE_SLOT, template_generation, SIGKILL);
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
        static const struct {
                const char *text;
                LaunchStage stage;
                int error;
        } rows[] = {{"stale", LAUNCH_TEMPLATE, ESTALE}, {"deaf", LAUNCH_TEMPLATE, ESTALE}, {"fail", LAUNCH_STDIO, ENOENT}};

        open_with(_i, "fork");
        for (size_t i = 0; i < 10 * ARRAY_SIZE(rows); i++) {
                uint64_t g = spare_in(2);

                use(2, g, rows[i % ARRAY_SIZE(rows)].text);
                expect_failure(2, g, rows[i % ARRAY_SIZE(rows)].stage, rows[i % ARRAY_SIZE(rows)].error);
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
        use(TEMPLATE_SLOT, template_generation, "9"); /* which is no spare */
        use(5, ++generation, "9");                    /* nor was there ever one */
        expect_failure(5, generation, LAUNCH_TEMPLATE, ESTALE);
        ck_assert(!bench_has_seen(&b, KEEPER_FAILED, TEMPLATE_SLOT));
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
                CASE(one_that_stays_after_brief_ones), CASE(its_last_words), CASE(leaves_are_used_again),
        };

        if (streq(argv[0], "template"))
                template_act(argc > 1 ? argv[1] : "");
        return keeper_test_main(argc, argv, "keeper-spare", cases, ARRAY_SIZE(cases));
}
