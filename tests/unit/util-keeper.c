/* util-keeper.c - a bench for the real drover-keeper. See util-keeper.h. */
#include "util-keeper.h"
#include "base/alloc.h"
#include "base/fd.h"
#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATIENCE_MSEC 20000

static void start_keeper(Bench *b, const BenchOptions *o) {
        char text[32], path[128];

        (void) snprintf(path, sizeof(path), "%s/s", b->directory);
        b->keeper = fork();
        ck_assert_int_ge(b->keeper, 0);
        if (b->keeper > 0)
                return;
        (void) setenv("DROVER_TEST_SOCKET", path, 1);
        if (o->tree)
                (void) setenv("DROVER_TREE", o->tree, 1);
        (void) snprintf(text, sizeof(text), "%llu", (unsigned long long) o->watchdog_usec);
        if (o->watchdog_usec > 0)
                (void) setenv("DROVER_WATCHDOG_USEC", text, 1);
        if (o->n_fds > 0)
                (void) setrlimit(RLIMIT_NOFILE, &(struct rlimit) {o->n_fds, o->n_fds});
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM);
        if (o->before_exec)
                o->before_exec();
        (void) execl(getenv("DROVER_KEEPER"), "drover-keeper", "--droverd", test_program(), "--logger", test_program(), "--",
                     "x", (char *) NULL);
        _exit(99);
}

static void forget(Life *l) {
        l->control = fd_close(l->control);
        l->line = fd_close(l->line);
        l->pid = 0;
}

static void await(int fd) {
        struct pollfd p = {.fd = fd, .events = POLLIN};

        ck_assert_msg(poll(&p, 1, PATIENCE_MSEC) == 1, "nothing came");
}

static void accept_life(Bench *b) {
        int control, line = -1;
        size_t n_fds = 0;
        Greeting g;
        Life *l;

        await(b->listen_fd);
        control = accept4(b->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(control, 0);
        await(control);
        ck_assert_int_eq(packet_recv(control, &g, sizeof(g), &line, 1, &n_fds), sizeof(g));
        ck_assert_uint_eq(n_fds, 1);
        l = g.role == 'd' ? &b->droverd : &b->logger;
        forget(l);
        *l = (Life) {.pid = g.pid, .control = control, .line = line};
        if (g.role != 'd')
                return;
        b->n_seen = 0;
        b->quiet_fd = fd_close(b->quiet_fd);
}

static void meet_both(Bench *b) {
        while (b->droverd.pid == 0 || b->logger.pid == 0)
                accept_life(b);
}

void bench_open(Bench *b, const BenchOptions *o) {
        static const BenchOptions none;
        struct sockaddr_un a = {.sun_family = AF_UNIX};

        *b = (Bench) {.droverd = {.control = -1, .line = -1}, .logger = {.control = -1, .line = -1},
                      .peer_fd = -1, .scratch_fd = -1, .quiet_fd = -1};
        for (size_t i = 0; i < ARRAY_SIZE(b->born_fds); i++)
                b->born_fds[i] = -EBADF;
        (void) snprintf(b->directory, sizeof(b->directory), "/tmp/drover-test-%d", getpid());
        ck_assert(mkdir(b->directory, 0755) == 0 || errno == EEXIST);
        (void) snprintf(a.sun_path, sizeof(a.sun_path), "%.60s/s", b->directory);
        (void) unlink(a.sun_path);
        b->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(b->listen_fd, (struct sockaddr *) &a, sizeof(a)), 0);
        ck_assert_int_eq(listen(b->listen_fd, 8), 0);
        start_keeper(b, o ? o : &none);
        meet_both(b);
}

void bench_meet_droverd(Bench *b) {
        for (pid_t old = b->droverd.pid; b->droverd.pid == old;)
                accept_life(b);
}

void bench_meet_logger(Bench *b) {
        for (pid_t old = b->logger.pid; b->logger.pid == old;)
                accept_life(b);
}

void bench_send(Bench *b, KeeperMessage *m, const int *fds, size_t n_fds) {
        int r;

        while ((r = packet_send(b->droverd.line, m, keeper_message_size(m->type), fds, n_fds)) == -EAGAIN) {
                struct pollfd p = {.fd = b->droverd.line, .events = POLLOUT};

                ck_assert_int_eq(poll(&p, 1, PATIENCE_MSEC), 1);
        }
        ck_assert_int_eq(r, 0);
}

