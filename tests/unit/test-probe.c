/* test-probe.c - what a probe says of real servers on real sockets, each misbehaving in its way; the HTTP it speaks. */
#include "pool/probe-http.h"
#include "pool/probe.h"

#include "base/alloc.h"
#include "base/fd.h"
#include <arpa/inet.h>
#include <check.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- HTTP ---- */

static const struct {
        const char *text;
        int r, status;
        const char *line;
} answer_rows[] = {
        {"HTTP/1.1 200 OK\r\n", 1, 200, "200 OK"},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 1, 200, "200 OK"},
        {"HTTP/1.0 503 Service Unavailable\n", 1, 503, "503 Service Unavailable"},
        {"HTTP/1.1 204\r\n", 1, 204, "204"},
        {"HTTP/1.1 204 \r\n", 1, 204, "204 "},
        {"HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 500 No\r\n", 1, 500, "500 No"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 399 X\r\n", 1, 399, "399 X"},
        {"HTTP/1.1 200 \x1b[31mred\xff\r\n", 1, 200, "200 ?[31mred?"},
        {"HTTP/1.1 200 OK", 0, 0, NULL},
        {"HTTP/1.1 100 Continue\r\n", 0, 0, NULL},
        {"", 0, 0, NULL},
        {"\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.1 20\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.1 2000 OK\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.1 020 OK\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.1 -20 OK\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.1\r\n", -EBADMSG, 0, NULL},
        {"HTTP/1.\r\n", -EBADMSG, 0, NULL},
        {"HTTP/2.0 200 OK\r\n", -EBADMSG, 0, NULL},
        {"SSH-2.0-OpenSSH_9.2\r\n", -EBADMSG, 0, NULL},
};

/* Whole, and byte by byte: the same. */
START_TEST(test_answer) {
        for (int by_byte = 0; by_byte < 2; by_byte++) {
                HttpAnswer a = {0};
                const char *text = answer_rows[_i].text;
                size_t n = strlen(text);
                int r = 0;

                for (size_t i = 0; by_byte && i < n && r == 0; i++)
                        r = http_answer_feed(&a, text + i, 1);
                if (!by_byte)
                        r = http_answer_feed(&a, text, n);
                ck_assert_int_eq(r, answer_rows[_i].r);
                ck_assert_int_eq(r == 1 ? a.status : 0, answer_rows[_i].status);
                if (r == 1)
                        ck_assert_str_eq(a.line, answer_rows[_i].line);
        }
}
END_TEST

START_TEST(test_answer_is_bounded) {
        HttpAnswer a = {0}, b = {0};
        int r = 0;
        unsigned n = 0;

        for (; r == 0 && n < 100000; n++)
                r = http_answer_feed(&a, "x", 1);
        ck_assert_int_eq(r, -EMSGSIZE);
        ck_assert_uint_eq(n, HTTP_ANSWER_MAX + 1);
        for (r = 0, n = 0; r == 0 && n < 100000; n++)
                r = http_answer_feed(&b, "HTTP/1.1 100 C\r\n\r\n", 18);
        ck_assert_int_eq(r, -EMSGSIZE);
}
END_TEST

START_TEST(test_request) {
        char *s = http_request_make("/a?b=c", "[::1]:80");

        ck_assert_str_eq(s, "GET /a?b=c HTTP/1.1\r\nHost: [::1]:80\r\nUser-Agent: drover\r\nAccept: */*\r\nConnection: close\r\n\r\n");
        free(s);
        ck_assert(!http_status_is_well(199) && http_status_is_well(200) && http_status_is_well(399) && !http_status_is_well(400));
}
END_TEST

/* ---- servers ---- */

typedef enum Manner { ACCEPT_ONLY, ANSWER, HANG_UP, BYTE_BY_BYTE, FLOOD, RESET } Manner;

static struct {
        sd_event *event;
        sd_event_source *accept, *talk;
        int listener, fd;
        Manner manner;
        const char *text;
        size_t sent;
        char address[112], asked[1024];
        unsigned n_done;
        char *said; /* NULL: yes */
        Probe *probe;
} t;

static int talk(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        static char x[65536];
        const struct linger hard = {.l_onoff = 1};
        ssize_t n = recv(fd, t.asked, sizeof t.asked - 1, MSG_DONTWAIT);

        if (n > 0)
                t.asked[n] = 0;
        switch (t.manner) {
        case ACCEPT_ONLY:
                (void) sd_event_source_set_enabled(source, SD_EVENT_OFF);
                return 0;
        case BYTE_BY_BYTE:
                if (t.text[t.sent])
                        (void) send(fd, t.text + t.sent++, 1, MSG_NOSIGNAL);
                return 0;
        case FLOOD:
                memset(x, 'x', sizeof x);
                (void) send(fd, x, sizeof x, MSG_NOSIGNAL | MSG_DONTWAIT);
                return 0;
        case ANSWER:
                (void) send(fd, t.text, strlen(t.text), MSG_NOSIGNAL);
                break;
        case RESET:
                (void) setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
                break;
        case HANG_UP:
                break;
        }
        t.talk = sd_event_source_disable_unref(t.talk);
        t.fd = fd_close(t.fd);
        return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        uint32_t events = t.manner == BYTE_BY_BYTE || t.manner == FLOOD ? EPOLLOUT : EPOLLIN;

        t.fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        ck_assert_int_ge(t.fd, 0);
        ck_assert_int_ge(sd_event_add_io(t.event, &t.talk, t.fd, events, talk, NULL), 0);
        /* The server may always have something to do; it must not keep the probe waiting. */
        ck_assert_int_ge(sd_event_source_set_priority(t.talk, SD_EVENT_PRIORITY_IDLE), 0);
        return 0;
}

