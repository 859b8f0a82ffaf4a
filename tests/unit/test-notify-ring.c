/* test-notify-ring.c - what workers said, over any kind of death of droverd: it is in the socket or in the ring, and heard by
 * a later life in the order in which it was said, until its effect is on record. */
#include "pool-world.h"

#include "base/fd.h"
#include "base/file.h"

#include "pool/notify-ring.h"
#include "pool/notify.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

/* A socket that says who sends, and the memfd as the keeper holds it. */
static int socks[2], kept;

static void ring_setup(void) {
        const int on = 1;

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, socks), 0);
        ck_assert_int_eq(setsockopt(socks[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
        kept = -EBADF;
}

static void ring_teardown(void) {
        fd_close(socks[0]);
        fd_close(socks[1]);
        kept = fd_close(kept);
}

static NotifyRing *life_begins(void) {
        NotifyRing *r = NULL;
        int fd;

        ck_assert_int_eq(notify_ring_new(&r, fcntl(kept, F_DUPFD_CLOEXEC, 3), &fd), 0);
        ck_assert((fd >= 0) == (kept < 0));
        if (fd >= 0)
                kept = fd;
        return r;
}

static void say(const char *text, int fd) {
        char control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8))) = {0};
        struct iovec iov = {.iov_base = (void *) (uintptr_t) text, .iov_len = strlen(text)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

        if (fd >= 0) {
                m.msg_control = control;
                m.msg_controllen = sizeof control;
                *CMSG_FIRSTHDR(&m) =
                        (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
                memcpy(CMSG_DATA(CMSG_FIRSTHDR(&m)), &fd, sizeof fd);
        }
        ck_assert_int_eq(sendmsg(socks[1], &m, MSG_NOSIGNAL), (ssize_t) strlen(text));
}

static NotifyWord *take(NotifyRing *r) {
        struct msghdr control;
        NotifyWord *w = NULL;

        ck_assert_int_eq(notify_ring_receive(r, socks[0], &control, &w), 1);
        return w;
}

/* All that is in it, as one text. */
static void check_row(NotifyRing *r, const char *expected) {
        _cleanup_text_ Text t = {0};

        text_append(&t, "");
        for (NotifyWord *w = notify_ring_first(r); w; w = notify_ring_next(w)) {
                text_appendf(&t, "%.*s;", (int) w->size, w->text);
                ck_assert_int_eq(w->sender, getpid());
        }
        ck_assert_str_eq(t.data, expected);
}

START_TEST(what_is_not_released_is_there_again) {
        NotifyRing *r = life_begins();
        struct msghdr control;
        NotifyWord *w = NULL;

        ck_assert_int_eq(notify_ring_receive(r, socks[0], &control, &w), 0);
        ck_assert_ptr_null(w);
        say("a", -1);
        say("b", -1);
        say("c", -1);
        w = take(r);
        (void) take(r);
        notify_ring_release(r, w);
        (void) take(r); /* into the slot of the first, and the last all the same */
        check_row(r, "b;c;");
        notify_ring_free(r);
        r = life_begins();
        check_row(r, "b;c;");
        notify_ring_release(r, notify_ring_first(r));
        say("d", -1);
        (void) take(r);
        notify_ring_free(r);
        r = life_begins();
        check_row(r, "c;d;");
        notify_ring_free(r);
}
END_TEST

/* To whom it was traced is kept with it; of descriptors nothing is. */
START_TEST(what_is_known_of_a_word_stays) {
        NotifyRing *r = life_begins();
        int fds[2];
        NotifyWord *w;

        ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
        say("a", fds[1]);
        w = take(r);
        ck_assert_str_eq(w->origin->worker, "");
        *w->origin = (NotifyOrigin){.worker = "web/0", .generation = 7, .top = 9};
        notify_ring_free(r);
        r = life_begins();
        w = notify_ring_first(r);
        check_row(r, "a;");
        ck_assert_str_eq(w->origin->worker, "web/0");
        ck_assert_uint_eq(w->origin->generation, 7);
        ck_assert_int_eq(w->origin->top, 9);
        ck_assert(!w->is_heard);
        notify_ring_release(r, w);
        say("b", -1);
        w = take(r);
        ck_assert_str_eq(w->origin->worker, "");
        ck_assert_int_eq(w->origin->top, 0);
        notify_ring_free(r);
        fd_close(fds[0]);
        fd_close(fds[1]);
}
END_TEST

START_TEST(a_full_ring_takes_nothing) {
        NotifyRing *r = life_begins();
        struct msghdr control;
        NotifyWord *w;

        for (unsigned i = 0; i < NOTIFY_RING_SLOTS; i++) {
                say("x", -1);
                (void) take(r);
        }
        say("y", -1);
        ck_assert_int_eq(notify_ring_receive(r, socks[0], &control, &w), -ENOSPC);
        notify_ring_free(r);
        r = life_begins();
        ck_assert_int_eq(notify_ring_receive(r, socks[0], &control, &w), -ENOSPC);
        notify_ring_release(r, notify_ring_first(r));
        ck_assert_mem_eq(take(r)->text, "y", 1);
        notify_ring_free(r);
}
END_TEST

/* The longest one, one that is cut, one of nothing: the same in both lives. */
static const size_t sizes[] = {NOTIFY_MESSAGE_MAX, NOTIFY_MESSAGE_MAX + 1, NOTIFY_MESSAGE_MAX + 500, 0};

START_TEST(sizes_are_kept) {
        size_t size = sizes[_i], expected = MIN(size, NOTIFY_MESSAGE_MAX + 1);
        char *text = alloc_zero(1, size + 1);
        NotifyRing *r = life_begins();

        memset(text, 'x', size);
        say(text, -1);
        free(text);
        ck_assert_uint_eq(take(r)->size, expected);
        notify_ring_free(r);
        r = life_begins();
        ck_assert_ptr_nonnull(notify_ring_first(r));
        ck_assert_uint_eq(notify_ring_first(r)->size, expected);
        notify_ring_free(r);
}
END_TEST

/* Of another version, or not of ours at all. */
START_TEST(another_layout_is_passed_over) {
        NotifyRing *r = NULL;
        int fd = memfd_new("test"), fresh = -EBADF;

        if (_i > 0) {
                r = life_begins();
                fd_close(fd);
                fd = fcntl(kept, F_DUPFD_CLOEXEC, 3);
                ck_assert_int_eq(pwrite(fd, "drover-notify-0", 16, 0), 16);
                r = notify_ring_free(r);
        }
        ck_assert_int_eq(notify_ring_new(&r, fd, &fresh), 0);
        ck_assert_int_ge(fresh, 0);
        ck_assert_int_eq(fd_close(fresh), -EBADF);
        ck_assert_ptr_null(notify_ring_first(r));
        notify_ring_free(r);
}
END_TEST

/* ---- a storm of kills ---- */

#define N_SAID 20000u
#define N_KILLS 300u
#define BLOCK 8u /* as many are heard before they are let go */

/* One life: hears, tells by the pipe what it heard, and only then lets go. Ends by SIGKILL, or after the last word. Without
 * check's assertions: they write to a file that the test's process has too, and a kill would leave half of one there. */
static _noreturn_ void live(int heard_fd) {
        struct msghdr control;
        NotifyRing *r = NULL;
        int fd;

        if (notify_ring_new(&r, fcntl(kept, F_DUPFD_CLOEXEC, 3), &fd) < 0)
                _exit(1);

        for (NotifyWord *w = notify_ring_first(r); w; w = notify_ring_next(w)) /* empty: the life before had let go of it, but for the sender */
                if (w->size > 0 && write(heard_fd, w->text, w->size) < 0)
                        _exit(1);
        for (;;) {
                NotifyWord *w = NULL;
                unsigned n = 0;

                while (n < BLOCK && notify_ring_receive(r, socks[0], &control, &w) > 0 && ++n > 0)
                        if (write(heard_fd, w->text, w->size) < 0)
                                _exit(1);
                while (notify_ring_first(r))
                        notify_ring_release(r, notify_ring_first(r));
        }
}

/* Says 0, 1, 2 ... as fast as they are taken. */
static pid_t talker(void) {
        pid_t pid = fork();
        char text[16];

        ck_assert_int_ge(pid, 0);
        if (pid > 0)
                return pid;
        for (unsigned i = 0; i < N_SAID; i++) {
                (void) snprintf(text, sizeof text, "%07u", i);
                if (send(socks[1], text, 7, MSG_NOSIGNAL) != 7)
                        _exit(1);
        }
        _exit(0);
}

/* Words up to the @n-th new one; each is the next one, or one that was heard before. */
static unsigned hear(int fd, unsigned next, unsigned n) {
        char text[8] = "";

        for (unsigned goal = MIN(next + n, N_SAID); next < goal;) {
                unsigned number;

                ck_assert_int_eq(read(fd, text, sizeof text), 7);
                number = (unsigned) strtoul(text, NULL, 10);
                ck_assert_uint_le(number, next);
                next += number == next;
        }
        return next;
}

START_TEST(no_kill_loses_a_word) {
        unsigned next = 0;
        int fds[2];
        pid_t from;

        notify_ring_free(life_begins());
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), 0);
        from = talker();
        for (unsigned i = 0; i < N_KILLS && next < N_SAID; i++) {
                pid_t pid = fork();

                ck_assert_int_ge(pid, 0);
                if (pid == 0)
                        live(fds[1]);
                next = hear(fds[0], next, i + 1 == N_KILLS ? N_SAID : 1 + i % 97);
                (void) kill(pid, SIGKILL);
                ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        }
        ck_assert_uint_eq(next, N_SAID);
        ck_assert_int_eq(waitpid(from, NULL, 0), from);
        fd_close(fds[0]);
        fd_close(fds[1]);
}
END_TEST

