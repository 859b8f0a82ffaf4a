/* test-notify.c - the sd_notify socket: strict parsing, and real datagrams from forked senders whose pid the kernel says. */
#include "pool-world.h"

#include "base/fd.h"

#include "pool/notify-ring.h"
#include "pool/notify-sender.h"
#include "pool/notify.h"
#include "pool/proc-usage.h"
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

/* ---- parsing ---- */

#define LONG_255                                                                                             \
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"   \
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"   \
        "0123456789012345678901234567890123456789012345678901234"

static const struct {
        const char *text;
        int r;
        bool is_ready, is_stopping;
        const char *status;
        unsigned n_unknown;
} parse_rows[] = {
        { "READY=1", 0, true, false, NULL, 0 },
        { "READY=1\n", 0, true, false, NULL, 0 },
        { "READY=1\nSTATUS=up and running\nSTOPPING=1", 0, true, true, "up and running", 0 },
        { "STATUS=", 0, false, false, "", 0 },
        { "STATUS=a=b", 0, false, false, "a=b", 0 },
        { "STATUS=one\nSTATUS=two", 0, false, false, "two", 0 },
        { "STATUS=gr\xc3\xbc\xc3\x9f", 0, false, false, "gr\xc3\xbc\xc3\x9f", 0 },
        { "ERRNO=2\nEXIT_STATUS=7\nX_Y=z", 0, false, false, NULL, 3 },
        { "\n\nREADY=1\n\n", 0, true, false, NULL, 0 },
        { "STATUS=" LONG_255 "\xc3\xbc", 0, false, false, LONG_255, 0 },
        { "", -EBADMSG, false, false, NULL, 0 },
        { "READY", -EBADMSG, false, false, NULL, 0 },
        { "=1", -EBADMSG, false, false, NULL, 0 },
        { "READY=0", -EBADMSG, false, false, NULL, 0 },
        { "READY=", -EBADMSG, false, false, NULL, 0 },
        { "READY=11", -EBADMSG, false, false, NULL, 0 },
        { "READY=1\nnonsense", -EBADMSG, false, false, NULL, 0 },
        { "STOPPING=yes", -EBADMSG, false, false, NULL, 0 },
        { "STATUS=\xff", -EBADMSG, false, false, NULL, 0 },
        { "STATUS=\xc3", -EBADMSG, false, false, NULL, 0 },
        { "STATUS=\xed\xa0\x80", -EBADMSG, false, false, NULL, 0 },
        { "STATUS=" LONG_255 LONG_255 "\xff", -EBADMSG, false, false, NULL, 0 },
};

START_TEST(test_parse) {
        NotifyMessage m = { .n_unknown = 99 };
        int r = notify_parse(parse_rows[_i].text, strlen(parse_rows[_i].text), &m);

        ck_assert_int_eq(r, parse_rows[_i].r);
        if (r < 0) {
                ck_assert_uint_eq(m.n_unknown, 99);
                return;
        }
        ck_assert(m.is_ready == parse_rows[_i].is_ready && m.is_stopping == parse_rows[_i].is_stopping);
        ck_assert_uint_eq(m.n_unknown, parse_rows[_i].n_unknown);
        ck_assert((m.status != NULL) == (parse_rows[_i].status != NULL));
        if (m.status) {
                ck_assert_uint_eq(m.status_length, strlen(parse_rows[_i].status));
                ck_assert_mem_eq(m.status, parse_rows[_i].status, m.status_length);
        }
}
END_TEST

