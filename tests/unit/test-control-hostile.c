/* test-control-hostile.c - peers that are broken or mean: each is refused or dropped, and the next one is served. */
#include "control-world.h"
#include "base/alloc.h"
#include "base/fd.h"
#include "control/connection.h"
#include "control/control-room.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static World w;
static int fd;

static void setup(void) {
        world_setup(&w);
        fd = client_connect(&w);
}

/* Whatever happened before: somebody else is served. */
static void teardown(void) {
        int other = client_connect(&w);
        _cleanup_json_ json_t *answer = client_ask(&w, other, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}");

        ck_assert(json_is_array(at(answer, "result.pools")));
        fd_close(other);
        fd_close(fd);
        world_teardown(&w);
}

static char *repeat(const char *begin, const char *part, size_t n, const char *end) {
        Text t = {0};

        text_append(&t, begin);
        for (size_t i = 0; i < n; i++)
                text_append(&t, part);
        text_append(&t, end);
        return text_take(&t);
}

static void expect_error(const char *name) {
        _cleanup_json_ json_t *answer = client_json(&w, fd);

        ck_assert_ptr_nonnull(answer);
        ck_assert(json_is_null(at(answer, "id")));
        ck_assert_str_eq(at_string(answer, "error.data.name"), name);
}

/* ---- lines that are no requests; the connection stays ---- */

static const struct {
        const char *begin, *part;
        size_t n;
        const char *end, *name;
} lines[] = {
        {"", "[", 60000, "", "limit"},
        {"", "[", 33, "", "limit"},
        {"[", "{},", 20000, "{}]", "limit"},
        {"{\"a\":[", "1,", 9000, "1]}", "limit"},
        {"\xff\xfe", "", 0, "", "invalid"},
        {"\"\xc0\x80\"", "", 0, "", "invalid"},
        {"\"\\ud800\"", "", 0, "", "invalid"},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"\\u0000\"}", "", 0, "", "invalid"},
        {"\xef\xbb\xbf{}", "", 0, "", "invalid"},
        {"NaN", "", 0, "", "invalid"},
        {"1e999", "", 0, "", "invalid"},
        {"{\"id\":99999999999999999999}", "", 0, "", "invalid"},
        {"{\"id\":1,\"id\":2}", "", 0, "", "invalid"},
        {"[1,]", "", 0, "", "invalid"},
        {"{} {}", "", 0, "", "invalid"},
        {"\"scalar\"", "", 0, "", "invalid"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"id\":\"", "x", 129, "\"}", "invalid"},
        {"{\"jsonrpc\":\"2.0\",\"method\":\"status\",\"params\":7}", "", 0, "", "invalid"},
};

START_TEST(test_line) {
        _cleanup_free_ char *text = repeat(lines[_i].begin, lines[_i].part, lines[_i].n, lines[_i].end);

        client_send(&w, fd, text);
        client_send(&w, fd, "\r\n\r\n\n");
        expect_error(lines[_i].name);
        {
                _cleanup_json_ json_t *answer = client_ask(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\r");

                ck_assert(json_is_array(at(answer, "result.pools")));
        }
}
END_TEST

START_TEST(test_line_too_long) {
        _cleanup_free_ char *text = repeat("{\"jsonrpc\":\"", "x", CONTROL_LINE_MAX + 1, "");

        client_send(&w, fd, text);
        expect_error("limit");
        client_send(&w, fd, "more of it\n"); /* is thrown away */
        fd_set_nonblock(fd, true);
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        ck_assert(client_is_closed(&w, fd));
}
END_TEST

START_TEST(test_line_of_the_longest) {
        static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\",\"params\":{\"select\":\"", end[] = "\"}}";
        _cleanup_free_ char *text = repeat(begin, "x", CONTROL_LINE_MAX - strlen(begin) - strlen(end), end);
        _cleanup_json_ json_t *answer = client_ask(&w, fd, text);

        ck_assert_str_eq(at_string(answer, "error.data.name"), "not-found");
}
END_TEST

/* ---- pieces and floods ---- */

START_TEST(test_byte_by_byte) {
        static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"status\"}\n";

        for (size_t i = 0; i < strlen(text); i++) {
                client_send_n(&w, fd, text + i, 1);
                for (int k = 0; k < 3; k++)
                        (void) sd_event_run(w.event, 0);
        }
        {
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                ck_assert_int_eq(at_int(answer, "id"), 7);
        }
}
END_TEST

/* Ten thousand in one go: all answered, in order; somebody else is served long before the last. */
START_TEST(test_pipelined_flood) {
        enum { N = 10000 };
        int other = client_connect(&w);
        json_int_t answered = 0, sent = 0;
        bool is_other_served = false;
        Text t = {0};

        for (int i = 0; i < N; i++)
                text_appendf(&t, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"status\"}\n", i);
        client_send(&w, other, "{\"jsonrpc\":\"2.0\",\"id\":\"other\",\"method\":\"status\"}\n");
        while (answered < N) {
                ssize_t k = sent < (json_int_t) t.length ? send(fd, t.data + sent, t.length - (size_t) sent, MSG_NOSIGNAL) : 0;

                sent += k > 0 ? k : 0;
                for (;;) {
                        _cleanup_json_ json_t *answer = client_json(&w, fd);

                        if (!answer)
                                break;
                        ck_assert_int_eq(at_int(answer, "id"), answered++);
                        if (answered == 100) {
                                _cleanup_json_ json_t *theirs = client_json(&w, other);

                                is_other_served = theirs != NULL;
                        }
                        if (answered == N)
                                break;
                }
        }
        ck_assert(is_other_served);
        text_done(&t);
        fd_close(other);
}
END_TEST

/* One that asks and never reads is paused, not served on; once it reads it gets everything. */
START_TEST(test_never_reads) {
        static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}\n";
        Connection *c;
        size_t n_sent = 0;

        for (int i = 0; i < 2000; i++) {
                ssize_t k = send(fd, text, strlen(text), MSG_NOSIGNAL);

                if (k != (ssize_t) strlen(text))
                        break;
                n_sent++;
                if (i % 50 == 0)
                        world_run(&w);
        }
        world_run(&w);
        c = w.control->connections;
        ck_assert_uint_gt(stream_unread(c->stream), CONTROL_UNREAD_MARK);
        ck_assert_uint_lt(stream_unread(c->stream), 2 * CONTROL_UNREAD_MARK);
        /* Half a minute without progress is enough. */
        ck_assert(connection_sweep(c, clock_now()));
        (void) connection_sweep(c, clock_now() + (CONTROL_STALL_TIMEOUT_SEC + 1) * USEC_PER_SEC);
        ck_assert_int_eq(c->state, CONNECTION_CLOSED);
        world_run(&w);
        ck_assert_ptr_null(w.control->connections);
        ck_assert_uint_gt(n_sent, 10);
}
END_TEST

