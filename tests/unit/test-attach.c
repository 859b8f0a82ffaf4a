/* test-attach.c - descriptors beside bytes: in order, with their line, never lost and never too many. */
#include "wire/attach.h"

#include "base/fd.h"
#include "base/file.h"
#include <check.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int pair[2];

static void set_up(void) {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
}

static void tear_down(void) {
        fd_close(pair[0]);
        fd_close(pair[1]);
}

/* Its size says which it is. */
static int numbered(size_t n) {
        int fd = memfd_new("test");

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, (off_t) n), 0);
        return fd;
}

static size_t number_of(int fd_take) {
        struct stat st;

        ck_assert_int_eq(fstat(fd_take, &st), 0);
        ck_assert_int_ne(fcntl(fd_take, F_GETFD) & FD_CLOEXEC, 0);
        fd_close(fd_take);
        return (size_t) st.st_size;
}

static void put(AttachQueue *q, size_t at, size_t n) {
        ck_assert_int_eq(attach_put(q, at, numbered(n)), 0);
}

static int n_open(void) {
        int n = 0;

        for (int fd = 0; fd < 1024; fd++)
                n += fcntl(fd, F_GETFD) >= 0;
        return n;
}

/* Three lines; two come with the first, none with the second, one with the third. However the sender's socket cuts it, each is
 * there when the first byte of its line is. */
START_TEST(test_in_order) {
        static const char text[] = "aaaa\nbbbb\ncccc\n";
        AttachQueue q = {0};
        AttachReceived got = {.n = 0};
        size_t sent = 0, received = 0;
        char buf[64];
        int before = n_open();

        put(&q, 0, 1);
        put(&q, 0, 2);
        put(&q, 10, 3);
        while (sent < 15) {
                ssize_t n = attach_send(&q, pair[0], text + sent, 15 - sent);

                ck_assert_int_gt(n, 0);
                ck_assert(sent >= 10 || sent + (size_t) n <= 10); /* not over the next one's first byte */
                sent += (size_t) n;
        }
        ck_assert_uint_eq(q.n, 0);
        while (received < 15) {
                ssize_t n = attach_receive(&got, pair[1], buf + received, 3, 0);

                ck_assert_int_gt(n, 0);
                received += (size_t) n;
                ck_assert_uint_ge(got.n, received > 10 ? 3 : 2);
        }
        ck_assert_mem_eq(buf, text, 15);
        for (size_t i = 1; i <= 3; i++)
                ck_assert_uint_eq(number_of(attach_take(&got)), i);
        ck_assert_int_eq(attach_take(&got), -ENOENT);
        ck_assert_int_eq(n_open(), before);
}
END_TEST

START_TEST(test_bounds) {
        AttachQueue q = {0};
        AttachReceived got = {.n = 0};
        int before = n_open(), fd = numbered(1);
        char buf[8];

        for (size_t i = 0; i < ATTACH_FDS_MAX; i++)
                put(&q, 0, i + 1);
        ck_assert_int_eq(attach_put(&q, 0, fd), -E2BIG);
        ck_assert_int_eq(attach_put(&q, 1, fd), 0);
        ck_assert_int_eq(attach_send(&q, pair[0], "ab", 2), 1);
        ck_assert_int_eq(attach_send(&q, pair[0], "b", 1), 1);
        ck_assert_int_eq(attach_receive(&got, pair[1], buf, 1, 0), 1);
        ck_assert_uint_eq(got.n, ATTACH_FDS_MAX);
        ck_assert_int_eq(attach_receive(&got, pair[1], buf, 1, 0), 1);
        ck_assert_uint_eq(got.n, ATTACH_FDS_MAX + 1);
        attach_received_done(&got);
        ck_assert_int_eq(n_open(), before);
}
END_TEST

/* What is not sent after all is closed, and what is before it stays. */
START_TEST(test_cut) {
        AttachQueue q = {0};
        int before = n_open();

        put(&q, 0, 1);
        put(&q, 5, 2);
        put(&q, 9, 3);
        attach_cut(&q, 5);
        ck_assert_uint_eq(q.n, 1);
        ck_assert_int_eq(n_open(), before + 1);
        attach_done(&q);
        ck_assert_int_eq(n_open(), before);
}
END_TEST

/* A peer that passes and passes: it is an error before there are more than fit, and nothing is left open. */
START_TEST(test_flood) {
        AttachReceived got = {.n = 0};
        int before = n_open();
        ssize_t n = 0;
        char byte;

        for (size_t i = 0; i < 6 && n >= 0; i++) {
                AttachQueue q = {0};

                for (size_t k = 0; k < ATTACH_FDS_MAX; k++)
                        put(&q, 0, 1);
                ck_assert_int_eq(attach_send(&q, pair[0], "x", 1), 1);
                n = attach_receive(&got, pair[1], &byte, 1, 0);
        }
        ck_assert_int_eq(n, -EPROTO);
        ck_assert_uint_eq(got.n, ARRAY_SIZE(got.fds));
        attach_received_done(&got);
        ck_assert_int_eq(n_open(), before);
}
END_TEST

START_TEST(test_full_and_gone) {
        static char much[1u << 20];
        AttachQueue q = {0};
        int before = n_open();
        ssize_t n;

        while ((n = send(pair[0], much, sizeof much, MSG_DONTWAIT)) > 0)
                ;
        put(&q, 0, 1);
        ck_assert_int_eq(attach_send(&q, pair[0], "x", 1), -EAGAIN);
        ck_assert_uint_eq(q.n, 1); /* it goes with the next try */
        pair[1] = fd_close(pair[1]);
        ck_assert_int_lt(attach_send(&q, pair[0], "x", 1), 0);
        attach_done(&q);
        ck_assert_int_eq(n_open(), before - 1);
}
END_TEST

int main(void) {
        Suite *s = suite_create("attach");
        TCase *t = tcase_create("all");
        SRunner *r;
        int n;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, test_in_order);
        tcase_add_test(t, test_bounds);
        tcase_add_test(t, test_cut);
        tcase_add_test(t, test_flood);
        tcase_add_test(t, test_full_and_gone);
        suite_add_tcase(s, t);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n != 0;
}
