/* test-logger-link.c - reads and follows against a logger played by the test. */
#include "base/alloc.h"
#include "base/fd.h"
#include "process/logger-link.h"
#include <check.h>
#include <stdio.h>

typedef struct Fixture {
        sd_event *event;
        LoggerLink *link;
        int logger; /* the logger's end */
} Fixture;

typedef struct Seen {
        LogRead *read;
        char lines[256]; /* "a|b|" */
        int n_lines, n_dropped_calls, n_end, end_error;
        uint64_t n_dropped;
        int pause_at, free_at; /* line number */
        bool frees_at_end;
} Seen;

static bool on_line(LogRead *r, const LoggerLine *line, const char *text, void *userdata) {
        Seen *s = userdata;
        size_t n = strlen(s->lines);

        if (s->pause_at > 0 && s->n_lines == s->pause_at) {
                s->pause_at = 0;
                return false;
        }
        (void) snprintf(s->lines + n, sizeof(s->lines) - n, "%.*s|", (int) line->n_bytes, text);
        s->n_lines++;
        if (s->free_at == s->n_lines)
                s->read = logger_read_free(s->read);
        return true;
}

static void on_dropped(LogRead *r, uint64_t n_lines, void *userdata) {
        Seen *s = userdata;

        s->n_dropped_calls++;
        s->n_dropped += n_lines;
}

static void on_end(LogRead *r, int error, const char *text, void *userdata) {
        Seen *s = userdata;

        s->n_end++;
        s->end_error = error;
        if (s->frees_at_end)
                s->read = logger_read_free(s->read);
}

static const LogReadHooks hooks = {on_line, on_dropped, on_end};

static void run(Fixture *f) {
        while (sd_event_run(f->event, 0) > 0)
                ;
}

static void new_logger(Fixture *f) {
        int fds[2];

        fd_close(f->logger);
        run(f);
        ck_assert_int_eq(packet_pair(fds), 0);
        f->logger = fds[0];
        ck_assert_int_eq(logger_link_set_fd(f->link, fds[1]), 0);
        run(f);
}

static void fixture_start(Fixture *f) {
        *f = (Fixture){.logger = -EBADF};
        ck_assert_int_ge(sd_event_new(&f->event), 0);
        ck_assert_int_eq(logger_link_new(&f->link, f->event, -15), 0);
        new_logger(f);
}

static void fixture_done(Fixture *f) {
        logger_link_free(f->link);
        fd_close(f->logger);
        sd_event_unref(f->event);
}

static void ask(Fixture *f, Seen *s, bool follow) {
        LogSpec spec = {.kind = LOG_KIND_FILE, .path = "/x"};

        LogReadAsk what = {.streams = LOG_STREAM_STDOUT, .n_lines = 10, .follow = follow};
        ck_assert_int_eq(logger_read_new(&s->read, f->link, &spec, &what, &hooks, s), 0);
        run(f);
}

static bool hear(Fixture *f, LoggerMessage *ret) {
        size_t n;
        ssize_t k = packet_recv(f->logger, ret, sizeof(*ret), NULL, 0, &n);

        if (k == -EAGAIN)
                return false;
        ck_assert_uint_eq((size_t) k, logger_message_size(ret->type));
        return true;
}

static uint64_t expect(Fixture *f, uint32_t type) {
        LoggerMessage m;

        ck_assert(hear(f, &m));
        ck_assert_uint_eq(m.type, type);
        return m.request;
}

static void expect_silence(Fixture *f) {
        LoggerMessage m;

        ck_assert(!hear(f, &m));
}