static void serve(int family, Manner manner, const char *text) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        socklen_t n = sizeof in;

        t.manner = manner;
        t.text = text;
        t.listener = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (family == AF_UNIX) {
                (void) snprintf(un.sun_path, sizeof un.sun_path, "/tmp/drover-test-probe-%d", (int) getpid());
                (void) unlink(un.sun_path);
                (void) snprintf(t.address, sizeof t.address, "%s", un.sun_path);
                ck_assert_int_eq(bind(t.listener, (struct sockaddr *) &un, sizeof un), 0);
        } else {
                ck_assert_int_eq(bind(t.listener, (struct sockaddr *) &in, sizeof in), 0);
                ck_assert_int_eq(getsockname(t.listener, (struct sockaddr *) &in, &n), 0);
                (void) snprintf(t.address, sizeof t.address, "127.0.0.1:%u", ntohs(in.sin_port));
        }
        ck_assert_int_eq(listen(t.listener, 8), 0);
        ck_assert_int_ge(sd_event_add_io(t.event, &t.accept, t.listener, EPOLLIN, on_accept, NULL), 0);
}

static void stop_serving(void) {
        t.accept = sd_event_source_disable_unref(t.accept);
        t.talk = sd_event_source_disable_unref(t.talk);
        t.fd = fd_close(t.fd);
        t.listener = fd_close(t.listener);
        if (t.address[0] == '/')
                (void) unlink(t.address);
}

static void setup(void) {
        memset(&t, 0, sizeof t);
        t.listener = t.fd = -EBADF;
        ck_assert_int_ge(sd_event_new(&t.event), 0);
}

static void teardown(void) {
        probe_free(t.probe);
        stop_serving();
        free(t.said);
        sd_event_unref(t.event);
}

static void on_done(const char *sentence, void *userdata) {
        t.n_done++;
        free(t.said);
        t.said = alloc_strdup(sentence);
        t.probe = probe_free(t.probe);
}

/* One try, to its verdict. */
static void try(ProbeKind kind, usec_t timeout) {
        ProbeConfig c = {.kind = kind, .address = t.address, .path = (char *) "/healthz", .host = t.address,
                         .timeout = timeout};

        ck_assert_int_eq(probe_start(&t.probe, &c, t.event, NULL, on_done, NULL), 0);
        ck_assert_uint_eq(t.n_done, 0);
        while (t.n_done == 0)
                ck_assert_int_gt(sd_event_run(t.event, 10 * USEC_PER_SEC), 0);
        ck_assert_uint_eq(t.n_done, 1);
}

static const struct {
        ProbeKind kind;
        int family;
        Manner manner;
        const char *text;
        usec_t timeout;
        const char *no; /* what follows the address; NULL: yes */
} rows[] = {
        {PROBE_TCP, AF_INET, ACCEPT_ONLY, NULL, USEC_PER_MINUTE, NULL},
        {PROBE_TCP, AF_UNIX, ACCEPT_ONLY, NULL, USEC_PER_MINUTE, NULL},
        {PROBE_HTTP, AF_INET, ANSWER, "HTTP/1.1 200 OK\r\n\r\n", USEC_PER_MINUTE, NULL},
        {PROBE_HTTP, AF_UNIX, ANSWER, "HTTP/1.1 302 Found\r\n\r\n", USEC_PER_MINUTE, NULL},
        {PROBE_HTTP, AF_INET, BYTE_BY_BYTE, "HTTP/1.1 200 OK\r\n\r\n", USEC_PER_MINUTE, NULL},
        {PROBE_HTTP, AF_INET, ANSWER, "HTTP/1.1 500 Oh no\r\n\r\n", USEC_PER_MINUTE, "500 Oh no"},
        {PROBE_HTTP, AF_INET, ANSWER, "220 mail ready\r\n", USEC_PER_MINUTE, "the answer is not HTTP"},
        {PROBE_HTTP, AF_INET, FLOOD, NULL, USEC_PER_MINUTE, "the answer is not HTTP"},
        {PROBE_HTTP, AF_INET, HANG_UP, NULL, USEC_PER_MINUTE, "the connection was closed without an answer"},
        {PROBE_HTTP, AF_INET, RESET, NULL, USEC_PER_MINUTE, "Connection reset by peer"},
        {PROBE_HTTP, AF_INET, ACCEPT_ONLY, NULL, 20 * USEC_PER_MSEC, "no answer within 20ms"},
        {PROBE_HTTP, AF_INET, BYTE_BY_BYTE, "HTTP/1.1 2", 20 * USEC_PER_MSEC, "no answer within 20ms"},
};