/* What is said besides, as one text. */
static const struct {
        const char *text, *expected; /* NULL: -EBADMSG */
} word_rows[] = {
        { "WATCHDOG=1", "alive" },
        { "WATCHDOG=trigger", "trigger" },
        { "WATCHDOG=0", NULL },
        { "WATCHDOG=", NULL },
        { "WATCHDOG=triggered", NULL },
        { "WATCHDOG_USEC=2500000", "watchdog 2500000" },
        { "WATCHDOG_USEC=0", "watchdog 0" },
        { "WATCHDOG_USEC=18446744073709551615", "watchdog 18446744073709551615" },
        { "WATCHDOG_USEC=18446744073709551616", NULL },
        { "WATCHDOG_USEC=-1", NULL },
        { "WATCHDOG_USEC=+1", NULL },
        { "WATCHDOG_USEC= 1", NULL },
        { "WATCHDOG_USEC=1s", NULL },
        { "WATCHDOG_USEC=", NULL },
        { "WATCHDOG_USEC=000000000000000000000000000000001", NULL },
        { "EXTEND_TIMEOUT_USEC=1000", "extend 1000" },
        { "EXTEND_TIMEOUT_USEC=x", NULL },
        { "RELOADING=1\nMONOTONIC_USEC=5", "reloading" },
        { "RELOADING=0", NULL },
        { "MAINPID=77", "pid 77" },
        { "MAINPID=self", NULL },
        { "FDSTORE=1\nFDNAME=x", "store" },
        { "X_DROVER_TASKS=12\nX_DROVER_BUSY=1", "tasks 12 busy 1" },
        { "X_DROVER_BUSY=0", "busy 0" },
        { "X_DROVER_BUSY=2", NULL },
        { "X_DROVER_TASKS=many", NULL },
};

static void put_number(Text *t, const char *word, NotifyNumber n) {
        if (n.is_said)
                text_appendf(t, "%s %llu ", word, (unsigned long long) n.value);
}

START_TEST(test_parse_words) {
        _cleanup_text_ Text t = { 0 };
        NotifyMessage m;
        int r = notify_parse(word_rows[_i].text, strlen(word_rows[_i].text), &m);

        ck_assert_int_eq(r, word_rows[_i].expected ? 0 : -EBADMSG);
        if (r < 0)
                return;
        text_append(&t, m.is_alive ? "alive " : "");
        text_append(&t, m.is_trigger ? "trigger " : "");
        text_append(&t, m.is_reloading ? "reloading " : "");
        text_append(&t, m.wants_store ? "store " : "");
        put_number(&t, "watchdog", m.watchdog_usec);
        put_number(&t, "extend", m.extend_usec);
        put_number(&t, "pid", m.main_pid);
        put_number(&t, "tasks", m.tasks);
        put_number(&t, "busy", m.busy);
        text_truncate(&t, t.length - 1);
        ck_assert_str_eq(t.data, word_rows[_i].expected);
}
END_TEST

START_TEST(test_parse_nul) {
        NotifyMessage m;

        ck_assert_int_eq(notify_parse("READY=1\0", 8, &m), -EBADMSG);
}
END_TEST

static const struct {
        const char *cgroup;
        int r;
        const char *name;
        uint64_t generation;
        uint32_t slot;
} leaf_rows[] = {
        { "0::/s/drover-7/web:0.3.12\n", 0, "web/0", 12, 3 },
        { "1:name=x:/y\n0::/s/drover-7/web.de:0.3.12/sub/more\n", 0, "web.de/0", 12, 3 },
        { "0::/s/drover-7/job.0.3\n", 0, "job", 3, 0 },
        { "0::/s/drover-7/" KEEPER_SPARE_NAME ".5.6\n", 0, KEEPER_SPARE_NAME, 6, 5 },
        { "0::/s/drover-7/job.4294967296.3\n", -ENOENT, NULL, 0 },
        { "0::/s/drover-8/web:0.12\n", -ENOENT, NULL, 0 },
        { "0::/s/drover-7/\n", -ENOENT, NULL, 0 },
        { "0::/s/drover-7/web:0\n", -ENOENT, NULL, 0 },
        { "0::/s/drover-7/web:0.3.x\n", -ENOENT, NULL, 0 },
        { "0::/s/drover-7/web:0.12\n", -ENOENT, NULL, 0 },
        { "0::/t/s/drover-7/web:0.12\n", -ENOENT, NULL, 0 },
        { "1:name=x:/s/drover-7/web:0.12\n", -ENOENT, NULL, 0 },
        { "", -ENOENT, NULL, 0 },
};