/* Send @text, its words as lines. */
static void say_lines(Fixture *f, uint64_t request, uint64_t n_dropped, const char *text) {
        char packet[sizeof(LoggerMessage) + 4096];
        LoggerMessage m = {.type = LOGGER_LINES, .request = request};
        size_t head = logger_message_size(LOGGER_LINES), n = head;

        while (*text) {
                LoggerLine line = {.n_bytes = (uint32_t) strcspn(text, " "), .stream = LOG_STREAM_STDOUT};

                memcpy(packet + n, &line, sizeof(line));
                memcpy(packet + n + sizeof(line), text, line.n_bytes);
                n += sizeof(line) + line.n_bytes;
                text += line.n_bytes + (text[line.n_bytes] == ' ');
        }
        m.lines.n_bytes = (uint32_t) (n - head);
        m.lines.n_dropped = n_dropped;
        memcpy(packet, &m, head);
        ck_assert_int_eq(packet_send(f->logger, packet, n, NULL, 0), 0);
}

static void say_end(Fixture *f, uint64_t request, int error) {
        LoggerMessage m = {.type = LOGGER_END, .request = request, .end.error = error};

        ck_assert_int_eq(packet_send(f->logger, &m, logger_message_size(m.type), NULL, 0), 0);
}

START_TEST(lines_come_in_order_and_end) {
        Fixture f;
        Seen s = {.frees_at_end = true};
        uint64_t id;

        fixture_start(&f);
        ask(&f, &s, false);
        id = expect(&f, LOGGER_READ);
        say_lines(&f, id, 0, "a bb");
        say_lines(&f, id + 100, 0, "nobody's");
        say_lines(&f, id, 3, "c");
        say_end(&f, id, 0);
        run(&f);
        ck_assert_str_eq(s.lines, "a|bb|c|");
        ck_assert_uint_eq(s.n_dropped, 3);
        ck_assert_int_eq(s.n_end, 1);
        ck_assert_ptr_null(s.read);
        expect_silence(&f); /* no CANCEL after an end */
        fixture_done(&f);
}
END_TEST

START_TEST(errors_become_negative) {
        Fixture f;
        Seen s = {0};

        fixture_start(&f);
        ask(&f, &s, false);
        say_end(&f, expect(&f, LOGGER_READ), ENOENT);
        run(&f);
        ck_assert_int_eq(s.end_error, -ENOENT);
        logger_read_free(s.read);
        fixture_done(&f);
}
END_TEST

START_TEST(a_paused_read_goes_on_where_it_was) {
        Fixture f;
        Seen s = {.pause_at = 1};
        uint64_t id;

        fixture_start(&f);
        ask(&f, &s, false);
        id = expect(&f, LOGGER_READ);
        say_lines(&f, id, 0, "a b");
        say_lines(&f, id, 0, "c");
        say_end(&f, id, 0);
        run(&f);
        ck_assert_str_eq(s.lines, "a|");
        ck_assert_int_eq(s.n_end, 0);
        logger_read_resume(s.read);
        ck_assert_str_eq(s.lines, "a|");
        run(&f);
        ck_assert_str_eq(s.lines, "a|b|c|");
        ck_assert_int_eq(s.n_end, 1);
        logger_read_free(s.read);
        fixture_done(&f);
}
END_TEST

START_TEST(a_read_may_be_freed_by_its_hook) {
        Fixture f;
        Seen s = {.free_at = 2};
        uint64_t id;

        fixture_start(&f);
        ask(&f, &s, true);
        id = expect(&f, LOGGER_READ);
        say_lines(&f, id, 0, "a b c d");
        run(&f);
        ck_assert_str_eq(s.lines, "a|b|");
        ck_assert_uint_eq(expect(&f, LOGGER_CANCEL), id);
        say_lines(&f, id, 0, "e");
        run(&f);
        ck_assert_int_eq(s.n_lines, 2);
        fixture_done(&f);
}
END_TEST