void bench_detach(Bench *b, uint32_t slot, uint64_t generation) {
        LoggerMessage m = {.type = LOGGER_DETACHED, .slot = slot, .generation = generation};

        ck_assert_int_eq(packet_send(b->logger.line, &m, logger_message_size(m.type), NULL, 0), 0);
}

static void remember(Bench *b, const KeeperMessage *m) {
        ck_assert_int_eq(alloc_grow(&b->seen, &b->seen_capacity, b->n_seen + KEEPER_PARTS_MAX, sizeof(*b->seen)), 0);
        b->n_seen += keeper_message_parts(m, b->seen + b->n_seen);
}

static void keep_fd(Bench *b, const KeeperMessage *m, int *fds, size_t n_fds) {
        int *place = m->type == KEEPER_LOGGER ? &b->peer_fd : m->type == KEEPER_QUIET_LINE ? &b->quiet_fd : NULL;

        if (m->type == KEEPER_SPARE_BORN && m->slot < ARRAY_SIZE(b->born_fds))
                place = &b->born_fds[m->slot];
        if (!place)
                return;
        ck_assert_uint_eq(n_fds, 1);
        (void) fd_close(*place);
        *place = TAKE_FD(fds[0]);
}

static KeeperMessage receive(Bench *b) {
        int fds[PACKET_FDS_MAX];
        size_t n_fds = 0;
        KeeperMessage m;
        ssize_t n;

        memset(&m, 0, sizeof(m));
        await(b->droverd.line);
        n = packet_recv(b->droverd.line, &m, sizeof(m), fds, PACKET_FDS_MAX, &n_fds);
        ck_assert_int_gt(n, 0);
        ck_assert_uint_eq((size_t) n, keeper_message_size(m.type));
        if (m.type == KEEPER_LOGGER || m.type == KEEPER_KEPT)
                ck_assert_uint_eq(n_fds, 1);
        keep_fd(b, &m, fds, n_fds);
        fd_close_many(fds, n_fds);
        return m;
}

static bool is_it(const KeeperMessage *m, uint32_t type, uint32_t slot) {
        return m->type == type && m->slot == slot;
}

bool bench_has_seen(const Bench *b, uint32_t type, uint32_t slot) {
        for (size_t i = 0; i < b->n_seen; i++)
                if (is_it(&b->seen[i], type, slot))
                        return true;
        return false;
}

void bench_pump(Bench *b) {
        KeeperMessage m = receive(b);

        remember(b, &m);
}

KeeperMessage bench_wait(Bench *b, uint32_t type, uint32_t slot) {
        for (size_t i = 0;; i++) {
                while (i >= b->n_seen)
                        bench_pump(b);
                if (is_it(&b->seen[i], type, slot)) {
                        KeeperMessage m = b->seen[i];

                        memmove(&b->seen[i], &b->seen[i + 1], (b->n_seen - i - 1) * sizeof(m));
                        b->n_seen--;
                        return m;
                }
        }
}

LoggerMessage bench_wait_logger(Bench *b, uint32_t type, int *ret_fds, size_t max_fds, size_t *ret_n_fds) {
        for (;;) {
                int fds[PACKET_FDS_MAX];
                size_t n_fds = 0;
                LoggerMessage m;
                ssize_t n;

                memset(&m, 0, sizeof(m));
                await(b->logger.line);
                n = packet_recv(b->logger.line, &m, sizeof(m), fds, PACKET_FDS_MAX, &n_fds);
                ck_assert_int_gt(n, 0);
                ck_assert_uint_eq((size_t) n, logger_message_size(m.type));
                if (m.type == type) {
                        for (size_t i = 0; i < n_fds; i++)
                                if (i < max_fds)
                                        ret_fds[i] = fds[i];
                                else
                                        (void) fd_close(fds[i]);
                        if (ret_n_fds)
                                *ret_n_fds = n_fds;
                        return m;
                }
                fd_close_many(fds, n_fds);
        }
}

void bench_pass_table(Bench *b, KeeperMessage *ret_hello) {
        KeeperMessage hello = bench_wait(b, KEEPER_HELLO, 0);

        (void) bench_wait(b, KEEPER_TABLE_END, 0);
        if (ret_hello)
                *ret_hello = hello;
}

LaunchSpec bench_spec(char **argv) {
        static char *env[] = {(char *) "PATH=/usr/bin:/bin", (char *) "DROVER_NAME=test/0", NULL};
        static char *candidates[2];

        candidates[0] = (char *) test_program();
        return (LaunchSpec) {.argv = argv, .env = env, .candidates = candidates, .umask = 022, .ready_fd = -1};
}