START_TEST(test_line_never_finished) {
        Connection *c;

        client_send(&w, fd, "{\"jsonrpc\":");
        world_run(&w);
        c = w.control->connections;
        ck_assert(connection_sweep(c, clock_now() + (CONTROL_LINE_TIMEOUT_SEC - 1) * USEC_PER_SEC));
        ck_assert_int_eq(c->state, CONNECTION_OPEN);
        ck_assert(connection_sweep(c, clock_now() + (CONTROL_LINE_TIMEOUT_SEC + 1) * USEC_PER_SEC));
        ck_assert_int_eq(c->state, CONNECTION_LINGERING);
        world_run(&w);
        expect_error("timeout");
        (void) connection_sweep(c, clock_now() + 60 * USEC_PER_SEC);
        world_run(&w);
        ck_assert(client_is_closed(&w, fd));
}
END_TEST

START_TEST(test_too_many_calls) {
        unsigned n_limit = 0;

        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"p\",\"method\":\"pool.add\",\"params\":{\"name\":\"web\",\"command\":[\"/stay\"]}}\n");
        json_decref(client_json(&w, fd));
        world_run(&w);
        for (unsigned i = 0; i < CONTROL_CALLS_MAX + 5; i++)
                client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"wait\",\"params\":[\"web\"]}\n");
        for (;;) {
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                if (!answer)
                        break;
                ck_assert_str_eq(at_string(answer, "error.data.name"), "limit");
                n_limit++;
        }
        ck_assert_uint_eq(n_limit, 5);
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"id\":\"c\",\"method\":\"call.cancel\",\"params\":[1]}\n");
        for (unsigned i = 0; i < 2; i++) { /* the cancelled one and the cancelling one, in either order */
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                ck_assert(at(answer, "result") || streq(at_string(answer, "error.data.name"), "cancelled"));
        }
}
END_TEST

START_TEST(test_too_many_connections) {
        int fds[CONTROL_CONNECTIONS_PER_UID_MAX], last;

        world_run(&w); /* accepts `fd` */
        for (size_t i = 1; i < ARRAY_SIZE(fds); i++) {
                fds[i] = client_connect(&w);
                world_run(&w);
        }
        last = client_connect(&w);
        {
                _cleanup_json_ json_t *answer = client_json(&w, last);

                ck_assert_str_eq(at_string(answer, "error.data.name"), "limit");
        }
        ck_assert(client_is_closed(&w, last));
        fd_close(last);
        for (size_t i = 1; i < ARRAY_SIZE(fds); i++)
                fd_close(fds[i]);
        world_run(&w);
}
END_TEST

START_TEST(test_too_many_unfinished_bytes) {
        enum { N = CONTROL_INPUT_PER_UID_MAX / CONTROL_LINE_MAX + 8 };
        _cleanup_free_ char *text = repeat("", "x", CONTROL_LINE_MAX - 1, "");
        unsigned n_refused = 0;
        int fds[N];

        for (size_t i = 0; i < N; i++) {
                _cleanup_json_ json_t *answer = NULL;

                fds[i] = client_connect(&w);
                client_send(&w, fds[i], text);
                world_run(&w);
                if (i >= N - 16)
                        answer = client_json(&w, fds[i]);
                n_refused += answer && streq(at_string(answer, "error.data.name"), "limit");
        }
        ck_assert_uint_ge(n_refused, 7);
        ck_assert_uint_le(n_refused, 9);
        for (size_t i = 0; i < N; i++)
                fd_close(fds[i]);
        world_run(&w);
}
END_TEST