START_TEST(test_leaf) {
        char name[KEEPER_NAME_MAX];
        uint64_t generation = 0;
        uint32_t slot = 0;
        int r = notify_sender_parse_leaf(leaf_rows[_i].cgroup, "/s/drover-7/", name, &slot, &generation);

        ck_assert_int_eq(r, leaf_rows[_i].r);
        if (r == 0) {
                ck_assert_str_eq(name, leaf_rows[_i].name);
                ck_assert_uint_eq(generation, leaf_rows[_i].generation);
                ck_assert_uint_eq(slot, leaf_rows[_i].slot);
        }
}
END_TEST

START_TEST(test_usage) {
        ProcUsage u = { .ppid = 5 };

        ck_assert_int_eq(proc_usage_parse("12 (a) (b c) S 34 1 1 0 -1 4194304 1 1 1 1 100 50 0 0 20 0 1 0 9 1000 7 18\n",
                                          &u), 0);
        ck_assert_int_eq(u.ppid, 34);
        ck_assert_uint_eq(u.cpu_usec, 150 * USEC_PER_SEC / (uint64_t) sysconf(_SC_CLK_TCK));
        ck_assert_uint_eq(u.memory_bytes, 7 * (uint64_t) sysconf(_SC_PAGESIZE));
        ck_assert_int_eq(proc_usage_parse("12 (a) S 34 1", &u), -EBADMSG);
        ck_assert_int_eq(proc_usage_parse("", &u), -EBADMSG);
        ck_assert_int_eq(proc_usage_read(getpid(), &u), 0);
        ck_assert_int_eq(u.ppid, getppid());
}
END_TEST

/* ---- real senders ---- */

static const char directory_template[] = "/tmp/drover-test-notify-XXXXXX";
static char directory[sizeof directory_template];
static char path[64];
static NotifySocket *notify;

static void setup(void) {
        NotifyRing *ring = NULL;
        int fd = -EBADF, ring_fd = -EBADF;
        struct stat st;

        world_setup();
        memcpy(directory, directory_template, sizeof directory);
        (void) snprintf(path, sizeof path, "%s/n", mkdtemp(directory));
        ck_assert_int_eq(notify_bind(path, &fd), 0);
        ck_assert_int_eq(fd_close(fd), -EBADF);
        ck_assert_int_eq(notify_bind(path, &fd), 0); /* a stale one is replaced */
        ck_assert_int_eq(stat(path, &st), 0);
        ck_assert_uint_eq(st.st_mode & 0777, 0666);
        ck_assert_int_eq(notify_ring_new(&ring, -1, &ring_fd), 0);
        ck_assert_int_ge(ring_fd, 0);
        ck_assert_int_eq(fd_close(ring_fd), -EBADF);
        ck_assert_int_eq(notify_new(&notify, world.event, world.set, fd, ring), 0);
}

static void teardown(void) {
        notify_free(notify);
        (void) unlink(path);
        (void) rmdir(directory);
        world_teardown();
}

static int send_text(const char *text, int fd) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        struct iovec iov = { .iov_base = (void *) (uintptr_t) text, .iov_len = strlen(text) };
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = { 0 };
        struct msghdr m = { .msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &iov, .msg_iovlen = 1 };
        int s = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        if (fd >= 0) {
                m.msg_control = control;
                m.msg_controllen = sizeof control;
                CMSG_FIRSTHDR(&m)->cmsg_level = SOL_SOCKET;
                CMSG_FIRSTHDR(&m)->cmsg_type = SCM_RIGHTS;
                CMSG_FIRSTHDR(&m)->cmsg_len = CMSG_LEN(sizeof(int));
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
        }
        r = sendmsg(s, &m, MSG_NOSIGNAL) < 0 ? -errno : 0;
        fd_close(s);
        return r;
}

/* A process that waits on @go, then says @text; as its own child's child when @by_grandchild. Ends when @go closes. */
typedef struct Sender {
        pid_t pid;
        int go;
} Sender;

