/* util-spare.c - see util-spare.h. */
#include "util-spare.h"
#include "util-template.h"
#include "base/fd.h"
#include <check.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#define FDS_MAX 8

Bench b;
uint64_t generation; /* of the last launch; none has that of another one */
uint64_t template_generation;

const SpareFailure spare_failures[SPARE_FAILURES] = {
        {"stale", LAUNCH_TEMPLATE, ESTALE}, {"deaf", LAUNCH_TEMPLATE, ESTALE}, {"fail", LAUNCH_STDIO, ENOENT},
};

int spare_test_main(int argc, char **argv, const char *name, const KeeperCase *cases, size_t n_cases) {
        if (streq(argv[0], "template"))
                template_act(argc > 1 ? argv[1] : "");
        return keeper_test_main(argc, argv, name, cases, n_cases);
}

void open_with(int tree, const char *manner) {
        bench_open(&b, &(BenchOptions) {.tree = bench_trees[tree]});
        bench_pass_table(&b, NULL);
        template_generation = ++generation;
        bench_launch_template(&b, template_generation, manner);
}

KeeperMessage of_template(uint32_t type, uint32_t slot, uint64_t g, uint32_t kind) {
        KeeperMessage m = bench_launch_message(slot, g, "test/0", kind);

        m.type = type;
        m.launch.flags = KEEPER_LAUNCH_FROM_TEMPLATE;
        m.launch.template_slot = BENCH_TEMPLATE_SLOT;
        m.launch.template_generation = template_generation;
        return m;
}

/* A launch of its own, with spares in the slots @first and following. Return: its generation; those of the spares come after it. */
uint64_t launch_with(uint32_t slot, const char *text, uint32_t first, unsigned n) {
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

void use_as(uint32_t slot, uint64_t g, const char *text, uint32_t kind, uint32_t flags) {
        KeeperMessage m = of_template(KEEPER_USE_SPARE, slot, g, kind);

        m.launch.flags |= flags;
        m.use_spare.n_text = (uint32_t) strlen(text);
        memcpy(m.use_spare.text, text, strlen(text));
        bench_send(&b, &m, NULL, 0);
}

void use(uint32_t slot, uint64_t g, const char *text) {
        use_as(slot, g, text, LOG_KIND_FILE, 0);
}

void kill_tree(uint32_t slot, uint64_t g) {
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

void await_drained(uint32_t slot) {
        while (!bench_has_seen(&b, KEEPER_DRAINED, slot)) {
                struct pollfd p[] = {{.fd = b.droverd.line, .events = POLLIN}, {.fd = b.logger.line, .events = POLLIN}};

                ck_assert_int_gt(poll(p, 2, -1), 0);
                if (p[1].revents != 0)
                        detach_when_asked();
                if (p[0].revents != 0)
                        bench_pump(&b);
        }
}

KeeperMessage end_of(uint32_t slot, uint64_t g) {
        await_drained(slot);
        return bench_end(&b, slot, g);
}

void expect_exit(uint32_t slot, uint64_t g, int status) {
        KeeperMessage m = end_of(slot, g);

        ck_assert_msg(m.type == KEEPER_EXITED, "%s %d %d", launch_stage_to_string(m.failed.stage), m.failed.error, m.failed.detail);
        ck_assert_int_eq(m.exited.status, status);
        if (bench_has_seen(&b, KEEPER_STARTED, slot))
                (void) bench_wait(&b, KEEPER_STARTED, slot);
}

/* One spare in @slot, whatever became of the launch it came with. */
uint64_t spare_in(uint32_t slot) {
        uint64_t g = launch_with(1, "0", slot, 1);

        expect_exit(1, g, 0);
        return g + 1;
}

void expect_failure(uint32_t slot, uint64_t g, LaunchStage stage, int error) {
        KeeperMessage m = end_of(slot, g);

        ck_assert_uint_eq(m.type, KEEPER_FAILED);
        ck_assert_msg(m.failed.stage == stage && m.failed.error == error, "%s %d", launch_stage_to_string(m.failed.stage), m.failed.error);
        ck_assert(!bench_has_seen(&b, KEEPER_STARTED, slot));
}
