/* test-stream.c - both buffers over a socket pair: pieces, bounds, marks, the peer's end, short memory. */
#include "wire/stream.h"
#include "base/alloc.h"

#include <check.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static const StreamLimits limits = {.line_max = 100 * 1000, .out_high = 200 * 1000, .out_max = 600 * 1000};
static Stream *stream;
static int peer;

static void set_up(void) {
        int pair[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(stream_new(&stream, pair[0], &limits), 0);
        peer = pair[1];
}

static void tear_down(void) {
        stream = stream_free(stream);
        if (peer >= 0)
                (void) close(peer);
}

static void feed(const char *text) {
        ck_assert_int_eq(write(peer, text, strlen(text)), (ssize_t) strlen(text));
}

START_TEST(lines_arrive) {
        size_t length;
        char *line;

        ck_assert_uint_eq(stream_events(stream), EPOLLIN);
        ck_assert_int_eq(stream_receive(stream), 0);
        feed("one\r\ntwo\npar");
        ck_assert_int_eq(stream_receive(stream), 12);
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 1);
        ck_assert_str_eq(line, "one");
        ck_assert_uint_eq(length, 3);
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 1);
        ck_assert_str_eq(line, "two");
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 0);
        ck_assert_uint_eq(stream_partial(stream), 3);
        feed("tial\n");
        ck_assert_int_gt(stream_receive(stream), 0);
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 1);
        ck_assert_str_eq(line, "partial");
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 0);
        ck_assert_uint_eq(stream_partial(stream), 0);
        stream_pause(stream, true);
        ck_assert_uint_eq(stream_events(stream), 0);
}
END_TEST

START_TEST(lines_before_the_end_stay_readable) {
        size_t length;
        char *line;

        feed("last\ntorn");
        (void) close(peer);
        peer = -EBADF;
        ck_assert_int_eq(stream_receive(stream), 9);
        ck_assert_int_eq(stream_receive(stream), -ENODATA);
        ck_assert_int_eq(stream_receive(stream), -ENODATA);
        ck_assert_uint_eq(stream_events(stream), 0);
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 1);
        ck_assert_str_eq(line, "last");
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 0);
        text_append(stream_output(stream), "x\n");
        ck_assert_int_eq(stream_flush(stream), -EPIPE); /* and no signal */
}
END_TEST

/* Large lines in pieces: the buffer moves, grows and shrinks; every byte is where it belongs. */
START_TEST(large_lines_survive_the_buffer) {
        static char text[90 * 1000 + 2];
        size_t length, n_lines = 0;
        char *line;

        for (size_t size = 1; size <= 90 * 1000; size = size * 3 + 7) {
                size_t sent = 0;

                memset(text, 'a' + (int) (size % 26), size);
                text[size] = '\n';
                while (sent < size + 1) {
                        ssize_t n = send(peer, text + sent, MIN((size_t) 5000, size + 1 - sent), MSG_DONTWAIT);

                        ck_assert_int_gt(n, 0);
                        sent += (size_t) n;
                        ck_assert_int_gt(stream_receive(stream), 0);
                }
                while (stream_next_line(stream, &line, &length) == 0)
                        ck_assert_int_gt(stream_receive(stream), 0);
                ck_assert_uint_eq(length, size);
                ck_assert_mem_eq(line, text, size);
                n_lines++;
        }
        ck_assert_uint_gt(n_lines, 8);
}
END_TEST

START_TEST(a_line_too_long_is_told_once) {
        static char text[1000];
        size_t length, n_told = 0;
        char *line;

        memset(text, 'x', sizeof(text));
        for (int i = 0; i < 300; i++) {
                int r;

                ck_assert_int_eq(write(peer, text, sizeof(text)), sizeof(text));
                ck_assert_int_gt(stream_receive(stream), 0);
                while ((r = stream_next_line(stream, &line, &length)) < 0) {
                        ck_assert_int_eq(r, -EMSGSIZE);
                        n_told++;
                }
                ck_assert_uint_le(stream_partial(stream), limits.line_max);
                ck_assert_uint_gt(stream_partial(stream), 0);
        }
        ck_assert_uint_eq(n_told, 1);
        feed("\nnext\n");
        ck_assert_int_gt(stream_receive(stream), 0);
        ck_assert_int_eq(stream_next_line(stream, &line, &length), 1);
        ck_assert_str_eq(line, "next");
}
END_TEST

START_TEST(output_waits_in_order_and_is_bounded) {
        Text *out = stream_output(stream);
        size_t got = 0, appended = 0;
        char buf[4096];
        int r = 1;

        while (!stream_is_congested(stream)) {
                text_appendf(out, "%09zu\n", appended / 10);
                appended += 10;
                ck_assert_int_ge(stream_flush(stream), 0);
        }
        ck_assert_uint_gt(stream_unread(stream), limits.out_high);
        ck_assert_uint_eq(stream_events(stream), EPOLLIN | EPOLLOUT);
        ck_assert_int_eq(stream_check_output(stream), 0);
        while (got < appended) {
                ssize_t n = read(peer, buf, sizeof(buf));

                for (ssize_t i = 0; i < n; i++) {
                        char expected[32];

                        (void) snprintf(expected, sizeof(expected), "%09zu\n", (got + (size_t) i) / 10);
                        ck_assert_int_eq(buf[i], expected[(got + (size_t) i) % 10]);
                }
                got += (size_t) n;
                r = stream_flush(stream);
        }
        ck_assert_int_eq(r, 0);
        ck_assert(!stream_is_congested(stream));
        ck_assert_uint_eq(stream_events(stream), EPOLLIN);
        for (size_t i = 0; i <= limits.out_max / 10; i++)
                text_append(out, "123456789\n");
        ck_assert_int_eq(stream_check_output(stream), -ENOBUFS);
}
END_TEST

START_TEST(short_memory_is_told) {
        int pair[2];
        Stream *s = NULL;

        alloc_fail_at(1);
        ck_assert_int_eq(stream_receive(stream), -ENOMEM);
        alloc_fail_at(1);
        text_append(stream_output(stream), "x\n");
        ck_assert_int_eq(stream_check_output(stream), -ENOMEM);
        ck_assert_int_eq(stream_flush(stream), -ENOMEM);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        alloc_fail_at(1);
        ck_assert_int_eq(stream_new(&s, pair[0], &limits), -ENOMEM);
        ck_assert_int_eq(close(pair[0]), 0); /* still ours */
        (void) close(pair[1]);
        ck_assert_int_eq(stream_new(&s, -1, &limits), -EBADF);
        ck_assert_ptr_null(s);
        ck_assert_ptr_null(stream_free(NULL));
}
END_TEST

int main(void) {
        Suite *s = suite_create("stream");
        TCase *t = tcase_create("stream");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_checked_fixture(t, set_up, tear_down);
        tcase_add_test(t, lines_arrive);
        tcase_add_test(t, lines_before_the_end_stay_readable);
        tcase_add_test(t, large_lines_survive_the_buffer);
        tcase_add_test(t, a_line_too_long_is_told_once);
        tcase_add_test(t, output_waits_in_order_and_is_bounded);
        tcase_add_test(t, short_memory_is_told);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