static Sender sender_new(const char *text, bool by_grandchild) {
        int fds[2];
        Sender s;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        s.pid = fork();
        ck_assert_int_ge(s.pid, 0);
        if (s.pid == 0) {
                char c;
                bool is_main;

                (void) close(fds[1]);
                if (read(fds[0], &c, 1) != 1)
                        _exit(1);
                is_main = by_grandchild && fork() > 0;
                if (!is_main)
                        (void) send_text(text, -1);
                while (read(fds[0], &c, 1) > 0)
                        ;
                _exit(0);
        }
        (void) close(fds[0]);
        s.go = fds[1];
        return s;
}

static void sender_go(Sender *s) {
        ck_assert_int_eq(write(s->go, "x", 1), 1);
}

static void sender_end(Sender *s) {
        s->go = fd_close(s->go);
        ck_assert_int_eq(waitpid(s->pid, NULL, 0), s->pid);
}

#define NOTIFYING "{\"command\":[\"/x\"],\"ready\":\"notify\",\"restart\":{\"delay\":0}}"

static Worker *add(void) {
        Worker *w = pool_worker(world_pool("web", NOTIFYING), 0);

        pool_set_converge(world.set);
        return w;
}

static void check_status_text(Worker *w, const char *expected) {
        _cleanup_text_ Text t = { 0 };
        json_t *o;

        worker_put_json(w, &t, NULL);
        o = json_loads(t.data, 0, NULL);
        ck_assert_str_eq(json_string_value(json_object_get(o, "status_text")), expected);
        json_decref(o);
}

START_TEST(test_ready) {
        Sender s = sender_new("READY=1\nSTATUS=hello", _i == 1);
        Worker *w = add();

        fake_started(fake_child("web/0"), s.pid);
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        sender_go(&s);
        while (worker_state(w) == WORKER_STARTING)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        check_status_text(w, "hello");
        sender_end(&s);
}
END_TEST

/* READY=1 overtakes the keeper's STARTED. */
START_TEST(test_ready_early) {
        Sender s = sender_new("READY=1", false);
        Worker *w = add();
        unsigned rounds = 0;

        sender_go(&s);
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        fake_started(fake_child("web/0"), s.pid);
        while (worker_state(w) == WORKER_STARTING && rounds++ < 10)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_uint_eq(notify_n_ignored(notify), 0);
        sender_end(&s);
}
END_TEST

/* A child of the keeper that never becomes a worker: given up after some tries, and counted. */
START_TEST(test_never_known) {
        Sender s = sender_new("READY=1", false);
        Worker *w = add();

        fake_started(fake_child("web/0"), 1 << 28);
        sender_go(&s);
        while (notify_n_ignored(notify) == 0)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        sender_end(&s);
}
END_TEST

/* A busy keeper says STARTED late: what overtook it waits for as long as a launch is under way. */
START_TEST(test_ready_very_early) {
        usec_t begun = clock_now(), long_after = 500 * USEC_PER_MSEC; /* all of the first tries */
        Sender s = sender_new("READY=1", false);
        Worker *w = add();

        sender_go(&s);
        while (usec_sub(clock_now(), begun) < long_after)
                world_round();
        ck_assert_uint_eq(notify_n_ignored(notify), 0);
        fake_started(fake_child("web/0"), s.pid);
        while (worker_state(w) == WORKER_STARTING)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        sender_end(&s);
}
END_TEST

/* Of one process below the keeper only so many words wait. */
START_TEST(test_one_cannot_fill_the_room_for_early_words) {
        Worker *w = add();

        fake.hello.hello.keeper_pid = getppid(); /* so this process is such a one itself */
        for (unsigned i = 0; i < 9; i++)
                ck_assert_int_eq(send_text("READY=1", -1), 0);
        while (notify_n_ignored(notify) == 0)
                world_round();
        fake_started(fake_child("web/0"), getpid());
        while (worker_state(w) == WORKER_STARTING)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_uint_eq(notify_n_ignored(notify), 1);
}
END_TEST