/* ---- ends ---- */

static const char *const endings[] = {
        "",
        "{\"jsonrpc\":",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"rpc.discover\"}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"follow\":true}}\n",
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"run\",\"params\":{\"command\":[\"/stay\"],\"daemon\":true}}\n",
        "[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"events\",\"params\":{\"follow\":true}},{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"}]\n",
};

START_TEST(test_closed_in_the_middle) {
        int other = client_connect(&w);

        client_send(&w, other, endings[_i]);
        if (_i % 2 == 0)
                world_run(&w);
        fd_close(other);
        world_run(&w);
        hub_emit(w.hub, EVENT_POOL_SCALED, "web", NULL, NULL);
        world_run(&w);
        ck_assert_ptr_eq(w.control->connections->next, NULL); /* only `fd` is left */
}
END_TEST

/* A peer that has finished sending still gets its answers, then the end. */
START_TEST(test_half_closed) {
        client_send(&w, fd, "{\"jsonrpc\":\"2.0\",\"method\":\"status\"}\n{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n"
                            "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"status\"}\n");
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        {
                _cleanup_json_ json_t *a = client_json(&w, fd), *b = client_json(&w, fd);

                ck_assert_int_eq(at_int(a, "id"), 1);
                ck_assert_int_eq(at_int(b, "id"), 2);
        }
        ck_assert(client_is_closed(&w, fd));
}
END_TEST

/* No descriptor is left: the caller hears why, the loop does not spin, and goes on once there is one. */
START_TEST(test_no_descriptors) {
        struct rlimit before, tight;
        int other, probe, n_turns = 0;

        if (getenv("DROVER_TEST_VALGRIND"))
                return; /* it lets the kernel accept, then closes the connection itself */
        world_run(&w); /* accepts `fd` */
        other = client_connect(&w);
        probe = open("/dev/null", O_RDONLY | O_CLOEXEC);
        fd_close(probe);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        tight = before;
        tight.rlim_cur = (rlim_t) probe; /* what is open stays, nothing more fits */
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
        while (sd_event_run(w.event, 50 * USEC_PER_MSEC) > 0 && n_turns < 1000)
                n_turns++;
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_int_lt(n_turns, 100);
        {
                _cleanup_json_ json_t *answer = client_json(&w, other);

                ck_assert_str_eq(at_string(answer, "error.data.name"), "limit");
        }
        fd_close(other);
        while (sd_event_run(w.event, 200 * USEC_PER_MSEC) > 0) /* the rest of 100 ms is over */
                ;
}
END_TEST

/* A descriptor sent along does not arrive (where the kernel can refuse it), and harms nobody where it does. */
START_TEST(test_passed_descriptor) {
        static const char text[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n";
        int zero = open("/dev/null", O_RDONLY | O_CLOEXEC);
        union {
                char bytes[CMSG_SPACE(sizeof(int))];
                struct cmsghdr align;
        } control = {0};
        struct iovec iov = {.iov_base = (void *) text, .iov_len = strlen(text)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &zero, sizeof(int));
        world_run(&w);
        if (sendmsg(fd, &m, MSG_NOSIGNAL) < 0) {
                ck_assert_int_eq(errno, EPERM);
        } else {
                _cleanup_json_ json_t *answer = client_json(&w, fd);

                ck_assert_int_eq(at_int(answer, "id"), 1);
        }
        fd_close(zero);
}
END_TEST

int main(void) {
        Suite *s = suite_create("control-hostile");
        TCase *t = tcase_create("all");
        SRunner *sr;
        int n;

        tcase_set_timeout(t, 60);
        tcase_add_checked_fixture(t, setup, teardown);
        tcase_add_loop_test(t, test_line, 0, ARRAY_SIZE(lines));
        tcase_add_test(t, test_line_too_long);
        tcase_add_test(t, test_line_of_the_longest);
        tcase_add_test(t, test_byte_by_byte);
        tcase_add_test(t, test_pipelined_flood);
        tcase_add_test(t, test_never_reads);
        tcase_add_test(t, test_line_never_finished);
        tcase_add_test(t, test_too_many_calls);
        tcase_add_test(t, test_too_many_connections);
        tcase_add_test(t, test_too_many_unfinished_bytes);
        tcase_add_loop_test(t, test_closed_in_the_middle, 0, ARRAY_SIZE(endings));
        tcase_add_test(t, test_half_closed);
        tcase_add_test(t, test_no_descriptors);
        tcase_add_test(t, test_passed_descriptor);
        suite_add_tcase(s, t);
        sr = srunner_create(s);
        srunner_run_all(sr, CK_NORMAL);
        n = srunner_ntests_failed(sr);
        srunner_free(sr);
        return n > 0;
}