START_TEST(test_servers) {
        char expected[256];

        serve(rows[_i].family, rows[_i].manner, rows[_i].text);
        try(rows[_i].kind, rows[_i].timeout);
        if (!rows[_i].no) {
                ck_assert_msg(!t.said, "%s", t.said);
                return;
        }
        (void) snprintf(expected, sizeof expected, "GET http://%s/healthz: %s", t.address, rows[_i].no);
        ck_assert_ptr_nonnull(t.said);
        ck_assert_str_eq(t.said, expected);
}
END_TEST

START_TEST(test_request_arrives) {
        serve(AF_INET, ANSWER, "HTTP/1.1 200 OK\r\n");
        try(PROBE_HTTP, USEC_PER_MINUTE);
        ck_assert_ptr_eq(strstr(t.asked, "GET /healthz HTTP/1.1\r\n"), t.asked);
        ck_assert_ptr_nonnull(strstr(t.asked, t.address));
}
END_TEST

START_TEST(test_nobody_listens) {
        char expected[256];

        serve(_i == 0 ? AF_INET : AF_UNIX, ACCEPT_ONLY, NULL);
        stop_serving();
        try(_i == 0 ? PROBE_HTTP : PROBE_TCP, USEC_PER_MINUTE);
        (void) snprintf(expected, sizeof expected, "connect to %s: %s", t.address,
                        _i == 0 ? "Connection refused" : "No such file or directory");
        ck_assert_str_eq(t.said, expected);
}
END_TEST

/* A full queue: a socket of AF_UNIX says so at once, one of tcp not at all. */
START_TEST(test_nobody_accepts) {
        int fds[64], n = 0;
        struct sockaddr_un un = {.sun_family = AF_UNIX};

        serve(AF_UNIX, ACCEPT_ONLY, NULL);
        t.accept = sd_event_source_disable_unref(t.accept);
        memcpy(un.sun_path, t.address, strlen(t.address) + 1);
        for (int r = 0; r == 0 && n < 64; n++) {
                fds[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
                r = connect(fds[n], (struct sockaddr *) &un, sizeof un);
        }
        try(PROBE_TCP, USEC_PER_MINUTE);
        ck_assert_ptr_nonnull(strstr(t.said, ": its queue of connections is full"));
        fd_close_many(fds, (size_t) n);
}
END_TEST

START_TEST(test_dropped_before_the_verdict) {
        ProbeConfig c = {.kind = PROBE_TCP, .address = t.address, .timeout = USEC_PER_MINUTE};

        serve(AF_INET, ACCEPT_ONLY, NULL);
        ck_assert_int_eq(probe_start(&t.probe, &c, t.event, NULL, on_done, NULL), 0);
        t.probe = probe_free(t.probe);
        c.kind = PROBE_NONE;
        ck_assert_int_eq(probe_start(&t.probe, &c, t.event, NULL, on_done, NULL), -EINVAL);
        c = (ProbeConfig){.kind = PROBE_TCP, .address = (char *) "nonsense", .timeout = USEC_PER_MINUTE};
        ck_assert_int_eq(probe_start(&t.probe, &c, t.event, NULL, on_done, NULL), 0);
        while (t.n_done == 0)
                ck_assert_int_gt(sd_event_run(t.event, 10 * USEC_PER_SEC), 0);
        ck_assert_str_eq(t.said, "connect to nonsense: Invalid argument");
}
END_TEST

int main(void) {
        Suite *s = suite_create("probe");
        TCase *pure = tcase_create("http"), *c = tcase_create("servers");
        SRunner *r;
        int n;

        tcase_add_loop_test(pure, test_answer, 0, (int) ARRAY_SIZE(answer_rows));
        tcase_add_test(pure, test_answer_is_bounded);
        tcase_add_test(pure, test_request);
        tcase_add_checked_fixture(c, setup, teardown);
        tcase_add_loop_test(c, test_servers, 0, (int) ARRAY_SIZE(rows));
        tcase_add_test(c, test_request_arrives);
        tcase_add_loop_test(c, test_nobody_listens, 0, 2);
        tcase_add_test(c, test_nobody_accepts);
        tcase_add_test(c, test_dropped_before_the_verdict);
        suite_add_tcase(s, pure);
        suite_add_tcase(s, c);
        r = srunner_create(s);
        srunner_run_all(r, CK_ENV);
        n = srunner_ntests_failed(r);
        srunner_free(r);
        return n == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