START_TEST(test_stranger) {
        Worker *w = add();

        fake.hello.hello.keeper_pid = 1 << 29; /* nobody is its child */
        fake_started(fake_child("web/0"), 1 << 28);
        ck_assert_int_eq(send_text("READY=1", -1), 0);
        world_round();
        ck_assert_uint_eq(notify_n_ignored(notify), 1);
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
}
END_TEST

START_TEST(test_nonsense_is_counted) {
        Worker *w = add();
        char *big = calloc(1, NOTIFY_MESSAGE_MAX + 20);

        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        ck_assert_int_eq(send_text("READY=2", -1), 0);
        memset(big, 'x', NOTIFY_MESSAGE_MAX + 10);
        memcpy(big, "READY=1\nX=", 10);
        ck_assert_int_eq(send_text(big, -1), 0);
        free(big);
        while (notify_n_ignored(notify) < 2)
                world_round();
        ck_assert_int_eq(worker_state(w), WORKER_STARTING);
        ck_assert_int_eq(send_text("READY=1\nSTOPPING=1", -1), 0);
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
}
END_TEST

/* A descriptor that comes along (BARRIER=1) is closed: the other end sees it. */
START_TEST(test_descriptors_are_closed) {
        int fds[2];
        char c;

        add();
        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        ck_assert_int_eq(send_text("BARRIER=1", fds[1]), 0);
        ck_assert_int_eq(fd_close(fds[1]), -EBADF);
        world_round();
        ck_assert_int_eq(read(fds[0], &c, 1), 0);
        ck_assert_int_eq(fd_close(fds[0]), -EBADF);
}
END_TEST

/* What is not the end of a pipe is closed by another process. */
START_TEST(test_a_socket_is_closed_elsewhere) {
        int fds[2];
        char c;

        add();
        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        ck_assert_int_eq(send_text("FDSTORE=1", fds[1]), 0);
        ck_assert_int_eq(fd_close(fds[1]), -EBADF);
        world_round();
        ck_assert_int_eq(read(fds[0], &c, 1), 0);
        ck_assert_int_eq(fd_close(fds[0]), -EBADF);
        ck_assert_uint_eq(notify_n_ignored(notify), 0);
}
END_TEST

/* A TCP socket whose last close waits LINGER_SEC for a peer that never reads. @keep: what keeps it so. */
#define LINGER_SEC 20