/* ---- heard by the workers ---- */

#define NOTIFYING "{\"command\":[\"/x\"],\"ready\":\"notify\",\"restart\":{\"delay\":0}}"

static NotifySocket *notify;

static Worker *add_worker(void) {
        Worker *w = pool_worker(world_pool("web", NOTIFYING), 0);

        pool_set_converge(world.set);
        fake.hello.hello.keeper_pid = getppid(); /* this process is the worker's */
        return w;
}

static void listen_on(NotifyRing *ring) {
        ck_assert_int_eq(notify_new(&notify, world.event, world.set, fcntl(socks[0], F_DUPFD_CLOEXEC, 3), ring), 0);
}

static bool status_is(Worker *w, const char *expected) {
        _cleanup_text_ Text t = {0};
        const char *text;
        json_t *o;
        bool is_so;

        worker_put_json(w, &t, NULL);
        o = json_loads(t.data, 0, NULL);
        text = json_string_value(json_object_get(o, "status_text"));
        is_so = text && streq(text, expected);
        json_decref(o);
        return is_so;
}

static void both_setup(void) {
        world_setup();
        ring_setup();
}

static void both_teardown(void) {
        notify = notify_free(notify);
        ring_teardown();
        world_teardown();
}

/* Received and not heard when droverd was killed: before everything that waits in the socket. */
START_TEST(the_next_life_hears_it) {
        Worker *w = add_worker();
        NotifyRing *r = life_begins();

        fake_started(fake_child("web/0"), getpid());
        say("STATUS=a", -1);
        say("STATUS=b\nREADY=1", -1);
        (void) take(r);
        (void) take(r);
        notify_ring_free(r);
        say("RELOADING=1\nSTATUS=c", -1);
        listen_on(life_begins());
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        while (!status_is(w, "c"))
                world_round();
        r = life_begins(); /* a look at it */
        check_row(r, "STATUS=a;STATUS=b\nREADY=1;RELOADING=1\nSTATUS=c;");
        notify_ring_free(r);
        notify_on_record(notify);
        r = life_begins();
        check_row(r, "");
        notify_ring_free(r);
}
END_TEST