KeeperMessage bench_launch_message(uint32_t slot, uint64_t generation, const char *name, uint32_t kind) {
        KeeperMessage m = {.type = KEEPER_LAUNCH, .slot = slot, .generation = generation, .launch = {.log = {.kind = kind}}};

        (void) snprintf(m.launch.name, sizeof(m.launch.name), "%s", name);
        return m;
}

void bench_launch_full(Bench *b, KeeperMessage *m, const LaunchSpec *spec, const int *fds, size_t n_fds) {
        int all[PACKET_FDS_MAX];

        ck_assert_int_eq(launch_request_pack(spec, &all[0]), 0);
        for (size_t i = 0; i < n_fds; i++)
                all[i + 1] = fds[i];
        m->launch.n_fds = (uint32_t) n_fds;
        bench_send(b, m, all, n_fds + 1);
        (void) fd_close(all[0]);
}

void bench_launch(Bench *b, uint32_t slot, uint64_t generation, const LaunchSpec *spec, char **argv) {
        KeeperMessage m = bench_launch_message(slot, generation, "test/0", LOG_KIND_NONE);
        LaunchSpec plain = bench_spec(argv);

        bench_launch_full(b, &m, spec ? spec : &plain, NULL, 0);
}

void bench_launch_template(Bench *b, uint64_t generation, const char *manner) {
        char *env[] = {(char *) "DROVER_NAME=test!t0", NULL}; /* by which trees without cgroups are told apart */
        LaunchSpec s = bench_spec((char *[]) {(char *) "template", (char *) manner, NULL});
        KeeperMessage m = bench_launch_message(BENCH_TEMPLATE_SLOT, generation, "test!t0", LOG_KIND_NONE);

        m.launch.flags = KEEPER_LAUNCH_TEMPLATE;
        s.env = env;
        s.template_fd = BENCH_TEMPLATE_FD;
        bench_launch_full(b, &m, &s, NULL, 0);
        (void) bench_wait(b, KEEPER_READY, BENCH_TEMPLATE_SLOT);
}

KeeperMessage bench_end(Bench *b, uint32_t slot, uint64_t generation) {
        KeeperMessage m, ack = {.type = KEEPER_ACK, .slot = slot, .generation = generation};

        for (;;) {
                bool has_end = bench_has_seen(b, KEEPER_EXITED, slot), has_failure = bench_has_seen(b, KEEPER_FAILED, slot);

                if (has_end || has_failure) {
                        m = bench_wait(b, has_end ? KEEPER_EXITED : KEEPER_FAILED, slot);
                        break;
                }
                bench_pump(b);
        }
        ck_assert_uint_eq(m.generation, generation);
        (void) bench_wait(b, KEEPER_DRAINED, slot);
        bench_send(b, &ack, NULL, 0);
        return m;
}

int bench_wait_keeper(Bench *b) {
        int pidfd = (int) syscall(SYS_pidfd_open, b->keeper, 0), status = -1;

        await(pidfd);
        (void) fd_close(pidfd);
        ck_assert_int_eq(waitpid(b->keeper, &status, 0), b->keeper);
        b->keeper = 0;
        forget(&b->droverd);
        forget(&b->logger);
        (void) fd_close(b->listen_fd);
        (void) fd_close(b->peer_fd);
        (void) fd_close(b->scratch_fd);
        b->quiet_fd = fd_close(b->quiet_fd);
        fd_close_many(b->born_fds, ARRAY_SIZE(b->born_fds));
        free(b->seen);
        {
                char path[128];

                (void) snprintf(path, sizeof(path), "%s/s", b->directory);
                (void) unlink(path);
                (void) rmdir(b->directory);
        }
        return status;
}

static void let_exit(Life *l, unsigned char code) {
        ck_assert_int_eq(send(l->control, &code, 1, MSG_NOSIGNAL), 1);
}

void bench_close(Bench *b) {
        KeeperMessage quit = {.type = KEEPER_QUIT, .quit = {.code = 0}};
        int status;

        bench_send(b, &quit, NULL, 0);
        let_exit(&b->droverd, 0);
        (void) bench_wait_logger(b, LOGGER_FINISH, NULL, 0, NULL);
        let_exit(&b->logger, 0);
        status = bench_wait_keeper(b);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "keeper ended with %#x", status);
}

bool test_wait_gone(pid_t pid) {
        int pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
        struct pollfd p = {.fd = pidfd, .events = POLLIN};
        bool gone = pidfd < 0 || poll(&p, 1, PATIENCE_MSEC) == 1;

        if (pidfd >= 0)
                (void) close(pidfd);
        return gone;
}