static int lingering(int keep[static 2]) {
        static char block[65536];
        struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        const struct linger linger = { .l_onoff = 1, .l_linger = LINGER_SEC };
        socklen_t size = sizeof a;
        int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        keep[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        ck_assert_int_eq(bind(keep[0], (struct sockaddr *) &a, sizeof a), 0);
        ck_assert_int_eq(listen(keep[0], 1), 0);
        ck_assert_int_eq(getsockname(keep[0], (struct sockaddr *) &a, &size), 0);
        ck_assert_int_eq(connect(s, (struct sockaddr *) &a, size), 0);
        keep[1] = accept4(keep[0], NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(keep[1], 0);
        ck_assert_int_eq(setsockopt(s, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
        while (send(s, block, sizeof block, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
                ;
        return s;
}

/* Nobody waits for what a worker passes along; with no number left for a descriptor neither. */
START_TEST(test_a_lingering_socket_stalls_nobody) {
        struct rlimit before, tight;
        int keep[2], s = lingering(keep), probe = open("/dev/null", O_RDONLY | O_CLOEXEC);
        usec_t begun;

        if (getenv("DROVER_TEST_VALGRIND"))
                return; /* it has numbers of its own */
        add();
        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        ck_assert_int_eq(send_text("STATUS=x", s), 0);
        begun = clock_now();
        ck_assert_int_eq(fd_close(s), -EBADF);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        tight = before;
        tight.rlim_cur = _i == 0 ? before.rlim_cur : (rlim_t) s; /* and s is free now, but for _i == 1 nothing else */
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        world_round();
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_uint_lt(usec_sub(clock_now(), begun), LINGER_SEC / 2 * USEC_PER_SEC);
        check_status_text(pool_worker(pool_find(world.set, "web"), 0), "x");
        for (int i = 0; i < 2; i++)
                fd_close(keep[i]);
        fd_close(probe);
}
END_TEST

/* A flood is taken NOTIFY_BUDGET at a time. */
START_TEST(test_budget) {
        unsigned n = 0;

        add();
        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        for (int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); fd >= 0; fd = fd_close(fd)) {
                struct sockaddr_un a = { .sun_family = AF_UNIX };

                (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
                while (n < 3 * NOTIFY_BUDGET && sendto(fd, "READY=0", 7, MSG_NOSIGNAL, (struct sockaddr *) &a, sizeof a) == 7)
                        n++;
        }
        ck_assert_uint_gt(n, 1);
        world_round();
        ck_assert_uint_eq(notify_n_ignored(notify), MIN(n, NOTIFY_BUDGET));
        while (notify_n_ignored(notify) < n)
                world_round();
}
END_TEST

static unsigned n_turns;

static int count_turn(sd_event_source *source, uint64_t usec, void *userdata) {
        n_turns++;
        return 0;
}

static int send_one(void *userdata) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        unsigned n = 0;

        (void) snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
        while (n < 2 * NOTIFY_BUDGET && sendto(fd, "STATUS=x", 8, MSG_NOSIGNAL, (struct sockaddr *) &a, sizeof a) == 8)
                n++;
        fd_close(fd);
        return (int) n;
}

static int flood(sd_event_source *source, void *userdata) {
        notify_on_record(notify); /* as the supervisor's post source does */
        (void) send_one(NULL);
        return 0;
}

/* Each turn of the loop fills the socket again: whoever else has something due gets his turn all the same. */
START_TEST(test_a_flood_starves_nobody) {
        sd_event_source *post = NULL, *timer = NULL;

        add();
        fake_started(fake_child("web/0"), getpid());
        fake.hello.hello.keeper_pid = getppid();
        n_turns = 0;
        ck_assert_int_ge(sd_event_add_post(world.event, &post, flood, NULL), 0);
        ck_assert_int_ge(sd_event_add_time(world.event, &timer, CLOCK_MONOTONIC, 0, 1, count_turn, NULL), 0);
        ck_assert_int_ge(sd_event_source_set_priority(timer, SD_EVENT_PRIORITY_IDLE), 0);
        ck_assert_int_gt(send_one(NULL), 0);
        for (unsigned rounds = 0; n_turns == 0 && rounds < 100; rounds++)
                world_round();
        ck_assert_uint_eq(n_turns, 1);
        sd_event_source_disable_unref(post);
        sd_event_source_disable_unref(timer);
}
END_TEST

int main(void) {
        const TTest *const tests[] = {
                test_a_flood_starves_nobody, test_ready_early, test_ready_very_early, test_never_known, test_one_cannot_fill_the_room_for_early_words, test_stranger, test_nonsense_is_counted,
                test_descriptors_are_closed, test_a_socket_is_closed_elsewhere, test_budget,
        };
        Suite *s = suite_create("notify");
        TCase *t = tcase_create("socket"), *pure = tcase_create("pure");
        SRunner *r;
        int n;

        tcase_add_loop_test(pure, test_parse, 0, (int) ARRAY_SIZE(parse_rows));
        tcase_add_loop_test(pure, test_parse_words, 0, (int) ARRAY_SIZE(word_rows));
        tcase_add_test(pure, test_parse_nul);
        tcase_add_loop_test(pure, test_leaf, 0, (int) ARRAY_SIZE(leaf_rows));
        tcase_add_test(pure, test_usage);
        tcase_add_checked_fixture(t, setup, teardown);
        for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
                tcase_add_test(t, tests[i]);
        tcase_add_loop_test(t, test_ready, 0, 2);
        tcase_add_loop_test(t, test_a_lingering_socket_stalls_nobody, 0, 2);
        suite_add_tcase(s, pure);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