/* Before the keeper's STARTED, over a death. */
START_TEST(an_early_one_waits_over_a_death) {
        Worker *w = add_worker();

        say("READY=1", -1);
        listen_on(life_begins());
        world_round();
        notify_on_record(notify);
        notify = notify_free(notify);
        ck_assert_int_eq(worker_state(w), WORKER_LAUNCHING);
        fake_started(fake_child("web/0"), getpid());
        listen_on(life_begins());
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        ck_assert_uint_eq(notify_n_ignored(notify), 0);
}
END_TEST

/* Its sender is gone by then, its worker is not; or another process has its place. */
START_TEST(what_was_traced_needs_no_sender) {
        Worker *w = add_worker();
        NotifyRing *r = life_begins();
        NotifyWord *word;

        fake_started(fake_child("web/0"), 1 << 28);
        say("READY=1", -1);
        word = take(r);
        (void) snprintf(word->origin->worker, sizeof word->origin->worker, "web/0");
        word->origin->generation = fake_child("web/0")->generation - (uint64_t) _i;
        notify_ring_free(r);
        listen_on(life_begins());
        world_round();
        ck_assert_int_eq(worker_state(w), _i == 0 ? WORKER_RUNNING : WORKER_STARTING);
        ck_assert_uint_eq(notify_n_ignored(notify), 0);
}
END_TEST

/* The path was made anew: what waits in the old socket is heard, and what comes by the new one. */
START_TEST(the_socket_may_change) {
        Worker *w = add_worker();
        int old[2] = {socks[0], socks[1]};

        fake_started(fake_child("web/0"), getpid());
        listen_on(life_begins());
        say("STATUS=old", -1);
        ring_setup();
        ck_assert_int_eq(notify_move(notify, fcntl(socks[0], F_DUPFD_CLOEXEC, 3)), 0);
        ck_assert(status_is(w, "old"));
        say("READY=1", -1);
        world_round();
        ck_assert_int_eq(worker_state(w), WORKER_RUNNING);
        fd_close(old[0]);
        fd_close(old[1]);
}
END_TEST

int main(void) {
        Suite *s = suite_create("notify-ring");
        TCase *ring = tcase_create("ring"), *heard = tcase_create("heard");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(ring, ring_setup, ring_teardown);
        tcase_add_test(ring, what_is_not_released_is_there_again);
        tcase_add_test(ring, what_is_known_of_a_word_stays);
        tcase_add_test(ring, a_full_ring_takes_nothing);
        tcase_add_loop_test(ring, sizes_are_kept, 0, (int) ARRAY_SIZE(sizes));
        tcase_add_loop_test(ring, another_layout_is_passed_over, 0, 2);
        tcase_add_test(ring, no_kill_loses_a_word);
        tcase_set_timeout(ring, 60);
        tcase_add_checked_fixture(heard, both_setup, both_teardown);
        tcase_add_test(heard, the_next_life_hears_it);
        tcase_add_test(heard, an_early_one_waits_over_a_death);
        tcase_add_loop_test(heard, what_was_traced_needs_no_sender, 0, 2);
        tcase_add_test(heard, the_socket_may_change);
        suite_add_tcase(s, ring);
        suite_add_tcase(s, heard);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