START_TEST(credit_is_given_back) {
        Fixture f;
        Seen s = {0};
        LoggerMessage m;
        uint64_t id, sum = 0;
        char line[2000];

        memset(line, 'x', sizeof(line));
        line[sizeof(line) - 1] = '\0';
        fixture_start(&f);
        ask(&f, &s, true);
        ck_assert(hear(&f, &m));
        ck_assert_uint_eq(m.read.credit, LOG_READ_CREDIT);
        id = m.request;
        for (int i = 0; i < 40; i++) {
                say_lines(&f, id, 0, line);
                run(&f);
        }
        while (hear(&f, &m)) {
                ck_assert_uint_eq(m.type, LOGGER_CREDIT);
                sum += m.credit;
        }
        ck_assert_uint_ge(sum, 40 * sizeof(line) - LOG_READ_CREDIT / 4);
        logger_read_free(s.read);
        fixture_done(&f);
}
END_TEST

START_TEST(a_new_logger) {
        Fixture f;
        Seen fresh = {0}, middle = {0}, follower = {0}, gone = {0};
        uint64_t id;
        LoggerMessage m;

        fixture_start(&f);
        ask(&f, &fresh, false);
        (void) expect(&f, LOGGER_READ);
        ask(&f, &middle, false);
        id = expect(&f, LOGGER_READ);
        say_lines(&f, id, 0, "a");
        ask(&f, &follower, true);
        id = expect(&f, LOGGER_READ);
        say_lines(&f, id, 0, "b");
        ask(&f, &gone, true);
        (void) expect(&f, LOGGER_READ);
        run(&f);
        fd_close(f.logger);
        f.logger = -EBADF;
        run(&f);
        logger_read_free(gone.read);
        new_logger(&f);

        ck_assert(hear(&f, &m) && m.type == LOGGER_READ && m.read.n_lines == 10);
        say_lines(&f, m.request, 0, "z");
        ck_assert(hear(&f, &m) && m.type == LOGGER_READ && m.read.n_lines == 0 && m.read.follow);
        say_lines(&f, m.request, 0, "c");
        expect_silence(&f);
        run(&f);
        ck_assert_str_eq(fresh.lines, "z|");
        ck_assert_int_eq(fresh.n_end, 0);
        ck_assert_int_eq(middle.end_error, -ECONNRESET);
        ck_assert_str_eq(follower.lines, "b|c|");
        ck_assert_int_eq(follower.n_dropped_calls, 1);
        logger_read_free(fresh.read);
        logger_read_free(middle.read);
        logger_read_free(follower.read);
        fixture_done(&f);
}
END_TEST

START_TEST(nonsense_is_ignored) {
        Fixture f;
        Seen s = {0};
        LoggerMessage m = {.type = 4711};

        fixture_start(&f);
        ask(&f, &s, false);
        m.request = expect(&f, LOGGER_READ);
        ck_assert_int_eq(packet_send(f.logger, &m, sizeof(m), NULL, 0), 0);
        ck_assert_int_eq(packet_send(f.logger, &m, 3, NULL, 0), 0);
        m.type = LOGGER_LINES;
        m.lines.n_bytes = 4000000;
        ck_assert_int_eq(packet_send(f.logger, &m, logger_message_size(m.type), NULL, 0), 0);
        run(&f);
        ck_assert_int_eq(s.n_lines, 0);
        logger_read_free(s.read);
        run(&f);
        fixture_done(&f);
}
END_TEST

int main(void) {
        Suite *s = suite_create("logger-link");
        TCase *t = tcase_create("logger-link");
        SRunner *r = srunner_create(s);
        int failed;

        tcase_add_test(t, lines_come_in_order_and_end);
        tcase_add_test(t, errors_become_negative);
        tcase_add_test(t, a_paused_read_goes_on_where_it_was);
        tcase_add_test(t, a_read_may_be_freed_by_its_hook);
        tcase_add_test(t, credit_is_given_back);
        tcase_add_test(t, a_new_logger);
        tcase_add_test(t, nonsense_is_ignored);
        suite_add_tcase(s, t);
        srunner_run_all(r, CK_NORMAL);
        failed = srunner_ntests_failed(r);
        srunner_free(r);
        return failed > 0;
}
